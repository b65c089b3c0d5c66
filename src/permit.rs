//! A slot held in advance, and the way of a task into a slot.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;

use crate::completion::{fill_future, fill_future_outcome, free};
use crate::error::{Refusal, SubmitError, TaskError};
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::promise::Promise;
use crate::registry::{Registry, Submitter};
use crate::slot::{
    Claim, Classify, Fallible, FilledClosure, FilledFuture, Last, Plain, Promised, Stop,
};

/// Gives a slot back that a refused task was in. A refusal counts.
#[cold]
pub(crate) fn refuse<H: Park>(
    registry: Registry<'_, H>,
    last: Last<'_>,
    refused: Result<(), Refusal>,
) -> Refusal {
    let reason = || refused.err().unwrap_or(Refusal::ShutDown);
    registry.note_task_refused(last.slot(), reason);
    free(registry, last);
    registry.count_task_refusal(reason())
}

/// Fills a slot with a closure and gives it to the workers.
#[inline]
pub(crate) fn submit_into<'e, F, T, V, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'e, H>,
    claim: Claim<'e, SLOT_BYTES>,
    task: F,
) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    V: Classify<T>,
{
    enqueue_closure(registry, claim.closure::<F, T, V>(task))
}

/// As [`submit_into`], for a closure that may be asked to stop.
pub(crate) fn submit_stoppable_into<'e, F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'e, H>,
    claim: Claim<'e, SLOT_BYTES>,
    task: F,
) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
where
    F: FnOnce(&Stop) -> T + Send + 'static,
    T: Send + 'static,
{
    enqueue_closure(registry, claim.stoppable(task))
}

/// Gives a slot that was filled with a closure to the workers.
#[inline(always)]
pub(crate) fn enqueue_closure<'e, F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'e, H>,
    mut filled: FilledClosure<'e, F, T, SLOT_BYTES>,
) -> Result<JoinHandle<'e, T, H>, SubmitError<F>> {
    let refused = registry.enqueue(filled.ticket());
    match filled.settle() {
        Ok(receiver) => Ok(JoinHandle::new(registry, receiver)),
        Err((claim, task)) => {
            let reason = refuse(registry, claim.give_up(), refused);
            Err(SubmitError { task, reason })
        }
    }
}

/// Fills a slot with a future and gives it to the workers.
pub(crate) fn submit_future_into<F, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    future: F,
) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    enqueue_future(registry, fill_future(registry, claim, future))
}

/// As [`submit_future_into`], for a future whose output is the task's outcome.
pub(crate) fn submit_future_outcome_into<F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    future: F,
) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
where
    F: Future<Output = Result<T, TaskError>> + Send + 'static,
    T: Send + 'static,
{
    enqueue_future(registry, fill_future_outcome(registry, claim, future))
}

/// Gives a slot that was filled with a future to the workers.
#[inline(always)]
pub(crate) fn enqueue_future<F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    mut filled: FilledFuture<F, T, SLOT_BYTES>,
) -> Result<JoinHandle<'static, T, H>, SubmitError<F>> {
    let refused = registry.enqueue_future(filled.ticket());
    match filled.settle() {
        Ok(receiver) => Ok(JoinHandle::new(registry, receiver)),
        Err((claim, polled)) => {
            let reason = refuse(registry, claim.give_up(), refused);
            let task = polled.future;
            Err(SubmitError { task, reason })
        }
    }
}

/// Holds one slot, so that a submit through it cannot fail for lack of room. Dropping it gives the
/// slot back.
///
/// ```
/// use slotted::{Executor, Refusal};
///
/// let executor: Executor<0, 1> = Executor::new();
/// let permit = executor.reserve().unwrap();
/// assert_eq!(executor.submit(|| 1).unwrap_err().reason(), Refusal::Full);
/// let handle = permit.submit(|| 2).unwrap();
/// assert_eq!(handle.result(), Ok(2));
/// ```
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'e, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    submitter: Submitter<'e, SLOT_BYTES, H>,
    /// `None` only while it is consumed.
    claim: Option<Claim<'e, SLOT_BYTES>>,
}

impl<'e, const SLOT_BYTES: usize, H: Park> Permit<'e, SLOT_BYTES, H> {
    pub(crate) fn new(
        submitter: Submitter<'e, SLOT_BYTES, H>,
        claim: Claim<'e, SLOT_BYTES>,
    ) -> Self {
        Self {
            submitter,
            claim: Some(claim),
        }
    }

    /// Returns true if the slot is one of this executor.
    pub(crate) fn is_of(&self, registry: Registry<'_, H>) -> bool {
        self.submitter.registry().is(registry)
    }

    /// The executor and the slot.
    pub(crate) fn into_parts(mut self) -> (Registry<'e, H>, Claim<'e, SLOT_BYTES>) {
        let Some(claim) = self.claim.take() else {
            unreachable!("a permit holds its slot until it is consumed")
        };
        (self.submitter.registry(), claim)
    }

    /// Submits a closure into the held slot. See [`Executor::submit`](crate::Executor::submit).
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is shut down or broken; never because it is full.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    /// ```
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        submit_into::<F, T, Plain, SLOT_BYTES, H>(registry, claim, task)
    }

    /// As [`submit`](Self::submit), for a closure whose `Err` counts as a failure. See
    /// [`Executor::submit_fallible`](crate::Executor::submit_fallible).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// let handle = permit.submit_fallible(|| "7".parse::<u8>()).unwrap();
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
        let (registry, claim) = self.into_parts();
        submit_into::<F, Result<T, E>, Fallible, SLOT_BYTES, H>(registry, claim, task)
    }

    /// Submits a closure that may be asked to stop into the held slot. See
    /// [`Executor::submit_stoppable`](crate::Executor::submit_stoppable).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve_blocking().unwrap(); // waits for a slot, if there is none
    /// let handle = permit.submit_stoppable(|stop| stop.check().map(|()| 7)).unwrap();
    /// assert_eq!(handle.result(), Ok(Ok(7)));
    /// ```
    pub fn submit_stoppable<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        submit_stoppable_into(registry, claim, task)
    }

    /// Makes the held slot a promise. See [`Executor::promise`](crate::Executor::promise).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.reserve().unwrap().promise::<u8>();
    /// promise.complete(Ok(7)).unwrap();
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    pub fn promise<T>(self) -> (Promise<'e, T, H>, JoinHandle<'e, T, H>)
    where
        T: Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        let (promised, receiver) = claim.promise::<T>();
        registry.note_promised(receiver.slot(), Promised::<T>::kind);
        (
            Promise::new(registry, promised),
            JoinHandle::new(registry, receiver),
        )
    }
}

impl<const SLOT_BYTES: usize, H: Park> Permit<'static, SLOT_BYTES, H> {
    /// Submits a future into the held slot. See
    /// [`Executor::submit_future`](crate::Executor::submit_future).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<0, 1, 128> = Executor::new();
    /// let permit = EXECUTOR.reserve().unwrap();
    /// assert_eq!(permit.submit_future(async { 7 }).unwrap().result(), Ok(7));
    /// ```
    pub fn submit_future<F>(
        self,
        future: F,
    ) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        submit_future_into(registry, claim, future)
    }

    /// Submits a future whose output is the task's outcome into the held slot. See
    /// [`Executor::submit_future_outcome`](crate::Executor::submit_future_outcome).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// static EXECUTOR: Executor<0, 1, 128> = Executor::new();
    /// let permit = EXECUTOR.reserve().unwrap();
    /// let handle = permit.submit_future_outcome(async { Err::<(), _>(TaskError::Broken) });
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
        let (registry, claim) = self.into_parts();
        submit_future_outcome_into(registry, claim, future)
    }
}

impl<const SLOT_BYTES: usize, H: Park> Drop for Permit<'_, SLOT_BYTES, H> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            free(self.submitter.registry(), claim.give_up());
        }
    }
}

impl<const SLOT_BYTES: usize, H: Park> fmt::Debug for Permit<'_, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
