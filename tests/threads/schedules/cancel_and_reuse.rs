//! What a cancel says and does, also long after the task's slot was given to another.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use slotted::{Canceller, Executor, JoinHandle, Shutdown, StdThreads, TaskError};

use crate::schedules::support::within_limit;

// ---- cancelled stays cancelled

/// Reads that a task was cancelled through a borrow, and asks again.
fn cancelled_stays(read: fn(&mut JoinHandle<'_, u8>) -> Option<Result<u8, TaskError>>) {
    let executor: Executor<0, 4> = Executor::new();
    let mut handle = executor.submit(|| 1).unwrap();
    assert!(handle.cancel());
    let is_cancelled = |outcome| matches!(outcome, Some(Err(TaskError::Cancelled)));
    assert!(is_cancelled(read(&mut handle)));
    assert!(handle.cancelled(), "it was cancelled");
    assert!(handle.cancel(), "it is cancelled");
    assert!(handle.done());
    assert!(is_cancelled(read(&mut handle)), "the second time");
    assert!(is_cancelled(Some(handle.result())), "the last time");
}

/// A cancelled task stays cancelled for its handle, however often that was read through
/// `try_result`.
#[test]
fn task_whose_try_result_said_cancelled_stays_cancelled() {
    cancelled_stays(|handle| handle.try_result());
}

/// The same through `result_timeout`.
#[test]
fn task_whose_result_timeout_said_cancelled_stays_cancelled() {
    cancelled_stays(|handle| Some(handle.result_timeout(Duration::from_secs(1))));
}

// ---- an old token against new tasks

/// A canceller of an earlier task never touches the task that has its slot now: that is run, or
/// cancelled by its own canceller, and is never lost.
#[test]
fn canceller_of_an_earlier_task_does_not_lose_the_task_in_its_slot() {
    static POOL: Executor<1, 2> = Executor::new();
    static PUBLISHED: Mutex<Option<Canceller<'static>>> = Mutex::new(None);
    static OVER: AtomicBool = AtomicBool::new(false);
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let canceller = thread::spawn(|| {
            while !OVER.load(Ordering::Relaxed) {
                let published = *PUBLISHED.lock().unwrap();
                if let Some(canceller) = published {
                    canceller.cancel();
                }
            }
        });
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(2) {
            // The task before may hold its slot a moment longer.
            let Ok(handle) = POOL.submit(|| ()) else {
                continue;
            };
            *PUBLISHED.lock().unwrap() = Some(handle.canceller());
            match handle.result() {
                Ok(()) | Err(TaskError::Cancelled) => {}
                Err(error) => panic!("{error}"),
            }
        }
        OVER.store(true, Ordering::Relaxed);
        canceller.join().unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}
