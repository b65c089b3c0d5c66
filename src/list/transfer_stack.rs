//! A stack that any thread pushes to without a lock, and that is taken whole.
#![forbid(unsafe_code)]

use super::{Index, Link, NONE};
use crate::sync::{AtomicUsize, Ordering, const_fn};

/// Slots on their way into a list.
///
/// A submitter pushes one slot; the owner of the list takes all. No slot is popped alone, so a top
/// that is seen twice is the same top with the same slots beneath. That is what a
/// compare-and-swap needs to be right here.
///
/// ```text
///  bit  0..16  the top, as an index plus one
///       16     WAKE: a thread waits for a push and must be woken
///       17     CLOSED: a push that asks is refused
/// ```
#[allow(dead_code, reason = "boards push inside the lock")]
pub(crate) struct TransferStack(AtomicUsize);

const WAKE: usize = 1 << 16;
const CLOSED: usize = 1 << 17;
/// All but the top.
const FLAGS: usize = WAKE | CLOSED;

/// What a push to a [`TransferStack`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// No thread waits.
    Quietly,
    /// The wake flag is set: a thread waits and must be woken.
    WakeNeeded,
    /// The stack is closed, and nothing was pushed.
    Refused,
}

#[allow(dead_code, reason = "boards push inside the lock")]
impl TransferStack {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

#[allow(dead_code, reason = "boards push inside the lock")]
impl TransferStack {
    /// Pushes a slot that is in no list. Returns true if a thread waits and must be woken. For
    /// stacks that are never closed.
    #[inline]
    pub(crate) fn push(&self, link: &Link, index: Index) -> bool {
        self.push_unless(0, link, index) == Pushed::WakeNeeded
    }

    /// As [`push`](Self::push), unless the stack is closed.
    #[inline]
    pub(crate) fn push_if_open(&self, link: &Link, index: Index) -> Pushed {
        self.push_unless(CLOSED, link, index)
    }

    /// Bound: each further round means that another thread pushed, took all, or changed a flag.
    #[inline(always)]
    fn push_unless(&self, refused: usize, link: &Link, index: Index) -> Pushed {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen & refused != 0 {
                return Pushed::Refused;
            }
            link.next.store(seen as u16, Ordering::Relaxed); // the lower half: the top
            let next = seen & (WAKE | refused) | (usize::from(index) + 1);
            // Release: the taker sees the link, and what we did with the slot before.
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) if seen & WAKE == 0 => return Pushed::Quietly,
                Ok(_) => return Pushed::WakeNeeded,
                Err(now) => seen = now,
            }
        }
    }

    /// Returns true if it was empty a moment ago: a hint. A thread that must know looks again
    /// after [`set_wake_flag`](Self::set_wake_flag).
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) as u16 == NONE
    }

    /// Takes all slots, linked by `next`, and returns the top, as an index plus one.
    pub(crate) fn take_all(&self) -> u16 {
        if self.is_empty() {
            return NONE;
        }
        // Acquire: sees the links, and what the pushing threads did before.
        self.0.fetch_and(FLAGS, Ordering::Acquire) as u16 // the lower half: the top
    }

    /// Sets the wake flag: from now on a push tells the submitter to wake a thread. Returns true if
    /// the stack was empty at that moment.
    pub(crate) fn set_wake_flag(&self) -> bool {
        // Relaxed: one word orders flag and push; the lock and the look that follow do the rest.
        self.0.fetch_or(WAKE, Ordering::Relaxed) as u16 == NONE
    }

    /// Clears the wake flag.
    pub(crate) fn clear_wake_flag(&self) {
        self.0.fetch_and(!WAKE, Ordering::Relaxed); // as above
    }

    /// Begins or ceases to refuse.
    pub(crate) fn set_closed(&self, closed: bool) {
        if closed {
            // Relaxed: one word orders flag and push. A thread that takes what was pushed
            // acquires it.
            self.0.fetch_or(CLOSED, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!CLOSED, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::list::stand_ins::Slots;
    use crate::list::{Links, Stack};
    use crate::sync::Lock;

    /// Two threads return slots while a third takes them. The taker takes each slot once, and each
    /// return that it could miss sees the wake flag.
    #[test]
    fn a_returned_slot_is_taken_once_and_no_waiter_misses_it() {
        loom::model(|| {
            let slots = Slots::<2>::new();
            let stack = Stack::new();
            let shared = Arc::new((Lock::new(stack), slots, TransferStack::new()));
            let pop = |shared: &(Lock<Stack>, Slots<2>, TransferStack)| {
                shared
                    .0
                    .with(|stack| stack.pop(&shared.1, || shared.2.take_all(), 2))
            };
            assert_eq!([pop(&shared), pop(&shared)], [Some(0), Some(1)]);
            let returners = [0, 1].map(|index| {
                let shared = shared.clone();
                loom::thread::spawn(move || shared.2.push(shared.1.link(index), index))
            });
            shared.2.set_wake_flag();
            let mut taken: std::vec::Vec<_> =
                [pop(&shared), pop(&shared)].into_iter().flatten().collect();
            let early = taken.len();
            let wakes = returners
                .map(|returner| returner.join().unwrap())
                .iter()
                .filter(|&&wakes| wakes)
                .count();
            assert!(early + wakes >= 2, "taken {early}, wakes {wakes}");
            taken.extend([pop(&shared), pop(&shared)].into_iter().flatten());
            taken.sort_unstable();
            assert_eq!(taken, [0, 1]);
        });
    }
}
