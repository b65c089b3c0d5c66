//! What a node sends back, as bytes.

use core::fmt;

use slotted::error::{Refusal, RemoteError, TaskError};

use crate::entries::Outcome;
use crate::frame::{Status, error_to_bytes};
use crate::pool_call::ReadOutcome;
use crate::task::{TaskId, Tasks};

/// How a call ended, as bytes: what a [`Backend`](super::Backend) gives its node.
pub struct Reply {
    status: Status,
    body: Vec<u8>,
}

impl Reply {
    /// Runs the task of a number, of the table `T`, in the calling thread. `argument` is the task,
    /// encoded. A result of more than `room` bytes becomes an error, and so does a panic.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use slotted_remote::{Task, TaskId};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Square(u32);
    /// # impl Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted_remote::nodes::Reply;
    ///
    /// let reply = Reply::run::<(Square,)>(TaskId::of::<Square>(), vec![7], 64);
    /// assert_eq!(format!("{reply:?}"), "Reply { status: Done, bytes: 1 }");
    /// ```
    #[must_use]
    pub fn run<T: Tasks>(id: TaskId, argument: Vec<u8>, room: usize) -> Self {
        const { T::DISTINCT }
        let Some(run) = T::find(id).or_else(|| T::find_chunk(id)) else {
            return Self::failed(RemoteError::Unknown);
        };
        let (mut body, len) = (argument, room);
        let argument = body.len();
        body.resize(argument.max(len), 0);
        let (status, len) = run(&mut body, argument, room);
        body.truncate(len);
        Self { status, body }
    }

    /// The reply of a backend to a call that it could not run to its end: the task's handle ends
    /// with this error.
    ///
    /// ```
    /// use slotted_remote::RemoteError;
    /// use slotted_remote::nodes::Reply;
    ///
    /// let reply = Reply::failed(RemoteError::TimeLimit);
    /// assert_eq!(format!("{reply:?}"), "Reply { status: Failed, bytes: 2 }");
    /// ```
    #[must_use]
    pub fn failed(error: RemoteError) -> Self {
        Self {
            status: Status::Failed,
            body: error_to_bytes(error).to_vec(),
        }
    }

    pub(super) fn new(status: Status, body: &[u8]) -> Self {
        Self {
            status,
            body: body.to_vec(),
        }
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.status == Status::Refused
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

impl From<TaskError> for Reply {
    /// The error of a task that could not run here. What has no number on the line is
    /// [`Lost`](RemoteError::Lost).
    ///
    /// ```
    /// use slotted::{Panic, TaskError};
    /// use slotted_remote::nodes::Reply;
    ///
    /// let reply = Reply::from(TaskError::Panicked(Panic::with_message("no such file")));
    /// assert_eq!(format!("{reply:?}"), "Reply { status: Panicked, bytes: 12 }");
    /// ```
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Remote(error) => Self::failed(error),
            TaskError::Panicked(panic) => Self::new(
                Status::Panicked,
                panic.message().unwrap_or("a panic").as_bytes(),
            ),
            _ => Self::failed(RemoteError::Lost),
        }
    }
}

impl From<Refusal> for Reply {
    /// What runs the calls takes none any more, and this one did not begin. The submitter's pool
    /// gives it to another node, and this node leaves when it has nothing left to run.
    ///
    /// ```
    /// use slotted::Refusal;
    /// use slotted_remote::nodes::Reply;
    ///
    /// let reply = Reply::from(Refusal::ShutDown);
    /// assert_eq!(format!("{reply:?}"), "Reply { status: Refused, bytes: 0 }");
    /// ```
    fn from(_: Refusal) -> Self {
        Self::new(Status::Refused, &[])
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The outcome of a call is passed on as it is.
pub(crate) struct Encoded;

impl ReadOutcome for Encoded {
    type Output = Reply;

    fn read(&self, outcome: Outcome, body: &[u8]) -> Reply {
        match outcome {
            Outcome::Replied(status) => Reply::new(status, body),
            Outcome::Failed(error) => Reply::failed(error),
            Outcome::Cancelled | Outcome::Broken => Reply::failed(RemoteError::Lost),
        }
    }
}
