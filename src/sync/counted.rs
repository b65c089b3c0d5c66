//! Loom's atomic word, which counts the steps that read it, change it and write it back. Between
//! processors such a step is what a task costs beside its instructions.
#![forbid(unsafe_code)]

use core::ops::Deref;
use std::cell::Cell;
use std::thread_local;

use loom::sync::atomic;

use super::Ordering;

thread_local! {
    // Loom runs the threads of a model in one of the system's.
    static STEPS: Cell<Steps> = const { Cell::new(Steps::NONE) };
}

/// What the threads of a model did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Atomic read-modify-writes, but for those of locks.
    pub(crate) changes: usize,
    /// Sections. A lock of a desktop takes a read-modify-write at each end.
    pub(crate) locks: usize,
}

impl Steps {
    const NONE: Self = Self {
        changes: 0,
        locks: 0,
    };
}

/// The steps since the last call.
#[cfg(all(loom, test))]
pub(crate) fn take_steps() -> Steps {
    STEPS.with(|steps| steps.replace(Steps::NONE))
}

fn count(change: impl FnOnce(&mut Steps)) {
    STEPS.with(|steps| {
        let mut counted = steps.get();
        change(&mut counted);
        steps.set(counted);
    });
}

/// Counts a section.
pub(super) fn count_lock() {
    count(|steps| steps.locks += 1);
}

/// A word. What only reads or only writes it is loom's own. No other atomic type of the crate's has
/// a step that does both.
#[derive(Debug)]
pub(crate) struct AtomicUsize(atomic::AtomicUsize);

macro_rules! counted {
    ($($change:ident)*) => {
        $(
            pub(crate) fn $change(&self, value: usize, order: Ordering) -> usize {
                count(|steps| steps.changes += 1);
                self.0.$change(value, order)
            }
        )*
    };
}

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        Self(atomic::AtomicUsize::new(value))
    }

    counted! { fetch_add fetch_sub fetch_or fetch_and fetch_xor }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: usize,
        new: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        count(|steps| steps.changes += 1);
        self.0.compare_exchange_weak(current, new, success, failure)
    }
}

impl Deref for AtomicUsize {
    type Target = atomic::AtomicUsize;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
