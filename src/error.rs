//! One error type per operation. What was refused is given back.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

use crate::unwind::Panic;

/// Why a task has no value, or why a wait for it ended without one.
///
/// # Python
///
/// `Cancelled` is `CancelledError`, `TimedOut` is `TimeoutError`, `Panicked` is whatever the
/// callable raised.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskError {
    /// The task was cancelled before it ran (or, for an async task, between two polls).
    Cancelled,
    /// The task panicked. Only with `std`: elsewhere a panic is not caught.
    Panicked(Panic),
    /// The wait took as long as it was allowed to. The task goes on and the handle is still good.
    TimedOut,
    /// The task can never end: its worker or its [`Promise`](crate::Promise) died, or a worker
    /// could not be started.
    Broken,
    /// The wait could never end: every worker of the executor is blocked in such a wait. The handle
    /// is still good.
    WouldDeadlock,
    /// The value was taken through this handle before.
    AlreadyTaken,
}

impl TaskError {
    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Whether only the wait ended, not the task.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled"),
            Self::Panicked(panic) => panic.with_message(|message| match message {
                Some(message) => write!(f, "the task panicked: {message}"),
                None => f.write_str("the task panicked"),
            }),
            Self::TimedOut => f.write_str("the wait for the task timed out"),
            Self::Broken => f.write_str("the task was abandoned: its worker or its promise died"),
            Self::WouldDeadlock => f.write_str(
                "the wait could never end: every worker waits for a task of its own executor",
            ),
            Self::AlreadyTaken => f.write_str("the result was already taken through this handle"),
        }
    }
}

impl Error for TaskError {}

/// Why an executor takes no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Every slot holds a task that has not finished, or whose handle is still there. Raise
    /// `QUEUE`, or take results earlier.
    Full,
    /// [`shutdown`](crate::Executor::shutdown) or
    /// [`begin_shutdown`](crate::Executor::begin_shutdown) was called.
    ShutDown,
    /// [`on_worker_start`](crate::Executor::on_worker_start) failed.
    Broken,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the executor is full: every slot is taken",
            Self::ShutDown => "the executor is shut down",
            Self::Broken => "the executor is broken: a worker could not start",
        })
    }
}

/// A task that was refused, with the reason.
///
/// # Python
///
/// `submit` after `shutdown` raises `RuntimeError`, on a broken executor `BrokenExecutor`; it is
/// never full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubmitError<F> {
    pub(crate) task: F,
    pub(crate) reason: Refusal,
}

impl<F> SubmitError<F> {
    /// The task, unrun.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.task
    }

    /// Why it was refused.
    #[must_use]
    pub fn reason(&self) -> Refusal {
        self.reason
    }
}

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for SubmitError<F> {}

/// A callback that could not be kept, with the reason.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallbackError<F> {
    pub(crate) callback: F,
    pub(crate) reason: CallbackRefusal,
}

/// Why a callback could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackRefusal {
    /// No slot was free: a callback holds one until it has run.
    Full,
    /// The closure is larger than a slot, or aligned more strictly. Raise `SLOT_BYTES`.
    DoesNotFit,
    /// The result was already taken through this handle.
    AlreadyTaken,
}

impl<F> CallbackError<F> {
    /// The callback, uncalled.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.callback
    }

    /// Why it was refused.
    #[must_use]
    pub fn reason(&self) -> CallbackRefusal {
        self.reason
    }
}

impl<F> fmt::Debug for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Display for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            CallbackRefusal::Full => "no slot is free for the callback",
            CallbackRefusal::DoesNotFit => "the callback does not fit a slot: raise SLOT_BYTES",
            CallbackRefusal::AlreadyTaken => "the result was already taken through this handle",
        })
    }
}

impl<F> Error for CallbackError<F> {}

/// A [`Promise`](crate::Promise) was completed a second time, or after it was cancelled. The value
/// comes back; the first one stays.
///
/// # Python
///
/// `InvalidStateError`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidState<V>(pub(crate) V);

impl<V> InvalidState<V> {
    /// The value that was not used.
    #[must_use]
    pub fn into_inner(self) -> V {
        self.0
    }
}

impl<V> fmt::Debug for InvalidState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidState").finish_non_exhaustive()
    }
}

impl<V> fmt::Display for InvalidState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the promise was already completed or cancelled")
    }
}

impl<V> Error for InvalidState<V> {}

/// Why an executor did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError<E> {
    /// It is running, or workers of its earlier life have not left yet.
    AlreadyStarted,
    /// The host refused a worker. Those that had started were stopped, tasks submitted meanwhile
    /// still wait, and `start` may be tried again.
    Refused {
        /// How many workers the host had taken.
        started: usize,
        /// What the host said.
        reason: E,
    },
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted => f.write_str("the executor is already started"),
            Self::Refused { started, reason } => {
                write!(
                    f,
                    "the host refused worker {started} ({started} had started): {reason}"
                )
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for StartError<E> {}

/// Why a shutdown did not wait to the end. The shutdown itself has begun all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// It was called from a worker of this executor, which would have waited for itself.
    WouldDeadlock,
    /// The workers had not left in time.
    TimedOut,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldDeadlock => "a worker cannot wait for its own executor to shut down",
            Self::TimedOut => "the workers had not left in time",
        })
    }
}

impl Error for ShutdownError {}

/// What a failing [`on_worker_start`](crate::Executor::on_worker_start) hook returns: the executor
/// becomes broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStartError;

impl fmt::Display for WorkerStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the worker could not start")
    }
}

impl Error for WorkerStartError {}
