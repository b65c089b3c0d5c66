//! A cancelled task is cancelled for good, however often and however one asks.

use core::pin::{Pin, pin};
use core::time::Duration;

use futures_core::Stream;
use slotted::{
    Executor, JoinHandle, ReturnWhen, Shutdown, TaskError, TaskState, as_completed, wait,
};

use super::{Task, ready};

type Pool = Executor<0, 2>;

/// A task that was cancelled.
fn cancelled(executor: &Pool) -> JoinHandle<'_, u8> {
    let handle = executor.submit(|| 7).unwrap();
    assert!(handle.cancel());
    handle
}

/// What every question about a cancelled handle says.
#[track_caller]
fn assert_cancelled(handle: &JoinHandle<'_, u8>) {
    assert!(handle.cancelled() && handle.done() && !handle.running());
    assert!(handle.cancel(), "it is cancelled now");
    assert_eq!(handle.error(), Some(&TaskError::Cancelled));
    assert_eq!(handle.canceller().state(), TaskState::Cancelled);
}

#[test]
fn result_timeout_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = cancelled(&executor);
    for _ in 0..3 {
        assert_eq!(
            handle.result_timeout(Duration::ZERO),
            Err(TaskError::Cancelled)
        );
        assert_cancelled(&handle);
    }
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    assert_eq!(
        (executor.stats().cancelled, executor.stats().slots_in_use),
        (1, 0)
    );
}

#[test]
fn try_result_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = cancelled(&executor);
    for _ in 0..3 {
        assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
        assert_cancelled(&handle);
    }
}

#[test]
fn await_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = cancelled(&executor);
    for _ in 0..3 {
        let polled = Task::new().poll(Pin::new(&mut handle));
        assert_eq!(ready(polled), Err(TaskError::Cancelled));
        assert_cancelled(&handle);
    }
}

/// The same where the task is cancelled while it is awaited.
#[test]
fn await_that_is_woken_by_the_cancel_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = executor.submit(|| 7).unwrap();
    let task = Task::new();
    assert!(task.poll(Pin::new(&mut handle)).is_pending());
    assert!(handle.canceller().cancel());
    assert_eq!(task.wakes(), 1);
    for _ in 0..2 {
        assert_eq!(
            ready(task.poll(Pin::new(&mut handle))),
            Err(TaskError::Cancelled)
        );
        assert_cancelled(&handle);
    }
}

#[test]
fn wait_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = cancelled(&executor);
    for _ in 0..3 {
        assert_eq!(handle.wait(), Err(&TaskError::Cancelled));
        assert_eq!(
            handle.wait_timeout(Duration::ZERO),
            Err(&TaskError::Cancelled)
        );
        assert_cancelled(&handle);
    }
}

#[test]
fn handle_that_cancels_on_drop_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut guarded = cancelled(&executor).cancel_on_drop();
    for _ in 0..2 {
        let polled = Task::new().poll(Pin::new(&mut guarded));
        assert_eq!(ready(polled), Err(TaskError::Cancelled));
        assert_cancelled(&guarded);
    }
    drop(guarded);
    assert_eq!(executor.stats().cancelled, 1, "it is counted once");
}

/// After all of these, in turn, on one handle.
#[test]
fn every_way_to_read_a_cancelled_handle_leaves_it_cancelled() {
    let executor = Pool::new();
    let mut handle = cancelled(&executor);
    assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
    let polled = Task::new().poll(Pin::new(&mut handle));
    assert_eq!(ready(polled), Err(TaskError::Cancelled));
    assert_eq!(
        handle.result_timeout(Duration::ZERO),
        Err(TaskError::Cancelled)
    );
    let mut handles = [handle];
    assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 1);
    let mut stream = pin!(as_completed(handles).stream());
    let polled = stream.as_mut().poll_next(&mut Task::new().context());
    let handle = ready(polled).unwrap();
    assert_cancelled(&handle);
    assert_eq!(
        as_completed([handle]).next().unwrap().result(),
        Err(TaskError::Cancelled)
    );
    assert_eq!(executor.stats().slots_in_use, 0);
}

/// Whoever cancelled: a shutdown does it as well.
#[test]
fn task_that_a_shutdown_cancelled_says_cancelled_each_time() {
    let executor = Pool::new();
    let mut handle = executor.submit(|| 7).unwrap();
    executor.shutdown(Shutdown::Cancel).unwrap();
    for _ in 0..2 {
        assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
        assert_cancelled(&handle);
    }
}

/// A promise that is told so, and one that is completed as cancelled.
#[test]
fn cancelled_promise_says_cancelled_each_time() {
    let executor = Pool::new();
    let (promise, mut handle) = executor.promise::<u8>().unwrap();
    assert!(handle.cancel());
    assert_eq!(promise.set_running_or_notify_cancel().ok(), Some(false));
    for _ in 0..2 {
        assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
        assert_cancelled(&handle);
    }
    let (promise, mut handle) = executor.promise::<u8>().unwrap();
    promise.complete(Err(TaskError::Cancelled)).unwrap();
    for _ in 0..2 {
        assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
        assert_cancelled(&handle);
    }
}
