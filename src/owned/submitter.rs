//! The one way from a lent closure to a handle. An owner and its levels use it.
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use super::{OwnedPermit, submit_into, submit_stoppable_into};
use crate::completion::{TimedTask, fill_lent_timed};
use crate::error::{Refusal, SubmitError};
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park};
use crate::list::Index;
use crate::promise::Promise;
use crate::registry::{Registry, Submitter};
use crate::slot::{Fallible, FilledFuture, LentFuture, Plain, Stop};

/// Takes tasks for an [`Owned`](crate::Owned), without the number of slots in its type: what a
/// library takes as an argument. And tasks of one level:
/// [`Owned::level`](crate::Owned::level).
///
/// `Copy`. It borrows the `Owned`, which makes it:
/// [`Owned::submitter`](crate::Owned::submitter). What each call means is said there, call by call.
///
/// ```
/// use slotted::{Owned, OwnedSubmitter, Ran, Refusal};
///
/// struct Uart(Vec<u8>);
///
/// fn greet(uart: OwnedSubmitter<'_, Uart>) -> Result<(), Refusal> {
///     uart.submit(|uart| uart.0.extend(b"hello"))?.detach();
///     Ok(())
/// }
///
/// static UART: Owned<Uart, 8> = Owned::new();
/// greet(UART.submitter()).unwrap();
/// let mut uart = Uart(vec![]);
/// assert_eq!(UART.worker().unwrap().run_one(&mut uart), Ran::Task);
/// assert_eq!(uart.0, b"hello");
/// ```
pub struct OwnedSubmitter<'e, L, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    /// Takes plain tasks too: it must not leave this room (*All Lent*).
    pub(super) submitter: Submitter<'e, SLOT_BYTES, H>,
    owns: PhantomData<fn(L) -> L>,
}

impl<L, const SLOT_BYTES: usize, H: Park> Clone for OwnedSubmitter<'_, L, SLOT_BYTES, H> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> Copy for OwnedSubmitter<'_, L, SLOT_BYTES, H> {}

impl<'e, L, const SLOT_BYTES: usize, H: Park> OwnedSubmitter<'e, L, SLOT_BYTES, H> {
    /// The executor is that of an `Owned` of the same `L`.
    #[inline(always)]
    pub(super) const fn new(submitter: Submitter<'e, SLOT_BYTES, H>) -> Self {
        Self {
            submitter,
            owns: PhantomData,
        }
    }

    pub(crate) fn registry(self) -> Registry<'e, H> {
        self.submitter.registry()
    }

    /// Gives a closure to the owner. See [`Owned::submit`](crate::Owned::submit).
    ///
    /// # Errors
    ///
    /// The closure comes back, unrun, with the reason.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let mut length = log.submitter().submit(|bytes| bytes.len()).unwrap();
    /// let _ = log.worker().unwrap().run_one(&mut vec![1]);
    /// assert_eq!(length.try_result(), Some(Ok(1)));
    /// ```
    #[inline]
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                let registry = self.submitter.registry();
                submit_into::<L, F, T, Plain, SLOT_BYTES, H>(registry, claim, task)
            }
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Submits a closure whose `Err` counts as a failure. See
    /// [`Owned::submit_fallible`](crate::Owned::submit_fallible).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().submit_fallible(|bytes| bytes.pop().ok_or("empty")).is_ok());
    /// ```
    #[inline]
    pub fn submit_fallible<F, T, E>(
        self,
        task: F,
    ) -> Result<JoinHandle<'e, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                let registry = self.submitter.registry();
                submit_into::<L, F, Result<T, E>, Fallible, SLOT_BYTES, H>(registry, claim, task)
            }
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Submits a closure that may be asked to stop while it runs. See
    /// [`Owned::submit_stoppable`](crate::Owned::submit_stoppable).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::{Owned, Stop};
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let clear = |bytes: &mut Vec<u8>, stop: &Stop| stop.check().map(|()| bytes.clear());
    /// assert!(log.submitter().submit_stoppable(clear).is_ok());
    /// ```
    #[inline]
    pub fn submit_stoppable<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                let registry = self.submitter.registry();
                submit_stoppable_into::<L, F, T, SLOT_BYTES, H>(registry, claim, task)
            }
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Waits for a slot as long as it takes, then submits. See
    /// [`Owned::submit_blocking`](crate::Owned::submit_blocking).
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().submit_blocking(|bytes| bytes.push(1)).is_ok());
    /// ```
    pub fn submit_blocking<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.reserve_blocking() {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Waits for a slot at most `timeout`, then submits. See
    /// [`Owned::submit_timeout`](crate::Owned::submit_timeout).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().submit_timeout(|bytes| bytes.push(1), Duration::ZERO).is_ok());
    /// ```
    pub fn submit_timeout<F, T>(
        self,
        task: F,
        timeout: Duration,
    ) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
        H: Clock,
    {
        match self.reserve_timeout(timeout) {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Holds a slot. See [`Owned::reserve`](crate::Owned::reserve).
    ///
    /// # Errors
    ///
    /// If every slot is taken, or the executor is shut down or broken.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().reserve().is_ok());
    /// ```
    pub fn reserve(self) -> Result<OwnedPermit<'e, L, SLOT_BYTES, H>, Refusal> {
        self.submitter.reserve().map(OwnedPermit::new)
    }

    /// Holds a slot, waiting for it as long as it takes. See
    /// [`Owned::reserve_blocking`](crate::Owned::reserve_blocking).
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().reserve_blocking().is_ok());
    /// ```
    pub fn reserve_blocking(self) -> Result<OwnedPermit<'e, L, SLOT_BYTES, H>, Refusal> {
        self.submitter.reserve_blocking().map(OwnedPermit::new)
    }

    /// Holds a slot, waiting for it at most `timeout`. See
    /// [`Owned::reserve_timeout`](crate::Owned::reserve_timeout).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.submitter().reserve_timeout(Duration::ZERO).is_ok());
    /// ```
    pub fn reserve_timeout(
        self,
        timeout: Duration,
    ) -> Result<OwnedPermit<'e, L, SLOT_BYTES, H>, Refusal>
    where
        H: Clock,
    {
        let permit = self.submitter.reserve_timeout(timeout);
        permit.map(OwnedPermit::new)
    }

    /// Holds a slot, awaiting it. See [`Owned::reserve_async`](crate::Owned::reserve_async).
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::{Executor, Owned};
    /// static ASYNC: Executor<0, 1, 512> = Executor::new();
    /// static LOG: Owned<Vec<u8>, 1> = Owned::new();
    /// let caller = async { LOG.submitter().reserve_async().await.is_ok() };
    /// assert_eq!(ASYNC.submit_future(caller).unwrap().result(), Ok(true));
    /// ```
    pub async fn reserve_async(self) -> Result<OwnedPermit<'e, L, SLOT_BYTES, H>, Refusal> {
        let permit = self.submitter.reserve_async().await;
        permit.map(OwnedPermit::new)
    }

    /// Makes a task that is completed by hand. See [`Owned::promise`](crate::Owned::promise).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let (promise, handle) = log.submitter().promise::<u32>().unwrap();
    /// promise.set_result(7).unwrap();
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    #[expect(clippy::type_complexity, reason = "a pair says it best")]
    pub fn promise<T>(self) -> Result<(Promise<'e, T, H>, JoinHandle<'e, T, H>), Refusal>
    where
        T: Send + 'static,
    {
        self.submitter.promise()
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> OwnedSubmitter<'static, L, SLOT_BYTES, H> {
    /// Fills a slot that was taken out of the free list with a task that its timer wakes.
    pub(crate) fn fill_timed<F>(
        self,
        index: Index,
        task: F,
    ) -> FilledFuture<F, F::Output, SLOT_BYTES>
    where
        F: LentFuture<L, Output: Send + 'static> + TimedTask + Send + 'static,
    {
        let claim = self.submitter.adopt(index);
        fill_lent_timed::<L, F, SLOT_BYTES, H>(self.registry(), claim, task)
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> fmt::Debug for OwnedSubmitter<'_, L, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSubmitter")
            .field("owns", &core::any::type_name::<L>())
            .field("submitter", &self.submitter)
            .finish()
    }
}
