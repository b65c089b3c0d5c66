//! The desktop: atomics of the machine and a lock of std's. No critical-section
//! implementation is needed.
#![forbid(unsafe_code)]

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

use std::sync::{Mutex, PoisonError, TryLockError};

/// Tries this often before it asks the operating system to wait: the sections are
/// a few nanoseconds long, a futex wake costs thousands. (Measured beside it, see
/// `ARCHITECTURE.md`: `Mutex::lock` alone, a backoff that doubles, a spin lock that yields.)
const SPINS: u32 = 100;

/// How many ways there are into the ready queue beside its lock.
pub(crate) const LOCKLESS_WAYS: usize = 1;

/// A value on cache lines of its own: two, because processors fetch them in pairs.
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(super) T);

/// Nothing, where a cache line starts.
#[repr(align(64))]
pub(crate) struct LineStart;

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
}

impl<T: ?Sized> Lock<T> {
    /// Runs `section` while no other thread is inside this lock. What earlier
    /// sections wrote is visible to it.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        // Bound: SPINS; after that the operating system queues us.
        for _ in 0..SPINS {
            match self.0.try_lock() {
                Ok(guard) => return section(&guard),
                // Sections run no code that panics, and hold only `Cell`s: whatever is inside is
                // whole.
                Err(TryLockError::Poisoned(poisoned)) => return section(&poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => core::hint::spin_loop(),
            }
        }
        section(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
