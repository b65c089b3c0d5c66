//! The outcomes of tasks, counted.

use core::ops::AddAssign;

use slotted::Stats;

use crate::faults;

/// How many tasks ended how.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Closures and futures that ended with a value.
    pub(crate) ran: usize,
    pub(crate) panicked: usize,
    /// Cancelled before the start, or, if they are futures, between two polls.
    pub(crate) cancelled: usize,
    pub(crate) refused: usize,
    pub(crate) items: Items,
    pub(crate) promises: Promises,
    pub(crate) callbacks: Callbacks,
}

/// Items of maps and of chunks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Items {
    pub(crate) ran: usize,
    pub(crate) panicked: usize,
    /// Dropped before the start: cancelled, or refused.
    pub(crate) dropped: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Promises {
    pub(crate) completed: usize,
    pub(crate) cancelled: usize,
    /// Dropped without an outcome.
    pub(crate) broken: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Callbacks {
    pub(crate) ran: usize,
    pub(crate) panicked: usize,
    pub(crate) refused: usize,
}

impl Tally {
    /// All that ended in the executor: what the rate of the summary counts.
    pub(crate) fn ended(&self) -> usize {
        let items = self.items.ran + self.items.panicked + self.items.dropped;
        let promises = self.promises.completed + self.promises.cancelled + self.promises.broken;
        self.ran + self.panicked + self.cancelled + items + promises
    }

    /// Compares the ledger with the executor's own figures of the same life.
    ///
    /// An item may be no task of its own: a chunk is one, and a worker runs an item of a full
    /// executor itself. So items leave a figure some room.
    pub(crate) fn compare(&self, name: &str, before: &Stats, after: &Stats) {
        let items = self.items.ran + self.items.panicked;
        let figures = [
            (
                "completed",
                before.completed,
                after.completed,
                self.ran + self.panicked + self.promises.completed,
                items,
            ),
            (
                "cancelled",
                before.cancelled,
                after.cancelled,
                self.cancelled + self.promises.cancelled,
                self.items.dropped,
            ),
            (
                "panicked",
                before.panicked,
                after.panicked,
                self.panicked,
                self.items.panicked,
            ),
            (
                "callbacks_panicked",
                before.callbacks_panicked,
                after.callbacks_panicked,
                self.callbacks.panicked,
                0,
            ),
        ];
        for (figure, before, after, least, room) in figures {
            let counted = after.wrapping_sub(before);
            if !(least..=least + room).contains(&counted) {
                faults::report(&format_args!(
                    "`{name}`: stats count {counted} {figure}, the ledger {least} to {}",
                    least + room
                ));
            }
        }
        for (figure, left) in [
            ("slots in use", after.slots_in_use),
            ("tasks queued", after.queued),
            ("tasks running", after.running),
        ] {
            if left > 0 {
                faults::report(&format_args!("`{name}`: {left} {figure} after a life"));
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.ran += other.ran;
        self.panicked += other.panicked;
        self.cancelled += other.cancelled;
        self.refused += other.refused;
        self.items.ran += other.items.ran;
        self.items.panicked += other.items.panicked;
        self.items.dropped += other.items.dropped;
        self.promises.completed += other.promises.completed;
        self.promises.cancelled += other.promises.cancelled;
        self.promises.broken += other.promises.broken;
        self.callbacks.ran += other.callbacks.ran;
        self.callbacks.panicked += other.callbacks.panicked;
        self.callbacks.refused += other.callbacks.refused;
    }
}
