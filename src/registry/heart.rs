//! What a registry does: claims and releases slots, queues, takes and cancels tasks, changes its
//! mode.
#![forbid(unsafe_code)]

use super::shared::{Rouse, count};
use super::{Mode, Ready, Registry};
use crate::error::Refusal;
use crate::host::Park;
use crate::queue::{Arrivals, Index, Pushed};
use crate::slot::{Cancelled, Filled, Refused, Running, SlotRef};
use crate::state::{CancelFrom, Phase, Sort, Wake};
use crate::sync::Ordering;
use crate::unwind::Caught;

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

impl<'e, H: Park> Registry<'e, H> {
    /// Puts what has come into the list. Before anything is done to the list, but for taking its
    /// first.
    #[inline]
    fn gather(self, ready: &Ready<H>) {
        let shared = self.shared();
        if !shared.arrivals.is_empty() {
            shared.arrivals.gather(&ready.queue, &self);
            // It may have been taken back since.
            if !ready.queue.is_empty() {
                shared.hint.store(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether no task waits. Exact in what happened before the lock was taken.
    #[inline]
    pub(super) fn is_empty(self, ready: &Ready<H>) -> bool {
        ready.queue.is_empty() && self.shared().arrivals.is_empty()
    }

    /// Whether no accepted task can still need a worker.
    pub(crate) fn is_drained(self, ready: &Ready<H>) -> bool {
        self.is_empty(ready) && ready.futures.get() == 0
    }

    #[inline]
    fn push(self, ready: &Ready<H>, slot: SlotRef<'_>) {
        self.gather(ready);
        if ready.queue.push(&self, slot.link(), slot.index()) {
            self.shared().hint.store(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest task and starts it: on a worker, or outside.
    #[inline]
    fn pop(self, ready: &Ready<H>, worker: Option<u16>) -> Option<Running<'e>> {
        let shared = self.shared();
        let index = match ready.queue.pop(&self, worker) {
            Some(index) => {
                if ready.queue.is_empty() {
                    shared.hint.store(0, Ordering::Relaxed);
                }
                index
            }
            None if Arrivals::IS_OPEN => {
                shared.arrivals.gather(&ready.queue, &self);
                let index = ready.queue.pop(&self, worker)?;
                if !ready.queue.is_empty() {
                    shared.hint.store(1, Ordering::Relaxed);
                }
                index
            }
            None => return None,
        };
        self.slot(index).start()
    }

    fn unlink(self, ready: &Ready<H>, index: Index) -> bool {
        self.gather(ready);
        self.unlink_gathered(ready, index)
    }

    fn unlink_gathered(self, ready: &Ready<H>, index: Index) -> bool {
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

    /// Takes a slot out of the free list.
    #[inline]
    pub(crate) fn claim(self) -> Option<Index> {
        let shared = self.shared();
        shared
            .free
            .with(|free| free.stack.pop(&self, &shared.returned, self.capacity()))
    }

    /// Puts a retired slot back among the free ones and wakes who waits for one.
    #[inline]
    pub(crate) fn release(self, slot: SlotRef<'_>) {
        if self.shared().returned.push(slot.link(), slot.index()) {
            self.room_is_there();
        }
    }

    /// How many slots were ever in use at once.
    pub(crate) fn high_water(self) -> u16 {
        self.shared().free.with(|free| free.stack.high_water())
    }

    /// Puts a task into the queue, or gives it back if none is accepted, with the reason that there
    /// was at that moment.
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
        // Futures are counted in the lock.
        if Arrivals::IS_OPEN && sort == Sort::Closure {
            return self.accept_without_lock(filled);
        }
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
            Ok(self.whom_to_wake(ready))
        })?;
        self.call(sleeper);
        Ok(())
    }

    #[inline]
    fn accept_without_lock<'s>(self, filled: Filled<'s>) -> Result<(), Refused<'s>> {
        let shared = self.shared();
        let mut pushed = Pushed::Refused;
        let accepted = filled.publish_if(Sort::Closure, |slot| {
            pushed = shared.arrivals.push(slot.link(), slot.index());
            pushed != Pushed::Refused
        });
        if pushed == Pushed::Awaited {
            self.tell_of_arrivals();
        }
        accepted.map_err(|filled| (filled, shared.ready.with(Ready::reason)))
    }

    /// Why a task is refused now that found no slot: the executor's reason, or that it is full.
    pub(crate) fn refusal(self) -> Refusal {
        self.shared()
            .ready
            .with(Ready::refusal)
            .unwrap_or(Refusal::Full)
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
            Some((running, self.whom_to_wake(ready)))
        })?;
        self.call(sleeper);
        Some(running)
    }

    /// Takes a certain task out of the queue and starts it, if it is there. Only for who holds its
    /// handle.
    pub(crate) fn take_queued(self, index: Index, worker: Option<u16>) -> Option<Running<'e>> {
        let slot = self.slot(index);
        let seen = slot.snapshot();
        if !seen.is_queued() {
            return None;
        }
        // A closure is queued once, and the handle pins its slot: once out, it does not come back.
        // A worker takes the lock all the same: another one that waits for the task must
        // find it here or started, to know whether it is stuck.
        let can_be_taken_back = !seen.is_future();
        let take_back = || {
            can_be_taken_back
                && self
                    .shared()
                    .arrivals
                    .take_back(slot.get().link(), index, worker)
        };
        if worker.is_none() && take_back() {
            return slot.start();
        }
        self.shared().ready.with(|ready| {
            if worker.is_some() && take_back() {
                slot.start()
            } else {
                self.pick(ready, slot, worker)
            }
        })
    }

    /// As [`take_queued`](Self::take_queued), for a task of a certain scope.
    pub(crate) fn take_queued_of(
        self,
        index: Index,
        scope: *mut (),
        worker: Option<u16>,
    ) -> Option<Running<'e>> {
        let slot = self.slot(index);
        let is_ours = || slot.scope() == scope && slot.snapshot().is_queued();
        if !is_ours() {
            return None;
        }
        self.shared().ready.with(|ready| {
            if is_ours() {
                self.pick(ready, slot, worker)
            } else {
                None
            }
        })
    }

    /// A task for a worker, and whom to wake because there are more; or that the worker is to
    /// leave; or nothing.
    #[inline]
    fn task_or_leave(self, ready: &Ready<H>, worker: u16) -> (Look<'e>, Option<(Rouse<H>, u32)>) {
        if ready.mode.get() == Mode::Stop {
            return (Look::Leave, None);
        }
        if let Some(running) = self.pop(ready, Some(worker)) {
            return (Look::Task(running), self.whom_to_wake(ready));
        }
        let leaves = ready.mode.get() != Mode::Open && self.is_drained(ready);
        (if leaves { Look::Leave } else { Look::Nothing }, None)
    }

    /// A look at the queue by a worker that nobody wakes. By itself, so that who only uses this
    /// does not carry what wakes workers.
    pub(crate) fn look_once(self, worker: u16) -> Look<'e> {
        let (look, sleeper) = self
            .shared()
            .ready
            .with(|ready| self.task_or_leave(ready, worker));
        self.call(sleeper);
        look
    }

    /// A worker's look at the queue, after it was searching or something else. One that is tired
    /// has searched enough: if there is nothing it becomes idle.
    pub(crate) fn look(self, worker: u16, searching: bool, tired: bool) -> Look<'e> {
        let bit = 1 << worker;
        let (look, sleeper) = self.shared().ready.with(|ready| {
            ready.idle.set(ready.idle.get() & !bit);
            ready.has_come(bit);
            if searching {
                ready.searching.set(ready.searching.get() - 1);
            }
            let found = self.task_or_leave(ready, worker);
            if !matches!(found.0, Look::Nothing) {
                return found;
            }
            if tired {
                if self.fall_idle(ready, bit) {
                    return (Look::Idle, None);
                }
                let found = self.task_or_leave(ready, worker);
                if !matches!(found.0, Look::Nothing) {
                    return found;
                }
                // Whoever pushed it has taken it back.
                self.fall_idle(ready, bit);
                return (Look::Idle, None);
            }
            ready.searching.set(ready.searching.get() + 1);
            found
        });
        self.call(sleeper);
        look
    }

    /// Cancels a task that is queued, or rests between two polls, or is an open promise. `None` if
    /// it runs, is done or gone.
    pub(crate) fn cancel(self, index: Index, generation: Option<usize>) -> Option<Cancelled<'e>> {
        let slot = self.slot(index);
        // Bound: a further round means that a waker moved the task between the look and the lock.
        loop {
            if let Some(cancelled) = slot.cancel(generation, CancelFrom::Rest) {
                return Some(cancelled);
            }
            let cancelled = self.shared().ready.with(|ready| {
                // First what has arrived, then the key, then the list: what arrives after the look
                // at the key is in no list, so what is unlinked is what the key names.
                self.gather(ready);
                if generation.is_some_and(|meant| meant != slot.snapshot().generation()) {
                    return None;
                }
                if !self.unlink_gathered(ready, index) {
                    return None;
                }
                // While it is linked, inside this lock, nothing else can happen to it.
                let cancelled = slot.cancel(generation, CancelFrom::Queue);
                assert!(cancelled.is_some(), "a linked task can be cancelled");
                cancelled
            });
            if cancelled.is_some() {
                return cancelled;
            }
            let seen = slot.snapshot();
            if seen.phase() != Phase::Suspended
                || generation.is_some_and(|meant| meant != seen.generation())
            {
                return None;
            }
        }
    }

    /// Puts a future that was woken back into the queue.
    pub(crate) fn wake(self, index: Index) {
        let slot = self.slot(index);
        // Bound: a further round means that between the look and the lock another waker queued the
        // future, and a worker polled it.
        while slot.wake() == Wake::Rests {
            let queued = self.shared().ready.with(|ready| {
                slot.schedule().then(|| {
                    self.push(ready, slot);
                    self.whom_to_wake(ready)
                })
            });
            if let Some(sleeper) = queued {
                self.call(sleeper);
                self.nudge(index);
                return;
            }
        }
    }

    /// A future was polled and is not ready. What to do with it is decided in the lock that
    /// shutdown takes first.
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
            Ok(if again {
                self.whom_to_wake(ready)
            } else {
                None
            })
        })?;
        // Somebody else may have it by now: its index stays what it is, and a look too many does no
        // harm.
        if slot.snapshot().has_listener() {
            self.waits()
                .with(|waits| self.unstick_all(waits, slot.index()));
            self.nudge(slot.index());
        }
        self.call(sleeper);
        Ok(())
    }

    /// A future is done. The last one lets the workers go that stay for it.
    pub(crate) fn future_ended(self) {
        let last = self.shared().ready.with(|ready| {
            ready.futures.set(ready.futures.get() - 1);
            ready.mode.get() != Mode::Open && self.is_drained(ready)
        });
        if last {
            self.wake_all();
        }
    }

    /// Changes the mode, or whether the executor is broken.
    pub(crate) fn set_mode(self, change: impl FnOnce(&Ready<H>)) {
        self.shared().ready.with(|ready| {
            change(ready);
            self.note_mode(ready);
        });
    }

    /// To be called in the section that changes `mode` or `broken`.
    pub(crate) fn note_mode(self, ready: &Ready<H>) {
        let closed = ready.refusal().is_some();
        if closed != ready.closed.replace(closed) {
            self.shared().arrivals.set_closed(closed);
        }
    }

    /// Which of this executor's workers the calling thread is.
    ///
    /// Bound: the number of workers.
    #[inline]
    pub(crate) fn current_worker(self) -> Option<u16> {
        if self.has_workers() {
            self.find_worker()
        } else {
            None
        }
    }

    fn find_worker(self) -> Option<u16> {
        let workers = self.workers();
        let id = H::current_id();
        // Relaxed: only our own thread ever writes our own number.
        let place = workers
            .iter()
            .position(|worker| worker.id.load(Ordering::Relaxed) == id)?;
        // There are at most as many workers as bits in a word.
        Some(place as u16)
    }

    /// Whether two workers are on one thread's stack.
    pub(crate) fn share_a_thread(self, left: u16, right: u16) -> bool {
        // Relaxed: one of the two is the caller's own.
        let id = |worker: u16| {
            self.workers()[usize::from(worker)]
                .id
                .load(Ordering::Relaxed)
        };
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
