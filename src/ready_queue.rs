//! The ready queue: tasks that wait to be started, in order. First in, first out.
//!
//! [`ReadyQueue`] is what the lock of the ready queue guards; [`Front`] is what threads see without
//! that lock. A submitter enters through the lock (`locked`, boards) or through a lock-free
//! [`Inbox`] (`inbox`, desktops). The two files have the same names and signatures, and the
//! conditions below choose one.
//!
//! An order other than first in, first out changes [`push`](ReadyQueue::push),
//! [`pop`](ReadyQueue::pop) and [`drain`](ReadyQueue::drain), and nothing outside this room.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::list::{Index, Link, Links, List, READY, Seat};
use crate::sync::{AtomicUsize, CachePadded, Ordering, const_fn};

#[cfg(all(any(loom, feature = "std"), not(slotted_critical_section)))]
mod inbox;
#[cfg(all(any(loom, feature = "std"), not(slotted_critical_section)))]
pub(crate) use inbox::{Inbox, InboxWatch};

#[cfg(not(all(any(loom, feature = "std"), not(slotted_critical_section))))]
mod locked;
#[cfg(not(all(any(loom, feature = "std"), not(slotted_critical_section))))]
pub(crate) use locked::{Inbox, InboxWatch};

/// What threads see of the ready queue without its lock.
pub(crate) struct Front {
    /// Tasks that submitters pushed and no thread has drained yet.
    pub(crate) inbox: CachePadded<Inbox>,
    /// Not zero while the list may hold a task. Relaxed: a worker looks under the lock before it
    /// parks.
    maybe_nonempty: CachePadded<AtomicUsize>,
}

impl Front {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                inbox: CachePadded::new(Inbox::new()),
                maybe_nonempty: CachePadded::new(AtomicUsize::new(0)),
            }
        }
    }

    /// Returns true if a look at the queue is worth its lock.
    #[inline]
    pub(crate) fn is_worth_a_look(&self) -> bool {
        self.maybe_nonempty.load(Ordering::Relaxed) != 0 || !self.inbox.is_empty()
    }

    #[inline]
    fn note(&self, nonempty: bool) {
        self.maybe_nonempty
            .store(usize::from(nonempty), Ordering::Relaxed);
    }
}

/// Tasks that can be started, and how many futures are alive. Lives inside the lock.
pub(crate) struct ReadyQueue {
    list: List<READY>,
    /// True while tasks are refused.
    closed: Cell<bool>,
    /// Futures that are not done.
    futures: Cell<u16>,
}

impl ReadyQueue {
    pub(crate) const fn new() -> Self {
        Self {
            list: List::new(),
            closed: Cell::new(false),
            futures: Cell::new(0),
        }
    }

    /// Moves the inbox to the end of the list, oldest first.
    ///
    /// Bound: the tasks that were pushed since the last time. Each of them is moved once.
    #[inline]
    pub(crate) fn drain(&self, front: &Front, links: &impl Links) {
        if front.inbox.drain_into(&self.list, links) {
            front.note(true);
        }
    }

    /// Returns true if no task waits. Exact for what happened before the lock was taken.
    #[inline]
    pub(crate) fn is_empty(&self, front: &Front) -> bool {
        self.list.is_empty() && front.inbox.is_empty()
    }

    /// Returns true if no accepted task can still need a worker.
    pub(crate) fn is_drained(&self, front: &Front) -> bool {
        self.is_empty(front) && self.futures.get() == 0
    }

    /// Appends a task, by its link.
    #[inline]
    pub(crate) fn push(&self, front: &Front, links: &impl Links, link: &Link, index: Index) {
        self.drain(front, links);
        if self.list.push(links, link, index) {
            front.note(true);
        }
    }

    /// Puts a task before all others, by its link: one that was taken out and did not run.
    pub(crate) fn push_first(&self, front: &Front, links: &impl Links, link: &Link, index: Index) {
        if self.list.push_first(links, link, index) {
            front.note(true);
        }
    }

    /// Takes the oldest task, and notes which worker is to run it.
    #[inline]
    pub(crate) fn pop(
        &self,
        front: &Front,
        links: &impl Links,
        runner: Option<Seat>,
    ) -> Option<Index> {
        if Inbox::IS_OPEN && self.list.is_empty() {
            front.inbox.drain_into(&self.list, links);
            let index = self.list.pop(links, runner)?;
            if !self.list.is_empty() {
                front.note(true);
            }
            return Some(index);
        }
        let index = self.list.pop(links, runner)?;
        if self.list.is_empty() {
            front.note(false);
        }
        Some(index)
    }

    /// Takes a task out of the list wherever it stands. Returns false if it is not there. The
    /// caller has drained the inbox in this section, before it decided which task it means.
    #[inline]
    pub(crate) fn unlink(
        &self,
        front: &Front,
        links: &impl Links,
        link: &Link,
        index: Index,
    ) -> bool {
        let found = self.list.unlink(links, link, index);
        if found && self.list.is_empty() {
            front.note(false);
        }
        found
    }

    /// Returns true while tasks are refused.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Begins or ceases to refuse tasks.
    pub(crate) fn set_closed(&self, front: &Front, closed: bool) {
        if closed != self.closed.replace(closed) {
            front.inbox.set_closed(closed);
        }
    }

    /// Counts a future that was accepted.
    #[inline]
    pub(crate) fn future_began(&self) {
        self.futures.set(self.futures.get() + 1);
    }

    /// Counts a future that is done.
    pub(crate) fn future_ended(&self) {
        self.futures.set(self.futures.get() - 1);
    }
}
