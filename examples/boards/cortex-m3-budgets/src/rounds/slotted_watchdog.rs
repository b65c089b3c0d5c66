//! As `slotted_try`, on a host whose watchdog is told each step, and asked after each round.

use core::hint::spin_loop;
use core::time::Duration;

use cortex_m::peripheral::DWT;
use slotted::{Clock, Executor, Park, Step};
use slotted_trace::{Limits, Watchdog};

use super::work;

static EXECUTOR: Executor<0, 8, 16, Board> = Executor::new();
static WATCHDOG: Watchdog<8, Board> = Watchdog::new(
    &EXECUTOR,
    Limits {
        running: Duration::from_millis(100),
        queued: Duration::from_millis(500),
    },
);

struct Board;

impl Park for Board {
    type Thread = ();
    type Order = slotted::Fifo;
    fn current() {}
    fn current_id() -> usize {
        1
    }
    fn park() {
        spin_loop();
    }
    fn unpark((): &()) {}
    fn note(step: impl FnOnce() -> Step) {
        WATCHDOG.note(Self::now(), step());
    }
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = 25_000_000;
    fn now() -> u64 {
        DWT::cycle_count().into()
    }
    fn park_until(_: u64) {
        Self::park();
    }
}

/// Submits a closure, runs it, takes its result, which is there. Fails unless all is well.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let mut handle = EXECUTOR.submit(move || work(number)).ok()?;
        EXECUTOR.run_one();
        let result = handle.try_result()?.ok();
        result.filter(|_| WATCHDOG.all_well())
    }
}
