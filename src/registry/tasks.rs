//! How tasks move: slots are claimed and released, tasks are queued, taken and cancelled.
#![forbid(unsafe_code)]

use super::Registry;
use super::shared::{Ready, ServeLine, SlotEvent, WakeIdle};
use crate::error::Refusal;
use crate::free_slots::FreeSlots;
use crate::host::{LevelOf, Park};
use crate::list::{Index, Pushed, Seat};
use crate::order::Level;
use crate::ready_queue::Inbox;
use crate::roster::{Epoch, Mode};
use crate::slot::{
    CancelFrom, Cancelled, Phase, Running, SlotRef, Snapshot, TaskKind, Unpublished, Wake,
};
use crate::sync::Ordering;

/// What a look at the ready queue gave a worker.
pub(crate) enum Work<'e> {
    /// A task, taken out and started.
    Task(Running<'e>),
    /// Nothing; the worker counts as searching, unless it looked only once.
    Nothing,
    /// Nothing; the worker's idle bit is set, and it will be woken.
    Idle,
    /// The worker is to leave.
    Leave,
}

/// The idle thread to wake, and the code that wakes it.
pub(super) type Sleeper<H> = Option<(WakeIdle<H>, u32)>;

impl<'e, H: Park> Registry<'e, H> {
    /// Takes the next task from a level on and starts it, on a worker or another thread.
    #[inline]
    fn pop(self, ready: &Ready<H>, runner: Option<Seat>, floor: LevelOf<H>) -> Option<Running<'e>> {
        let index = ready
            .queue
            .pop(&self.shared().front, &self, runner, floor)?;
        self.slot(index).start()
    }

    /// Takes a certain task out and starts it. The caller has drained the inbox in this section.
    #[inline(always)]
    fn pick(
        self,
        ready: &Ready<H>,
        slot: SlotRef<'e>,
        runner: Option<Seat>,
    ) -> Option<Running<'e>> {
        let front = &self.shared().front;
        if !ready.queue.unlink(front, &self, slot.link(), slot.index()) {
            return None;
        }
        slot.link().set_runner(runner);
        slot.start()
    }

    /// The free slots, for a waiter in line.
    pub(crate) fn free_slots(self) -> &'e FreeSlots<H, ServeLine<H>> {
        &self.shared().free
    }

    /// Takes a slot out of the free list.
    #[inline]
    pub(crate) fn claim(self) -> Option<Index> {
        self.shared().free.claim(&self, self.capacity())
    }

    /// Puts a retired slot back among the free ones, and wakes a waiter for one.
    #[inline]
    pub(crate) fn release(self, slot: SlotRef<'_>) {
        if let Some(serve_line) = self.shared().free.release(slot.link(), slot.index()) {
            serve_line(self, SlotEvent::Freed);
        }
    }

    /// Puts a slot back that was taken out of the free list and never claimed: it need not know its
    /// index yet.
    pub(crate) fn release_unclaimed(self, index: Index) {
        let link = self.slot(index).get().link();
        if let Some(serve_line) = self.shared().free.release(link, index) {
            serve_line(self, SlotEvent::Freed);
        }
    }

    /// The most slots that were ever in use at once.
    pub(crate) fn high_water(self) -> u16 {
        self.shared().free.high_water()
    }

    /// Publishes a closure and puts it into the ready queue, or returns why the executor takes
    /// none.
    pub(crate) fn enqueue(self, task: &mut Unpublished<'e>) -> Result<(), Refusal> {
        // The inbox keeps no levels: only tasks of the lowest one go there.
        if Inbox::IS_OPEN && LevelOf::<H>::of(task.slot().link()).number() == 0 {
            self.enqueue_in_inbox(task)
        } else {
            self.enqueue_locked::<false>(task)
        }
    }

    /// As [`enqueue`](Self::enqueue), for a future, which is counted inside the lock.
    pub(crate) fn enqueue_future(self, task: &mut Unpublished<'e>) -> Result<(), Refusal> {
        self.enqueue_locked::<true>(task)
    }

    /// Made once for each kind of task, so that the section of a closure does not ask.
    #[inline(always)]
    fn enqueue_locked<const IS_FUTURE: bool>(
        self,
        task: &mut Unpublished<'e>,
    ) -> Result<(), Refusal> {
        self.note_submitted(task);
        let level = LevelOf::<H>::of(task.slot().link());
        let sleeper = self.shared().ready.with(|ready| {
            if ready.queue.is_closed() {
                return Err(ready.reason());
            }
            let slot = task.publish(if IS_FUTURE {
                TaskKind::Future
            } else {
                TaskKind::Closure
            });
            ready
                .queue
                .push(&self.shared().front, &self, slot.link(), slot.index());
            if IS_FUTURE {
                ready.queue.future_began();
            }
            Ok(self.whom_to_wake(ready, level))
        })?;
        self.work_is_there(sleeper, level);
        Ok(())
    }

    #[inline]
    fn enqueue_in_inbox(self, task: &mut Unpublished<'e>) -> Result<(), Refusal> {
        let shared = self.shared();
        self.note_submitted(task);
        let slot = task.publish(TaskKind::Closure);
        match shared.front.inbox.push(slot.link(), slot.index()) {
            Pushed::Quietly => self.work_is_there(None, Level::BASE),
            Pushed::WakeNeeded => self.wake_for_inbox(),
            Pushed::Refused => {
                task.withdraw();
                return Err(shared.ready.with(Ready::reason));
            }
        }
        Ok(())
    }

    /// Why a task is refused now that found no slot: the executor's reason, or that it is full.
    pub(crate) fn refusal_without_slot(self) -> Refusal {
        self.refusal().unwrap_or(Refusal::Full)
    }

    /// Why a task is refused now, if it is.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        self.shared().ready.with(|ready| ready.roster.refusal())
    }

    /// Counts a refusal of a task that has no slot, or of a permit, and tells the host.
    pub(crate) fn count_refusal(self, reason: Refusal) -> Refusal {
        self.note_refused(reason);
        self.count_task_refusal(reason)
    }

    /// Counts a refusal that the host has been told.
    pub(crate) fn count_task_refusal(self, reason: Refusal) -> Refusal {
        self.shared().refused.fetch_add(1, Ordering::Relaxed);
        reason
    }

    /// Takes the next task from a level on and starts it, on a worker or another thread.
    pub(crate) fn take_next(self, runner: Option<Seat>, floor: LevelOf<H>) -> Option<Running<'e>> {
        let (running, sleeper) = self.shared().ready.with(|ready| {
            let running = self.pop(ready, runner, floor)?;
            Some((running, self.whom_to_wake_next(ready)))
        })?;
        self.wake_sleeper(sleeper);
        Some(running)
    }

    /// Takes a certain task out of the queue and starts it, if it is there and any thread may run
    /// it. Only for the holder of its handle.
    pub(crate) fn take_queued(self, index: Index, runner: Option<Seat>) -> Option<Running<'e>> {
        let slot = self.slot(index);
        if !slot.snapshot().is_queued_for_any() {
            return None;
        }
        self.shared().ready.with(|ready| {
            ready.queue.drain(&self.shared().front, &self);
            self.pick(ready, slot, runner)
        })
    }

    /// Returns true if a slot's task is in the queue and belongs to a certain scope.
    pub(crate) fn is_queued_of(self, index: Index, scope: *mut ()) -> bool {
        let slot = self.slot(index);
        slot.owner() == scope && slot.snapshot().is_queued_for_any()
    }

    /// As [`take_queued`](Self::take_queued), for a task of a certain scope.
    pub(crate) fn take_queued_of(
        self,
        index: Index,
        scope: *mut (),
        runner: Option<Seat>,
    ) -> Option<Running<'e>> {
        if !self.is_queued_of(index, scope) {
            return None;
        }
        let slot = self.slot(index);
        self.shared().ready.with(|ready| {
            // What is pushed after this is in no list, so what is unlinked is what was looked at.
            ready.queue.drain(&self.shared().front, &self);
            if self.is_queued_of(index, scope) {
                self.pick(ready, slot, runner)
            } else {
                None
            }
        })
    }

    /// Finds a task for a worker, and the idle worker to wake if there are more tasks. Or tells the
    /// worker to leave, or finds nothing.
    #[inline]
    fn task_or_leave(
        self,
        ready: &Ready<H>,
        seat: Seat,
        floor: LevelOf<H>,
    ) -> (Work<'e>, Sleeper<H>) {
        let mode = ready.roster.mode();
        if mode == Mode::Abort {
            return (Work::Leave, None);
        }
        if let Some(running) = self.pop(ready, Some(seat), floor) {
            return (Work::Task(running), self.whom_to_wake_next(ready));
        }
        let front = &self.shared().front;
        if mode != Mode::Open && ready.queue.lets_leave(front, floor) {
            return (Work::Leave, None);
        }
        (Work::Nothing, self.whom_else_to_wake(ready, floor))
    }

    /// One look at the ready queue, for `Worker::run_one`. Kept apart so that programs without
    /// parked workers do not link the code that wakes.
    pub(crate) fn find_work_once(self, seat: Seat, floor: LevelOf<H>) -> Work<'e> {
        let (work, sleeper) = self
            .shared()
            .ready
            .with(|ready| self.task_or_leave(ready, seat, floor));
        self.wake_sleeper(sleeper);
        work
    }

    /// Finds work for a worker. `searching`: the worker is counted as searching. `sleepy`: its spin
    /// budget is used up, so if there is no work it becomes idle in this same section.
    ///
    /// A worker that serves the urgent levels only never counts as searching: others would rely on
    /// it for tasks that it does not take.
    pub(crate) fn find_work(
        self,
        seat: Seat,
        floor: LevelOf<H>,
        searching: bool,
        sleepy: bool,
    ) -> Work<'e> {
        let is_general = floor.number() == 0;
        let bit = 1 << seat.worker();
        let (work, sleeper) = self.shared().ready.with(|ready| {
            ready.idle.wake_up(bit);
            if searching && is_general {
                ready.idle.end_search();
            }
            let found = self.task_or_leave(ready, seat, floor);
            if !matches!(found.0, Work::Nothing) {
                return found;
            }
            if !sleepy {
                if is_general {
                    ready.idle.begin_search();
                }
                return found;
            }
            if self.fall_idle(ready, bit) {
                return (Work::Idle, found.1);
            }
            // A submitter pushed to the inbox before the wake flag was set: its task is there.
            let found = self.task_or_leave(ready, seat, floor);
            if is_general && matches!(found.0, Work::Nothing) {
                ready.idle.begin_search();
            }
            found
        });
        self.wake_sleeper(sleeper);
        work
    }

    /// From now on no canceller can cancel the future of a generation. The error is the word as it
    /// was, if there is none.
    pub(crate) fn set_running(self, index: Index, generation: usize) -> Result<(), Snapshot> {
        let slot = self.slot(index);
        self.shared().ready.with(|_| slot.set_running(generation))
    }

    /// Cancels a queued task, a suspended future or an open promise. `None` if it runs, was set
    /// running, has ended or is gone.
    pub(crate) fn cancel(
        self,
        slot: SlotRef<'e>,
        generation: Option<usize>,
    ) -> Option<Cancelled<'e>> {
        let is_another = || generation.is_some_and(|meant| meant != slot.snapshot().generation());
        // Bound: a further round means that a waker moved the task between the look and the lock.
        loop {
            if is_another() {
                return None;
            }
            let cancelled = if slot.snapshot().is_queued() {
                self.shared().ready.with(|ready| {
                    // What is pushed after this is in no list, so what is unlinked is what the key
                    // names.
                    ready.queue.drain(&self.shared().front, &self);
                    if is_another() {
                        return None;
                    }
                    self.cancel_linked(ready, slot)
                })
            } else {
                slot.cancel(generation, CancelFrom::Rest)
            };
            if cancelled.is_some() {
                return cancelled;
            }
            let seen = slot.snapshot();
            if seen.is_set_running() || !seen.is_queued() && seen.phase() != Phase::Suspended {
                return None;
            }
        }
    }

    /// Cancels a task that is in the list, unless it was set running. The caller has drained the
    /// inbox in this section.
    pub(super) fn cancel_linked(
        self,
        ready: &Ready<H>,
        slot: SlotRef<'e>,
    ) -> Option<Cancelled<'e>> {
        let front = &self.shared().front;
        // Futures are set running in this lock only.
        if slot.snapshot().is_set_running()
            || !ready.queue.unlink(front, &self, slot.link(), slot.index())
        {
            return None;
        }
        // While a task is linked nothing happens to it outside this lock (*Queued Means Linked*).
        let cancelled = slot.cancel(None, CancelFrom::Queue);
        assert!(cancelled.is_some(), "slotted: a linked task is queued");
        cancelled
    }

    /// Cancels the oldest task in the queue, for a shutdown that cancels. `None`: the queue is
    /// empty, or the life that was shut down is over.
    pub(crate) fn cancel_next(self, epoch: Epoch) -> Option<Cancelled<'e>> {
        self.shared().ready.with(|ready| {
            if ready.roster.epoch() != epoch || ready.roster.mode() != Mode::Cancel {
                return None;
            }
            self.cancel_first(ready)
        })
    }

    /// Cancels the oldest task in the queue.
    pub(super) fn cancel_first(self, ready: &Ready<H>) -> Option<Cancelled<'e>> {
        let index = ready.queue.remove_next(&self.shared().front, &self)?;
        let cancelled = self.slot(index).cancel(None, CancelFrom::Queue);
        assert!(cancelled.is_some(), "slotted: a linked task is queued");
        cancelled
    }

    /// Cancels a suspended future, for a shutdown that cancels the life of `epoch`.
    pub(crate) fn cancel_resting(self, index: Index, epoch: Epoch) -> Option<Cancelled<'e>> {
        let slot = self.slot(index);
        if slot.snapshot().phase() != Phase::Suspended {
            return None;
        }
        self.shared().ready.with(|ready| {
            if ready.roster.epoch() != epoch || ready.roster.mode() != Mode::Cancel {
                return None;
            }
            // In this section a suspended future is of this life: no other has begun, and none is
            // accepted.
            slot.cancel_resting()
        })
    }

    /// Asks a closure that runs to stop, for a shutdown that stops the life of `epoch`.
    ///
    /// The shutdown has cancelled what was queued. So each closure of its life has been started,
    /// and the first look sees that.
    pub(crate) fn stop_running(self, index: Index, epoch: Epoch) {
        let slot = self.slot(index);
        if !slot.snapshot().is_running_closure() {
            return;
        }
        self.shared().ready.with(|ready| {
            // A later life's tasks are not this shutdown's.
            if ready.roster.epoch() == epoch && ready.roster.mode() == Mode::Cancel {
                let _ = slot.ask_to_stop(None);
            }
        });
    }

    /// Starts a suspended future, for an executor that breaks.
    pub(crate) fn start_resting(self, index: Index) -> Option<Running<'e>> {
        let slot = self.slot(index);
        if slot.snapshot().phase() != Phase::Suspended {
            return None;
        }
        let runner = self.current_seat();
        self.shared().ready.with(|_| {
            if !slot.schedule() {
                return None;
            }
            slot.link().set_runner(runner);
            slot.start()
        })
    }

    /// Puts a future that was woken back into the queue.
    pub(crate) fn wake(self, index: Index) {
        let slot = self.slot(index);
        // Bound: a further round means that between the look and the lock another waker queued the
        // future, and a worker polled it.
        while let Wake::Rests(seen) = slot.wake() {
            self.note_woken(slot, seen);
            let mut level = LevelOf::<H>::BASE;
            let queued = self.shared().ready.with(|ready| {
                slot.schedule().then(|| {
                    level = LevelOf::<H>::of(slot.link());
                    ready
                        .queue
                        .push(&self.shared().front, &self, slot.link(), slot.index());
                    self.whom_to_wake(ready, level)
                })
            });
            if let Some(sleeper) = queued {
                self.work_is_there(sleeper, level);
                self.wake_waiters_to_look(index);
                return;
            }
        }
    }

    /// Suspends a future that was polled and is not ready, or queues it again. It comes back if it
    /// must end instead. The lock that a shutdown takes first decides that.
    pub(crate) fn rest<'s>(self, running: Running<'s>) -> Result<(), (Running<'s>, Mode)> {
        self.rest_by(running, false, Running::suspend)
    }

    /// Suspends a future by `suspend`, or queues it again if that says so. It comes back if it must
    /// end instead; if it is `timed`, any shutdown ends it.
    #[inline(always)]
    pub(super) fn rest_by<'s>(
        self,
        running: Running<'s>,
        timed: bool,
        suspend: impl FnOnce(Running<'s>) -> bool,
    ) -> Result<(), (Running<'s>, Mode)> {
        let slot = running.slot();
        let index = slot.index();
        let level = LevelOf::<H>::of(slot.link());
        let requeued = self.shared().ready.with(|ready| {
            if ready.roster.ends_futures() {
                return Err((running, ready.roster.mode()));
            }
            if timed && ready.roster.mode() == Mode::Drain {
                return Err((running, Mode::Cancel));
            }
            Ok(suspend(running).then(|| {
                ready
                    .queue
                    .push(&self.shared().front, &self, slot.link(), slot.index());
                self.whom_to_wake(ready, level)
            }))
        })?;
        if let Some(sleeper) = requeued {
            self.work_is_there(sleeper, level);
            // Another thread may have the slot by now: a look too many does no harm.
            self.wake_waiters_to_look(index);
        }
        Ok(())
    }

    /// A future is done. The last one lets the workers go that stay for it.
    pub(crate) fn future_ended(self) {
        let last = self.shared().ready.with(|ready| {
            ready.queue.future_ended();
            ready.roster.mode() != Mode::Open && ready.queue.is_drained(&self.shared().front)
        });
        if last {
            self.wake_all();
        }
    }

    /// Which of this executor's workers the calling thread runs, if any.
    ///
    /// Bound: the number of workers.
    #[inline]
    pub(crate) fn current_seat(self) -> Option<Seat> {
        if self.has_workers() {
            self.find_seat()
        } else {
            None
        }
    }

    fn find_seat(self) -> Option<Seat> {
        let thread = H::current_id();
        let workers = self.workers();
        let number = workers.iter().position(|cell| cell.is_run_by(thread))?;
        // There are fewer workers than bits in a word.
        Some(workers[number].seat(number as u16))
    }

    /// The workers that the calling thread runs, one bit each.
    ///
    /// Bound: the number of workers.
    pub(crate) fn workers_of_current_thread(self) -> usize {
        let thread = H::current_id();
        let bits = self.workers().iter().enumerate();
        bits.filter(|(_, cell)| cell.is_run_by(thread))
            .fold(0, |own, (number, _)| own | 1 << number)
    }

    /// Counts a task that ran to its end, where the calling thread counts.
    #[inline]
    pub(crate) fn count_completed(self, runner: Option<Seat>, panicked: bool) {
        match runner {
            Some(seat) => self.workers()[usize::from(seat.worker())]
                .counters
                .count(panicked),
            None => self.shared().outside.count_shared(panicked),
        }
    }
}
