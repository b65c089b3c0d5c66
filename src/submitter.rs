//! The one way from a closure to a handle. The executor, permits, scopes and maps all use it.
//!
//! The way is straight: claim a slot, fill it, enqueue the task, make the handle. It knows
//! `SLOT_BYTES`, but neither how many slots nor how many workers there are.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::time::Duration;

use crate::blocking::{Deadline, Never, Timeout};
use crate::error::{Refusal, SubmitError, TaskError};
use crate::handle::JoinHandle;
use crate::host::{Clock, Park};
use crate::permit::{
    Permit, submit_future_into, submit_future_outcome_into, submit_into, submit_stoppable_into,
};
use crate::promise::Promise;
use crate::registry::Submitter;
use crate::reserve::{slot, wait_for_slot};
use crate::slot::{Claim, Fallible, Plain, Stop};

impl<'e, const SLOT_BYTES: usize, H: Park> Submitter<'e, SLOT_BYTES, H> {
    /// Takes a slot, or returns why there is none. A refusal counts.
    #[inline]
    pub(crate) fn claim(self) -> Result<Claim<'e, SLOT_BYTES>, Refusal> {
        let registry = self.registry();
        match registry.claim() {
            Some(index) => Ok(self.adopt(index)),
            None => Err(registry.count_refusal(registry.refusal_without_slot())),
        }
    }

    /// Holds a slot. A refusal does not count.
    pub(crate) fn try_reserve(self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        if let Some(reason) = self.registry().refusal() {
            return Err(reason);
        }
        match self.registry().claim() {
            Some(index) => Ok(Permit::new(self, self.adopt(index))),
            None => Err(Refusal::Full),
        }
    }

    /// Holds a slot, waiting for it. A refusal counts.
    pub(crate) fn reserve_with(
        self,
        timeout: &impl Timeout,
    ) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        match wait_for_slot(self.registry(), timeout) {
            Ok(index) => Ok(Permit::new(self, self.adopt(index))),
            Err(reason) => Err(self.registry().count_refusal(reason)),
        }
    }

    /// Submits a closure. See [`Executor::submit`](crate::Executor::submit).
    ///
    /// # Errors
    ///
    /// The closure comes back, unrun, with the reason.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let pool = executor.submitter();
    /// assert_eq!(pool.submit(|| 6 * 7).unwrap().result(), Ok(42));
    /// ```
    #[inline]
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.claim() {
            Ok(claim) => submit_into::<F, T, Plain, SLOT_BYTES, H>(self.registry(), claim, task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Submits a closure whose `Err` counts as a failure. See
    /// [`Executor::submit_fallible`](crate::Executor::submit_fallible).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let handle = executor.submitter().submit_fallible(|| "7".parse::<u8>()).unwrap();
    /// assert_eq!(handle.result(), Ok(Ok(7)));
    /// ```
    pub fn submit_fallible<F, T, E>(
        self,
        task: F,
    ) -> Result<JoinHandle<'e, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        match self.claim() {
            Ok(claim) => submit_into::<F, Result<T, E>, Fallible, SLOT_BYTES, H>(
                self.registry(),
                claim,
                task,
            ),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Submits a closure that may be asked to stop while it runs. See
    /// [`Executor::submit_stoppable`](crate::Executor::submit_stoppable).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let pool = executor.submitter();
    /// let handle = pool.submit_stoppable(|stop| stop.check().map(|()| 7)).unwrap();
    /// assert_eq!(handle.result(), Ok(Ok(7)));
    /// ```
    pub fn submit_stoppable<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.claim() {
            Ok(claim) => submit_stoppable_into(self.registry(), claim, task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Waits for a slot as long as it takes, then submits. See
    /// [`Executor::submit_blocking`](crate::Executor::submit_blocking).
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let pool = executor.submitter();
    /// pool.submit(|| ()).unwrap().detach(); // the only slot; the wait runs the task
    /// assert_eq!(pool.submit_blocking(|| 6 * 7).unwrap().result(), Ok(42));
    /// ```
    pub fn submit_blocking<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.reserve_blocking() {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Waits for a slot at most `timeout`, then submits. See
    /// [`Executor::submit_timeout`](crate::Executor::submit_timeout).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, Refusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// let refused = executor.submitter().submit_timeout(|| 1, Duration::ZERO).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::Full);
    /// # drop(permit);
    /// ```
    pub fn submit_timeout<F, T>(
        self,
        task: F,
        timeout: Duration,
    ) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        H: Clock,
    {
        match self.reserve_timeout(timeout) {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Holds a slot. See [`Executor::reserve`](crate::Executor::reserve).
    ///
    /// # Errors
    ///
    /// If every slot is taken, or the executor is shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.submitter().reserve().unwrap();
    /// assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    /// ```
    pub fn reserve(self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        self.try_reserve()
            .map_err(|reason| self.registry().count_refusal(reason))
    }

    /// Holds a slot, waiting for it as long as it takes. See
    /// [`Executor::reserve_blocking`](crate::Executor::reserve_blocking).
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.submitter().reserve_blocking().unwrap();
    /// assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    /// ```
    pub fn reserve_blocking(self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        self.reserve_with(&Never::<H>::new())
    }

    /// Holds a slot, waiting for it at most `timeout`. See
    /// [`Executor::reserve_timeout`](crate::Executor::reserve_timeout).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.submitter().reserve_timeout(Duration::from_secs(1)).unwrap();
    /// assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    /// ```
    pub fn reserve_timeout(self, timeout: Duration) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal>
    where
        H: Clock,
    {
        self.reserve_with(&Deadline::<H>::after(timeout))
    }

    /// Holds a slot, awaiting it. See
    /// [`Executor::reserve_async`](crate::Executor::reserve_async).
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<0, 2, 512> = Executor::new();
    /// let permit = async || EXECUTOR.submitter().reserve_async().await.is_ok();
    /// assert_eq!(EXECUTOR.submit_future(permit()).unwrap().result(), Ok(true));
    /// ```
    pub async fn reserve_async(self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        match slot(self.registry()).await {
            Ok(index) => Ok(Permit::new(self, self.adopt(index))),
            Err(reason) => Err(self.registry().count_refusal(reason)),
        }
    }

    /// Makes a task that is completed by hand. See
    /// [`Executor::promise`](crate::Executor::promise).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.submitter().promise::<u8>().unwrap();
    /// promise.complete(Ok(7)).unwrap();
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    #[expect(clippy::type_complexity, reason = "a pair says it best")]
    pub fn promise<T>(self) -> Result<(Promise<'e, T, H>, JoinHandle<'e, T, H>), Refusal>
    where
        T: Send + 'static,
    {
        self.reserve().map(Permit::promise)
    }
}

impl<const SLOT_BYTES: usize, H: Park> Submitter<'static, SLOT_BYTES, H> {
    /// Submits a future. See [`Executor::submit_future`](crate::Executor::submit_future).
    ///
    /// # Errors
    ///
    /// The future comes back, never polled, with the reason.
    ///
    /// ```
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<0, 1, 128> = Executor::new();
    /// let pool = EXECUTOR.submitter();
    /// assert_eq!(pool.submit_future(async { 7 }).unwrap().result(), Ok(7));
    /// ```
    pub fn submit_future<F>(
        self,
        future: F,
    ) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        match self.claim() {
            Ok(claim) => submit_future_into(self.registry(), claim, future),
            Err(reason) => Err(SubmitError {
                task: future,
                reason,
            }),
        }
    }

    /// Submits a future whose output is the task's outcome. See
    /// [`Executor::submit_future_outcome`](crate::Executor::submit_future_outcome).
    ///
    /// # Errors
    ///
    /// As [`submit_future`](Self::submit_future).
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// static EXECUTOR: Executor<0, 1, 128> = Executor::new();
    /// let pool = EXECUTOR.submitter();
    /// let handle = pool.submit_future_outcome(async { Err::<(), _>(TaskError::Broken) });
    /// assert_eq!(handle.unwrap().result(), Err(TaskError::Broken));
    /// ```
    pub fn submit_future_outcome<F, T>(
        self,
        future: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Send + 'static,
    {
        match self.claim() {
            Ok(claim) => submit_future_outcome_into(self.registry(), claim, future),
            Err(reason) => Err(SubmitError {
                task: future,
                reason,
            }),
        }
    }
}

impl<const SLOT_BYTES: usize, H: Park> fmt::Debug for Submitter<'_, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("slots", &self.registry().capacity())
            .field("slot_bytes", &SLOT_BYTES)
            .finish_non_exhaustive()
    }
}
