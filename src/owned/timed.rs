//! The way of a timed task into a slot of an owner.
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use super::Owned;
use crate::completion::{TimedTask, fill_lent_timed};
use crate::host::Park;
use crate::list::Index;
use crate::registry::{Registry, Submitter};
use crate::slot::{FilledFuture, LentFuture};

/// Fills slots of an owner with timed tasks that get an `L`, and with nothing else (*All Lent*).
pub(crate) struct LentSubmitter<L, const SLOT_BYTES: usize, H: Park> {
    /// Takes plain tasks too: it must not leave this file.
    submitter: Submitter<'static, SLOT_BYTES, H>,
    owns: PhantomData<fn(L) -> L>,
}

impl<L, const SLOT_BYTES: usize, H: Park> Clone for LentSubmitter<L, SLOT_BYTES, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> Copy for LentSubmitter<L, SLOT_BYTES, H> {}

impl<L, const SLOT_BYTES: usize, H: Park> LentSubmitter<L, SLOT_BYTES, H> {
    pub(crate) fn registry(self) -> Registry<'static, H> {
        self.submitter.registry()
    }

    /// Fills a slot that was taken out of the free list.
    pub(crate) fn fill<F>(self, index: Index, task: F) -> FilledFuture<F, F::Output, SLOT_BYTES>
    where
        F: LentFuture<L, Output: Send + 'static> + TimedTask + Send + 'static,
    {
        let claim = self.submitter.adopt(index);
        fill_lent_timed::<L, F, SLOT_BYTES, H>(self.registry(), claim, task)
    }
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    /// For timed tasks.
    pub(crate) const fn lent_submitter(&'static self) -> LentSubmitter<L, SLOT_BYTES, H> {
        LentSubmitter {
            submitter: self.executor.submitter(),
            owns: PhantomData,
        }
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> fmt::Debug for LentSubmitter<L, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.submitter.fmt(f)
    }
}
