//! A slot held in advance, for a closure that gets what the worker owns.
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use super::{submit_into, submit_stoppable_into};
use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::permit::Permit;
use crate::promise::Promise;
use crate::registry::Registry;
use crate::slot::{Claim, Fallible, Plain, Stop};

/// Holds one slot of an [`Owned`](crate::Owned), so that a submit through it cannot fail for lack
/// of room. Dropping it gives the slot back.
///
/// ```
/// use slotted::{Owned, Ran};
///
/// let log: Owned<Vec<u8>, 1> = Owned::new();
/// let permit = log.reserve().unwrap();
/// assert!(log.submit(|bytes| bytes.push(1)).is_err(), "full");
/// permit.submit(|bytes| bytes.push(2)).unwrap().detach();
/// let mut bytes = vec![];
/// assert_eq!(log.worker().unwrap().run_one(&mut bytes), Ran::Task);
/// assert_eq!(bytes, [2]);
/// ```
#[must_use = "a permit that is dropped gives its slot back"]
pub struct OwnedPermit<'e, L, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    /// Takes plain tasks too: it must not leave this file (*All Lent*).
    permit: Permit<'e, SLOT_BYTES, H>,
    owns: PhantomData<fn(L) -> L>,
}

impl<'e, L, const SLOT_BYTES: usize, H: Park> OwnedPermit<'e, L, SLOT_BYTES, H> {
    /// The slot is one of an `Owned` of the same `L`.
    pub(super) fn new(permit: Permit<'e, SLOT_BYTES, H>) -> Self {
        Self {
            permit,
            owns: PhantomData,
        }
    }

    /// The executor and the slot.
    pub(super) fn into_parts(self) -> (Registry<'e, H>, Claim<'e, SLOT_BYTES>) {
        self.permit.into_parts()
    }

    /// Submits a closure into the held slot. See [`Owned::submit`](crate::Owned::submit).
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is shut down or broken; never because it is full.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.reserve().unwrap().submit(|bytes| bytes.push(2)).is_ok());
    /// ```
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.permit.into_parts();
        submit_into::<L, F, T, Plain, SLOT_BYTES, H>(registry, claim, task)
    }

    /// As [`submit`](Self::submit), for a closure whose `Err` counts as a failure. See
    /// [`Owned::submit_fallible`](crate::Owned::submit_fallible).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let last = log.reserve().unwrap().submit_fallible(|bytes| bytes.pop().ok_or("empty"));
    /// assert!(last.is_ok());
    /// ```
    pub fn submit_fallible<F, T, E>(
        self,
        task: F,
    ) -> Result<JoinHandle<'e, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (registry, claim) = self.permit.into_parts();
        submit_into::<L, F, Result<T, E>, Fallible, SLOT_BYTES, H>(registry, claim, task)
    }

    /// As [`submit`](Self::submit), for a closure that may be asked to stop. See
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
    /// assert!(log.reserve().unwrap().submit_stoppable(clear).is_ok());
    /// ```
    pub fn submit_stoppable<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.permit.into_parts();
        submit_stoppable_into::<L, F, T, SLOT_BYTES, H>(registry, claim, task)
    }

    /// Makes the held slot a promise. See [`Owned::promise`](crate::Owned::promise).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let (promise, handle) = log.reserve().unwrap().promise::<u32>();
    /// promise.set_result(7).unwrap();
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    pub fn promise<T>(self) -> (Promise<'e, T, H>, JoinHandle<'e, T, H>)
    where
        T: Send + 'static,
    {
        self.permit.promise()
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> fmt::Debug for OwnedPermit<'_, L, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").finish_non_exhaustive()
    }
}
