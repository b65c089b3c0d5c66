//! What virtual time and seeded interleavings promise, each promise in a test of its own.

mod busy;
mod ends;
mod order;
mod owned;
mod time;
mod timetable;
mod worlds;

use core::time::Duration;

use slotted::{Clock, Executor, SimHost};

type Pool<const WORKERS: usize, const QUEUE: usize = 16> = Executor<WORKERS, QUEUE, 64, SimHost>;

/// A pool of the test's own that lives for ever, so that each round of a test has a fresh one.
fn pool<const WORKERS: usize, const QUEUE: usize>() -> &'static Pool<WORKERS, QUEUE> {
    Box::leak(Box::default())
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The virtual time, in milliseconds. It must be a whole number of them.
#[track_caller]
fn now_millis() -> u64 {
    let now = SimHost::now();
    assert_eq!(now % 1_000_000, 0, "{now} ns");
    now / 1_000_000
}
