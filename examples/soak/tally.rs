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
    /// Those that may have no task of their own.
    pub(crate) loose_items: Items,
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

/// How a life ended.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The submitters had left, and all tasks had ended.
    Dry,
    /// A shutdown met submitters and tasks.
    Sudden,
}

impl Items {
    fn all(&self) -> usize {
        self.ran + self.panicked + self.dropped
    }
}

impl AddAssign for Items {
    fn add_assign(&mut self, other: Self) {
        self.ran += other.ran;
        self.panicked += other.panicked;
        self.dropped += other.dropped;
    }
}

impl Tally {
    /// All that ended in the executor: what the rate of the summary counts.
    pub(crate) fn ended(&self) -> usize {
        let items = self.items.all() + self.loose_items.all();
        let promises = self.promises.completed + self.promises.cancelled + self.promises.broken;
        self.ran + self.panicked + self.cancelled + items + promises
    }

    /// Compares the ledger with the executor's own figures of the same life.
    ///
    /// Loose items leave the figures some room. A strict life has none, so nothing hides there.
    pub(crate) fn compare(&self, name: &str, before: &Stats, after: &Stats, end: End) {
        let (items, loose) = (&self.items, &self.loose_items);
        // An item that a shutdown refuses is dropped too.
        let (cancelled, may_be_refused) = match end {
            End::Dry => (items.dropped, 0),
            End::Sudden => (0, items.dropped),
        };
        let figures = [
            (
                "completed",
                before.completed,
                after.completed,
                self.ran + self.panicked + self.promises.completed + items.ran + items.panicked,
                loose.ran + loose.panicked,
            ),
            (
                "cancelled",
                before.cancelled,
                after.cancelled,
                self.cancelled + self.promises.cancelled + cancelled,
                loose.dropped + may_be_refused,
            ),
            (
                "panicked",
                before.panicked,
                after.panicked,
                self.panicked + items.panicked,
                loose.panicked,
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
        self.items += other.items;
        self.loose_items += other.loose_items;
        self.promises.completed += other.promises.completed;
        self.promises.cancelled += other.promises.cancelled;
        self.promises.broken += other.promises.broken;
        self.callbacks.ran += other.callbacks.ran;
        self.callbacks.panicked += other.callbacks.panicked;
        self.callbacks.refused += other.callbacks.refused;
    }
}
