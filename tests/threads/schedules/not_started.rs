//! Waits on an executor whose workers do not run.

use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, Shutdown, StdThreads, TaskError};

use crate::schedules::support::within_limit;
use crate::stage::{Actor, Crew, Stage};

/// A submitter that waits for a task of an executor that was never started is told so at once.
#[test]
fn result_on_an_executor_that_was_never_started_is_not_started() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let outcome = POOL.submit(|| 1).unwrap().result();
        assert_eq!(format!("{outcome:?}"), "Err(NotStarted)");
    });
}

/// The same for a wait that does not take the value. The handle is still good: once the executor
/// is started, it has the value.
#[test]
fn error_on_an_executor_that_was_never_started_is_not_started() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let handle = POOL.submit(|| 1).unwrap();
        assert_eq!(format!("{:?}", handle.error()), "Some(NotStarted)");
        POOL.start(&StdThreads::new()).unwrap();
        assert_eq!(handle.result().unwrap(), 1);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// The same on an executor whose shutdown began before it was ever started.
#[test]
fn result_on_an_executor_that_is_shut_down_is_not_started() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        let handle = POOL.submit(|| 1).unwrap();
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!(format!("{:?}", handle.result()), "Err(NotStarted)");
    });
}

/// `result_inline` runs what is queued; a future that rests then is the workers' affair, of which
/// there are none.
#[test]
fn result_inline_of_a_future_that_rests_is_not_started() {
    static POOL: Executor<1, 4, 128> = Executor::new();
    within_limit(|| {
        let mut first = true;
        let future = core::future::poll_fn(move |context| {
            if core::mem::take(&mut first) {
                let waker = context.waker().clone();
                thread::spawn(move || waker.wake());
                return core::task::Poll::Pending;
            }
            core::task::Poll::Ready(1)
        });
        let outcome = POOL.submit_future(future).unwrap().result_inline();
        assert_eq!(format!("{outcome:?}"), "Err(NotStarted)");
    });
}

/// The owner of a scope runs the scope's tasks itself where no worker does.
#[test]
fn scope_on_an_executor_that_was_never_started_runs_its_tasks_in_the_caller() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let mut number = 1;
        POOL.scope(|s| s.submit(|| number += 1).unwrap().detach());
        assert_eq!(number, 2);
    });
}

/// A promise needs no worker.
#[test]
fn result_of_a_promise_waits_on_an_executor_that_was_never_started() {
    static POOL: Executor<1, 4, 64, Stage> = Executor::new();
    within_limit(|| {
        let (promise, handle) = POOL.promise().unwrap();
        let (tell, told) = channel::<Actor>();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            handle.result()
        });
        told.recv().unwrap().until_asleep();
        promise.set_result(1).unwrap();
        assert_eq!(waiter.join().unwrap().unwrap(), 1);
    });
}

/// A wait with a time limit may wait for the start.
#[test]
fn result_timeout_waits_for_the_start() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        let mut handle = POOL.submit(|| 1).unwrap();
        let zero = handle.result_timeout(Duration::ZERO).unwrap_err();
        assert!(zero.is_timed_out());
        let (begin, begun) = channel::<()>();
        let starter = thread::spawn(move || {
            begun.recv().unwrap();
            let crew = Crew::default();
            POOL.start(&crew).unwrap();
            crew
        });
        begin.send(()).unwrap();
        let hours = Duration::from_secs(10_000);
        assert_eq!(handle.result_timeout(hours).unwrap(), 1);
        POOL.shutdown(Shutdown::Drain).unwrap();
        starter.join().unwrap().join();
    });
}

/// A wait for a task that only a worker can run, on an executor that was never started, ends at
/// once.
#[test]
fn result_on_an_executor_that_was_never_started_is_the_error_not_started() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let handle = POOL.submit(|| 1).unwrap();
        assert!(matches!(handle.error(), Some(TaskError::NotStarted)));
        assert!(matches!(handle.result(), Err(TaskError::NotStarted)));
    });
}
