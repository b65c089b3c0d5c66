//! The way in: from a closure to a handle. Knows `SLOT_BYTES`, but neither how many slots nor how
//! many workers there are.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::blocking::{Help, Patience, Room, block};
use crate::error::{Refusal, SubmitError};
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::job::Verdict;
use crate::permit::Permit;
use crate::queue::Index;
use crate::registry::{Registry, Rooms};
use crate::slot::Claim;

/// An executor, as those see it that submit.
pub(crate) struct Intake<'e, const SLOT_BYTES: usize, H: Park> {
    rooms: Rooms<'e, SLOT_BYTES, H>,
}

impl<const SLOT_BYTES: usize, H: Park> Clone for Intake<'_, SLOT_BYTES, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const SLOT_BYTES: usize, H: Park> Copy for Intake<'_, SLOT_BYTES, H> {}

impl<'e, const SLOT_BYTES: usize, H: Park> Intake<'e, SLOT_BYTES, H> {
    pub(crate) fn new(rooms: Rooms<'e, SLOT_BYTES, H>) -> Self {
        Self { rooms }
    }

    pub(crate) fn registry(&self) -> Registry<'e, H> {
        self.rooms.registry()
    }

    /// A slot that was taken out of the free list.
    fn adopt(&self, index: Index) -> Claim<'e, SLOT_BYTES> {
        match self.rooms.claim(index) {
            Some(claim) => claim,
            None => unreachable!("a free slot can be claimed"),
        }
    }

    /// Takes a slot, or says why there is none; a refusal counts.
    #[inline]
    pub(crate) fn claim(&self) -> Result<Claim<'e, SLOT_BYTES>, Refusal> {
        let registry = self.registry();
        match registry.claim() {
            Some(index) => Ok(self.adopt(index)),
            None => Err(registry.refuse(registry.refusal())),
        }
    }

    /// Submits a closure.
    #[inline]
    pub(crate) fn submit<F, T, V>(&self, task: F) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        V: Verdict<T>,
    {
        let registry = self.registry();
        let claim = match self.claim() {
            Ok(claim) => claim,
            Err(reason) => return Err(SubmitError { task, reason }),
        };
        match claim.closure::<F, T, V>(task, |filled| registry.enqueue(filled)) {
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

    /// Holds a slot; a refusal counts.
    pub(crate) fn reserve(&self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        self.try_reserve()
            .map_err(|reason| self.registry().refuse(reason))
    }

    /// Holds a slot; a refusal does not count.
    pub(crate) fn try_reserve(&self) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        if let Some(reason) = self.registry().shared().ready.with(|ready| ready.refusal()) {
            return Err(reason);
        }
        self.registry()
            .claim()
            .map(|index| Permit::new(self.registry(), self.adopt(index)))
            .ok_or(Refusal::Full)
    }

    /// Holds a slot, waiting for it; a refusal counts.
    pub(crate) fn reserve_with(
        &self,
        patience: &impl Patience,
    ) -> Result<Permit<'e, SLOT_BYTES, H>, Refusal> {
        let registry = self.registry();
        let room = Room {
            registry,
            claimed: Cell::new(None),
            refusal: Cell::new(None),
        };
        let waited = block(registry, &room, patience, Help::Workers);
        match room.claimed.get() {
            Some(index) => Ok(Permit::new(registry, self.adopt(index))),
            None if waited.is_err() => Err(registry.refuse(Refusal::Full)),
            None => Err(registry.refuse(room.refusal.get().unwrap_or(Refusal::ShutDown))),
        }
    }
}
