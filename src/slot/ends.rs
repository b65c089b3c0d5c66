//! The two ends of a task: the receiver takes the outcome, a promise gives it by hand.

use core::marker::PhantomData;

use super::job::{self, Entry};
use super::state::{OutcomeKind, SlotUse, Snapshot};
use super::{Ending, ErasedClaim, FilledCallback, Last, SlotRef};
use crate::error::TaskError;

/// The right to the outcome of a task (R6). Pins the slot: forgotten, it costs the slot.
#[must_use]
pub(crate) struct Receiver<'e, T> {
    slot: SlotRef<'e>,
    outcome: PhantomData<T>,
}

/// What taking an outcome gave: the outcome, and the right to retire the slot, if the receiver was
/// the last. Or the receiver, if there is nothing to take: the task has not ended, or was cancelled
/// and can be asked again.
pub(crate) type Taken<'e, T> = Result<(Result<T, TaskError>, Option<Last<'e>>), Receiver<'e, T>>;

impl<'e, T> Receiver<'e, T> {
    /// The caller has just filled and published the slot, with a handle, for a task that returns
    /// `T` (*Same Type*).
    pub(super) fn new(slot: SlotRef<'e>) -> Self {
        Self {
            slot,
            outcome: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.slot.snapshot()
    }

    /// The outcome by reference, if it is takeable.
    pub(crate) fn look(&self) -> Option<Result<&T, &TaskError>> {
        let seen = self.snapshot();
        seen.is_takeable().then(|| {
            // SAFETY: R6, *Same Type*: an outcome of this kind and type; only we can move it, and
            // we are borrowed.
            self.slot
                .with(|bytes| unsafe { job::look(bytes, seen.kind()) })
        })
    }

    /// Returns true if the task is a closure that was asked to stop while it ran.
    pub(crate) fn was_asked_to_stop(&self) -> bool {
        if !self.snapshot().may_be_asked_to_stop() {
            return false;
        }
        // SAFETY: we are the `Receiver`; the slot was filled before we were made.
        let table = unsafe { self.slot.table() };
        !matches!(table.entry, Entry::Hand)
    }

    /// Returns true if the task was cancelled and its callbacks have run. While they run, the
    /// outcome is not takeable.
    pub(crate) fn is_cancelled(&self) -> bool {
        let seen = self.snapshot();
        seen.is_takeable() && seen.is_cancelled()
    }

    /// Takes the outcome, if it is there.
    #[inline]
    pub(crate) fn take(self) -> Taken<'e, T> {
        let seen = self.snapshot();
        if !seen.is_takeable() {
            return Err(self);
        }
        let outcome = if seen.has_value() {
            // SAFETY: R6, *Same Type*: a live `T`, since only the receiver takes it; the state
            // forgets it below.
            Ok(self.slot.with(|bytes| unsafe { job::read::<T>(bytes) }))
        } else if seen.kind() == OutcomeKind::Error {
            // SAFETY: R6: a live `TaskError`, which the state forgets below.
            Err(self
                .slot
                .with(|bytes| unsafe { job::read::<TaskError>(bytes) }))
        } else {
            return Err(self);
        };
        // Without a promise the receiver is the last holder. It leaves the word as it is: no other
        // thread could tell the difference.
        let slot_use = if seen.has_promise() {
            self.slot.state.take()
        } else {
            SlotUse::Last
        };
        let last = Last::of(slot_use, self.slot, OutcomeKind::Empty);
        Ok((outcome, last))
    }

    /// The same right without the type: one copy of the code gives it up for all types.
    #[inline]
    pub(crate) fn forget_type(self) -> ErasedReceiver<'e> {
        ErasedReceiver { slot: self.slot }
    }

    /// Fills a claimed slot with a callback for this task.
    pub(crate) fn fill_callback<'c, F>(
        &self,
        claim: ErasedClaim<'c>,
        callback: F,
    ) -> Result<FilledCallback<'c, F>, (ErasedClaim<'c>, F)>
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
    {
        claim.callback::<F, T>(self.slot.tag(), callback)
    }
}

/// The right of a [`Receiver`] without its type. The holder can only give it up.
#[must_use]
pub(crate) struct ErasedReceiver<'e> {
    slot: SlotRef<'e>,
}

impl<'e> ErasedReceiver<'e> {
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Gives up the right, if the outcome is takeable and no promise is left. Otherwise it comes
    /// back, with true if the task has a listener.
    #[inline]
    pub(crate) fn release_done(self) -> Result<Last<'e>, (Self, bool)> {
        let seen = self.slot.snapshot();
        if !seen.is_takeable() || seen.has_promise() {
            return Err((self, seen.has_listener()));
        }
        // As in `Receiver::take`: we are the last holder, so the word stays as it is.
        Ok(Last {
            slot: self.slot,
            kind: seen.kind(),
        })
    }

    /// Gives up the right. Returns the last ticket if the outcome is takeable and no promise is
    /// left.
    pub(crate) fn release(self) -> Option<Last<'e>> {
        match self.slot.state.drop_handle() {
            // No other holder is left: the kind is final.
            SlotUse::Last => Some(Last {
                slot: self.slot,
                kind: self.slot.snapshot().kind(),
            }),
            // Another thread may free the slot: no further look at it (*Hands Off*).
            SlotUse::Shared => None,
        }
    }
}

/// The right to complete a task by hand (R4). Pins the slot.
#[must_use]
pub(crate) struct Promised<'e, T> {
    slot: SlotRef<'e>,
    /// Invariant in `T`: what goes in here comes out of the handle. No thread borrows a `T` here.
    /// So `T: Send`, which every constructor asks for, is enough to share it.
    outcome: PhantomData<fn(T) -> T>,
}

impl<'e, T: Send> Promised<'e, T> {
    /// The caller has just published the slot with a promise of a `T` (*Same Type*).
    pub(super) fn new(slot: SlotRef<'e>) -> Self {
        Self {
            slot,
            outcome: PhantomData,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.slot.snapshot()
    }

    /// Open → Running. The error is the word as it was, if the promise is not open.
    pub(crate) fn set_running(&self) -> Result<(), Snapshot> {
        self.slot.state.open_to_running()
    }

    /// As [`complete`](Self::complete), and consumes the right. The caller finishes the task by
    /// [`Ending::finish_promise`], which gives up the promise in the same step.
    pub(crate) fn complete_last(
        self,
        outcome: Result<T, TaskError>,
    ) -> Result<Ending<'e>, (Self, Result<T, TaskError>)> {
        match self.complete(outcome) {
            Ok(ending) => Ok(ending),
            Err(outcome) => Err((self, outcome)),
        }
    }

    /// Writes the outcome. It comes back if the task was completed or cancelled before.
    pub(crate) fn complete(
        &self,
        outcome: Result<T, TaskError>,
    ) -> Result<Ending<'e>, Result<T, TaskError>> {
        if !self.slot.state.complete_promise() {
            return Err(outcome);
        }
        let kind = self.slot.with_mut(|bytes| {
            // SAFETY: Bytes by R4; they hold nothing; *Same Type*, checked to fit when the promise
            // was made.
            unsafe { job::write_outcome::<T>(bytes, outcome) }
        });
        Ok(Ending {
            slot: self.slot,
            kind,
        })
    }

    /// Gives up the right. Returns the last ticket if the outcome is takeable and no handle is
    /// left.
    pub(crate) fn release(self) -> Option<Last<'e>> {
        match self.slot.state.drop_promise() {
            // No other holder is left: the kind is final.
            SlotUse::Last => Some(Last {
                slot: self.slot,
                kind: self.slot.snapshot().kind(),
            }),
            // Another thread may free the slot: no further look at it (*Hands Off*).
            SlotUse::Shared => None,
        }
    }
}
