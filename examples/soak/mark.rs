//! The identity of one task, and what has happened to it.

use crate::faults;
use crate::ledger::Ledger;

/// What can happen to a task, or be true of it. Each is a bit of the task's entry in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Event {
    /// The executor accepted it.
    Accepted = 1 << 0,
    /// The executor refused it.
    Refused = 1 << 1,
    /// It has started.
    Started = 1 << 2,
    /// It has a value, or a panic's payload.
    ValueMade = 1 << 3,
    /// The value is that of a panic.
    Panicked = 1 << 4,
    /// Its closure or future is gone.
    TaskDropped = 1 << 5,
    /// Its value, or the payload of its panic, is gone.
    ValueDropped = 1 << 6,
    /// A promise has taken its value.
    Completed = 1 << 7,
    /// A canceller was told that it is cancelled.
    Cancelled = 1 << 8,
    /// It is a future, so a canceller can end it after its start.
    IsFuture = 1 << 9,
    /// It is an item of a map or a chunk of a slice. The submitter does not know if a task was made
    /// of it before a shutdown.
    IsItem = 1 << 10,
    /// It is a callback.
    IsCallback = 1 << 11,
    /// It is a promise.
    IsPromise = 1 << 12,
    /// Its handle gave a value.
    SawValue = 1 << 13,
    /// Its handle gave a panic.
    SawPanic = 1 << 14,
    /// Its handle said that it is cancelled.
    SawCancelled = 1 << 15,
    /// Its handle said that its promise is gone.
    SawBroken = 1 << 16,
    /// It is an item that may have no task of its own: one of several in a chunk, or one that its
    /// submitter may run itself.
    IsLoose = 1 << 17,
}

/// One task's identity: its entry in the ledger of its executor.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) ledger: &'static Ledger,
    pub(crate) index: u32,
}

impl Mark {
    /// Notes what may happen once. The second time is a fault.
    pub(crate) fn note(self, event: Event) {
        if self.ledger.set(self.index, event) {
            faults::report(&format_args!(
                "task {} of `{}`: {event:?} a second time",
                self.index, self.ledger.name
            ));
        }
    }

    /// Notes what several callers may see or cause.
    pub(crate) fn note_again(self, event: Event) {
        self.ledger.set(self.index, event);
    }
}
