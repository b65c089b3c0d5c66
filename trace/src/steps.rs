//! What a step means for the phase of its task.

use slotted::{Awaits, Step, TaskKey};

use crate::age::Change;

/// The task whose phase the step changes, and how.
#[inline(always)]
pub(crate) fn change_of(step: &Step) -> Option<(TaskKey, Change)> {
    Some(match *step {
        Step::Submitted { task, awaits, .. } => {
            let change = match awaits {
                Awaits::Worker => Change::Queue,
                Awaits::Date => Change::Rest,
                // A promise waits for its holder, as long as that takes.
                _ => Change::Leave,
            };
            (task, change)
        }
        Step::Started { task, .. } => (task, Change::Run),
        Step::Rested { task, .. } => (task, Change::Rest),
        Step::Woken { task, .. } => (task, Change::Wake),
        Step::Ended { task, .. } | Step::Cancelled { task, .. } => (task, Change::Leave),
        Step::Refused {
            task: Some(task), ..
        } => (task, Change::Leave),
        _ => return None,
    })
}

/// A generation, of which all targets keep that many bits.
#[inline(always)]
pub(crate) fn generation(task: TaskKey) -> u16 {
    task.generation as u16
}
