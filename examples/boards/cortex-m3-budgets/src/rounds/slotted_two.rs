//! A program with executors of two capacities. They share one copy of the code, so the compiler
//! cannot specialize it.

use slotted::{Executor, SpinHost};

use super::work;

static SMALL: Executor<0, 8, 16, SpinHost> = Executor::new();
static LARGE: Executor<0, 16, 32, SpinHost> = Executor::new();

/// Submits a closure to one executor, runs it, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    |number| {
        if number & 1 == 0 {
            let handle = SMALL.submit(move || work(number)).ok()?;
            SMALL.run_one();
            handle.result().ok()
        } else {
            let handle = LARGE.submit(move || work(number)).ok()?;
            LARGE.run_one();
            handle.result().ok()
        }
    }
}
