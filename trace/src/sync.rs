//! The only place that names atomics and locks: those of the machine, a critical section on boards,
//! and loom's where loom checks the models.

use core::cell::Cell;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use portable_atomic::{AtomicUsize, Ordering, fence};

// Counters and constants, each by itself: no model needs to see them.
#[cfg(not(loom))]
pub(crate) use portable_atomic::{AtomicPtr, AtomicU32};

/// A value that one thread at a time reaches. It is made of `Cell`s.
///
/// With `std` it is std's mutex; otherwise a critical section, so that interrupts may enter. What
/// runs inside calls nothing that a user or a host wrote, takes a bounded number of steps, and does
/// not panic.
pub(crate) struct Lock<T>(imp::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        imp::with(&self.0, section)
    }
}

/// One more.
#[inline(always)]
pub(crate) fn increment(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

#[cfg(feature = "std")]
mod imp {
    use std::sync::PoisonError;

    pub(super) use std::sync::Mutex;

    #[inline(always)]
    pub(super) fn with<T, R>(lock: &Mutex<T>, section: impl FnOnce(&T) -> R) -> R {
        section(&lock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    pub(super) use critical_section::Mutex;

    #[inline(always)]
    pub(super) fn with<T, R>(lock: &Mutex<T>, section: impl FnOnce(&T) -> R) -> R {
        critical_section::with(|token| section(lock.borrow(token)))
    }
}
