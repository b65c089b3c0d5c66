//! `test_deadlock.py`: a failing task must not hang the executor. CPython's cases fail while a task
//! or a result is pickled. The cases here fail in a destructor, the only foreign code outside the
//! task.
//!
//! Left out:
//! - `test_crash_at_task_unpickle`, `test_exit_at_task_unpickle`,
//!   `test_crash_during_func_exec_on_worker`, `test_exit_during_func_exec_on_worker`,
//!   `test_crash_during_result_pickle_on_worker`, `test_exit_during_result_pickle_on_worker`,
//!   `test_exit_during_result_unpickle_in_result_handler`, `test_crash_big_data`: a thread cannot
//!   die without its process.
//! - `test_shutdown_deadlock_pickle`: tasks are not pickled.

use std::sync::mpsc::channel;

use slotted::{Executor, JoinHandle, Refusal, Shutdown, StdThreads};

use crate::support::{Failure, Gate, LONG, outcome, raise};

/// A value that panics on drop.
#[derive(Debug)]
struct ErrorAtDrop;

impl Drop for ErrorAtDrop {
    fn drop(&mut self) {
        raise("error at drop");
    }
}

/// `test_error_at_task_pickle`: the closure panics on drop as the task is cancelled.
#[test]
fn error_at_task_pickle() {
    let executor: Executor<0, 1> = Executor::new();
    let poison = ErrorAtDrop;
    let handle = executor.submit(move || drop(poison)).unwrap();
    assert!(handle.cancel());
    assert_eq!(outcome(handle.result()), Err(Failure::Cancelled));
    assert_eq!(
        outcome(executor.submit(|| 1).unwrap().result()),
        Ok(1),
        "the next task uses its slot"
    );
}

/// `test_error_at_task_unpickle`: a captured value panics on drop as the task ends.
#[test]
fn error_at_task_unpickle() {
    let executor: Executor<1, 4> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let poison = ErrorAtDrop;
            let task = move || {
                let _held = &poison;
            };
            let failed = pool.submit(task).unwrap().result();
            assert_eq!(
                outcome(failed),
                Err(Failure::Panicked("error at drop".to_owned()))
            );
            assert_eq!(outcome(pool.submit(|| 1).unwrap().result()), Ok(1));
        })
        .unwrap();
}

/// `test_error_during_func_exec_on_worker`
#[test]
fn error_during_func_exec_on_worker() {
    let executor: Executor<1, 4> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let failed = pool
                .submit(|| -> i32 { raise("error in the task") })
                .unwrap()
                .result();
            assert_eq!(
                outcome(failed),
                Err(Failure::Panicked("error in the task".to_owned()))
            );
            assert_eq!(outcome(pool.submit(|| 1).unwrap().result()), Ok(1));
        })
        .unwrap();
    assert_eq!(executor.stats().panicked, 1);
}

/// `test_error_during_result_pickle_on_worker`: the worker drops the result of a detached task, and
/// the result panics.
#[test]
fn error_during_result_pickle_on_worker() {
    static GATE: Gate = Gate::new();
    let executor: Executor<1, 2> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let task = || {
                GATE.acquire();
                ErrorAtDrop
            };
            // The handle goes before the result is there.
            pool.submit(task).unwrap().detach();
            GATE.release(1);
            assert_eq!(outcome(pool.submit(|| 1).unwrap().result()), Ok(1));
        })
        .unwrap();
    assert_eq!(executor.stats().slots_in_use, 0);
}

/// `test_error_during_result_unpickle_in_result_handler`: the result panics as its handle drops.
#[test]
fn error_during_result_unpickle_in_result_handler() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| ErrorAtDrop).unwrap();
    assert!(executor.run_one());
    // The crate promises that the slot comes back, not that the panic arrives here.
    let _ = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| drop(handle)));
    assert_eq!(executor.stats().slots_in_use, 0);
    assert_eq!(outcome(executor.submit(|| 1).unwrap().result()), Ok(1));
}

/// `test_shutdown_deadlock`: a shutdown right after the submit of a task that panics.
#[test]
fn shutdown_deadlock() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let failed = EXECUTOR.submit(|| raise("error in the task")).unwrap();
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(
        outcome::<()>(failed.result()),
        Err(Failure::Panicked("error in the task".to_owned()))
    );
}

/// `test_gh105829_should_not_deadlock_if_wakeup_pipe_full`: a submitter has more tasks than fit
/// while the worker is busy. No submit blocks, and the shutdown ends.
#[test]
fn gh105829_should_not_deadlock_if_wakeup_pipe_full() {
    static EXECUTOR: Executor<1, 8> = Executor::new();
    static GATE: Gate = Gate::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (tell, started) = channel();
    let task = move || {
        tell.send(()).unwrap();
        GATE.acquire();
    };
    EXECUTOR.submit(task).unwrap().detach();
    started.recv_timeout(LONG).unwrap();
    let refused = (0..1000).filter(|_| {
        EXECUTOR
            .submit(|| ())
            .is_err_and(|error| error.reason() == Refusal::Full)
    });
    assert_eq!(refused.count(), 1000 - 7);
    GATE.release(1);
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(EXECUTOR.stats().completed, 8);
}

/// The first deadlock in CPython's documentation again. Here the waiting worker runs the other task
/// in place, and that task waits for the one beneath it on the stack. The other worker cannot help.
#[test]
fn wait_for_a_task_beneath_on_the_same_stack() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    static GATE: Gate = Gate::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (tell_started, started) = channel();
    let busy = move || {
        tell_started.send(()).unwrap();
        GATE.acquire();
    };
    EXECUTOR.submit(busy).unwrap().detach();
    started.recv_timeout(LONG).unwrap();

    let (give_a, a) = channel::<JoinHandle<'static, ()>>();
    let (give_b, b) = channel::<JoinHandle<'static, ()>>();
    let (tell, answer) = channel();
    let wait_for_b = move || drop(b.recv().unwrap().result());
    let wait_for_a = move || tell.send(outcome(a.recv().unwrap().result())).unwrap();
    give_a.send(EXECUTOR.submit(wait_for_b).unwrap()).unwrap();
    give_b.send(EXECUTOR.submit(wait_for_a).unwrap()).unwrap();
    let answer = answer.recv_timeout(LONG);
    GATE.release(1);
    assert_eq!(answer, Ok(Err(Failure::WouldDeadlock)));
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
}
