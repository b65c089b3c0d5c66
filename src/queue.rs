//! Lists of slots: the ready queue and the free list.
//!
//! A list is two indices; the links lie in the slots. The owner of a list keeps it inside a lock, and every
//! function here is called inside that lock, which is what orders the relaxed accesses to the links.
//!
//! Invariants:
//!
//! - **No Overflow.** A slot is in at most one list at a time, so a list can always take a slot.
//! - **FIFO.** [`List::push`] appends, [`List::pop`] takes the oldest.
//! - **O(1).** Push, pop and unlink touch at most three slots each.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::sync::{AtomicU16, Ordering, const_fn};

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
    /// The `TAG` of the list it is in; or the worker that took it out of the ready queue to run it; or 0.
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
    /// Notes the worker that is about to run the slot's task, which is in no list.
    #[inline]
    pub(crate) fn set_worker(&self, worker: u16) {
        self.place.store(ON_WORKER + worker, Ordering::Relaxed); // published by the start of the task
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

/// A doubly linked list of slots. `TAG` tells the lists a slot may be in apart, so that `unlink` cannot take a slot out of
/// a list it is not in.
pub(crate) struct List<const TAG: u16> {
    first: Cell<u16>,
    last: Cell<u16>,
}

impl<const TAG: u16> List<TAG> {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(NONE), last: Cell::new(NONE) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get() == NONE
    }

    /// Appends a slot that is in no list.
    #[inline]
    pub(crate) fn push(&self, links: &(impl Links + ?Sized), index: Index) {
        let last = self.last.get();
        let link = links.link(index);
        link.next.store(NONE, Ordering::Relaxed);
        link.previous.store(last, Ordering::Relaxed);
        link.place.store(TAG, Ordering::Relaxed);
        self.last.set(index + 1);
        if last == NONE {
            self.first.set(index + 1);
        } else {
            links.link(last - 1).next.store(index + 1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest.
    #[inline]
    pub(crate) fn pop(&self, links: &(impl Links + ?Sized)) -> Option<Index> {
        let index = self.first.get().checked_sub(1)?;
        let link = links.link(index);
        let next = link.next.load(Ordering::Relaxed);
        link.place.store(0, Ordering::Relaxed);
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
            return self.pop(links).is_some();
        }
        let next = link.next.load(Ordering::Relaxed);
        let previous = link.previous.load(Ordering::Relaxed);
        links.link(previous - 1).next.store(next, Ordering::Relaxed);
        if next == NONE {
            self.last.set(previous);
        } else {
            links.link(next - 1).previous.store(previous, Ordering::Relaxed);
        }
        link.place.store(0, Ordering::Relaxed);
        true
    }
}

/// The slots nobody uses: a stack, so that the slot used last, whose lines are in the cache, is used next.
///
/// Slots above `fresh` were never used and are not linked: an executor starts as all zeroes.
pub(crate) struct Stack {
    top: Cell<u16>,
    fresh: Cell<u16>,
}

impl Stack {
    pub(crate) const fn new() -> Self {
        Self { top: Cell::new(NONE), fresh: Cell::new(0) }
    }

    /// Adds a slot that is in no list.
    #[inline]
    pub(crate) fn push(&self, links: &(impl Links + ?Sized), index: Index) {
        links.link(index).next.store(self.top.get(), Ordering::Relaxed);
        self.top.set(index + 1);
    }

    /// Takes a slot, if one of `capacity` is there.
    #[inline]
    pub(crate) fn pop(&self, links: &(impl Links + ?Sized), capacity: u16) -> Option<Index> {
        if let Some(index) = self.top.get().checked_sub(1) {
            self.top.set(links.link(index).next.load(Ordering::Relaxed));
            return Some(index);
        }
        let fresh = self.fresh.get();
        (fresh < capacity).then(|| {
            self.fresh.set(fresh + 1);
            fresh
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Slots([Link; 4]);

    impl Links for Slots {
        fn link(&self, index: Index) -> &Link {
            &self.0[usize::from(index)]
        }
    }

    fn drain(list: &List<READY>, slots: &Slots) -> std::vec::Vec<Index> {
        core::iter::from_fn(|| list.pop(slots)).collect()
    }

    #[test]
    fn a_list_is_first_in_first_out() {
        let (list, slots) = (List::<READY>::new(), Slots([const { Link::new() }; 4]));
        for index in [2, 0, 3] {
            list.push(&slots, index);
        }
        assert_eq!(drain(&list, &slots), [2, 0, 3]);
        assert!(list.is_empty());
    }

    #[test]
    fn any_member_can_be_unlinked_once_and_pushed_again() {
        for gone in 0..4 {
            let (list, slots) = (List::<READY>::new(), Slots([const { Link::new() }; 4]));
            for index in 0..4 {
                list.push(&slots, index);
            }
            assert!(list.unlink(&slots, gone));
            assert!(!list.unlink(&slots, gone));
            list.push(&slots, gone);
            let mut expected: std::vec::Vec<Index> = (0..4).filter(|&index| index != gone).collect();
            expected.push(gone);
            assert_eq!(drain(&list, &slots), expected);
        }
    }

    #[test]
    fn unlinking_after_a_pop_uses_no_stale_neighbour() {
        let (list, slots) = (List::<READY>::new(), Slots([const { Link::new() }; 4]));
        for index in 0..3 {
            list.push(&slots, index);
        }
        assert_eq!(list.pop(&slots), Some(0));
        assert!(list.unlink(&slots, 1), "its `previous` still names slot 0");
        assert_eq!(drain(&list, &slots), [2]);
    }

    #[test]
    fn the_stack_hands_out_every_slot_once() {
        let (stack, slots) = (Stack::new(), Slots([const { Link::new() }; 4]));
        let taken: std::vec::Vec<_> = core::iter::from_fn(|| stack.pop(&slots, 3)).collect();
        assert_eq!(taken, [0, 1, 2]);
        stack.push(&slots, 1);
        stack.push(&slots, 0);
        assert_eq!([stack.pop(&slots, 3), stack.pop(&slots, 3), stack.pop(&slots, 3)], [Some(0), Some(1), None]);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::sync::Lock;

    struct Slots([Link; 2]);

    impl Links for Slots {
        fn link(&self, index: Index) -> &Link {
            &self.0[usize::from(index)]
        }
    }

    /// Two threads take from one list, one by popping, one by unlinking: each slot goes to one of them.
    #[test]
    fn inside_its_lock_a_list_gives_each_slot_to_one_thread() {
        loom::model(|| {
            let slots = Slots(core::array::from_fn(|_| Link::new()));
            let list = List::<READY>::new();
            list.push(&slots, 0);
            list.push(&slots, 1);
            let shared = Arc::new((Lock::new(list), slots));
            let other = shared.clone();
            let popper = loom::thread::spawn(move || other.0.with(|list| list.pop(&other.1)));
            let unlinked = shared.0.with(|list| list.unlink(&shared.1, 0));
            let popped = popper.join().unwrap();
            assert_eq!(popped, Some(if unlinked { 1 } else { 0 }));
            let left = shared.0.with(|list| list.pop(&shared.1));
            assert_eq!(left, if unlinked { None } else { Some(1) });
        });
    }
}
