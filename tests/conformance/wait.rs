//! `test_wait.py`. A cancelled task counts as done here (see [`differences`](crate::differences)).
//!
//! Left out:
//! - `test_20369`: handles are owned, so there are no duplicates.

use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::channel;

use slotted::{
    Clock, Executor, JoinHandle, ReturnWhen, StdThreads, TaskError, Waited, wait, wait_timeout,
};

use crate::support::{Failure, Gate, LONG, State, Virtual, create_future, outcome, raise};

/// The sorted outcomes of the tasks that are done, and the number of those that are not.
fn outcomes<H: Clock>(waited: Waited<'_, '_, i32, H>) -> (Vec<Result<i32, Failure>>, usize) {
    assert!(waited.not_done.iter().all(|handle| !handle.done()));
    let mut done: Vec<_> = waited
        .done
        .iter_mut()
        .map(|handle| outcome(handle.result_timeout(LONG)))
        .collect();
    done.sort_unstable();
    (done, waited.not_done.len())
}

/// A pool, and a holder of promises that the test completes. The cases wait for handles of both
/// together.
struct Fixture {
    pool: Executor<5, 8>,
    holder: Executor<0, 8>,
    gate: Arc<Gate>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            pool: Executor::new(),
            holder: Executor::new(),
            gate: Arc::default(),
        }
    }

    /// Runs `body` while the pool runs. Then releases the tasks that [`held`](Self::held) made.
    fn run(&self, body: impl FnOnce()) {
        self.pool
            .run(&StdThreads::new(), |_| {
                let _open = Opened(&self.gate);
                body();
            })
            .unwrap();
    }

    /// A task that runs until the end of the test.
    fn held(&self) -> JoinHandle<'_, i32> {
        let gate = Arc::clone(&self.gate);
        let task = move || {
            gate.acquire();
            0
        };
        self.pool.submit(task).unwrap()
    }
}

/// Opens the gate also when the test fails. Otherwise the test would hang instead of failing.
struct Opened<'g>(&'g Gate);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.release(8);
    }
}

/// `test_first_completed`
#[test]
fn first_completed() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let mut handles = [fixture.held(), fixture.pool.submit(|| 21 * 2).unwrap()];
        let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
        assert_eq!(outcomes(waited), (vec![Ok(42)], 1));
    });
}

/// `test_first_completed_some_already_completed`
#[test]
fn first_completed_some_already_completed() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let (_promise, cancelled) = create_future(&fixture.holder, State::CancelledAndNotified);
        let (_promise, successful) = create_future(&fixture.holder, State::Successful);
        let mut handles = [fixture.held(), cancelled, successful];
        let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
        assert_eq!(outcomes(waited), (vec![Ok(42), Err(Failure::Cancelled)], 1));
    });
}

/// `test_first_exception`: the first failure ends the wait, and a success does not. Four workers
/// are busy, so the fifth runs the other tasks one after the other.
#[test]
fn first_exception() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let mut handles: Vec<_> = (0..4).map(|_| fixture.held()).collect();
        handles.push(fixture.pool.submit(|| 2 * 21).unwrap());
        handles.push(
            fixture
                .pool
                .submit(|| raise("this is an exception"))
                .unwrap(),
        );
        let waited = wait(&mut handles, ReturnWhen::FirstError);
        assert_eq!(
            outcomes(waited),
            (
                vec![
                    Ok(42),
                    Err(Failure::Panicked("this is an exception".to_owned()))
                ],
                4
            )
        );
    });
}

/// `test_first_exception` with an `Err`, Rust's other way to fail.
#[test]
fn first_exception_returned() {
    let executor: Executor<0, 4> = Executor::new();
    let mut handles = [
        executor.submit_fallible(|| Ok(1)).unwrap(),
        // Submitted by `submit`, an `Err` is a value.
        executor.submit(|| Err("a value")).unwrap(),
        executor.submit_fallible(|| Err("a failure")).unwrap(),
        executor.submit_fallible(|| Ok(2)).unwrap(),
    ];
    let waited = wait(&mut handles, ReturnWhen::FirstError);
    let done: Vec<_> = waited
        .done
        .iter_mut()
        .map(|handle| handle.try_result().unwrap().unwrap())
        .collect();
    assert_eq!(done, [Ok(1), Err("a value"), Err("a failure")]);
    assert_eq!(waited.not_done.len(), 1);
}

/// `test_first_exception_some_already_complete`: neither a success nor a cancelled task is a
/// failure.
#[test]
fn first_exception_some_already_complete() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let (_promise, successful) = create_future(&fixture.holder, State::Successful);
        let (_promise, cancelled) = create_future(&fixture.holder, State::Cancelled);
        let (_promise, notified) = create_future(&fixture.holder, State::CancelledAndNotified);
        let failing = fixture.pool.submit(|| raise("divided by zero")).unwrap();
        let mut handles = [successful, cancelled, notified, failing, fixture.held()];
        let waited = wait(&mut handles, ReturnWhen::FirstError);
        let done = vec![
            Ok(42),
            Err(Failure::Cancelled),
            Err(Failure::Cancelled),
            Err(Failure::Panicked("divided by zero".to_owned())),
        ];
        assert_eq!(outcomes(waited), (done, 1));
    });
}

/// `test_first_exception_one_already_failed`
#[test]
fn first_exception_one_already_failed() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let (_promise, failed) = create_future(&fixture.holder, State::Failed);
        let mut handles = [fixture.held(), failed];
        let waited = wait(&mut handles, ReturnWhen::FirstError);
        assert_eq!(outcomes(waited), (vec![Err(Failure::Broken)], 1));
    });
}

/// `test_all_completed`
#[test]
fn all_completed() {
    let fixture = Fixture::new();
    fixture.run(|| {
        let (_promise, successful) = create_future(&fixture.holder, State::Successful);
        let (_promise, cancelled) = create_future(&fixture.holder, State::CancelledAndNotified);
        let (_promise, failed) = create_future(&fixture.holder, State::Failed);
        let failing = fixture.pool.submit(|| raise("divided by zero")).unwrap();
        let product = fixture.pool.submit(|| 2 * 21).unwrap();
        let mut handles = [successful, cancelled, failed, failing, product];
        let waited = wait(&mut handles, ReturnWhen::AllCompleted);
        let done = vec![
            Ok(42),
            Ok(42),
            Err(Failure::Cancelled),
            Err(Failure::Panicked("divided by zero".to_owned())),
            Err(Failure::Broken),
        ];
        assert_eq!(outcomes(waited), (done, 0));
    });
}

/// `test_timeout`: the wait ends exactly at its timeout, and that is no error.
#[test]
fn timeout() {
    let executor: Executor<0, 4, 64, Virtual> = Executor::new();
    let samples = [
        State::Pending,
        State::CancelledAndNotified,
        State::Failed,
        State::Successful,
    ]
    .map(|state| create_future(&executor, state));
    let (_promises, mut handles): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
    let began = Virtual::now();
    let waited = wait_timeout(
        &mut handles,
        Duration::from_millis(50),
        ReturnWhen::AllCompleted,
    );
    assert_eq!(Virtual::now() - began, 50);
    assert_eq!(
        outcomes(waited),
        (
            vec![Ok(42), Err(Failure::Cancelled), Err(Failure::Broken)],
            1
        )
    );
}

/// `test_pending_calls_race`: many tasks end at once during a wait for all of them.
#[test]
fn pending_calls_race() {
    static GATE: Gate = Gate::new();
    let executor: Executor<5, 100> = Executor::new();
    executor
        .run(&StdThreads::new(), |pool| {
            let mut handles: Vec<_> = (0..100)
                .map(|_| pool.submit(|| GATE.acquire()).unwrap())
                .collect();
            GATE.release(100);
            let waited = wait(&mut handles, ReturnWhen::AllCompleted);
            assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
        })
        .unwrap();
}

/// `done` promises that the result can be taken at once. The hard moment comes after the task has
/// ended, while its callback still uses the value.
#[test]
fn results_of_done_can_be_taken_without_waiting() {
    static GATE: Gate = Gate::new();
    let executor: Executor<1, 4> = Executor::new();
    let (tell, called) = channel();
    executor
        .run(&StdThreads::new(), |pool| {
            let handle = pool.submit(|| GATE.acquire()).unwrap();
            let callback = move |_: Result<&(), &TaskError>| {
                tell.send(()).unwrap();
                GATE.acquire();
            };
            handle.add_done_callback(callback).unwrap();
            GATE.release(1);
            called.recv_timeout(LONG).unwrap();
            let mut handles = [handle];
            let waited = wait_timeout(&mut handles, Duration::ZERO, ReturnWhen::AllCompleted);
            let taken: Vec<_> = waited
                .done
                .iter_mut()
                .map(|handle| handle.try_result().map(outcome))
                .collect();
            GATE.release(1);
            assert!(
                taken.iter().all(Option::is_some),
                "a result in `done` cannot be taken: {taken:?}"
            );
        })
        .unwrap();
}
