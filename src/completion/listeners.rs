//! Which code serves the listeners of a task, and what it does where it needs no `unsafe`.
//!
//! A program links only what it uses. A waiter for one task leaves code that serves waiters; a
//! callback or a group leaves code that serves all kinds. The completer reads which it is in one
//! section, and serves in the next. Between the two a callback may come. So the code for waiters
//! looks again in the section in which it ends the task.
#![forbid(unsafe_code)]

use super::complete_with_listeners;
use crate::host::Park;
use crate::registry::{ListenerEvent, Registry, Waits};
use crate::slot::{Ending, Last, SlotRef};
use crate::sync::SMALL;
use crate::unwind;

/// Serves the listeners of a slot.
pub(super) fn notify<'e, H: Park>(
    registry: Registry<'e, H>,
    event: ListenerEvent<'e>,
) -> Option<Last<'e>> {
    if !SMALL {
        return notify_listeners(registry, event);
    }
    // The first listener has left this code.
    let notify_listeners = registry.waits().with(|waits| waits.notify_listeners())?;
    notify_listeners(registry, event)
}

/// Notes in a slot's word that its wait cell has a callback, or a group that watches the task.
/// Returns false if it is too late: the outcome is takeable. The caller is inside the lock of the
/// wait table, and puts the listener there.
pub(crate) fn listen<H: Park>(waits: &Waits<H>, slot: SlotRef<'_>) -> bool {
    waits.install(notify_listeners, true);
    slot.listen()
}

/// As [`listen`], for a waiter for this task alone. A program that has no other listeners does not
/// link the code that serves them.
pub(crate) fn listen_alone<H: Park>(waits: &Waits<H>, slot: SlotRef<'_>) -> bool {
    if SMALL {
        waits.install(notify_waiter, false);
    } else {
        waits.install(notify_listeners, true);
    }
    slot.listen()
}

/// Serves the waiter for a task. The first such waiter leaves this code in the wait table.
pub(crate) fn notify_waiter<'e, H: Park>(
    registry: Registry<'e, H>,
    event: ListenerEvent<'e>,
) -> Option<Last<'e>> {
    serve(registry, event, complete_with_waiter)
}

/// Serves the listeners of a slot. The first callback or group leaves this code in the wait table.
fn notify_listeners<'e, H: Park>(
    registry: Registry<'e, H>,
    event: ListenerEvent<'e>,
) -> Option<Last<'e>> {
    serve(registry, event, complete_with_listeners)
}

/// Serves an event. Both kinds of code differ in how they complete a task only.
#[inline(always)]
fn serve<'e, H: Park>(
    registry: Registry<'e, H>,
    event: ListenerEvent<'e>,
    complete: impl FnOnce(Registry<'e, H>, Ending<'e>) -> Option<Last<'e>>,
) -> Option<Last<'e>> {
    match event {
        ListenerEvent::Completed(ending) => complete(registry, ending),
        ListenerEvent::HandleDropped(slot) => drop_waker(registry, slot),
        ListenerEvent::WorkersLeft => wake_all_waiters(registry),
    }
}

/// A waker of an earlier poll must not wake any more: the handle of its task is gone.
fn drop_waker<'e, H: Park>(registry: Registry<'e, H>, slot: SlotRef<'e>) -> Option<Last<'e>> {
    let waiter = registry
        .waits()
        .with(|waits| waits.cell(slot.index()).waiter().take());
    unwind::discard(waiter);
    None
}

/// Wakes the waiters of all tasks.
///
/// Bound: the number of slots.
fn wake_all_waiters<'e, H: Park>(registry: Registry<'e, H>) -> Option<Last<'e>> {
    for index in 0..registry.capacity() {
        registry.wake_waiters(index);
    }
    None
}

/// Completes a task whose only listener is a waiter.
fn complete_with_waiter<'e, H: Park>(
    registry: Registry<'e, H>,
    ending: Ending<'e>,
) -> Option<Last<'e>> {
    let served = registry.waits().with(|waits| {
        // A callback may have come since the caller looked for the code.
        if waits.serves_all() {
            return Err(ending);
        }
        let index = ending.slot().index();
        let last = ending.finish_heard();
        Ok((last, waits.cell(index).waiter().take()))
    });
    match served {
        Ok((last, waiter)) => {
            registry.notify(waiter);
            last
        }
        // It calls `notify_listeners`: code that serves all stays.
        Err(ending) => notify(registry, ListenerEvent::Completed(ending)),
    }
}
