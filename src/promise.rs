//! A task that its holder completes by hand.
#![forbid(unsafe_code)]

use core::fmt;

use crate::completion::{Count, complete, complete_promise, retire};
use crate::error::{InvalidState, TaskError};
use crate::host::{DefaultHost, Park};
use crate::registry::Registry;
use crate::slot::{Ending, Phase, Promised};

/// Completes a task that no worker runs: for interrupts, device drivers and tests.
///
/// A promise that is dropped without an outcome completes its task with [`TaskError::Broken`]. It
/// holds its slot as the handle does: the slot is free when both are gone.
///
/// ```
/// use slotted::Executor;
///
/// let executor: Executor<0, 1> = Executor::new();
/// let (promise, handle) = executor.promise::<u32>().unwrap();
/// promise.set_result(7).unwrap();
/// assert_eq!(promise.set_result(8).unwrap_err().into_inner(), 8);
/// assert_eq!(handle.result(), Ok(7));
/// ```
///
/// # Python
///
/// The setters of `Future` that only executors and tests should call.
#[must_use = "a promise that is dropped breaks its handle"]
pub struct Promise<'e, T: Send, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    promised: Option<Promised<'e, T>>,
}

impl<'e, T: Send, H: Park> Promise<'e, T, H> {
    pub(crate) fn new(registry: Registry<'e, H>, promised: Promised<'e, T>) -> Self {
        Self {
            registry,
            promised: Some(promised),
        }
    }

    fn promised(&self) -> &Promised<'e, T> {
        let Some(promised) = &self.promised else {
            unreachable!("only consuming takes it")
        };
        promised
    }

    /// Completes the task with a value. Callbacks run in the calling thread.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// The value comes back if the task was completed or cancelled before. The first outcome stays.
    ///
    /// # Python
    ///
    /// `Future.set_result`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.promise::<u32>().unwrap();
    /// assert!(handle.cancel());
    /// assert_eq!(promise.set_result(7).unwrap_err().into_inner(), 7);
    /// ```
    pub fn set_result(&self, value: T) -> Result<(), InvalidState<T>> {
        self.finish(Ok(value)).map_err(|outcome| match outcome {
            Ok(value) => InvalidState(value),
            Err(_) => unreachable!("what comes back is what was given"),
        })
    }

    /// Completes the task with an error. As [`set_result`](Self::set_result).
    ///
    /// # Errors
    ///
    /// The error comes back if the task was completed or cancelled before, or if only a wait has
    /// such an error: [`TaskError::is_of_the_wait`]. So a caller can always tell a wait that timed
    /// out from how a task ended.
    ///
    /// # Python
    ///
    /// `Future.set_exception`.
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.promise::<u32>().unwrap();
    /// assert!(promise.set_error(TaskError::TimedOut).is_err());
    /// promise.set_error(TaskError::Broken).unwrap();
    /// assert_eq!(handle.result(), Err(TaskError::Broken));
    /// ```
    #[doc(alias = "set_exception")]
    pub fn set_error(&self, error: TaskError) -> Result<(), InvalidState<TaskError>> {
        self.finish(Err(error)).map_err(|outcome| match outcome {
            Err(error) => InvalidState(error),
            Ok(_) => unreachable!("what comes back is what was given"),
        })
    }

    /// Completes the task and gives the promise up in one step. Once the handle has the result, the
    /// slot is free. For a completer on an executor that may be full. Callbacks run in the calling
    /// thread.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// The outcome comes back as from [`set_result`](Self::set_result) and
    /// [`set_error`](Self::set_error). If it is an error of a wait, the task ends as broken, as if
    /// the promise was dropped.
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.promise::<u32>().unwrap();
    /// promise.complete(Ok(7)).unwrap();
    /// assert_eq!(handle.result(), Ok(7));
    /// assert!(executor.reserve().is_ok(), "the slot is free");
    /// ```
    pub fn complete(
        mut self,
        outcome: Result<T, TaskError>,
    ) -> Result<(), InvalidState<Result<T, TaskError>>> {
        if matches!(&outcome, Err(error) if error.is_of_the_wait()) {
            return Err(InvalidState(outcome));
        }
        let Some(promised) = self.promised.take() else {
            unreachable!("only consuming takes it")
        };
        let count = Count::of(outcome.as_ref().err());
        match promised.complete_last(outcome) {
            Ok(ending) => {
                count.add(self.registry);
                complete_promise(self.registry, ending);
                Ok(())
            }
            Err((promised, outcome)) => {
                self.promised = Some(promised);
                Err(InvalidState(outcome))
            }
        }
    }

    fn finish(&self, outcome: Result<T, TaskError>) -> Result<(), Result<T, TaskError>> {
        if matches!(&outcome, Err(error) if error.is_of_the_wait()) {
            return Err(outcome);
        }
        let count = Count::of(outcome.as_ref().err());
        let ending: Ending<'e> = self.promised().complete(outcome)?;
        count.add(self.registry);
        complete(self.registry, ending);
        Ok(())
    }

    /// Marks the task as running: from now on no canceller can cancel it. `Ok(false)`: it is
    /// cancelled, and the completer has nothing to do.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// If the task is running or completed already.
    ///
    /// # Python
    ///
    /// `Future.set_running_or_notify_cancel`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.promise::<u32>().unwrap();
    /// assert!(promise.set_running_or_notify_cancel().unwrap());
    /// assert!(handle.running() && !handle.cancel());
    /// ```
    pub fn set_running_or_notify_cancel(&self) -> Result<bool, InvalidState<()>> {
        match self.promised().set_running() {
            Ok(()) => Ok(true),
            Err(seen) if seen.is_cancelled() => Ok(false),
            Err(_) => Err(InvalidState(())),
        }
    }
}

impl<T: Send, H: Park> Drop for Promise<'_, T, H> {
    fn drop(&mut self) {
        let Some(promised) = self.promised.take() else {
            return;
        };
        let promised = match promised.snapshot().phase() {
            Phase::Open | Phase::Running => {
                match promised.complete_last(Err(TaskError::Broken)) {
                    Ok(ending) => return complete_promise(self.registry, ending),
                    // A canceller was faster in this very moment.
                    Err((promised, _broken)) => promised,
                }
            }
            _ => promised,
        };
        if let Some(last) = promised.release() {
            retire(self.registry, last);
        }
    }
}

impl<T: Send, H: Park> fmt::Debug for Promise<'_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").finish_non_exhaustive()
    }
}
