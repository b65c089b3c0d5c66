//! The model checker's world. Every atomic, lock and cell is loom's, so that loom tries every
//! interleaving of a model.
#![forbid(unsafe_code)]

pub(crate) use loom::cell::UnsafeCell as LoomCell;
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU16, Ordering};

use loom::sync::Mutex;

#[path = "counted.rs"]
mod counted;

pub(crate) use counted::AtomicUsize;
#[cfg(all(loom, test))]
pub(crate) use counted::{Steps, take_steps};

/// A value on cache lines of its own, where processors compete for them. Models pad nothing.
pub(crate) struct CachePadded<T>(pub(super) T);

/// A field that begins a cache line, where that matters. Models align nothing.
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
        counted::count_lock();
        section(&self.0.lock().expect("sections do not panic"))
    }
}

/// Interior mutability: loom checks each access.
pub(crate) struct UnsafeCell<T: ?Sized>(LoomCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(LoomCell::new(value))
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the pointer for reading.
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        self.0.with(access)
    }

    /// Lends the pointer for writing.
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(access)
    }
}
