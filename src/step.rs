//! The steps in the life of tasks and workers, as a host is told of them: see
//! [`Park::note`](crate::Park::note).
#![forbid(unsafe_code)]

use crate::error::Refusal;

/// Tells one task from all others that the same executor has at the time.
///
/// Slot and generation are numbers that a deterministic program gives again in each run. The
/// executor's address is not, but it tells executors apart.
///
/// Generations wrap, as a [`Canceller`](crate::Canceller) says: after 2^19 tasks in one slot on
/// 32-bit targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TaskKey {
    /// The address of the executor that has the task. A tool compares it with those of the statics.
    pub executor: usize,
    /// The number of the task's slot, below `QUEUE`.
    pub slot: u16,
    /// How many tasks, callbacks and permits the slot had before.
    pub generation: usize,
}

impl TaskKey {
    pub(crate) fn new(executor: usize, slot: u16, generation: usize) -> Self {
        Self {
            executor,
            slot,
            generation,
        }
    }
}

/// What must come before a submitted task can start, or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Awaits {
    /// A thread that runs it: the task enters the ready queue.
    Worker,
    /// Its date, at which it is `Woken`: a task of a [`Timetable`](crate::Timetable).
    Date,
    /// The holder of its promise. It never enters the ready queue.
    Promise,
}

/// How a task ended that was not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// With a value.
    Value,
    /// With an `Err` that counts as a failure, of a task that was submitted as fallible.
    Failed,
    /// With an error that the promise or the future gave.
    Error,
    /// It panicked, and the panic was contained.
    Panicked,
    /// As [`TaskError::Broken`](crate::TaskError::Broken).
    Broken,
}

/// One step of a task or a worker, which [`Park::note`](crate::Park::note) tells a host.
///
/// # The life of a task
///
/// Each task has one life, in which each step has its place:
///
/// ```text
/// Submitted  (Started Rested)*  [Started]  (Ended | Cancelled | Refused)
/// ```
///
/// - Every observer sees these steps in this order. After the last one comes no other. The next
///   task in the same slot has another generation.
/// - `Refused` follows `Submitted` at once, if the executor was shut down when the task was about
///   to enter the queue.
/// - A closure starts at most once. A future rests after each poll that was not the last one.
/// - A task ends without a start if it is a promise, or if the executor breaks.
///
/// `Woken` is the one step that has no fixed place. A waker tells it just before it queues a future
/// that rests. The waker owns nothing of the task. Usually `Woken` stands between `Rested` and
/// `Started`. If two wakers meet, it stands there twice. If a canceller or another waker is faster,
/// it may come late, even after the end. It never comes before the first `Rested`. A future that
/// was woken during its poll goes back to the queue without it.
///
/// A task of a [`Timetable`](crate::Timetable) rests from its submission on. When it is due, it is
/// `Woken`.
///
/// # What is a task
///
/// Closures, futures and promises, also those of scopes and maps, and those submitted with a
/// permit. A callback is none: it runs within the end of its task. An item that `map` or
/// `for_each_chunk` works on in the calling thread is none either, since no slot holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step {
    /// A submitter has filled a slot. It tells this before the task enters the queue.
    #[non_exhaustive]
    Submitted {
        /// The task.
        task: TaskKey,
        /// The address of a function that stands for the task's type: see
        /// [`Started`](Self::Started).
        kind: usize,
        /// What it waits for.
        awaits: Awaits,
    },
    /// A thread is about to run the closure, or to poll the future.
    #[non_exhaustive]
    Started {
        /// The task.
        task: TaskKey,
        /// The address of a function that stands for the task's type. Its symbol in the executable
        /// names the type: `slotted::slot::job::run` of a closure, `poll` of a future,
        /// `drop_outcome` of a promise's value. The linker may give types with the same code one
        /// address. All futures whose output is the task's outcome have the same code here.
        kind: usize,
        /// The worker that runs it. `None`: another thread, that waits or calls `run_one` of the
        /// executor.
        worker: Option<u16>,
    },
    /// The future was polled and is not ready. It is told before a waker can queue the future.
    #[non_exhaustive]
    Rested {
        /// The task.
        task: TaskKey,
    },
    /// A waker is about to queue a future that rests.
    #[non_exhaustive]
    Woken {
        /// The task.
        task: TaskKey,
    },
    /// The outcome is written, and no other thread can take it yet. Callbacks run after this.
    #[non_exhaustive]
    Ended {
        /// The task.
        task: TaskKey,
        /// How it ended.
        outcome: Outcome,
    },
    /// The task ended as cancelled, by a canceller, a shutdown or its own word. The canceller has
    /// dropped the closure or future.
    #[non_exhaustive]
    Cancelled {
        /// The task.
        task: TaskKey,
    },
    /// The executor refused a task, a permit or a promise, and counted it in
    /// [`Stats::refused`](crate::Stats::refused).
    #[non_exhaustive]
    Refused {
        /// The address of the executor.
        executor: usize,
        /// The task, if it had a slot already: then it was `Submitted` before.
        task: Option<TaskKey>,
        /// Why.
        reason: Refusal,
    },
    /// A worker in [`Worker::run`](crate::Worker::run) or
    /// [`Worker::ready`](crate::Worker::ready) found nothing to do and is about to sleep.
    ///
    /// A loop that only calls [`Worker::run_one`](crate::Worker::run_one) is told by its answer,
    /// and notes nothing.
    #[non_exhaustive]
    Idle {
        /// The address of the executor.
        executor: usize,
        /// The worker's number, below `WORKERS`.
        worker: u16,
    },
    /// The worker is awake again and looks for work. Follows each `Idle`, unless the future of
    /// [`Worker::ready`](crate::Worker::ready) is forgotten.
    #[non_exhaustive]
    Busy {
        /// The address of the executor.
        executor: usize,
        /// The worker's number, below `WORKERS`.
        worker: u16,
    },
}
