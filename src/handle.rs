//! The caller's end of one task.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::blocking::{Deadline, Never, RunUnstarted, TaskDone, Timeout, block};
use crate::canceller::{Canceller, TaskState, cancel};
use crate::completion::{add_callback, detach, execute, listen_alone, retire};
use crate::error::{CallbackError, CallbackRefusal, TaskError};
use crate::host::{Clock, DefaultHost, LevelOf, Park};
use crate::registry::Registry;
use crate::slot::Receiver;
use crate::unwind;
use crate::waiter::Waiter;

mod cancel_on_drop;
mod stop;

pub use cancel_on_drop::CancelOnDrop;

/// The caller's end of one task: takes its result, cancels it, asks about it, or awaits it.
///
/// What the task wrote before it ended is visible once a call here has returned its result, or that
/// it is done.
///
/// Dropping the handle detaches the task: it still runs. Forgetting it ([`core::mem::forget`])
/// costs its slot, nothing else.
///
/// # Python
///
/// `Future`, except that a call moves the result out once, and that callbacks run before the value
/// is takeable. Where the type says `H`, it is because time limits exist only for hosts with a
/// clock.
#[doc(alias = "Future")]
#[must_use = "a handle that is dropped detaches its task; `detach` says so in words"]
pub struct JoinHandle<'e, T, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    /// `None` once a call has taken the outcome through a borrow.
    receiver: Option<Receiver<'e, T>>,
}

impl<'e, T, H: Park> JoinHandle<'e, T, H> {
    pub(crate) fn new(registry: Registry<'e, H>, receiver: Receiver<'e, T>) -> Self {
        Self {
            registry,
            receiver: Some(receiver),
        }
    }

    pub(crate) fn registry(&self) -> Registry<'e, H> {
        self.registry
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver<'e, T>> {
        self.receiver.as_ref()
    }

    /// Waits for the value.
    ///
    /// If no thread has started the task, a worker of the same executor runs it here and now
    /// instead.
    ///
    /// # Blocking
    ///
    /// Until the task has ended. With `WORKERS = 0` the calling thread runs ready tasks, in order,
    /// until then. In a task, await an async task rather than block on it: with one worker, a
    /// blocked worker polls nothing else.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`], [`TaskError::Panicked`] or [`TaskError::Broken`] if the task has
    /// no value. [`TaskError::NotStarted`] at once if only a worker could run the task and the host
    /// has none. [`TaskError::WouldDeadlock`] in a worker if the task lies beneath the waiter on
    /// its own stack. The same in a circle of workers that wait for one task each. After the last
    /// two the task goes on detached.
    ///
    /// # Python
    ///
    /// `Future.result()`.
    ///
    /// ```
    /// use slotted::{Executor, TaskError};
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// assert_eq!(executor.submit(|| 6 * 7).unwrap().result(), Ok(42));
    ///
    /// let unstarted: Executor<1, 4> = Executor::new();
    /// assert_eq!(unstarted.submit(|| 6 * 7).unwrap().result(), Err(TaskError::NotStarted));
    /// ```
    pub fn result(self) -> Result<T, TaskError> {
        self.wait_and_consume()
    }

    /// As [`result`](Self::result), but if no thread has started the task, the caller runs it here
    /// and now and wakes no worker. The task then has the caller's stack and priority, and no
    /// worker hooks.
    ///
    /// The caller looks once. A future that comes back to the queue later is the workers'. A task
    /// of an [`Owned`](crate::Owned) is its owner's alone: the caller waits for it.
    ///
    /// # Blocking, errors
    ///
    /// As [`result`](Self::result).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<1, 4> = Executor::new(); // not started: no worker runs it
    /// assert_eq!(executor.submit(|| 6 * 7).unwrap().result_inline(), Ok(42));
    /// ```
    pub fn result_inline(self) -> Result<T, TaskError> {
        if let Some(receiver) = &self.receiver {
            let seat = self.registry.current_seat();
            if let Some(running) = self.registry.take_queued(receiver.slot().index(), seat) {
                execute(self.registry, running, seat);
            }
        }
        self.wait_and_consume()
    }

    /// As [`result`](Self::result), but waits at most `timeout`; zero polls. The handle stays good
    /// if it times out.
    ///
    /// With `WORKERS > 0` the waiting thread starts no task, so the limit holds. With `WORKERS = 0`
    /// it runs ready tasks and looks at the time between them.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result), and [`TaskError::TimedOut`]; [`TaskError::AlreadyTaken`] if an
    /// earlier call took the value. Instead of [`TaskError::NotStarted`] it waits.
    ///
    /// # Python
    ///
    /// `Future.result(timeout)`.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let mut handle = executor.submit(|| 6 * 7).unwrap();
    /// assert_eq!(handle.result_timeout(Duration::ZERO), Err(TaskError::TimedOut));
    /// assert!(executor.run_one());
    /// assert_eq!(handle.result_timeout(Duration::ZERO), Ok(42));
    /// assert_eq!(handle.result_timeout(Duration::ZERO), Err(TaskError::AlreadyTaken));
    /// ```
    pub fn result_timeout(&mut self, timeout: Duration) -> Result<T, TaskError>
    where
        H: Clock,
    {
        self.wait_and_take(&Deadline::<H>::after(timeout), RunUnstarted::Workers)
    }

    /// Takes the value if the task has ended; `None` if it has not, or if its callbacks still run.
    /// So there may be none for a moment, though the task is [`done`](Self::done).
    ///
    /// # Errors
    ///
    /// Inside `Some`, as [`result`](Self::result), and [`TaskError::AlreadyTaken`] if an earlier
    /// call took the value.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut handle = executor.submit(|| 6 * 7).unwrap();
    /// assert_eq!(handle.try_result(), None);
    /// executor.run_one();
    /// assert_eq!(handle.try_result(), Some(Ok(42)));
    /// ```
    pub fn try_result(&mut self) -> Option<Result<T, TaskError>> {
        if self.receiver.is_none() {
            return Some(Err(TaskError::AlreadyTaken));
        }
        self.take()
    }

    /// Waits for the end of the task and lends its outcome, which stays with the task.
    ///
    /// # Blocking, context, errors
    ///
    /// As [`result`](Self::result); [`TaskError::AlreadyTaken`] if an earlier call took the value.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut handle = executor.submit(|| String::from("long")).unwrap();
    /// assert_eq!(handle.wait().map(String::len), Ok(4));
    /// assert_eq!(handle.result().unwrap(), "long");
    /// ```
    pub fn wait(&mut self) -> Result<&T, &TaskError> {
        self.wait_and_lend(&Never::<H>::new())
    }

    /// As [`wait`](Self::wait), but waits at most `timeout`; zero polls. Still unknown, the error
    /// is [`TaskError::TimedOut`].
    ///
    /// # Errors
    ///
    /// As [`result_timeout`](Self::result_timeout).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let mut handle = executor.submit(|| 6 * 7).unwrap();
    /// assert_eq!(handle.wait_timeout(Duration::ZERO), Err(&TaskError::TimedOut));
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<&T, &TaskError>
    where
        H: Clock,
    {
        self.wait_and_lend(&Deadline::<H>::after(timeout))
    }

    /// Waits for the end of the task and tells why it has no value; `None` if it has one. Does not
    /// take the value.
    ///
    /// The error, and the panic payload in it, stay with the task.
    ///
    /// # Blocking, context
    ///
    /// As [`result`](Self::result). Several threads may wait at once.
    ///
    /// # Python
    ///
    /// `Future.exception()`; here a cancelled task is an answer, not a raise.
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// assert_eq!(handle.error(), None);
    /// let cancelled = executor.submit(|| 6 * 7).unwrap();
    /// cancelled.cancel();
    /// assert_eq!(cancelled.error(), Some(&TaskError::Cancelled));
    /// ```
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<&TaskError> {
        self.wait_and_look(&Never::<H>::new())
    }

    /// As [`error`](Self::error), but waits at most `timeout`; zero polls. Still unknown, the error
    /// is [`TaskError::TimedOut`], which no task ends with.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// assert_eq!(handle.error_timeout(Duration::ZERO), Some(&TaskError::TimedOut));
    /// ```
    pub fn error_timeout(&self, timeout: Duration) -> Option<&TaskError>
    where
        H: Clock,
    {
        self.wait_and_look(&Deadline::<H>::after(timeout))
    }

    /// Cancels the task if no thread has started it, or if it is an async task between two polls
    /// that was not set running. Returns true if it is cancelled now, by this call or an earlier
    /// one. Returns false if it runs or has ended.
    ///
    /// The calling thread drops the closure or future, calls the callbacks and wakes the waiters.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Python
    ///
    /// `Future.cancel`, except that the task is done for all threads at once, not when a worker
    /// comes upon it.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// assert!(handle.cancel() && handle.done());
    /// assert!(!executor.run_one(), "it is in no queue any more");
    /// ```
    pub fn cancel(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| cancel(self.registry, receiver.slot(), None))
    }

    /// Returns true if the task was cancelled.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut handle = executor.submit(|| 6 * 7).unwrap();
    /// handle.cancel();
    /// assert!(handle.try_result().unwrap().unwrap_err().is_cancelled());
    /// assert!(handle.cancelled(), "also after the error was read");
    /// ```
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| receiver.snapshot().is_cancelled())
    }

    /// Returns true if the task has started and not ended. An async task is running from its first
    /// poll.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// assert!(!handle.running() && !handle.done());
    /// ```
    #[must_use]
    pub fn running(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| receiver.snapshot().is_running())
    }

    /// Returns true if the task has ended or was cancelled. While its callbacks run it is done, but
    /// its value is not takeable yet. A callback that the caller adds meanwhile runs after them.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// executor.run_one();
    /// assert!(handle.done());
    /// ```
    #[must_use]
    pub fn done(&self) -> bool {
        self.receiver
            .as_ref()
            .is_none_or(|receiver| receiver.snapshot().is_ended())
    }

    /// Calls `callback` with the outcome, once, in the thread that completes or cancels the task.
    /// If the task is done and its callbacks have run, the caller calls it here and now.
    ///
    /// Several run in the order in which callers added them. The completer contains and counts a
    /// panic in one ([`Stats::callbacks_panicked`](crate::Stats)), and the others still run. A
    /// callback holds a slot until it has run.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// The callback comes back if no slot is free for it, if it does not fit one, or if an earlier
    /// call took the value. The call checks at run time if it fits: a handle's type has no
    /// `SLOT_BYTES`, so that one wait can span several executors.
    ///
    /// # Python
    ///
    /// `Future.add_done_callback`; it gets the outcome instead of the future. There a callback that
    /// is added while others run is called before them.
    ///
    /// ```
    /// # use slotted::Executor;
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// static SEEN: AtomicU32 = AtomicU32::new(0);
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// handle
    ///     .add_done_callback(|outcome| SEEN.store(*outcome.unwrap(), Ordering::Relaxed))
    ///     .unwrap();
    /// assert_eq!(handle.result(), Ok(42));
    /// assert_eq!(SEEN.load(Ordering::Relaxed), 42);
    /// ```
    pub fn add_done_callback<F>(&self, callback: F) -> Result<(), CallbackError<F>>
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
    {
        match &self.receiver {
            Some(receiver) => add_callback(self.registry, receiver, callback),
            None => Err(CallbackError {
                callback,
                reason: CallbackRefusal::AlreadyTaken,
            }),
        }
    }

    /// A small token that can cancel the task, and ask about it, from anywhere.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// let canceller = handle.canceller();
    /// std::thread::scope(|s| s.spawn(move || canceller.cancel()).join().unwrap());
    /// assert!(handle.cancelled());
    /// ```
    #[must_use]
    pub fn canceller(&self) -> Canceller<'e, H> {
        let key = self.receiver.as_ref().map(|receiver| {
            let slot = receiver.slot();
            (slot.index(), slot.snapshot().generation())
        });
        Canceller {
            registry: self.registry,
            key,
        }
    }

    /// Lets the task run on by itself: what dropping the handle does, in words.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.submit(|| println!("done")).unwrap().detach();
    /// assert!(executor.run_one());
    /// ```
    pub fn detach(self) {}

    /// Cancels the task when the handle is dropped. The result is a future too.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// drop(executor.submit(|| 6 * 7).unwrap().cancel_on_drop());
    /// assert_eq!(executor.stats().cancelled, 1);
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<'e, T, H> {
        CancelOnDrop::new(self)
    }

    pub(crate) fn wait_and_take(
        &mut self,
        timeout: &impl Timeout,
        run_unstarted: RunUnstarted,
    ) -> Result<T, TaskError> {
        if let Some(outcome) = self.take() {
            return outcome;
        }
        self.wait_until_done(timeout, run_unstarted)?;
        self.take().unwrap_or(Err(TaskError::AlreadyTaken))
    }

    /// Waits and takes the outcome, for a handle that is gone afterwards.
    #[inline]
    fn wait_and_consume(mut self) -> Result<T, TaskError> {
        // Bound: two rounds. After the wait the outcome is takeable.
        loop {
            let Some(receiver) = self.receiver.take() else {
                return Err(TaskError::AlreadyTaken);
            };
            match receiver.take() {
                Ok((outcome, last)) => {
                    if let Some(last) = last {
                        retire(self.registry, last);
                    }
                    return outcome;
                }
                // Dropped, the handle detaches the task.
                Err(receiver) => self.receiver = Some(receiver),
            }
            if self.receiver.as_ref().is_some_and(Receiver::is_cancelled) {
                return Err(TaskError::Cancelled);
            }
            self.wait_until_done(&Never::<H>::new(), RunUnstarted::Workers)?;
        }
    }

    fn wait_until_done(
        &self,
        timeout: &impl Timeout,
        run_unstarted: RunUnstarted,
    ) -> Result<(), TaskError> {
        let Some(receiver) = &self.receiver else {
            return Err(TaskError::AlreadyTaken);
        };
        let task_done = TaskDone {
            registry: self.registry,
            index: receiver.slot().index(),
        };
        Ok(block(self.registry, &task_done, timeout, run_unstarted)?)
    }

    fn wait_and_look(&self, timeout: &impl Timeout) -> Option<&TaskError> {
        match self.wait_until_done(timeout, RunUnstarted::Workers) {
            Ok(()) => self.receiver.as_ref()?.look()?.err(),
            Err(error) => Some(error.lend()),
        }
    }

    fn wait_and_lend(&mut self, timeout: &impl Timeout) -> Result<&T, &TaskError> {
        if let Err(error) = self.wait_until_done(timeout, RunUnstarted::Workers) {
            return Err(error.lend());
        }
        self.receiver
            .as_ref()
            .and_then(Receiver::look)
            .unwrap_or(Err(&TaskError::AlreadyTaken))
    }

    /// Takes the outcome, if it is takeable. `None` also if an earlier call took it. A cancelled
    /// task's error can be read again: there is nothing to move.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Result<T, TaskError>> {
        match self.receiver.take()?.take() {
            Ok((outcome, last)) => {
                if let Some(last) = last {
                    retire(self.registry, last);
                }
                Some(outcome)
            }
            Err(receiver) => {
                let cancelled = receiver.is_cancelled();
                self.receiver = Some(receiver);
                cancelled.then_some(Err(TaskError::Cancelled))
            }
        }
    }
}

// No `T` lies in the handle: it is in the slot.
impl<T, H: Park> Unpin for JoinHandle<'_, T, H> {}

impl<T, H: Park> JoinHandle<'_, T, H> {
    /// Moves the task to the end of a higher level, if it waits for a worker.
    pub(crate) fn raise_to(&self, level: LevelOf<H>) -> bool {
        let receiver = self.receiver.as_ref();
        receiver.is_some_and(|receiver| self.registry.raise(receiver.slot().index(), level))
    }
}

impl<T, H: Park> Future for JoinHandle<'_, T, H> {
    type Output = Result<T, TaskError>;

    /// Works under any async runtime. A poll after it was ready returns
    /// [`TaskError::AlreadyTaken`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(outcome) = this.try_result() {
            return Poll::Ready(outcome);
        }
        let Some(receiver) = &this.receiver else {
            return Poll::Ready(Err(TaskError::AlreadyTaken));
        };
        let slot = receiver.slot();
        // Foreign code outside the lock: the clone before it, the drop of the displaced waker after
        // it.
        let waker = Waiter::Waker(context.waker().clone());
        let displaced = this.registry.waits().with(|waits| {
            if listen_alone(waits, slot) {
                Ok(waits.cell(slot.index()).waiter().put(waker))
            } else {
                Err(waker)
            }
        });
        match displaced {
            // This handle's own, of an earlier poll.
            Ok(Waiter::Waker(earlier)) => unwind::discard(earlier),
            Ok(other) => this.registry.notify(other),
            Err(waker) => {
                unwind::discard(waker);
                return Poll::Ready(this.take().unwrap_or(Err(TaskError::AlreadyTaken)));
            }
        }
        this.registry.raise_awaited(slot.index());
        Poll::Pending
    }
}

impl<T, H: Park> Drop for JoinHandle<'_, T, H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            detach(self.registry, receiver.forget_type());
        }
    }
}

impl<T, H: Park> fmt::Debug for JoinHandle<'_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self
            .receiver
            .as_ref()
            .map(|receiver| TaskState::of(receiver.snapshot()));
        f.debug_struct("JoinHandle")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
