//! The desktop: the machine's atomics and a lock of std's. It needs no critical-section
//! implementation.
#![forbid(unsafe_code)]

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

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
    #[inline(always)]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        let guard = match self.0.try_lock() {
            Ok(guard) => guard,
            // Sections run no code that panics, and they hold only `Cell`s: the value is whole.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => self.wait(),
        };
        section(&guard)
    }

    /// Takes the lock, which another thread had.
    #[cold]
    fn wait(&self) -> MutexGuard<'_, T> {
        // Bound: SPINS. After that the operating system queues the thread.
        for _ in 0..SPINS {
            core::hint::spin_loop();
            match self.0.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;

    use super::Lock;

    /// The host's part of a section may panic: the clone of a thread token.
    #[test]
    fn a_lock_whose_section_panicked_still_keeps_threads_apart() {
        let lock = Lock::new(Cell::new(0));
        let unwound = catch_unwind(AssertUnwindSafe(|| lock.with(|_| panic!("in a section"))));
        assert!(unwound.is_err());
        let rounds = if cfg!(miri) { 100 } else { 20_000 };
        let count = || (0..rounds).for_each(|_| lock.with(|count| count.set(count.get() + 1)));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(count);
            }
        });
        assert_eq!(lock.with(Cell::get), 4 * rounds);
    }
}
