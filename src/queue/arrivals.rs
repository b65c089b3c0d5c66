//! Tasks on their way into the ready queue.
#![forbid(unsafe_code)]

use super::{Index, Link, Links, List, NONE, Pile, Pushed, READY};
use crate::sync::{LOCKLESS_WAYS, array, const_fn};

/// The way into the ready queue beside its lock, where there is one: tasks that have come and are
/// not yet in the list.
///
/// On a desktop, where a lock that is contended costs more than the rest of a task, closures are
/// pushed here, and whoever works on the list, in the lock, gathers them first: so all stay in the
/// order in which they came. On boards the lock is the cheapest there is, and this is nothing.
pub(crate) struct Arrivals([Pile; LOCKLESS_WAYS]);

impl Arrivals {
    /// Whether there is such a way.
    pub(crate) const IS_OPEN: bool = LOCKLESS_WAYS != 0;

    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(array!(LOCKLESS_WAYS, Pile::new()))
        }
    }
}

impl Arrivals {
    /// Adds a task.
    #[inline]
    pub(crate) fn push(&self, link: &Link, index: Index) -> Pushed {
        self.0
            .first()
            .map_or(Pushed::Refused, |pile| pile.push_if_open(link, index))
    }

    /// Whether there was nothing a moment ago.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.first().is_none_or(Pile::is_empty)
    }

    /// Puts those that have come into the list, behind those that are there. In its lock.
    #[inline]
    pub(crate) fn gather(&self, list: &List<READY>, links: &(impl Links + ?Sized)) {
        let top = self.0.first().map_or(NONE, Pile::take_all);
        if top != NONE {
            list.append(links, top);
        }
    }

    /// Takes out the last that came, if it is this one. See [`Pile::take_back`].
    #[inline]
    pub(crate) fn take_back(&self, link: &Link, index: Index, worker: Option<u16>) -> bool {
        let taken = self
            .0
            .first()
            .is_some_and(|pile| pile.take_back(link, index));
        if taken {
            link.set_worker(worker);
        }
        taken
    }

    /// From now on, or no more, whoever pushes is told that somebody waits. In the lock of those
    /// who wait. Says whether nothing has come that those who wait were not told of.
    pub(crate) fn set_awaited(&self, awaited: bool) -> bool {
        match self.0.first() {
            Some(pile) if awaited => pile.await_one(),
            Some(pile) => {
                pile.await_none();
                true
            }
            None => true,
        }
    }

    /// From now on nothing is accepted, or everything again.
    pub(crate) fn set_closed(&self, closed: bool) {
        if let Some(pile) = self.0.first() {
            pile.set_closed(closed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::queue::stand_ins::Slots;

    fn drain(list: &List<READY>, slots: &Slots<4>) -> std::vec::Vec<Index> {
        core::iter::from_fn(|| list.pop(slots, None)).collect()
    }

    fn come(arrivals: &Arrivals, slots: &Slots<4>, indices: &[Index]) -> std::vec::Vec<Pushed> {
        indices
            .iter()
            .map(|&index| arrivals.push(slots.link(index), index))
            .collect()
    }

    #[test]
    fn what_arrives_is_gathered_behind_what_is_there_in_the_order_it_came() {
        if !Arrivals::IS_OPEN {
            return;
        }
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        let arrivals = Arrivals::new();
        list.push(&slots, slots.link(2), 2);
        assert_eq!(come(&arrivals, &slots, &[3, 0, 1]), [Pushed::Unawaited; 3]);
        assert!(!list.unlink(&slots, 0), "it is not in the list yet");
        arrivals.gather(&list, &slots);
        assert!(arrivals.is_empty());
        assert!(list.unlink(&slots, 0));
        assert_eq!(drain(&list, &slots), [2, 3, 1]);
        assert_eq!(come(&arrivals, &slots, &[1]), [Pushed::Unawaited]);
        arrivals.gather(&list, &slots);
        arrivals.gather(&list, &slots);
        assert_eq!(drain(&list, &slots), [1]);
    }

    #[test]
    fn only_the_last_that_arrived_can_be_taken_back() {
        if !Arrivals::IS_OPEN {
            return;
        }
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        let arrivals = Arrivals::new();
        let take_back = |index| arrivals.take_back(slots.link(index), index, Some(7));
        come(&arrivals, &slots, &[0, 1]);
        assert_eq!(
            [take_back(0), take_back(1), take_back(1)],
            [false, true, false]
        );
        assert_eq!(slots.link(1).worker(), Some(7));
        come(&arrivals, &slots, &[2]);
        arrivals.gather(&list, &slots);
        assert!(!take_back(2), "it is in the list");
        assert_eq!(drain(&list, &slots), [0, 2]);
    }

    #[test]
    fn those_who_push_are_told_that_somebody_waits_and_refused_once_it_is_closed() {
        if !Arrivals::IS_OPEN {
            return;
        }
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        let arrivals = Arrivals::new();
        assert!(arrivals.set_awaited(true), "nothing has come");
        assert_eq!(come(&arrivals, &slots, &[0]), [Pushed::Awaited]);
        assert!(!arrivals.set_awaited(true), "something has");
        arrivals.set_closed(true);
        assert_eq!(come(&arrivals, &slots, &[1]), [Pushed::Refused]);
        arrivals.gather(&list, &slots);
        assert_eq!(come(&arrivals, &slots, &[1]), [Pushed::Refused], "still");
        arrivals.set_closed(false);
        assert!(arrivals.set_awaited(false));
        assert_eq!(come(&arrivals, &slots, &[1]), [Pushed::Unawaited]);
        arrivals.gather(&list, &slots);
        assert_eq!(drain(&list, &slots), [0, 1]);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::queue::stand_ins::Slots;
    use crate::sync::Lock;

    /// A task is pushed and taken back by one thread while another gathers, and pushes one of its
    /// own: each goes to one of them.
    #[test]
    fn what_is_taken_back_is_not_gathered() {
        loom::model(|| {
            let slots = Slots::<2>::new();
            let shared = Arc::new((Lock::new(List::<READY>::new()), slots, Arrivals::new()));
            let gathered = |shared: &(Lock<List<READY>>, Slots<2>, Arrivals)| {
                shared.0.with(|list| {
                    shared.2.gather(list, &shared.1);
                    list.pop(&shared.1, None)
                })
            };
            let other = shared.clone();
            let other = loom::thread::spawn(move || {
                let first = gathered(&other);
                assert_eq!(other.2.push(other.1.link(1), 1), Pushed::Unawaited);
                first
            });
            assert_eq!(shared.2.push(shared.1.link(0), 0), Pushed::Unawaited);
            let taken = shared.2.take_back(shared.1.link(0), 0, None);
            let first = other.join().unwrap();
            let rest = [gathered(&shared), gathered(&shared)];
            let of_zero = [first, rest[0], rest[1]]
                .iter()
                .filter(|&&each| each == Some(0))
                .count();
            assert_eq!(of_zero, usize::from(!taken), "{first:?} {rest:?}");
            assert!(rest.contains(&Some(1)));
        });
    }

    /// Who closes, and then gathers, has all that was accepted.
    #[test]
    fn what_was_pushed_before_the_pile_was_closed_is_gathered() {
        loom::model(|| {
            let slots = Slots::<2>::new();
            let shared = Arc::new((slots, Arrivals::new()));
            let other = shared.clone();
            let pusher = loom::thread::spawn(move || other.1.push(other.0.link(0), 0));
            let list = List::<READY>::new();
            shared.1.set_closed(true);
            shared.1.gather(&list, &shared.0);
            let accepted = pusher.join().unwrap() != Pushed::Refused;
            assert_eq!(accepted, !list.is_empty());
        });
    }

    /// Who says that it waits, and finds nothing, is told of whatever comes.
    #[test]
    fn what_comes_is_found_by_who_waits_or_told() {
        loom::model(|| {
            let shared = Arc::new((Slots::<2>::new(), Arrivals::new()));
            let other = shared.clone();
            let pusher = loom::thread::spawn(move || other.1.push(other.0.link(0), 0));
            let nothing = shared.1.set_awaited(true);
            assert_eq!(nothing, pusher.join().unwrap() == Pushed::Awaited);
        });
    }
}
