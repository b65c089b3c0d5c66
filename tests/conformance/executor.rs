//! `executor.py`: `submit` and `map`, and the cases of `test_process_pool.py` that need no process.
//!
//! Left out:
//! - `test_submit_keyword`: a closure has captured its arguments.
//! - `test_map_buffersize_type_validation`: it is a `usize`.
//! - `test_map_buffersize_without_iterable`: there always is an input.
//! - `test_max_workers_negative`: `WORKERS` has no sign, and 0 means an executor without workers.

use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use slotted::{Clock, Executor, Shutdown, StdThreads, TaskError};

use crate::support::{Failure, LONG, Virtual, outcome, raise};

/// `test_submit`
#[test]
fn submit() {
    let executor: Executor<4, 8> = Executor::new();
    let result = executor.run(&StdThreads::new(), |pool| {
        outcome(pool.submit(|| 2_i32.pow(8)).unwrap().result())
    });
    assert_eq!(result.unwrap(), Ok(256));
}

/// `test_map`
#[test]
fn map() {
    let expected: Vec<_> = (0..10_u32).map(|n| Ok(n.pow(n))).collect();
    // The window is smaller than the input, and the chunks do not divide it.
    let executor: Executor<4, 5> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let results: Vec<_> = pool.map(0..10_u32, |n| n.pow(n)).map(outcome).collect();
            assert_eq!(results, expected);
        })
        .unwrap();
    let executor: Executor<4, 5, 256> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let results: Vec<_> = pool
                .map(0..10_u32, |n| n.pow(n))
                .chunksize::<3>()
                .map(outcome)
                .collect();
            assert_eq!(results, expected);
        })
        .unwrap();
}

/// `test_map_chunksize` of `test_process_pool.py`: chunks divide the input, do not divide it, or
/// hold all of it. (A chunk of less than one item does not compile.)
#[test]
fn map_chunksize() {
    let expected: Vec<_> = (0..40_u64).map(|n| Ok(n * n)).collect();
    let executor: Executor<2, 8, 2048> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let squares = || pool.map((0..40_u64).zip(0..40_u64), |(x, y)| x * y);
            assert_eq!(
                squares().chunksize::<6>().map(outcome).collect::<Vec<_>>(),
                expected
            );
            assert_eq!(
                squares().chunksize::<40>().map(outcome).collect::<Vec<_>>(),
                expected
            );
            assert_eq!(
                squares().chunksize::<50>().map(outcome).collect::<Vec<_>>(),
                expected
            );
        })
        .unwrap();
}

/// `test_map_exception`
#[test]
fn map_exception() {
    let executor: Executor<4, 8> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let divmod = |divisor: i32| {
                1_i32
                    .checked_div(divisor)
                    .unwrap_or_else(|| raise("division by zero"))
            };
            let mut quotients = pool.map([2, 3, 0, 5], divmod).map(outcome);
            assert_eq!(quotients.next(), Some(Ok(0)));
            assert_eq!(quotients.next(), Some(Ok(0)));
            assert_eq!(
                quotients.next(),
                Some(Err(Failure::Panicked("division by zero".to_owned())))
            );
        })
        .unwrap();
}

/// `test_map_timeout`: the map yields what is done in time. Then, exactly at the timeout, it yields
/// the error, and then nothing.
#[test]
fn map_timeout() {
    // The executor is not started. A task runs when the map asks its input for the next item.
    let executor: Executor<1, 4, 64, Virtual> = Executor::new();
    let input = ["at once", "at once", "never"]
        .into_iter()
        .inspect(|_| assert!(executor.run_until_idle() <= 1));
    let began = Virtual::now();
    let mut results = executor
        .map(input, |when| when)
        .timeout(Duration::from_secs(5))
        .map(outcome);
    assert_eq!(results.next(), Some(Ok("at once")));
    assert_eq!(results.next(), Some(Ok("at once")));
    assert_eq!(Virtual::now() - began, 0);
    assert_eq!(results.next(), Some(Err(Failure::TimedOut)));
    assert_eq!(Virtual::now() - began, 5000);
    assert_eq!(results.next(), None);
    assert_eq!(executor.stats().cancelled, 1);
}

/// `test_map_buffersize_value_validation`
#[test]
#[should_panic(expected = "buffersize must be at least 1")]
fn map_buffersize_value_validation() {
    let executor: Executor<0, 4> = Executor::new();
    let _map = executor.map(0..4, |n: i32| n).buffersize(0);
}

/// `test_map_buffersize`
#[test]
fn map_buffersize() {
    let executor: Executor<2, 4> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            for size in [1, 2, 4, 8] {
                let results: Vec<_> = pool
                    .map(0..4, |n: i32| n.to_string())
                    .buffersize(size)
                    .map(outcome)
                    .collect();
                assert_eq!(
                    results,
                    ["0", "1", "2", "3"].map(|digit| Ok(digit.to_owned())),
                    "buffersize {size}"
                );
            }
        })
        .unwrap();
    assert_eq!(executor.stats().slots_high_water, 4);
}

/// `test_map_buffersize_on_multiple_iterables`
#[test]
fn map_buffersize_on_multiple_iterables() {
    let executor: Executor<2, 8> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            for size in [1, 2, 4, 8] {
                let sums = pool
                    .map((0..4).zip(0..4), |(x, y): (i32, i32)| x + y)
                    .buffersize(size);
                assert_eq!(
                    sums.map(outcome).collect::<Vec<_>>(),
                    [Ok(0), Ok(2), Ok(4), Ok(6)],
                    "buffersize {size}"
                );
            }
        })
        .unwrap();
}

/// `test_map_buffersize_on_infinite_iterable`
#[test]
fn map_buffersize_on_infinite_iterable() {
    let executor: Executor<2, 8> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let mut numbers = pool.map(0_u64.., |n| n).buffersize(2).map(outcome);
            assert_eq!(
                [numbers.next(), numbers.next(), numbers.next()],
                [Some(Ok(0)), Some(Ok(1)), Some(Ok(2))]
            );
        })
        .unwrap();
}

/// `test_map_buffersize_on_multiple_infinite_iterables`
#[test]
fn map_buffersize_on_multiple_infinite_iterables() {
    let executor: Executor<2, 8> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let mut sums = pool
                .map((0_u64..).zip(0_u64..), |(x, y)| x + y)
                .buffersize(2)
                .map(outcome);
            assert_eq!(
                [sums.next(), sums.next(), sums.next()],
                [Some(Ok(0)), Some(Ok(2)), Some(Ok(4))]
            );
        })
        .unwrap();
}

/// `test_map_buffersize_on_empty_iterable`
#[test]
fn map_buffersize_on_empty_iterable() {
    let executor: Executor<0, 4> = Executor::new();
    let mut nothing = executor
        .map(core::iter::empty::<i32>(), |n| n)
        .buffersize(2);
    assert!(nothing.next().is_none());
}

/// `test_map_buffersize_when_buffer_is_full`: the map takes no more items than fit the buffer. (The
/// first `next` fills it.)
#[test]
fn map_buffersize_when_buffer_is_full() {
    let executor: Executor<0, 8> = Executor::new();
    let mut numbers = 0..4;
    let mut results = executor.map(&mut numbers, |n: i32| n).buffersize(2);
    assert_eq!(results.next().map(outcome), Some(Ok(0)));
    drop(results);
    assert_eq!(numbers.next(), Some(2));
}

/// `test_free_reference`: the iterator keeps nothing of what it has yielded.
#[test]
fn free_reference() {
    let executor: Executor<4, 8> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            for object in pool.map(0..10, |_: i32| Arc::new(())) {
                let object = object.unwrap();
                let reference = Arc::downgrade(&object);
                drop(object);
                assert!(reference.upgrade().is_none());
            }
        })
        .unwrap();
}

/// `test_no_stale_references`: a task's capture is dropped once the task has run, even if no caller
/// takes the result.
#[test]
fn no_stale_references() {
    struct TellsDrop(Sender<()>);
    impl Drop for TellsDrop {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    let (tell, dropped) = channel();
    let executor: Executor<1, 4> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let object = TellsDrop(tell);
            pool.submit(move || drop(object)).unwrap().detach();
            dropped.recv_timeout(LONG).unwrap();
        })
        .unwrap();

    // The capture goes also while the test holds the handle.
    let stepped: Executor<0, 4> = Executor::new();
    let object = Arc::new(());
    let captured = Arc::clone(&object);
    let handle = stepped
        .submit(move || Arc::strong_count(&captured))
        .unwrap();
    assert_eq!(stepped.run_until_idle(), 1);
    assert_eq!(Arc::strong_count(&object), 1);
    assert_eq!(outcome(handle.result()), Ok(2));
}

/// `test_traceback` of `test_process_pool.py`: a task's panic reaches the waiter with its payload,
/// and the waiter can resume it.
#[test]
fn traceback() {
    let executor: Executor<1, 4> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let handle = pool.submit(|| raise("bug in the task")).unwrap();
            let error: TaskError = Result::<(), _>::unwrap_err(handle.result());
            assert_eq!(error.to_string(), "the task panicked: bug in the task");
            let TaskError::Panicked(panic) = error else {
                panic!("{error}")
            };
            let thrown = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| panic.resume()))
                .unwrap_err();
            assert_eq!(thrown.downcast_ref::<&str>(), Some(&"bug in the task"));
        })
        .unwrap();
}

/// `test_shutdown_race_issue12456`: a shutdown right after more submits than workers neither hangs
/// nor loses a task.
#[test]
fn shutdown_race_issue12456() {
    static EXECUTOR: Executor<5, 6> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let handles: Vec<_> = (0..6)
        .map(|number| EXECUTOR.submit(move || number).unwrap())
        .collect();
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    let results: Vec<Result<i32, Failure>> = handles
        .into_iter()
        .map(|handle| outcome(handle.result()))
        .collect();
    assert_eq!(results, [Ok(0), Ok(1), Ok(2), Ok(3), Ok(4), Ok(5)]);
}
