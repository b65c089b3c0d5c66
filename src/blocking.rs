//! Waiting in a thread: look, help, relax, register, look again, park.
//!
//! One loop serves every blocking call of the crate. What differs is what is [`Awaited`] and how
//! long ([`Patience`]).
//!
//! - A **worker** that waits first runs, in place, what it waits for if nobody has started it. If
//!   it still has to sleep, without a time limit, and everything it waits for runs on workers, it
//!   is *stuck*. When all workers are stuck, or some are in a circle, or a worker waits for what is
//!   beneath it on its own stack, none of them can ever go on, and the last one gets
//!   [`TaskError::WouldDeadlock`](crate::TaskError) instead.
//! - A **driver** is a thread that waits on an executor without live workers: it runs ready tasks
//!   in order.
//! - Everybody else sleeps.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::completion::{execute, listen};
use crate::error::Refusal;
use crate::host::{Clock, Park, deadline};
use crate::queue::Index;
use crate::registry::Registry;
use crate::slot::Running;
use crate::sync::Ordering;
use crate::waiter::{Place, Waiter, Waits};

/// Why a wait ended before what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    TimedOut,
    WouldDeadlock,
}

/// How long a wait may take.
pub trait Patience {
    /// Whether the wait ends only with what it waits for.
    #[doc(hidden)]
    const ENDLESS: bool;
    #[doc(hidden)]
    fn is_over(&self) -> bool;
    #[doc(hidden)]
    fn park(&self);
}

/// As long as it takes.
#[derive(Debug)]
pub struct Endless<H>(core::marker::PhantomData<fn() -> H>);

impl<H> Endless<H> {
    pub(crate) const fn new() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<H: Park> Patience for Endless<H> {
    const ENDLESS: bool = true;

    #[inline(always)]
    fn is_over(&self) -> bool {
        false
    }

    #[inline(always)]
    fn park(&self) {
        H::park();
    }
}

/// Until a tick of the host's clock.
#[derive(Debug)]
pub struct Until<H> {
    deadline: u64,
    host: core::marker::PhantomData<fn() -> H>,
}

impl<H: Clock> Until<H> {
    /// From now. One deadline for the whole call, computed on entry.
    pub(crate) fn after(timeout: core::time::Duration) -> Self {
        Self::at(deadline::<H>(timeout))
    }

    pub(crate) fn at(deadline: u64) -> Self {
        Self {
            deadline,
            host: core::marker::PhantomData,
        }
    }
}

impl<H: Clock> Patience for Until<H> {
    const ENDLESS: bool = false;

    fn is_over(&self) -> bool {
        H::now() >= self.deadline
    }

    fn park(&self) {
        H::park_until(self.deadline);
    }
}

/// Who runs unstarted tasks that are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    /// Workers, and, if the waiting thread is one, itself.
    Workers,
    /// The waiting thread, whoever it is.
    Inline,
}

/// What a thread can wait for.
pub(crate) trait Awaited<H: Park> {
    /// Whether the wait is over.
    fn is_ready(&self) -> bool;

    /// Takes one unstarted task out of the queue and starts it, if running it brings the end
    /// nearer.
    fn take_unstarted(&self, worker: Option<u16>) -> Option<Running<'_>> {
        let _ = worker;
        None
    }

    /// Puts the waiter where it will be found; or gives it back, because the wait is over. What it
    /// displaced must be woken on leaving.
    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>>;

    /// Takes the waiter out again, if it is still there.
    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H>;

    /// Whether everything that is waited for runs on workers; or all of it on a certain one.
    fn is_stuck(&self, on: Option<u16>) -> bool {
        let _ = on;
        false
    }

    /// The one task that is waited for, if it is one.
    fn only(&self) -> Option<Index> {
        None
    }

    /// Calls `act` with each executor that is waited for, until one call says `true`; says whether
    /// one did.
    fn any_executor(
        &self,
        home: Registry<'_, H>,
        act: &mut dyn FnMut(Registry<'_, H>) -> bool,
    ) -> bool {
        act(home)
    }

    /// Whether the waiting thread runs an executor's ready tasks in order, because nobody else
    /// does.
    fn drives(&self, registry: Registry<'_, H>) -> bool {
        !registry.has_workers()
    }

    /// Whether the wait may end before what it waits for.
    fn can_give_up(&self) -> bool {
        true
    }
}

/// Waits.
pub(crate) fn block<H: Park, P: Patience>(
    registry: Registry<'_, H>,
    awaited: &impl Awaited<H>,
    patience: &P,
    help: Help,
) -> Result<(), Interrupted> {
    if awaited.is_ready() {
        return Ok(());
    }
    let worker = registry.current_worker();
    let helps = worker.is_some() || help == Help::Inline;
    let mut round = 0;
    // Endless for a reason: it ends with what it waits for, with the patience, or when nothing
    // could end it.
    loop {
        if awaited.is_ready() {
            return Ok(());
        }
        // Before any task is run: no time at all is a look, and what runs here does not stretch the
        // time without bound.
        if patience.is_over() {
            return Err(Interrupted::TimedOut);
        }
        if helps {
            if let Some(running) = awaited.take_unstarted(worker) {
                execute(registry, running, worker);
                round = 0;
                continue;
            }
        }
        let drove = awaited.any_executor(registry, &mut |registry| {
            let task = if awaited.drives(registry) {
                registry.take_next(None)
            } else {
                None
            };
            task.map(|running| execute(registry, running, None))
                .is_some()
        });
        if drove {
            round = 0;
            continue;
        }
        if H::relax(round) {
            round = round.saturating_add(1);
            continue;
        }
        sleep(registry, awaited, patience, worker, helps)?;
        round = 0;
    }
}

/// Registers, looks again, parks once, and deregisters on every path.
fn sleep<H: Park, P: Patience>(
    registry: Registry<'_, H>,
    awaited: &impl Awaited<H>,
    patience: &P,
    worker: Option<u16>,
    helps: bool,
) -> Result<(), Interrupted> {
    if worker.is_some() {
        registry
            .waits()
            .with(|waits| waits.asleep.set(waits.asleep.get() + 1));
    }
    let result = sleep_registering(registry, awaited, patience, worker, helps);
    if worker.is_some() {
        registry
            .waits()
            .with(|waits| waits.asleep.set(waits.asleep.get() - 1));
    }
    result
}

fn sleep_registering<H: Park, P: Patience>(
    registry: Registry<'_, H>,
    awaited: &impl Awaited<H>,
    patience: &P,
    worker: Option<u16>,
    helps: bool,
) -> Result<(), Interrupted> {
    let Ok(displaced) = awaited.register(waiter_for(worker)) else {
        return Ok(());
    };
    let result = if let Some(running) = if helps {
        awaited.take_unstarted(worker)
    } else {
        None
    } {
        // It came into the queue before we were there to be told.
        execute(registry, running, worker);
        Ok(())
    } else {
        drive_asleep(registry, awaited, || {
            sleep_registered(registry, awaited, patience, worker)
        })
    };
    drop(awaited.deregister(&waiter_for(worker)));
    registry.notify(displaced);
    result
}

/// Runs `sleep` as a driver of each executor that nobody else drives: whoever pushes a task there
/// wakes us.
fn drive_asleep<H: Park>(
    registry: Registry<'_, H>,
    awaited: &impl Awaited<H>,
    sleep: impl FnOnce() -> Result<(), Interrupted>,
) -> Result<(), Interrupted> {
    let mut kept = Waiter::None;
    let work = awaited.any_executor(registry, &mut |registry| {
        if !awaited.drives(registry) {
            return false;
        }
        match registry.become_driver(waiter_for(None)) {
            Ok(displaced) => {
                // One is kept until we leave. Others are woken at once and look again: two threads
                // that each drive several executors of the other's may keep each
                // other awake.
                registry.notify(core::mem::replace(&mut kept, displaced));
                false
            }
            Err(_ourselves) => true,
        }
    });
    let result = if work { Ok(()) } else { sleep() };
    awaited.any_executor(registry, &mut |registry| {
        if awaited.drives(registry) {
            drop(registry.stop_driving(&waiter_for(None)));
        }
        false
    });
    registry.notify(kept);
    result
}

/// The calling thread, as others can wake it.
fn waiter_for<H: Park>(worker: Option<u16>) -> Waiter<H> {
    Waiter::Thread {
        thread: H::current(),
        id: H::current_id(),
        worker: worker.map_or(0, |worker| worker + 1),
    }
}

/// A last look, and more while the host lingers; then parks.
///
/// Bound: the host's.
fn park<H: Park>(awaited: &impl Awaited<H>, patience: &impl Patience) {
    let mut round = 0;
    while !awaited.is_ready() {
        if !H::linger(round) {
            patience.park();
            return;
        }
        round = round.saturating_add(1);
    }
}

fn sleep_registered<H: Park, P: Patience>(
    registry: Registry<'_, H>,
    awaited: &impl Awaited<H>,
    patience: &P,
    worker: Option<u16>,
) -> Result<(), Interrupted> {
    let Some(worker) = worker.filter(|_| P::ENDLESS && awaited.is_stuck(None)) else {
        park(awaited, patience);
        return Ok(());
    };
    // What waits beneath us on our own stack cannot go on before we do.
    if awaited.can_give_up() && awaited.is_stuck(Some(worker)) {
        return Err(Interrupted::WouldDeadlock);
    }
    let bit = 1_usize << worker;
    let own = &registry.workers()[usize::from(worker)];
    registry.waits().with(|waits| {
        waits.begin_to_stick(worker);
        own.stuck_on.store(
            awaited.only().map_or(0, |index| index + 1),
            Ordering::Relaxed,
        ); // ordered by the lock
    });
    // Whatever moves what we wait for after this look takes back that we are about to be stuck, in
    // the same lock.
    let stuck = awaited.is_stuck(None) && !awaited.is_ready();
    let attached = registry.shared().ready.with(|ready| ready.attached.get());
    let (all, circle) = registry.waits().with(|waits| {
        if stuck {
            waits.stick(worker);
        }
        let circle =
            waits.stuck.get() & bit != 0 && leads_back(registry, waits, awaited.only(), worker);
        (waits.stuck.get() == attached, circle)
    });
    // Once all others are stuck nothing moves any more, so this second look is final.
    let mut give_up = circle;
    if all && awaited.is_stuck(None) {
        if awaited.can_give_up() {
            give_up = true;
        } else {
            doom_others(registry, worker);
        }
    }
    if !give_up {
        park(awaited, patience);
    }
    let doomed = registry.waits().with(|waits| {
        waits.unstick(worker);
        own.stuck_on.store(0, Ordering::Relaxed); // ordered by the lock
        let doomed = waits.doomed.get();
        waits.doomed.set(doomed & !bit);
        doomed & bit != 0
    });
    let give_up = give_up || (doomed && awaited.can_give_up() && awaited.is_stuck(None));
    if give_up {
        Err(Interrupted::WouldDeadlock)
    } else {
        Ok(())
    }
}

/// Whether a task runs on a worker that is stuck on a task that runs on a worker … that is stuck on
/// a task of ours. Inside the lock of the wait cells, where marks are set and taken away: what is
/// stuck stays so meanwhile.
///
/// Bound: the number of workers.
fn leads_back<H: Park>(
    registry: Registry<'_, H>,
    waits: &Waits<H>,
    mut task: Option<Index>,
    worker: u16,
) -> bool {
    let workers = registry.workers();
    for _ in 0..workers.len() {
        let Some(runner) = task.and_then(|index| registry.slot(index).worker()) else {
            return false;
        };
        if registry.share_a_thread(runner, worker) {
            return true;
        }
        if waits.stuck.get() & (1 << runner) == 0 {
            return false;
        }
        let stuck_on = workers[usize::from(runner)]
            .stuck_on
            .load(Ordering::Relaxed); // ordered by the lock
        task = stuck_on.checked_sub(1);
    }
    false
}

/// The caller is stuck and cannot give up (a scope cannot): every other stuck worker does.
///
/// Bound: the number of workers.
fn doom_others<H: Park>(registry: Registry<'_, H>, worker: u16) {
    let doomed = registry.waits().with(|waits| {
        let doomed = waits.stuck.get() & !(1 << worker);
        waits.doomed.set(doomed);
        doomed
    });
    for other in 0..registry.workers().len() as u16 {
        if doomed & (1 << other) != 0 {
            // It sleeps in the thread that attached it.
            registry.notify(Waiter::Worker(other));
        }
    }
}

/// A wait for one slot's outcome.
pub(crate) struct One<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
    pub(crate) index: Index,
}

impl<H: Park> One<'_, H> {
    fn place<R>(&self, act: impl FnOnce(&Place<H>) -> R) -> R {
        self.registry
            .waits()
            .with(|waits| act(&waits.cell(self.index).waiter))
    }
}

impl<H: Park> Awaited<H> for One<'_, H> {
    #[inline]
    fn is_ready(&self) -> bool {
        self.registry.slot(self.index).snapshot().is_done()
    }

    fn take_unstarted(&self, worker: Option<u16>) -> Option<Running<'_>> {
        self.registry.take_queued(self.index, worker)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.registry.waits().with(|waits| {
            if listen(self.registry, self.registry.slot(self.index)) {
                Ok(waits.cell(self.index).waiter.put(waiter))
            } else {
                Err(waiter)
            }
        })
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.place(|place| place.remove(waiter))
    }

    fn is_stuck(&self, on: Option<u16>) -> bool {
        let Some(runner) = self.registry.slot(self.index).worker() else {
            return false;
        };
        on.is_none_or(|worker| self.registry.share_a_thread(worker, runner))
    }

    fn only(&self) -> Option<Index> {
        Some(self.index)
    }
}

/// A wait for a free slot.
pub(crate) struct Room<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
    pub(crate) claimed: Cell<Option<Index>>,
    /// Why there will be none.
    pub(crate) refusal: Cell<Option<Refusal>>,
}

impl<H: Park> Awaited<H> for Room<'_, H> {
    /// Takes a slot; or there will be none, because the executor takes no task.
    fn is_ready(&self) -> bool {
        if self.claimed.get().is_none() {
            self.claimed.set(self.registry.claim());
        }
        if self.claimed.get().is_some() {
            return true;
        }
        self.refusal
            .set(self.registry.shared().ready.with(|ready| ready.refusal()));
        self.refusal.get().is_some()
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(self.registry.await_room(waiter))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry.leave_room(waiter)
    }
}

/// A wait for the workers to leave.
pub(crate) struct Closed<'e, H: Park> {
    pub(crate) registry: Registry<'e, H>,
}

impl<H: Park> Awaited<H> for Closed<'_, H> {
    fn is_ready(&self) -> bool {
        self.registry
            .shared()
            .ready
            .with(|ready| ready.issued.get() == 0 && self.registry.is_drained(ready))
    }

    /// An executor without live workers is drained by whoever shuts it down.
    fn drives(&self, registry: Registry<'_, H>) -> bool {
        registry
            .shared()
            .ready
            .with(|ready| ready.issued.get() == 0)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(self
            .registry
            .shared()
            .ready
            .with(|ready| ready.closer.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.registry
            .shared()
            .ready
            .with(|ready| ready.closer.remove(waiter))
    }
}
