//! How tasks end: panics without noise, and questions about outcomes.

use slotted::TaskError;

/// Panics as `panic!` does, but without the panic hook's message on stderr.
pub(crate) fn raise(message: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

/// Returns true if the wait ended because it could not end otherwise.
pub(crate) fn would_deadlock<T>(outcome: &Result<T, TaskError>) -> bool {
    matches!(outcome, Err(TaskError::WouldDeadlock))
}
