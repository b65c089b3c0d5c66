//! The heart: slots, free list, ready queue, and the face through which handles and workers see an executor.
//!
//! The face, [`Registry`], is object-safe: both capacities are erased, so that the code behind handles and workers exists
//! once per host, and one `wait` can span executors of different sizes.
//!
//! Invariants:
//!
//! - **Key Truth.** A slot's generation is compared inside the transition that acts on it: an old key reads as gone.
//! - **Queued Means Linked.** A slot is in the ready queue if and only if its phase is `Pending` or `Scheduled` and nobody
//!   has taken it: publish and push, schedule and push, unlink and cancel happen inside the lock of the queue.
//! - **Drain.** Whether a task is accepted is decided inside that lock, after the mode: once shutdown has begun no task enters.
//! - **No Lost Worker.** A worker parks only after it found the queue empty and noted itself as idle in one section; who
//!   pushes looks for idle workers in the section that pushes.
#![forbid(unsafe_code)]

use crate::error::Refusal;
use crate::host::Park;
use crate::queue::{Index, Link, Links};
use crate::slot::{Cancelled, Filled, Slot};
use crate::state::{Phase, Wake};
use crate::sync::{Lock, Ordering};
use crate::unwind;
use crate::waiter::{Waiter, Waits};

mod shared;

pub(crate) use shared::{Counters, Mode, Ready, Shared, WorkerCell};

/// An executor with its capacities erased.
pub(crate) trait Registry<H: Park>: Sync {
    fn shared(&self) -> &Shared<H>;
    /// How many slots there are.
    fn capacity(&self) -> u16;
    fn slot(&self, index: Index) -> &Slot;
    fn waits(&self) -> &Lock<Waits<H>>;
    fn workers(&self) -> &[WorkerCell<H>];
}

impl<H: Park> Links for dyn Registry<H> + '_ {
    fn link(&self, index: Index) -> &Link {
        self.slot(index).link()
    }
}

/// What a look at the queue gave.
pub(crate) enum Look<H: Park> {
    /// A task, taken out, and whom to wake because there are more.
    Task(Index, Waiter<H>),
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
    /// It looks this once, and does not count as anything afterwards.
    Once,
    /// It counts as searching and has searched enough: if there is nothing it becomes idle.
    Tired,
}

impl<'e, H: Park> dyn Registry<H> + 'e {
    /// Updates the hint, inside the lock of the queue.
    fn post(&self, ready: &Ready<H>) {
        let leaving = usize::from(ready.mode.get() != Mode::Open);
        self.shared().hint.store(usize::from(ready.queued.get()) + leaving, Ordering::Relaxed);
    }

    fn push(&self, ready: &Ready<H>, index: Index) {
        ready.queue.push(self, index);
        ready.queued.set(ready.queued.get() + 1);
        self.post(ready);
    }

    fn pop(&self, ready: &Ready<H>) -> Option<Index> {
        let index = ready.queue.pop(self)?;
        ready.queued.set(ready.queued.get() - 1);
        self.post(ready);
        Some(index)
    }

    fn unlink(&self, ready: &Ready<H>, index: Index) -> bool {
        let found = ready.queue.unlink(self, index);
        if found {
            ready.queued.set(ready.queued.get() - 1);
            self.post(ready);
        }
        found
    }

    /// Takes a slot out of the free list.
    #[inline]
    pub(crate) fn claim(&self) -> Option<Index> {
        self.shared().free.with(|free| {
            let index = free.stack.pop(self, self.capacity())?;
            let in_use = free.in_use.get() + 1;
            free.in_use.set(in_use);
            if in_use > free.high_water.get() {
                free.high_water.set(in_use);
            }
            Some(index)
        })
    }

    /// Puts a retired slot into the free list and wakes who waits for one.
    #[inline]
    pub(crate) fn release(&self, index: Index) {
        let waiter = self.shared().free.with(|free| {
            free.stack.push(self, index);
            free.in_use.set(free.in_use.get() - 1);
            free.room.take()
        });
        self.notify(waiter);
    }

    /// Puts a task into the queue, or gives it back if none is accepted.
    pub(crate) fn enqueue<'s>(&self, filled: Filled<'s>) -> Result<(), Filled<'s>> {
        self.enqueue_counting(filled, 0)
    }

    /// As [`enqueue`](Self::enqueue), for a future.
    pub(crate) fn enqueue_future<'s>(&self, filled: Filled<'s>) -> Result<(), Filled<'s>> {
        self.enqueue_counting(filled, 1)
    }

    fn enqueue_counting<'s>(&self, filled: Filled<'s>, futures: u16) -> Result<(), Filled<'s>> {
        let waiter = self.shared().ready.with(|ready| {
            if ready.refusal().is_some() {
                return Err(filled);
            }
            let index = filled.slot().index();
            filled.publish();
            self.push(ready, index);
            ready.futures.set(ready.futures.get() + futures);
            Ok(ready.whom_to_wake())
        })?;
        self.notify(waiter);
        Ok(())
    }

    /// Why a task is refused now: the executor's reason, or that it is full.
    pub(crate) fn refusal(&self) -> Refusal {
        self.shared().ready.with(Ready::refusal).unwrap_or(Refusal::Full)
    }

    /// Counts a refusal.
    pub(crate) fn refuse(&self, reason: Refusal) -> Refusal {
        self.shared().refused.fetch_add(1, Ordering::Relaxed);
        reason
    }

    /// Takes the oldest task, for a thread that is no worker.
    pub(crate) fn take_next(&self) -> Option<Index> {
        let (index, waiter) = self.shared().ready.with(|ready| {
            let index = self.pop(ready)?;
            Some((index, ready.whom_to_wake()))
        })?;
        self.notify(waiter);
        Some(index)
    }

    /// Takes a certain task out of the queue, if it is there.
    pub(crate) fn take_queued(&self, index: Index) -> bool {
        self.slot(index).snapshot().is_queued() && self.shared().ready.with(|ready| self.unlink(ready, index))
    }

    /// As [`take_queued`](Self::take_queued), for a task of a certain scope.
    pub(crate) fn take_queued_of(&self, index: Index, scope: *mut ()) -> bool {
        let slot = self.slot(index);
        let is_ours = || slot.scope() == scope && slot.snapshot().is_queued();
        is_ours() && self.shared().ready.with(|ready| is_ours() && self.unlink(ready, index))
    }

    /// A worker's look at the queue.
    pub(crate) fn look(&self, worker: u16, gait: Gait) -> Look<H> {
        let bit = 1 << worker;
        self.shared().ready.with(|ready| {
            ready.idle.set(ready.idle.get() & !bit);
            if matches!(gait, Gait::Searching | Gait::Tired) {
                ready.searching.set(ready.searching.get() - 1);
            }
            if ready.mode.get() == Mode::Stop {
                return Look::Leave;
            }
            if let Some(index) = self.pop(ready) {
                return Look::Task(index, ready.whom_to_wake());
            }
            if ready.mode.get() != Mode::Open && ready.is_drained() {
                return Look::Leave;
            }
            match gait {
                Gait::Tired => {
                    ready.idle.set(ready.idle.get() | bit);
                    Look::Idle
                }
                Gait::Once => Look::Nothing,
                Gait::Fresh | Gait::Searching => {
                    ready.searching.set(ready.searching.get() + 1);
                    Look::Nothing
                }
            }
        })
    }

    /// A thread that runs tasks while it waits goes to sleep. `false`: there is work, or somebody to let go.
    pub(crate) fn become_driver(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.shared().ready.with(
            |ready| {
                if ready.queue.is_empty() { Ok(ready.driver.put(waiter)) } else { Err(waiter) }
            },
        )
    }

    /// It woke up.
    pub(crate) fn stop_driving(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.shared().ready.with(|ready| ready.driver.remove(waiter))
    }

    /// Cancels a task that is queued, or rests between two polls, or is an open promise. `None` if it runs, is done or gone.
    pub(crate) fn cancel(&self, index: Index, generation: Option<usize>) -> Option<Cancelled<'_>> {
        let slot = self.slot(index);
        // Bound: a further round means that a waker moved the task between the look and the lock.
        loop {
            if let Some(cancelled) = slot.cancel(generation, &[Phase::Open, Phase::Suspended]) {
                return Some(cancelled);
            }
            let cancelled = self.shared().ready.with(|ready| {
                let seen = slot.snapshot();
                let meant = generation.is_none_or(|meant| meant == seen.generation());
                if !meant || !seen.is_queued() {
                    return None;
                }
                // While it is linked, inside this lock, nothing else can happen to it.
                if self.unlink(ready, index) {
                    return slot.cancel(generation, &[Phase::Pending, Phase::Scheduled]);
                }
                // A worker has it, and is about to say so.
                slot.mark_taken();
                None
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
    pub(crate) fn wake(&self, index: Index) {
        let slot = self.slot(index);
        // Bound: a further round means that between the look and the lock another waker queued the future, and a worker polled it.
        while slot.wake() == Wake::Rests {
            let queued = self.shared().ready.with(|ready| {
                slot.schedule().then(|| {
                    self.push(ready, index);
                    ready.whom_to_wake()
                })
            });
            if let Some(waiter) = queued {
                self.notify(waiter);
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
    pub(crate) fn unstick_all(&self, waits: &Waits<H>, index: Index) {
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

    /// A worker that waits for a task looks again: it may be the only one that can poll a future that was woken, or stuck on a task
    /// that was only on its way to another worker when it looked last. Whoever stands in the place does so, and then those it
    /// displaced.
    pub(crate) fn nudge(&self, index: Index) {
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
    pub(crate) fn rest<'s>(&self, running: crate::slot::Running<'s>) -> Result<(), (crate::slot::Running<'s>, Mode)> {
        let index = running.slot().index();
        let waiter = self.shared().ready.with(|ready| {
            let mode = ready.mode.get();
            if mode == Mode::Cancel || ready.broken.get() {
                return Err((running, mode));
            }
            let again = running.suspend();
            if again {
                self.push(ready, index);
            }
            Ok(if again { ready.whom_to_wake() } else { Waiter::None })
        })?;
        if self.slot(index).snapshot().has_listener() {
            self.waits().with(|waits| self.unstick_all(waits, index));
            self.nudge(index);
        }
        self.notify(waiter);
        Ok(())
    }

    /// A future is done. The last one lets the workers go that stay for it.
    pub(crate) fn future_ended(&self) {
        let last = self.shared().ready.with(|ready| {
            ready.futures.set(ready.futures.get() - 1);
            ready.mode.get() != Mode::Open && ready.is_drained()
        });
        if last {
            self.wake_all();
        }
    }

    /// Changes the mode; says what it was.
    pub(crate) fn set_mode(&self, change: impl FnOnce(&Ready<H>)) {
        self.shared().ready.with(|ready| {
            change(ready);
            self.post(ready);
        });
    }

    /// Wakes every worker that is parked, and whoever drives, waits for the workers, or waits for a slot.
    ///
    /// Bound: the number of workers, and three.
    pub(crate) fn wake_all(&self) {
        for _ in 0..=self.workers().len() {
            let sleeper = self.shared().ready.with(Ready::any_sleeper);
            if sleeper.is_none() {
                break;
            }
            self.notify(sleeper);
        }
        self.notify(self.shared().ready.with(|ready| ready.closer.take()));
        self.notify(self.shared().free.with(|free| free.room.take()));
    }

    /// Wakes a waiter. Called with no lock held (*Notify Outside*).
    pub(crate) fn notify(&self, waiter: Waiter<H>) {
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
    pub(crate) fn current_worker(&self) -> Option<u16> {
        let workers = self.workers();
        if workers.is_empty() {
            return None;
        }
        let id = H::current_id();
        // Relaxed: only our own thread ever writes our own number.
        let place = workers.iter().position(|worker| worker.id.load(Ordering::Relaxed) == id)?;
        // There are at most as many workers as bits in a word.
        Some(place as u16)
    }

    /// Whether two workers are on one thread's stack.
    pub(crate) fn share_a_thread(&self, left: u16, right: u16) -> bool {
        // Relaxed: one of the two is the caller's own.
        let id = |worker: u16| self.workers()[usize::from(worker)].id.load(Ordering::Relaxed);
        left == right || id(left) == id(right)
    }

    /// Where the calling thread counts what it runs.
    pub(crate) fn counters(&self, worker: Option<u16>) -> &Counters {
        match worker {
            Some(worker) => &self.workers()[usize::from(worker)].counters,
            None => &self.shared().outside,
        }
    }
}
