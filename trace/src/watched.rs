//! Which executor's steps are looked at.

use core::ptr;

use slotted::{Executor, Park};

use crate::sync::{AtomicPtr, Ordering};

/// The address of an executor, in a form that threads may share. It never changes.
pub(crate) struct Watched(AtomicPtr<()>);

impl Watched {
    pub(crate) const fn new<
        const WORKERS: usize,
        const QUEUE: usize,
        const SLOT_BYTES: usize,
        H: Park,
    >(
        executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        Self(AtomicPtr::new(
            ptr::from_ref(executor).cast::<()>().cast_mut(),
        ))
    }

    /// True if it is the executor of that address.
    #[inline(always)]
    pub(crate) fn is(&self, executor: usize) -> bool {
        self.0.load(Ordering::Relaxed).addr() == executor
    }
}
