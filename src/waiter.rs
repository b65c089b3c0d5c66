//! A waiter, and the cell that holds one.
//!
//! Invariant **Baton**: a waiter that finds its cell taken puts itself in, keeps the displaced
//! waiter, and wakes it when it leaves. So every sleeping waiter is either in a cell or kept by a
//! waiter that will wake it. Any number of threads may wait for one thing.
//!
//! Invariant **Notice**: a completer that takes a thread out of a cell raises the executor's count
//! of notices, and then unparks the thread. So does a waiter that wakes what it displaced, unless
//! the count has been raised since. A thread that wakes, and finds the count as it was before it
//! registered, is in its cell or kept as before, and sleeps on. So waiters that displaced each
//! other do not keep each other awake: each leaves its cell at most once for a notice. The count
//! wraps: a thread would sleep over a notice if exactly as many as a word holds came with it.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::mem;
use core::task::Waker;

use crate::host::Park;

/// A thread or an async task to wake, or none.
///
/// `None` is a variant with tag 0, rather than `Option`, so that an empty cell is all zeroes.
#[repr(u8)]
pub(crate) enum Waiter<H: Park> {
    None = 0,
    /// A thread of the host, with the number that tells it from others.
    Thread {
        thread: H::Thread,
        id: usize,
    },
    /// An async task of any executor.
    Waker(Waker),
}

impl<H: Park> Waiter<H> {
    /// The calling thread.
    pub(crate) fn current() -> Self {
        Self::Thread {
            thread: H::current(),
            id: H::current_id(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns true if both wake the same thread or task.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Thread { id: left, .. }, Self::Thread { id: right, .. }) => left == right,
            (Self::Waker(left), Self::Waker(right)) => left.will_wake(right),
            _ => false,
        }
    }
}

/// Room for one waiter. Lives inside a lock.
pub(crate) struct WaiterCell<H: Park>(Cell<Waiter<H>>);

impl<H: Park> WaiterCell<H> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(Waiter::None))
    }

    /// Puts a waiter in and returns the displaced one, for the *Baton*.
    #[must_use = "a displaced waiter must be woken"]
    pub(crate) fn put(&self, waiter: Waiter<H>) -> Waiter<H> {
        self.0.replace(waiter)
    }

    #[must_use = "the waiter must be woken"]
    pub(crate) fn take(&self) -> Waiter<H> {
        self.put(Waiter::None)
    }

    /// Takes `waiter` out again, if it is still there. The caller drops it outside the lock.
    pub(crate) fn remove(&self, waiter: &Waiter<H>) -> Waiter<H> {
        let there = self.take();
        if there.is(waiter) {
            return there;
        }
        // The cell was empty meanwhile.
        mem::forget(self.put(there));
        Waiter::None
    }

    /// A copy of the thread in the cell, which stays there; anything else is taken out.
    pub(crate) fn copy_thread_or_take(&self) -> Waiter<H> {
        /// Puts the thread back, also if the host's `clone` panics.
        struct PutBack<'c, H: Park>(&'c WaiterCell<H>, Waiter<H>);
        impl<H: Park> Drop for PutBack<'_, H> {
            fn drop(&mut self) {
                // The cell was empty meanwhile.
                mem::forget(self.0.put(mem::replace(&mut self.1, Waiter::None)));
            }
        }
        let there = PutBack(self, self.take());
        let Waiter::Thread { thread, id } = &there.1 else {
            let mut there = there;
            return mem::replace(&mut there.1, Waiter::None);
        };
        let (thread, id) = (thread.clone(), *id);
        Waiter::Thread { thread, id }
    }
}
