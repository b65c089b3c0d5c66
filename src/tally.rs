//! Counts the tasks of a scope that have not ended, on the stack of the thread that waits for them.
//!
//! Invariants:
//!
//! - **Counted First.** A task is counted before anybody can run it, and the count falls only when
//!   nothing will touch what it borrowed any more: its closure is gone, and its outcome is dropped
//!   or in the hands of a handle inside the scope.
//! - **Last Touch.** Lowering the count to zero is the last access to the tally; whom to wake was
//!   cloned before.
//!
//! `unsafe` here: lowering the count through a pointer, because of *Last Touch*.

use core::cell::Cell;

use crate::error::TaskError;
use crate::host::Park;
use crate::sync::{AtomicUsize, Lock, Ordering};
use crate::unwind;

/// The count, and who waits for it.
pub(crate) struct Tally<H: Park> {
    unfinished: AtomicUsize,
    owner: H::Thread,
    id: usize,
    /// The worker the owner is, in the executor of the scope.
    worker: Option<u16>,
    /// The first panic nobody looked at.
    panic: Lock<Cell<Option<TaskError>>>,
}

impl<H: Park> Tally<H> {
    pub(crate) fn new(worker: Option<u16>) -> Self {
        Self {
            unfinished: AtomicUsize::new(0),
            id: H::current_id(),
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

    /// Wakes the owner if it is asleep and could run a task that another thread has just submitted.
    pub(crate) fn tell_owner(&self) -> Option<&H::Thread> {
        (H::current_id() != self.id).then_some(&self.owner)
    }

    /// One task less. If it was the last the owner is returned, to be unparked.
    ///
    /// # Safety
    ///
    /// - `this` points to a tally that counts a task of the caller's. Afterwards it may be gone.
    #[must_use = "the owner must be unparked"]
    pub(crate) unsafe fn end(this: *const Self) -> Option<H::Thread> {
        // By pointer: a reference in the signature would promise that the tally outlives the call.
        // SAFETY: alive as long as the task is counted; an atomic may be freed by others while a
        // reference to it is about.
        let unfinished = unsafe { &(*this).unfinished };
        // Bound: each further round means that another task of the scope came or went.
        let mut seen = unfinished.load(Ordering::Relaxed);
        loop {
            // SAFETY: alive as long as the task is counted.
            let owner = (seen == 1).then(|| unsafe { &(*this).owner }.clone());
            // Release: the owner sees what the task wrote.
            match unfinished.compare_exchange_weak(
                seen,
                seen - 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return owner,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes back [`add`](Self::add): the task was refused. For those who know that the tally
    /// stays.
    pub(crate) fn take_back(&self) -> Option<&H::Thread> {
        // Release: as above, for what ended before.
        (self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1).then_some(&self.owner)
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
        unwind::discard(rest);
    }

    pub(crate) fn take_panic(&self) -> Option<TaskError> {
        self.panic.with(Cell::take)
    }
}
