//! The two ends of a task: the one that takes the outcome, and the one that gives it by hand.

use core::marker::PhantomData;

use super::{Ending, FilledCallback, Last, SlotRef, Vacancy};
use crate::error::TaskError;
use crate::job;
use crate::state::{Kind, Rest, Snapshot};

/// The right to the outcome of a task (R6). Pins the slot: forgotten, it costs the slot.
#[must_use]
pub(crate) struct Receiver<'e, T> {
    slot: SlotRef<'e>,
    outcome: PhantomData<T>,
}

impl<'e, T> Receiver<'e, T> {
    /// Only right after the slot was filled and published with a handle for a task that returns `T`
    /// (*Same Type*).
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

    /// The outcome, if it is there.
    pub(crate) fn look(&self) -> Option<Result<&T, &TaskError>> {
        let seen = self.snapshot();
        seen.is_done().then(|| {
            // SAFETY: R6, *Same Type*: an outcome of this kind and type; only we can move it, and
            // we are borrowed.
            self.slot
                .with(|bytes| unsafe { job::look(bytes, seen.kind()) })
        })
    }

    /// Takes the outcome, if it is there.
    #[inline]
    pub(crate) fn take(self) -> Result<(Result<T, TaskError>, Option<Last<'e>>), Self> {
        let seen = self.snapshot();
        if !seen.is_done() {
            return Err(self);
        }
        let outcome = if seen.has_value() {
            // SAFETY: R6, *Same Type*: a live `T`, since nobody but us takes it; the state forgets
            // it below.
            Ok(self.slot.with(|bytes| unsafe { job::read::<T>(bytes) }))
        } else if seen.kind() == Kind::Error {
            // SAFETY: R6: a live `TaskError`, which the state forgets below.
            Err(self
                .slot
                .with(|bytes| unsafe { job::read::<TaskError>(bytes) }))
        } else {
            Err(TaskError::Cancelled)
        };
        // Without a promise we are the last, and nobody else can tell the word from one that says
        // so.
        let rest = if seen.has_promise() {
            self.slot.state.take()
        } else {
            Rest::Yours
        };
        Ok((outcome, Last::of(rest, self.slot, Kind::Empty)))
    }

    /// The same right, for who only gives it up: one copy of that for all types.
    #[inline]
    pub(crate) fn forget_type(self) -> Untyped<'e> {
        Untyped { slot: self.slot }
    }

    /// Makes a claimed slot keep a callback for this task.
    pub(crate) fn fill_callback<'c, F>(
        &self,
        vacancy: Vacancy<'c>,
        callback: F,
    ) -> Result<FilledCallback<'c, F>, (Vacancy<'c>, F)>
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
    {
        vacancy.callback::<F, T>(self.slot.mark(), callback)
    }
}

/// The right of a [`Receiver`] whose type is forgotten: it can only be given up.
#[must_use]
pub(crate) struct Untyped<'e> {
    slot: SlotRef<'e>,
}

impl<'e> Untyped<'e> {
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Gives up the right. `Some` if the task had ended and nobody else needs the slot.
    pub(crate) fn release(self) -> Option<Last<'e>> {
        match self.slot.state.drop_handle() {
            // Ours alone now: the kind is final.
            Rest::Yours => Some(Last {
                slot: self.slot,
                kind: self.slot.snapshot().kind(),
            }),
            // Somebody else's: not to be looked at any more (*Hands Off*).
            Rest::Needed => None,
        }
    }
}

/// The right to complete a task by hand (R4). Pins the slot.
#[must_use]
pub(crate) struct Promised<'e, T> {
    slot: SlotRef<'e>,
    /// Invariant: what goes in here is what comes out of the handle. Never borrowed: `T: Send`,
    /// which every constructor asks for, is enough to share it.
    outcome: PhantomData<fn(T) -> T>,
}

impl<'e, T: Send> Promised<'e, T> {
    /// Only right after the slot was published with a promise of a `T` (*Same Type*).
    pub(super) fn new(slot: SlotRef<'e>) -> Self {
        Self {
            slot,
            outcome: PhantomData,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.slot.snapshot()
    }

    /// Open → Running. What was there, if it is not open.
    pub(crate) fn set_running(&self) -> Result<(), Snapshot> {
        self.slot.state.open_to_running()
    }

    /// Writes the outcome, unless there is one already.
    pub(crate) fn complete(
        &self,
        outcome: Result<T, TaskError>,
    ) -> Result<Ending<'e>, Result<T, TaskError>> {
        if !self.slot.state.complete_promise() {
            return Err(outcome);
        }
        let kind = self.slot.with_mut(|bytes| match outcome {
            Ok(value) => {
                // SAFETY: Bytes by R4; they hold nothing; *Same Type*, checked to fit when the
                // promise was made.
                unsafe { job::write::<T>(bytes, value) };
                Kind::Value
            }
            Err(TaskError::Cancelled) => Kind::Cancelled,
            Err(error) => {
                // SAFETY: as above; `Room::new` checks that a `TaskError` fits.
                unsafe { job::write(bytes, error) };
                Kind::Error
            }
        });
        Ok(Ending {
            slot: self.slot,
            kind,
        })
    }

    /// Gives up the right. `Some` if the task had ended and nobody else needs the slot.
    pub(crate) fn release(self) -> Option<Last<'e>> {
        match self.slot.state.drop_promise() {
            // Ours alone now: the kind is final.
            Rest::Yours => Some(Last {
                slot: self.slot,
                kind: self.slot.snapshot().kind(),
            }),
            // Somebody else's: not to be looked at any more (*Hands Off*).
            Rest::Needed => None,
        }
    }
}
