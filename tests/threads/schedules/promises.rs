//! Promises, and the slots they hold.

use core::cell::RefCell;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, TaskError};

use crate::schedules::support::within_limit;
use crate::stage::{Actor, Stage};

/// A promise gives its value and its slot in one step: once the result is taken the slot is free.
#[test]
fn promise_that_completes_gives_its_slot_with_the_value() {
    let executor: Executor<0, 1> = Executor::new();
    for value in 0..3 {
        let (promise, handle) = executor.promise().unwrap();
        promise.complete(Ok(value)).unwrap();
        assert_eq!(handle.result().unwrap(), value);
    }
    let (promise, handle) = executor.promise::<u8>().unwrap();
    promise.complete(Err(TaskError::Broken)).unwrap();
    assert!(matches!(handle.result(), Err(TaskError::Broken)));
    executor.submit(|| ()).expect("the slot is free").detach();
}

/// The outcome comes back if the task was cancelled before; the first one stays, and the slot is
/// free once the handle is gone.
#[test]
fn promise_that_completes_after_a_cancel_gets_its_value_back() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise().unwrap();
    assert!(handle.cancel());
    let refused = promise.complete(Ok(7)).unwrap_err().into_inner();
    assert_eq!(refused.unwrap(), 7);
    assert!(matches!(handle.result(), Err(TaskError::Cancelled)));
    executor.submit(|| ()).expect("the slot is free").detach();
}

std::thread_local! {
    /// What happens when the calling thread has next unparked another.
    static WHEN_UNPARKED: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// The [`Stage`], where a completer can be held between its wake-up and its return.
struct Interrupting;

impl Park for Interrupting {
    type Thread = Actor;
    type Order = slotted::Fifo;

    fn current() -> Actor {
        Stage::current()
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
        if let Some(happens) = WHEN_UNPARKED.take() {
            happens();
        }
    }
}

/// A submitter that was woken by a promise finds room at once, while the completer has not yet
/// come back from `complete`.
#[test]
fn submitter_that_a_promise_wakes_finds_its_slot_free() {
    static POOL: Executor<0, 1, 64, Interrupting> = Executor::new();
    within_limit(|| {
        let (promise, handle) = POOL.promise().unwrap();
        let (tell_actor, told_actor) = channel::<Actor>();
        let (tell, told) = channel();
        let submitter = thread::spawn(move || {
            tell_actor.send(Stage::current()).unwrap();
            assert_eq!(handle.result().unwrap(), 7);
            let submitted = POOL.submit(|| ()).map(|handle| handle.detach());
            tell.send(submitted.map_err(|refused| refused.reason()))
                .unwrap();
        });
        told_actor.recv().unwrap().until_asleep();
        let (tell_submitted, submitted) = channel();
        WHEN_UNPARKED.set(Some(Box::new(move || {
            tell_submitted.send(told.recv().unwrap()).unwrap();
        })));
        promise.complete(Ok(7)).unwrap();
        assert_eq!(submitted.recv().unwrap(), Ok(()));
        submitter.join().unwrap();
    });
}
