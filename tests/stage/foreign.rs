//! Help for tests whose tasks panic on purpose.

use core::any::Any;
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// Keeps the expected panics out of the output. Each test program has one kind of them.
pub(crate) fn hide_panics(is_expected: fn(&(dyn Any + Send)) -> bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_expected(info.payload()) {
                loud(info);
            }
        }));
    });
}

/// Locks a mutex that a panicking task may have poisoned.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
