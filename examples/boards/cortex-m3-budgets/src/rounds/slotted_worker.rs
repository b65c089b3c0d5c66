//! An executor with a worker, which the program's own loop drives.

use core::cell::Cell;
use core::convert::Infallible;

use slotted::{Executor, Ran, Spawn, SpinHost, Worker};

use super::work;

static EXECUTOR: Executor<1, 8, 16, SpinHost> = Executor::new();

/// Keeps the worker for the loop.
#[derive(Default)]
struct Keep(Cell<Option<Worker<'static, SpinHost>>>);

impl Spawn<SpinHost> for Keep {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, SpinHost>) -> Result<(), Infallible> {
        self.0.set(Some(worker));
        Ok(())
    }
}

/// Submits a closure, makes the worker run it, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    let keep = Keep::default();
    let mut worker = EXECUTOR.start(&keep).ok().and_then(|()| keep.0.take());
    move |number| {
        let handle = EXECUTOR.submit(move || work(number)).ok()?;
        if worker.as_mut()?.run_one() != Ran::Task {
            return None;
        }
        handle.result().ok()
    }
}
