//! Taking closures that may be asked to stop while they run.
#![forbid(unsafe_code)]

use super::Executor;
use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::slot::Stop;

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// As [`submit`](Self::submit), for a closure that may be asked to stop while it runs. It gets
    /// a [`Stop`], and looks at that when it likes.
    ///
    /// Requests come from [`JoinHandle::request_stop`], [`JoinHandle::cancel_sync`],
    /// [`Canceller::request_stop`](crate::Canceller::request_stop) and
    /// [`Shutdown::Stop`](crate::Shutdown::Stop). What the closure returns after a request is an
    /// ordinary value, and an `Err` no failure for
    /// [`ReturnWhen::FirstError`](crate::ReturnWhen::FirstError).
    ///
    /// To wait for a slot, take a [`Permit`](crate::Permit) first.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Cost
    ///
    /// No byte of the slot, and as many instructions as [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Python
    ///
    /// None: a running call cannot be stopped there. Programs pass a `threading.Event`.
    ///
    /// ```
    /// use slotted::{Executor, StdThreads, Stopped, TaskError};
    ///
    /// let executor: Executor<1, 4> = Executor::new();
    /// executor
    ///     .run(&StdThreads::new(), |pool| {
    ///         let endless = pool.submit_stoppable(|stop| -> Result<(), Stopped> {
    ///             loop {
    ///                 stop.check()?;
    ///             }
    ///         });
    ///         let ended = endless.unwrap().cancel_sync();
    ///         // The worker had started it, or not.
    ///         assert!(matches!(ended, Ok(Err(Stopped)) | Err(TaskError::Cancelled)));
    ///     })
    ///     .unwrap();
    /// ```
    pub fn submit_stoppable<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce(&Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit_stoppable(task)
    }
}
