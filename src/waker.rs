//! Wakers of async tasks: one pointer, no reference count, good for ever.
//!
//! Invariants:
//!
//! - **Static Home.** A waker is only made from a `&'static` core, so the slot and the core it points to
//!   never move and never go away, however long the waker is kept.
//! - **One Pointer.** A waker points to its slot, with the provenance of the whole core; the core is found from there by the slot's
//!   number, which never changes.
//!
//! A waker that outlives its task may cause one spurious poll of a later task in the same slot, never more.

use core::mem::{MaybeUninit, offset_of, size_of};
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::host::Park;
use crate::memory::Core;
use crate::queue::Index;
use crate::registry::Registry;
use crate::slot::Slot;

/// The bytes between the start of a core and one of its slots.
const fn offset<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>(index: usize) -> usize {
    offset_of!(Core<WORKERS, QUEUE, SLOT_BYTES, H>, slots) + index * size_of::<Slot<[MaybeUninit<u8>; SLOT_BYTES]>>()
}

/// The waker of the task in a slot that its caller has claimed.
pub(crate) fn waker<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>(
    core: &'static Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    index: Index,
) -> Waker {
    let slot = core::ptr::from_ref(core)
        .cast::<()>()
        .wrapping_byte_add(offset::<WORKERS, QUEUE, SLOT_BYTES, H>(usize::from(index)));
    // SAFETY: the functions of the table may be called from any thread, on a pointer made here (*One Pointer*): `Core` is
    // `Sync` and, by *Static Home*, always there. Cloning copies the pointer and dropping does nothing.
    unsafe { Waker::from_raw(RawWaker::new(slot, &Table::<WORKERS, QUEUE, SLOT_BYTES, H>::WAKER)) }
}

struct Table<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H>(core::marker::PhantomData<H>);

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Table<WORKERS, QUEUE, SLOT_BYTES, H> {
    const WAKER: RawWakerVTable = RawWakerVTable::new(Self::clone, Self::wake, Self::wake, Self::drop);

    /// # Safety
    ///
    /// - `slot` comes from [`waker`] with the same parameters.
    unsafe fn clone(slot: *const ()) -> RawWaker {
        RawWaker::new(slot, &Self::WAKER)
    }

    /// # Safety
    ///
    /// - `slot` comes from [`waker`] with the same parameters.
    unsafe fn wake(slot: *const ()) {
        // SAFETY: *One Pointer*, *Static Home*: a slot, shared, for ever.
        let index = unsafe { &*slot.cast::<Slot<[MaybeUninit<u8>; SLOT_BYTES]>>() }.index();
        let core = slot.wrapping_byte_sub(offset::<WORKERS, QUEUE, SLOT_BYTES, H>(usize::from(index)));
        // SAFETY: *One Pointer*, *Static Home*: the core the slot is in, shared, for ever.
        let core = unsafe { &*core.cast::<Core<WORKERS, QUEUE, SLOT_BYTES, H>>() };
        let registry: &dyn Registry<H> = core;
        registry.wake(index);
    }

    /// # Safety
    ///
    /// - None: there is nothing to release.
    unsafe fn drop(_slot: *const ()) {}
}
