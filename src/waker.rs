//! Wakers of async tasks: one pointer, no reference count, good for ever.
//!
//! Invariants:
//!
//! - **Static Home.** The crate makes a waker only for a slot of a `'static` executor. So the slot
//!   and the executor never move and never go away, however long the waker lives.
//! - **One Pointer.** A waker points to its slot, with the provenance of the whole executor. The
//!   slot's home, which never changes, leads from there to the executor.
//!
//! A waker that outlives its task may cause one spurious poll of a later task in the same slot,
//! never more.

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::host::Park;
use crate::registry::Registry;
use crate::slot::{Slot, SlotRef};

/// The waker of the task in a slot of `registry` that the caller has claimed.
pub(crate) fn waker<H: Park>(registry: Registry<'static, H>, slot: SlotRef<'static>) -> Waker {
    registry.note_home(slot);
    // SAFETY: any thread may call the functions of the table on a pointer made here (*One
    // Pointer*). An executor is `Sync` and, by *Static Home*, always there. Cloning copies the
    // pointer and dropping does nothing.
    unsafe { Waker::from_raw(RawWaker::new(slot.as_ptr(), &Table::<H>::WAKER)) }
}

struct Table<H>(core::marker::PhantomData<H>);

impl<H: Park> Table<H> {
    const WAKER: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake, Self::drop);

    /// # Safety
    ///
    /// - `slot` comes from [`waker`] with the same host.
    unsafe fn clone(slot: *const ()) -> RawWaker {
        RawWaker::new(slot, &Self::WAKER)
    }

    /// # Safety
    ///
    /// - `slot` comes from [`waker`] with the same host.
    unsafe fn wake(slot: *const ()) {
        // SAFETY: made from a reference.
        let slot = unsafe { NonNull::new_unchecked(slot.cast::<Slot>().cast_mut()) };
        // SAFETY: *One Pointer*, *Static Home*: a slot, shared, for ever.
        let slot = unsafe { SlotRef::new(slot) };
        // SAFETY: *Static Home*; `waker` noted the slot's home.
        unsafe { Registry::<H>::of_slot(slot) }.wake(slot.index());
    }

    /// # Safety
    ///
    /// - None: there is nothing to release.
    unsafe fn drop(_slot: *const ()) {}
}
