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
use core::num::NonZeroUsize;
use core::task::Waker;

use crate::host::Park;

/// A thread or an async task to wake, or none.
///
/// The thread's number and the waker are never zero. So an empty cell is all zeroes, and the
/// compiler needs no tag where the host's token has no size.
pub(crate) enum Waiter<H: Park> {
    /// A thread of the host, or none.
    Thread(Option<HostThread<H>>),
    /// An async task of any executor.
    Waker(Waker),
}

/// A thread of the host, and the number that tells it from others.
pub(crate) struct HostThread<H: Park> {
    /// In a cell, so that the number alone tells "none": an enum has values to spare that are not
    /// zero.
    thread: Cell<H::Thread>,
    id: NonZeroUsize,
}

impl<H: Park> HostThread<H> {
    pub(crate) fn token(&mut self) -> &H::Thread {
        self.thread.get_mut()
    }
}

impl<H: Park> Waiter<H> {
    /// No waiter.
    pub(crate) const NONE: Self = Self::Thread(None);

    /// The calling thread.
    pub(crate) fn current() -> Self {
        Self::Thread(Some(HostThread {
            thread: Cell::new(H::current()),
            // A wrong host that says 0 has one thread.
            id: NonZeroUsize::new(H::current_id()).unwrap_or(NonZeroUsize::MAX),
        }))
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::Thread(None))
    }

    /// Returns true if both wake the same thread or task.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Thread(Some(left)), Self::Thread(Some(right))) => left.id == right.id,
            (Self::Waker(left), Self::Waker(right)) => left.will_wake(right),
            _ => false,
        }
    }
}

/// Room for one waiter. Lives inside a lock.
pub(crate) struct WaiterCell<H: Park>(Cell<Waiter<H>>);

impl<H: Park> WaiterCell<H> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(Waiter::NONE))
    }

    /// Puts a waiter in and returns the displaced one, for the *Baton*.
    #[must_use = "a displaced waiter must be woken"]
    pub(crate) fn put(&self, waiter: Waiter<H>) -> Waiter<H> {
        self.0.replace(waiter)
    }

    #[must_use = "the waiter must be woken"]
    pub(crate) fn take(&self) -> Waiter<H> {
        self.put(Waiter::NONE)
    }

    /// Takes `waiter` out again, if it is still there. The caller drops it outside the lock.
    pub(crate) fn remove(&self, waiter: &Waiter<H>) -> Waiter<H> {
        let there = self.take();
        if there.is(waiter) {
            return there;
        }
        // The cell was empty meanwhile.
        mem::forget(self.put(there));
        Waiter::NONE
    }

    /// A copy of the thread in the cell, which stays there; anything else is taken out.
    pub(crate) fn copy_thread_or_take(&self) -> Waiter<H> {
        /// Puts the thread back, also if the host's `clone` panics.
        struct PutBack<'c, H: Park>(&'c WaiterCell<H>, Waiter<H>);
        impl<H: Park> Drop for PutBack<'_, H> {
            fn drop(&mut self) {
                // The cell was empty meanwhile.
                mem::forget(self.0.put(mem::replace(&mut self.1, Waiter::NONE)));
            }
        }
        let mut there = PutBack(self, self.take());
        let Waiter::Thread(Some(host)) = &mut there.1 else {
            return mem::replace(&mut there.1, Waiter::NONE);
        };
        Waiter::Thread(Some(HostThread {
            thread: Cell::new(host.token().clone()),
            id: host.id,
        }))
    }
}
