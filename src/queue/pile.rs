//! Slots on their way into a list, pushed by anybody.
#![forbid(unsafe_code)]

use super::{Index, Link, NONE};
use crate::sync::{AtomicUsize, Ordering, const_fn};

/// A stack of slots that anybody pushes to, without a lock, and that is taken whole: slots on their
/// way into a list.
///
/// A top that is seen twice is the same top, with the same slots beneath, which is what a
/// compare-and-swap needs to be right here: nothing is popped but by
/// [`take_back`](Self::take_back), which says why it may.
///
/// ```text
///  bit  0..16  the top, as an index plus one
///       16     AWAITED: somebody waits for a slot to be pushed
///       17     CLOSED: those who ask are refused
/// ```
pub(crate) struct Pile(AtomicUsize);

const AWAITED: usize = 1 << 16;
const CLOSED: usize = 1 << 17;
/// All but the top.
const FLAGS: usize = AWAITED | CLOSED;

/// What a push to a [`Pile`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Nobody waits.
    Unawaited,
    /// Somebody waits and must be told.
    Awaited,
    /// The pile is closed: nothing was pushed.
    Refused,
}

impl Pile {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

impl Pile {
    /// Adds a slot that is in no list. Says whether somebody waits for one. For piles that are
    /// never closed.
    #[inline]
    pub(crate) fn push(&self, link: &Link, index: Index) -> bool {
        self.push_unless(0, link, index) == Pushed::Awaited
    }

    /// As [`push`](Self::push), unless the pile is closed.
    #[inline]
    pub(crate) fn push_if_open(&self, link: &Link, index: Index) -> Pushed {
        self.push_unless(CLOSED, link, index)
    }

    /// Bound: each further round means that another slot was pushed, or all were taken, or somebody
    /// began or ceased to wait.
    #[inline(always)]
    fn push_unless(&self, refused: usize, link: &Link, index: Index) -> Pushed {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen & refused != 0 {
                return Pushed::Refused;
            }
            link.next.store(seen as u16, Ordering::Relaxed); // the lower half
            let next = seen & (AWAITED | refused) | (usize::from(index) + 1);
            // Release: whoever takes the slot sees the link, and what we did with the slot before.
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => {
                    return if seen & AWAITED == 0 {
                        Pushed::Unawaited
                    } else {
                        Pushed::Awaited
                    };
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Whether it was empty a moment ago.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) as u16 == NONE // a hint: who must know looks again after `await_one`
    }

    /// Takes all slots, linked by `next`: the top, as an index plus one.
    pub(super) fn take_all(&self) -> u16 {
        if self.is_empty() {
            return NONE;
        }
        // Acquire: sees the links, and what those who pushed did before.
        self.0.fetch_and(FLAGS, Ordering::Acquire) as u16 // the lower half
    }

    /// Takes a slot if it is the top.
    ///
    /// Only for who knows that the slot was pushed and that, once out, it does not come back before
    /// this returns. Then, if it is the top, it has been on the pile all along, and what is
    /// beneath it is what was when it was pushed.
    ///
    /// Bound: each further round means that somebody began or ceased to wait.
    pub(crate) fn take_back(&self, link: &Link, index: Index) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed);
        while seen as u16 == index + 1 {
            let next = seen & FLAGS | usize::from(link.next.load(Ordering::Relaxed)); // pushed by who let us know
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// From now on whoever pushes is told that somebody waits. In the lock of the one that waits.
    /// Says whether the pile is empty.
    pub(crate) fn await_one(&self) -> bool {
        self.0.fetch_or(AWAITED, Ordering::Relaxed) as u16 == NONE // the lock and the look that follow do the rest
    }

    /// Nobody waits any more.
    pub(crate) fn await_none(&self) {
        self.0.fetch_and(!AWAITED, Ordering::Relaxed); // as above
    }

    /// Refuses from now on those who ask to be refused, or no more.
    pub(super) fn set_closed(&self, closed: bool) {
        if closed {
            // Acquire: who closes sees the slots of all that was pushed before, and nothing comes
            // after.
            self.0.fetch_or(CLOSED, Ordering::Acquire);
        } else {
            self.0.fetch_and(!CLOSED, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::queue::stand_ins::Slots;
    use crate::queue::{Links, Stack};
    use crate::sync::Lock;

    /// Two threads return slots while a third takes them: each is taken once, and whoever waits is
    /// told by one of those it could miss.
    #[test]
    fn returned_slots_are_taken_once_and_none_is_missed_by_who_waits() {
        loom::model(|| {
            let slots = Slots::<2>::new();
            let stack = Stack::new();
            let shared = Arc::new((Lock::new(stack), slots, Pile::new()));
            let pop = |shared: &(Lock<Stack>, Slots<2>, Pile)| {
                shared.0.with(|stack| stack.pop(&shared.1, &shared.2, 2))
            };
            assert_eq!([pop(&shared), pop(&shared)], [Some(0), Some(1)]);
            let givers = [0, 1].map(|index| {
                let shared = shared.clone();
                loom::thread::spawn(move || shared.2.push(shared.1.link(index), index))
            });
            shared.2.await_one();
            let mut taken: std::vec::Vec<_> =
                [pop(&shared), pop(&shared)].into_iter().flatten().collect();
            let early = taken.len();
            let told = givers
                .map(|giver| giver.join().unwrap())
                .iter()
                .filter(|&&told| told)
                .count();
            assert!(early + told >= 2, "taken {early}, told {told}");
            taken.extend([pop(&shared), pop(&shared)].into_iter().flatten());
            taken.sort_unstable();
            assert_eq!(taken, [0, 1]);
        });
    }
}
