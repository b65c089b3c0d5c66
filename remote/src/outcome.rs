//! What a task's handle gets, of what came back.

use slotted::error::{RemoteError, TaskError};

use crate::frame::{Status, error_from_bytes};
use crate::run;
use crate::task::Task;

/// What a task's handle gets.
pub(crate) fn outcome_of<T: Task>(
    outcome: Result<Status, RemoteError>,
    body: &[u8],
) -> Result<T::Output, TaskError> {
    let error = match outcome {
        Ok(Status::Done) => match run::decode(body) {
            Some(output) => return Ok(output),
            None => RemoteError::BadBytes,
        },
        Ok(Status::Unknown) => RemoteError::Unknown,
        Ok(Status::BadBytes) => RemoteError::BadBytes,
        Ok(Status::TooLarge) => RemoteError::TooLarge,
        Ok(Status::Panicked) => return Err(panicked(body)),
        Ok(Status::Cancelled) => return Err(TaskError::Cancelled),
        Ok(Status::Failed) => error_from_bytes(body),
        // Only nodes do, and their pool gives the call to another.
        Ok(Status::Refused) => RemoteError::Lost,
        Err(error) => error,
    };
    Err(TaskError::Remote(error))
}

#[cfg(feature = "std")]
fn panicked(message: &[u8]) -> TaskError {
    let message = core::str::from_utf8(message).unwrap_or("a panic");
    TaskError::Panicked(slotted::Panic::with_message(message))
}

#[cfg(not(feature = "std"))]
fn panicked(_message: &[u8]) -> TaskError {
    TaskError::Remote(RemoteError::Panicked)
}
