//! Wakers of async tasks: one pointer, no reference count, good for ever.
//!
//! Invariants:
//!
//! - **Static Home.** A waker is only made from a `&'static` core, so the slot and the core it
//!   points to never move and never go away, however long the waker is kept.
//! - **One Pointer.** A waker points to its slot, with the provenance of the whole core; the core
//!   is found from there by the slot's number, which never changes.
//!
//! A waker that outlives its task may cause one spurious poll of a later task in the same slot,
//! never more.

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::host::Park;
use crate::registry::Core;
use crate::slot::{Slot, SlotRef};

/// The waker of the task in a slot of `core` that its caller has claimed.
pub(crate) fn waker<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>(
    _core: &'static Core<WORKERS, QUEUE, SLOT_BYTES, H>,
    slot: SlotRef<'static>,
) -> Waker {
    // SAFETY: the functions of the table may be called from any thread, on a pointer made here
    // (*One Pointer*): `Core` is `Sync` and, by *Static Home*, always there. Cloning copies the
    // pointer and dropping does nothing.
    unsafe {
        Waker::from_raw(RawWaker::new(
            slot.as_ptr(),
            &Table::<WORKERS, QUEUE, SLOT_BYTES, H>::WAKER,
        ))
    }
}

struct Table<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H>(
    core::marker::PhantomData<H>,
);

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Table<WORKERS, QUEUE, SLOT_BYTES, H>
{
    const WAKER: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake, Self::drop);

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
        // SAFETY: made from a reference.
        let slot = unsafe { NonNull::new_unchecked(slot.cast::<Slot>().cast_mut()) };
        // SAFETY: *One Pointer*, *Static Home*: a slot, shared, for ever.
        let slot = unsafe { SlotRef::new(slot) };
        // SAFETY: *One Pointer*, *Static Home*: it is a slot of such a core, shared, for ever.
        unsafe { Core::<WORKERS, QUEUE, SLOT_BYTES, H>::around(slot) }.wake(slot.index());
    }

    /// # Safety
    ///
    /// - None: there is nothing to release.
    unsafe fn drop(_slot: *const ()) {}
}
