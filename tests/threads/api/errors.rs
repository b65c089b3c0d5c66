//! Errors: what equals what, what a promise takes, and formatting from anywhere.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::thread;

use slotted::error::RemoteError;
use slotted::{Executor, Panic, ReturnWhen, TaskError, wait};

use crate::stage::{Stage, forever, raise, with_crew, within_limit};

/// How a task ended that panics with a payload.
fn panicked(payload: impl Send + 'static) -> TaskError {
    let executor: Executor<0, 1> = Executor::new();
    let task = move || resume_unwind(Box::new(payload));
    executor
        .submit::<_, ()>(task)
        .unwrap()
        .result()
        .unwrap_err()
}

/// One error of each kind that says the same each time.
fn plain_errors() -> [TaskError; 8] {
    [
        TaskError::Cancelled,
        TaskError::TimedOut,
        TaskError::Broken,
        TaskError::WouldDeadlock,
        TaskError::NotStarted,
        TaskError::AlreadyTaken,
        TaskError::Remote(RemoteError::Lost),
        TaskError::Remote(RemoteError::Exited { code: 2 }),
    ]
}

/// Each reason why a task has no value that was to run elsewhere.
const REMOTE_ERRORS: [RemoteError; 11] = [
    RemoteError::Crashed { signal: 11 },
    RemoteError::Exited { code: 2 },
    RemoteError::MemoryLimit,
    RemoteError::TimeLimit,
    RemoteError::Lost,
    RemoteError::Restarted,
    RemoteError::Unknown,
    RemoteError::Version { theirs: 3 },
    RemoteError::TooLarge,
    RemoteError::BadBytes,
    RemoteError::Panicked,
];

#[test]
fn errors_of_one_kind_are_equal_and_others_are_not() {
    for (left, error) in plain_errors().iter().enumerate() {
        for (right, other) in plain_errors().iter().enumerate() {
            assert_eq!(error == other, left == right, "{error} and {other}");
        }
        assert_ne!(*error, panicked("so it goes"));
        assert_ne!(panicked("so it goes"), *error);
    }
}

/// By message, whether it was a literal or a formatted text.
#[test]
fn panics_with_the_same_message_are_equal() {
    assert_eq!(panicked("so it goes"), panicked("so it goes"));
    assert_eq!(panicked("so it goes"), panicked(String::from("so it goes")));
    assert_eq!(panicked(String::from("so it goes")), panicked("so it goes"));
    let error = panicked("so it goes");
    assert_eq!(error, error);
}

#[test]
fn panics_with_different_messages_are_not_equal() {
    assert_ne!(panicked("so it goes"), panicked("so it went"));
    assert_ne!(panicked(String::from("so it goes")), panicked("so it went"));
    assert_ne!(panicked(""), panicked("so it goes"));
}

/// The text is all that came from elsewhere, and a panic of this process with it says the same.
#[test]
fn panics_made_of_a_message_are_as_those_of_a_task() {
    let made = || TaskError::Panicked(Panic::with_message("so it goes"));
    assert_eq!(made(), panicked("so it goes"));
    assert_eq!(made(), panicked(String::from("so it goes")));
    assert_ne!(made(), panicked("so it went"));
    assert_eq!(made().to_string(), panicked("so it goes").to_string());
    assert!(made().is_panicked() && !made().is_of_the_wait());
    let payload = Panic::with_message("so it goes").into_payload();
    assert_eq!(payload.downcast_ref(), Some(&String::from("so it goes")));
    let raised = catch_unwind(|| Panic::with_message("so it goes").resume()).unwrap_err();
    assert_eq!(raised.downcast_ref(), Some(&String::from("so it goes")));
    assert_eq!(Panic::with_message("").message(), Some(""));
}

/// Nothing is known of such a payload, so it equals nothing, not even itself.
#[test]
fn panics_with_payloads_that_are_no_strings_are_equal_to_nothing() {
    assert_ne!(panicked(7_u8), panicked(7_u8));
    assert_ne!(panicked(7_u8), panicked("7"));
    assert_ne!(panicked("7"), panicked(7_u8));
    let error = panicked(7_u8);
    let same = &error;
    assert!(error != *same);
}

/// Outcomes are compared whole, which is what tests do.
#[test]
fn outcomes_are_compared_whole() {
    let executor: Executor<0, 1> = Executor::new();
    assert_eq!(executor.submit(|| 5).unwrap().result(), Ok(5));
    assert_ne!(executor.submit(|| 5).unwrap().result(), Ok(6));
    assert_ne!(
        executor.submit(|| 5).unwrap().result(),
        Err(TaskError::Broken)
    );
}

fn errors_of_a_wait() -> [TaskError; 4] {
    [
        TaskError::TimedOut,
        TaskError::WouldDeadlock,
        TaskError::NotStarted,
        TaskError::AlreadyTaken,
    ]
}

#[test]
fn errors_are_of_the_wait_or_of_the_task() {
    assert!(errors_of_a_wait().iter().all(TaskError::is_of_the_wait));
    assert!(!TaskError::Cancelled.is_of_the_wait());
    assert!(!TaskError::Broken.is_of_the_wait());
    assert!(!panicked("so it goes").is_of_the_wait());
    for error in REMOTE_ERRORS {
        assert!(!TaskError::Remote(error).is_of_the_wait(), "{error}");
    }
}

/// The error of a task elsewhere says what its reason says, and no two reasons say the same.
#[test]
fn remote_errors_say_their_reason() {
    for (left, reason) in REMOTE_ERRORS.into_iter().enumerate() {
        let error = TaskError::Remote(reason);
        assert_eq!(error.to_string(), reason.to_string());
        assert_eq!(error.remote(), Some(reason));
        assert_eq!(error.is_panicked(), reason == RemoteError::Panicked);
        assert!(!error.is_cancelled() && !error.is_timed_out());
        for (right, other) in REMOTE_ERRORS.into_iter().enumerate() {
            let same = left == right;
            assert_eq!(error == TaskError::Remote(other), same);
            assert_eq!(reason.to_string() == other.to_string(), same);
        }
    }
    let number = |reason: RemoteError| reason.to_string();
    assert!(number(RemoteError::Crashed { signal: 11 }).ends_with("signal 11"));
    assert!(number(RemoteError::Exited { code: 2 }).ends_with("code 2"));
    assert!(number(RemoteError::Version { theirs: 3 }).ends_with("version 3"));
    assert_eq!(panicked("so it goes").remote(), None);
}

/// The other end is done with the task, so it counts as completed, and as panicked if it panicked.
#[test]
fn promises_complete_with_remote_errors_and_count_them() {
    let executor: Executor<0, 1> = Executor::new();
    for (count, reason) in REMOTE_ERRORS.into_iter().enumerate() {
        let (promise, handle) = executor.promise::<u8>().unwrap();
        if count % 2 == 0 {
            promise.complete(Err(TaskError::Remote(reason))).unwrap();
        } else {
            promise.set_error(TaskError::Remote(reason)).unwrap();
            drop(promise);
        }
        let mut handles = [handle];
        assert_eq!(wait(&mut handles, ReturnWhen::FirstError).done.len(), 1);
        let [handle] = handles;
        assert!(!handle.cancelled());
        assert_eq!(handle.result(), Err(TaskError::Remote(reason)));
    }
    let stats = executor.stats();
    let counts = (stats.completed, stats.panicked, stats.cancelled);
    assert_eq!(counts, (REMOTE_ERRORS.len(), 1, 0));
}

/// The error comes back, and the promise can still be kept.
#[test]
fn set_error_takes_no_error_of_a_wait() {
    let executor: Executor<0, 1> = Executor::new();
    for (error, same) in errors_of_a_wait().into_iter().zip(errors_of_a_wait()) {
        let (promise, handle) = executor.promise::<u8>().unwrap();
        let refused = promise.set_error(error).unwrap_err();
        assert_eq!(refused.into_inner(), same);
        assert!(!handle.done());
        promise.set_result(7).unwrap();
        drop(promise);
        assert_eq!(handle.result(), Ok(7));
    }
    assert_eq!(executor.stats().completed, 4);
}

/// The error comes back. The promise is given up in any case, so the task ends as broken.
#[test]
fn complete_takes_no_error_of_a_wait_and_breaks_the_task() {
    let executor: Executor<0, 1> = Executor::new();
    for (error, same) in errors_of_a_wait().into_iter().zip(errors_of_a_wait()) {
        let (promise, handle) = executor.promise::<u8>().unwrap();
        let refused = promise.complete(Err(error)).unwrap_err();
        assert_eq!(refused.into_inner(), Err(same));
        assert_eq!(handle.result(), Err(TaskError::Broken));
    }
    let stats = executor.stats();
    assert_eq!((stats.completed, stats.slots_in_use), (0, 0));
}

/// A promise passes on how another task ended.
#[test]
fn promise_takes_each_error_of_a_task() {
    let executor: Executor<0, 1> = Executor::new();
    for error in [TaskError::Cancelled, TaskError::Broken] {
        let (promise, handle) = executor.promise::<u8>().unwrap();
        let is_cancelled = error.is_cancelled();
        promise.set_error(error).unwrap();
        drop(promise);
        assert_eq!(handle.cancelled(), is_cancelled);
        assert!(handle.result().is_err());
    }
    let (promise, handle) = executor.promise::<u8>().unwrap();
    promise.complete(Err(panicked("so it goes"))).unwrap();
    assert_eq!(handle.result(), Err(panicked("so it goes")));
}

/// All threads read one error at the same time, again and again.
#[test]
fn error_is_formatted_and_compared_by_many_threads_at_once() {
    const THREADS: usize = 8;
    const TIMES: usize = if cfg!(miri) { 3 } else { 1000 };
    within_limit(|| {
        let payloads = [
            panicked("so it goes"),
            panicked(String::from("so it goes")),
            panicked(7_u8),
        ];
        for error in &payloads {
            let (display, debug) = (error.to_string(), format!("{error:?}"));
            let begin = Barrier::new(THREADS);
            thread::scope(|threads| {
                for _ in 0..THREADS {
                    threads.spawn(|| {
                        begin.wait();
                        for _ in 0..TIMES {
                            assert_eq!(error.to_string(), display);
                            assert_eq!(format!("{error:?}"), debug);
                            assert_eq!(*error == payloads[0], payloads[0] == *error);
                        }
                    });
                }
            });
        }
    });
}

/// The error that is lent by a handle, read by the waiters, and by the callback at the same time.
#[test]
fn error_of_a_task_is_formatted_by_its_waiters_and_by_a_callback() {
    static POOL: Executor<1, 4, 128, Stage> = Executor::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        with_crew(&POOL, |_| {
            let handle = POOL.submit::<_, ()>(|| raise("so it goes")).unwrap();
            handle
                .add_done_callback(|outcome| {
                    let text = outcome.unwrap_err().to_string();
                    CALLED.fetch_add(usize::from(text.contains("so it goes")), Ordering::Relaxed);
                })
                .unwrap();
            thread::scope(|threads| {
                let waiter = || {
                    let error = handle.error().expect("the task panics");
                    assert!(format!("{error} {error:?}").contains("so it goes"));
                };
                for _ in 0..4 {
                    threads.spawn(waiter);
                }
            });
        });
        assert_eq!(CALLED.load(Ordering::Relaxed), 1);
    });
}

/// A destructor that runs while a panic is unwound formats another task's panic.
#[test]
fn error_is_formatted_from_inside_a_panicking_task() {
    struct Formats(&'static TaskError, &'static AtomicUsize);
    impl Drop for Formats {
        fn drop(&mut self) {
            let text = format!("{} {:?}", self.0, self.0);
            self.1
                .fetch_add(text.matches("so it goes").count(), Ordering::Relaxed);
        }
    }
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let error: &'static TaskError = forever(panicked("so it goes"));
        let executor: Executor<0, 1> = Executor::new();
        let formats = Formats(error, &SEEN);
        let outcome = executor
            .submit(move || {
                let _formats = formats;
                raise("another")
            })
            .unwrap()
            .result();
        assert_eq!(outcome, Err::<(), _>(panicked("another")));
        assert_eq!(SEEN.load(Ordering::Relaxed), 2);
    });
}
