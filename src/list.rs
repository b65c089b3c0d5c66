//! Lists of slots: links that lie in the slots, and the lists and stacks made of them.
//!
//! A list is two indices; the links lie in the slots. The owner of a list keeps it inside a lock.
//! Every function of [`List`], [`Ring`] and [`Stack`] is called inside that lock, which orders the
//! relaxed accesses to the links.
//!
//! Invariants:
//!
//! - **No Overflow.** A slot is in at most one list at a time, so a list can always take a slot.
//! - **FIFO.** [`List::push`] appends, [`List::pop`] takes the oldest.
//! - **O(1).** Push, pop and unlink touch at most three slots each.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::sync::{AtomicU16, Ordering, const_fn};

mod transfer_stack;

pub(crate) use transfer_stack::Pushed;
#[allow(unused_imports, reason = "boards push inside the lock")]
pub(crate) use transfer_stack::TransferStack;

/// A slot's number in its executor.
pub(crate) type Index = u16;

/// "No slot", as an index plus one: an empty list is all zeroes.
pub(crate) const NONE: u16 = 0;

/// The ready queue: tasks that can run. A list of a higher level has this and the level's number,
/// which is below 32.
pub(crate) const READY: u16 = 1;
/// The callbacks of a task.
pub(crate) const CALLBACKS: u16 = READY + 32;
/// The members of a group that are done.
pub(crate) const COMPLETED: u16 = CALLBACKS + 1;

/// Above the tags: a worker took the slot out of the ready queue to run its task.
const ON_STACK: u16 = COMPLETED + 1;

/// Not a list: a timed task that waits for its date. `next` names its timer. More than any seat.
const TIMED: u16 = u16::MAX;

/// A worker and the thread that runs it, as one number.
///
/// A worker can be handed from thread to thread. Each hand-over begins a new *turn*, so that no
/// seat of an earlier thread in a slot counts for the later one. Turns wrap at 2^9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat(u16);

impl Seat {
    const NUMBER_BITS: u32 = 6;
    const TURN_BITS: u32 = 9;

    #[inline]
    pub(crate) fn new(worker: u16, turn: u16) -> Self {
        Self(worker | (turn & ((1 << Self::TURN_BITS) - 1)) << Self::NUMBER_BITS)
    }

    /// The worker's number: below the width of a word.
    #[inline]
    pub(crate) fn worker(self) -> u16 {
        self.0 & ((1 << Self::NUMBER_BITS) - 1)
    }
}

/// A slot's neighbours, as indices plus one, and where it is.
///
/// All accesses are relaxed: the lock of the list orders them.
pub(crate) struct Link {
    next: AtomicU16,
    /// Meaningless for the first slot of a list. In no list: the level of the slot's task, where
    /// there are levels.
    previous: AtomicU16,
    /// The `TAG` of the list that holds the slot; or `TIMED`; or the seat that runs its task; or 0.
    place: AtomicU16,
}

impl Link {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                next: AtomicU16::new(NONE),
                previous: AtomicU16::new(NONE),
                place: AtomicU16::new(0),
            }
        }
    }
}

impl Link {
    /// Notes which worker runs the slot's task, which is in no list. `None`: another thread runs
    /// it.
    #[inline]
    pub(crate) fn set_runner(&self, runner: Option<Seat>) {
        let place = runner.map_or(0, |seat| ON_STACK + seat.0);
        self.place.store(place, Ordering::Relaxed); // the start of the task publishes it
    }

    /// The worker that was noted last, unless the slot has been in a list or has waited for a date
    /// since. The caller has seen the task run: it may rest by now.
    pub(crate) fn runner(&self) -> Option<Seat> {
        let place = self.place.load(Ordering::Relaxed);
        (ON_STACK..TIMED)
            .contains(&place)
            .then(|| Seat(place - ON_STACK))
    }

    /// The level of the slot's task. The slot is in no list.
    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.previous.load(Ordering::Relaxed) as u8 // `set_level` wrote it
    }

    /// Sets the level of the slot's task. The slot is in no list.
    #[inline]
    pub(crate) fn set_level(&self, level: u8) {
        self.previous.store(u16::from(level), Ordering::Relaxed); // the push publishes it
    }

    /// The level whose list of the ready queue holds the slot. `None`: none does. Inside the lock.
    pub(crate) fn level_of_list(&self) -> Option<u8> {
        let place = self.place.load(Ordering::Relaxed);
        (READY..CALLBACKS)
            .contains(&place)
            .then(|| (place - READY) as u8) // below 32
    }

    /// The task, in no list, begins to wait for its date. Inside the lock of the ready queue.
    pub(crate) fn set_timed(&self, timer: Index) {
        self.next.store(timer, Ordering::Relaxed);
        self.place.store(TIMED, Ordering::Relaxed);
    }

    /// Returns true if the task waits for its date, or waited and was cancelled since. Exact inside
    /// the lock of the ready queue.
    pub(crate) fn is_timed(&self) -> bool {
        self.place.load(Ordering::Relaxed) == TIMED
    }

    /// The timer of a task that waits for its date. Outside the lock of the ready queue it is a
    /// hint.
    pub(crate) fn timer(&self) -> Option<Index> {
        self.is_timed().then(|| self.next.load(Ordering::Relaxed))
    }
}

/// Where the links are found.
pub(crate) trait Links {
    fn link(&self, index: Index) -> &Link;
}

/// A doubly linked list of slots. `TAG` tells apart the lists that a slot may be in. So `unlink`
/// takes no slot out of a list that does not hold it.
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

    /// The oldest slot.
    pub(crate) fn first(&self) -> Option<Index> {
        self.first.get().checked_sub(1)
    }

    /// Appends a slot that is in no list. Returns true if it is the first.
    #[inline]
    pub(crate) fn push(&self, links: &(impl Links + ?Sized), link: &Link, index: Index) -> bool {
        self.push_tagged(links, link, index, TAG)
    }

    /// As [`push`](Self::push), into a list with a tag of its own.
    #[inline(always)]
    fn push_tagged(
        &self,
        links: &(impl Links + ?Sized),
        link: &Link,
        index: Index,
        tag: u16,
    ) -> bool {
        let last = self.last.get();
        link.next.store(NONE, Ordering::Relaxed);
        link.previous.store(last, Ordering::Relaxed);
        link.place.store(tag, Ordering::Relaxed);
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

    /// Appends what [`TransferStack::take_all`] took, the oldest slot of it first.
    ///
    /// Bound: the slots of that stack.
    #[allow(dead_code, reason = "boards have no inbox")]
    pub(crate) fn append(&self, links: &(impl Links + ?Sized), top: u16) {
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
        // `newer` is the oldest slot by now.
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

    /// Takes the oldest slot, and notes which worker is to run its task.
    #[inline]
    pub(crate) fn pop(&self, links: &(impl Links + ?Sized), runner: Option<Seat>) -> Option<Index> {
        self.pop_link(links, runner).map(|(index, _)| index)
    }

    #[inline(always)]
    fn pop_link<'l>(
        &self,
        links: &'l (impl Links + ?Sized),
        runner: Option<Seat>,
    ) -> Option<(Index, &'l Link)> {
        let index = self.first.get().checked_sub(1)?;
        let link = links.link(index);
        let next = link.next.load(Ordering::Relaxed);
        link.set_runner(runner);
        self.first.set(next);
        if next == NONE {
            self.last.set(NONE);
        }
        Some((index, link))
    }

    /// Takes a slot out wherever it stands. Returns false if it is not in the list.
    #[inline]
    pub(crate) fn unlink(&self, links: &(impl Links + ?Sized), link: &Link, index: Index) -> bool {
        if link.place.load(Ordering::Relaxed) != TAG {
            return false;
        }
        self.unlink_member(links, link, index);
        true
    }

    /// Takes out a slot that is in the list.
    #[inline(always)]
    fn unlink_member(&self, links: &(impl Links + ?Sized), link: &Link, index: Index) {
        let next = link.next.load(Ordering::Relaxed);
        if self.first.get() == index + 1 {
            self.first.set(next);
            if next == NONE {
                self.last.set(NONE);
            }
        } else {
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
        }
        link.place.store(0, Ordering::Relaxed);
    }
}

impl List<READY> {
    /// As [`push`](Self::push), into the list of a level.
    #[inline]
    pub(crate) fn push_at(&self, links: &impl Links, link: &Link, index: Index, level: u8) -> bool {
        self.push_tagged(links, link, index, READY + u16::from(level))
    }

    /// As [`pop`](Self::pop), from the list of a level, which the link keeps.
    #[inline]
    pub(crate) fn pop_at(
        &self,
        links: &impl Links,
        runner: Option<Seat>,
        level: u8,
    ) -> Option<Index> {
        let (index, link) = self.pop_link(links, runner)?;
        link.set_level(level);
        Some(index)
    }

    /// Takes a slot out of the list of the level that [`Link::level_of_list`] says.
    #[inline]
    pub(crate) fn unlink_at(&self, links: &impl Links, link: &Link, index: Index) {
        self.unlink_member(links, link, index);
    }
}

/// A circular list of slots, which begins and ends at one index: half the size of a [`List`]. It is
/// only pushed to and popped from.
pub(crate) struct Ring<const TAG: u16> {
    last: Cell<u16>,
}

impl<const TAG: u16> Ring<TAG> {
    pub(crate) const fn new() -> Self {
        Self {
            last: Cell::new(NONE),
        }
    }

    /// Appends a slot that is in no list.
    pub(crate) fn push(&self, links: &impl Links, link: &Link, index: Index) {
        let mut first = index + 1;
        if let Some(last) = self.last.replace(first).checked_sub(1) {
            // The last slot names the first.
            let last = links.link(last);
            first = last.next.load(Ordering::Relaxed);
            last.next.store(index + 1, Ordering::Relaxed);
        }
        link.next.store(first, Ordering::Relaxed);
        link.place.store(TAG, Ordering::Relaxed);
    }

    /// Takes the oldest slot.
    pub(crate) fn pop(&self, links: &impl Links) -> Option<Index> {
        let last = links.link(self.last.get().checked_sub(1)?);
        let first = last.next.load(Ordering::Relaxed);
        let link = links.link(first - 1);
        if first == self.last.get() {
            self.last.set(NONE);
        } else {
            last.next
                .store(link.next.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        link.place.store(0, Ordering::Relaxed);
        Some(first - 1)
    }
}

/// Free slots, last in, first out: the slot used last, whose lines are in the cache, is used next.
///
/// Slots from `fresh` on were never used and have no links: an executor starts as all zeroes. The
/// stack gives a fresh slot only if it has no other. So `fresh` is also the most slots that were
/// ever in use at once.
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

    /// Puts a slot back that is in no list.
    #[inline]
    pub(crate) fn push(&self, link: &Link, index: Index) {
        link.next.store(self.top.get(), Ordering::Relaxed);
        self.top.set(index + 1);
    }

    /// Takes a slot, if one of `capacity` is there or was returned. `returned`: takes what a
    /// [`TransferStack`] has, for an empty stack.
    #[inline]
    pub(crate) fn pop(
        &self,
        links: &(impl Links + ?Sized),
        returned: impl FnOnce() -> u16,
        capacity: u16,
    ) -> Option<Index> {
        let mut top = self.top.get();
        if top == NONE {
            top = returned();
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

    /// The most slots that were ever in use at once.
    pub(crate) fn high_water(&self) -> u16 {
        self.fresh.get()
    }
}

#[cfg(test)]
pub(crate) mod stand_ins {
    use super::*;

    /// Slots that are links and nothing more.
    pub(crate) struct Slots<const COUNT: usize>([Link; COUNT]);

    impl<const COUNT: usize> Slots<COUNT> {
        pub(crate) fn new() -> Self {
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
    fn only_the_seat_of_a_worker_is_a_runner() {
        let link = Link::new();
        for place in [0, READY, CALLBACKS - 1, CALLBACKS, COMPLETED] {
            link.place.store(place, Ordering::Relaxed);
            assert_eq!(link.runner(), None, "place {place}");
        }
        link.set_timed(0);
        assert_eq!(link.runner(), None, "a task that waits for its date");
        let last = 1 << Seat::NUMBER_BITS;
        for seat in [Seat::new(0, 0), Seat::new(last - 1, u16::MAX)] {
            link.set_runner(Some(seat));
            assert_eq!((link.runner(), link.is_timed()), (Some(seat), false));
        }
    }

    #[test]
    fn any_member_can_be_unlinked_once_and_pushed_again() {
        for gone in 0..4 {
            let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
            for index in 0..4 {
                list.push(&slots, slots.link(index), index);
            }
            assert!(list.unlink(&slots, slots.link(gone), gone));
            assert!(!list.unlink(&slots, slots.link(gone), gone));
            list.push(&slots, slots.link(gone), gone);
            let mut expected: std::vec::Vec<Index> =
                (0..4).filter(|&index| index != gone).collect();
            expected.push(gone);
            assert_eq!(drain(&list, &slots), expected);
        }
    }

    #[test]
    fn a_ring_is_first_in_first_out_also_between_pops() {
        let (ring, slots) = (Ring::<CALLBACKS>::new(), Slots::<4>::new());
        let push = |index| ring.push(&slots, slots.link(index), index);
        let push_all = |indices: &[Index]| indices.iter().for_each(|&index| push(index));
        push_all(&[2, 0]);
        assert_eq!(ring.pop(&slots), Some(2));
        push_all(&[3, 2, 1]);
        let popped: std::vec::Vec<Index> = core::iter::from_fn(|| ring.pop(&slots)).collect();
        assert_eq!(popped, [0, 3, 2, 1]);
        push(1);
        assert_eq!([ring.pop(&slots), ring.pop(&slots)], [Some(1), None]);
    }

    #[test]
    fn unlinking_after_a_pop_uses_no_stale_neighbour() {
        let (list, slots) = (List::<READY>::new(), Slots::<4>::new());
        for index in 0..3 {
            list.push(&slots, slots.link(index), index);
        }
        assert_eq!(list.pop(&slots, None), Some(0));
        assert!(
            list.unlink(&slots, slots.link(1), 1),
            "its `previous` still names slot 0"
        );
        assert_eq!(drain(&list, &slots), [2]);
    }

    #[test]
    fn the_stack_gives_every_slot_once_and_returned_slots_first() {
        let (stack, slots, returned) = (Stack::new(), Slots::<4>::new(), TransferStack::new());
        let pop = || stack.pop(&slots, || returned.take_all(), 3);
        let give_back = |index| returned.push(slots.link(index), index);
        assert_eq!([pop(), pop()], [Some(0), Some(1)]);
        stack.push(slots.link(0), 0);
        stack.push(slots.link(1), 1);
        assert_eq!([pop(), pop()], [Some(1), Some(0)]);
        assert!(!give_back(0));
        assert_eq!((pop(), stack.high_water()), (Some(0), 2));
        assert_eq!([pop(), pop()], [Some(2), None]);
        assert!(!give_back(1));
        assert!(!returned.set_wake_flag(), "slot 1 is there");
        assert!(give_back(0), "a thread waits for it");
        assert_eq!([pop(), pop(), pop()], [Some(0), Some(1), None]);
        assert!(give_back(2), "the flag stays");
        returned.clear_wake_flag();
        assert!(!give_back(1), "the flag is gone");
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

    /// Two threads take from one list, one by popping, one by unlinking. Each slot goes to one.
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
            let unlinked = shared
                .0
                .with(|list| list.unlink(&shared.1, shared.1.link(0), 0));
            let popped = popper.join().unwrap();
            assert_eq!(popped, Some(if unlinked { 1 } else { 0 }));
            let left = shared.0.with(|list| list.pop(&shared.1, None));
            assert_eq!(left, if unlinked { None } else { Some(1) });
        });
    }
}
