//! `test_future.py`: one task, which the test completes through its promise.
//!
//! Left out: nothing.

use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, JoinHandle, TaskError};

use crate::support::{
    Failure, LONG, STATES, State, create_future, failure, outcome, raise, received,
};

/// An executor that only holds promises.
type Holder = Executor<0, 16>;

/// The answers to `question` for a task in each state, in the order of [`STATES`].
fn in_each_state<A>(question: impl Fn(&mut JoinHandle<'_, i32>) -> A) -> [A; 6] {
    STATES.map(|state| {
        let executor = Holder::new();
        let (_promise, mut handle) = create_future(&executor, state);
        question(&mut handle)
    })
}

/// `test_done_callback_with_result`
#[test]
fn done_callback_with_result() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    let (tell, calls) = channel();
    handle
        .add_done_callback(move |outcome| tell.send(received(outcome)).unwrap())
        .unwrap();
    assert!(
        calls.try_recv().is_err(),
        "the callback ran before there was an outcome"
    );
    promise.set_result(5).unwrap();
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [Ok(5)]);
}

/// `test_done_callback_with_exception`
#[test]
fn done_callback_with_exception() {
    let executor = Holder::new();
    let (tell, calls) = channel();

    let (promise, handle) = create_future(&executor, State::Pending);
    let tell_broken = tell.clone();
    handle
        .add_done_callback(move |outcome| tell_broken.send(received(outcome)).unwrap())
        .unwrap();
    promise.set_error(TaskError::Broken).unwrap();
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [Err(Failure::Broken)]);

    let handle = executor.submit(|| -> i32 { raise("test") }).unwrap();
    handle
        .add_done_callback(move |outcome| tell.send(received(outcome)).unwrap())
        .unwrap();
    assert!(executor.run_one());
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [Err(Failure::Panicked("test".to_owned()))]
    );
}

/// `test_done_callback_with_cancel`
#[test]
fn done_callback_with_cancel() {
    let executor = Holder::new();
    let (_promise, handle) = create_future(&executor, State::Pending);
    let (tell, calls) = channel();
    handle
        .add_done_callback(move |outcome| tell.send(received(outcome)).unwrap())
        .unwrap();
    assert!(handle.cancel());
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [Err(Failure::Cancelled)]
    );
    assert!(handle.cancel(), "a second cancel is granted");
    assert!(
        calls.try_recv().is_err(),
        "a second cancel runs no callback"
    );
}

/// `test_done_callback_raises`
#[test]
fn done_callback_raises() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    let (tell, calls) = channel();
    let tell_raising = tell.clone();
    handle
        .add_done_callback(move |_| {
            tell_raising.send("raising").unwrap();
            raise("doh!")
        })
        .unwrap();
    handle
        .add_done_callback(move |_| tell.send("next").unwrap())
        .unwrap();
    promise.set_result(5).unwrap();
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["raising", "next"]);
    // CPython writes to stderr; here the panic is counted.
    assert_eq!(executor.stats().callbacks_panicked, 1);
    assert_eq!(outcome(handle.result()), Ok(5));
}

/// `test_done_callback_already_successful`
#[test]
fn done_callback_already_successful() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    promise.set_result(5).unwrap();
    let (tell, calls) = channel();
    handle
        .add_done_callback(move |outcome| {
            tell.send((received(outcome), thread::current().id()))
                .unwrap()
        })
        .unwrap();
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [(Ok(5), thread::current().id())]
    );
}

/// `test_done_callback_already_failed`
#[test]
fn done_callback_already_failed() {
    let executor = Holder::new();
    let (_promise, handle) = create_future(&executor, State::Failed);
    let (tell, calls) = channel();
    handle
        .add_done_callback(move |outcome| tell.send(received(outcome)).unwrap())
        .unwrap();
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [Err(Failure::Broken)]);
}

/// `test_done_callback_already_cancelled`
#[test]
fn done_callback_already_cancelled() {
    let executor = Holder::new();
    let (_promise, handle) = create_future(&executor, State::Cancelled);
    let (tell, calls) = channel();
    handle
        .add_done_callback(move |outcome| tell.send(received(outcome)).unwrap())
        .unwrap();
    assert_eq!(
        calls.try_iter().collect::<Vec<_>>(),
        [Err(Failure::Cancelled)]
    );
}

/// `test_done_callback_raises_already_succeeded`
#[test]
fn done_callback_raises_already_succeeded() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    promise.set_result(5).unwrap();
    // The panic does not come out of `add_done_callback`.
    handle.add_done_callback(|_| raise("doh!")).unwrap();
    assert_eq!(executor.stats().callbacks_panicked, 1);
    assert_eq!(outcome(handle.result()), Ok(5));
}

/// `test_repr`
#[test]
fn repr() {
    assert_eq!(
        in_each_state(|handle| format!("{handle:?}")),
        [
            "JoinHandle { state: Some(Pending), .. }",
            "JoinHandle { state: Some(Running), .. }",
            "JoinHandle { state: Some(Cancelled), .. }",
            "JoinHandle { state: Some(Cancelled), .. }",
            "JoinHandle { state: Some(Finished), .. }",
            "JoinHandle { state: Some(Finished), .. }",
        ]
    );
}

/// `test_cancel`
#[test]
fn cancel() {
    // The return value of `cancel`, and then `cancelled`, `running` and `done`.
    let answers = in_each_state(|handle| {
        (
            handle.cancel(),
            handle.cancelled(),
            handle.running(),
            handle.done(),
        )
    });
    assert_eq!(
        answers,
        [
            (true, true, false, true),
            (false, false, true, false),
            (true, true, false, true),
            (true, true, false, true),
            (false, false, false, true),
            (false, false, false, true),
        ]
    );
}

/// `test_cancelled`
#[test]
fn cancelled() {
    assert_eq!(
        in_each_state(|handle| handle.cancelled()),
        [false, false, true, true, false, false]
    );
}

/// `test_done`
#[test]
fn done() {
    assert_eq!(
        in_each_state(|handle| handle.done()),
        [false, false, true, true, true, true]
    );
}

/// `test_running`
#[test]
fn running() {
    assert_eq!(
        in_each_state(|handle| handle.running()),
        [false, true, false, false, false, false]
    );
}

/// `test_result_with_timeout`
#[test]
fn result_with_timeout() {
    assert_eq!(
        in_each_state(|handle| outcome(handle.result_timeout(Duration::ZERO))),
        [
            Err(Failure::TimedOut),
            Err(Failure::TimedOut),
            Err(Failure::Cancelled),
            Err(Failure::Cancelled),
            Err(Failure::Broken),
            Ok(42),
        ]
    );
}

/// `test_exception_with_timeout`
#[test]
fn exception_with_timeout() {
    assert_eq!(
        in_each_state(|handle| handle.error_timeout(Duration::ZERO).map(failure)),
        [
            Some(Failure::TimedOut),
            Some(Failure::TimedOut),
            Some(Failure::Cancelled),
            Some(Failure::Cancelled),
            Some(Failure::Broken),
            None,
        ]
    );
}

/// `test_result_with_success`: the value comes during the wait. The waiter runs the ready task that
/// gives the signal, so the signal comes only after the wait has begun.
#[test]
fn result_with_success() {
    let executor = Holder::new();
    let (promise, mut handle) = create_future(&executor, State::Pending);
    let (waiting, wait_began) = channel();
    executor
        .submit(move || waiting.send(()).unwrap())
        .unwrap()
        .detach();
    thread::scope(|scope| {
        scope.spawn(move || {
            wait_began.recv().unwrap();
            promise.set_result(42).unwrap();
        });
        assert_eq!(outcome(handle.result_timeout(LONG)), Ok(42));
    });
}

/// `test_result_with_cancel`: the cancel comes during the wait.
#[test]
fn result_with_cancel() {
    let executor = Holder::new();
    let (_promise, mut handle) = create_future(&executor, State::Pending);
    let canceller = handle.canceller();
    let (waiting, wait_began) = channel();
    executor
        .submit(move || waiting.send(()).unwrap())
        .unwrap()
        .detach();
    thread::scope(|scope| {
        scope.spawn(move || {
            wait_began.recv().unwrap();
            assert!(canceller.cancel());
        });
        assert_eq!(
            outcome(handle.result_timeout(LONG)),
            Err(Failure::Cancelled)
        );
    });
}

/// `test_exception_with_success`: the error comes during the wait. A look at the error does not
/// take it.
#[test]
fn exception_with_success() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    let (waiting, wait_began) = channel();
    executor
        .submit(move || waiting.send(()).unwrap())
        .unwrap()
        .detach();
    thread::scope(|scope| {
        scope.spawn(move || {
            wait_began.recv().unwrap();
            promise.set_error(TaskError::Broken).unwrap();
        });
        assert_eq!(
            handle.error_timeout(LONG).map(failure),
            Some(Failure::Broken)
        );
    });
    assert_eq!(handle.error().map(failure), Some(Failure::Broken));
    assert_eq!(outcome(handle.result()), Err(Failure::Broken));
}

/// `test_multiple_set_result`
#[test]
fn multiple_set_result() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    promise.set_result(1).unwrap();
    let refused = promise.set_result(2).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the promise was completed or cancelled before, or the error is that of a wait"
    );
    assert_eq!(refused.into_inner(), 2, "the value comes back");
    assert!(handle.done());
    assert_eq!(outcome(handle.result()), Ok(1));
}

/// `test_multiple_set_exception`
#[test]
fn multiple_set_exception() {
    let executor = Holder::new();
    let (promise, handle) = create_future(&executor, State::Pending);
    promise.set_error(TaskError::Broken).unwrap();
    let refused = promise.set_error(TaskError::Cancelled).unwrap_err();
    assert_eq!(
        failure(&refused.into_inner()),
        Failure::Cancelled,
        "the error comes back"
    );
    assert!(promise.set_result(1).is_err());
    assert_eq!(handle.error().map(failure), Some(Failure::Broken));
}
