//! The lock of a line: std's, or a critical section on boards; loom's where loom checks the models.

/// A value that one thread at a time reaches.
pub(crate) struct Lock<T>(imp::Inner<T>);

impl<T> Lock<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self(imp::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(imp::new(value))
    }

    /// Calls `act` inside the lock. `act` calls no foreign code.
    #[inline]
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        imp::with(&self.0, act)
    }
}

#[cfg(loom)]
mod imp {
    pub(super) type Inner<T> = loom::sync::Mutex<T>;

    pub(super) fn new<T>(value: T) -> Inner<T> {
        Inner::new(value)
    }

    pub(super) fn with<T, R>(lock: &Inner<T>, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut lock.lock().unwrap())
    }
}

#[cfg(all(feature = "std", not(loom)))]
mod imp {
    use std::sync::PoisonError;

    pub(super) type Inner<T> = std::sync::Mutex<T>;

    pub(super) const fn new<T>(value: T) -> Inner<T> {
        Inner::new(value)
    }

    pub(super) fn with<T, R>(lock: &Inner<T>, act: impl FnOnce(&mut T) -> R) -> R {
        // Nothing panics inside; a table that was left half changed would still be a table.
        act(&mut lock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(all(not(feature = "std"), not(loom)))]
mod imp {
    use core::cell::RefCell;

    use critical_section::Mutex;

    pub(super) type Inner<T> = Mutex<RefCell<T>>;

    pub(super) const fn new<T>(value: T) -> Inner<T> {
        Mutex::new(RefCell::new(value))
    }

    pub(super) fn with<T, R>(lock: &Inner<T>, act: impl FnOnce(&mut T) -> R) -> R {
        critical_section::with(|section| act(&mut lock.borrow_ref_mut(section)))
    }
}
