//! What a host was told: the steps of each executor, and the order that each task's steps must
//! have.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use slotted::{Outcome, Refusal, Stats, Step, TaskKey};

/// The steps of each executor, by its address.
///
/// Std's lock in every world: telling a step is no point of a seeded schedule.
static TOLD: Mutex<BTreeMap<usize, Vec<Step>>> = Mutex::new(BTreeMap::new());

/// Keeps a step.
pub(crate) fn tell(step: Step) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.entry(executor_of(step)).or_default().push(step);
}

/// Takes the steps of an executor, in the order in which they were told.
pub(crate) fn take(executor: usize) -> Vec<Step> {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.remove(&executor).unwrap_or_default()
}

fn executor_of(step: Step) -> usize {
    match step {
        Step::Refused { executor, .. }
        | Step::Idle { executor, .. }
        | Step::Busy { executor, .. } => executor,
        _ => task_of(step).expect("a task's step").executor,
    }
}

/// The task whose step it is.
pub(crate) fn task_of(step: Step) -> Option<TaskKey> {
    match step {
        Step::Submitted { task, .. }
        | Step::Started { task, .. }
        | Step::Rested { task, .. }
        | Step::Woken { task, .. }
        | Step::Ended { task, .. }
        | Step::Cancelled { task, .. } => Some(task),
        Step::Refused { task, .. } => task,
        Step::Idle { .. } | Step::Busy { .. } => None,
        _ => panic!("a step that the test does not know"),
    }
}

/// How many tasks ended as [`Stats`] counts them: completed, and panicked among them.
pub(crate) fn completed(steps: &[Step]) -> (usize, usize) {
    let outcomes = steps.iter().filter_map(|step| match step {
        Step::Ended { outcome, .. } => Some(*outcome),
        _ => None,
    });
    let panicked = { outcomes.clone() }.filter(|outcome| *outcome == Outcome::Panicked);
    let completed = { outcomes.clone() }.filter(|outcome| *outcome != Outcome::Broken);
    (completed.count(), panicked.count())
}

/// Where a task is in its life, as its steps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Queued,
    Started,
    Rested,
    Over,
}

/// Checks that each task's steps form one whole life, and each worker's a proper alternation.
/// `stats`: those of the executor, whose tasks have all ended. `dated`: tasks may have had dates,
/// and so may be woken before they start.
pub(crate) fn check(steps: &[Step], stats: &Stats, dated: bool) {
    let mut lives = BTreeMap::<TaskKey, (At, bool)>::new();
    let mut idle = BTreeMap::<u16, bool>::new();
    let (mut cancelled, mut refused) = (0, 0);
    for (place, &step) in steps.iter().enumerate() {
        let wrong = || panic!("step {place} is out of order: {step:?} in {steps:#?}");
        match step {
            Step::Idle { worker, .. } if idle.insert(worker, true) == Some(true) => wrong(),
            Step::Busy { worker, .. } if idle.insert(worker, false) != Some(true) => wrong(),
            Step::Refused { .. } => refused += 1,
            Step::Cancelled { .. } => cancelled += 1,
            _ => {}
        }
        let Some(task) = task_of(step) else { continue };
        if let Step::Submitted { kind, .. } = step {
            assert_ne!(kind, 0);
            if lives.insert(task, (At::Queued, false)).is_some() {
                wrong();
            }
            continue;
        }
        let Some((at, has_rested)) = lives.get_mut(&task) else {
            wrong();
            continue;
        };
        *at = match (step, *at) {
            // The one step without a fixed place.
            (Step::Woken { .. }, at) if *has_rested || dated => at,
            (Step::Started { .. }, At::Queued) if !*has_rested => At::Started,
            (Step::Started { .. }, At::Rested) => At::Started,
            (Step::Rested { .. }, At::Started) => At::Rested,
            (Step::Refused { reason, .. }, At::Queued) if reason != Refusal::Full => At::Over,
            (
                Step::Ended { .. } | Step::Cancelled { .. },
                At::Queued | At::Started | At::Rested,
            ) => At::Over,
            _ => {
                wrong();
                continue;
            }
        };
        *has_rested |= *at == At::Rested;
    }
    let left: Vec<_> = { lives.iter() }
        .filter(|(_, (at, _))| *at != At::Over)
        .collect();
    assert!(left.is_empty(), "without an end: {left:?} in {steps:#?}");
    let (completed, panicked) = completed(steps);
    assert_eq!(
        (completed, panicked, cancelled, refused),
        (
            stats.completed,
            stats.panicked,
            stats.cancelled,
            stats.refused
        ),
        "{steps:#?}"
    );
}
