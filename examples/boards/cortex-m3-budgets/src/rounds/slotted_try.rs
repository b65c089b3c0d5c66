//! A program that never waits: as `slotted`, but without the code that waits for a result.

use slotted::{Executor, SpinHost};

use super::work;

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

/// Submits a closure, runs it, takes its result, which is there.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let mut handle = EXECUTOR.submit(move || work(number)).ok()?;
        EXECUTOR.run_one();
        handle.try_result()?.ok()
    }
}
