//! Which waiters listen to which task: one wait cell per slot, all behind one lock.
//!
//! A cell has three kinds of listeners: at most one waiter (a thread or a `Waker`), a list of
//! callbacks, and a group of handles. `wait` and `as_completed` watch groups. A completer looks at
//! the cell only if the state word says that it has a listener.
//!
//! Invariants:
//!
//! - **Register, Then Recheck.** A waiter stands in the cell, and the state word says so. Then its
//!   thread looks at the task a last time, and then sleeps.
//! - **Notify Outside.** A waiter that must be woken leaves the lock by value and is woken after.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::host::Park;
use crate::list::{CALLBACKS, COMPLETED, Index, Link, Links, List, Ring};
use crate::waiter::{Waiter, WaiterCell};

/// When the completer of a member wakes a group's waiter. Never 0: an empty cell is all zeroes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WakeOn {
    /// Whenever a member completes.
    Any = 1,
    /// When a member fails, or all are done.
    Failure,
    /// When all are done.
    All,
}

/// Many handles watched at once: the members that are done, in the order of their completion.
///
/// A group lives in the cell of some slot, not always a member's. It needs room for as long as it
/// has a member, and a member pins a slot. So there are never more groups than slots.
struct Group<H: Park> {
    /// `None`: the room is free.
    wake_on: Cell<Option<WakeOn>>,
    /// Members that are not done.
    pending: Cell<u16>,
    /// True if a member that is done counts as a failure.
    failed: Cell<bool>,
    /// Members that are done and not yet yielded.
    completed: List<COMPLETED>,
    waiter: WaiterCell<H>,
}

impl<H: Park> Group<H> {
    /// Takes the waiter out if what it waits for has come.
    fn due(&self, failure: bool) -> Waiter<H> {
        let all_done = self.pending.get() == 0;
        let due = match self.wake_on.get() {
            Some(WakeOn::Failure) => failure || all_done,
            Some(WakeOn::All) => all_done,
            _ => true,
        };
        if due {
            self.waiter.take()
        } else {
            Waiter::NONE
        }
    }
}

/// Which of the two waiters for a task is meant.
#[derive(Clone, Copy)]
pub(crate) enum WaiterOf {
    Task,
    Group,
}

/// What one look at a group says.
#[derive(Clone, Copy)]
pub(crate) struct GroupLook {
    pub(crate) has_completed: bool,
    pub(crate) has_failed: bool,
    pub(crate) has_pending: bool,
}

/// A slot's listeners.
pub(crate) struct WaitCell<H: Park> {
    waiter: WaiterCell<H>,
    /// The slots with the task's callbacks.
    callbacks: Ring<CALLBACKS>,
    /// Where the group that watches the task lives, plus one; 0 is none.
    group: Cell<u16>,
    /// Where the watcher keeps the handle.
    position: Cell<u32>,
    /// Room for a group.
    head: Group<H>,
}

impl<H: Park> WaitCell<H> {
    const fn new() -> Self {
        Self {
            waiter: WaiterCell::new(),
            callbacks: Ring::new(),
            group: Cell::new(0),
            position: Cell::new(0),
            head: Group {
                wake_on: Cell::new(None),
                pending: Cell::new(0),
                failed: Cell::new(false),
                completed: List::new(),
                waiter: WaiterCell::new(),
            },
        }
    }

    /// The waiter for the task.
    pub(crate) fn waiter(&self) -> &WaiterCell<H> {
        &self.waiter
    }

    /// Appends the slot of a callback.
    pub(crate) fn push_callback(&self, links: &impl Links, link: &Link, callback: Index) {
        self.callbacks.push(links, link, callback);
    }

    /// Takes the slot of the callback that was added first.
    pub(crate) fn pop_callback(&self, links: &impl Links) -> Option<Index> {
        self.callbacks.pop(links)
    }

    /// Where the group that watches the task lives.
    fn group(&self) -> Option<Index> {
        self.group.get().checked_sub(1)
    }
}

/// All wait cells of an executor: what the lock guards.
pub(crate) struct WaitTable<H: Park, N, C: ?Sized = [WaitCell<H>]> {
    /// Serves the listeners of a slot; there if a waiter ever listened.
    notify_listeners: Cell<Option<N>>,
    /// True if that code serves callbacks and groups too.
    serves_all: Cell<bool>,
    /// How many threads look again when a future is queued: workers that sleep because they wait
    /// for a task, and threads that wait in order to cancel one.
    sleeping_workers: Cell<u16>,
    host: core::marker::PhantomData<fn() -> H>,
    cells: C,
}

impl<H: Park, N, const QUEUE: usize> WaitTable<H, N, [WaitCell<H>; QUEUE]> {
    pub(crate) const fn new() -> Self {
        Self {
            notify_listeners: Cell::new(None),
            serves_all: Cell::new(false),
            sleeping_workers: Cell::new(0),
            host: core::marker::PhantomData,
            cells: [const { WaitCell::new() }; QUEUE],
        }
    }
}

impl<H: Park, N: Copy> WaitTable<H, N> {
    /// Installs the code that serves listeners, of all kinds if `serves_all`. It never takes the
    /// place of code that serves more. A program that never waits does not link it.
    #[inline(always)]
    pub(crate) fn install(&self, notify_listeners: N, serves_all: bool) {
        if serves_all || !self.serves_all.get() {
            self.notify_listeners.set(Some(notify_listeners));
            self.serves_all.set(serves_all);
        }
    }

    /// Returns true if callbacks or groups may be among the listeners.
    pub(crate) fn serves_all(&self) -> bool {
        self.serves_all.get()
    }

    /// The code that serves listeners, if a waiter ever listened.
    pub(crate) fn notify_listeners(&self) -> Option<N> {
        self.notify_listeners.get()
    }

    #[inline]
    pub(crate) fn cell(&self, index: Index) -> &WaitCell<H> {
        &self.cells[usize::from(index)]
    }

    /// Counts a worker that is about to sleep because it waits for a task, or a canceller that is
    /// about to wait.
    pub(crate) fn worker_sleeps(&self) {
        self.sleeping_workers.set(self.sleeping_workers.get() + 1);
    }

    /// Counts a worker that sleeps no more, or a canceller that waits no more.
    pub(crate) fn worker_woke(&self) {
        self.sleeping_workers.set(self.sleeping_workers.get() - 1);
    }

    /// Returns true if workers sleep because they wait for tasks, or cancellers wait.
    pub(crate) fn has_sleeping_workers(&self) -> bool {
        self.sleeping_workers.get() != 0
    }

    /// Takes the waiter for a task out: the one for it alone, or the one for its group.
    pub(crate) fn take_waiter(&self, index: Index, of: WaiterOf) -> Waiter<H> {
        let cell = self.cell(index);
        match (of, cell.group()) {
            (WaiterOf::Task, _) => cell.waiter.take(),
            (WaiterOf::Group, Some(group)) => self.cell(group).head.waiter.take(),
            (WaiterOf::Group, None) => Waiter::NONE,
        }
    }

    /// A task has ended: moves it in its group to the members that are done. Returns the group's
    /// waiter if what it waits for has come.
    pub(crate) fn complete_member(
        &self,
        links: &impl Links,
        link: &Link,
        index: Index,
        failure: bool,
    ) -> Waiter<H> {
        let Some(group) = self.cell(index).group() else {
            return Waiter::NONE;
        };
        let head = &self.cell(group).head;
        head.completed.push(links, link, index);
        head.pending.set(head.pending.get() - 1);
        if failure {
            head.failed.set(true);
        }
        head.due(failure)
    }

    /// Where the group that watches a task lives.
    pub(crate) fn group_of(&self, index: Index) -> Option<Index> {
        self.cell(index).group()
    }

    /// Finds room for a group, preferably in the cell of its first member.
    ///
    /// Bound: the number of slots; one step unless a watched slot was reused under another group.
    pub(crate) fn new_group(&self, first: Index) -> Index {
        let (before, after) = self.cells.split_at(usize::from(first));
        let places = (usize::from(first)..).zip(after).chain((0..).zip(before));
        for (place, cell) in places {
            let group = &cell.head;
            if group.wake_on.get().is_none() {
                group.wake_on.set(Some(WakeOn::Any));
                group.failed.set(false);
                // Fits: there are fewer than 2^16 slots.
                return place as Index;
            }
        }
        // Each group has a member, each member its own slot, and the first is in no group yet.
        unreachable!("more groups than slots")
    }

    /// Adds a task to a group. `position` is where the watcher keeps its handle. `done`: the task
    /// is done already.
    pub(crate) fn join_group(
        &self,
        links: &impl Links,
        (link, index): (&Link, Index),
        group: Index,
        position: usize,
        done: bool,
    ) {
        let cell = self.cell(index);
        cell.group.set(group + 1);
        // Fits: handles pin slots, of which an executor has fewer than 2^16.
        cell.position.set(position as u32);
        let head = &self.cell(group).head;
        if done {
            head.completed.push(links, link, index);
        } else {
            head.pending.set(head.pending.get() + 1);
        }
    }

    /// A member of the group had failed before it joined.
    pub(crate) fn note_failure(&self, group: Index) {
        self.cell(group).head.failed.set(true);
    }

    /// Takes a task out of its group, if it is in one. A waiter that leaves with the group is
    /// returned, so that it is dropped outside the lock.
    pub(crate) fn leave_group(&self, links: &impl Links, link: &Link, index: Index) -> Waiter<H> {
        let cell = self.cell(index);
        let Some(group) = cell.group() else {
            return Waiter::NONE;
        };
        cell.group.set(0);
        let head = &self.cell(group).head;
        if !head.completed.unlink(links, link, index) {
            head.pending.set(head.pending.get() - 1);
        }
        self.free_if_empty(group)
    }

    /// Takes the oldest done member out of the group of a task. Returns where the watcher keeps it,
    /// and the waiter that leaves with the group.
    ///
    /// Inlined: a call would lengthen the section.
    #[inline(always)]
    pub(crate) fn pop_completed(
        &self,
        links: &impl Links,
        member: Index,
    ) -> Option<(usize, Waiter<H>)> {
        let group = self.cell(member).group()?;
        let index = self.cell(group).head.completed.pop(links, None)?;
        let cell = self.cell(index);
        cell.group.set(0);
        Some((cell.position.get() as usize, self.free_if_empty(group)))
    }

    fn free_if_empty(&self, group: Index) -> Waiter<H> {
        let head = &self.cell(group).head;
        if head.pending.get() != 0 || !head.completed.is_empty() {
            return Waiter::NONE;
        }
        head.wake_on.set(None);
        head.waiter.take()
    }

    /// One look at the group of a task.
    pub(crate) fn look_at_group(&self, member: Index) -> Option<GroupLook> {
        let head = &self.cell(self.cell(member).group()?).head;
        Some(GroupLook {
            has_completed: !head.completed.is_empty(),
            has_failed: head.failed.get(),
            has_pending: head.pending.get() > 0,
        })
    }

    /// Puts a waiter into the group of a task, to be woken when `wake_on` says, and returns the
    /// displaced one. Without a group, gives the waiter back.
    pub(crate) fn put_group_waiter(
        &self,
        member: Index,
        wake_on: WakeOn,
        waiter: Waiter<H>,
    ) -> Waiter<H> {
        match self.cell(member).group() {
            Some(group) => {
                let head = &self.cell(group).head;
                head.wake_on.set(Some(wake_on));
                head.waiter.put(waiter)
            }
            None => waiter,
        }
    }
}
