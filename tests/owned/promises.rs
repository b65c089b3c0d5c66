//! Promises in an owner's slots: the owner has no part in them.

use std::sync::Arc;
use std::thread;

use slotted::{
    Owned, Ran, Refusal, ReturnWhen, Shutdown, StdThreads, TaskError, TaskState, as_completed, wait,
};

use crate::connection::{Connection, Counted, drops};

#[test]
fn a_promise_needs_no_owner() {
    let (count, owned) = (Arc::default(), Owned::<Connection, 2>::new());
    let (promise, handle) = owned.promise().unwrap();
    assert_eq!(handle.canceller().state(), TaskState::Pending);
    promise.set_result(Counted::new(&count)).unwrap();
    let late = promise.set_result(Counted::new(&count)).unwrap_err();
    drop(late);
    assert_eq!(drops(&count), 1, "the second value came back");
    drop(handle.result().unwrap());
    assert_eq!(drops(&count), 2);
    drop(promise);
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_promise_takes_a_slot_from_the_tasks() {
    let owned: Owned<u32, 1> = Owned::new();
    let (promise, handle) = owned.promise::<u32>().unwrap();
    let refused = owned.submit(|own| *own).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert_eq!(owned.promise::<u32>().unwrap_err(), Refusal::Full);
    assert!(handle.cancel());
    drop((promise, handle));
    let again = owned.submit(refused.into_inner()).unwrap();
    assert_eq!(owned.worker().unwrap().run_one(&mut 7), Ran::Task);
    assert_eq!(again.result(), Ok(7));
}

#[test]
fn a_permit_becomes_a_promise_and_a_dropped_one_is_broken() {
    let owned: Owned<u32, 1> = Owned::new();
    let (promise, handle) = owned.reserve().unwrap().promise::<u32>();
    assert_eq!(owned.reserve().unwrap_err(), Refusal::Full);
    drop(promise);
    assert_eq!(handle.result(), Err(TaskError::Broken));
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_closed_owner_makes_no_promise() {
    let owned: Owned<u32, 1> = Owned::new();
    owned.begin_shutdown(Shutdown::Drain);
    assert_eq!(owned.promise::<u32>().unwrap_err(), Refusal::ShutDown);
}

#[test]
fn a_task_of_the_owner_waits_for_a_promise_that_another_thread_keeps() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    let done = OWNED.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| {
            let (promise, promised) = OWNED.promise::<u32>().unwrap();
            let task = owned.submit(move |own| own.alone(|_| promised.result()));
            promise.set_result(7).unwrap();
            task.unwrap().result()
        },
    );
    assert_eq!(done.unwrap(), Ok(Ok(7)));
}

#[test]
fn promises_and_tasks_of_an_owner_mix() {
    let owned: Owned<usize, 4> = Owned::new();
    let (promise, promised) = owned.promise().unwrap();
    let mut handles = [promised, owned.submit(|own| *own).unwrap()];
    assert_eq!(owned.worker().unwrap().run_one(&mut 35), Ran::Task);
    let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    let sum = thread::scope(|s| {
        s.spawn(|| promise.set_result(7).unwrap());
        as_completed(handles)
            .map(|handle| handle.result().unwrap())
            .sum::<usize>()
    });
    assert_eq!(sum, 42);
}

#[test]
fn a_promise_outlives_shutdowns_and_owners() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        let owned: Owned<u32, 2> = Owned::new();
        let worker = owned.worker().unwrap();
        let (promise, handle) = owned.promise::<u32>().unwrap();
        drop(worker);
        owned.shutdown(shutdown).unwrap();
        let mut next = owned.worker().unwrap();
        let task = owned.submit(|own| *own).unwrap();
        assert_eq!(next.run_one(&mut 8), Ran::Task);
        promise.set_result(7).unwrap();
        assert_eq!((handle.result(), task.result()), (Ok(7), Ok(8)));
    }
}
