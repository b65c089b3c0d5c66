//! Parking a thread that waits, until there may be something to do.
#![forbid(unsafe_code)]

use super::{Timeout, WaitFor};
use crate::host::Park;
use crate::list::Seat;
use crate::registry::Registry;

/// The notices of all executors that a thread waits for (*Notice*).
pub(super) fn notices<H: Park>(registry: Registry<'_, H>, wait_for: &impl WaitFor<H>) -> usize {
    let mut sum = 0_usize;
    wait_for.any_executor(registry, &mut |registry| {
        sum = sum.wrapping_add(registry.notices());
        false
    });
    sum
}

/// A last look, and more while the host yields; then parks, until the wait is over or there may be
/// something to do (*Notice*).
///
/// Bound: the host's, and the unparks that were not meant for this wait.
pub(super) fn park<H: Park>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &impl Timeout,
    seat: Option<Seat>,
    seen: usize,
) {
    let mut round = 0;
    // Before the first park too: foreign code may have used up the permit of an early notice.
    while !wait_for.is_over() && notices(registry, wait_for) == seen {
        if H::yield_now(round) {
            round = round.saturating_add(1);
            continue;
        }
        park_once(registry, wait_for, timeout, seat, seen);
        if timeout.is_over() {
            return;
        }
    }
}

/// Parks once. A worker or a driver of a host with [`KEEPS_TIME`](Park::KEEPS_TIME) keeps the time
/// meanwhile.
fn park_once<H: Park>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    timeout: &impl Timeout,
    seat: Option<Seat>,
    seen: usize,
) {
    if !H::KEEPS_TIME {
        return timeout.park();
    }
    // Of what the thread drives.
    let mut next: Option<(u64, fn(u64))> = None;
    wait_for.any_executor(registry, &mut |registry| {
        if wait_for.drives(registry) {
            next = match (next, registry.next_drive()) {
                (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
                (one, other) => one.or(other),
            };
        }
        false
    });
    let limit = match (timeout.limit(), next) {
        (Some(limit), Some((date, _))) => Some(limit.min(date)),
        (limit, next) => limit.or(next.map(|(date, _)| date)),
    };
    // Wakers of what was due may have used up the permit of a notice.
    let is_called = || wait_for.is_over() || notices(registry, wait_for) != seen;
    let plainly = || match (next, limit) {
        (Some((_, park_until)), Some(limit)) => park_until(limit),
        _ => timeout.park(),
    };
    if let Some(seat) = seat {
        // The caller passes the time on when it no longer waits.
        let _ = registry.park_worker(seat.worker(), limit, is_called, plainly);
    } else if !is_called() {
        plainly();
    }
}
