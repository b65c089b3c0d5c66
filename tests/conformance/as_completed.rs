//! `test_as_completed.py`.
//!
//! Left out:
//! - `test_duplicate_futures`: handles are owned, so there are no duplicates.

use core::time::Duration;

use slotted::{Clock, Executor, StdThreads, as_completed, as_completed_timeout};

use crate::support::{Failure, State, Virtual, create_future, outcome};

/// `test_no_timeout`: each handle comes once, and handles of done tasks come first. The handles are
/// of two executors.
#[test]
fn no_timeout() {
    let holder: Executor<0, 4> = Executor::new();
    let (_promise, cancelled) = create_future(&holder, State::CancelledAndNotified);
    let (_promise, failed) = create_future(&holder, State::Failed);
    let (_promise, successful) = create_future(&holder, State::Successful);
    let executor: Executor<5, 8> = Executor::new();
    let mut outcomes = executor
        .run(&StdThreads::new(), |_| {
            let future1 = executor.submit(|| 2 * 21).unwrap();
            let future2 = executor.submit(|| 7 * 7).unwrap();
            let completed = as_completed([future1, future2, cancelled, failed, successful]);
            assert_eq!(completed.len(), 5);
            completed
                .map(|handle| outcome(handle.result()))
                .collect::<Vec<_>>()
        })
        .unwrap();
    outcomes.sort_unstable();
    assert_eq!(
        outcomes,
        [
            Ok(42),
            Ok(42),
            Ok(49),
            Err(Failure::Cancelled),
            Err(Failure::Broken)
        ]
    );
}

/// `test_future_times_out`: handles of done tasks come with any timeout. The error counts the other
/// handles and returns them.
#[test]
fn future_times_out() {
    let executor: Executor<0, 4, 64, Virtual> = Executor::new();
    for timeout in [0, 100].map(Duration::from_millis) {
        let (promise, pending) = create_future(&executor, State::Pending);
        let (_promise, cancelled) = create_future(&executor, State::CancelledAndNotified);
        let (_promise, failed) = create_future(&executor, State::Failed);
        let (_promise, successful) = create_future(&executor, State::Successful);

        let began = Virtual::now();
        let mut completed = as_completed_timeout([pending, cancelled, failed, successful], timeout);
        let mut outcomes: Vec<_> = completed
            .by_ref()
            .take(3)
            .map(|handle| outcome(handle.unwrap().result()))
            .collect();
        outcomes.sort_unstable();
        assert_eq!(
            outcomes,
            [Ok(42), Err(Failure::Cancelled), Err(Failure::Broken)]
        );
        assert_eq!(Virtual::now(), began, "no wait was needed");

        let error = completed.next().unwrap().unwrap_err();
        assert_eq!(u128::from(Virtual::now() - began), timeout.as_millis());
        assert!(
            completed.next().is_none(),
            "the iteration ends with the error"
        );
        assert_eq!((error.unfinished(), error.total()), (1, 4));
        promise.set_result(7).unwrap();
        let left: Vec<_> = error
            .into_handles()
            .map(|handle| outcome(handle.result()))
            .collect();
        assert_eq!(left, [Ok(7)]);
    }
}

/// `test_free_reference_yielded_future`: the iterator keeps nothing of a yielded handle.
#[test]
fn free_reference_yielded_future() {
    let executor: Executor<0, 10> = Executor::new();
    let mut promises = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..8 {
        let (promise, handle) = create_future(&executor, State::Pending);
        promises.push(promise);
        handles.push(handle);
    }
    handles.push(create_future(&executor, State::CancelledAndNotified).1);
    handles.push(create_future(&executor, State::Successful).1);
    assert_eq!(executor.stats().slots_in_use, 10);

    let mut in_use = Vec::new();
    let mut left = Vec::new();
    for handle in as_completed_timeout(handles, Duration::ZERO) {
        match handle {
            Ok(handle) => {
                drop(handle);
                in_use.push(executor.stats().slots_in_use);
            }
            Err(error) => left.extend(error.into_handles()),
        }
    }
    assert_eq!(in_use, [9, 8]);
    assert_eq!(left.len(), 8);

    let mut completed = as_completed(left);
    for (value, promise) in (0..8).zip(promises) {
        promise.set_result(value).unwrap();
        drop(promise);
        assert_eq!(
            completed.next().map(|handle| outcome(handle.result())),
            Some(Ok(value))
        );
        assert_eq!(executor.stats().slots_in_use, completed.len());
    }
    assert!(completed.next().is_none());
}

/// `test_correct_timeout_exception_msg`
#[test]
fn correct_timeout_exception_msg() {
    let executor: Executor<0, 4> = Executor::new();
    let samples = [
        State::CancelledAndNotified,
        State::Pending,
        State::Running,
        State::Successful,
    ]
    .map(|state| create_future(&executor, state));
    let (_promises, handles): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
    let error = as_completed_timeout(handles, Duration::ZERO)
        .find_map(Result::err)
        .unwrap();
    assert_eq!(error.to_string(), "2 (of 4) tasks unfinished");
}
