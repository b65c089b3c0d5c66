//! The desktop: the machine's atomics and a lock of std's. It needs no critical-section
//! implementation.
#![forbid(unsafe_code)]

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

use std::sync::{Mutex, PoisonError, TryLockError};

/// A thread tries this often before it asks the operating system to wait. A section takes a few
/// nanoseconds, a futex wake takes thousands. The architecture page has the other measurements.
const SPINS: u32 = 100;

/// A value on cache lines of its own: two lines, because processors fetch them in pairs.
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(super) T);

/// A field that begins a cache line.
#[repr(align(64))]
pub(crate) struct CacheAligned;

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
}

impl<T: ?Sized> Lock<T> {
    /// Runs `section` while no other thread is inside this lock. The section sees what earlier
    /// sections wrote.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        // Bound: SPINS. After that the operating system queues the thread.
        for _ in 0..SPINS {
            match self.0.try_lock() {
                Ok(guard) => return section(&guard),
                // Sections run no code that panics, and they hold only `Cell`s: the value is whole.
                Err(TryLockError::Poisoned(poisoned)) => return section(&poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => core::hint::spin_loop(),
            }
        }
        section(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
