//! `JoinHandle::wait`: the outcome is lent, and can still be taken. And what a handle says whose
//! value was taken.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::error::CallbackRefusal;
use slotted::{Executor, JoinHandle, Park, TaskError};

use super::{Drops, Task, ready};
use crate::stage::{Actor, Stage, forever, raise, with_crew, within_limit};

#[test]
fn wait_lends_the_value_which_is_then_taken_and_dropped_once() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    let value = drops.value();
    let mut handle = executor.submit(move || (7, value)).unwrap();
    for _ in 0..2 {
        assert_eq!(
            handle.wait().map(|(number, _)| *number).map_err(|_| ()),
            Ok(7)
        );
    }
    assert_eq!(drops.count(), 0, "it is lent");
    let (number, value) = handle.result().unwrap();
    assert_eq!(
        (number, drops.count(), executor.stats().slots_in_use),
        (7, 0, 0)
    );
    drop(value);
    assert_eq!(drops.count(), 1);
}

#[test]
fn value_that_was_only_lent_is_dropped_with_its_handle() {
    let executor: Executor<0, 1> = Executor::new();
    let drops = Drops::default();
    let value = drops.value();
    let mut handle = executor.submit(move || value).unwrap();
    assert!(handle.wait().is_ok());
    drop(handle);
    assert_eq!((drops.count(), executor.stats().slots_in_use), (1, 0));
}

#[test]
fn wait_lends_the_error_whose_payload_is_then_taken() {
    let executor: Executor<0, 1> = Executor::new();
    let mut handle = executor.submit(|| raise("so it goes")).unwrap();
    let Err(TaskError::Panicked(panic)) = handle.wait() else {
        panic!("the task panics");
    };
    assert_eq!(panic.message(), Some("so it goes"));
    assert!(handle.error().is_some_and(TaskError::is_panicked));
    let Err::<(), _>(TaskError::Panicked(panic)) = handle.result() else {
        panic!("the payload is still there");
    };
    assert_eq!(panic.into_payload().downcast_ref(), Some(&"so it goes"));
}

#[test]
fn wait_lends_the_errors_of_cancelled_and_broken_tasks() {
    let executor: Executor<0, 2> = Executor::new();
    let mut cancelled = executor.submit(|| 7).unwrap();
    cancelled.cancel();
    assert_eq!(cancelled.wait(), Err(&TaskError::Cancelled));
    let (promise, mut broken) = executor.promise::<u8>().unwrap();
    drop(promise);
    assert_eq!(broken.wait(), Err(&TaskError::Broken));
    assert_eq!(cancelled.result(), Err(TaskError::Cancelled));
    assert_eq!(broken.result(), Err(TaskError::Broken));
}

#[test]
fn wait_timeout_lends_what_is_there_and_times_out_otherwise() {
    let executor: Executor<0, 2> = Executor::new();
    let (promise, mut handle) = executor.promise::<u8>().unwrap();
    assert_eq!(
        handle.wait_timeout(Duration::ZERO),
        Err(&TaskError::TimedOut)
    );
    assert_eq!(
        handle.wait_timeout(Duration::from_millis(1)),
        Err(&TaskError::TimedOut)
    );
    promise.complete(Ok(7)).unwrap();
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(&7));
    assert_eq!(handle.result_timeout(Duration::ZERO), Ok(7));
}

/// The thread sleeps until the task has ended.
#[test]
fn wait_sleeps_until_the_end_of_the_task() {
    static POOL: Executor<0, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        let (promise, mut handle) = POOL.promise::<String>().unwrap();
        let (tell, told) = channel::<Actor>();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            let length = handle.wait().unwrap().len();
            (length, handle.result())
        });
        told.recv().unwrap().until_asleep();
        promise.complete(Ok("four".into())).unwrap();
        assert_eq!(waiter.join().unwrap(), (4, Ok("four".into())));
    });
}

/// A worker runs the task it waits for in place, if no thread has started it.
#[test]
fn wait_in_the_only_worker_runs_the_task_in_place() {
    static POOL: Executor<1, 2, 64, Stage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            let outer = || {
                let mut inner = POOL.submit(|| thread::current().id()).unwrap();
                let ran_here = inner.wait() == Ok(&thread::current().id());
                ran_here && inner.result() == Ok(thread::current().id())
            };
            assert_eq!(POOL.submit(outer).unwrap().result(), Ok(true));
        });
    });
}

/// A worker that waits for the task beneath it on its own stack is told so; the handle is good.
#[test]
fn wait_for_a_task_beneath_the_waiter_would_deadlock_and_the_handle_stays_good() {
    static POOL: Executor<1, 2, 64, Stage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            let (give, given) = channel::<JoinHandle<'static, bool, Stage>>();
            let (give_back, given_back) = channel();
            let own = POOL
                .submit(move || {
                    let mut own = given.recv().unwrap();
                    let hopeless = own.wait() == Err(&TaskError::WouldDeadlock);
                    give_back.send(own).unwrap();
                    hopeless
                })
                .unwrap();
            give.send(own).unwrap();
            assert_eq!(given_back.recv().unwrap().result(), Ok(true));
        });
    });
}

/// While the callbacks look at the value, it is not lent to others.
#[test]
fn wait_returns_after_the_callbacks() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let executor: &'static Executor<0, 2> = forever(Executor::new());
    let mut handle = executor.submit(|| 7).unwrap();
    handle
        .add_done_callback(|outcome| {
            CALLED.store(usize::from(*outcome.unwrap() == 7_u8), Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(handle.wait(), Ok(&7));
    assert_eq!(CALLED.load(Ordering::Relaxed), 1);
}

#[test]
fn every_call_on_a_handle_whose_value_was_taken_says_so() {
    let executor: Executor<0, 2> = Executor::new();
    let mut handle = executor.submit(|| 7).unwrap();
    executor.run_one();
    assert_eq!(handle.try_result(), Some(Ok(7)));
    assert_eq!(executor.stats().slots_in_use, 0);
    assert_eq!(handle.try_result(), Some(Err(TaskError::AlreadyTaken)));
    assert_eq!(
        handle.result_timeout(Duration::ZERO),
        Err(TaskError::AlreadyTaken)
    );
    assert_eq!(handle.wait(), Err(&TaskError::AlreadyTaken));
    assert_eq!(
        handle.wait_timeout(Duration::ZERO),
        Err(&TaskError::AlreadyTaken)
    );
    assert_eq!(handle.error(), Some(&TaskError::AlreadyTaken));
    assert_eq!(
        handle.error_timeout(Duration::ZERO),
        Some(&TaskError::AlreadyTaken)
    );
    let polled = Task::new().poll(Pin::new(&mut handle));
    assert_eq!(ready(polled), Err(TaskError::AlreadyTaken));
    let refused = handle.add_done_callback(|_| ()).unwrap_err();
    assert_eq!(refused.reason(), CallbackRefusal::AlreadyTaken);
    assert!(handle.done() && !handle.cancel() && !handle.cancelled() && !handle.running());
    assert_eq!(handle.result(), Err(TaskError::AlreadyTaken));
}

/// The slot of a value that was taken belongs to the next task, which the old handle leaves alone.
#[test]
fn handle_whose_value_was_taken_leaves_the_next_task_of_its_slot_alone() {
    let executor: Executor<0, 1> = Executor::new();
    let mut old = executor.submit(|| 1).unwrap();
    assert_eq!(old.result_timeout(Duration::from_secs(1)), Ok(1));
    let new = executor.submit(|| 2).unwrap();
    assert!(!old.cancel());
    assert_eq!(old.wait(), Err(&TaskError::AlreadyTaken));
    drop(old);
    assert_eq!(new.result(), Ok(2));
}

/// Awaited to its end, the value is taken too.
#[test]
fn handle_that_was_awaited_says_that_its_value_was_taken() {
    let executor: Executor<0, 1> = Executor::new();
    let mut handle = executor.submit(|| 7).unwrap();
    executor.run_one();
    assert_eq!(ready(Task::new().poll(Pin::new(&mut handle))), Ok(7));
    assert_eq!(handle.wait(), Err(&TaskError::AlreadyTaken));
    let polled = Task::new().poll(Pin::new(&mut handle));
    assert_eq!(ready(polled), Err(TaskError::AlreadyTaken));
}
