//! Why a task of another process, chip or machine has no value.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

/// Why a task that another process, chip or machine was to run has no value. Each variant says if
/// the task ran there.
///
/// `slotted` itself never ends a task with it. Crates do that lend an executor's handles to tasks
/// which run elsewhere, with [`Promise::set_error`](crate::Promise::set_error), say.
///
/// ```
/// use slotted::error::RemoteError;
/// use slotted::{Executor, TaskError};
///
/// let executor: Executor<0, 1> = Executor::new();
/// let (promise, handle) = executor.promise::<u32>().unwrap();
/// promise.complete(Err(TaskError::Remote(RemoteError::Exited { code: 2 }))).unwrap();
/// let error = handle.result().unwrap_err();
/// assert_eq!(error.remote(), Some(RemoteError::Exited { code: 2 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RemoteError {
    /// A signal ended the process. The task perhaps ran, in part or to its end.
    Crashed {
        /// The number of the signal.
        signal: u8,
    },
    /// The process exited under the task, which perhaps ran in part.
    Exited {
        /// The exit status of the process.
        code: u8,
    },
    /// The process was ended because it took too much memory: a guess from how it ended. The task
    /// ran in part.
    MemoryLimit,
    /// The task was ended because it took too long. It ran in part.
    TimeLimit,
    /// The link is down or the node is gone. The task perhaps ran.
    Lost,
    /// The other end started anew and knows nothing of the task, which perhaps ran.
    Restarted,
    /// The other end knows no such task. It did not run.
    Unknown,
    /// The other end speaks another version of the protocol. The task did not run.
    Version {
        /// The version that it speaks.
        theirs: u8,
    },
    /// The argument is larger than a frame, and the task did not run; or the result is, and it ran.
    TooLarge,
    /// The argument does not decode, and the task did not run; or the result does not, and it ran.
    BadBytes,
    /// The task panicked at the other end. Only where the message cannot be kept, without `std`:
    /// elsewhere the error is [`TaskError::Panicked`](crate::TaskError::Panicked).
    Panicked,
}

const _: () = assert!(size_of::<RemoteError>() == 2);

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crashed { signal } => {
                return write!(f, "the task's process crashed: signal {signal}");
            }
            Self::Exited { code } => {
                return write!(f, "the task's process exited under it: code {code}");
            }
            Self::MemoryLimit => "the task took too much memory",
            Self::TimeLimit => "the task took too long",
            Self::Lost => "the link to the task was lost",
            Self::Restarted => "the task's other end restarted",
            Self::Unknown => "the other end knows no such task",
            Self::Version { theirs } => {
                return write!(f, "the other end speaks protocol version {theirs}");
            }
            Self::TooLarge => "the task's argument or result is larger than a frame",
            Self::BadBytes => "the task's argument or result does not decode",
            Self::Panicked => "the task panicked at the other end",
        })
    }
}

impl Error for RemoteError {}
