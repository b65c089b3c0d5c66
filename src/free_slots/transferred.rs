//! Slots come back without the lock, with one compare-and-swap: on a desktop a contended lock costs
//! more than the rest of a task.
#![forbid(unsafe_code)]

use crate::list::{Index, Link, TransferStack};
use crate::sync::const_fn;

/// Slots that came back and are not on the free stack yet.
pub(super) struct Returned(TransferStack);

impl Returned {
    /// True if slots come back without the lock.
    pub(super) const IS_OPEN: bool = true;

    const_fn! {
        pub(super) const fn new() -> Self {
            Self(TransferStack::new())
        }
    }

    /// Pushes a slot that is in no list. Returns true if a waiter stands in line.
    #[inline]
    pub(super) fn push(&self, link: &Link, index: Index) -> bool {
        self.0.push(link, index)
    }

    /// Takes all slots, linked by `next`, and returns the top, as an index plus one.
    #[inline]
    pub(super) fn take_all(&self) -> u16 {
        self.0.take_all()
    }

    /// From now on a push says that a waiter stands in line. Lock held.
    pub(super) fn set_wake_flag(&self) {
        self.0.set_wake_flag();
    }

    /// No waiter stands in line any more. Lock held.
    pub(super) fn clear_wake_flag(&self) {
        self.0.clear_wake_flag();
    }
}
