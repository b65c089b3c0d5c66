//! Counts the tasks of a scope that have not ended, on the stack of the thread that waits for them.
//!
//! Invariants:
//!
//! - **Counted First.** A task is counted before anybody can run it, and the count falls only when nothing will touch what it
//!   borrowed any more: its closure is gone, and its outcome is dropped or in the hands of a handle inside the scope.
//! - **Last Touch.** Lowering the count to zero is the last access to the tally; whom to wake was cloned before.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::error::TaskError;
use crate::host::Park;
use crate::sync::{AtomicUsize, Lock, Ordering};

/// The count, and who waits for it.
pub(crate) struct Tally<H: Park> {
    unfinished: AtomicUsize,
    leaving: AtomicUsize,
    owner: H::Thread,
    /// The worker the owner is, in the executor of the scope.
    worker: Option<u16>,
    /// The first panic nobody looked at.
    panic: Lock<Cell<Option<TaskError>>>,
}

impl<H: Park> Tally<H> {
    pub(crate) fn new(worker: Option<u16>) -> Self {
        Self {
            unfinished: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            owner: H::current(),
            worker,
            panic: Lock::new(Cell::new(None)),
        }
    }

    /// Counts a task that is about to be submitted.
    pub(crate) fn add(&self) {
        self.unfinished.fetch_add(1, Ordering::Relaxed); // the queue's lock publishes the task
    }

    /// Whether no counted task is left. Sees what they wrote.
    pub(crate) fn is_zero(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// The worker the owner is.
    pub(crate) fn worker(&self) -> Option<u16> {
        self.worker
    }

    /// Notes, inside the lock of the wait cells, that the last task is about to end. Says whether the caller is it.
    pub(crate) fn announce_end(&self) -> bool {
        let last = self.unfinished.load(Ordering::Relaxed) == 1;
        if last {
            self.leaving.store(1, Ordering::Relaxed); // the lock orders it
        }
        last
    }

    /// Whether the end was announced. Inside the same lock.
    pub(crate) fn is_ending(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) == 1 // the lock orders it
    }

    /// One task less. If it was the last the owner is returned, to be unparked; `self` may be gone by then.
    #[must_use = "the owner must be unparked"]
    pub(crate) fn end(&self) -> Option<H::Thread> {
        // Bound: each further round means that another task of the scope came or went.
        let mut seen = self.unfinished.load(Ordering::Relaxed);
        loop {
            let owner = (seen == 1).then(|| self.owner.clone());
            // Release: the owner sees what the task wrote.
            match self.unfinished.compare_exchange_weak(seen, seen - 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return owner,
                Err(now) => seen = now,
            }
        }
    }

    /// Keeps a panic that nobody will look at; the first one counts.
    pub(crate) fn keep_panic(&self, error: TaskError) {
        let rest = self.panic.with(|kept| {
            let first = kept.take();
            if first.is_some() {
                kept.set(first);
                return Some(error);
            }
            kept.set(Some(error));
            None
        });
        // A payload's destructor is foreign code.
        crate::unwind::contain(|| drop(rest));
    }

    pub(crate) fn take_panic(&self) -> Option<TaskError> {
        self.panic.with(Cell::take)
    }
}
