//! `Promise::complete`: value and slot in one step.

use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use futures_core::Stream;
use slotted::{Executor, Park, ReturnWhen, TaskError, as_completed, wait};

use super::{Drops, Task, ready};
use crate::stage::{Actor, Stage, forever, within_limit};

/// Whoever takes the result has the slot again at once: nothing else holds it.
#[test]
fn slot_is_free_once_the_result_is_taken_on_a_full_executor() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    for round in 1..=3 {
        let (promise, handle) = executor.promise().unwrap();
        promise.complete(Ok(drops.value())).unwrap();
        assert!(executor.reserve().is_err(), "the handle holds the value");
        drop(handle.result().unwrap());
        assert_eq!(drops.count(), round);
    }
    assert_eq!(
        (executor.stats().slots_in_use, executor.stats().completed),
        (0, 3)
    );
}

/// `set_result` is the other way: the promise holds its slot until it is dropped.
#[test]
fn promise_that_was_only_set_holds_its_slot_until_it_is_dropped() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise().unwrap();
    promise.set_result(7).unwrap();
    assert_eq!(handle.result(), Ok(7));
    assert!(executor.reserve().is_err());
    drop(promise);
    assert!(executor.reserve().is_ok());
}

#[test]
fn slot_is_free_once_an_awaited_result_is_taken() {
    let executor: Executor<0, 1> = Executor::new();
    let task = Task::new();
    let (promise, mut handle) = executor.promise().unwrap();
    assert!(task.poll(Pin::new(&mut handle)).is_pending());
    promise.complete(Ok(7)).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(ready(task.poll(Pin::new(&mut handle))), Ok(7));
    assert!(executor.reserve().is_ok(), "before the handle is dropped");
}

#[test]
fn waiter_in_line_gets_the_slot_when_the_result_is_taken() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise().unwrap();
    let task = Task::new();
    let mut wait = pin!(executor.reserve_async());
    assert!(task.poll(wait.as_mut()).is_pending());
    promise.complete(Ok(7)).unwrap();
    assert_eq!(task.wakes(), 0, "the value is still there");
    assert_eq!(handle.result(), Ok(7));
    assert_eq!(task.wakes(), 1);
    assert!(ready(task.poll(wait.as_mut())).is_ok());
}

#[test]
fn group_that_waits_is_told_and_each_slot_is_free_once_its_result_is_taken() {
    static POOL: Executor<0, 2, 64, Stage> = Executor::new();
    within_limit(|| {
        let [(first, left), (second, right)] = [0; 2].map(|_| POOL.promise::<u8>().unwrap());
        let (tell, told) = channel::<Actor>();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            let mut handles = [left, right];
            let done = wait(&mut handles, ReturnWhen::AllCompleted).done.len();
            let sum: u8 = handles
                .into_iter()
                .map(|handle| handle.result().unwrap())
                .sum();
            (done, sum, POOL.stats().slots_in_use)
        });
        let actor = told.recv().unwrap();
        actor.until_asleep();
        first.complete(Ok(1)).unwrap();
        second.complete(Ok(2)).unwrap();
        assert_eq!(waiter.join().unwrap(), (2, 3, 0));
    });
}

#[test]
fn as_completed_and_its_stream_yield_completed_promises() {
    let executor: Executor<0, 2> = Executor::new();
    let [(first, left), (second, right)] = [0; 2].map(|_| executor.promise::<u8>().unwrap());
    let mut completed = as_completed([left, right]);
    second.complete(Ok(2)).unwrap();
    assert_eq!(completed.next().unwrap().result(), Ok(2));
    assert_eq!(executor.stats().slots_in_use, 1);
    let task = Task::new();
    let mut stream = pin!(completed.stream());
    assert!(stream.as_mut().poll_next(&mut task.context()).is_pending());
    first.complete(Err(TaskError::Broken)).unwrap();
    assert_eq!(task.wakes(), 1);
    let handle = ready(stream.as_mut().poll_next(&mut task.context())).unwrap();
    assert_eq!(handle.result(), Err(TaskError::Broken));
    assert_eq!(executor.stats().slots_in_use, 0);
}

/// Callbacks run in the completer, in their order, before `complete` returns and the value can be
/// taken.
#[test]
fn callbacks_run_in_the_completer_and_their_slots_are_free_after_it() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let executor: &'static Executor<0, 3> = forever(Executor::new());
    let drops = Drops::default();
    let (promise, handle) = executor.promise().unwrap();
    for digit in [1, 2] {
        let captured = drops.value();
        handle
            .add_done_callback(move |outcome| {
                assert!(outcome.is_ok());
                CALLS.store(
                    CALLS.load(Ordering::Relaxed) * 10 + digit,
                    Ordering::Relaxed,
                );
                drop(captured);
            })
            .unwrap();
    }
    assert_eq!(executor.stats().slots_in_use, 3);
    promise.complete(Ok(drops.value())).unwrap();
    assert_eq!((CALLS.load(Ordering::Relaxed), drops.count()), (12, 2));
    assert_eq!(executor.stats().slots_in_use, 1);
    drop(handle.result().unwrap());
    assert_eq!((drops.count(), executor.stats().slots_in_use), (3, 0));
}

/// A callback that finds the executor full of its own promise cannot submit; after the result is
/// taken it could.
#[test]
fn callback_of_a_promise_whose_handle_is_gone_frees_both_slots() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let executor: &'static Executor<0, 2> = forever(Executor::new());
    let drops = Drops::default();
    let (promise, handle) = executor.promise().unwrap();
    handle
        .add_done_callback(|outcome| {
            assert!(outcome.is_ok());
            CALLED.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    drop(handle);
    assert_eq!(executor.stats().slots_in_use, 2);
    promise.complete(Ok(drops.value())).unwrap();
    assert_eq!((CALLED.load(Ordering::Relaxed), drops.count()), (1, 1));
    assert_eq!(executor.stats().slots_in_use, 0);
}

#[test]
fn value_for_a_dropped_handle_is_dropped_once_and_the_slot_is_free() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    for round in 1..=3 {
        let (promise, handle) = executor.promise().unwrap();
        drop(handle);
        promise.complete(Ok(drops.value())).unwrap();
        assert_eq!(drops.count(), round);
    }
    let (promise, handle) = executor.promise::<u8>().unwrap();
    drop(handle);
    promise.complete(Err(TaskError::Broken)).unwrap();
    assert_eq!(
        (executor.stats().slots_in_use, executor.stats().completed),
        (0, 3)
    );
}

#[test]
fn value_for_a_promise_that_was_set_before_comes_back() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    let (promise, handle) = executor.promise().unwrap();
    promise.set_result(drops.value()).unwrap();
    let refused = promise.complete(Ok(drops.value())).unwrap_err();
    assert_eq!(drops.count(), 0);
    drop(refused);
    assert_eq!(drops.count(), 1, "the second value");
    drop(handle.result().unwrap());
    assert_eq!((drops.count(), executor.stats().slots_in_use), (2, 0));
    assert_eq!(executor.stats().completed, 1);
}

#[test]
fn value_for_a_cancelled_promise_comes_back_and_the_slot_goes_with_the_handle() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    for keeps_handle in [true, false] {
        let (promise, handle) = executor.promise().unwrap();
        assert!(handle.cancel());
        let handle = keeps_handle.then_some(handle);
        let refused = promise.complete(Ok(drops.value())).unwrap_err();
        let value = refused.into_inner().unwrap();
        assert_eq!(executor.stats().slots_in_use, usize::from(keeps_handle));
        drop((handle, value));
    }
    let stats = executor.stats();
    assert_eq!(
        (drops.count(), stats.slots_in_use, stats.cancelled),
        (2, 0, 2)
    );
}

#[test]
fn running_promise_is_completed() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise().unwrap();
    assert_eq!(promise.set_running_or_notify_cancel().ok(), Some(true));
    assert!(handle.running() && !handle.cancel());
    promise.complete(Ok(7)).unwrap();
    assert_eq!(handle.result(), Ok(7));
    assert!(executor.reserve().is_ok());
}

/// Completer, canceller and taker in three threads: one outcome, each value dropped once.
#[test]
fn promise_that_is_cancelled_and_completed_at_once_has_one_outcome() {
    const ROUNDS: usize = if cfg!(miri) { 3 } else { 500 };
    static POOL: Executor<0, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        let drops = Drops::default();
        for round in 1..=ROUNDS {
            let (promise, handle) = POOL.promise().unwrap();
            let (canceller, value) = (handle.canceller(), drops.value());
            let (cancelled, completed, outcome) = thread::scope(|threads| {
                let cancel = threads.spawn(move || canceller.cancel());
                let complete = threads.spawn(move || promise.complete(Ok(value)).is_ok());
                let outcome = handle.result().map(drop);
                (cancel.join().unwrap(), complete.join().unwrap(), outcome)
            });
            assert_ne!(cancelled, completed);
            assert_eq!(outcome.is_ok(), completed);
            assert_eq!((drops.count(), POOL.stats().slots_in_use), (round, 0));
        }
    });
}
