//! The smallest useful program: a static executor, which `run_one` drives.

use slotted::{Executor, SpinHost};

use super::work;

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

/// Submits a closure, runs it, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let handle = EXECUTOR.submit(move || work(number)).ok()?;
        EXECUTOR.run_one();
        handle.result().ok()
    }
}
