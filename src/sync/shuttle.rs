//! The world of seeded schedules. Every step on an atomic, a lock or a cell is a point at which the
//! scheduler may choose another thread, so that a program has millions of reproducible schedules.
//!
//! All orderings are as `SeqCst` here: loom and Miri look for what weaker ones allow.
#![forbid(unsafe_code)]

pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

use shuttle::sync::Mutex;
use shuttle::sync::atomic::AtomicIsize;

/// A value on cache lines of its own, where processors compete for them. Schedules pad nothing.
pub(crate) struct CachePadded<T>(pub(super) T);

/// A field that begins a cache line, where that matters. Schedules align nothing.
pub(crate) struct CacheAligned;

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
}

impl<T: ?Sized> Lock<T> {
    /// Runs `section` while no other thread is inside this lock.
    pub(crate) fn with<R>(&self, section: impl FnOnce(&T) -> R) -> R {
        section(&self.0.lock().expect("sections do not panic"))
    }
}

/// Interior mutability: other threads have a chance to run within each access, and panic if they
/// access the cell meanwhile.
pub(crate) struct UnsafeCell<T: ?Sized> {
    /// How many threads read it; -1 if one writes.
    accesses: AtomicIsize,
    value: core::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            accesses: AtomicIsize::new(0),
            value: core::cell::UnsafeCell::new(value),
        }
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the pointer for reading.
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        let others = self.accesses.fetch_add(1, Ordering::SeqCst);
        assert!(others >= 0, "a thread reads what another one writes");
        let result = access(self.value.get());
        self.accesses.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Lends the pointer for writing.
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        let others = self.accesses.swap(-1, Ordering::SeqCst);
        assert!(others == 0, "a thread writes what another one accesses");
        let result = access(self.value.get());
        self.accesses.store(0, Ordering::SeqCst);
        result
    }
}
