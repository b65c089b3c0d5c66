//! The caller's end of one task.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::blocking::{Endless, Help, Interrupted, One, Patience, Until, block};
use crate::canceller::{Canceller, TaskState, cancel};
use crate::completion::{add_callback, detach, execute, listen, retire};
use crate::error::{CallbackError, CallbackRefusal, TaskError};
use crate::host::{Clock, DefaultHost, Park};
use crate::registry::Registry;
use crate::slot::Receiver;
use crate::unwind;
use crate::waiter::Waiter;

/// The caller's end of one task: takes its result, cancels it, asks about it, or awaits it.
///
/// Everything the task wrote before it ended is visible once a call here has returned its result,
/// or said that it is done.
///
/// Dropping the handle detaches the task: it still runs. Forgetting it ([`core::mem::forget`])
/// costs its slot, nothing else.
///
/// # Python
///
/// `Future`, except that the result is moved out once, and that the callbacks run before the value
/// can be taken. Where the type says `H`, it is because timeouts exist only for hosts with a clock.
#[doc(alias = "Future")]
#[must_use = "a handle that is dropped detaches its task; `detach` says so in words"]
pub struct JoinHandle<'e, T, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    /// `None` once the outcome was taken through a borrow.
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
    /// In a worker of the same executor, a task that nobody has started is run here and now
    /// instead.
    ///
    /// # Blocking
    ///
    /// Until the task has ended. With `WORKERS = 0` the calling thread runs ready tasks, in order,
    /// until then.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`], [`TaskError::Panicked`] or [`TaskError::Broken`] if the task has
    /// no value; [`TaskError::WouldDeadlock`] in a worker if no worker could ever complete the
    /// task: it then goes on detached.
    ///
    /// # Python
    ///
    /// `Future.result()`.
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// assert_eq!(executor.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
    /// ```
    pub fn result(mut self) -> Result<T, TaskError> {
        self.wait_and_take(&Endless::<H>::new(), Help::Workers)
    }

    /// As [`result`](Self::result), but a task that nobody has started is run by the caller, here
    /// and now, instead of waking a worker: with the caller's stack, at its priority, outside
    /// the worker hooks. A future that waits in the queue again is polled there too.
    pub fn result_inline(mut self) -> Result<T, TaskError> {
        // What mostly happens, without the machinery of a wait.
        if let Some(receiver) = &self.receiver {
            let worker = self.registry.current_worker();
            if let Some(running) = self.registry.take_queued(receiver.slot().index(), worker) {
                execute(self.registry, running, worker);
            }
        }
        self.wait_and_take(&Endless::<H>::new(), Help::Inline)
    }

    /// As [`result`](Self::result), but waits at most `timeout`; zero polls. The handle stays good
    /// if it times out.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result), and [`TaskError::TimedOut`]; [`TaskError::AlreadyTaken`] if an
    /// earlier call took the value.
    ///
    /// # Python
    ///
    /// `Future.result(timeout)`.
    pub fn result_timeout(&mut self, timeout: Duration) -> Result<T, TaskError>
    where
        H: Clock,
    {
        self.wait_and_take(&Until::<H>::after(timeout), Help::Workers)
    }

    /// Takes the value if the task has ended; `None` if it has not.
    ///
    /// # Errors
    ///
    /// Inside `Some`, as [`result`](Self::result), and [`TaskError::AlreadyTaken`] if an earlier
    /// call took the value.
    pub fn try_result(&mut self) -> Option<Result<T, TaskError>> {
        if self.receiver.is_none() {
            return Some(Err(TaskError::AlreadyTaken));
        }
        self.take()
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
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<&TaskError> {
        self.wait_and_look(&Endless::<H>::new())
    }

    /// As [`error`](Self::error), but waits at most `timeout`; zero polls. Still unknown, the error
    /// is [`TaskError::TimedOut`].
    pub fn error_timeout(&self, timeout: Duration) -> Option<&TaskError>
    where
        H: Clock,
    {
        self.wait_and_look(&Until::<H>::after(timeout))
    }

    /// Cancels the task if nobody has started it, or if it is an async task between two polls.
    /// `true` if it is cancelled now, by this call or an earlier one; `false` if it runs or has
    /// ended.
    ///
    /// The closure or future is dropped, callbacks run and waiters wake in this call.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Python
    ///
    /// `Future.cancel`, except that the task is done for everybody at once, not when a worker comes
    /// upon it.
    pub fn cancel(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| cancel(self.registry, receiver.slot().index(), None))
    }

    /// Whether the task was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| receiver.snapshot().is_cancelled())
    }

    /// Whether the task has started and not ended. An async task is running from its first poll.
    #[must_use]
    pub fn running(&self) -> bool {
        self.receiver
            .as_ref()
            .is_some_and(|receiver| receiver.snapshot().is_running())
    }

    /// Whether the task has ended or was cancelled. While its callbacks run it is done, but the
    /// value cannot be taken yet.
    #[must_use]
    pub fn done(&self) -> bool {
        self.receiver
            .as_ref()
            .is_none_or(|receiver| receiver.snapshot().is_settled())
    }

    /// Calls `callback` with the outcome, once, in the thread that completes or cancels the task;
    /// here and now if it is done.
    ///
    /// Several are called in the order in which they were added. A panic in one is contained and
    /// counted ([`Stats::callbacks_panicked`](crate::Stats)), and the others still run. A
    /// callback holds a slot until it has run.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// The callback comes back if no slot is free for it, or if it does not fit one (that is known
    /// at run time only: a handle does not know its executor's `SLOT_BYTES`, so that handles of
    /// several executors can be waited for together).
    ///
    /// # Python
    ///
    /// `Future.add_done_callback`; it gets the outcome instead of the future.
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

    /// Lets the task run on by itself. What dropping the handle does, in words.
    pub fn detach(self) {}

    /// Cancels the task when the handle is dropped.
    pub fn cancel_on_drop(self) -> CancelOnDrop<'e, T, H> {
        CancelOnDrop { handle: Some(self) }
    }

    pub(crate) fn wait_and_take(
        &mut self,
        patience: &impl Patience,
        help: Help,
    ) -> Result<T, TaskError> {
        if let Some(outcome) = self.take() {
            return outcome;
        }
        self.wait(patience, help)?;
        self.take().unwrap_or(Err(TaskError::AlreadyTaken))
    }

    fn wait(&self, patience: &impl Patience, help: Help) -> Result<(), TaskError> {
        let Some(receiver) = &self.receiver else {
            return Err(TaskError::AlreadyTaken);
        };
        let one = One {
            registry: self.registry,
            index: receiver.slot().index(),
        };
        block(self.registry, &one, patience, help).map_err(|interrupted| match interrupted {
            Interrupted::TimedOut => TaskError::TimedOut,
            Interrupted::WouldDeadlock => TaskError::WouldDeadlock,
        })
    }

    fn wait_and_look(&self, patience: &impl Patience) -> Option<&TaskError> {
        match self.wait(patience, Help::Workers) {
            Ok(()) => self.receiver.as_ref()?.look()?.err(),
            Err(TaskError::TimedOut) => Some(&TaskError::TimedOut),
            Err(TaskError::WouldDeadlock) => Some(&TaskError::WouldDeadlock),
            Err(_) => Some(&TaskError::AlreadyTaken),
        }
    }

    /// Takes the outcome, if it is there. `None` also if it was taken before.
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
                self.receiver = Some(receiver);
                None
            }
        }
    }
}

// No `T` lies in the handle: it is in the slot.
impl<T, H: Park> Unpin for JoinHandle<'_, T, H> {}

impl<T, H: Park> Future for JoinHandle<'_, T, H> {
    type Output = Result<T, TaskError>;

    /// Under any executor. Polled again after it was ready, it is [`TaskError::AlreadyTaken`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(outcome) = this.try_result() {
            return Poll::Ready(outcome);
        }
        let Some(receiver) = &this.receiver else {
            return Poll::Ready(Err(TaskError::AlreadyTaken));
        };
        let slot = receiver.slot();
        // Foreign code outside the lock: the clone before it, the drop of what was there after it.
        let waker = Waiter::Waker(context.waker().clone());
        let displaced = this.registry.waits().with(|waits| {
            let waiter = &waits.cell(slot.index()).waiter;
            if listen(this.registry, slot) {
                Ok(waiter.put(waker))
            } else {
                Err(waker)
            }
        });
        match displaced {
            // Our own, of an earlier poll.
            Ok(Waiter::Waker(earlier)) => unwind::discard(earlier),
            Ok(other) => this.registry.notify(other),
            Err(waker) => {
                unwind::discard(waker);
                return Poll::Ready(this.take().unwrap_or(Err(TaskError::AlreadyTaken)));
            }
        }
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

/// A [`JoinHandle`] that cancels its task when it is dropped.
///
/// ```
/// use slotted::{Executor, TaskState};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let handle = executor.submit(|| 1).unwrap().cancel_on_drop();
/// let canceller = handle.canceller();
/// drop(handle);
/// assert_eq!(canceller.state(), TaskState::Gone);
/// assert_eq!(executor.stats().cancelled, 1);
/// ```
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<'e, T, H: Park = DefaultHost> {
    /// `None` only while it is consumed.
    handle: Option<JoinHandle<'e, T, H>>,
}

impl<'e, T, H: Park> CancelOnDrop<'e, T, H> {
    /// The plain handle, which does not cancel.
    pub fn into_inner(mut self) -> JoinHandle<'e, T, H> {
        let Some(handle) = self.handle.take() else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<'e, T, H: Park> Deref for CancelOnDrop<'e, T, H> {
    type Target = JoinHandle<'e, T, H>;

    fn deref(&self) -> &Self::Target {
        let Some(handle) = &self.handle else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<T, H: Park> DerefMut for CancelOnDrop<'_, T, H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        let Some(handle) = &mut self.handle else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<T, H: Park> Drop for CancelOnDrop<'_, T, H> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.cancel();
        }
    }
}

impl<T, H: Park> fmt::Debug for CancelOnDrop<'_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.handle).finish()
    }
}
