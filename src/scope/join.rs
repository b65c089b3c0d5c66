//! Two closures that may run at once: the second is on offer to the workers.
//!
//! A scope has about as many closures on offer as the executor has workers, at most. So a recursion
//! that halves its work offers the large halves, and calls the small ones one after the other.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::{Scope, scope};
use crate::blocking::is_unstarted;
use crate::host::Park;
use crate::permit::Permit;
use crate::sync::{AtomicUsize, Lock, Ordering};
use crate::unwind;

/// The second closure of a join, and later its result. It lives on the stack of the joining thread.
struct Offer<B, R> {
    closure: Lock<Cell<Option<B>>>,
    result: Lock<Cell<Option<R>>>,
}

impl<B: FnOnce() -> R, R> Offer<B, R> {
    fn new(closure: B) -> Self {
        Self {
            closure: Lock::new(Cell::new(Some(closure))),
            result: Lock::new(Cell::new(None)),
        }
    }

    /// Takes the closure, if no thread did before.
    fn take(&self) -> Option<B> {
        self.closure.with(Cell::take)
    }

    /// While a panic passes by, both may still be here. Their destructors are foreign.
    fn discard(&self) {
        unwind::discard(self.take());
        unwind::discard(self.result.with(Cell::take));
    }

    /// Runs the closure, if no thread took it before.
    fn run(&self) {
        if let Some(closure) = self.take() {
            let result = closure();
            self.result.with(|place| place.set(Some(result)));
        }
    }
}

/// What a task that offers a closure looks at, on the stack of the joining thread.
struct Terms<'s> {
    run: &'s (dyn Fn() + Sync),
    /// How many closures of the scope are on offer.
    offers: &'s AtomicUsize,
}

/// A task that offers a closure, for as long as the task is queued.
struct OnOffer<'s>(&'s Terms<'s>);

impl<'s> OnOffer<'s> {
    fn new(terms: &'s Terms<'s>) -> Self {
        terms.offers.fetch_add(1, Ordering::Relaxed); // a hint for later joins, not a signal
        Self(terms)
    }

    fn run(self) {
        let terms = self.0;
        drop(self); // from here on it is not on offer
        (terms.run)();
    }
}

impl Drop for OnOffer<'_> {
    fn drop(&mut self) {
        self.0.offers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'env, const WINDOW: usize, const SLOT_BYTES: usize, H: Park>
    Scope<'_, 'env, WINDOW, SLOT_BYTES, H>
{
    /// Runs two closures, perhaps at the same time, and returns both results.
    ///
    /// The calling thread runs `a`. Meanwhile `b` is on offer to the workers, in a slot. If none
    /// has taken `b` by the end of `a`, the calling thread takes it back and runs it too.
    ///
    /// `b` is not offered if no slot is free, if the executor takes no tasks or has no workers, or
    /// if as many closures of the scope are on offer as there are workers. Then the calling thread
    /// runs `a`, then `b`. So a join never fails, and a recursion needs few slots.
    ///
    /// A recursion should halve its work. Where the second closures do all of the work, as in
    /// `s.join(|| rest(s), || work())`, workers find few of them: [`submit`](Self::submit) those.
    ///
    /// Closures and results may be of any size: they stay on the stack of the calling thread, and
    /// the slot holds a pointer. On boards each is moved within a critical section, so large values
    /// should be borrowed. A scope may be shared with other threads, so closures may join in turn.
    ///
    /// # Blocking, context
    ///
    /// From a thread, also a worker. If a worker took `b`, until `b` has ended; if one came too
    /// late, until it has seen that. Meanwhile a calling worker runs no other task.
    ///
    /// Neither closure may wait for something that the other one does: they may run one after the
    /// other in the same thread. Nor may `a` wait for a slot that only the workers free: the one of
    /// `b` may be the last. Nor may `b` wait for the task that joins, which is an error or a wait
    /// without end, as with other tasks of a scope.
    ///
    /// # Panics
    ///
    /// If `a` or `b` panics, when both are over. If `a` panics, a `b` that no worker took is
    /// dropped. If both panic, with the panic of `a`.
    ///
    /// # Cost
    ///
    /// While enough closures are on offer, some thirty instructions. An offer that comes back costs
    /// half as much again as a submit and a cancel, and the look for a free slot three short locks.
    /// An offer counts as a task in [`Stats`](crate::Stats), mostly as a cancelled one.
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
        match self.permit_for_offer() {
            Some(permit) => self.join_with(permit, a, b),
            None => (a(), b()),
        }
    }

    /// A slot for an offer, if there is one and a closure on offer may help.
    fn permit_for_offer(&self) -> Option<Permit<'env, SLOT_BYTES, H>> {
        let registry = self.submitter.registry();
        let is_wanted = self.offers.load(Ordering::Relaxed) < registry.workers().len()
            && !is_unstarted(registry);
        is_wanted.then(|| self.submitter.try_reserve().ok())?
    }

    /// Apart, so that joins that offer nothing keep a small frame.
    #[inline(never)]
    fn join_with<A, B, RA, RB>(&self, permit: Permit<'env, SLOT_BYTES, H>, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA,
        B: FnOnce() -> RB + Send,
        RB: Send,
    {
        let offer = Offer::new(b);
        let discard = unwind::Bomb::new(|| offer.discard());
        let (mut first, mut result, mut returned) = (Some(a), None, None);
        let mut run_first = || {
            result = first.take().map(|first| first());
            returned = offer.take();
            returned.is_some()
        };
        self.offer(permit, &|| offer.run(), &mut run_first);
        discard.defuse();
        let other = match returned {
            Some(closure) => Some(closure()),
            None => offer.result.with(Cell::take),
        };
        match (result, other) {
            (Some(result), Some(other)) => (result, other),
            // With `std`, the scope has panicked in our place.
            _ => panic!("slotted: the second closure of a join did not end"),
        }
    }

    /// Offers `run` to the workers while `first` runs here. `first` tells whether it took the offer
    /// back. Otherwise a worker has it, and this waits for its end.
    ///
    /// Returns when the task of the offer is over, on every path (*Outlived*).
    fn offer(
        &self,
        permit: Permit<'env, SLOT_BYTES, H>,
        run: &(dyn Fn() + Sync),
        first: &mut dyn FnMut() -> bool,
    ) {
        let terms = Terms {
            run,
            offers: &self.offers,
        };
        let on_offer = OnOffer::new(&terms);
        scope(
            self.submitter,
            |inner: &Scope<'_, '_, WINDOW, SLOT_BYTES, H>| {
                let claim = permit.into_parts().1;
                // Refused, it is not on offer. If `first` panics, it is cancelled.
                let task = inner.submit_into(claim, move || on_offer.run()).ok();
                let task = task.map(|handle| handle.cancel_on_drop());
                let is_returned = first();
                if let (Some(task), false) = (task, is_returned) {
                    let _ = task.into_inner().wait(); // if it fails, the scope waits
                }
            },
        );
    }
}
