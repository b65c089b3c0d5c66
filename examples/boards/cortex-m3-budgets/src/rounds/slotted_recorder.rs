//! As `slotted_try`, on a host that records each step, with a cycle counter as its clock.

use core::hint::spin_loop;

use cortex_m::peripheral::DWT;
use slotted::{Executor, Park, Step};
use slotted_trace::Recorder;

use super::work;

static EXECUTOR: Executor<0, 8, 16, Board> = Executor::new();
static RECORDER: Recorder<64> = Recorder::new();

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
        RECORDER.note(DWT::cycle_count().into(), step());
    }
}

/// Submits a closure, runs it, takes its result, which is there.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let mut handle = EXECUTOR.submit(move || work(number)).ok()?;
        EXECUTOR.run_one();
        handle.try_result()?.ok()
    }
}
