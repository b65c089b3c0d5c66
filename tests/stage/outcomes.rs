//! Questions about outcomes.

use slotted::TaskError;

/// Returns true if the wait ended because it could not end otherwise.
pub(crate) fn would_deadlock<T>(outcome: &Result<T, TaskError>) -> bool {
    matches!(outcome, Err(TaskError::WouldDeadlock))
}
