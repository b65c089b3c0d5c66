//! A task that is completed by hand.
#![forbid(unsafe_code)]

use core::fmt;

use crate::completion::{complete, retire};
use crate::error::{InvalidState, TaskError};
use crate::host::{DefaultHost, Park};
use crate::registry::Registry;
use crate::slot::Promised;
use crate::state::Phase;
use crate::sync::Ordering;

/// The giving end of a task that no worker runs: for interrupts, drivers and tests.
///
/// Dropped without a value, it completes its handle with [`TaskError::Broken`]. It holds its slot
/// as the handle does: the slot is free when both are gone.
///
/// ```
/// use slotted::Executor;
///
/// let executor: Executor<0, 1> = Executor::new();
/// let (promise, handle) = executor.promise::<u32>().unwrap();
/// promise.set_result(7).unwrap();
/// assert_eq!(promise.set_result(8).unwrap_err().into_inner(), 8);
/// assert_eq!(handle.result().unwrap(), 7);
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
            unreachable!("only drop takes it")
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
    /// The value comes back if the task was completed or cancelled before; the first outcome stays.
    ///
    /// # Python
    ///
    /// `Future.set_result`.
    pub fn set_result(&self, value: T) -> Result<(), InvalidState<T>> {
        self.complete(Ok(value)).map_err(|outcome| match outcome {
            Ok(value) => InvalidState(value),
            Err(_) => unreachable!("what is given back is what was given"),
        })
    }

    /// Completes the task with an error. As [`set_result`](Self::set_result).
    ///
    /// # Errors
    ///
    /// The error comes back if the task was completed or cancelled before.
    ///
    /// # Python
    ///
    /// `Future.set_exception`.
    #[doc(alias = "set_exception")]
    pub fn set_error(&self, error: TaskError) -> Result<(), InvalidState<TaskError>> {
        self.complete(Err(error)).map_err(|outcome| match outcome {
            Err(error) => InvalidState(error),
            Ok(_) => unreachable!("what is given back is what was given"),
        })
    }

    fn complete(&self, outcome: Result<T, TaskError>) -> Result<(), Result<T, TaskError>> {
        let shared = self.registry.shared();
        let (cancelled, panicked, broken) = match &outcome {
            Err(error) => (
                error.is_cancelled(),
                error.is_panicked(),
                matches!(error, TaskError::Broken),
            ),
            Ok(_) => (false, false, false),
        };
        let ending = self.promised().complete(outcome)?;
        if cancelled {
            shared.cancelled.fetch_add(1, Ordering::Relaxed);
        } else if !broken {
            shared.outside.completed.fetch_add(1, Ordering::Relaxed);
        }
        if panicked {
            shared.outside.panicked.fetch_add(1, Ordering::Relaxed);
        }
        complete(self.registry, ending);
        Ok(())
    }

    /// Marks the task as running, so that it can no longer be cancelled. `Ok(false)`: it is
    /// cancelled, there is nothing to do.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Errors
    ///
    /// If it is running or completed already.
    ///
    /// # Python
    ///
    /// `Future.set_running_or_notify_cancel`.
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
        let open = matches!(
            self.promised().snapshot().phase(),
            Phase::Open | Phase::Running
        );
        if open {
            // Cancelled in this very moment: then there is an outcome already.
            let _ = self.complete(Err(TaskError::Broken));
        }
        if let Some(last) = self.promised.take().and_then(Promised::release) {
            retire(self.registry, last);
        }
    }
}

impl<T: Send, H: Park> fmt::Debug for Promise<'_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").finish_non_exhaustive()
    }
}
