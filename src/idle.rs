//! Which threads sleep and can be woken because there is work, and which search for it.
//!
//! Lives inside the lock of the ready queue. Invariant **No Lost Worker**: a worker parks only
//! after it found the queue empty and set its idle bit in one section. A submitter reads the bits
//! in the section that pushes; without the lock, it sees the inbox's wake flag in its push.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::host::{LevelOf, Park};
use crate::order::{Parts, Ties};
use crate::ready_queue::{Inbox, InboxWatch};
use crate::waiter::{Waiter, WaiterCell};

/// The bit of the thread that runs tasks while it waits, beside those of the workers.
pub(crate) const DRIVER: u32 = usize::BITS - 1;

/// Idle threads, one bit for each worker and one for the driver. `W` is the code that wakes one.
pub(crate) struct Idle<H: Park, W> {
    asleep: Cell<usize>,
    /// Which workers serve the urgent levels only.
    ties: <H::Order as Parts>::Ties,
    /// Workers that serve every level and look for work without holding the lock.
    searching: Cell<u16>,
    /// Wakes the thread of a bit; there if a thread ever was idle.
    wake_idle: Cell<Option<W>>,
    /// The thread that runs tasks while it waits, where there are no workers.
    driver: WaiterCell<H>,
    watch: InboxWatch,
}

impl<H: Park, W: Copy> Idle<H, W> {
    pub(crate) const fn new() -> Self {
        Self {
            asleep: Cell::new(0),
            ties: <H::Order as Parts>::UNTIED,
            searching: Cell::new(0),
            wake_idle: Cell::new(None),
            driver: WaiterCell::new(),
            watch: InboxWatch::new(),
        }
    }

    /// A worker serves the levels from `floor` on.
    pub(crate) fn tie(&self, bit: usize, floor: LevelOf<H>) {
        self.ties.tie(bit, floor);
    }

    /// Returns true if no thread sleeps.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.asleep.get() == 0
    }

    /// Sets a thread's bit. Returns false, and sets nothing, if a task was pushed to the inbox
    /// whose submitter wakes no worker: the caller must look again.
    pub(crate) fn fall_asleep(&self, inbox: &Inbox, bit: usize, wake_idle: W) -> bool {
        let others = self.asleep.get();
        self.asleep.set(others | bit);
        self.wake_idle.set(Some(wake_idle));
        let told = self.update_wake_flag(inbox);
        if !told {
            self.asleep.set(others);
        }
        told
    }

    /// Clears a worker's bits: it is awake and looks for itself.
    #[inline]
    pub(crate) fn wake_up(&self, bit: usize) {
        self.asleep.set(self.asleep.get() & !bit);
        self.watch.clear_unparked(bit);
    }

    /// Notes whether a worker rests as an async task. Its executor may poll it late, so a worker
    /// that is woken there keeps no other asleep.
    pub(crate) fn set_resting(&self, bit: usize, rests: bool) {
        if H::FAIR {
            self.watch.set_resting(bit, rests);
        }
    }

    #[inline]
    pub(crate) fn begin_search(&self) {
        self.searching.set(self.searching.get() + 1);
    }

    #[inline]
    pub(crate) fn end_search(&self) {
        self.searching.set(self.searching.get() - 1);
    }

    /// Returns true if a worker searches, or was unparked and is about to. It serves every level,
    /// but perhaps in a thread that is not urgent.
    #[inline]
    pub(crate) fn has_searcher(&self) -> bool {
        self.searching.get() > 0 || self.watch.has_unparked()
    }

    /// Updates the inbox's wake flag, which makes lock-free submitters wake a worker. The caller
    /// holds the lock and has changed the idle bits or the searchers. Returns false if a task was
    /// pushed before the flag was set: the caller must look again.
    pub(crate) fn update_wake_flag(&self, inbox: &Inbox) -> bool {
        // The inbox holds tasks of the lowest level only.
        let wake = self.ties.general(self.asleep.get()) != 0 && !self.has_searcher();
        self.watch.update(inbox, wake)
    }

    /// Takes the lowest bit out of those that are to run a task of a level. The caller wakes its
    /// thread because there is work.
    pub(crate) fn take(&self, level: LevelOf<H>) -> Option<(W, u32)> {
        let (wake, bit) = self.take_of(self.ties.candidates(self.asleep.get(), level))?;
        if H::FAIR && bit != DRIVER {
            self.watch.set_unparked(self.ties.general(1 << bit));
        }
        Some((wake, bit))
    }

    /// Takes the lowest bit out. The caller wakes its thread, with or without work.
    pub(crate) fn take_any(&self) -> Option<(W, u32)> {
        self.take_of(self.asleep.get())
    }

    fn take_of(&self, threads: usize) -> Option<(W, u32)> {
        let wake_idle = self.wake_idle.get()?;
        if threads == 0 {
            return None;
        }
        let lowest = threads & threads.wrapping_neg();
        self.asleep.set(self.asleep.get() & !lowest);
        Some((wake_idle, threads.trailing_zeros()))
    }

    /// Makes the caller the driver. The displaced driver must be woken when it leaves.
    pub(crate) fn put_driver(&self, waiter: Waiter<H>) -> Waiter<H> {
        self.driver.put(waiter)
    }

    /// Takes the driver out, with its bit: it may have set it again since a submitter took the bit.
    /// The caller wakes it.
    pub(crate) fn take_driver(&self) -> Waiter<H> {
        self.asleep.set(self.asleep.get() & !(1 << DRIVER));
        self.driver.take()
    }

    /// The driver woke up: takes it out if it is still there, with its bit.
    pub(crate) fn remove_driver(&self, waiter: &Waiter<H>) -> Waiter<H> {
        let there = self.driver.remove(waiter);
        if !there.is_none() {
            self.asleep.set(self.asleep.get() & !(1 << DRIVER));
        }
        there
    }
}
