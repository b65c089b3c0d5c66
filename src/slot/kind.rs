//! What kind of job a slot holds, for steps that a host is told.

use super::job::ByHand;
use super::{Promised, Running, Unpublished};

impl Unpublished<'_> {
    /// The address of a function whose symbol names the type of the job.
    pub(crate) fn kind(&self) -> usize {
        // SAFETY: R1: we hold the slot, and it was filled.
        unsafe { self.slot().table() }.kind()
    }
}

impl Running<'_> {
    /// The address of a function whose symbol names the type of the job.
    pub(crate) fn kind(&self) -> usize {
        // SAFETY: we hold `Running`.
        unsafe { self.slot().table() }.kind()
    }
}

impl<T> Promised<'_, T> {
    /// The address of a function whose symbol names the type of the value.
    pub(crate) fn kind() -> usize {
        const { &ByHand::<T>::TABLE }.kind()
    }
}
