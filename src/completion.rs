//! Running a task to its end, and everything its end sets off.
//!
//! The order is always the same: the outcome is written; callbacks look at it; the state word says that it may be taken; waiters
//! wake; the scope is told. No lock is held while foreign code runs.
//!
//! `unsafe` here, for two reasons: a callback is applied to the outcome of the task it was added to (**Right Callback**: the list in a
//! slot's wait cell only ever gets callbacks made by the slot's own receiver, and is emptied before the slot is
//! retired), and a scope's tally is used while it counts the task (*Counted First*).

use crate::error::{CallbackError, CallbackRefusal, TaskError};
use crate::host::Park;
use crate::queue::Index;
use crate::registry::{Mode, Registry};
use crate::slot::{Advanced, Cancelled, Claim, Ending, Last, Receiver};
use crate::sync::Ordering;
use crate::tally::Tally;
use crate::waiter::{Waiter, WakeOn};

/// Runs a task that was taken out of the queue: to its end, or, a future, to its next rest.
///
/// Recursion: a task that waits for a task of its own executor gets here again, once for each level of waiting that its author wrote.
pub(crate) fn execute<H: Park>(registry: &(dyn Registry<H> + '_), index: Index, worker: Option<u16>) {
    let Some(running) = registry.slot(index).start(worker) else {
        // Whoever takes a task out of the queue is the only one to start it (*Queued Means Linked*).
        debug_assert!(false, "a task that left the queue can be started");
        return;
    };
    registry.nudge(index);
    let scope = registry.slot(index).scope();
    if worker.is_some() && !scope.is_null() {
        nudge_owner(registry, scope.cast());
    }
    let counters = registry.counters(worker);
    counters.running.fetch_add(1, Ordering::Relaxed);
    let advanced = running.advance(|ending| {
        counters.running.fetch_sub(1, Ordering::Relaxed);
        complete(registry, ending);
    });
    counters.running.fetch_sub(1, Ordering::Relaxed);
    match advanced {
        Advanced::Ended { ending, panicked } => {
            if panicked {
                counters.panicked.fetch_add(1, Ordering::Relaxed);
            }
            counters.completed.fetch_add(1, Ordering::Relaxed);
            complete(registry, ending);
        }
        Advanced::Rests(running) => {
            if let Err((running, mode)) = registry.rest(running) {
                if mode == Mode::Cancel {
                    registry.shared().cancelled.fetch_add(1, Ordering::Relaxed);
                    complete(registry, running.cancel());
                } else {
                    complete(registry, running.abandon());
                }
            }
        }
    }
}

/// As `nudge`, for the worker that owns a scope and waits for it: it listens to no single task.
#[cold]
fn nudge_owner<H: Park>(registry: &(dyn Registry<H> + '_), scope: *const Tally<H>) {
    if registry.waits().with(|waits| waits.asleep.get() == 0) {
        return;
    }
    // SAFETY: *Counted First*: the task has started and not ended, so the tally counts it.
    let tally = unsafe { &*scope };
    if tally.worker().is_some() {
        if let Some(owner) = tally.tell_owner() {
            H::unpark(owner);
        }
    }
}

/// Drops a cancelled task in the calling thread and completes it.
pub(crate) fn complete_cancelled<H: Park>(registry: &(dyn Registry<H> + '_), cancelled: Cancelled<'_>) {
    registry.shared().cancelled.fetch_add(1, Ordering::Relaxed);
    complete(registry, cancelled.discard());
}

/// Completes a task whose outcome is written.
#[inline]
pub(crate) fn complete<H: Park>(registry: &(dyn Registry<H> + '_), ending: Ending<'_>) {
    let scope = ending.slot().scope();
    let future = ending.is_future();
    let last = match ending.finish_unheard() {
        Ok(last) => last,
        Err(ending) => complete_heard(registry, ending),
    };
    if let Some(last) = last {
        retire(registry, last);
    }
    if future {
        registry.future_ended();
    }
    if !scope.is_null() {
        leave_scope(registry, scope.cast());
    }
}

/// Tells the scope that one of its tasks has ended.
#[cold]
fn leave_scope<H: Park>(registry: &(dyn Registry<H> + '_), scope: *const Tally<H>) {
    // SAFETY: *Counted First*: the tally counts this task, so its owner keeps it alive until the count falls below.
    let worker = unsafe { &*scope }.worker();
    let end = || {
        // SAFETY: as above; the count falls inside, and nothing of the tally is touched after it (*Last Touch*).
        unsafe { Tally::end(scope) }
    };
    let owner = match worker {
        None => end(),
        // Whoever ends a worker's wait says so in the lock in which the worker marks itself as stuck.
        Some(worker) => registry.waits().with(|waits| {
            let owner = end();
            if owner.is_some() {
                waits.unstick(worker);
            }
            owner
        }),
    };
    if let Some(owner) = owner {
        H::unpark(&owner);
    }
}

/// Completes a task that somebody listens to.
///
/// Bound: one round for each callback, which holds a slot.
#[cold]
fn complete_heard<'e, H: Park>(registry: &(dyn Registry<H> + '_), mut ending: Ending<'e>) -> Option<Last<'e>> {
    enum Next<'e, H: Park> {
        Call(Index, Ending<'e>),
        Wake(Option<Last<'e>>, Waiter<H>, Waiter<H>),
    }
    let index = ending.slot().index();
    loop {
        let next = registry.waits().with(|waits| {
            let cell = waits.cell(index);
            if let Some(callback) = cell.callbacks.pop(registry) {
                return Next::Call(callback, ending);
            }
            registry.unstick_all(waits, index);
            let failure = ending.is_failure();
            let last = ending.finish();
            let waiter = cell.waiter.take();
            let Some(group) = cell.group() else { return Next::Wake(last, waiter, Waiter::None) };
            let head = &waits.cell(group).head;
            head.completed.push(registry, index);
            let pending = head.pending.get() - 1;
            head.pending.set(pending);
            if failure {
                head.failed.set(true);
            }
            let due = match head.wake_on.get() {
                WakeOn::Any => true,
                WakeOn::Failure => failure || pending == 0,
                WakeOn::All => pending == 0,
            };
            let watcher = if due { head.waiter.take() } else { Waiter::None };
            Next::Wake(last, waiter, watcher)
        });
        match next {
            Next::Call(callback, still) => {
                ending = still;
                ending.settle();
                call(registry, callback, &ending);
            }
            Next::Wake(last, waiter, watcher) => {
                registry.notify(waiter);
                registry.notify(watcher);
                return last;
            }
        }
    }
}

fn call<H: Park>(registry: &(dyn Registry<H> + '_), callback: Index, ending: &Ending<'_>) {
    let Some(running) = registry.slot(callback).start(None) else {
        // A callback's slot is in one list only, and we took it out.
        debug_assert!(false, "a callback that left its list can be called");
        return;
    };
    // SAFETY: *Right Callback*: it came from the list in this very slot's cell.
    let (index, returned) = unsafe { running.call(ending) };
    if !returned {
        registry.shared().callbacks_panicked.fetch_add(1, Ordering::Relaxed);
    }
    registry.release(index);
}

/// Drops what is left of a task and frees its slot. A panic that nobody looked at goes to the scope.
#[inline]
pub(crate) fn retire<H: Park>(registry: &(dyn Registry<H> + '_), mut last: Last<'_>) {
    let scope = last.slot().scope();
    if !scope.is_null() {
        keep_panic::<H>(&mut last, scope.cast());
    }
    registry.release(last.retire());
}

#[cold]
fn keep_panic<H: Park>(last: &mut Last<'_>, scope: *const Tally<H>) {
    if let Some(error) = last.take_error() {
        if !error.is_panicked() {
            return;
        }
        // SAFETY: we are either completing the task, which the tally counts, or dropping a handle, which
        // cannot outlive the scope (`'scope` in its type).
        let tally = unsafe { &*scope };
        tally.keep_panic(error);
    }
}

/// Adds a callback to a task, or calls it now if the task is done.
pub(crate) fn add_callback<H, T, F>(
    registry: &(dyn Registry<H> + '_),
    receiver: &Receiver<'_, T>,
    callback: F,
) -> Result<(), CallbackError<F>>
where
    H: Park,
    F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
{
    let call_now = |callback: F| {
        if let Some(outcome) = receiver.look() {
            if !crate::unwind::contain(|| callback(outcome)) {
                registry.shared().callbacks_panicked.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    if receiver.snapshot().is_done() {
        call_now(callback);
        return Ok(());
    }
    let Some(index) = registry.claim() else {
        return Err(CallbackError { callback, reason: CallbackRefusal::Full });
    };
    // A free slot is claimed by whoever took it out of the free list.
    let Some(claim) = Claim::new(registry.slot(index), index) else { unreachable!("a free slot can be claimed") };
    let filled = match receiver.fill_callback(claim, callback) {
        Ok(filled) => filled,
        Err((claim, callback)) => {
            registry.release(claim.retire());
            return Err(CallbackError { callback, reason: CallbackRefusal::DoesNotFit });
        }
    };
    let slot = receiver.slot();
    let late = registry.waits().with(|waits| {
        if slot.listen() {
            waits.cell(slot.index()).callbacks.push(registry, filled.publish());
            None
        } else {
            Some(filled)
        }
    });
    if let Some(filled) = late {
        let (claim, callback) = filled.take_back();
        registry.release(claim.retire());
        call_now(callback);
    }
    Ok(())
}
