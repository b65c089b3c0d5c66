//! Lists of slots: the ready queue and the free list.
//!
//! A list is two indices; the links lie in the slots. The owner of a list keeps it inside a lock,
//! and every function here is called inside that lock, which is what orders the relaxed accesses to
//! the links.
//!
//! Invariants:
//!
//! - **No Overflow.** A slot is in at most one list at a time, so a list can always take a slot.
//! - **FIFO.** [`List::push`] appends, [`List::pop`] takes the oldest.
//! - **O(1).** Push, pop and unlink touch at most three slots each.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::sync::{AtomicU16, Ordering, const_fn};

mod arrivals;
mod pile;

pub(crate) use arrivals::Arrivals;
pub(crate) use pile::{Pile, Pushed};

/// A slot's place in its executor.
pub(crate) type Index = u16;

/// "No slot", as an index plus one: an empty list is all zeroes.
const NONE: u16 = 0;

/// The ready queue: tasks that can run.
pub(crate) const READY: u16 = 1;
/// The callbacks of a task.
pub(crate) const CALLBACKS: u16 = 2;
/// The members of a group that are done.
pub(crate) const COMPLETED: u16 = 3;

/// Above the tags: on the stack of a worker.
const ON_WORKER: u16 = 4;

/// A slot's neighbours, as indices plus one, and where it is.
///
/// All accesses are relaxed: the lock of the list orders them.
pub(crate) struct Link {
    next: AtomicU16,
    /// Meaningless for the first of a list.
    previous: AtomicU16,
    /// The `TAG` of the list it is in; or the worker that took it out of the ready queue to run
    /// it; or 0.
    place: AtomicU16,
}

impl Link {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { next: AtomicU16::new(NONE), previous: AtomicU16::new(NONE), place: AtomicU16::new(0) }
        }
    }
}

impl Link {
    /// Notes who runs the slot's task, which is in no list: a worker, or somebody else.
    #[inline]
    pub(crate) fn set_worker(&self, worker: Option<u16>) {
        let place = worker.map_or(0, |worker| ON_WORKER + worker);
        self.place.store(place, Ordering::Relaxed); // published by the start of the task
    }

    /// The worker that was noted last, unless the slot has been in a list since.
    pub(crate) fn worker(&self) -> Option<u16> {
        self.place.load(Ordering::Relaxed).checked_sub(ON_WORKER)
    }
}

/// Where the links are found.
pub(crate) trait Links {
    fn link(&self, index: Index) -> &Link;
}

/// A doubly linked list of slots. `TAG` tells the lists a slot may be in apart, so that `unlink`
/// cannot take a slot out of a list it is not in.
pub(crate) struct List<const TAG: u16> {
    first: Cell<u16>,
    last: Cell<u16>,
}

impl<const TAG: u16> List<TAG> {
    pub(crate) const fn new() -> Self {
        Self {
            first: Cell::new(NONE),
            last: Cell::new(NONE),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get() == NONE
    }

    /// Appends a slot that is in no list. Says whether it is the first.
    #[inline]
    pub(crate) fn push(&self, links: &(impl Links + ?Sized), link: &Link, index: Index) -> bool {
        let last = self.last.get();
        link.next.store(NONE, Ordering::Relaxed);
        link.previous.store(last, Ordering::Relaxed);
        link.place.store(TAG, Ordering::Relaxed);
        self.last.set(index + 1);
        if last == NONE {
            self.first.set(index + 1);
        } else {
            links
                .link(last - 1)
                .next
                .store(index + 1, Ordering::Relaxed);
        }
        last == NONE
    }

    /// Appends a pile, the oldest of it first, as if each had been pushed.
    ///
    /// Bound: the slots of the pile.
    fn append(&self, links: &(impl Links + ?Sized), top: u16) {
        let (mut newer, mut at) = (NONE, top);
        while at != NONE {
            let link = links.link(at - 1);
            let older = link.next.load(Ordering::Relaxed);
            link.next.store(newer, Ordering::Relaxed);
            let previous = if older == NONE {
                self.last.get()
            } else {
                older
            };
            link.previous.store(previous, Ordering::Relaxed);
            link.place.store(TAG, Ordering::Relaxed);
            (newer, at) = (at, older);
        }
        // `newer` is the oldest by now.
        if self.is_empty() {
            self.first.set(newer);
        } else {
            links
                .link(self.last.get() - 1)
                .next
                .store(newer, Ordering::Relaxed);
        }
        self.last.set(top);
    }

    /// Takes the oldest, and notes who is to run it: a worker, or somebody else.
    #[inline]
    pub(crate) fn pop(&self, links: &(impl Links + ?Sized), worker: Option<u16>) -> Option<Index> {
        let index = self.first.get().checked_sub(1)?;
        let link = links.link(index);
        let next = link.next.load(Ordering::Relaxed);
        link.set_worker(worker);
        self.first.set(next);
        if next == NONE {
            self.last.set(NONE);
        }
        Some(index)
    }

    /// Takes out a slot wherever it stands. `false` if it is not in the list.
    pub(crate) fn unlink(&self, links: &(impl Links + ?Sized), index: Index) -> bool {
        let link = links.link(index);
        if link.place.load(Ordering::Relaxed) != TAG {
            return false;
        }
        if self.first.get() == index + 1 {
            return self.pop(links, None).is_some();
        }
        let next = link.next.load(Ordering::Relaxed);
        let previous = link.previous.load(Ordering::Relaxed);
        links.link(previous - 1).next.store(next, Ordering::Relaxed);
        if next == NONE {
            self.last.set(previous);
        } else {
            links
                .link(next - 1)
                .previous
                .store(previous, Ordering::Relaxed);
        }
        link.place.store(0, Ordering::Relaxed);
        true
    }
}

/// The slots nobody uses: a stack, so that the slot used last, whose lines are in the cache, is
/// used next.
///
/// Slots above `fresh` were never used and are not linked: an executor starts as all zeroes. One of
/// them is taken only if there is no other, so their number is also the most that were ever in use
/// at once.
pub(crate) struct Stack {
    top: Cell<u16>,
    fresh: Cell<u16>,
}

impl Stack {
    pub(crate) const fn new() -> Self {
        Self {
            top: Cell::new(NONE),
            fresh: Cell::new(0),
        }
    }

    /// Takes a slot, if one of `capacity` is there or has been returned.
    #[inline]
    pub(crate) fn pop(
        &self,
        links: &(impl Links + ?Sized),
        returned: &Pile,
        capacity: u16,
    ) -> Option<Index> {
        let mut top = self.top.get();
        if top == NONE {
            top = returned.take_all();
        }
        if let Some(index) = top.checked_sub(1) {
            self.top.set(links.link(index).next.load(Ordering::Relaxed));
            return Some(index);
        }
        let fresh = self.fresh.get();
        (fresh < capacity).then(|| {
            self.fresh.set(fresh + 1);
            fresh
        })
    }

    /// How many slots were ever in use at once.
    pub(crate) fn high_water(&self) -> u16 {
        self.fresh.get()
    }
}

#[cfg(test)]
mod stand_ins {
    use super::*;

    /// Slots that are links and nothing more.
    pub(super) struct Slots<const COUNT: usize>([Link; COUNT]);

    impl<const COUNT: usize> Slots<COUNT> {
        pub(super) fn new() -> Self {
            Self(core::array::from_fn(|_| Link::new()))
        }
    }

    impl<const COUNT: usize> Links for Slots<COUNT> {
        fn link(&self, index: Index) -> &Link {
            &self.0[usize::from(index)]
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::stand_ins::Slots;
    use super::*;

    fn drain(list: &List<READY>, slots: &Slots<4>) -> std::vec::Vec<Index> {
        core::iter::from_fn(|| list.pop(slots, None)).collect()
    }

    #[test]
    fn a_list_is_first_in_first_out() {
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        for index in [2, 0, 3] {
            list.push(&slots, slots.link(index), index);
        }
        assert_eq!(drain(&list, &slots), [2, 0, 3]);
        assert!(list.is_empty());
    }

    #[test]
    fn any_member_can_be_unlinked_once_and_pushed_again() {
        for gone in 0..4 {
            let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
            for index in 0..4 {
                list.push(&slots, slots.link(index), index);
            }
            assert!(list.unlink(&slots, gone));
            assert!(!list.unlink(&slots, gone));
            list.push(&slots, slots.link(gone), gone);
            let mut expected: std::vec::Vec<Index> =
                (0..4).filter(|&index| index != gone).collect();
            expected.push(gone);
            assert_eq!(drain(&list, &slots), expected);
        }
    }

    #[test]
    fn unlinking_after_a_pop_uses_no_stale_neighbour() {
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        for index in 0..3 {
            list.push(&slots, slots.link(index), index);
        }
        assert_eq!(list.pop(&slots, None), Some(0));
        assert!(list.unlink(&slots, 1), "its `previous` still names slot 0");
        assert_eq!(drain(&list, &slots), [2]);
    }

    #[test]
    fn the_stack_hands_out_every_slot_once_and_those_that_came_back_first() {
        let (stack, slots, returned) = (Stack::new(), Slots::<4>::new(), Pile::new());
        let pop = || stack.pop(&slots, &returned, 3);
        let come_back = |index| returned.push(slots.link(index), index);
        assert_eq!([pop(), pop()], [Some(0), Some(1)]);
        assert!(!come_back(0));
        assert_eq!((pop(), stack.high_water()), (Some(0), 2));
        assert_eq!([pop(), pop()], [Some(2), None]);
        assert!(!come_back(1));
        returned.await_one();
        assert!(come_back(0), "somebody waits for it");
        assert_eq!([pop(), pop(), pop()], [Some(0), Some(1), None]);
        assert!(come_back(2), "still");
        returned.await_none();
        assert!(!come_back(1), "no more");
        assert_eq!(
            (pop(), pop(), pop(), stack.high_water()),
            (Some(1), Some(2), None, 3)
        );
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::stand_ins::Slots;
    use super::*;
    use crate::sync::Lock;

    /// Two threads take from one list, one by popping, one by unlinking: each slot goes to one of
    /// them.
    #[test]
    fn inside_its_lock_a_list_gives_each_slot_to_one_thread() {
        loom::model(|| {
            let slots = Slots::<2>::new();
            let list = List::<READY>::new();
            list.push(&slots, slots.link(0), 0);
            list.push(&slots, slots.link(1), 1);
            let shared = Arc::new((Lock::new(list), slots));
            let other = shared.clone();
            let popper = loom::thread::spawn(move || other.0.with(|list| list.pop(&other.1, None)));
            let unlinked = shared.0.with(|list| list.unlink(&shared.1, 0));
            let popped = popper.join().unwrap();
            assert_eq!(popped, Some(if unlinked { 1 } else { 0 }));
            let left = shared.0.with(|list| list.pop(&shared.1, None));
            assert_eq!(left, if unlinked { None } else { Some(1) });
        });
    }
}
