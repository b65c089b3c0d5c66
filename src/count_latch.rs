//! Counts the tasks of a scope that have not ended, on the stack of the thread that waits for them.
//!
//! Invariants:
//!
//! - **Counted First.** A submitter counts a task before any thread can run it. The count falls
//!   only when no thread will touch what the task borrowed any more. By then its closure is gone,
//!   and its outcome is dropped or in a handle inside the scope.
//! - **Last Touch.** Lowering the count to zero is the last access to the latch. The completer
//!   copies the owner's thread before.
//!
//! `unsafe` here: lowering the count through a pointer, because of *Last Touch*.

use core::cell::Cell;

use crate::error::TaskError;
use crate::host::Park;
use crate::sync::{AtomicUsize, Lock, Ordering};
use crate::unwind;

/// The count, and the thread that waits for it. `E` is the code that serves the events of a scope,
/// so that a program without scopes does not link it.
pub(crate) struct CountLatch<H: Park, E> {
    on_event: E,
    unfinished: AtomicUsize,
    owner: H::Thread,
    owner_id: usize,
    /// The first panic of a task that no handle took.
    panic: Lock<Cell<Option<TaskError>>>,
}

impl<H: Park, E: Copy> CountLatch<H, E> {
    pub(crate) fn new(on_event: E) -> Self {
        Self {
            on_event,
            unfinished: AtomicUsize::new(0),
            owner_id: H::current_id(),
            owner: H::current(),
            panic: Lock::new(Cell::new(None)),
        }
    }

    /// The code that serves the events of the scope.
    ///
    /// # Safety
    ///
    /// - `this` points to a latch that is there.
    pub(crate) unsafe fn on_event(this: *const Self) -> E {
        // SAFETY: the caller's promise.
        unsafe { (*this).on_event }
    }

    /// Counts a task that is about to be submitted.
    pub(crate) fn add(&self) {
        self.unfinished.fetch_add(1, Ordering::Relaxed); // the ready queue publishes the task
    }

    /// Returns true if no counted task is left. Sees what they wrote.
    pub(crate) fn is_zero(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// The owner, for a submitter on another thread: it may be asleep.
    pub(crate) fn owner_elsewhere(&self) -> Option<&H::Thread> {
        (H::current_id() != self.owner_id).then_some(&self.owner)
    }

    /// Counts a task that has ended. If it was the last, returns the owner, to be unparked.
    ///
    /// # Safety
    ///
    /// - `this` points to a latch that counts a task of the caller's. Afterwards it may be gone.
    #[must_use = "the owner must be unparked"]
    pub(crate) unsafe fn end(this: *const Self) -> Option<H::Thread> {
        // By pointer: a reference in the signature would promise that the latch outlives the call.
        // SAFETY: alive as long as the task is counted; other threads may free an atomic while a
        // reference to it exists.
        let unfinished = unsafe { &(*this).unfinished };
        let mut owner = None;
        // Bound: each further round means that another task of the scope came or went.
        let mut seen = unfinished.load(Ordering::Relaxed);
        loop {
            if seen == 1 && owner.is_none() {
                // SAFETY: alive as long as the task is counted.
                owner = Some(unsafe { &(*this).owner }.clone());
            }
            // Release: the owner sees what the task wrote. Each change of the count carries on what
            // the earlier ones released.
            match unfinished.compare_exchange_weak(
                seen,
                seen - 1,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) if seen == 1 => return owner,
                // Drops here, with no lock held, a copy that no unpark needs.
                Ok(_) => return None,
                Err(now) => seen = now,
            }
        }
    }

    /// Takes back [`add`](Self::add): the task was refused. The caller knows that the latch stays.
    pub(crate) fn take_back(&self) -> Option<&H::Thread> {
        // Release: as above, for what the submitter wrote.
        (self.unfinished.fetch_sub(1, Ordering::Release) == 1).then_some(&self.owner)
    }

    /// Keeps a panic that no handle will take. The first one counts.
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

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::host::SpinHost;

    type Latch = CountLatch<SpinHost, ()>;

    type Shared = (Latch, [AtomicUsize; 2]);

    fn write_and_lower(shared: &Shared, number: usize, lower: [fn(&Latch); 2]) {
        shared.1[number].store(1, Ordering::Relaxed);
        lower[number](&shared.0);
    }

    /// A thread that sees zero sees what others wrote before they lowered the count. Those go
    /// first: loom forgets a load of the count when another load comes before the next change.
    fn model(lower: [fn(&Latch); 2]) {
        loom::model(move || {
            let shared = Arc::new((Latch::new(()), [0, 0].map(AtomicUsize::new)));
            shared.0.add();
            shared.0.add();
            let (other, owner) = (shared.clone(), shared.clone());
            let other = loom::thread::spawn(move || write_and_lower(&other, 1, lower));
            write_and_lower(&shared, 0, lower);
            let owner = loom::thread::spawn(move || {
                if owner.0.is_zero() {
                    for written in &owner.1 {
                        assert_eq!(written.load(Ordering::Relaxed), 1);
                    }
                }
            });
            other.join().unwrap();
            owner.join().unwrap();
        });
    }

    fn end(latch: &Latch) {
        // SAFETY: it is there until the thread has ended, and counts a task.
        let _ = unsafe { CountLatch::end(latch) };
    }

    fn take_back(latch: &Latch) {
        let _ = latch.take_back();
    }

    #[test]
    fn an_owner_sees_what_all_tasks_wrote() {
        model([end, end]);
    }

    #[test]
    fn an_owner_sees_what_a_submitter_wrote_whose_task_was_refused() {
        model([end, take_back]);
    }
}
