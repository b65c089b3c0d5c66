//! Deliberate differences from CPython. Each has one test, and the test's name is the rule here.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{
    Clock, Executor, JoinHandle, Refusal, ReturnWhen, Shutdown, StdThreads, TaskError,
    as_completed, as_completed_timeout, wait,
};

use crate::support::{Failure, Gate, LONG, State, Virtual, create_future, outcome, raise};

/// CPython: the queue is unbounded.
#[test]
fn the_queue_is_bounded_and_a_refusal_hands_the_task_back() {
    let executor: Executor<0, 2> = Executor::new();
    let first = executor.submit(|| 1).unwrap();
    let _second = executor.submit(|| 2).unwrap();
    let refused = executor.submit(|| 3).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert_eq!(outcome(first.result()), Ok(1));
    assert_eq!(
        outcome(executor.submit(refused.into_inner()).unwrap().result()),
        Ok(3)
    );
    assert_eq!(executor.stats().refused, 1);
}

/// CPython: for `wait` and `as_completed` a cancelled task is done only after a worker has seen it.
/// They hang if no worker ever does (gh-87893, gh-92001, gh-109934).
#[test]
fn a_cancelled_task_is_done_for_every_waiter_at_once() {
    static EXECUTOR: Executor<1, 8> = Executor::new();
    static GATE: Gate = Gate::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (tell, started) = channel();
    let busy = move || {
        tell.send(()).unwrap();
        GATE.acquire();
    };
    let busy = EXECUTOR.submit(busy).unwrap();
    started.recv_timeout(LONG).unwrap();
    let pending = || [(); 3].map(|()| EXECUTOR.submit(|| ()).unwrap());

    // The only worker sees no cancelled task before the gate opens.
    let (mut waited_for, completed, mut mixed) = (
        pending(),
        pending(),
        [busy, EXECUTOR.submit(|| ()).unwrap()],
    );
    assert!(mixed[1].cancel());
    let waited = wait(&mut mixed, ReturnWhen::FirstCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));

    EXECUTOR.begin_shutdown(Shutdown::Cancel);
    let waited = wait(&mut waited_for, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (3, 0));
    assert_eq!(
        as_completed(completed)
            .filter(|handle| handle.cancelled())
            .count(),
        3
    );

    GATE.release(1);
    EXECUTOR.shutdown_timeout(Shutdown::Cancel, LONG).unwrap();
}

/// CPython: the timeout counts from the first `next`.
#[test]
fn the_timeout_of_as_completed_counts_from_the_call() {
    let executor: Executor<0, 2, 64, Virtual> = Executor::new();
    let (_promise, pending) = create_future(&executor, State::Pending);
    let mut completed = as_completed_timeout([pending], Duration::from_millis(10));
    Virtual::advance(Duration::from_millis(10));
    let before = Virtual::now();
    assert!(completed.next().unwrap().is_err());
    assert_eq!(Virtual::now(), before, "no time was left to wait");
}

/// CPython (to 3.14): the first error ends the iteration (gh-108518).
#[test]
fn map_goes_on_after_an_error() {
    let executor: Executor<2, 4> = Executor::new();
    let results = executor.run(&StdThreads::new(), |pool| {
        let reciprocal = |n: u32| {
            100_u32
                .checked_div(n)
                .unwrap_or_else(|| raise("division by zero"))
        };
        pool.map([1, 0, 2, 0, 4], reciprocal)
            .map(outcome)
            .collect::<Vec<_>>()
    });
    let error = || Err(Failure::Panicked("division by zero".to_owned()));
    assert_eq!(
        results.unwrap(),
        [Ok(100), error(), Ok(50), error(), Ok(25)]
    );
}

/// CPython: the drop of the iterator before its first `next` cancels nothing (gh-136578). Here the
/// map has submitted nothing by then.
#[test]
fn dropping_an_unstarted_map_cancels_and_submits_nothing() {
    let executor: Executor<0, 4> = Executor::new();
    let mut numbers = 0..4;
    drop(executor.map(&mut numbers, |n: i32| n));
    assert_eq!(executor.run_until_idle(), 0);
    assert_eq!(executor.stats().slots_high_water, 0);
    assert_eq!(numbers.next(), Some(0), "the map took no item");
}

/// As in CPython, once the iteration has begun. The drop cancels only the tasks that have not
/// started.
#[test]
fn dropping_a_map_cancels_its_unstarted_tasks() {
    let executor: Executor<0, 4> = Executor::new();
    let (tell, ran) = channel();
    let mut map = executor.map(0.., move |n: i32| tell.send(n).unwrap());
    assert_eq!(map.next().map(outcome), Some(Ok(())));
    assert_eq!(map.next().map(outcome), Some(Ok(())));
    drop(map);
    assert_eq!(executor.run_until_idle(), 0);
    assert_eq!(ran.try_iter().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(
        (executor.stats().completed, executor.stats().cancelled),
        (2, 3)
    );
    assert_eq!(executor.stats().slots_in_use, 0);
}

/// CPython: `result()` can be called again.
#[test]
fn a_result_is_moved_out_once() {
    let executor: Executor<0, 1> = Executor::new();
    let mut handle = executor.submit(|| String::from("mine")).unwrap();
    assert_eq!(
        outcome(handle.result_timeout(LONG)),
        Ok(String::from("mine"))
    );
    assert_eq!(
        outcome(handle.result_timeout(LONG)),
        Err(Failure::AlreadyTaken)
    );
    assert_eq!(
        handle.try_result().map(outcome),
        Some(Err(Failure::AlreadyTaken))
    );
    assert_eq!(
        executor.stats().slots_in_use,
        0,
        "its slot is free, although the handle still exists"
    );
}

/// CPython: `result()` may return before the callbacks have run.
#[test]
fn callbacks_run_before_the_result_can_be_taken() {
    static GATE: Gate = Gate::new();
    static CALLED: AtomicBool = AtomicBool::new(false);
    let executor: Executor<1, 4> = Executor::new();
    let (tell, called) = channel();
    executor
        .run(&StdThreads::new(), |pool| {
            let mut handle = pool.submit(|| GATE.acquire()).unwrap();
            let callback = move |_: Result<&(), &TaskError>| {
                tell.send(()).unwrap();
                GATE.acquire();
                CALLED.store(true, Ordering::Relaxed);
            };
            handle.add_done_callback(callback).unwrap();
            GATE.release(1);
            called.recv_timeout(LONG).unwrap();
            assert!(handle.done(), "the task is done");
            assert!(
                handle.try_result().is_none(),
                "but its value belongs to the callback"
            );
            assert_eq!(
                outcome(handle.result_timeout(Duration::ZERO)),
                Err(Failure::TimedOut)
            );
            GATE.release(1);
            assert_eq!(outcome(handle.result()), Ok(()));
            // The result came after this store, so the store is visible.
            assert!(CALLED.load(Ordering::Relaxed));
        })
        .unwrap();
}

/// CPython hangs in this second deadlock of its documentation. The only worker waits for a task
/// behind it in the queue.
#[test]
fn a_nested_wait_runs_what_it_waits_for() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let outer = EXECUTOR
        .submit(|| EXECUTOR.submit(|| 5_i32.pow(2)).unwrap().result().unwrap())
        .unwrap();
    assert_eq!(outcome(outer.result()), Ok(25));
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
}

/// CPython hangs. The only worker waits, in each possible way, for tasks behind it in the queue.
#[test]
fn nested_waits_of_every_kind_run_what_they_wait_for() {
    static EXECUTOR: Executor<1, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let inner = || [2, 3].map(|n: i32| EXECUTOR.submit(move || n.pow(2)).unwrap());
    let outer = move || {
        let mut handles = inner();
        let waited = wait(&mut handles, ReturnWhen::AllCompleted).done.len();
        drop(handles);
        let completed = as_completed(inner())
            .map(|handle| handle.result().unwrap())
            .sum::<i32>();
        let mapped = EXECUTOR
            .map([2, 3], |n: i32| n.pow(2))
            .map(Result::unwrap)
            .sum::<i32>();
        (waited, completed, mapped)
    };
    assert_eq!(
        outcome(EXECUTOR.submit(outer).unwrap().result_timeout(LONG)),
        Ok((2, 13, 13))
    );
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
}

/// CPython hangs in this first deadlock of its documentation. Two tasks on two threads wait for
/// each other.
#[test]
fn a_wait_that_could_never_end_is_an_error() {
    static EXECUTOR: Executor<2, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (tell_started, started) = channel();
    let (tell, answers) = channel();
    let wait_for_other = || {
        let (give, other) = channel::<JoinHandle<'static, ()>>();
        let (tell_started, tell) = (tell_started.clone(), tell.clone());
        let task = move || {
            tell_started.send(()).unwrap();
            tell.send(outcome(other.recv().unwrap().result())).unwrap();
        };
        (give, EXECUTOR.submit(task).unwrap())
    };
    let (give_to_a, a) = wait_for_other();
    let (give_to_b, b) = wait_for_other();
    // Both run, so neither can run the other in place.
    started.recv_timeout(LONG).unwrap();
    started.recv_timeout(LONG).unwrap();
    give_to_a.send(b).unwrap();
    give_to_b.send(a).unwrap();
    assert_eq!(
        answers.recv_timeout(LONG).unwrap(),
        Err(Failure::WouldDeadlock)
    );
    // The other wait ended with the same error or with its result.
    answers.recv_timeout(LONG).unwrap().ok();
    EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
    assert_eq!(EXECUTOR.stats().completed, 2);
}

/// CPython: a shutdown is final.
#[test]
fn an_executor_can_be_started_again() {
    static EXECUTOR: Executor<2, 2> = Executor::new();
    for life in 0..3 {
        EXECUTOR.start(&StdThreads::new()).unwrap();
        assert_eq!(
            outcome(EXECUTOR.submit(move || life).unwrap().result()),
            Ok(life)
        );
        EXECUTOR.shutdown_timeout(Shutdown::Drain, LONG).unwrap();
        assert_eq!(
            EXECUTOR.submit(move || life).unwrap_err().reason(),
            Refusal::ShutDown
        );
    }
}
