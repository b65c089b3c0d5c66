//! Lent closures that a thread took out of the queue which has nothing to lend.
//!
//! Such a thread runs what it waits for, as it would run any other task. The closure does not run;
//! here it goes back. If the thread is the owner itself, busy with what it waits in, the closure is
//! set aside. It counts as one of the owner's stack then, and the wait is told as a deadlock.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use super::{FutureHook, Polled, end_unready};
use crate::host::Park;
use crate::registry::{Registry, WorkerCell};
use crate::roster::Mode;
use crate::slot::{Keeper, Running};

/// Keeps the lent closures of an executor with the host `H`.
pub(crate) struct KeepLent<H>(PhantomData<fn() -> H>);

impl<H: Park> Keeper for KeepLent<H> {
    #[inline(always)]
    fn hook() -> *mut () {
        FutureHook::<H>::address(const { &FutureHook(keep::<H>) })
    }
}

/// The hook of a lent closure that did not run.
fn keep<H: Park>(registry: Registry<'_, H>, polled: Polled<'_>) {
    let Polled::Pending(running) = polled else {
        debug_assert!(false, "a lent closure has no hook when it ends");
        return;
    };
    running.forget_hook();
    registry.note_rested(&running);
    match registry.current_seat() {
        Some(seat) => registry.set_aside(running, seat),
        None => put_back(registry, running),
    }
}

/// Puts a closure back before all others, or ends it.
fn put_back<H: Park>(registry: Registry<'_, H>, running: Running<'_>) {
    if let Err((running, mode)) = registry.put_back(running) {
        end_unready(registry, running, mode);
    }
}

/// Puts back what was set aside for a worker, which calls this while it runs no task.
#[inline(always)]
pub(crate) fn put_back_aside<H: Park>(registry: Registry<'_, H>, cell: &WorkerCell<H>) {
    if cell.has_set_aside() {
        put_all_back(registry, cell);
    }
}

/// Bound: the slots that were ever in use.
#[cold]
fn put_all_back<H: Park>(registry: Registry<'_, H>, cell: &WorkerCell<H>) {
    registry.forget_aside(cell);
    for index in (0..registry.high_water()).rev() {
        if let Some(running) = registry.slot(index).take_aside() {
            put_back(registry, running);
        }
    }
}

/// Cancels the queued closures of an executor that is shut down and has no worker: no thread is
/// left that could lend them anything.
///
/// Bound: the tasks that were accepted; none is now.
pub(crate) fn cancel_unowned<H: Park>(registry: Registry<'_, H>) {
    while let Some(running) = registry.take_unowned() {
        end_unready(registry, running, Mode::Cancel);
    }
}
