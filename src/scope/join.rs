//! Two closures that may run at once: the second is on offer to the workers.
//!
//! A scope has at most as many closures on offer as the executor has workers. While so many wait,
//! an idle worker finds one, and a further offer would only cost its slot. So most joins of a
//! recursion call their closures one after the other.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::{Scope, scope};
use crate::blocking::is_unstarted;
use crate::host::Park;
use crate::sync::{AtomicUsize, Lock, Ordering};
use crate::unwind;

/// The second closure of a join, and later its result. It lives on the stack of the joining thread.
struct Offer<'s, B, R> {
    closure: Lock<Cell<Option<B>>>,
    result: Lock<Cell<Option<R>>>,
    /// How many closures of the scope are on offer.
    offers: &'s AtomicUsize,
}

impl<'s, B: FnOnce() -> R, R> Offer<'s, B, R> {
    fn new(closure: B, offers: &'s AtomicUsize) -> Self {
        offers.fetch_add(1, Ordering::Relaxed); // a hint for later joins, not a signal
        Self {
            closure: Lock::new(Cell::new(Some(closure))),
            result: Lock::new(Cell::new(None)),
            offers,
        }
    }

    /// Takes the closure, if no thread did before.
    fn take(&self) -> Option<B> {
        let closure = self.closure.with(Cell::take);
        if closure.is_some() {
            self.offers.fetch_sub(1, Ordering::Relaxed);
        }
        closure
    }

    /// Runs the closure, if no thread took it before.
    fn run(&self) {
        if let Some(closure) = self.take() {
            let result = closure();
            self.result.with(|place| place.set(Some(result)));
        }
    }
}

impl<const WINDOW: usize, const SLOT_BYTES: usize, H: Park> Scope<'_, '_, WINDOW, SLOT_BYTES, H> {
    /// Runs two closures, perhaps at the same time, and returns both results.
    ///
    /// The calling thread runs `a`. Meanwhile `b` is on offer to the workers, in a slot. If none
    /// has taken `b` by the end of `a`, the calling thread takes it back and runs it too.
    ///
    /// `b` is not offered if it cannot help: no slot is free, the executor takes no tasks or has no
    /// workers, or as many closures of the scope are on offer as there are workers. Then the
    /// calling thread runs `a`, then `b`. So a join never fails, and a recursion needs few slots.
    ///
    /// Closures and results may be of any size: they stay on the stack of the calling thread, and
    /// the slot holds a pointer. A scope may be shared with other threads, so closures may join in
    /// turn.
    ///
    /// # Blocking
    ///
    /// If a worker took `b`, until `b` has ended. Meanwhile a calling worker runs no other task.
    ///
    /// Neither closure may wait for something that the other one does: they may run one after the
    /// other in the same thread.
    ///
    /// # Panics
    ///
    /// If `a` or `b` panics, when both are over. If `a` panics, a `b` that no worker took is
    /// dropped. If both panic, with the panic of `a`.
    ///
    /// # Cost
    ///
    /// Some ten instructions without an offer. With one, a submit, a cancel, and a lock that holds
    /// `b` while it moves.
    ///
    /// # Python
    ///
    /// There is none.
    ///
    /// ```
    /// use slotted::{Executor, Scope, StdThreads};
    ///
    /// fn sum(s: &Scope<'_, '_, 8>, numbers: &[u64]) -> u64 {
    ///     if numbers.len() < 1000 {
    ///         return numbers.iter().sum();
    ///     }
    ///     let (left, right) = numbers.split_at(numbers.len() / 2);
    ///     let (left, right) = s.join(|| sum(s, left), || sum(s, right));
    ///     left + right
    /// }
    ///
    /// let executor: Executor<2, 8> = Executor::new();
    /// let numbers: Vec<u64> = (0..10_000).collect();
    /// let total = executor.run(&StdThreads::new(), |pool| pool.scope(|s| sum(s, &numbers)));
    /// assert_eq!(total.unwrap(), 49_995_000);
    /// ```
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA,
        B: FnOnce() -> RB + Send,
        RB: Send,
    {
        if !self.wants_offer() {
            return (a(), b());
        }
        let offer = Offer::new(b, &self.offers);
        // Leaves when the slot's closure is over, on every path (*Outlived*).
        let (result, other) = scope(self.submitter, |inner: &Scope<'_, '_, WINDOW, _, _>| {
            // Refused, the closure is still ours. If `a` panics, it is taken back.
            let task = inner.submit(|| offer.run()).ok();
            let task = task.map(|handle| handle.cancel_on_drop());
            let result = a();
            let returned = offer.take();
            if let (Some(task), None) = (task, &returned) {
                let _ = task.into_inner().wait(); // if it fails, the scope waits
            }
            (result, returned.map(|closure| closure()))
        });
        match other.or_else(|| offer.result.with(Cell::take)) {
            Some(other) => (result, other),
            // With `std`, the scope has panicked in our place.
            None => panic!("slotted: the second closure of a join did not end"),
        }
    }

    /// Returns true if a closure on offer may help.
    fn wants_offer(&self) -> bool {
        let registry = self.submitter.registry();
        self.offers.load(Ordering::Relaxed) < registry.workers().len() && !is_unstarted(registry)
    }
}

impl<B, R> Drop for Offer<'_, B, R> {
    /// A panic passes by: the closure is still here if no thread has taken it.
    fn drop(&mut self) {
        if let Some(closure) = self.closure.with(Cell::take) {
            self.offers.fetch_sub(1, Ordering::Relaxed);
            unwind::discard(closure);
        }
    }
}
