//! A static executor that polls futures.

use slotted::{Executor, SpinHost};

use super::work;

static EXECUTOR: Executor<0, 8, 32, SpinHost> = Executor::new();

/// Submits a future that is ready at its first poll, polls it, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        let handle = EXECUTOR.submit_future(async move { work(number) }).ok()?;
        EXECUTOR.run_one();
        handle.result().ok()
    }
}
