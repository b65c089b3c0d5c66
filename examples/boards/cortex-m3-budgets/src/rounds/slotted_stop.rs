//! slotted: as `slotted_try`, with a closure that is asked to stop.

use slotted::{Executor, SpinHost, Stop};

use super::work;

/// 8 slots of 16 bytes.
static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

/// Submits a closure, runs it, asks it to stop, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let task = move |stop: &Stop| {
            if stop.requested() { 0 } else { work(number) }
        };
        let mut handle = EXECUTOR.submit_stoppable(task).ok()?;
        EXECUTOR.run_one();
        handle.request_stop();
        handle.try_result()?.ok()
    }
}
