//! Waiting in a thread: look, help, spin, register, look again, park.
//!
//! One loop serves every blocking call of the crate. What differs is what it is to wait for
//! ([`WaitFor`]) and how long ([`Timeout`]).
//!
//! - A **worker** that waits without a time limit first runs, inline, what it waits for, if no
//!   thread has started it.
//! - A **driver** is a thread that waits on an executor with `WORKERS = 0`, or that shuts one down
//!   which has no worker left. It runs ready tasks in order, and looks at the time between them.
//! - Every other thread sleeps.
//!
//! A wait ends early with its time limit, or where the crate can tell that it would never end: see
//! `deadlock`, and [`NotStarted`](crate::TaskError::NotStarted).
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::completion::{execute, listen_alone};
use crate::deadlock::{begin_wait, end_wait, lies_beneath};
use crate::error::TaskError;
use crate::host::{Clock, Park, deadline};
use crate::list::{Index, Seat};
use crate::order::{Level, Parts};
use crate::registry::Registry;
use crate::roster::Epoch;
use crate::slot::{Phase, Running, SlotRef};
use crate::unwind::{self, Panic};
use crate::waiter::Waiter;

mod driving;
mod parking;

use driving::drive_asleep;
use parking::{notices, park};

/// Why a wait ended before what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    TimedOut,
    WouldDeadlock,
    NotStarted,
}

impl From<Interrupted> for TaskError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::TimedOut => Self::TimedOut,
            Interrupted::WouldDeadlock => Self::WouldDeadlock,
            Interrupted::NotStarted => Self::NotStarted,
        }
    }
}

/// How a wait ended. `Err`: by a panic of the host, which goes on once all that the wait did is
/// undone.
type Ended = Result<Result<(), Interrupted>, Panic>;

/// Waits, in a place that the caller leaves again also if the host panics.
#[inline(always)]
fn catch(wait: impl FnOnce() -> Ended) -> Ended {
    unwind::catch(wait)?
}

/// How long a wait may take.
pub trait Timeout {
    /// True if the wait ends only with what it waits for.
    #[doc(hidden)]
    const NEVER: bool;
    #[doc(hidden)]
    fn is_over(&self) -> bool;
    #[doc(hidden)]
    fn park(&self);
    /// The tick at which it is over.
    #[doc(hidden)]
    fn limit(&self) -> Option<u64>;
}

/// No time limit.
#[derive(Debug)]
pub struct Never<H>(core::marker::PhantomData<fn() -> H>);

impl<H> Never<H> {
    pub(crate) const fn new() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<H: Park> Timeout for Never<H> {
    const NEVER: bool = true;

    #[inline(always)]
    fn is_over(&self) -> bool {
        false
    }

    #[inline(always)]
    fn park(&self) {
        H::park();
    }

    #[inline(always)]
    fn limit(&self) -> Option<u64> {
        None
    }
}

/// A tick of the host's clock.
#[derive(Debug)]
pub struct Deadline<H> {
    tick: u64,
    host: core::marker::PhantomData<fn() -> H>,
}

impl<H: Clock> Deadline<H> {
    /// From now. One deadline for the whole call, computed on entry.
    pub(crate) fn after(timeout: core::time::Duration) -> Self {
        Self::at(deadline::<H>(timeout))
    }

    pub(crate) fn at(tick: u64) -> Self {
        Self {
            tick,
            host: core::marker::PhantomData,
        }
    }
}

impl<H: Clock> Timeout for Deadline<H> {
    const NEVER: bool = false;

    fn is_over(&self) -> bool {
        H::now() >= self.tick
    }

    fn park(&self) {
        H::park_until(self.tick);
    }

    #[inline(always)]
    fn limit(&self) -> Option<u64> {
        Some(self.tick)
    }
}

/// Which thread runs a task that a thread waits for and no thread has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunUnstarted {
    /// Workers; and the waiting thread, if it is one and has no time limit.
    Workers,
    /// The waiting thread.
    Inline,
}

/// What a thread can wait for.
pub(crate) trait WaitFor<H: Park> {
    /// Returns true if the wait is over.
    fn is_over(&self) -> bool;

    /// Takes one unstarted task out of the queue and starts it, if running it brings the end
    /// nearer.
    fn take_unstarted(&self, runner: Option<Seat>) -> Option<Running<'_>> {
        let _ = runner;
        None
    }

    /// As [`take_unstarted`](Self::take_unstarted), where no worker will start it and the waiting
    /// thread does so unasked: a task of a scope.
    fn take_abandoned(&self) -> Option<Running<'_>> {
        None
    }

    /// The thread is about to run a task on top of this wait.
    fn before_running(&self) {}

    /// Puts the waiter where the completer finds it, and returns the waiter that it displaced,
    /// which must be woken on leaving. `Err`: the wait is over.
    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>>;

    /// Takes the waiter out again, if it is still there.
    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H>;

    /// The task that the thread waits for, if it is a single one.
    fn single_task(&self) -> Option<Index> {
        None
    }

    /// Returns true if the wait cannot end before the calling thread's own stack moves.
    fn lies_beneath(&self, thread: usize) -> bool {
        let _ = thread;
        false
    }

    /// Returns true if only a worker could end the wait, and there is none.
    fn needs_start(&self) -> bool {
        false
    }

    /// Has the queued tasks among what the thread waits for rise to its own level.
    fn raise(&self, registry: Registry<'_, H>) {
        if let Some(task) = self.single_task() {
            raise(registry, task);
        }
    }

    /// Calls `act` with each executor whose tasks the thread waits for, until one call returns
    /// true. Returns true if one did.
    fn any_executor(
        &self,
        home: Registry<'_, H>,
        act: &mut dyn FnMut(Registry<'_, H>) -> bool,
    ) -> bool {
        act(home)
    }

    /// Returns true if the waiting thread runs unstarted tasks because no worker will.
    fn is_abandoned(&self) -> bool {
        false
    }

    /// Returns true if the waiting thread runs an executor's ready tasks in order.
    fn drives(&self, registry: Registry<'_, H>) -> bool {
        !registry.has_workers()
    }

    /// Returns true if the waiting thread may have been the driver of an executor.
    fn may_have_driven(&self, registry: Registry<'_, H>) -> bool {
        self.drives(registry)
    }

    /// Runs the next ready task of an executor that the thread drives. Returns false if there is
    /// none.
    #[inline(always)]
    fn drive_once(&self, registry: Registry<'_, H>) -> bool {
        registry.advance_time();
        let Some(running) = registry.take_next(None, Level::BASE) else {
            return false;
        };
        self.before_running();
        execute(registry, running, None);
        true
    }
}

/// Waits.
pub(crate) fn block<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    run_unstarted: RunUnstarted,
) -> Result<(), Interrupted> {
    if wait_for.is_over() {
        return Ok(());
    }
    block_after_look(registry, wait_for, timeout, run_unstarted)
}

/// As [`block`], for a caller that has just seen that the wait is not over.
pub(crate) fn block_after_look<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    run_unstarted: RunUnstarted,
) -> Result<(), Interrupted> {
    let drove = Cell::new(false);
    // A submitter may have woken the thread, as a driver, for a task that it does not run.
    let pass_work_on = || {
        if drove.get() {
            wait_for.any_executor(registry, &mut |registry| {
                if wait_for.may_have_driven(registry) {
                    registry.pass_work_on();
                }
                false
            });
        }
    };
    let broken_off = unwind::Bomb::new(|| {
        unwind::contain(pass_work_on);
    });
    let ended = block_until_over(registry, wait_for, timeout, run_unstarted, &drove);
    broken_off.defuse();
    pass_work_on();
    match ended {
        Ok(result) => result,
        Err(panic) => panic.resume(),
    }
}

fn block_until_over<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    run_unstarted: RunUnstarted,
    drove: &Cell<bool>,
) -> Ended {
    let mut round = 0;
    // Endless for a reason: it ends with what it waits for, with the time limit, or when nothing
    // could end it. The caller has looked once.
    loop {
        // Before any task is run: a limit of zero is a look, and no task begins after the date.
        if timeout.is_over() {
            return Ok(Err(Interrupted::TimedOut));
        }
        // Asked again in each round: a worker may be handed to another thread meanwhile.
        let seat = registry.current_seat();
        let helps = run_unstarted == RunUnstarted::Inline
            || P::NEVER && seat.is_some()
            || wait_for.is_abandoned();
        if helps && help(registry, wait_for, seat) || drive(registry, wait_for) {
            round = 0;
        } else if H::spin(round) {
            round = round.saturating_add(1);
        } else {
            if let Err(interrupted) = sleep(registry, wait_for, timeout, seat, helps, drove)? {
                return Ok(Err(interrupted));
            }
            round = 0;
        }
        if wait_for.is_over() {
            return Ok(Ok(()));
        }
    }
}

/// Has a queued task rise to the level of the calling worker. Not if it lies beneath: the worker
/// runs no such task before its wait ends.
pub(crate) fn raise<H: Park>(registry: Registry<'_, H>, task: Index) {
    if !lies_beneath(registry, registry.slot(task), H::current_id()) {
        registry.raise_awaited(task);
    }
}

/// Runs an unstarted task that brings the end of the wait nearer. Returns false if there is none.
#[inline]
fn help<H: Park>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    seat: Option<Seat>,
) -> bool {
    let Some(running) = wait_for.take_unstarted(seat) else {
        return false;
    };
    wait_for.before_running();
    execute(registry, running, seat);
    true
}

/// Goes on with the executors that the thread drives. Returns false if they have nothing to do.
#[inline]
fn drive<H: Park>(registry: Registry<'_, H>, wait_for: &impl WaitFor<H>) -> bool {
    wait_for.any_executor(registry, &mut |registry| {
        wait_for.drives(registry) && wait_for.drive_once(registry)
    })
}

/// Registers, looks again, parks once, and deregisters, also if the host panics.
// On desktops the loop around it is shorter so. On boards it is called once, which saves flash.
#[cfg_attr(feature = "std", inline(never))]
fn sleep<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    seat: Option<Seat>,
    helps: bool,
    drove: &Cell<bool>,
) -> Ended {
    if seat.is_some() {
        registry.waits().with(|waits| waits.worker_sleeps());
    }
    let result = catch(|| {
        if <H::Order as Parts>::LEVELS > 1 && seat.is_some() {
            wait_for.raise(registry);
        }
        sleep_as_waiter(registry, wait_for, timeout, seat, helps, drove)
    });
    if seat.is_some() {
        registry.waits().with(|waits| waits.worker_woke());
        // The thread may go on with something else.
        registry.pass_time_on();
    }
    result
}

fn sleep_as_waiter<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    seat: Option<Seat>,
    helps: bool,
    drove: &Cell<bool>,
) -> Ended {
    // The host may panic as it names the thread: before the thread has a place to leave.
    let ourselves = Waiter::current();
    // Before it registers: what takes it out raises the count after this.
    let seen = notices(registry, wait_for);
    let Ok(displaced) = wait_for.register(Waiter::current()) else {
        return Ok(Ok(()));
    };
    // After it registered, and so after the displaced waiter did.
    let since = registry.notices();
    let result = catch(|| {
        let unstarted = helps.then(|| wait_for.take_unstarted(seat)).flatten();
        if let Some(running) = unstarted {
            // It came into the queue before the waiter was there to be woken.
            wait_for.before_running();
            execute(registry, running, seat);
            return Ok(Ok(()));
        }
        if P::NEVER && wait_for.needs_start() {
            // Only now: from here on the last worker that leaves wakes the waiter.
            return Ok(match wait_for.take_abandoned() {
                Some(running) => {
                    execute(registry, running, seat);
                    Ok(())
                }
                None => Err(Interrupted::NotStarted),
            });
        }
        drive_asleep(registry, wait_for, &ourselves, drove, || {
            sleep_registered(registry, wait_for, timeout, seat, seen)
        })
    });
    drop(wait_for.deregister(&ourselves));
    registry.hand_on(displaced, since);
    result
}

fn sleep_registered<H: Park, P: Timeout>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &P,
    seat: Option<Seat>,
    seen: usize,
) -> Ended {
    let park = || park(registry, wait_for, timeout, seat, seen);
    if seat.is_none() || !P::NEVER {
        park();
        return Ok(Ok(()));
    }
    if wait_for.lies_beneath(H::current_id()) {
        return Ok(Err(Interrupted::WouldDeadlock));
    }
    let Some(task) = wait_for.single_task() else {
        park();
        return Ok(Ok(()));
    };
    if !begin_wait(registry, task) {
        return Ok(Err(Interrupted::WouldDeadlock));
    }
    let parked = unwind::catch(park);
    end_wait(registry);
    parked.map(Ok)
}

/// Returns true if only a worker can end the slot's task (it waits to be started, or a future
/// rests), and the host has none.
///
/// In this order: the last worker may run the task and leave between the two looks.
pub(crate) fn needs_worker<H: Park>(registry: Registry<'_, H>, slot: SlotRef<'_>) -> bool {
    is_unstarted(registry)
        && matches!(
            slot.snapshot().phase(),
            Phase::Pending | Phase::Scheduled | Phase::Suspended
        )
}

/// Takes an unstarted task of a scope out of the queue and starts it.
pub(crate) fn take_of_scope<'e, H: Park>(
    registry: Registry<'e, H>,
    slot: SlotRef<'e>,
) -> Option<Running<'e>> {
    let is_scoped = !slot.owner().is_null() && !slot.snapshot().is_future();
    is_scoped
        .then(|| registry.take_queued(slot.index(), None))
        .flatten()
}

/// Returns true if the executor has workers in its type but the host has none of them.
pub(crate) fn is_unstarted<H: Park>(registry: Registry<'_, H>) -> bool {
    registry.has_workers() && !registry.roster(|roster| roster.has_workers())
}

/// A wait for one task.
pub(crate) struct TaskDone<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
    pub(crate) index: Index,
}

impl<'e, H: Park> TaskDone<'e, H> {
    fn slot(&self) -> SlotRef<'e> {
        self.registry.slot(self.index)
    }
}

impl<H: Park> WaitFor<H> for TaskDone<'_, H> {
    #[inline]
    fn is_over(&self) -> bool {
        self.slot().snapshot().is_takeable()
    }

    fn take_unstarted(&self, runner: Option<Seat>) -> Option<Running<'_>> {
        self.registry.take_queued(self.index, runner)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.registry.waits().with(|waits| {
            if listen_alone(waits, self.slot()) {
                Ok(waits.cell(self.index).waiter().put(waiter))
            } else {
                Err(waiter)
            }
        })
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry
            .waits()
            .with(|waits| waits.cell(self.index).waiter().remove(waiter))
    }

    fn single_task(&self) -> Option<Index> {
        Some(self.index)
    }

    fn lies_beneath(&self, thread: usize) -> bool {
        lies_beneath(self.registry, self.slot(), thread)
    }

    fn needs_start(&self) -> bool {
        needs_worker(self.registry, self.slot())
    }

    fn take_abandoned(&self) -> Option<Running<'_>> {
        take_of_scope(self.registry, self.slot())
    }
}

/// A wait for the workers of a life to leave, for its queue to be empty and its futures to be done.
pub(crate) struct LifeOver<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
    pub(crate) epoch: Epoch,
}

impl<H: Park> WaitFor<H> for LifeOver<'_, H> {
    fn is_over(&self) -> bool {
        self.registry.is_over(self.epoch)
    }

    /// The thread that shuts down an executor without live workers runs what was accepted.
    fn drives(&self, registry: Registry<'_, H>) -> bool {
        registry.roster(|roster| roster.epoch() == self.epoch && roster.is_left(self.epoch))
    }

    /// The life may be over by now. The thread may even have been the driver of the next.
    fn may_have_driven(&self, _registry: Registry<'_, H>) -> bool {
        true
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(self.registry.with_leave_waiter(|cell| cell.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry.with_leave_waiter(|cell| cell.remove(waiter))
    }
}

/// A wait for the threads that run workers to let them go.
pub(crate) struct WorkersDetached<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
    /// The workers that the waiting thread runs itself, one bit each.
    pub(crate) own: usize,
    pub(crate) epoch: Epoch,
}

impl<H: Park> WaitFor<H> for WorkersDetached<'_, H> {
    fn is_over(&self) -> bool {
        self.registry
            .roster(|roster| roster.is_detached(self.own, self.epoch))
    }

    fn drives(&self, _registry: Registry<'_, H>) -> bool {
        false
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(self.registry.with_leave_waiter(|cell| cell.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry.with_leave_waiter(|cell| cell.remove(waiter))
    }
}
