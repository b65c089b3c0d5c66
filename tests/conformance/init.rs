//! `test_init.py`: `on_worker_start` is Python's `initializer`.
//!
//! Left out:
//! - `FailingInitializerResourcesTest`: no processes, no resource tracker.
//! - The log record of a failing initializer: the crate does not log.

use core::cell::Cell;
use std::sync::{Arc, Barrier};

use slotted::{Executor, Refusal, Shutdown, StdThreads, error::WorkerStartError};

use crate::support::{Failure, LONG, outcome, raise};

std::thread_local! {
    static INITIALIZED_AS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// `InitializerMixin.test_initializer`: every worker runs the hook once, with its own number,
/// before its first task.
#[test]
fn initializer() {
    fn initialize(worker: usize) -> Result<(), WorkerStartError> {
        assert_eq!(INITIALIZED_AS.replace(Some(worker)), None);
        Ok(())
    }

    let executor: Executor<2, 2> = Executor::new().on_worker_start(initialize);
    let both = Arc::new(Barrier::new(2));
    let mut workers = executor
        .run(&StdThreads::new(), |pool| {
            let handles = [(); 2].map(|()| {
                let both = Arc::clone(&both);
                let task = move || {
                    both.wait();
                    INITIALIZED_AS.get()
                };
                pool.submit(task).unwrap()
            });
            handles.map(|handle| handle.result().unwrap())
        })
        .unwrap();
    workers.sort_unstable();
    assert_eq!(workers, [Some(0), Some(1)]);
}

/// A worker cannot start. The executor breaks its pending tasks and refuses later ones.
fn breaks(executor: &'static Executor<2, 4>) {
    let pending = [(); 3].map(|()| executor.submit(|| "never").unwrap());
    executor.start(&StdThreads::new()).unwrap();
    for pending in pending {
        assert_eq!(outcome(pending.result()), Err(Failure::Broken));
    }
    let refused = executor.submit(|| "never").unwrap_err();
    assert_eq!(refused.reason(), Refusal::Broken);
    assert_eq!(
        refused.to_string(),
        "the executor is broken: a worker could not start"
    );
    assert_eq!(
        executor.submit_blocking(|| "never").unwrap_err().reason(),
        Refusal::Broken
    );
    executor.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(executor.stats().completed, 0);
}

/// `FailingInitializerMixin.test_initializer`
#[test]
fn failing_initializer() {
    static EXECUTOR: Executor<2, 4> = Executor::new().on_worker_start(|_| Err(WorkerStartError));
    breaks(&EXECUTOR);
}

/// `FailingInitializerMixin.test_initializer`: CPython's hook fails by raising.
#[test]
fn raising_initializer() {
    static EXECUTOR: Executor<2, 4> =
        Executor::new().on_worker_start(|_| raise("error in initializer"));
    breaks(&EXECUTOR);
}
