//! Timed tasks: futures that their timers wake.
//!
//! `unsafe` here: *Right Owner*, as in the file above.

use core::future::Future;

use super::{
    FutureHook, Polled, after_poll, after_poll_of_outcome, complete, complete_cancelled,
    end_unready,
};
use crate::error::TaskError;
use crate::host::Park;
use crate::list::Index;
use crate::registry::{Registry, SlotEvent, serve_line};
use crate::slot::{Claim, FilledFuture, Running};
use crate::waker::waker;

/// A task that its timer wakes.
pub(crate) trait TimedTask {
    /// The number of its timer.
    fn timer(&self) -> Index;

    /// The date of it.
    fn date(&self) -> u64;

    /// Returns true if it has begun. A poll before the date does not count.
    fn has_run(&self) -> bool;
}

/// As [`fill_future_outcome`], for a task that its timer wakes.
pub(crate) fn fill_timed<F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    future: F,
) -> FilledFuture<F, T, SLOT_BYTES>
where
    F: Future<Output = Result<T, TaskError>> + TimedTask + Send + 'static,
    T: Send + 'static,
{
    let waker = waker(registry, claim.slot());
    let hook = FutureHook::<H>::of_timed::<F, T>();
    // SAFETY: *Right Owner*: the hook of the host whose executor holds the slot, for `F` and `T`.
    unsafe { claim.future_outcome(waker, hook, future) }
}

/// Cancels the timed tasks that wait for their dates, if the executor is shut down; and serves the
/// line of waiters for a slot.
///
/// Bound: the number of slots, and that of [`serve_line`].
pub(crate) fn serve_timed<H: Park>(registry: Registry<'_, H>, event: SlotEvent) {
    if event == SlotEvent::Refusing {
        for index in 0..registry.capacity() {
            if let Some(cancelled) = registry.cancel_timed(index) {
                complete_cancelled(registry, cancelled);
            }
        }
    }
    serve_line(registry, event);
}

/// The hook of a timed task: polls it after each start, and does what the poll led to.
pub(super) fn poll_timed<F, T, H: Park>(registry: Registry<'_, H>, polled: Polled<'_>)
where
    F: Future<Output = Result<T, TaskError>> + TimedTask,
{
    let Polled::Pending(running) = polled else {
        return after_poll(registry, polled);
    };
    // SAFETY: *Right Owner*: the slot holds an `F`, of a task that returns `T`.
    match unsafe { running.poll_outcome::<F, T>(|ending| complete(registry, ending)) } {
        Ok(ending) => after_poll_of_outcome(registry, Ok(ending)),
        Err(running) => {
            // SAFETY: *Right Owner*: the slot still holds the `F`.
            let future = unsafe { running.future::<F>() };
            let (timer, date, has_run) = (future.timer(), future.date(), future.has_run());
            rest_timed(registry, running, timer, has_run);
            registry.date_was_set(date);
        }
    }
}

/// Lets a lent timed task rest until its timer wakes it, or ends it.
pub(super) fn rest_lent_timed<H: Park>(
    registry: Registry<'_, H>,
    running: Running<'_>,
    timer: Index,
    has_run: bool,
) {
    registry.note_rested(&running);
    if let Err((running, mode)) = registry.rest_lent_timed(running, timer, has_run) {
        end_unready(registry, running, mode);
    }
}

/// Lets a timed task rest until its timer wakes it, or ends it.
fn rest_timed<H: Park>(
    registry: Registry<'_, H>,
    running: Running<'_>,
    timer: Index,
    has_run: bool,
) {
    registry.note_rested(&running);
    if let Err((running, mode)) = registry.rest_timed(running, timer, has_run) {
        end_unready(registry, running, mode);
    }
}
