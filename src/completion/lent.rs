//! Closures and tasks that get what their worker owns.
//!
//! `unsafe` here: *Right Owner*, as in the file above, and *All Lent*.

use super::timed::{TimedTask, rest_lent_timed};
use super::{FutureHook, Polled, complete, complete_cancelled, end_unready};
use crate::host::Park;
use crate::list::Seat;
use crate::registry::Registry;
use crate::slot::{Advanced, Claim, FilledFuture, LentFuture, Running};
use crate::waker::waker;

/// As [`execute`](super::execute), for a task that expects an `L`.
///
/// # Safety
///
/// - Every task in the queue of this executor was made for this `L` (*All Lent*).
#[inline]
pub(crate) unsafe fn execute_lent<L, H: Park>(
    registry: Registry<'_, H>,
    running: Running<'_>,
    runner: Seat,
    owned: &mut L,
) {
    registry.note_started(&running, Some(runner));
    // SAFETY: the caller's promise.
    match unsafe { running.advance_lent(owned, |ending| complete(registry, ending)) } {
        Advanced::Ended { ending, panicked } => {
            registry.count_completed(Some(runner), panicked.is_some());
            complete(registry, ending);
        }
        Advanced::Rests(running) => {
            let owner = running.slot().owner();
            // SAFETY: *Right Owner*: a lent closure does not rest.
            unsafe { FutureHook::call(registry, owner, Polled::Pending(running)) }
        }
    }
}

/// Fills a slot with a task that gets an `L` in each poll, and whose completer finds its hook.
pub(crate) fn fill_lent<L, F, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    task: F,
) -> FilledFuture<F, F::Output, SLOT_BYTES>
where
    F: LentFuture<L, Output: Send + 'static> + Send + 'static,
{
    let waker = waker(registry, claim.slot());
    let hook = FutureHook::<H>::address(const { &FutureHook(after_poll_lent) });
    // SAFETY: *Right Owner*: the hook is that of the host whose executor holds the slot.
    unsafe { claim.lent_future::<L, F>(waker, hook, task) }
}

/// As [`fill_lent`], for a task that its timer wakes.
pub(crate) fn fill_lent_timed<L, F, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    task: F,
) -> FilledFuture<F, F::Output, SLOT_BYTES>
where
    F: LentFuture<L, Output: Send + 'static> + TimedTask + Send + 'static,
{
    let waker = waker(registry, claim.slot());
    let hook = FutureHook::<H>::address(const { &FutureHook(after_poll_lent_timed::<F, H>) });
    // SAFETY: *Right Owner*: the hook of the host whose executor holds the slot, for `F`.
    unsafe { claim.lent_future::<L, F>(waker, hook, task) }
}

/// Does what a poll of a lent task led to.
fn after_poll_lent<H: Park>(registry: Registry<'_, H>, polled: Polled<'_>) {
    match polled {
        Polled::Done => registry.future_ended(),
        Polled::Pending(running) => {
            registry.note_rested(&running);
            if let Err((running, mode)) = registry.rest_lent(running) {
                end_unready(registry, running, mode);
            }
        }
    }
}

/// Does what a poll of a lent timed task led to.
fn after_poll_lent_timed<F: TimedTask, H: Park>(registry: Registry<'_, H>, polled: Polled<'_>) {
    let Polled::Pending(running) = polled else {
        return after_poll_lent(registry, polled);
    };
    // SAFETY: *Right Owner*: the slot still holds the `F`.
    let task = unsafe { running.future::<F>() };
    let (timer, date, has_run) = (task.timer(), task.date(), task.has_run());
    rest_lent_timed(registry, running, timer, has_run);
    registry.date_was_set(date);
}

/// Cancels what no thread will ever run or poll. Returns true if there was something.
///
/// Called by the thread that begins a shutdown, and by the worker that leaves: the later of the two
/// sees the other's step.
///
/// Bound: the tasks that were accepted, and the number of slots.
pub(crate) fn cancel_unowned<H: Park>(registry: Registry<'_, H>) -> bool {
    let cancel_queued = || {
        let mut found = false;
        while let Some(cancelled) = registry.cancel_unowned() {
            complete_cancelled(registry, cancelled);
            found = true;
        }
        found
    };
    let mut found = cancel_queued();
    for index in 0..registry.capacity() {
        if let Some(cancelled) = registry.cancel_unowned_resting(index) {
            complete_cancelled(registry, cancelled);
            found = true;
        }
    }
    // What a waker put into the queue meanwhile.
    cancel_queued() || found
}

/// Cancels the tasks of a certain scope that no thread will run before the calling one goes on.
///
/// Bound: the number of slots.
pub(crate) fn cancel_stranded<H: Park>(registry: Registry<'_, H>, scope: *mut ()) {
    for index in 0..registry.capacity() {
        if let Some(cancelled) = registry.cancel_stranded_of(index, scope) {
            complete_cancelled(registry, cancelled);
        }
    }
}
