//! Running a task to its end, and everything its end sets off.
//!
//! The order is always the same: the outcome is written; callbacks look at it; the state word says
//! that it may be taken; waiters wake; the scope is told. No lock is held while foreign code runs.
//!
//! `unsafe` here, for two reasons: a callback is applied to the outcome of the task it was added to
//! (**Right Callback**: the list in a slot's wait cell only ever gets callbacks made by the slot's
//! own receiver, and is emptied before the slot is retired), and a scope's tally is used while it
//! counts the task (*Counted First*).

use crate::error::{CallbackError, CallbackRefusal, TaskError};
use crate::host::Park;
use crate::queue::Index;
use crate::registry::{Heard, Mode, Registry, Scoped, Step};
use crate::slot::{Advanced, Cancelled, Ending, Last, Receiver, Running, SlotRef, Untyped};
use crate::sync::Ordering;
use crate::tally::Tally;
use crate::unwind;
use crate::waiter::{Waiter, WakeOn};

/// Runs a task that was taken out of the queue and started: to its end, or, a future, to its next
/// rest.
///
/// Recursion: a task that waits for a task of its own executor gets here again, once for each level
/// of waiting that its author wrote.
pub(crate) fn execute<H: Park>(
    registry: Registry<'_, H>,
    running: Running<'_>,
    worker: Option<u16>,
) {
    match running.advance(|ending| complete(registry, ending)) {
        Advanced::Ended { ending, panicked } => {
            registry.count_completed(worker, panicked);
            complete(registry, ending);
        }
        // Whoever submits a future leaves what attends to it.
        Advanced::Rests(running) => match registry.shared().attend.get() {
            Some(attend) => attend(registry, Step::Rests(running)),
            None => unreachable!("only futures rest"),
        },
    }
}

/// What is done about a future after a poll that did not end it, and after its end. See
/// [`Late`](crate::registry::Late).
pub(crate) fn attend<H: Park>(registry: Registry<'_, H>, step: Step<'_>) {
    match step {
        Step::Ended => registry.future_ended(),
        Step::Rests(running) => {
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

/// Drops a cancelled task in the calling thread and completes it.
pub(crate) fn complete_cancelled<H: Park>(registry: Registry<'_, H>, cancelled: Cancelled<'_>) {
    registry.shared().cancelled.fetch_add(1, Ordering::Relaxed);
    complete(registry, cancelled.discard());
}

/// Completes a task whose outcome is written.
pub(crate) fn complete<H: Park>(registry: Registry<'_, H>, ending: Ending<'_>) {
    let scope = ending.slot().scope();
    let (last, future) = match ending.finish() {
        Ok((last, seen)) => (last, seen.is_future()),
        Err(ending) => {
            let future = ending.is_future();
            // Whoever listens leaves what serves it.
            let last = match registry.shared().serve.get() {
                Some(serve) => serve(registry, Heard::End(ending)),
                None => unreachable!("only who listens is heard"),
            };
            (last, future)
        }
    };
    if let Some(last) = last {
        retire(registry, last);
    }
    if future {
        if let Some(attend) = registry.shared().attend.get() {
            attend(registry, Step::Ended);
        }
    }
    if !scope.is_null() {
        if let Some(tend) = registry.shared().tend.get() {
            // SAFETY: *Counted First*: the tally counts this task, so its owner keeps it alive
            // until the count falls in there.
            unsafe { tend(registry, scope, Scoped::Ended) }
        }
    }
}

/// Tells a scope of its tasks. See [`Late`](crate::registry::Late).
///
/// # Safety
///
/// - `scope` is a `Tally<H>` that is there; if the task has ended, it still counts it (*Counted
///   First*).
pub(crate) unsafe fn tend<H: Park>(
    registry: Registry<'_, H>,
    scope: *mut (),
    event: Scoped<'_, '_>,
) {
    match event {
        // SAFETY: the caller's promise.
        Scoped::Ended => unsafe { leave_scope(registry, scope.cast()) },
        // SAFETY: the caller's promise.
        Scoped::Failed(last) => unsafe { keep_panic::<H>(last, scope.cast()) },
    }
}

/// Notes in a slot's word that its wait cell is in use. `false`: too late, the outcome can be
/// taken.
pub(crate) fn listen<H: Park>(registry: Registry<'_, H>, slot: SlotRef<'_>) -> bool {
    registry.shared().serve.set(serve);
    slot.listen()
}

/// Serves those who listen. See [`Late`](crate::registry::Late).
fn serve<'e, H: Park>(registry: Registry<'e, H>, heard: Heard<'e>) -> Option<Last<'e>> {
    match heard {
        Heard::End(ending) => complete_heard(registry, ending),
        Heard::Drop(slot) => {
            // A waker of an earlier poll is not to be woken any more.
            let waiter = registry
                .waits()
                .with(|waits| waits.cell(slot.index()).waiter.take());
            unwind::discard(waiter);
            None
        }
    }
}

/// Tells the scope that one of its tasks has ended.
///
/// # Safety
///
/// - The tally is there, and counts the task until this call.
unsafe fn leave_scope<H: Park>(registry: Registry<'_, H>, scope: *const Tally<H>) {
    // SAFETY: *Counted First*: the tally counts this task, so its owner keeps it alive until the
    // count falls below.
    let worker = unsafe { &*scope }.worker();
    let end = || {
        // SAFETY: as above; the count falls inside, and nothing of the tally is touched after it
        // (*Last Touch*).
        unsafe { Tally::end(scope) }
    };
    let owner = match worker {
        None => end(),
        // Whoever ends a worker's wait says so in the lock in which the worker marks itself as
        // stuck.
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
fn complete_heard<'e, H: Park>(
    registry: Registry<'_, H>,
    mut ending: Ending<'e>,
) -> Option<Last<'e>> {
    enum Next<'e, H: Park> {
        Call(Index, Ending<'e>),
        Wake(Option<Last<'e>>, Waiter<H>, Waiter<H>),
    }
    let slot = ending.slot();
    let index = slot.index();
    loop {
        let next = registry.waits().with(|waits| {
            let cell = waits.cell(index);
            if let Some(callback) = cell.callbacks.pop(&registry, None) {
                return Next::Call(callback, ending);
            }
            registry.unstick_all(waits, index);
            let failure = ending.is_failure();
            let last = ending.finish_heard();
            let waiter = cell.waiter.take();
            let Some(group) = cell.group() else {
                return Next::Wake(last, waiter, Waiter::None);
            };
            let head = &waits.cell(group).head;
            head.completed.push(&registry, slot.link(), index);
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
            let watcher = if due {
                head.waiter.take()
            } else {
                Waiter::None
            };
            Next::Wake(last, waiter, watcher)
        });
        match next {
            Next::Call(callback, still) => {
                ending = still;
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

fn call<H: Park>(registry: Registry<'_, H>, callback: Index, ending: &Ending<'_>) {
    let Some(running) = registry.slot(callback).start() else {
        // A callback's slot is in one list only, and we took it out.
        debug_assert!(false, "a callback that left its list can be called");
        return;
    };
    // SAFETY: *Right Callback*: it came from the list in this very slot's cell.
    let (slot, returned) = unsafe { running.call(ending) };
    if !returned {
        registry
            .shared()
            .callbacks_panicked
            .fetch_add(1, Ordering::Relaxed);
    }
    registry.release(slot);
}

/// Drops what is left of a task and frees its slot. A panic that nobody looked at goes to the
/// scope.
#[inline]
pub(crate) fn retire<H: Park>(registry: Registry<'_, H>, mut last: Last<'_>) {
    if !last.is_empty() {
        drop_outcome(registry, &mut last);
    }
    free(registry, last);
}

/// One copy of it.
#[inline(never)]
fn free<H: Park>(registry: Registry<'_, H>, last: Last<'_>) {
    registry.release(last.retire());
}

#[inline(never)]
fn drop_outcome<H: Park>(registry: Registry<'_, H>, last: &mut Last<'_>) {
    if last.is_error() {
        let scope = last.slot().scope();
        if let Some(tend) = if scope.is_null() {
            None
        } else {
            registry.shared().tend.get()
        } {
            // SAFETY: we are either completing the task, which the tally counts, or dropping a
            // handle, which cannot outlive the scope (`'scope` in its type).
            unsafe { tend(registry, scope, Scoped::Failed(last)) }
        }
    }
    last.drop_outcome();
}

/// Gives up the right to an outcome: the task goes on without a handle.
#[inline(never)]
pub(crate) fn detach<H: Park>(registry: Registry<'_, H>, receiver: Untyped<'_>) {
    if receiver.slot().snapshot().has_listener() {
        if let Some(serve) = registry.shared().serve.get() {
            let nothing = serve(registry, Heard::Drop(receiver.slot()));
            debug_assert!(nothing.is_none(), "the handle still pins the slot");
        }
    }
    if let Some(last) = receiver.release() {
        retire(registry, last);
    }
}

/// # Safety
///
/// - The tally is there.
unsafe fn keep_panic<H: Park>(last: &mut Last<'_>, scope: *const Tally<H>) {
    if let Some(error) = last.take_error() {
        if !error.is_panicked() {
            return;
        }
        // SAFETY: the caller's promise.
        let tally = unsafe { &*scope };
        tally.keep_panic(error);
    }
}

/// Adds a callback to a task, or calls it now if the task is done.
pub(crate) fn add_callback<H, T, F>(
    registry: Registry<'_, H>,
    receiver: &Receiver<'_, T>,
    callback: F,
) -> Result<(), CallbackError<F>>
where
    H: Park,
    F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
{
    let call_now = |callback: F| {
        if let Some(outcome) = receiver.look() {
            if !unwind::contain(|| callback(outcome)) {
                registry
                    .shared()
                    .callbacks_panicked
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    if receiver.snapshot().is_done() {
        call_now(callback);
        return Ok(());
    }
    let Some(index) = registry.claim() else {
        return Err(CallbackError {
            callback,
            reason: CallbackRefusal::Full,
        });
    };
    // A free slot is claimed by whoever took it out of the free list.
    let Some(vacancy) = registry.vacate(index) else {
        unreachable!("a free slot can be claimed")
    };
    let filled = match receiver.fill_callback(vacancy, callback) {
        Ok(filled) => filled,
        Err((vacancy, callback)) => {
            registry.release(vacancy.retire());
            return Err(CallbackError {
                callback,
                reason: CallbackRefusal::DoesNotFit,
            });
        }
    };
    let slot = receiver.slot();
    let late = registry.waits().with(|waits| {
        if listen(registry, slot) {
            let callback = filled.publish();
            waits
                .cell(slot.index())
                .callbacks
                .push(&registry, callback.link(), callback.index());
            None
        } else {
            Some(filled)
        }
    });
    if let Some(filled) = late {
        let (vacancy, callback) = filled.take_back();
        registry.release(vacancy.retire());
        call_now(callback);
    }
    Ok(())
}
