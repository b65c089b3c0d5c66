//! Steps of tasks and workers as a trace has them: the same on every machine.

use crate::error::Refusal;
use crate::step::{Outcome, Step, TaskKey};

/// A generation has at least so many bits on every machine. There it wraps.
const GENERATIONS: usize = 0xFFFF;

/// The step without the addresses in it. `number_of` gives an executor's number for its address.
pub(super) fn without_addresses(mut step: Step, number_of: impl FnOnce(usize) -> usize) -> Step {
    let (place, task) = match &mut step {
        Step::Submitted { task, kind, .. } | Step::Started { task, kind, .. } => {
            *kind = 0;
            (None, Some(task))
        }
        Step::Rested { task }
        | Step::Woken { task }
        | Step::Ended { task, .. }
        | Step::Cancelled { task } => (None, Some(task)),
        Step::Refused { executor, task, .. } => (Some(executor), task.as_mut()),
        Step::Idle { executor, .. } | Step::Busy { executor, .. } => (Some(executor), None),
    };
    let address = match (&place, &task) {
        (Some(executor), _) => **executor,
        (None, Some(task)) => task.executor,
        (None, None) => return step,
    };
    let number = number_of(address);
    if let Some(executor) = place {
        *executor = number;
    }
    if let Some(task) = task {
        task.executor = number;
        task.generation &= GENERATIONS;
    }
    step
}

/// A number for the kind of step, and one for what comes with it. They are part of every hash.
///
/// The executor is none of it: where one lives after another, they have one address on one machine,
/// and two on another.
#[inline]
pub(super) fn step_words(step: Step) -> (u32, u64) {
    match step {
        Step::Submitted { task, .. } => (20, task_word(task)),
        Step::Started { task, worker, .. } => {
            let worker = worker.map_or(0, |worker| u64::from(worker) + 1);
            (21, task_word(task) | worker << 32)
        }
        Step::Rested { task } => (22, task_word(task)),
        Step::Woken { task } => (23, task_word(task)),
        Step::Ended { task, outcome } => {
            let outcome = match outcome {
                Outcome::Value => 0,
                Outcome::Failed => 1,
                Outcome::Error => 2,
                Outcome::Panicked => 3,
                Outcome::Broken => 4,
            };
            (24, task_word(task) | outcome << 32)
        }
        Step::Cancelled { task } => (25, task_word(task)),
        Step::Refused { task, reason, .. } => {
            let reason = match reason {
                Refusal::Full => 1,
                Refusal::ShutDown => 2,
                Refusal::Broken => 3,
                Refusal::NoTimer => 4,
            };
            (26, task.map_or(0, task_word) | reason << 32)
        }
        Step::Idle { worker, .. } => (27, u64::from(worker)),
        Step::Busy { worker, .. } => (28, u64::from(worker)),
    }
}

#[inline]
fn task_word(task: TaskKey) -> u64 {
    u64::from(task.slot) << 16 | (task.generation & GENERATIONS) as u64
}
