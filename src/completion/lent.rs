//! Closures that get what their worker owns.

use super::{complete, complete_cancelled};
use crate::host::Park;
use crate::list::Seat;
use crate::registry::Registry;
use crate::slot::Running;

/// As [`execute`](super::execute), for a closure that expects an `L`.
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
    let (ending, panicked) =
        unsafe { running.advance_lent(owned, |ending| complete(registry, ending)) };
    registry.count_completed(Some(runner), panicked.is_some());
    complete(registry, ending);
}

/// Cancels the oldest task that no thread will ever run, if there is one. Returns false if not.
pub(crate) fn cancel_unowned<H: Park>(registry: Registry<'_, H>) -> bool {
    let cancelled = registry.cancel_unowned();
    let found = cancelled.is_some();
    if let Some(cancelled) = cancelled {
        complete_cancelled(registry, cancelled);
    }
    found
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
