//! What the recorder keeps of a step.

use slotted::{Awaits, Outcome, Refusal, Step, TaskKey};

use crate::steps::generation;

/// A task of an executor, among those of about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// The number of its slot.
    pub slot: u16,
    /// The lowest 16 bits of its [generation](TaskKey::generation).
    pub generation: u16,
}

/// What happened: a [`Step`], without the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A submitter has filled a slot.
    Submitted {
        /// The address of a function that stands for the task's type: see [`Step::Started`].
        kind: usize,
        /// What the task waits for.
        awaits: Awaits,
    },
    /// A thread is about to run the closure, or to poll the future.
    Started {
        /// As of `Submitted`.
        kind: usize,
        /// The worker. `None`: another thread.
        worker: Option<u16>,
    },
    /// The future was polled and is not ready.
    Rested,
    /// A waker, or the task's date, is about to queue it.
    Woken,
    /// The task has ended.
    Ended(Outcome),
    /// The task was cancelled.
    Cancelled,
    /// The executor refused a task, a permit or a promise.
    Refused(Refusal),
    /// The worker of that number is about to sleep.
    Idle(u16),
    /// The worker of that number is awake again.
    Busy(u16),
}

/// A step that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Event {
    /// How many events the recorder had before this one.
    pub number: u64,
    /// When, in ticks of the caller's clock: the lowest 48 bits.
    pub tick: u64,
    /// The address of the executor.
    pub executor: usize,
    /// The task, if it is a task's step.
    pub task: Option<Task>,
    /// What happened.
    pub action: Action,
}

/// An event in the recorder: 16 bytes on 32-bit targets, 24 on 64-bit ones.
#[derive(Clone, Copy)]
pub(crate) struct Packed {
    tick: u32,
    /// The slot, and the generation above it.
    task: u32,
    /// From the lowest bits: 4 of the action's tag, 1 that is set if there is a task, 3 of the
    /// executor's number, 8 of detail, and the tick's bits 32 to 47.
    rest: u32,
    kind: usize,
}

/// So many executors have a number.
pub(crate) const EXECUTORS: usize = 8;

const HAS_TASK: u32 = 1 << 4;
const EXECUTOR_SHIFT: u32 = 5;
const DETAIL_SHIFT: u32 = 8;
const TICK_SHIFT: u32 = 16;

const SUBMITTED: u32 = 0;
const STARTED: u32 = 1;
const RESTED: u32 = 2;
const WOKEN: u32 = 3;
const ENDED: u32 = 4;
const CANCELLED: u32 = 5;
const REFUSED: u32 = 6;
const IDLE: u32 = 7;
const BUSY: u32 = 8;

/// The enumerations of `slotted` in the order of their numbers here. A value that is missing is
/// newer than this crate, and its step is skipped.
const AWAITS: [Awaits; 3] = [Awaits::Worker, Awaits::Date, Awaits::Promise];
const OUTCOMES: [Outcome; 5] = [
    Outcome::Value,
    Outcome::Failed,
    Outcome::Error,
    Outcome::Panicked,
    Outcome::Broken,
];
const REFUSALS: [Refusal; 4] = [
    Refusal::Full,
    Refusal::ShutDown,
    Refusal::Broken,
    Refusal::NoTimer,
];

fn awaits_number(awaits: Awaits) -> Option<u32> {
    Some(match awaits {
        Awaits::Worker => 0,
        Awaits::Date => 1,
        Awaits::Promise => 2,
        _ => return None,
    })
}

fn outcome_number(outcome: Outcome) -> Option<u32> {
    Some(match outcome {
        Outcome::Value => 0,
        Outcome::Failed => 1,
        Outcome::Error => 2,
        Outcome::Panicked => 3,
        Outcome::Broken => 4,
        _ => return None,
    })
}

fn refusal_number(reason: Refusal) -> Option<u32> {
    Some(match reason {
        Refusal::Full => 0,
        Refusal::ShutDown => 1,
        Refusal::Broken => 2,
        Refusal::NoTimer => 3,
        _ => return None,
    })
}

impl Packed {
    /// What a place holds that was never written.
    pub(crate) const NOTHING: Self = Self {
        tick: 0,
        task: 0,
        rest: 0,
        kind: 0,
    };

    /// Packs a step. The executor's number is missing yet: see [`Packed::of`]. `None`: the step is
    /// newer than this crate.
    #[inline(always)]
    pub(crate) fn new(tick: u64, step: Step) -> Option<(usize, Self)> {
        let (tag, detail, task, kind) = match step {
            Step::Submitted {
                task, kind, awaits, ..
            } => (SUBMITTED, awaits_number(awaits)?, Ok(task), kind),
            Step::Started {
                task, kind, worker, ..
            } => (STARTED, worker_number(worker), Ok(task), kind),
            Step::Rested { task, .. } => (RESTED, 0, Ok(task), 0),
            Step::Woken { task, .. } => (WOKEN, 0, Ok(task), 0),
            Step::Ended { task, outcome, .. } => (ENDED, outcome_number(outcome)?, Ok(task), 0),
            Step::Cancelled { task, .. } => (CANCELLED, 0, Ok(task), 0),
            Step::Refused {
                executor,
                task,
                reason,
                ..
            } => (REFUSED, refusal_number(reason)?, task.ok_or(executor), 0),
            Step::Idle {
                executor, worker, ..
            } => (IDLE, worker.into(), Err(executor), 0),
            Step::Busy {
                executor, worker, ..
            } => (BUSY, worker.into(), Err(executor), 0),
            _ => return None,
        };
        let (executor, has_task, task) = match task {
            Ok(task) => (task.executor, HAS_TASK, task_word(task)),
            Err(executor) => (executor, 0, 0),
        };
        let high = (tick >> 32) as u32;
        let packed = Self {
            tick: tick as u32,
            task,
            rest: tag | has_task | (detail & 0xFF) << DETAIL_SHIFT | high << TICK_SHIFT,
            kind,
        };
        Some((executor, packed))
    }

    /// The same, of the executor with that number, which is below [`EXECUTORS`].
    #[inline(always)]
    pub(crate) fn of(self, executor: usize) -> Self {
        Self {
            rest: self.rest | (executor as u32) << EXECUTOR_SHIFT,
            ..self
        }
    }

    /// The executor's number.
    pub(crate) fn executor(self) -> usize {
        (self.rest >> EXECUTOR_SHIFT) as usize % EXECUTORS
    }

    pub(crate) fn unpack(self, number: u64, executor: usize) -> Option<Event> {
        let detail = self.rest >> DETAIL_SHIFT & 0xFF;
        let index = detail as usize;
        let action = match self.rest & 0xF {
            SUBMITTED => Action::Submitted {
                kind: self.kind,
                awaits: *AWAITS.get(index)?,
            },
            STARTED => Action::Started {
                kind: self.kind,
                worker: (detail as u16).checked_sub(1),
            },
            RESTED => Action::Rested,
            WOKEN => Action::Woken,
            ENDED => Action::Ended(*OUTCOMES.get(index)?),
            CANCELLED => Action::Cancelled,
            REFUSED => Action::Refused(*REFUSALS.get(index)?),
            IDLE => Action::Idle(detail as u16),
            BUSY => Action::Busy(detail as u16),
            _ => return None,
        };
        let task = Task {
            slot: self.task as u16,
            generation: (self.task >> 16) as u16,
        };
        Some(Event {
            number,
            tick: u64::from(self.tick) | u64::from(self.rest >> TICK_SHIFT) << 32,
            executor,
            task: (self.rest & HAS_TASK != 0).then_some(task),
            action,
        })
    }
}

/// An executor has at most 63 workers.
#[inline(always)]
fn worker_number(worker: Option<u16>) -> u32 {
    worker.map_or(0, |worker| u32::from(worker) + 1)
}

#[inline(always)]
fn task_word(task: TaskKey) -> u32 {
    u32::from(task.slot) | u32::from(generation(task)) << 16
}
