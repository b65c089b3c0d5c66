//! Slots come back inside the lock: on boards nothing is shorter than a critical section.
#![forbid(unsafe_code)]

use crate::list::{Index, Link, NONE};

/// What is not on the free stack yet: nothing.
pub(super) struct Returned;

impl Returned {
    /// True if slots come back without the lock.
    pub(super) const IS_OPEN: bool = false;

    pub(super) const fn new() -> Self {
        Self
    }

    /// Not called: the slot goes to the free stack.
    #[inline(always)]
    pub(super) fn push(&self, _link: &Link, _index: Index) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn take_all(&self) -> u16 {
        NONE
    }

    #[inline(always)]
    pub(super) fn set_wake_flag(&self) {}

    #[inline(always)]
    pub(super) fn clear_wake_flag(&self) {}
}
