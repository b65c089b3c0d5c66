//! Who sleeps for what: one wait cell per slot, all behind one lock.
//!
//! A cell has three kinds of listeners: at most one waiter (a thread, a worker or a `Waker`), a
//! list of callbacks, and the group of handles that `wait` or `as_completed` watches. Whoever
//! completes a task looks at its cell only if the state word says that there is something in it.
//!
//! Invariants:
//!
//! - **Register, Then Recheck.** A waiter stands in the cell, and the state word says so, before
//!   its thread looks at the task a last time and sleeps.
//! - **Notify Outside.** What must be woken leaves the lock by value and is woken after it.
//! - **Baton.** A waiter that finds the place taken puts itself in, keeps the one it displaced, and
//!   wakes it when it leaves. Every sleeper is therefore either in a place or in the hands of one
//!   that will wake it.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::mem;
use core::task::Waker;

use crate::host::Park;
use crate::queue::{CALLBACKS, COMPLETED, Index, List};

/// Whom to wake.
///
/// `None` is a variant with tag 0, rather than `Option`, so that an empty cell is all zeroes.
#[repr(u8)]
pub(crate) enum Waiter<H: Park> {
    None = 0,
    /// A thread of the host that waits, with the number that tells it from others, and that of the
    /// worker it is, plus one.
    // The smallest field first: the tag leaves room beside it.
    Thread {
        worker: u16,
        thread: H::Thread,
        id: usize,
    },
    /// One of the executor's own workers that has nothing to do.
    Worker(u16),
    /// An async task, of whatever executor.
    Waker(Waker),
}

impl<H: Park> Waiter<H> {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether both wake the same.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Thread { id: left, .. }, Self::Thread { id: right, .. }) => left == right,
            (Self::Worker(left), Self::Worker(right)) => left == right,
            (Self::Waker(left), Self::Waker(right)) => left.will_wake(right),
            _ => false,
        }
    }
}

/// Room for one waiter. Lives inside a lock.
pub(crate) struct Place<H: Park>(Cell<Waiter<H>>);

impl<H: Park> Place<H> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(Waiter::None))
    }

    /// Puts a waiter in and returns the one that was there, for the *Baton*.
    #[must_use = "a displaced waiter must be woken"]
    pub(crate) fn put(&self, waiter: Waiter<H>) -> Waiter<H> {
        self.0.replace(waiter)
    }

    #[must_use = "what was waiting must be woken"]
    pub(crate) fn take(&self) -> Waiter<H> {
        self.put(Waiter::None)
    }

    /// Takes `waiter` out again, if it is still there. The old one leaves the lock before it is
    /// dropped.
    pub(crate) fn remove(&self, waiter: &Waiter<H>) -> Waiter<H> {
        let there = self.take();
        if there.is(waiter) {
            return there;
        }
        // The place was empty while we looked.
        mem::forget(self.put(there));
        Waiter::None
    }

    /// The worker that waits here, if it is one.
    pub(crate) fn worker(&self) -> Option<u16> {
        let there = self.take();
        let worker = if let Waiter::Thread { worker, .. } = there {
            worker.checked_sub(1)
        } else {
            None
        };
        // The place was empty while we looked.
        mem::forget(self.put(there));
        worker
    }
}

/// When a group's waiter is woken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeOn {
    /// Whenever a member completes.
    Any,
    /// When a member fails, or all are done.
    Failure,
    /// When all are done.
    All,
}

/// Many handles watched at once: the members that are done, in the order in which they became so.
///
/// A group lives in the cell of some slot, not always a member's: it needs room for as long as it
/// has a member, a member pins a slot, and so there are never more groups than slots.
pub(crate) struct Group<H: Park> {
    used: Cell<bool>,
    pub(crate) wake_on: Cell<WakeOn>,
    /// Members that are not done.
    pub(crate) pending: Cell<u16>,
    /// Whether a member that is done counts as a failure.
    pub(crate) failed: Cell<bool>,
    /// Members that are done and not yet yielded.
    pub(crate) completed: List<COMPLETED>,
    pub(crate) waiter: Place<H>,
}

/// A slot's listeners.
pub(crate) struct WaitCell<H: Park> {
    /// Who waits for the task.
    pub(crate) waiter: Place<H>,
    /// The slots with the task's callbacks.
    pub(crate) callbacks: List<CALLBACKS>,
    /// Where the group that watches the task lives, plus one; 0 is none.
    group: Cell<u16>,
    /// Where the watcher keeps the handle.
    pub(crate) position: Cell<u32>,
    /// Room for a group.
    pub(crate) head: Group<H>,
}

impl<H: Park> WaitCell<H> {
    const fn new() -> Self {
        Self {
            waiter: Place::new(),
            callbacks: List::new(),
            group: Cell::new(0),
            position: Cell::new(0),
            head: Group {
                used: Cell::new(false),
                wake_on: Cell::new(WakeOn::Any),
                pending: Cell::new(0),
                failed: Cell::new(false),
                completed: List::new(),
                waiter: Place::new(),
            },
        }
    }

    /// Where the group that watches the task lives.
    pub(crate) fn group(&self) -> Option<Index> {
        self.group.get().checked_sub(1)
    }

    pub(crate) fn set_group(&self, group: Option<Index>) {
        self.group.set(group.map_or(0, |group| group + 1));
    }
}

/// All wait cells of an executor: what the lock guards.
pub(crate) struct Waits<H: Park, C: ?Sized = [WaitCell<H>]> {
    /// Workers that are blocked, without a time limit, on tasks which run on workers.
    pub(crate) stuck: Cell<usize>,
    /// Workers that are about to be stuck, and look a last time.
    pub(crate) sticking: Cell<usize>,
    /// How many workers sleep because they wait for a task.
    pub(crate) asleep: Cell<u16>,
    /// Stuck workers that must give up, because one that cannot is stuck as well.
    pub(crate) doomed: Cell<usize>,
    host: core::marker::PhantomData<fn() -> H>,
    cells: C,
}

impl<H: Park, const QUEUE: usize> Waits<H, [WaitCell<H>; QUEUE]> {
    pub(crate) const fn new() -> Self {
        Self {
            stuck: Cell::new(0),
            sticking: Cell::new(0),
            asleep: Cell::new(0),
            doomed: Cell::new(0),
            host: core::marker::PhantomData,
            cells: [const { WaitCell::new() }; QUEUE],
        }
    }
}

impl<H: Park> Waits<H> {
    pub(crate) fn cell(&self, index: Index) -> &WaitCell<H> {
        &self.cells[usize::from(index)]
    }

    /// Finds room for a group, preferably in the cell of its first member.
    ///
    /// Bound: the number of slots, and one step as long as no watched slot was reused under another
    /// group.
    pub(crate) fn new_group(&self, first: Index, wake_on: WakeOn) -> Index {
        let (before, after) = self.cells.split_at(usize::from(first));
        let places = (usize::from(first)..).zip(after).chain((0..).zip(before));
        for (place, cell) in places {
            let group = &cell.head;
            if !group.used.replace(true) {
                group.wake_on.set(wake_on);
                group.failed.set(false);
                // Fits: there are fewer than 2^16 slots.
                return place as Index;
            }
        }
        // Each group has a member, each member its own slot, and the first member is in no group
        // yet.
        unreachable!("more groups than slots")
    }

    /// Frees a group's room if it has no member left. Its waiter leaves by value.
    #[must_use = "what was waiting must leave the lock before it is dropped"]
    pub(crate) fn drop_group(&self, group: Index) -> Waiter<H> {
        let head = &self.cell(group).head;
        head.used.set(false);
        head.pending.set(0);
        head.waiter.take()
    }

    /// Notes that a worker can go on.
    pub(crate) fn unstick(&self, worker: u16) {
        self.stuck.set(self.stuck.get() & !(1 << worker));
        self.sticking.set(self.sticking.get() & !(1 << worker));
    }

    /// Notes that a worker is about to be stuck.
    pub(crate) fn begin_to_stick(&self, worker: u16) {
        self.sticking.set(self.sticking.get() | 1 << worker);
        self.doomed.set(self.doomed.get() & !(1 << worker));
    }

    /// Notes that a worker cannot go on before others do, unless what it waits for has moved since
    /// it began to stick.
    pub(crate) fn stick(&self, worker: u16) {
        let bit = 1 << worker;
        self.stuck.set(self.stuck.get() | self.sticking.get() & bit);
        self.sticking.set(self.sticking.get() & !bit);
    }

    /// Whether any worker is stuck, or about to be.
    pub(crate) fn any_stuck(&self) -> bool {
        self.stuck.get() | self.sticking.get() != 0
    }
}
