//! A slot held in advance.
#![forbid(unsafe_code)]

use core::fmt;

use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::job::Plain;
use crate::registry::Registry;
use crate::slot::Claim;

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
/// assert_eq!(handle.result().unwrap(), 2);
/// ```
#[must_use = "a permit that is dropped gives its slot back"]
pub struct Permit<'e, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    registry: Registry<'e, H>,
    claim: Option<Claim<'e, SLOT_BYTES>>,
}

impl<'e, const SLOT_BYTES: usize, H: Park> Permit<'e, SLOT_BYTES, H> {
    pub(crate) fn new(registry: Registry<'e, H>, claim: Claim<'e, SLOT_BYTES>) -> Self {
        Self {
            registry,
            claim: Some(claim),
        }
    }

    /// The executor and the slot, for code that submits in its own way.
    pub(crate) fn into_parts(mut self) -> (Registry<'e, H>, Claim<'e, SLOT_BYTES>) {
        let Some(claim) = self.claim.take() else {
            unreachable!("a permit holds its slot until it is consumed")
        };
        (self.registry, claim)
    }

    /// Submits a closure into the held slot. See [`Executor::submit`](crate::Executor::submit).
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is shut down or broken; never because it is full.
    pub fn submit<F, T>(self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        match claim.closure::<F, T, Plain>(task, |filled| registry.enqueue(filled)) {
            Ok(receiver) => Ok(JoinHandle::new(registry, receiver)),
            Err((claim, task, reason)) => {
                registry.release(claim.retire());
                Err(SubmitError {
                    task,
                    reason: registry.refuse(reason),
                })
            }
        }
    }
}

impl<const SLOT_BYTES: usize, H: Park> Drop for Permit<'_, SLOT_BYTES, H> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.registry.release(claim.retire());
        }
    }
}

impl<const SLOT_BYTES: usize, H: Park> fmt::Debug for Permit<'_, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
