//! Without the feature `std` the lock is the critical section, the host is `SpinHost`, and the
//! crate catches no panic.
//!
//! `cargo test --no-default-features --test without_std`. On the desktop panics unwind
//! nevertheless. They go through the crate to the host, and the crate must stay whole.
#![cfg(not(feature = "std"))]

#[path = "stage/keep.rs"]
mod keep;

use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::catch_unwind;
use std::sync::Arc;

use slotted::error::RemoteError;
use slotted::{
    DefaultHost, Executor, Owned, Ran, Refusal, Shutdown, TaskError, Worker, as_completed,
};

use crate::keep::keep;

/// Starts the executor, and keeps its workers for a super-loop.
fn start<const WORKERS: usize>(
    executor: &'static Executor<WORKERS, 4>,
) -> Vec<Worker<'static, DefaultHost>> {
    let (keep, kept) = keep();
    executor.start(&keep).unwrap();
    kept.try_iter().collect()
}

/// One round of the super-loop.
fn turn(workers: &mut [Worker<'static, DefaultHost>]) -> Vec<Ran> {
    workers.iter_mut().map(Worker::run_one).collect()
}

#[test]
fn a_blocking_wait_drives_an_executor_without_workers() {
    let executor: Executor<0, 4> = Executor::new();
    let handles = [1, 2, 3].map(|n| executor.submit(move || n * n).unwrap());
    let squares: Vec<i32> = as_completed(handles)
        .map(|handle| handle.result().unwrap())
        .collect();
    assert_eq!(squares, [1, 4, 9]);
    assert_eq!(executor.stats().slots_in_use, 0);
}

#[test]
fn a_super_loop_runs_tasks_and_leaves_at_the_shutdown() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    let mut workers = start(&EXECUTOR);
    assert_eq!(turn(&mut workers), [Ran::Nothing, Ran::Nothing]);
    let mut handle = EXECUTOR.submit(|| 6 * 7).unwrap();
    assert!(handle.try_result().is_none());
    assert_eq!(turn(&mut workers), [Ran::Task, Ran::Nothing]);
    assert_eq!(handle.try_result().unwrap().unwrap(), 42);
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    assert_eq!(
        EXECUTOR.submit(|| ()).unwrap_err().reason(),
        Refusal::ShutDown
    );
    assert_eq!(turn(&mut workers), [Ran::Left, Ran::Left]);
    EXECUTOR.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn the_thread_of_a_super_loop_runs_the_task_it_waits_for() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    let mut workers = start(&EXECUTOR);
    assert_eq!(turn(&mut workers), [Ran::Nothing]);
    assert_eq!(EXECUTOR.submit(|| 7).unwrap().result().unwrap(), 7);
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    assert_eq!(turn(&mut workers), [Ran::Left]);
}

#[test]
fn a_panic_reaches_the_host_and_the_task_is_broken() {
    let executor: Executor<0, 2> = Executor::new();
    let captured = Arc::new(());
    let witness = Arc::downgrade(&captured);
    let mut handle = executor
        .submit(move || {
            assert_eq!(Arc::strong_count(&captured), 0, "always panics");
        })
        .unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| executor.run_one())).is_err());
    assert!(
        witness.upgrade().is_none(),
        "the closure's capture is dropped"
    );
    assert!(matches!(handle.try_result(), Some(Err(TaskError::Broken))));
    assert_eq!(executor.stats().slots_in_use, 0);
    assert_eq!(
        executor.submit(|| 1).unwrap().result().unwrap(),
        1,
        "the executor goes on"
    );
}

/// Panics when it is polled.
struct PanicsInPoll {
    _captured: Arc<()>,
}

impl Future for PanicsInPoll {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        panic!("as expected")
    }
}

#[test]
fn a_future_that_panics_is_dropped_in_its_slot() {
    static EXECUTOR: Executor<0, 2> = Executor::new();
    let captured = Arc::new(());
    let witness = Arc::downgrade(&captured);
    let mut handle = EXECUTOR
        .submit_future(PanicsInPoll {
            _captured: captured,
        })
        .unwrap();
    assert!(catch_unwind(|| EXECUTOR.run_one()).is_err());
    assert!(witness.upgrade().is_none());
    assert!(matches!(handle.try_result(), Some(Err(TaskError::Broken))));
    assert_eq!(EXECUTOR.stats().slots_in_use, 0);
}

/// As above, where the output is the outcome: that of the next future is its own again.
#[test]
fn a_future_with_an_outcome_that_panics_is_dropped_in_its_slot() {
    static EXECUTOR: Executor<0, 2> = Executor::new();
    let captured = Arc::new(());
    let witness = Arc::downgrade(&captured);
    let panics = PanicsInPoll {
        _captured: captured,
    };
    let outcome = async { Ok::<(), TaskError>(panics.await) };
    let mut handle = EXECUTOR.submit_future_outcome(outcome).unwrap();
    assert!(catch_unwind(|| EXECUTOR.run_one()).is_err());
    assert!(witness.upgrade().is_none());
    assert_eq!(handle.try_result(), Some(Err(TaskError::Broken)));
    let error = TaskError::Remote(RemoteError::Panicked);
    let mut handle = EXECUTOR
        .submit_future_outcome(async { Err::<u8, _>(error) })
        .unwrap();
    assert!(EXECUTOR.run_one());
    assert_eq!(
        handle.try_result(),
        Some(Err(TaskError::Remote(RemoteError::Panicked)))
    );
    let stats = EXECUTOR.stats();
    assert_eq!(
        (stats.completed, stats.panicked, stats.slots_in_use),
        (1, 1, 0)
    );
}

#[test]
fn a_panic_of_a_borrowing_task_goes_through_its_owner_and_the_scope_returns() {
    let owned: Owned<u32, 2> = Owned::new();
    let (mut worker, mut number, local) = (owned.worker().unwrap(), 1, 7);
    let ended = owned.scope(|scope| {
        let task = |own: &mut u32| {
            *own += local;
            panic!("of a task");
        };
        let handle = scope.submit(task).unwrap();
        let turn = AssertUnwindSafe(|| worker.run_one(&mut number));
        assert!(catch_unwind(turn).is_err());
        // The worker is there still, and the thread is outside of it.
        scope.submit(|own| *own += local).unwrap().detach();
        assert_eq!(worker.run_one(&mut number), Ran::Task);
        handle.result()
    });
    assert_eq!((ended, number), (Err(TaskError::Broken), 15));
    assert_eq!(owned.stats().slots_in_use, 0);
}
