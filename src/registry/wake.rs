//! How sleepers wake: idle workers, drivers, waiters in line for a slot, waiters for tasks. Also
//! the lives of an executor, whose changes wake all of them.
#![forbid(unsafe_code)]

use super::Registry;
use super::shared::{ListenerEvent, Ready, SlotEvent};
use super::tasks::Sleeper;
use crate::host::{LevelOf, Park};
use crate::idle::DRIVER;
use crate::list::Index;
use crate::order::{Level, Parts};
use crate::roster::{Epoch, Mode, Roster};
use crate::sync::Ordering;
use crate::unwind;
use crate::wait_table::WaiterOf;
use crate::waiter::{Waiter, WaiterCell};

/// Wakes a worker, or the driver. Left by the threads that fall idle.
#[cold]
fn wake_idle<H: Park>(registry: Registry<'_, H>, sleeper: u32) {
    let waiter = if sleeper == DRIVER {
        registry
            .shared()
            .ready
            .with(|ready| ready.idle.take_driver())
    } else {
        registry.workers()[sleeper as usize].sleeper()
    };
    registry.notify(waiter);
}

/// Gives free slots to the waiters in line, first come, first served; or refuses the waiters, if
/// tasks are refused. Left by those waiters.
///
/// Bound: the number of slots that are free; or the waiters that stand in line now. A waiter that
/// joins later looks at the refusal before it sleeps.
pub(crate) fn serve_line<H: Park>(registry: Registry<'_, H>, event: SlotEvent) {
    let free = &registry.shared().free;
    if event == SlotEvent::Freed {
        while let Some(waiter) = free.serve_first(&registry, registry.capacity()) {
            registry.notify(waiter);
        }
        return;
    }
    while let Some(reason) = registry.refusal() {
        let Some(waiter) = free.dismiss_first(reason) else {
            break;
        };
        registry.notify(waiter);
    }
}

impl<H: Park> Registry<'_, H> {
    /// Wakes the idle thread that a section found. Called with no lock held (*Notify Outside*).
    #[inline]
    pub(super) fn wake_sleeper(self, sleeper: Sleeper<H>) {
        if let Some((wake_idle, sleeper)) = sleeper {
            wake_idle(self, sleeper);
        }
    }

    /// Work of a level was pushed: wakes the idle thread that the section found, or tells the host.
    /// Of urgent work it tells the host in any case: a worker in an interrupt never falls idle.
    #[inline]
    pub(super) fn work_is_there(self, sleeper: Sleeper<H>, level: LevelOf<H>) {
        if <H::Order as Parts>::LEVELS > 1 {
            if level.number() > 0 || sleeper.is_none() {
                H::ready_at(level.number());
            }
            return self.wake_sleeper(sleeper);
        }
        match sleeper {
            Some((wake_idle, sleeper)) => wake_idle(self, sleeper),
            None => H::ready(),
        }
    }

    /// A submitter pushed to the inbox and saw the wake flag: wakes an idle thread, if one still
    /// sleeps and no worker searches.
    #[inline(never)]
    pub(super) fn wake_for_inbox(self) {
        let sleeper = self.shared().ready.with(|ready| {
            let sleeper = self.whom_to_wake(ready, Level::BASE);
            ready.idle.update_wake_flag(&self.shared().front.inbox);
            sleeper
        });
        self.work_is_there(sleeper, Level::BASE);
    }

    /// The idle thread to wake because a task of a level was pushed: none if a worker searches
    /// already. For the level of that task, not the highest: each push wakes for its own.
    #[inline]
    pub(super) fn whom_to_wake(self, ready: &Ready<H>, level: LevelOf<H>) -> Sleeper<H> {
        // The commonest answer first.
        if ready.idle.is_empty() {
            None
        } else {
            self.next_sleeper(ready, level)
        }
    }

    /// The idle thread to wake for what is left, if something is: for the highest level of it.
    #[inline]
    pub(super) fn whom_to_wake_next(self, ready: &Ready<H>) -> Sleeper<H> {
        if <H::Order as Parts>::LEVELS == 1 {
            return self.whom_to_wake(ready, Level::BASE);
        }
        let top = ready.queue.top(&self.shared().front);
        self.whom_to_wake(ready, top.unwrap_or(Level::BASE))
    }

    #[inline(never)]
    fn next_sleeper(self, ready: &Ready<H>, level: LevelOf<H>) -> Sleeper<H> {
        let front = &self.shared().front;
        // First: a task that is pushed after this sees the flag.
        ready.idle.update_wake_flag(&front.inbox);
        // A worker that searches may be less urgent than the task.
        let is_sought = level.number() == 0 && ready.idle.has_searcher();
        if is_sought || ready.queue.is_empty(front) {
            return None;
        }
        ready.idle.take(level)
    }

    /// A worker found no task of the levels that it serves. The idle thread to wake for the other
    /// tasks: what woke the worker may have been meant for them.
    #[inline(always)]
    pub(super) fn whom_else_to_wake(self, ready: &Ready<H>, floor: LevelOf<H>) -> Sleeper<H> {
        if floor.number() == 0 {
            return None;
        }
        self.whom_to_wake_next(ready)
    }

    /// Sets an idle bit. Returns false if a task came whose submitter wakes no worker.
    pub(super) fn fall_idle(self, ready: &Ready<H>, bit: usize) -> bool {
        ready
            .idle
            .fall_asleep(&self.shared().front.inbox, bit, wake_idle)
    }

    /// Lets an async task that is a worker sleep. Returns false if there is something to do: a
    /// task, or the worker is to leave.
    pub(crate) fn rest_worker(self, worker: u16, floor: LevelOf<H>) -> bool {
        let (rests, sleeper) = self.shared().ready.with(|ready| {
            let front = &self.shared().front;
            ready.idle.wake_up(1 << worker);
            let mode = ready.roster.mode();
            let leaves =
                mode == Mode::Abort || mode != Mode::Open && ready.queue.lets_leave(front, floor);
            let rests = !leaves
                && ready.queue.is_empty_from(front, floor)
                && self.fall_idle(ready, 1 << worker);
            if !rests {
                ready.idle.update_wake_flag(&front.inbox);
            }
            ready.idle.set_resting(1 << worker, rests);
            (rests, self.whom_else_to_wake(ready, floor))
        });
        self.wake_sleeper(sleeper);
        rests
    }

    /// A worker rests no more: it is bound to a thread again, which looks for itself, or leaves.
    pub(crate) fn end_rest(self, worker: u16) {
        self.shared().ready.with(|ready| {
            ready.idle.wake_up(1 << worker);
            ready.idle.set_resting(1 << worker, false);
            ready.idle.update_wake_flag(&self.shared().front.inbox);
        });
    }

    /// A worker that its host breaks off, or that rests no more, counts as awake. Another one does
    /// what it was woken for.
    #[cold]
    pub(crate) fn lose_worker(self, worker: u16, searching: bool) {
        self.shared().ready.with(|ready| {
            ready.idle.wake_up(1 << worker);
            ready.idle.set_resting(1 << worker, false);
            if searching {
                ready.idle.end_search();
            }
        });
        self.pass_work_on();
    }

    /// The calling thread runs no further task: what it was woken for, another sleeper does, or the
    /// host is told. Of each level: the sleeper may serve the urgent ones only.
    ///
    /// Bound: the number of levels.
    #[cold]
    pub(crate) fn pass_work_on(self) {
        let (sleeper, levels) = self.shared().ready.with(|ready| {
            let levels = ready.queue.levels(&self.shared().front);
            (self.whom_to_wake_next(ready), levels)
        });
        if <H::Order as Parts>::LEVELS > 1 {
            let is_told = levels > 1 || sleeper.is_none();
            self.wake_sleeper(sleeper);
            for level in <H::Order as Parts>::EACH {
                if is_told && levels >> level.number() & 1 == 1 {
                    H::ready_at(level.number());
                }
            }
        // A task may have come into the inbox between the two looks.
        } else if sleeper.is_some() || levels > 0 {
            self.work_is_there(sleeper, Level::BASE);
        }
    }

    /// A thread that runs tasks while it waits goes to sleep. Refused if there is work.
    pub(crate) fn become_driver(self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.shared().ready.with(|ready| {
            if ready.queue.is_empty(&self.shared().front) && self.fall_idle(ready, 1 << DRIVER) {
                Ok(ready.idle.put_driver(waiter))
            } else {
                Err(waiter)
            }
        })
    }

    /// The driver woke up.
    pub(crate) fn stop_driving(self, waiter: &Waiter<H>) -> Waiter<H> {
        self.shared()
            .ready
            .with(|ready| ready.idle.remove_driver(waiter))
    }

    /// Wakes every idle thread and the waiter for the workers' leaving, and tells the host. Refuses
    /// the waiters for a slot, if tasks are refused.
    ///
    /// Bound: the number of workers, and one; of levels; and that of the code that serves the line.
    pub(crate) fn wake_all(self) {
        for _ in 0..=self.workers().len() {
            let sleeper = self.shared().ready.with(|ready| ready.idle.take_any());
            if sleeper.is_none() {
                break;
            }
            self.wake_sleeper(sleeper);
        }
        self.notify(self.with_leave_waiter(WaiterCell::take));
        // A worker that is run by hand may have to leave.
        if <H::Order as Parts>::LEVELS > 1 {
            for level in <H::Order as Parts>::EACH {
                H::ready_at(level.number());
            }
        } else {
            H::ready();
        }
        if let Some(serve) = self.shared().free.serve() {
            serve(self, SlotEvent::Refusing);
        }
    }

    /// The host has no worker any more: waits for tasks that only a worker could run end.
    pub(crate) fn wake_abandoned_waiters(self) {
        let notify_listeners = self.waits().with(|waits| waits.notify_listeners());
        if let Some(notify_listeners) = notify_listeners {
            // No task has ended, so there is none to retire.
            let _ = notify_listeners(self, ListenerEvent::WorkersLeft);
        }
    }

    /// Wakes a waiter. Called with no lock held (*Notify Outside*).
    pub(crate) fn notify(self, waiter: Waiter<H>) {
        match waiter {
            Waiter::Thread(None) => {}
            Waiter::Thread(Some(mut there)) => self.notify_thread(there.token()),
            // Foreign code, and the caller has more to do.
            Waiter::Waker(waker) => {
                unwind::contain(|| waker.wake());
            }
        }
    }

    /// Wakes a thread that waits, and has it look for more than the end of its wait.
    pub(crate) fn notify_thread(self, thread: &H::Thread) {
        // Before the unpark: the thread that it wakes sees it (*Notice*).
        self.shared().notices.fetch_add(1, Ordering::Relaxed);
        H::unpark(thread);
    }

    /// How often a thread was told to act (*Notice*). Relaxed: the host's `unpark` and `park`, and
    /// the locks of the cells, order it.
    pub(crate) fn notices(self) -> usize {
        self.shared().notices.load(Ordering::Relaxed)
    }

    /// Wakes a displaced waiter (*Baton*). `since`: the notices after the caller displaced it. If
    /// there was none after that, this is one: the displaced waiter must register again.
    pub(crate) fn hand_on(self, waiter: Waiter<H>, since: usize) {
        match waiter {
            // It read the count before it was displaced, so it sees that notice too.
            Waiter::Thread(Some(mut there)) if self.notices() != since => H::unpark(there.token()),
            waiter => self.notify(waiter),
        }
    }

    /// Wakes the waiters for a future that is queued again, if workers may be among them. Such a
    /// worker may be the only one that can poll it. A waiter wakes the one it displaced in turn
    /// (*Baton*).
    pub(super) fn wake_waiters_to_look(self, index: Index) {
        if !self.slot(index).snapshot().has_listener() {
            return;
        }
        if self.waits().with(|waits| waits.has_sleeping_workers()) {
            self.wake_waiters(index);
        }
    }

    /// Wakes the waiters for a task, which look again. They wake displaced ones in turn (*Baton*).
    pub(crate) fn wake_waiters(self, index: Index) {
        for of in [WaiterOf::Task, WaiterOf::Group] {
            self.notify(self.waits().with(|waits| waits.take_waiter(index, of)));
        }
    }

    /// Attaches a worker that serves the levels from `floor` on to a thread. Returns false if it is
    /// stale, or another thread has it.
    pub(crate) fn attach_worker(self, bit: usize, epoch: Epoch, floor: LevelOf<H>) -> bool {
        self.shared().ready.with(|ready| {
            let attached = ready.roster.attach(bit, epoch);
            if attached {
                ready.idle.tie(bit, floor);
            }
            attached
        })
    }

    /// A worker that a thread calls serves the levels from `floor` on. It looks for itself.
    pub(crate) fn tie_worker(self, bit: usize, floor: LevelOf<H>) {
        self.shared().ready.with(|ready| {
            ready.idle.tie(bit, floor);
            ready.idle.wake_up(bit);
            ready.idle.update_wake_flag(&self.shared().front.inbox);
        });
    }

    /// Reads the roster.
    pub(crate) fn roster<R>(self, read: impl FnOnce(&Roster<H>) -> R) -> R {
        self.shared().ready.with(|ready| read(&ready.roster))
    }

    /// Acts on the cell of the waiter for the workers' leaving.
    pub(crate) fn with_leave_waiter<R>(self, act: impl FnOnce(&WaiterCell<H>) -> R) -> R {
        self.roster(|roster| act(roster.leave_waiter()))
    }

    /// Changes the mode, or breaks the executor, and closes or opens the way in.
    pub(crate) fn change_roster<R>(self, change: impl FnOnce(&Roster<H>) -> R) -> R {
        self.shared().ready.with(|ready| {
            let answer = change(&ready.roster);
            self.update_closed(ready);
            answer
        })
    }

    /// Begins a life with the workers of `all`. `None` if one goes on, or has not ended.
    pub(crate) fn begin_life(self, all: usize) -> Option<Epoch> {
        self.shared().ready.with(|ready| {
            let drained = ready.queue.is_drained(&self.shared().front);
            let epoch = ready.roster.begin(all, drained);
            self.update_closed(ready);
            epoch
        })
    }

    fn update_closed(self, ready: &Ready<H>) {
        let closed = ready.roster.refusal().is_some();
        ready.queue.set_closed(&self.shared().front, closed);
    }

    /// Returns true if the life of `epoch` is over: its workers have left and its tasks are done,
    /// or a later life has begun.
    pub(crate) fn is_over(self, epoch: Epoch) -> bool {
        self.shared().ready.with(|ready| {
            ready.roster.epoch() != epoch
                || ready.roster.is_left(epoch) && ready.queue.is_drained(&self.shared().front)
        })
    }
}
