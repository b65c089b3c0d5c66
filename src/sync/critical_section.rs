//! Boards, and the desktop when it tests what boards run: a critical section as the lock,
//! atomics that work on cores without compare-and-swap.
//!
//! `unsafe` here: one line, that a value only reachable inside the critical section may be
//! shared. `critical_section::Mutex` says the same, but cannot hold an unsized value, and one copy of the
//! code for every capacity needs that.

pub(crate) use portable_atomic::{AtomicPtr, AtomicU16, AtomicUsize, Ordering};

/// Mutual exclusion for a bounded number of steps. See *Short Lock* and *Shared Inside*.
pub(crate) struct Lock<T: ?Sized>(T);

// SAFETY: the value is reachable only through `Lock::with`, inside a critical section, so at most one
// thread at a time has a reference to it; `Send` lets it be used from whichever that is.
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

/// Interior mutability with loom's signatures.
pub(crate) struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// Lends the pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// An array built from one expression, in a constant.
macro_rules! array {
    ($length:expr, $element:expr) => {
        [const { $element }; $length]
    };
}
pub(crate) use array;

/// `const` everywhere but under loom, whose objects register themselves when made.
macro_rules! const_fn {
    ($(#[$meta:meta])* $visibility:vis const fn $($rest:tt)*) => {
        $(#[$meta])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;
