//! Two hopeless waits, found at once. Others hang, as they would with bare threads.
//!
//! A worker that waits without a time limit gets an error instead if
//!
//! - **own stack**: what it waits for lies beneath it on its own stack. That cannot move before the
//!   waiter does, so one look is exact. A queued or resting task of an owner lies there too while
//!   its worker does: no other thread may run it, and none can have the worker;
//! - **chain**: it waits for one task, which runs on a worker that waits for one task, and so on.
//!   The chain leads back to a task on the waiter's own stack.
//!
//! For the chain each worker notes, inside the lock of the wait table, which task it is about to
//! sleep for. It follows the others' notes in the same section. So of the workers in a circle the
//! last one sees all the others. A note is kept only while its worker sleeps, and its handle pins
//! the slot, so a note never names another task. A task that has ended, is suspended or is queued
//! is on no stack: an outdated note breaks the chain by itself.
//!
//! Not looked for: circles through a wait for several tasks (`wait`, `as_completed`, `map`),
//! through scopes, and through threads that are no workers. A wait with a time limit writes no
//! note: it has a way out.
//!
//! How this meets the other mechanisms. A worker that runs a task inline is noted as its runner, as
//! by its loop. A worker that goes to another thread begins a new turn, and seats of the earlier
//! turn count for nothing. A reused slot has lost its runner when it was queued. A promise has no
//! runner. A shutdown changes nothing here. An owner's thread between two calls of `run_one` is not
//! inside its worker, and may have given it away: its wait is not hopeless.
#![forbid(unsafe_code)]

use crate::host::Park;
use crate::list::{Index, Seat};
use crate::registry::Registry;
use crate::slot::SlotRef;

/// The seat that runs a slot's task, if it is on the stack of the thread that has the seat now.
fn runner<H: Park>(registry: Registry<'_, H>, slot: SlotRef<'_>) -> Option<Seat> {
    let seat = slot.runner()?;
    let cell = &registry.workers()[usize::from(seat.worker())];
    // A worker that no thread runs has no stack.
    (cell.is_current(seat) && !cell.is_run_by(0)).then_some(seat)
}

/// Returns true if a slot's task lies on the stack of the thread of that number, a worker, or if
/// the only worker that may run it does.
pub(crate) fn lies_beneath<H: Park>(
    registry: Registry<'_, H>,
    slot: SlotRef<'_>,
    thread: usize,
) -> bool {
    if slot.snapshot().waits_for_owner() {
        // An owner has one worker.
        let owner = registry.workers().first();
        return owner.is_some_and(|cell| cell.holds(thread));
    }
    let Some(seat) = runner(registry, slot) else {
        return false;
    };
    registry.workers()[usize::from(seat.worker())].is_run_by(thread)
}

/// The calling thread, a worker, is about to sleep for one task. Returns false if that closes a
/// circle. Otherwise [`end_wait`] takes the notes away again.
///
/// Bound: the number of workers, twice.
pub(crate) fn begin_wait<H: Park>(registry: Registry<'_, H>, index: Index) -> bool {
    let thread = H::current_id();
    registry.waits().with(|_| {
        if leads_back(registry, index, thread) {
            return false;
        }
        note(registry, thread, Some(index));
        true
    })
}

/// The calling thread woke up.
pub(crate) fn end_wait<H: Park>(registry: Registry<'_, H>) {
    let thread = H::current_id();
    registry.waits().with(|_| note(registry, thread, None));
}

/// Writes the note of each worker that the thread runs: it may run several.
fn note<H: Park>(registry: Registry<'_, H>, thread: usize, task: Option<Index>) {
    for cell in registry.workers() {
        if cell.is_run_by(thread) {
            cell.set_waits_for(task);
        }
    }
}

/// Follows the notes from a task. Inside the lock of the wait table.
fn leads_back<H: Park>(registry: Registry<'_, H>, mut task: Index, thread: usize) -> bool {
    let workers = registry.workers();
    for _ in workers {
        let Some(seat) = runner(registry, registry.slot(task)) else {
            return false;
        };
        let cell = &workers[usize::from(seat.worker())];
        if cell.is_run_by(thread) {
            return true;
        }
        let Some(next) = cell.waits_for() else {
            return false;
        };
        task = next;
    }
    false
}
