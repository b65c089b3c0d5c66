//! A small token that can cancel a task, and ask about it, from anywhere.
#![forbid(unsafe_code)]

use core::fmt;

use crate::completion::complete_cancelled;
use crate::error::InvalidState;
use crate::host::{DefaultHost, Park};
use crate::list::Index;
use crate::registry::Registry;
use crate::slot::{Asked, SlotRef, Snapshot};

/// Cancels a task, or asks about it, without its handle. `Copy`, `Send` and `Sync`.
///
/// After another task has reused the slot it answers [`TaskState::Gone`] and touches nothing.
///
/// A generation tells the tasks of a slot apart: 19 bits on 32-bit targets, 51 on 64-bit ones.
/// Generations wrap. A token that is kept while its slot serves an exact multiple of 2^19 (or 2^51)
/// tasks takes a later task for its own.
///
/// ```
/// use slotted::{Executor, TaskState};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let handle = executor.submit(|| 1).unwrap();
/// let canceller = handle.canceller();
/// assert_eq!(canceller.state(), TaskState::Pending);
/// assert!(canceller.cancel());
/// assert!(handle.cancelled());
/// drop(handle);
/// assert_eq!(canceller.state(), TaskState::Gone);
/// assert!(!canceller.cancel());
/// ```
pub struct Canceller<'e, H: Park = DefaultHost> {
    pub(crate) registry: Registry<'e, H>,
    /// The slot and its generation; `None` for a handle whose outcome was taken.
    pub(crate) key: Option<(Index, usize)>,
}

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TaskState {
    /// No thread has started it, or it is an open promise. A canceller can still cancel it.
    Pending,
    /// It has started and not ended. A canceller can still cancel an async task between two polls,
    /// unless it was set running.
    Running,
    /// It has ended, with a value or an error.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// Its slot is free, or has another task.
    Gone,
}

impl TaskState {
    pub(crate) fn of(seen: Snapshot) -> Self {
        if seen.is_cancelled() {
            Self::Cancelled
        } else if seen.is_ended() {
            Self::Finished
        } else if seen.is_running() {
            Self::Running
        } else {
            Self::Pending
        }
    }
}

/// Cancels a task, if it is not running and has not ended. Returns true if it is cancelled now.
pub(crate) fn cancel<'e, H: Park>(
    registry: Registry<'e, H>,
    slot: SlotRef<'e>,
    generation: Option<usize>,
) -> bool {
    if let Some(cancelled) = registry.cancel(slot, generation) {
        complete_cancelled(registry, cancelled);
        return true;
    }
    let seen = slot.snapshot();
    seen.is_cancelled() && generation.is_none_or(|meant| meant == seen.generation())
}

/// Cancels a task that no thread has, or asks a closure that runs to stop. Returns true if this
/// call was the first to do so.
///
/// The request itself is short, so that an interrupt may make it; the cancelling is apart.
#[inline]
pub(crate) fn request_stop<'e, H: Park>(
    registry: Registry<'e, H>,
    slot: SlotRef<'e>,
    generation: Option<usize>,
) -> bool {
    match slot.ask_to_stop(generation) {
        Asked::First => true,
        Asked::Refused => false,
        Asked::AtRest { generation } => cancel_or_ask(registry, slot, generation),
    }
}

/// As [`request_stop`], for a task that no thread had a moment ago.
#[inline(never)]
fn cancel_or_ask<'e, H: Park>(
    registry: Registry<'e, H>,
    slot: SlotRef<'e>,
    generation: usize,
) -> bool {
    // Bound: a further round means that a thread took the task between the look and the lock. A
    // closure runs then. A future may have come back since, which its waker decides.
    loop {
        if let Some(cancelled) = registry.cancel(slot, Some(generation)) {
            complete_cancelled(registry, cancelled);
            return true;
        }
        match slot.ask_to_stop(Some(generation)) {
            Asked::First => return true,
            Asked::Refused => return false,
            Asked::AtRest { .. } => {}
        }
    }
}

impl<H: Park> Canceller<'_, H> {
    /// Cancels the task if no thread has started it, or if it is an async task between two polls
    /// that was not set running. Returns true if it is cancelled now, by this call or an earlier
    /// one.
    ///
    /// The calling thread drops the closure or future, and runs the callbacks.
    ///
    /// # Context
    ///
    /// Any, interrupts included (if dropping the closure is fine there). Does not block.
    ///
    /// # Python
    ///
    /// `Future.cancel`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 1).unwrap();
    /// assert!(handle.canceller().cancel());
    /// assert!(handle.cancelled());
    /// ```
    pub fn cancel(&self) -> bool {
        self.key.is_some_and(|(index, generation)| {
            cancel(self.registry, self.registry.slot(index), Some(generation))
        })
    }

    /// Cancels the task, or asks the closure that runs to stop. Returns true if this call was the
    /// first to do so. As [`JoinHandle::request_stop`](crate::JoinHandle::request_stop), which says
    /// what it does to which task. Does nothing to a task that is gone.
    ///
    /// # Context
    ///
    /// Any, interrupts included (if dropping the closure is fine there). Does not block.
    ///
    /// ```
    /// # use slotted::{Executor, StdThreads, TaskState};
    /// let executor: Executor<1, 1> = Executor::new();
    /// let ended = executor.run(&StdThreads::new(), |pool| {
    ///     let handle = pool
    ///         .submit_stoppable(|stop| (0..).take_while(|_| !stop.requested()).count())
    ///         .unwrap();
    ///     let canceller = handle.canceller();
    ///     while canceller.state() != TaskState::Running {
    ///         std::thread::yield_now();
    ///     }
    ///     assert!(canceller.request_stop());
    ///     assert!(!canceller.request_stop(), "not the first");
    ///     handle.result()
    /// });
    /// assert!(ended.unwrap().is_ok());
    /// ```
    pub fn request_stop(&self) -> bool {
        self.key.is_some_and(|(index, generation)| {
            request_stop(self.registry, self.registry.slot(index), Some(generation))
        })
    }

    /// Marks an async task as running: from now on no canceller can cancel it, also between two
    /// polls. `Ok(false)`: it is cancelled. For an async task that stands for work elsewhere which
    /// cannot be called back once it has begun.
    ///
    /// Requests to stop and time budgets do not cancel it either, and `cancel_sync` waits for its
    /// end. A shutdown of its executor with `Cancel` or `Stop` still does. A task of a timetable is
    /// an async task too: it counts as running before its date, and any shutdown cancels it there.
    ///
    /// # Context
    ///
    /// Any, interrupts included, and inside a lock of the caller's: it calls no foreign code. Does
    /// not block.
    ///
    /// # Errors
    ///
    /// If the task is no async task, was marked before, has ended, or is gone.
    ///
    /// # Python
    ///
    /// `Future.set_running_or_notify_cancel`, which executors call.
    ///
    /// ```
    /// # use core::future::pending;
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<0, 2> = Executor::new();
    /// let handle = EXECUTOR.submit_future(pending::<()>()).unwrap();
    /// assert_eq!(handle.canceller().set_running_or_notify_cancel(), Ok(true));
    /// assert!(handle.running() && !handle.cancel());
    /// let other = EXECUTOR.submit_future(pending::<()>()).unwrap();
    /// other.cancel();
    /// assert_eq!(other.canceller().set_running_or_notify_cancel(), Ok(false));
    /// ```
    pub fn set_running_or_notify_cancel(&self) -> Result<bool, InvalidState<()>> {
        let Some((index, generation)) = self.key else {
            return Err(InvalidState(()));
        };
        match self.registry.set_running(index, generation) {
            Ok(()) => Ok(true),
            Err(seen) if seen.generation() == generation && seen.is_cancelled() => Ok(false),
            Err(_) => Err(InvalidState(())),
        }
    }

    /// Where the task is in its life.
    ///
    /// # Context
    ///
    /// Any, interrupts included.
    ///
    /// ```
    /// # use slotted::{Executor, TaskState};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let canceller = executor.submit(|| 1).unwrap().canceller();
    /// assert_eq!(canceller.state(), TaskState::Pending); // its handle is gone, the task is not
    /// executor.run_until_idle();
    /// assert_eq!(canceller.state(), TaskState::Gone);
    /// ```
    #[must_use]
    pub fn state(&self) -> TaskState {
        let Some((index, generation)) = self.key else {
            return TaskState::Gone;
        };
        let seen = self.registry.slot(index).snapshot();
        if seen.generation() == generation {
            TaskState::of(seen)
        } else {
            TaskState::Gone
        }
    }
}

impl<H: Park> Clone for Canceller<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Park> Copy for Canceller<'_, H> {}

impl<H: Park> fmt::Debug for Canceller<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
