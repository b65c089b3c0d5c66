//! One error type per operation. A refused task or value comes back.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

use crate::unwind::Panic;

mod remote;

pub use remote::RemoteError;

/// Why a task has no value, or why a wait for it ended without one.
///
/// Two errors are equal if they say the same. Two panics are equal if both have the same message.
/// Panics with other payloads than strings equal nothing, not even themselves.
///
/// # Python
///
/// `Cancelled` is `CancelledError`, `TimedOut` is `TimeoutError`, `Panicked` is what the callable
/// raised.
///
/// ```
/// use slotted::{Executor, TaskError};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let handle = executor.submit(|| 6 * 7).unwrap();
/// handle.cancel();
/// assert_eq!(handle.result(), Err(TaskError::Cancelled));
/// ```
#[derive(Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TaskError {
    /// The task was cancelled before it ran; an async task, also between two polls.
    Cancelled,
    /// The task panicked. Only with `std`: elsewhere the crate catches no panic.
    Panicked(Panic),
    /// The wait took as long as its limit. The task goes on and the handle is still good.
    TimedOut,
    /// The task can never end: its worker or its [`Promise`](crate::Promise) died, or a worker
    /// could not start.
    Broken,
    /// The wait could never end: the task lies beneath the waiter on its own stack, or waits for it
    /// in a circle of workers, or is one of the [`Owned`](crate::Owned) whose task waits. The
    /// handle is still good.
    WouldDeadlock,
    /// Only a worker could run the task, and the host has none: the executor is not started, or is
    /// shut down. The handle is still good: a later start may run the task, and so may a shutdown
    /// or a `run_one` in another thread.
    NotStarted,
    /// An earlier call took the value through this handle.
    AlreadyTaken,
    /// The task was to run in another process, chip or machine, and has no value for this reason.
    Remote(RemoteError),
}

// As small as a word and a tag: `SLOT_BYTES` and moves of outcomes are counted on boards.
#[cfg(not(feature = "std"))]
const _: () = assert!(size_of::<Result<u32, TaskError>>() == 8);

impl TaskError {
    /// Returns true if the task was cancelled.
    ///
    /// ```
    /// # use slotted::TaskError;
    /// assert!(TaskError::Cancelled.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Returns true if the task panicked, here or at the other end.
    ///
    /// ```
    /// # use slotted::TaskError;
    /// assert!(!TaskError::Cancelled.is_panicked());
    /// ```
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        matches!(
            self,
            Self::Panicked(_) | Self::Remote(RemoteError::Panicked)
        )
    }

    /// Why the task has no value, if it was to run in another process, chip or machine.
    ///
    /// ```
    /// # use slotted::{TaskError, error::RemoteError};
    /// assert_eq!(TaskError::Remote(RemoteError::Lost).remote(), Some(RemoteError::Lost));
    /// assert_eq!(TaskError::Cancelled.remote(), None);
    /// ```
    #[must_use]
    pub fn remote(&self) -> Option<RemoteError> {
        match self {
            Self::Remote(error) => Some(*error),
            _ => None,
        }
    }

    /// Returns true if the wait ended because its time was up.
    ///
    /// ```
    /// # use slotted::TaskError;
    /// assert!(TaskError::TimedOut.is_timed_out());
    /// ```
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Returns true if the error is that of a wait or of a refused call. It says nothing of how the
    /// task ended, and no task ends with it.
    ///
    /// ```
    /// # use slotted::TaskError;
    /// assert!(TaskError::TimedOut.is_of_the_wait());
    /// assert!(!TaskError::Broken.is_of_the_wait());
    /// ```
    #[must_use]
    pub fn is_of_the_wait(&self) -> bool {
        match self {
            Self::TimedOut | Self::WouldDeadlock | Self::NotStarted | Self::AlreadyTaken => true,
            Self::Cancelled | Self::Panicked(_) | Self::Broken | Self::Remote(_) => false,
        }
    }

    /// The error of a wait, as a static.
    pub(crate) fn lend(&self) -> &'static Self {
        match self {
            Self::TimedOut => &Self::TimedOut,
            Self::WouldDeadlock => &Self::WouldDeadlock,
            Self::NotStarted => &Self::NotStarted,
            _ => &Self::AlreadyTaken,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked(panic) => match panic.message() {
                Some(message) => return write!(f, "the task panicked: {message}"),
                None => "the task panicked",
            },
            Self::Cancelled => "the task was cancelled",
            Self::TimedOut => "the wait for the task timed out",
            Self::Broken => "the task was abandoned: its worker or its promise died",
            Self::WouldDeadlock => {
                "the wait could never end: the task waits for its own waiter, directly or in a \
                 circle of workers"
            }
            Self::NotStarted => {
                "only a worker could run the task, and the executor has none: start it first"
            }
            Self::AlreadyTaken => "the result was already taken through this handle",
            Self::Remote(error) => return error.fmt(f),
        })
    }
}

impl Error for TaskError {}

/// A task was asked to stop. What [`Stop::check`](crate::Stop::check) returns, for `?`.
///
/// ```
/// use slotted::{Executor, Stop, Stopped};
///
/// fn work(stop: &Stop) -> Result<u32, Stopped> {
///     stop.check()?;
///     Ok(42)
/// }
/// let executor: Executor<0, 1> = Executor::new();
/// assert_eq!(executor.submit_stoppable(work).unwrap().result(), Ok(Ok(42)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was asked to stop")
    }
}

impl Error for Stopped {}

/// Why an executor takes no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// Every slot is in use: by a task, by a result whose handle is still there, by a callback, a
    /// permit or a promise. Raise `QUEUE`, or take results earlier.
    Full,
    /// [`shutdown`](crate::Executor::shutdown) or
    /// [`begin_shutdown`](crate::Executor::begin_shutdown) was called.
    ShutDown,
    /// [`on_worker_start`](crate::Executor::on_worker_start) failed.
    Broken,
    /// Every timer of the [`Timetable`](crate::Timetable) is in use: raise `TIMERS`. Or the
    /// executor's threads keep the time of four other timetables already.
    NoTimer,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the executor is full: every slot is taken",
            Self::ShutDown => "the executor is shut down",
            Self::Broken => "the executor is broken: a worker could not start",
            Self::NoTimer => "the timetable is full: every timer is in use",
        })
    }
}

impl Error for Refusal {}

/// Keeps the reason alone. So `?` works where the refused closure borrows, which the error of a
/// function may not.
impl<F> From<SubmitError<F>> for Refusal {
    fn from(refused: SubmitError<F>) -> Self {
        refused.reason
    }
}

/// A task that was refused, with the reason.
///
/// # Python
///
/// `submit` after `shutdown` raises `RuntimeError`, on a broken executor `BrokenExecutor`. It is
/// never full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubmitError<F> {
    pub(crate) task: F,
    pub(crate) reason: Refusal,
}

impl<F> SubmitError<F> {
    /// A refused task: for a crate that takes tasks of its own and refuses them as an executor
    /// does.
    ///
    /// ```
    /// use slotted::{Refusal, SubmitError};
    ///
    /// /// A pool without a slot.
    /// fn submit<F: FnOnce() -> u32>(task: F) -> Result<u32, SubmitError<F>> {
    ///     Err(SubmitError::new(task, Refusal::Full))
    /// }
    /// let refused = submit(|| 6 * 7).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::Full);
    /// assert_eq!(refused.into_inner()(), 42);
    /// ```
    #[must_use]
    pub fn new(task: F, reason: Refusal) -> Self {
        Self { task, reason }
    }

    /// The task, unrun.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// let task = executor.submit(|| 6 * 7).unwrap_err().into_inner();
    /// assert_eq!(task(), 42);
    /// # drop(permit);
    /// ```
    #[must_use]
    pub fn into_inner(self) -> F {
        self.task
    }

    /// Why it was refused.
    ///
    /// ```
    /// # use slotted::{Executor, Refusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// assert_eq!(executor.submit(|| 6 * 7).unwrap_err().reason(), Refusal::Full);
    /// # drop(permit);
    /// ```
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

/// A callback that was refused, with the reason.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallbackError<F> {
    pub(crate) callback: F,
    pub(crate) reason: CallbackRefusal,
}

/// Why a callback was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CallbackRefusal {
    /// No slot was free: a callback holds one until it has run.
    Full,
    /// The closure is larger than a slot, or aligned more strictly. Raise `SLOT_BYTES`.
    DoesNotFit,
    /// An earlier call took the result through this handle.
    AlreadyTaken,
}

impl<F> CallbackError<F> {
    /// The callback, uncalled.
    ///
    /// ```
    /// # use slotted::{Executor, error::CallbackRefusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// let refused = handle.add_done_callback(|outcome| assert!(outcome.is_ok())).unwrap_err();
    /// assert_eq!(refused.reason(), CallbackRefusal::Full);
    /// let callback = refused.into_inner();
    /// callback(Ok(&42));
    /// ```
    #[must_use]
    pub fn into_inner(self) -> F {
        self.callback
    }

    /// Why it was refused.
    ///
    /// ```
    /// # use slotted::{Executor, error::CallbackRefusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// let refused = handle.add_done_callback(|_| ()).unwrap_err();
    /// assert_eq!(refused.reason(), CallbackRefusal::Full);
    /// ```
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

/// What a [`Promise`](crate::Promise) refused. The task was completed or cancelled before, or the
/// error is one of a wait. The value or error comes back, and the first outcome stays.
///
/// # Python
///
/// `InvalidStateError`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidState<V>(pub(crate) V);

impl<V> InvalidState<V> {
    /// The value that came back.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, _handle) = executor.promise::<u32>().unwrap();
    /// promise.set_result(1).unwrap();
    /// assert_eq!(promise.set_result(2).unwrap_err().into_inner(), 2);
    /// ```
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
        f.write_str("the promise was completed or cancelled before, or the error is that of a wait")
    }
}

impl<V> Error for InvalidState<V> {}

/// Why an executor did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StartError<E> {
    /// It is running, or workers of its earlier life are still there.
    AlreadyStarted,
    /// The host refused a worker. The workers that had started have left. Tasks submitted meanwhile
    /// still wait, and the caller may try `start` again.
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
            Self::AlreadyStarted => {
                f.write_str("the executor is already started, or has not finished shutting down")
            }
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

/// Why a shutdown returned before its end. The shutdown itself has begun all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShutdownError {
    /// A worker of this executor called it, and would have waited for itself.
    WouldDeadlock,
    /// The workers were still there when the time was up.
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

/// What a failing [`on_worker_start`](crate::Executor::on_worker_start) hook returns. It makes the
/// executor broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WorkerStartError;

impl fmt::Display for WorkerStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the worker could not start")
    }
}

impl Error for WorkerStartError {}
