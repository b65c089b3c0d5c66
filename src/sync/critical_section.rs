//! Boards, and the desktop when it tests what boards run: a critical section as the lock,
//! atomics that work on cores without compare-and-swap.
//!
//! `unsafe` here: one line, that a value only reachable inside the critical section may be
//! shared. `critical_section::Mutex` says the same, but cannot hold an unsized value, and one copy
//! of the code for every capacity needs that.

pub(crate) use portable_atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

/// How many ways there are into the ready queue beside its lock: none is as short as a critical
/// section.
pub(crate) const LOCKLESS_WAYS: usize = 0;

/// A value on cache lines of its own, where processors fight for them: not here.
pub(crate) struct Apart<T>(pub(super) T);

/// Nothing, where a cache line starts if that matters: not here.
pub(crate) struct LineStart;

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(T);

// SAFETY: the value is reachable only through `Lock::with`, inside a critical section, so at most
// one thread at a time has a reference to it; `Send` lets it be used from whichever that is.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: ?Sized> Lock<T> {
    /// Runs `section` with interrupts off (or whatever the binary's critical section is). What
    /// earlier sections wrote is visible to it.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        critical_section::with(|_| section(&self.0))
    }
}
