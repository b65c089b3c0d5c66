//! Tasks that borrow from the caller's stack, and get what the worker of their executor owns.
//!
//! Only that worker runs them (*All Lent*), so the thread that waits for them runs none. It would
//! wait for ever if the host has no worker, or the thread itself is inside the one there is. So it
//! cancels those that are stranded that way in the queue.
//!
//! `unsafe` here: filling a slot with a closure that borrows, which *Outlived* justifies.

use super::{Scope, key_of, scope_with};
use crate::blocking::{Never, RunUnstarted, WaitFor, block};
use crate::completion::{ScopeLatch, cancel_stranded};
use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::registry::{Registry, Submitter};
use crate::slot::{Plain, Stop};
use crate::waiter::Waiter;

/// A scope whose tasks get what the worker of the executor owns. It makes no map.
pub(crate) type LentScope<'scope, 'env, const SLOT_BYTES: usize, H> =
    Scope<'scope, 'env, 1, SLOT_BYTES, H>;

/// As [`scope`](super::scope), for tasks that only the worker of an owner runs.
pub(crate) fn lent_scope<'env, const SLOT_BYTES: usize, H: Park, R>(
    submitter: Submitter<'env, SLOT_BYTES, H>,
    body: impl for<'scope> FnOnce(&'scope LentScope<'scope, 'env, SLOT_BYTES, H>) -> R,
) -> R {
    let block = |scope: &LentScope<'_, '_, SLOT_BYTES, H>| {
        block_lent(scope.submitter.registry(), &scope.latch);
    };
    scope_with(submitter, block, body)
}

/// Made once for each host.
#[inline(never)]
fn block_lent<H: Park>(registry: Registry<'_, H>, latch: &ScopeLatch<H>) {
    let (done, workers) = (LentDone { registry, latch }, RunUnstarted::Workers);
    if block(registry, &done, &Never::<H>::new(), workers).is_err() {
        cancel_stranded(registry, key_of(latch));
    }
}

impl<'scope, const SLOT_BYTES: usize, H: Park> LentScope<'scope, '_, SLOT_BYTES, H> {
    /// As [`submit`](Self::submit), for a closure that gets an `L`. The executor takes such only.
    pub(crate) fn submit_lent<L, F, T>(
        &'scope self,
        task: F,
    ) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                self.latch.add();
                // SAFETY: *Outlived*, as in `submit_into`.
                let filled = unsafe { claim.borrowing_lent::<L, F, T, Plain>(self.key(), task) };
                self.enqueue_counted(self.submitter.registry(), filled)
            }
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// As [`submit_stoppable`](Self::submit_stoppable), for a closure that gets an `L`.
    pub(crate) fn submit_lent_stoppable<L, F, T>(
        &'scope self,
        task: F,
    ) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                self.latch.add();
                // SAFETY: *Outlived*, as in `submit_into`.
                let filled = unsafe { claim.borrowing_lent_stoppable::<L, F, T>(self.key(), task) };
                self.enqueue_counted(self.submitter.registry(), filled)
            }
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }
}

/// A wait for all tasks of a scope. The waiting thread runs none of them.
struct LentDone<'s, 'e, H: Park> {
    registry: Registry<'e, H>,
    latch: &'s ScopeLatch<H>,
}

impl<H: Park> WaitFor<H> for LentDone<'_, '_, H> {
    fn is_over(&self) -> bool {
        self.latch.is_zero()
    }

    /// Bound: the number of slots.
    fn needs_start(&self) -> bool {
        let (registry, key) = (self.registry, key_of(self.latch));
        (0..registry.capacity()).any(|index| registry.is_stranded_of(index, key))
    }

    /// As in `ScopeDone`.
    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(self.registry.with_leave_waiter(|cell| cell.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry.with_leave_waiter(|cell| cell.remove(waiter))
    }
}
