//! A critical section in which the test can stop a thread: before its n-th section.

use core::cell::{Cell, RefCell};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

use critical_section::RawRestoreState;

struct Injected;
critical_section::set_impl!(Injected);

static OWNER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

std::thread_local! {
    static SELF: u8 = const { 0 };
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    static THEN: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// The calling thread does `then` before it enters its `n`th section from now, counted from 0.
pub(crate) fn before_section(n: u32, then: impl FnOnce() + 'static) {
    THEN.set(Some(Box::new(then)));
    LEFT.set(Some(n));
}

/// Forgets what was to be done; returns whether it has been done.
pub(crate) fn was_reached() -> bool {
    LEFT.set(None);
    THEN.take().is_none()
}

fn id() -> *mut u8 {
    SELF.with(|own| ptr::from_ref(own).cast_mut())
}

// SAFETY: a spin lock that knows its owner: one thread at a time, which may enter again.
unsafe impl critical_section::Impl for Injected {
    unsafe fn acquire() -> RawRestoreState {
        if OWNER.load(Ordering::Relaxed) == id() {
            return true;
        }
        match LEFT.try_with(Cell::get).ok().flatten() {
            Some(0) => {
                LEFT.set(None);
                if let Some(then) = THEN.take() {
                    then();
                }
            }
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
        while OWNER
            .compare_exchange_weak(ptr::null_mut(), id(), Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            thread::yield_now();
        }
        false
    }

    unsafe fn release(entered_again: RawRestoreState) {
        if !entered_again {
            OWNER.store(ptr::null_mut(), Ordering::Release);
        }
    }
}
