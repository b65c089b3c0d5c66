//! `test_thread_pool.py`.
//!
//! Left out:
//! - `test_default_workers`: the number of workers is a type.
//! - `test_idle_thread_reuse`: all workers start at once.
//! - `test_hang_global_shutdown_lock`: no fork.

use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{Executor, StdThreads};

use crate::support::{Failure, Gate, LONG, outcome};

/// `test_map_submits_without_iteration`: the map submits its whole window at once, and the tasks
/// run without further iteration. Here the first `next` submits them, and `detach` lets them run.
#[test]
fn map_submits_without_iteration() {
    let executor: Executor<5, 10> = Executor::new();
    let (tell, finished) = channel();
    executor
        .run(&StdThreads::new(), |pool| {
            let mut map = pool.map(0..10, move |n: i32| tell.send(n).unwrap());
            assert_eq!(map.next().map(outcome), Some(Ok(())));
            map.detach();
        })
        .unwrap();
    let mut finished: Vec<_> = finished.try_iter().collect();
    finished.sort_unstable();
    assert_eq!(finished, (0..10).collect::<Vec<_>>());
}

/// `test_saturation`: there are many more tasks than workers, and each worker is busy with one.
#[test]
fn saturation() {
    static GATE: Gate = Gate::new();
    let executor: Executor<4, 60> = Executor::new();
    let (tell, started) = channel();
    executor
        .run(&StdThreads::new(), |pool| {
            for _ in 0..60 {
                let tell = tell.clone();
                let task = move || {
                    tell.send(()).unwrap();
                    GATE.acquire();
                };
                pool.submit(task).unwrap().detach();
            }
            for _ in 0..4 {
                started.recv_timeout(LONG).unwrap();
            }
            let stats = pool.stats();
            assert_eq!((stats.running, stats.queued), (4, 56));
            assert!(started.try_recv().is_err(), "a fifth task started");
            GATE.release(60);
        })
        .unwrap();
    assert_eq!(executor.stats().completed, 60);
}

/// `test_executor_map_current_future_cancel`: at its timeout a map cancels the item that it waits
/// for and all later items.
#[test]
fn executor_map_current_future_cancel() {
    static GATE: Gate = Gate::new();
    let executor: Executor<1, 4> = Executor::new();
    let (tell, log) = channel();
    let log_and_wait = move |name: &'static str| {
        tell.send((name, "started")).unwrap();
        GATE.acquire();
        tell.send((name, "stopped")).unwrap();
    };
    executor
        .run(&StdThreads::new(), |pool| {
            let task = log_and_wait.clone();
            let first = pool.submit(move || task("first")).unwrap();
            assert_eq!(log.recv_timeout(LONG), Ok(("first", "started")));
            let mut map = pool
                .map(["second", "third"], log_and_wait)
                .timeout(Duration::ZERO);
            assert_eq!(map.next().map(outcome), Some(Err(Failure::TimedOut)));
            assert_eq!(pool.stats().cancelled, 2);
            assert!(map.next().is_none());
            drop(map);
            GATE.release(3);
            assert_eq!(outcome(first.result()), Ok(()));
        })
        .unwrap();
    assert_eq!(log.try_iter().collect::<Vec<_>>(), [("first", "stopped")]);
}
