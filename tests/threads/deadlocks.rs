//! Waits inside workers: a wait ends if it can, and reports `TaskError::WouldDeadlock` only if it
//! cannot.
//!
//! Each case is played in rounds. In a staged round the test decides the order that makes the case
//! hard. In a racing round the threads come in any order. The assertions hold in both.

mod circles;
mod drivers;
mod false_alarms;
mod help;
mod scopes;

use slotted::{Executor, JoinHandle, ReturnWhen, TaskError, as_completed, wait};

use crate::stage::{Stage, would_deadlock};

type Pool<const WORKERS: usize> = Executor<WORKERS, 16, 256, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;

/// A way to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Result,
    Error,
    Wait,
    AsCompleted,
}

impl Through {
    /// Waits for all handles. Returns how many tasks were not done when the wait ended.
    fn unfinished(self, mut handles: [Handle<()>; 2]) -> usize {
        match self {
            Self::Result => handles
                .into_iter()
                .map(Handle::result)
                .filter(would_deadlock)
                .count(),
            Self::Error => handles
                .iter()
                .filter(|handle| matches!(handle.error(), Some(TaskError::WouldDeadlock)))
                .count(),
            Self::Wait => wait(&mut handles, ReturnWhen::AllCompleted).not_done.len(),
            Self::AsCompleted => as_completed(handles)
                .filter(|handle| !handle.done())
                .count(),
        }
    }

    /// Waits for the first task. Returns true if a task is done.
    fn first_is_done(self, mut handles: [Handle<u8>; 3]) -> bool {
        match self {
            Self::Result | Self::Error => unreachable!("these ways wait for one handle"),
            Self::Wait => !wait(&mut handles, ReturnWhen::FirstCompleted)
                .done
                .is_empty(),
            Self::AsCompleted => as_completed(handles)
                .next()
                .is_some_and(|handle| handle.done()),
        }
    }
}
