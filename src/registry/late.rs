//! Functions that are known only once somebody needs them.
//!
//! What completes a task must be able to call callbacks, wake waiters and feed groups; but in a
//! program that never waits, nobody listens, and the code for it need not be there. So whoever
//! listens leaves the function that serves listeners in a [`Late`], and whoever completes calls
//! what it finds there. A linker then drops what no call can reach.
//!
//! `unsafe` here: a function pointer in an atomic.

use core::marker::PhantomData;
use core::mem::size_of;

use super::Registry;
use crate::host::Park;
use crate::slot::{Ending, Last, Running, SlotRef};
use crate::sync::{AtomicPtr, Ordering, const_fn};

/// A pointer to a function.
///
/// # Safety
///
/// - The implementor is a function pointer type. A pair of them, say, would be read beyond its end.
pub(crate) unsafe trait Function: Copy {
    fn address(self) -> *mut ();
}

/// Room for a function.
pub(crate) struct Late<F: Function> {
    address: AtomicPtr<()>,
    function: PhantomData<F>,
}

impl<F: Function> Late<F> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { address: AtomicPtr::new(core::ptr::null_mut()), function: PhantomData }
        }
    }
}

impl<F: Function> Late<F> {
    /// Leaves the function. It is always the same one.
    ///
    /// Relaxed: whoever makes it needed tells so by another word, which publishes it.
    pub(crate) fn set(&self, function: F) {
        if self.address.load(Ordering::Relaxed).is_null() {
            self.address.store(function.address(), Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut ()>()) };
        let address = self.address.load(Ordering::Relaxed);
        // SAFETY: the address of an `F`, by `set`, and an `F` is nothing else (`Function`).
        (!address.is_null()).then(|| unsafe { core::mem::transmute_copy::<*mut (), F>(&address) })
    }
}

/// Something happens to a slot that somebody listens to.
pub(crate) enum Heard<'e> {
    /// Its task ends.
    End(Ending<'e>),
    /// Its handle is dropped.
    Drop(SlotRef<'e>),
}

/// Serves the listeners of a slot.
pub(crate) type Serve<H> = for<'e> fn(Registry<'e, H>, Heard<'e>) -> Option<Last<'e>>;

// SAFETY: a function pointer.
unsafe impl<H: Park> Function for Serve<H> {
    fn address(self) -> *mut () {
        self as *mut ()
    }
}

/// What becomes of a task of a scope.
pub(crate) enum Scoped<'l, 'e> {
    /// It has ended, and nothing touches any more what it borrowed.
    Ended,
    /// Its outcome, an error, is about to be dropped.
    Failed(&'l mut Last<'e>),
}

/// Tells a scope of its tasks.
///
/// # Safety
///
/// - The pointer is that of a scope's tally, which is there and, if the task has ended, still
///   counts it.
pub(crate) type Tend<H> = for<'r, 'l, 'e> unsafe fn(Registry<'r, H>, *mut (), Scoped<'l, 'e>);

// SAFETY: a function pointer.
unsafe impl<H: Park> Function for Tend<H> {
    fn address(self) -> *mut () {
        self as *mut ()
    }
}

/// A step in a future's life.
pub(crate) enum Step<'e> {
    /// It was polled and is not ready.
    Rests(Running<'e>),
    /// It is done.
    Ended,
}

/// Does what is to be done about a future.
pub(crate) type Attend<H> = for<'e> fn(Registry<'e, H>, Step<'e>);

// SAFETY: a function pointer.
unsafe impl<H: Park> Function for Attend<H> {
    fn address(self) -> *mut () {
        self as *mut ()
    }
}
