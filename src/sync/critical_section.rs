//! Boards, and the desktop when it tests what boards run: the lock is a critical section, and the
//! atomics also work on cores without compare-and-swap.
//!
//! `unsafe` here: one line. Threads may share a value that is only reachable inside the critical
//! section. `critical_section::Mutex` says the same, but it cannot hold an unsized value. One copy
//! of the code for all capacities needs that.

pub(crate) use portable_atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

/// A value on cache lines of its own, where processors compete for them. Boards pad nothing.
pub(crate) struct CachePadded<T>(pub(super) T);

/// A field that begins a cache line, where that matters. Boards align nothing.
pub(crate) struct CacheAligned;

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(T);

// SAFETY: the value is reachable only through `Lock::with`, inside a critical section. So at most
// one thread at a time has a reference to it, and `Send` lets each thread in turn use it.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: ?Sized> Lock<T> {
    /// Runs `section` with interrupts off, or in the binary's own kind of critical section. The
    /// section sees what earlier sections wrote.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        critical_section::with(|_| section(&self.0))
    }
}
