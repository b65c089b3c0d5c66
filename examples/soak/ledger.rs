//! What has happened to each task of one life of an executor.
//!
//! A table of fixed size has an entry for each task. At the end of a life an auditor judges every
//! entry by itself. So a task that ran twice does not hide one that never ran.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::mark::{Event, Mark};
use crate::tally::Tally;
use crate::verdict::judge;

/// So many tasks there are in a life at most. A submitter that finds no entry asks for its end.
const ENTRIES: usize = 1 << 18;

pub(crate) struct Ledger {
    /// The name of the executor.
    pub(crate) name: &'static str,
    used: AtomicUsize,
    entries: [AtomicU32; ENTRIES],
}

impl Ledger {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            used: AtomicUsize::new(0),
            entries: [const { AtomicU32::new(0) }; ENTRIES],
        }
    }

    /// Gives an identity to a new task. `None`: the table is full.
    pub(crate) fn identify(&'static self) -> Option<Mark> {
        let index = self.used.fetch_add(1, Ordering::Relaxed);
        (index < ENTRIES).then_some(Mark {
            ledger: self,
            index: index as u32,
        })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used() == ENTRIES
    }

    /// Notes an event. Returns true if it was noted before.
    pub(crate) fn set(&self, index: u32, event: Event) -> bool {
        let bit = event as u32;
        self.entries[index as usize].fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    /// Judges every entry and counts the outcomes. The caller knows that no thread has a task.
    pub(crate) fn audit(&self) -> Tally {
        let mut tally = Tally::default();
        for (index, entry) in self.entries[..self.used()].iter().enumerate() {
            judge(self.name, index, entry.load(Ordering::Relaxed), &mut tally);
        }
        tally
    }

    /// Makes room for the next life.
    pub(crate) fn clear(&self) {
        self.clear_first(self.used());
    }

    /// Writes to the whole table, so that all of its memory is resident.
    pub(crate) fn touch(&self) {
        self.clear_first(ENTRIES);
    }

    fn clear_first(&self, count: usize) {
        for entry in &self.entries[..count] {
            entry.store(0, Ordering::Relaxed);
        }
        self.used.store(0, Ordering::Relaxed);
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed).min(ENTRIES)
    }
}
