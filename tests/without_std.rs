//! Without the feature `std`: the critical section as the lock, `SpinHost` as the host, and no
//! panic is caught.
//!
//! `cargo test --no-default-features --test without_std`. (On the desktop panics unwind all the
//! same: they go through the crate to the host, and must leave it whole.)
#![cfg(not(feature = "std"))]

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use slotted::{
    DefaultHost, Executor, Pending, Ran, Refusal, Spawn, TaskError, Worker, as_completed,
};

thread_local! {
    static LOOP: RefCell<Vec<Worker<DefaultHost>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the workers for a loop of the test's own.
struct SuperLoop;

impl Spawn<DefaultHost> for SuperLoop {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<DefaultHost>) -> Result<(), Self::Error> {
        LOOP.with_borrow_mut(|workers| workers.push(worker));
        Ok(())
    }
}

/// One round of the loop.
fn turn() -> Vec<Ran> {
    let mut workers = LOOP.with_borrow_mut(core::mem::take);
    let ran = workers.iter_mut().map(Worker::run_one).collect();
    LOOP.with_borrow_mut(|place| *place = workers);
    ran
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
fn a_super_loop_runs_tasks_and_is_told_of_the_shutdown() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    EXECUTOR.start(&SuperLoop).unwrap();
    assert_eq!(turn(), [Ran::Nothing, Ran::Nothing]);
    let mut handle = EXECUTOR.submit(|| 6 * 7).unwrap();
    assert!(handle.try_result().is_none());
    assert_eq!(turn(), [Ran::Task, Ran::Nothing]);
    assert_eq!(handle.try_result().unwrap().unwrap(), 42);
    EXECUTOR.begin_shutdown(Pending::Run);
    assert_eq!(
        EXECUTOR.submit(|| ()).unwrap_err().reason(),
        Refusal::ShutDown
    );
    assert_eq!(turn(), [Ran::Left, Ran::Left]);
    EXECUTOR.shutdown(Pending::Run).unwrap();
}

#[test]
fn the_thread_of_the_super_loop_runs_what_it_waits_for() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    EXECUTOR.start(&SuperLoop).unwrap();
    assert_eq!(turn(), [Ran::Nothing]);
    assert_eq!(EXECUTOR.submit(|| 7).unwrap().result().unwrap(), 7);
    EXECUTOR.begin_shutdown(Pending::Run);
    assert_eq!(turn(), [Ran::Left]);
}

#[test]
fn a_panic_goes_to_the_host_and_the_task_is_broken() {
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
        "what the closure captured is dropped"
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
struct Explodes(#[allow(dead_code, reason = "held for its drop")] Arc<()>);

impl Future for Explodes {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        panic!("as expected")
    }
}

#[test]
fn a_future_that_panics_is_dropped_where_it_lies() {
    static EXECUTOR: Executor<0, 2> = Executor::new();
    let captured = Arc::new(());
    let witness = Arc::downgrade(&captured);
    let mut handle = EXECUTOR.submit_future(Explodes(captured)).unwrap();
    assert!(catch_unwind(|| EXECUTOR.run_one()).is_err());
    assert!(witness.upgrade().is_none());
    assert!(matches!(handle.try_result(), Some(Err(TaskError::Broken))));
    assert_eq!(EXECUTOR.stats().slots_in_use, 0);
}
