//! A task with a date: it is submitted, becomes due, runs, and its result is taken.

use core::sync::atomic::{AtomicU32, Ordering};

use slotted::{Clock, Executor, Park, SpinHost, Timetable};

use super::work;

/// A host with the cheapest clock: a variable.
pub struct Board;

static NOW: AtomicU32 = AtomicU32::new(0);

impl Board {
    /// Moves the clock.
    pub fn set(tick: u32) {
        NOW.store(tick, Ordering::Relaxed);
    }
}

impl Park for Board {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        SpinHost::current_id()
    }

    fn park() {}

    fn unpark((): &()) {}
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        u64::from(NOW.load(Ordering::Relaxed))
    }

    fn park_until(_: u64) {}
}

static EXECUTOR: Executor<0, 8, 48, Board> = Executor::new();
static TIMES: Timetable<8, Board> = Timetable::new();

/// Submits a closure for the next tick, moves the clock, runs the closure, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    let later = TIMES.on(&EXECUTOR);
    move |number| {
        let date = u64::from(number) + 1;
        let mut handle = later.submit_at(date, move || work(number)).ok()?;
        Board::set(number + 1);
        TIMES.advance();
        EXECUTOR.run_one();
        handle.try_result()?.ok()
    }
}
