//! The ready queue: tasks that wait to be started, in the order that the host names.
//!
//! [`ReadyQueue`] is what the lock of the ready queue guards; [`Front`] is what threads see without
//! that lock. A submitter enters through the lock (`locked`, boards) or through a lock-free
//! [`Inbox`] (`inbox`, desktops). The two files have the same names and signatures, and the
//! conditions below choose one.
//!
//! With levels, only tasks of the lowest one go through the inbox. So what the inbox holds goes to
//! one list.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::list::{Index, Link, Links, Seat};
use crate::order::{Level, Lists, Parts};
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
    /// A bit for each level whose list may hold a task. Relaxed: a worker looks under the lock
    /// before it parks.
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

    /// Returns true if a look at the queue is worth its lock, for a thread that takes tasks from a
    /// level on.
    #[inline]
    pub(crate) fn is_worth_a_look(&self, floor: impl Level) -> bool {
        let nonempty = self.maybe_nonempty.load(Ordering::Relaxed);
        nonempty >> floor.number() != 0 || floor.number() == 0 && !self.inbox.is_empty()
    }

    #[inline]
    fn note(&self, nonempty: usize) {
        self.maybe_nonempty.store(nonempty, Ordering::Relaxed);
    }
}

/// Tasks that can be started, and how many futures are alive. Lives inside the lock.
pub(crate) struct ReadyQueue<O: Parts> {
    lists: O::Lists,
    /// True while tasks are refused.
    closed: Cell<bool>,
    /// Futures that are not done.
    futures: Cell<u16>,
}

impl<O: Parts> ReadyQueue<O> {
    pub(crate) const fn new() -> Self {
        Self {
            lists: O::EMPTY,
            closed: Cell::new(false),
            futures: Cell::new(0),
        }
    }

    /// The lists of the order.
    pub(crate) fn lists(&self) -> &O::Lists {
        &self.lists
    }

    /// Moves the inbox to the end of its list, oldest first. Returns true if there was a task.
    #[inline]
    fn drain_inbox(&self, front: &Front, links: &impl Links) -> bool {
        let drained = front.inbox.drain_into(self.lists.base(), links);
        if drained {
            self.lists.base_grew();
        }
        drained
    }

    /// Moves the inbox to the end of the list, oldest first.
    ///
    /// Bound: the tasks that were pushed since the last time. Each of them is moved once.
    #[inline]
    pub(crate) fn drain(&self, front: &Front, links: &impl Links) {
        if self.drain_inbox(front, links) {
            front.note(self.lists.summary(true));
        }
    }

    /// Returns true if no task waits. Exact for what happened before the lock was taken.
    #[inline]
    pub(crate) fn is_empty(&self, front: &Front) -> bool {
        self.lists.is_empty() && front.inbox.is_empty()
    }

    /// Returns true if no task waits that a thread takes which serves the levels from `floor` on.
    #[inline]
    pub(crate) fn is_empty_from(&self, front: &Front, floor: O::Level) -> bool {
        if floor.number() == 0 {
            return self.is_empty(front);
        }
        self.lists
            .top()
            .is_none_or(|top| top.number() < floor.number())
    }

    /// The highest level that has a task. Exact for what happened before the lock was taken.
    #[inline]
    pub(crate) fn top(&self, front: &Front) -> Option<O::Level> {
        let in_inbox = || (!front.inbox.is_empty()).then_some(O::Level::BASE);
        self.lists.top().or_else(in_inbox)
    }

    /// The levels that have a task, one bit each. Exact for what happened before the lock was
    /// taken.
    pub(crate) fn levels(&self, front: &Front) -> usize {
        let has_task = !self.lists.is_empty();
        self.lists.summary(has_task) | usize::from(!front.inbox.is_empty())
    }

    /// Returns true if no accepted task can still need a worker.
    pub(crate) fn is_drained(&self, front: &Front) -> bool {
        self.is_empty(front) && self.futures.get() == 0
    }

    /// Returns true if a worker that serves the levels from `floor` on may leave a life that is
    /// shut down. A tied one waits for no future: others run what comes later, or the thread that
    /// shuts down does.
    pub(crate) fn lets_leave(&self, front: &Front, floor: O::Level) -> bool {
        if floor.number() == 0 {
            return self.is_drained(front);
        }
        self.is_empty_from(front, floor)
    }

    /// Appends a task to the list of its level, by its link.
    #[inline]
    pub(crate) fn push(&self, front: &Front, links: &impl Links, link: &Link, index: Index) {
        self.drain(front, links);
        if self.lists.push(links, link, index) {
            front.note(self.lists.summary(true));
        }
    }

    /// Takes the oldest task of the highest level, if that is not below `floor`, and notes which
    /// worker is to run it.
    #[inline]
    pub(crate) fn pop(
        &self,
        front: &Front,
        links: &impl Links,
        runner: Option<Seat>,
        floor: O::Level,
    ) -> Option<Index> {
        // With levels in each look: the lowest one waits from the moment of its push.
        if Inbox::IS_OPEN && floor.number() == 0 && (O::LEVELS > 1 || self.lists.is_empty()) {
            self.drain_inbox(front, links);
            let index = self.lists.pop(links, runner, floor)?;
            if O::LEVELS > 1 || !self.lists.is_empty() {
                front.note(self.lists.summary(true));
            }
            return Some(index);
        }
        let index = self.lists.pop(links, runner, floor)?;
        if O::LEVELS > 1 || self.lists.is_empty() {
            front.note(self.lists.summary(false));
        }
        Some(index)
    }

    /// Takes the next task out, which is not to run: no figure counts it.
    pub(crate) fn remove_next(&self, front: &Front, links: &impl Links) -> Option<Index> {
        if O::LEVELS == 1 {
            return self.pop(front, links, None, O::Level::BASE);
        }
        self.drain(front, links);
        let index = self.lists.first()?;
        self.unlink(front, links, links.link(index), index);
        Some(index)
    }

    /// Moves a task to the end of a higher level. Returns false if it is in no list, or its level
    /// is as high. The caller has drained the inbox in this section.
    pub(crate) fn raise(
        &self,
        front: &Front,
        links: &impl Links,
        link: &Link,
        index: Index,
        level: O::Level,
    ) -> bool {
        let raised = self.lists.raise(links, link, index, level);
        if raised {
            front.note(self.lists.summary(true));
        }
        raised
    }

    /// Takes a task out of its list wherever it stands. Returns false if it is not there. The
    /// caller has drained the inbox in this section, before it decided which task it means.
    #[inline]
    pub(crate) fn unlink(
        &self,
        front: &Front,
        links: &impl Links,
        link: &Link,
        index: Index,
    ) -> bool {
        let found = self.lists.unlink(links, link, index);
        if found && (O::LEVELS > 1 || self.lists.is_empty()) {
            front.note(self.lists.summary(false));
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
