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

#[cfg(all(test, feature = "std", not(any(loom, shuttle))))]
mod tests {
    use core::panic::AssertUnwindSafe;
    use std::panic::{catch_unwind, resume_unwind};

    use super::*;
    use crate::order::Fifo;

    struct PanicsInPark;

    impl Park for PanicsInPark {
        type Thread = ();
        type Order = Fifo;

        fn current() {}

        fn current_id() -> usize {
            1
        }

        fn park() {
            resume_unwind(std::boxed::Box::new("park"));
        }

        fn unpark(_thread: &()) {}
    }

    #[test]
    fn a_host_that_panics_while_a_thread_stops_a_task_leaves_no_thread_that_looks_again() {
        static EXECUTOR: Executor<0, 2, 64, PanicsInPark> = Executor::new();
        let (promise, handle) = EXECUTOR.promise::<u8>().unwrap();
        assert_eq!(promise.set_running_or_notify_cancel(), Ok(true));
        let registry = handle.registry();
        let stopped = catch_unwind(AssertUnwindSafe(|| handle.cancel_sync()));
        assert!(stopped.is_err());
        assert!(!registry.waits().with(|waits| waits.has_sleeping_workers()));
    }
}
