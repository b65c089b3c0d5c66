//! `test_shutdown.py`.
//!
//! Left out:
//! - `test_interpreter_shutdown`, `test_submit_after_interpreter_shutdown`: nothing runs after
//!   `main`.
//! - `test_del_shutdown`: no caller can drop a started executor, which is `'static` or borrowed by
//!   `run`.
//! - `ProcessPoolShutdownTest`: no processes.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use slotted::{Executor, Refusal, Shutdown, StdThreads};

use crate::support::{Failure, Gate, Joinable, LONG, outcome};

/// `test_run_after_shutdown`
#[test]
fn run_after_shutdown() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    let refused = EXECUTOR.submit(|| 2_i32.pow(5)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(refused.into_inner()(), 32, "the closure comes back");
    assert_eq!(
        EXECUTOR.submit_blocking(|| ()).unwrap_err().reason(),
        Refusal::ShutDown
    );
    assert_eq!(
        EXECUTOR
            .map([2], |n: i32| n)
            .map(outcome)
            .collect::<Vec<_>>(),
        [Err(Failure::Cancelled)]
    );
    assert_eq!(EXECUTOR.reserve().unwrap_err(), Refusal::ShutDown);
}

/// `test_hang_issue12364`: a shutdown waits for all submitted tasks, and their results can be taken
/// afterwards.
#[test]
fn hang_issue12364() {
    static EXECUTOR: Executor<5, 50> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let handles: Vec<_> = (0..50)
        .map(|number| EXECUTOR.submit(move || number).unwrap())
        .collect();
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert!(handles.iter().all(|handle| handle.done()));
    let results: Vec<_> = handles
        .into_iter()
        .map(|handle| handle.result().unwrap())
        .collect();
    assert_eq!(results, (0..50).collect::<Vec<_>>());
}

/// `test_cancel_futures`: `shutdown(cancel_futures=True)` cancels all tasks that have not started,
/// and no others.
#[test]
fn cancel_futures() {
    static EXECUTOR: Executor<5, 50> = Executor::new();
    static GATE: Gate = Gate::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (tell, started) = channel();
    let handles: Vec<_> = (0..50)
        .map(|_| {
            let tell = tell.clone();
            let task = move || {
                tell.send(()).unwrap();
                GATE.acquire();
            };
            EXECUTOR.submit(task).unwrap()
        })
        .collect();
    for _ in 0..5 {
        started.recv_timeout(LONG).unwrap();
    }
    EXECUTOR.begin_shutdown(Shutdown::Cancel);
    assert_eq!(
        handles.iter().filter(|handle| handle.cancelled()).count(),
        45
    );
    GATE.release(5);
    EXECUTOR.shutdown_timeout(Shutdown::Cancel, LONG).unwrap();
    let (cancelled, others): (Vec<_>, Vec<_>) =
        handles.into_iter().partition(|handle| handle.cancelled());
    assert_eq!((cancelled.len(), others.len()), (45, 5));
    for handle in others {
        assert!(handle.done());
        assert!(handle.error().is_none());
    }
}

/// `test_hang_gh83386`: `shutdown(wait=False)` returns during a task, and the task runs to its end.
#[test]
fn hang_gh83386() {
    static EXECUTOR: Executor<3, 4> = Executor::new();
    static GATE: Gate = Gate::new();
    let threads = Joinable::default();
    EXECUTOR.start(&threads).unwrap();
    let (tell, started) = channel();
    let task = move || {
        tell.send(()).unwrap();
        GATE.acquire();
        "apple"
    };
    let handle = EXECUTOR.submit(task).unwrap();
    started.recv_timeout(LONG).unwrap();
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    assert!(handle.running());
    GATE.release(1);
    assert_eq!(outcome(handle.result()), Ok("apple"));
    assert_eq!(threads.join(), 3);
}

/// `test_hang_gh94440`: a task that is cancelled right before the shutdown does not delay it.
#[test]
fn hang_gh94440() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    EXECUTOR.submit(|| 0).unwrap().result().unwrap();
    // The worker may be quicker than the cancel. The shutdown ends in either case.
    let handle = EXECUTOR.submit(|| 0).unwrap();
    let cancelled = handle.cancel();
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(
        outcome(handle.result()),
        if cancelled {
            Err(Failure::Cancelled)
        } else {
            Ok(0)
        }
    );
}

/// `test_threads_terminate`
#[test]
fn threads_terminate() {
    static EXECUTOR: Executor<3, 4> = Executor::new();
    static GATE: Gate = Gate::new();
    let threads = Joinable::default();
    EXECUTOR.start(&threads).unwrap();
    for _ in 0..3 {
        EXECUTOR.submit(|| GATE.acquire()).unwrap().detach();
    }
    GATE.release(3);
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(threads.join(), 3);
    assert_eq!(EXECUTOR.stats().completed, 3);
}

/// `test_context_manager_shutdown`
#[test]
fn context_manager_shutdown() {
    static EXECUTOR: Executor<5, 10> = Executor::new();
    let executor = &EXECUTOR;
    let threads = Joinable::default();
    let results = executor.run_on(&threads, |pool| {
        pool.map(-5..5, i32::abs)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    });
    assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    assert_eq!(threads.join(), 5);
    assert_eq!(
        executor.submit(|| ()).unwrap_err().reason(),
        Refusal::ShutDown
    );
}

/// `test_shutdown_no_wait`: the test begins a shutdown and does not wait for it. The workers run
/// the pending tasks, and then the threads end.
#[test]
fn shutdown_no_wait() {
    static EXECUTOR: Executor<5, 10> = Executor::new();
    let threads = Joinable::default();
    let handles: Vec<_> = (-5..5_i32)
        .map(|number| EXECUTOR.submit(move || number.abs()).unwrap())
        .collect();
    EXECUTOR.start(&threads).unwrap();
    EXECUTOR.begin_shutdown(Shutdown::Drain);
    assert_eq!(threads.join(), 5);
    assert!(handles.iter().all(|handle| handle.done()));
    let results: Vec<_> = handles
        .into_iter()
        .map(|handle| handle.result().unwrap())
        .collect();
    assert_eq!(results, [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

/// The names of the five threads of a pool. A barrier makes each of them run one task.
fn thread_names(threads: &StdThreads) -> BTreeSet<String> {
    let executor: Executor<5, 5> = Executor::new();
    let barrier = Arc::new(Barrier::new(5));
    let names = executor.run(threads, |pool| {
        let handles = [(); 5].map(|()| {
            let barrier = Arc::clone(&barrier);
            let task = move || {
                barrier.wait();
                thread::current().name().map(str::to_owned)
            };
            pool.submit(task).unwrap()
        });
        handles
            .into_iter()
            .map(|handle| handle.result().unwrap().unwrap())
            .collect()
    });
    names.unwrap()
}

/// `test_thread_names_assigned`
#[test]
fn thread_names_assigned() {
    let names = thread_names(&StdThreads::new().prefix("SpecialPool"));
    assert_eq!(
        names,
        (0..5)
            .map(|number| format!("SpecialPool-{number}"))
            .collect()
    );
}

/// `test_thread_names_default`
#[test]
fn thread_names_default() {
    let names = thread_names(&StdThreads::new());
    assert_eq!(
        names,
        (0..5).map(|number| format!("slotted-{number}")).collect()
    );
}

/// `test_cancel_futures_wait_false`
#[test]
fn cancel_futures_wait_false() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    static GATE: Gate = Gate::new();
    let threads = Joinable::default();
    EXECUTOR.start(&threads).unwrap();
    let (tell, started) = channel();
    let task = move || {
        tell.send(()).unwrap();
        GATE.acquire();
        "apple"
    };
    let running = EXECUTOR.submit(task).unwrap();
    let pending = EXECUTOR.submit(|| "pear").unwrap();
    started.recv_timeout(LONG).unwrap();
    EXECUTOR.begin_shutdown(Shutdown::Cancel);
    assert_eq!(
        outcome(pending.result()),
        Err(Failure::Cancelled),
        "the cancel is visible while the worker is still busy"
    );
    GATE.release(1);
    assert_eq!(outcome(running.result()), Ok("apple"));
    assert_eq!(threads.join(), 1);
}
