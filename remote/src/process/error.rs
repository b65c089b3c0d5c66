//! Why a pool of processes did not start.

use core::error::Error;
use core::fmt;
use std::io;
use std::process::ExitStatus;

/// Why a pool of processes did not start. No process is left, and `start` may be called again.
///
/// ```
/// use slotted_remote::process::{Command, ProcessStartError, Processes};
///
/// static POOL: Processes<1, 8, 64> = Processes::new();
///
/// match POOL.start(&Command::program("/no/such/worker")) {
///     Err(ProcessStartError::System(error)) => println!("no worker: {error}"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessStartError {
    /// The pool is running.
    AlreadyStarted,
    /// The caller is the thread that waits for the processes, in a callback, or a thread that shuts
    /// this pool down.
    WouldDeadlock,
    /// The caller is a worker process. Its `main` came to `start`, so it does not call
    /// [`serve`](super::serve) first, or calls it with a condition.
    InWorker,
    /// The system started no process, thread or socket: the program is missing, there is no
    /// permission, or too many processes or descriptors are in use.
    System(io::Error),
    /// A process ended before it said that it serves. Perhaps its program does not call
    /// [`serve`](super::serve), or the function of `serve_with` failed.
    Ended(ExitStatus),
    /// A process did not say in time that it serves. Perhaps its program does not call
    /// [`serve`](super::serve).
    Silent,
    /// The processes speak another version of the protocol.
    Version {
        /// The version that they speak.
        theirs: u8,
    },
}

impl fmt::Display for ProcessStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted => f.write_str("the pool is already started"),
            Self::WouldDeadlock => f.write_str("the calling thread would wait for itself"),
            Self::InWorker => f.write_str(
                "a worker process cannot start a pool: `serve` must be the first line of `main`",
            ),
            Self::System(error) => write!(f, "no worker process could be started: {error}"),
            Self::Ended(status) => write!(
                f,
                "a worker process ended before it served ({status}): does its `main` call `serve` \
                 first?"
            ),
            Self::Silent => {
                f.write_str("a worker process does not serve: does its `main` call `serve` first?")
            }
            Self::Version { theirs } => {
                write!(f, "the worker processes speak protocol version {theirs}")
            }
        }
    }
}

impl Error for ProcessStartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}
