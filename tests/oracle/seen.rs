//! What can be seen of an executor and its tasks.

use slotted::{Refusal, TaskError, error::CallbackRefusal};

use crate::{EXPECTED, Value};

/// How a task ended, or why a wait for it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Value(usize, u8),
    Failure(usize, u8),
    Panicked(usize, u8),
    Cancelled,
    Broken,
    TimedOut,
    AlreadyTaken,
}

impl Outcome {
    pub(crate) fn of(outcome: Result<&Value, &TaskError>) -> Self {
        match outcome {
            Ok(Ok((task, value))) => Self::Value(*task, *value),
            Ok(Err((task, value))) => Self::Failure(*task, *value),
            Err(TaskError::Panicked(panic)) => {
                let message = panic
                    .message()
                    .and_then(|message| message.strip_prefix(EXPECTED))
                    .expect("an expected panic");
                let (task, value) = message.split_once(' ').expect("two numbers");
                Self::Panicked(
                    task.parse().expect("a number"),
                    value.parse().expect("a number"),
                )
            }
            Err(TaskError::Cancelled) => Self::Cancelled,
            Err(TaskError::Broken) => Self::Broken,
            Err(TaskError::TimedOut) => Self::TimedOut,
            Err(TaskError::AlreadyTaken) => Self::AlreadyTaken,
            Err(other) => panic!("this cannot happen without workers: {other:?}"),
        }
    }

    pub(crate) fn is_failure(self, fallible: bool) -> bool {
        match self {
            Self::Failure(..) => fallible,
            Self::Panicked(..) | Self::Broken | Self::TimedOut => true,
            Self::Value(..) | Self::Cancelled | Self::AlreadyTaken => false,
        }
    }
}

/// One thing that a task does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A closure started, a future was polled, or a map's function was called.
    Ran(usize),
    /// The closure or the future was dropped.
    Gone(usize),
    Called(usize, Outcome),
    /// What a task's own submit or cancel returned.
    Did(bool),
}

/// What a step returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    Yes(bool),
    Count(usize),
    Refused(Refusal),
    CallbackRefused(CallbackRefusal),
    /// The outcomes, with `None` for a task that is not done.
    Outcomes(Vec<Option<Outcome>>),
    /// The sorted outcomes of the tasks that are done, and the number of those that are not.
    Waited(Vec<Outcome>, usize),
    /// The yielded outcomes, and for a timeout how many of how many tasks were left.
    Yielded(Vec<Outcome>, Option<(usize, usize)>),
}
