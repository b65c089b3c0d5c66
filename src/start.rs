//! Starting and lending: how an executor gets its workers.
//!
//! Invariant **Lent**: a `Worker` refers to its executor as if that lived for ever. Either it does
//! ([`start`]), or [`lend`] returns, or unwinds, only when no `Worker` exists any more. The wait is
//! in a function's frame, not in a value that could be forgotten.
//!
//! `unsafe` here: the lifetime in *Lent*.

use core::cell::Cell;

use crate::blocking::{Awaited, Closed, Endless, Help, block};
use crate::error::StartError;
use crate::host::Park;
use crate::registry::{Mode, Registry};
use crate::spawn::Spawn;
use crate::sync::Ordering;
use crate::unwind;
use crate::waiter::Waiter;
use crate::worker::{STALE, Worker};

fn next_epoch(epoch: u32) -> u32 {
    match epoch.wrapping_add(1) {
        STALE => STALE + 1,
        next => next,
    }
}

/// Gives a worker of each number to the host.
///
/// # Safety
///
/// - The executor outlives every `Worker` made here.
unsafe fn issue<H: Park, S: Spawn<H>>(
    registry: Registry<'_, H>,
    spawn: &S,
    owner: Option<H::Thread>,
) -> Result<(), StartError<S::Error>> {
    // SAFETY: the caller promises it.
    let registry = unsafe { registry.stretch() };
    let workers = registry.workers();
    // All bits are set first, so that a worker that is quick to leave does not look like the last
    // one.
    let all = if workers.is_empty() {
        0
    } else {
        usize::MAX >> (usize::BITS as usize - workers.len())
    };
    let epoch = registry.shared().ready.with(|ready| {
        let stopped = ready.issued.get() == 0 && ready.attached.get() == 0 && !ready.lent.get();
        let over = ready.mode.get() == Mode::Open || registry.is_drained(ready);
        (stopped && over && ready.mode.get() != Mode::Stop).then(|| {
            let epoch = next_epoch(ready.epoch.get());
            ready.epoch.set(epoch);
            ready.issued.set(all);
            ready.mode.set(Mode::Open);
            ready.broken.set(false);
            ready.lent.set(owner.is_some());
            registry.note_mode(ready);
            epoch
        })
    });
    let Some(epoch) = epoch else {
        return Err(StartError::AlreadyStarted);
    };
    drop(registry.shared().owner.with(|place| place.replace(owner)));
    // A host that panics has refused, too.
    let abandoned = unwind::Bomb::new(|| stop(registry));
    for (started, cell) in workers.iter().enumerate() {
        cell.desk.with(|desk| desk.home.set(Some(registry)));
        registry.shared().alive.fetch_add(1, Ordering::Relaxed); // the host's own hand-over publishes it
        if let Err(reason) = spawn.spawn(Worker::new(cell, epoch)) {
            // Goes off.
            drop(abandoned);
            return Err(StartError::Refused { started, reason });
        }
    }
    abandoned.defuse();
    Ok(())
}

/// Stops the workers that started although the tasks go on waiting: those that run leave, those
/// that do not are stale.
fn stop<H: Park>(registry: Registry<'_, H>) {
    registry.set_mode(|ready| {
        // A shutdown that has begun meanwhile stays.
        if ready.mode.get() == Mode::Open {
            ready.mode.set(Mode::Stop);
        }
        ready.epoch.set(next_epoch(ready.epoch.get()));
        ready.issued.set(0);
    });
    registry.wake_all();
    // It cannot be interrupted: the wait is endless, and the caller is no worker that is stuck.
    let _ = block(
        registry,
        &Detached(Closed { registry }),
        &Endless::<H>::new(),
        Help::Workers,
    );
    registry.set_mode(|ready| {
        if ready.mode.get() == Mode::Stop {
            ready.mode.set(Mode::Open);
        }
    });
}

/// A wait for the workers that run to stop running.
struct Detached<'e, H: Park>(Closed<'e, H>);

impl<H: Park> Awaited<H> for Detached<'_, H> {
    fn is_ready(&self) -> bool {
        self.0
            .registry
            .shared()
            .ready
            .with(|ready| ready.attached.get() == 0)
    }

    fn drives(&self, _registry: Registry<'_, H>) -> bool {
        false
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.0.register(waiter)
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.0.deregister(waiter)
    }
}

/// Starts an executor that lives for ever.
pub(crate) fn start<H: Park, S: Spawn<H>>(
    registry: Registry<'static, H>,
    spawn: &S,
) -> Result<(), StartError<S::Error>> {
    // SAFETY: `'static`.
    unsafe { issue(registry, spawn, None) }
}

/// Starts an executor, runs `body`, and returns only when no `Worker` of it exists any more, also
/// when `body` panics. `close` must make the workers leave.
pub(crate) fn lend<H: Park, S: Spawn<H>, R>(
    registry: Registry<'_, H>,
    spawn: &S,
    body: impl FnOnce() -> R,
    close: impl FnOnce(),
) -> Result<R, StartError<S::Error>> {
    let shared = registry.shared();
    // Both run on every path out of here, unwinding included: this frame is what the workers depend
    // on. The one made first runs last, whatever the other does.
    let wait = unwind::Bomb::new(|| {
        // Endless for a reason: a host that keeps a worker for ever keeps us (*Harmless Host*).
        // Acquire: sees all that the workers did.
        while shared.alive.load(Ordering::Acquire) != 0 {
            // A host that panics here would end the borrow too early: a panic while panicking
            // aborts.
            let abort =
                unwind::Bomb::new(|| panic!("an executor cannot be left while its workers run"));
            H::park();
            abort.defuse();
        }
        drop(shared.owner.with(Cell::take));
        registry.set_mode(|ready| ready.lent.set(false));
    });
    // SAFETY: `wait` is dropped before the borrow of the executor ends, on every path but the one
    // without a `Worker`.
    match unsafe { issue(registry, spawn, Some(H::current())) } {
        Ok(()) => {
            let close = unwind::Bomb::new(close);
            let result = body();
            drop(close);
            drop(wait);
            Ok(result)
        }
        Err(StartError::AlreadyStarted) => {
            wait.defuse();
            Err(StartError::AlreadyStarted)
        }
        Err(refused) => {
            drop(wait);
            Err(refused)
        }
    }
}
