//! What a case counts: the items that were made and dropped.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{catch_unwind, panic_any};
use std::sync::Arc;

use crate::case::Item;

/// How many of each item were made and dropped.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) made: [AtomicUsize; 4],
    pub(crate) dropped: [AtomicUsize; 4],
}

impl Ledger {
    pub(crate) fn of(counts: &[AtomicUsize; 4], item: Item) -> usize {
        counts[item as usize].load(Ordering::SeqCst)
    }

    pub(crate) fn alive(&self, item: Item) -> usize {
        Self::of(&self.made, item) - Self::of(&self.dropped, item)
    }
}

/// An item whose drop is counted and may panic.
pub(crate) struct Tracked {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) item: Item,
    pub(crate) drop_panics: bool,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let before = self.ledger.dropped[self.item as usize].fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "{:?} dropped twice", self.item);
        if self.drop_panics {
            panic_any(Expected);
        }
    }
}

/// Thrown by destructors that panic.
struct Expected;

/// Thrown by tasks that panic.
pub(crate) struct Payload {
    pub(crate) _tracked: Tracked,
}

/// Returns true for the payloads of panics that the suite asks for.
pub(crate) fn is_expected(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Expected>() || payload.is::<Payload>()
}

/// Drops a value that the test owns, and that may panic on drop.
pub(crate) fn drop_ours<T>(ours: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(ours))) {
        assert!(payload.is::<Expected>(), "only expected panics");
    }
}
