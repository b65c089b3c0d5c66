//! The lock-free way in: on a desktop a submitter pushes a closure with one compare-and-swap.
//!
//! There a contended lock costs more than the rest of a task. A thread that works on the ready
//! queue drains the inbox first, inside the lock, so tasks keep the order of their pushes.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::list::{Index, Link, Links, List, NONE, Pushed, READY, TransferStack};
use crate::sync::const_fn;

/// Tasks that submitters pushed and no thread has drained yet.
pub(crate) struct Inbox(TransferStack);

impl Inbox {
    /// True if submitters push closures without the lock.
    pub(crate) const IS_OPEN: bool = true;

    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(TransferStack::new())
        }
    }

    /// Pushes a task, unless the inbox is closed.
    #[inline]
    pub(crate) fn push(&self, link: &Link, index: Index) -> Pushed {
        self.0.push_if_open(link, index)
    }

    /// Returns true if it was empty a moment ago.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends everything to the list, oldest first. Returns true if there was a task.
    #[inline]
    pub(crate) fn drain_into(&self, list: &List<READY>, links: &impl Links) -> bool {
        let top = self.0.take_all();
        if top != NONE {
            list.append(links, top);
        }
        top != NONE
    }

    /// Begins or ceases to refuse tasks. Lock held.
    pub(crate) fn set_closed(&self, closed: bool) {
        self.0.set_closed(closed);
    }
}

/// What idle workers note for submitters that push to the inbox. Lives inside the lock.
pub(crate) struct InboxWatch {
    /// What the inbox's wake flag was set to last.
    wake_flag: Cell<bool>,
    /// Workers that were unparked and have not looked since, one bit each. While a bit is set, a
    /// push wakes no other worker. Only on hosts with `FAIR = true`.
    unparked: Cell<usize>,
    /// Workers that rest as async tasks, one bit each: it is not known when their executor polls
    /// them. Only on hosts with `FAIR = true`.
    resting: Cell<usize>,
}

impl InboxWatch {
    pub(crate) const fn new() -> Self {
        Self {
            wake_flag: Cell::new(false),
            unparked: Cell::new(0),
            resting: Cell::new(0),
        }
    }

    /// Sets or clears the wake flag. Returns false if a task was pushed before the flag was set:
    /// its submitter wakes no worker, and the caller must look again.
    #[inline]
    pub(crate) fn update(&self, inbox: &Inbox, wake: bool) -> bool {
        if self.wake_flag.replace(wake) == wake {
            return true;
        }
        if wake {
            return inbox.0.set_wake_flag();
        }
        inbox.0.clear_wake_flag();
        true
    }

    pub(crate) fn set_unparked(&self, bit: usize) {
        self.unparked
            .set(self.unparked.get() | bit & !self.resting.get());
    }

    pub(crate) fn set_resting(&self, bit: usize, rests: bool) {
        let others = self.resting.get() & !bit;
        self.resting.set(if rests { others | bit } else { others });
    }

    #[inline]
    pub(crate) fn clear_unparked(&self, bit: usize) {
        self.unparked.set(self.unparked.get() & !bit);
    }

    #[inline]
    pub(crate) fn has_unparked(&self) -> bool {
        self.unparked.get() != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::list::stand_ins::Slots;

    fn drain(list: &List<READY>, slots: &Slots<4>) -> std::vec::Vec<Index> {
        core::iter::from_fn(|| list.pop(slots, None)).collect()
    }

    fn push(inbox: &Inbox, slots: &Slots<4>, indices: &[Index]) -> std::vec::Vec<Pushed> {
        indices
            .iter()
            .map(|&index| inbox.push(slots.link(index), index))
            .collect()
    }

    #[test]
    fn a_drained_inbox_stands_behind_the_list_in_the_order_of_its_pushes() {
        let (list, slots, inbox) = (List::new(), Slots::new(), Inbox::new());
        list.push(&slots, slots.link(2), 2);
        assert_eq!(push(&inbox, &slots, &[3, 0, 1]), [Pushed::Quietly; 3]);
        assert!(
            !list.unlink(&slots, slots.link(0), 0),
            "it is not in the list yet"
        );
        assert!(inbox.drain_into(&list, &slots));
        assert!(inbox.is_empty());
        assert!(list.unlink(&slots, slots.link(0), 0));
        assert_eq!(drain(&list, &slots), [2, 3, 1]);
        assert_eq!(push(&inbox, &slots, &[1]), [Pushed::Quietly]);
        assert!(inbox.drain_into(&list, &slots));
        assert!(!inbox.drain_into(&list, &slots));
        assert_eq!(drain(&list, &slots), [1]);
    }

    #[test]
    fn a_push_sees_the_wake_flag_and_a_closed_inbox_refuses() {
        let (list, slots, inbox) = (List::new(), Slots::new(), Inbox::new());
        let watch = InboxWatch::new();
        assert!(watch.update(&inbox, true), "the inbox is empty");
        assert_eq!(push(&inbox, &slots, &[0]), [Pushed::WakeNeeded]);
        assert!(watch.update(&inbox, false));
        assert!(!watch.update(&inbox, true), "a task came before the flag");
        inbox.set_closed(true);
        assert_eq!(push(&inbox, &slots, &[1]), [Pushed::Refused]);
        inbox.drain_into(&list, &slots);
        assert_eq!(push(&inbox, &slots, &[1]), [Pushed::Refused]);
        inbox.set_closed(false);
        assert!(watch.update(&inbox, false));
        assert_eq!(push(&inbox, &slots, &[1]), [Pushed::Quietly]);
        inbox.drain_into(&list, &slots);
        assert_eq!(drain(&list, &slots), [0, 1]);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::list::stand_ins::Slots;

    /// A thread that closes the inbox and then drains it has all that was accepted.
    #[test]
    fn a_task_that_was_accepted_before_the_inbox_closed_is_drained() {
        loom::model(|| {
            let shared = Arc::new((Slots::<2>::new(), Inbox::new()));
            let other = shared.clone();
            let submitter = loom::thread::spawn(move || other.1.push(other.0.link(0), 0));
            let list = List::<READY>::new();
            shared.1.set_closed(true);
            shared.1.drain_into(&list, &shared.0);
            let accepted = submitter.join().unwrap() != Pushed::Refused;
            assert_eq!(accepted, !list.is_empty());
        });
    }

    /// A worker that sets the wake flag either sees the task or its submitter sees the flag.
    #[test]
    fn a_task_is_seen_by_the_idle_worker_or_its_submitter_sees_the_flag() {
        loom::model(|| {
            let shared = Arc::new((Slots::<2>::new(), Inbox::new()));
            let other = shared.clone();
            let submitter = loom::thread::spawn(move || other.1.push(other.0.link(0), 0));
            let nothing = InboxWatch::new().update(&shared.1, true);
            assert_eq!(nothing, submitter.join().unwrap() == Pushed::WakeNeeded);
        });
    }
}
