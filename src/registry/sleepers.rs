//! Who sleeps and how they are woken: idle workers, drivers, those who wait for a slot, and workers
//! that are stuck.
#![forbid(unsafe_code)]

use super::shared::{DRIVER, Rouse};
use super::{Ready, Registry};
use crate::host::Park;
use crate::queue::Index;
use crate::sync::Ordering;
use crate::unwind;
use crate::waiter::{Waiter, Waits};

/// Wakes a worker, or whoever drives. Left by those who go to sleep.
#[cold]
fn rouse<H: Park>(registry: Registry<'_, H>, sleeper: u32) {
    if sleeper == DRIVER {
        registry.notify(registry.shared().ready.with(|ready| ready.driver.take()));
    } else {
        registry.notify(Waiter::Worker(sleeper as u16)); // below the width of a word
    }
}

/// Wakes who waits for a slot. Left by those who do.
fn rouse_room<H: Park>(registry: Registry<'_, H>) {
    let waiter = registry.shared().free.with(|free| {
        registry.shared().returned.await_none();
        free.room.take()
    });
    registry.notify(waiter);
}

impl<'e, H: Park> Registry<'e, H> {
    /// Wakes whom a look at the sleepers found. Called with no lock held (*Notify Outside*).
    #[inline]
    pub(super) fn call(self, sleeper: Option<(Rouse<H>, u32)>) {
        if let Some((rouse, sleeper)) = sleeper {
            rouse(self, sleeper);
        }
    }

    #[cold]
    pub(super) fn room_is_there(self) {
        if let Some(rouse) = self.shared().free.with(|free| free.rouse.get()) {
            rouse(self);
        }
    }

    /// Notes who waits for a slot. What it displaced must be woken when it leaves.
    pub(crate) fn await_room(self, waiter: Waiter<H>) -> Waiter<H> {
        self.shared().free.with(|free| {
            free.rouse.set(Some(rouse_room));
            self.shared().returned.await_one();
            free.room.put(waiter)
        })
    }

    /// It does not wait any more.
    pub(crate) fn leave_room(self, waiter: &Waiter<H>) -> Waiter<H> {
        self.shared().free.with(|free| {
            let there = free.room.remove(waiter);
            if !there.is_none() {
                self.shared().returned.await_none();
            }
            there
        })
    }

    /// Somebody sleeps, or did a moment ago, and nobody looked for work.
    #[inline(never)]
    pub(super) fn tell_of_arrivals(self) {
        let sleeper = self.shared().ready.with(|ready| {
            let sleeper = self.whom_to_wake(ready);
            self.note_sleepers(ready);
            sleeper
        });
        self.call(sleeper);
    }

    /// Tells those who push without the lock whether somebody sleeps and nobody looks for work; to
    /// be called when either may have become true. Says whether nothing has come of which they
    /// did not tell.
    fn note_sleepers(self, ready: &Ready<H>) -> bool {
        let awaits = ready.idle.get() != 0 && !ready.is_looked_after();
        ready.notes_already(awaits) || self.shared().arrivals.set_awaited(awaits)
    }

    /// Whom to wake because there is work, and how: nobody if somebody is looking already.
    #[inline]
    pub(super) fn whom_to_wake(self, ready: &Ready<H>) -> Option<(Rouse<H>, u32)> {
        // The commonest answer first.
        if ready.idle.get() == 0 {
            None
        } else {
            self.next_sleeper(ready)
        }
    }

    #[inline(never)]
    fn next_sleeper(self, ready: &Ready<H>) -> Option<(Rouse<H>, u32)> {
        // First: what comes after this is told of.
        self.note_sleepers(ready);
        if ready.is_looked_after() || self.is_empty(ready) {
            return None;
        }
        ready.next_sleeper()
    }

    /// Somebody goes to sleep. `false`: not yet, a task came of which it was not told. The second
    /// time in one section, that is not so.
    pub(super) fn fall_idle(self, ready: &Ready<H>, bit: usize) -> bool {
        let others = ready.idle.get();
        ready.idle.set(others | bit);
        ready.rouse.set(Some(rouse));
        let told = self.note_sleepers(ready);
        if !told {
            ready.idle.set(others);
        }
        told
    }

    /// A worker that its host breaks off is counted on no more, and somebody else does what it was
    /// woken for.
    #[cold]
    pub(crate) fn lose(self, worker: u16, searching: bool) {
        let bit = 1 << worker;
        let sleeper = self.shared().ready.with(|ready| {
            ready.idle.set(ready.idle.get() & !bit);
            ready.has_come(bit);
            if searching {
                ready.searching.set(ready.searching.get() - 1);
            }
            self.whom_to_wake(ready)
        });
        self.call(sleeper);
    }

    /// A thread that runs tasks while it waits goes to sleep. Refused if there is work.
    pub(crate) fn become_driver(self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.shared().ready.with(|ready| {
            if self.is_empty(ready) && self.fall_idle(ready, 1 << DRIVER) {
                Ok(ready.driver.put(waiter))
            } else {
                Err(waiter)
            }
        })
    }

    /// It woke up.
    pub(crate) fn stop_driving(self, waiter: &Waiter<H>) -> Waiter<H> {
        self.shared().ready.with(|ready| {
            let there = ready.driver.remove(waiter);
            if !there.is_none() {
                ready.idle.set(ready.idle.get() & !(1 << DRIVER));
            }
            there
        })
    }

    /// Wakes every worker that is parked, and whoever drives, waits for the workers, or waits for a
    /// slot.
    ///
    /// Bound: the number of workers, and three.
    pub(crate) fn wake_all(self) {
        for _ in 0..=self.workers().len() {
            let sleeper = self.shared().ready.with(Ready::any_sleeper);
            if sleeper.is_none() {
                break;
            }
            self.call(sleeper);
        }
        self.notify(self.shared().ready.with(|ready| ready.closer.take()));
        self.room_is_there();
    }

    /// Wakes a waiter. Called with no lock held (*Notify Outside*).
    pub(crate) fn notify(self, waiter: Waiter<H>) {
        match waiter {
            Waiter::None => {}
            Waiter::Thread { thread, .. } => H::unpark(&thread),
            // Foreign code, and the caller has more to do.
            Waiter::Waker(waker) => {
                unwind::contain(|| waker.wake());
            }
            Waiter::Worker(worker) => {
                let thread = self.workers()[usize::from(worker)].desk.with(|desk| {
                    let thread = desk.thread.take();
                    desk.thread.set(thread.clone());
                    thread
                });
                if let Some(thread) = thread {
                    H::unpark(&thread);
                }
            }
        }
    }

    /// The workers that wait for a task: for it alone, or as one of several. Inside the lock of the
    /// wait cells.
    fn waiting_workers(waits: &Waits<H>, index: Index) -> [Option<u16>; 2] {
        let cell = waits.cell(index);
        let watcher = cell
            .group()
            .and_then(|group| waits.cell(group).head.waiter.worker());
        [cell.waiter.worker(), watcher]
    }

    /// What a task does next is not up to the worker it was on: nobody who waits for it is stuck.
    /// Inside the lock of the wait cells.
    ///
    /// Bound: the number of workers.
    pub(crate) fn unstick_all(self, waits: &Waits<H>, index: Index) {
        if !waits.any_stuck() {
            return;
        }
        for worker in Self::waiting_workers(waits, index).into_iter().flatten() {
            waits.unstick(worker);
        }
        // Those whose place another waiter has taken (*Baton*).
        for (worker, cell) in (0..).zip(self.workers()) {
            if cell.stuck_on.load(Ordering::Relaxed) == index + 1 {
                waits.unstick(worker);
            }
        }
    }

    /// A worker that waits for a future looks again when that was woken: it may be the only one
    /// that can poll it. Whoever stands in the place does so, and then those it displaced.
    pub(crate) fn nudge(self, index: Index) {
        if !self.slot(index).snapshot().has_listener() {
            return;
        }
        let waiters = self.waits().with(|waits| {
            if waits.asleep.get() == 0 {
                return [Waiter::None, Waiter::None];
            }
            let cell = waits.cell(index);
            let watcher = cell
                .group()
                .map_or(Waiter::None, |group| waits.cell(group).head.waiter.take());
            [cell.waiter.take(), watcher]
        });
        for waiter in waiters {
            self.notify(waiter);
        }
    }
}
