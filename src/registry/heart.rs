//! What a registry does: claims and releases slots, queues and takes tasks, wakes who sleeps.
#![forbid(unsafe_code)]

use super::shared::{DRIVER, Rouse, count};
use super::{Mode, Ready, Registry};
use crate::error::Refusal;
use crate::host::Park;
use crate::queue::Index;
use crate::slot::{Cancelled, Filled, Refused, Running, SlotRef};
use crate::state::{CancelFrom, Phase, Sort, Wake};
use crate::sync::Ordering;
use crate::unwind::{self, Caught};
use crate::waiter::{Waiter, Waits};

/// What a look at the queue gave.
pub(crate) enum Look<'e> {
    /// A task, taken out and started.
    Task(Running<'e>),
    /// Nothing; the worker counts as searching, unless it looked only once.
    Nothing,
    /// Nothing; the worker counts as idle and will be unparked.
    Idle,
    /// The worker is to leave.
    Leave,
}

/// What a worker is doing when it looks at the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gait {
    /// It comes from a task, or from being parked.
    Fresh,
    /// It counts as searching.
    Searching,
    /// It counts as searching and has searched enough: if there is nothing it becomes idle.
    Tired,
}

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
    #[inline]
    fn push(self, ready: &Ready<H>, slot: SlotRef<'_>) {
        if ready.queue.push(&self, slot.link(), slot.index()) {
            self.shared().hint.store(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest task and starts it: on a worker, or outside.
    #[inline]
    fn pop(self, ready: &Ready<H>, worker: Option<u16>) -> Option<Running<'e>> {
        let index = ready.queue.pop(&self, worker)?;
        if ready.queue.is_empty() {
            self.shared().hint.store(0, Ordering::Relaxed);
        }
        self.slot(index).start()
    }

    fn unlink(self, ready: &Ready<H>, index: Index) -> bool {
        let found = ready.queue.unlink(&self, index);
        if found && ready.queue.is_empty() {
            self.shared().hint.store(0, Ordering::Relaxed);
        }
        found
    }

    /// Takes a certain task out and starts it: on a worker, or outside.
    fn pick(self, ready: &Ready<H>, slot: SlotRef<'e>, worker: Option<u16>) -> Option<Running<'e>> {
        if !self.unlink(ready, slot.index()) {
            return None;
        }
        slot.link().set_worker(worker);
        slot.start()
    }

    /// Wakes whom a look at the sleepers found. Called with no lock held (*Notify Outside*).
    #[inline]
    fn call(self, sleeper: Option<(Rouse<H>, u32)>) {
        if let Some((rouse, sleeper)) = sleeper {
            rouse(self, sleeper);
        }
    }

    /// Takes a slot out of the free list.
    #[inline]
    pub(crate) fn claim(self) -> Option<Index> {
        let shared = self.shared();
        shared.free.with(|free| free.stack.pop(&self, &shared.returned, self.capacity()))
    }

    /// Puts a retired slot back among the free ones and wakes who waits for one.
    #[inline]
    pub(crate) fn release(self, slot: SlotRef<'_>) {
        if self.shared().returned.push(slot.link(), slot.index()) {
            self.room_is_there();
        }
    }

    #[cold]
    fn room_is_there(self) {
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

    /// How many slots were ever in use at once.
    pub(crate) fn high_water(self) -> u16 {
        self.shared().free.with(|free| free.stack.high_water())
    }

    /// Puts a task into the queue, or gives it back if none is accepted, with the reason that there was at that moment.
    pub(crate) fn enqueue<'s>(self, filled: Filled<'s>) -> Result<(), Refused<'s>> {
        self.accept(filled, Sort::Closure)
    }

    /// As [`enqueue`](Self::enqueue), for a future.
    pub(crate) fn enqueue_future<'s>(self, filled: Filled<'s>) -> Result<(), Refused<'s>> {
        self.accept(filled, Sort::Future)
    }

    /// Inlined into both, so that programs without futures do not ask.
    #[inline(always)]
    fn accept<'s>(self, filled: Filled<'s>, sort: Sort) -> Result<(), Refused<'s>> {
        let sleeper = self.shared().ready.with(|ready| {
            if ready.closed.get() {
                return Err((filled, ready.reason()));
            }
            let slot = filled.slot();
            filled.publish(sort);
            self.push(ready, slot);
            if sort == Sort::Future {
                ready.futures.set(ready.futures.get() + 1);
            }
            Ok(ready.whom_to_wake())
        })?;
        self.call(sleeper);
        Ok(())
    }

    /// Why a task is refused now that found no slot: the executor's reason, or that it is full.
    pub(crate) fn refusal(self) -> Refusal {
        self.shared().ready.with(Ready::refusal).unwrap_or(Refusal::Full)
    }

    /// Counts a refusal.
    pub(crate) fn refuse(self, reason: Refusal) -> Refusal {
        self.shared().refused.fetch_add(1, Ordering::Relaxed);
        reason
    }

    /// Takes the oldest task and starts it: on a worker, or outside.
    pub(crate) fn take_next(self, worker: Option<u16>) -> Option<Running<'e>> {
        let (running, sleeper) = self.shared().ready.with(|ready| {
            let running = self.pop(ready, worker)?;
            Some((running, ready.whom_to_wake()))
        })?;
        self.call(sleeper);
        Some(running)
    }

    /// Takes a certain task out of the queue and starts it, if it is there.
    pub(crate) fn take_queued(self, index: Index, worker: Option<u16>) -> Option<Running<'e>> {
        let slot = self.slot(index);
        if !slot.snapshot().is_queued() {
            return None;
        }
        self.shared().ready.with(|ready| self.pick(ready, slot, worker))
    }

    /// As [`take_queued`](Self::take_queued), for a task of a certain scope.
    pub(crate) fn take_queued_of(self, index: Index, scope: *mut (), worker: Option<u16>) -> Option<Running<'e>> {
        let slot = self.slot(index);
        let is_ours = || slot.scope() == scope && slot.snapshot().is_queued();
        if !is_ours() {
            return None;
        }
        self.shared().ready.with(|ready| if is_ours() { self.pick(ready, slot, worker) } else { None })
    }

    /// A task for a worker, and whom to wake because there are more; or that the worker is to leave; or nothing.
    #[inline]
    fn task_or_leave(self, ready: &Ready<H>, worker: u16) -> (Look<'e>, Option<(Rouse<H>, u32)>) {
        if ready.mode.get() == Mode::Stop {
            return (Look::Leave, None);
        }
        if let Some(running) = self.pop(ready, Some(worker)) {
            return (Look::Task(running), ready.whom_to_wake());
        }
        let leaves = ready.mode.get() != Mode::Open && ready.is_drained();
        (if leaves { Look::Leave } else { Look::Nothing }, None)
    }

    /// A look at the queue by a worker that nobody wakes. By itself, so that who only uses this does not carry what wakes workers.
    pub(crate) fn look_once(self, worker: u16) -> Look<'e> {
        let (look, sleeper) = self.shared().ready.with(|ready| self.task_or_leave(ready, worker));
        self.call(sleeper);
        look
    }

    /// A worker's look at the queue.
    pub(crate) fn look(self, worker: u16, gait: Gait) -> Look<'e> {
        let bit = 1 << worker;
        let (look, sleeper) = self.shared().ready.with(|ready| {
            ready.idle.set(ready.idle.get() & !bit);
            if gait != Gait::Fresh {
                ready.searching.set(ready.searching.get() - 1);
            }
            let found = self.task_or_leave(ready, worker);
            if !matches!(found.0, Look::Nothing) {
                return found;
            }
            if gait == Gait::Tired {
                ready.idle.set(ready.idle.get() | bit);
                ready.rouse.set(Some(rouse));
                return (Look::Idle, None);
            }
            ready.searching.set(ready.searching.get() + 1);
            found
        });
        self.call(sleeper);
        look
    }

    /// A thread that runs tasks while it waits goes to sleep. Refused if there is work.
    pub(crate) fn become_driver(self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.shared().ready.with(|ready| {
            if !ready.queue.is_empty() {
                return Err(waiter);
            }
            ready.idle.set(ready.idle.get() | 1 << DRIVER);
            ready.rouse.set(Some(rouse));
            Ok(ready.driver.put(waiter))
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

    /// Cancels a task that is queued, or rests between two polls, or is an open promise. `None` if it runs, is done or gone.
    pub(crate) fn cancel(self, index: Index, generation: Option<usize>) -> Option<Cancelled<'e>> {
        let slot = self.slot(index);
        // Bound: a further round means that a waker moved the task between the look and the lock.
        loop {
            if let Some(cancelled) = slot.cancel(generation, CancelFrom::Rest) {
                return Some(cancelled);
            }
            let cancelled = self.shared().ready.with(|ready| {
                if generation.is_some_and(|meant| meant != slot.snapshot().generation()) {
                    return None;
                }
                // While it is linked, inside this lock, nothing else can happen to it.
                if self.unlink(ready, index) { slot.cancel(generation, CancelFrom::Queue) } else { None }
            });
            if cancelled.is_some() {
                return cancelled;
            }
            let seen = slot.snapshot();
            if seen.phase() != Phase::Suspended || generation.is_some_and(|meant| meant != seen.generation()) {
                return None;
            }
        }
    }

    /// Puts a future that was woken back into the queue.
    pub(crate) fn wake(self, index: Index) {
        let slot = self.slot(index);
        // Bound: a further round means that between the look and the lock another waker queued the future, and a worker polled it.
        while slot.wake() == Wake::Rests {
            let queued = self.shared().ready.with(|ready| {
                slot.schedule().then(|| {
                    self.push(ready, slot);
                    ready.whom_to_wake()
                })
            });
            if let Some(sleeper) = queued {
                self.call(sleeper);
                self.nudge(index);
                return;
            }
        }
    }

    /// The workers that wait for a task: for it alone, or as one of several. Inside the lock of the wait cells.
    fn waiting_workers(waits: &Waits<H>, index: Index) -> [Option<u16>; 2] {
        let cell = waits.cell(index);
        let watcher = cell.group().and_then(|group| waits.cell(group).head.waiter.worker());
        [cell.waiter.worker(), watcher]
    }

    /// What a task does next is not up to the worker it was on: nobody who waits for it is stuck. Inside the lock of the wait cells.
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

    /// A worker that waits for a future looks again when that was woken: it may be the only one that can poll it. Whoever stands in the place
    /// does so, and then those it displaced.
    pub(crate) fn nudge(self, index: Index) {
        if !self.slot(index).snapshot().has_listener() {
            return;
        }
        let waiters = self.waits().with(|waits| {
            if waits.asleep.get() == 0 {
                return [Waiter::None, Waiter::None];
            }
            let cell = waits.cell(index);
            let watcher = cell.group().map_or(Waiter::None, |group| waits.cell(group).head.waiter.take());
            [cell.waiter.take(), watcher]
        });
        for waiter in waiters {
            self.notify(waiter);
        }
    }

    /// A future was polled and is not ready. What to do with it is decided in the lock that shutdown takes first.
    pub(crate) fn rest<'s>(self, running: Running<'s>) -> Result<(), (Running<'s>, Mode)> {
        let slot = running.slot();
        let sleeper = self.shared().ready.with(|ready| {
            let mode = ready.mode.get();
            if mode == Mode::Cancel || ready.broken.get() {
                return Err((running, mode));
            }
            let again = running.suspend();
            if again {
                self.push(ready, slot);
            }
            Ok(if again { ready.whom_to_wake() } else { None })
        })?;
        // Somebody else may have it by now: its index stays what it is, and a look too many does no harm.
        if slot.snapshot().has_listener() {
            self.waits().with(|waits| self.unstick_all(waits, slot.index()));
            self.nudge(slot.index());
        }
        self.call(sleeper);
        Ok(())
    }

    /// A future is done. The last one lets the workers go that stay for it.
    pub(crate) fn future_ended(self) {
        let last = self.shared().ready.with(|ready| {
            ready.futures.set(ready.futures.get() - 1);
            ready.mode.get() != Mode::Open && ready.is_drained()
        });
        if last {
            self.wake_all();
        }
    }

    /// Changes the mode, or whether the executor is broken.
    pub(crate) fn set_mode(self, change: impl FnOnce(&Ready<H>)) {
        self.shared().ready.with(|ready| {
            change(ready);
            ready.note_mode();
        });
    }

    /// Wakes every worker that is parked, and whoever drives, waits for the workers, or waits for a slot.
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

    /// Which of this executor's workers the calling thread is.
    ///
    /// Bound: the number of workers.
    #[inline]
    pub(crate) fn current_worker(self) -> Option<u16> {
        if self.has_workers() { self.find_worker() } else { None }
    }

    fn find_worker(self) -> Option<u16> {
        let workers = self.workers();
        let id = H::current_id();
        // Relaxed: only our own thread ever writes our own number.
        let place = workers.iter().position(|worker| worker.id.load(Ordering::Relaxed) == id)?;
        // There are at most as many workers as bits in a word.
        Some(place as u16)
    }

    /// Whether two workers are on one thread's stack.
    pub(crate) fn share_a_thread(self, left: u16, right: u16) -> bool {
        // Relaxed: one of the two is the caller's own.
        let id = |worker: u16| self.workers()[usize::from(worker)].id.load(Ordering::Relaxed);
        left == right || id(left) == id(right)
    }

    /// Counts a task that ran to its end, where the calling thread counts.
    #[inline]
    pub(crate) fn count_completed(self, worker: Option<u16>, panicked: Option<Caught>) {
        match worker {
            Some(worker) => {
                let counters = &self.workers()[usize::from(worker)].counters;
                count(&counters.completed);
                if panicked.is_some() {
                    count(&counters.panicked);
                }
            }
            None => {
                let counters = &self.shared().outside;
                counters.completed.fetch_add(1, Ordering::Relaxed);
                if panicked.is_some() {
                    counters.panicked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
