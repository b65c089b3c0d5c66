//! `submit_future_outcome`: the future's output is the task's outcome.

use core::future::{Future, pending, poll_fn, ready};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use std::sync::Mutex;

use slotted::error::RemoteError;
use slotted::{
    Executor, JoinHandle, Panic, Refusal, ReturnWhen, Shutdown, StdHost, Submitter, TaskError,
    as_completed, wait,
};

use super::Drops;
use crate::stage::{forever, raise, with_crew, within_limit};

type Handle<T> = JoinHandle<'static, T, StdHost>;

fn pool() -> &'static Executor<0, 4, 256> {
    forever(Executor::new())
}

/// A task that rests once, and then ends so.
fn ends<T: Send + 'static>(
    pool: Submitter<'static, 256>,
    outcome: Result<T, TaskError>,
) -> Handle<T> {
    let mut outcome = Some(outcome);
    let mut rested = false;
    let future = poll_fn(move |context| {
        if !rested {
            rested = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(outcome.take().expect("it is not polled again"))
    });
    pool.submit_future_outcome(future).unwrap()
}

#[test]
fn value_is_the_value_of_the_task() {
    let pool = pool();
    assert_eq!(ends(pool.submitter(), Ok(7)).result(), Ok(7));
    let stats = pool.stats();
    let counts = (stats.completed, stats.panicked, stats.cancelled);
    assert_eq!((counts, stats.slots_in_use), ((1, 0, 0), 0));
}

/// An `Err` of the future is the error of the task, and no value that is an `Err`.
#[test]
fn errors_are_those_of_the_task() {
    let panicked = || TaskError::Panicked(Panic::with_message("so it goes"));
    let lost = || TaskError::Remote(RemoteError::Lost);
    let errors: [&dyn Fn() -> TaskError; 4] = [&panicked, &lost, &|| TaskError::Broken, &|| {
        TaskError::Cancelled
    }];
    let pool = pool();
    for error in errors {
        let handle = ends::<u8>(pool.submitter(), Err(error()));
        assert_eq!(handle.error(), Some(&error()));
        assert_eq!(handle.cancelled(), error().is_cancelled());
        assert_eq!(handle.result(), Err(error()));
        assert_eq!(pool.stats().slots_in_use, 0);
    }
}

/// As those that a promise is completed with.
#[test]
fn errors_count_as_those_of_a_promise() {
    let errors = || {
        [
            TaskError::Cancelled,
            TaskError::Panicked(Panic::with_message("so it goes")),
            TaskError::Remote(RemoteError::Panicked),
            TaskError::Remote(RemoteError::TimeLimit),
            TaskError::Broken,
        ]
    };
    let counts = |pool: &Executor<0, 4, 256>| {
        let stats = pool.stats();
        [stats.completed, stats.panicked, stats.cancelled]
    };
    let (futures, promises) = (pool(), pool());
    for (error, same) in errors().into_iter().zip(errors()) {
        ends::<u8>(futures.submitter(), Err(error))
            .result()
            .unwrap_err();
        let (promise, _handle) = promises.promise::<u8>().unwrap();
        promise.complete(Err(same)).unwrap();
        assert_eq!(counts(futures), counts(promises));
    }
    assert_eq!(counts(futures), [3, 2, 1]);
}

#[test]
fn error_of_a_wait_breaks_the_task() {
    let pool = pool();
    for error in [
        TaskError::TimedOut,
        TaskError::WouldDeadlock,
        TaskError::NotStarted,
        TaskError::AlreadyTaken,
    ] {
        let handle = ends::<u8>(pool.submitter(), Err(error));
        assert_eq!(handle.result(), Err(TaskError::Broken));
    }
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.cancelled), (0, 0));
}

/// A later canceller finds a task that has ended.
#[test]
fn task_that_ends_as_cancelled_is_one_that_was_cancelled() {
    let pool = pool();
    let handle = ends::<u8>(pool.submitter(), Err(TaskError::Cancelled));
    let canceller = handle.canceller();
    assert_eq!(pool.run_until_idle(), 2);
    assert!(handle.done() && handle.cancelled() && handle.cancel());
    assert_eq!(handle.error(), Some(&TaskError::Cancelled));
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    assert!(!canceller.cancel());
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn callbacks_see_the_error() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let pool = pool();
    let handle = ends::<u8>(pool.submitter(), Err(TaskError::Remote(RemoteError::Lost)));
    for _ in 0..2 {
        handle
            .add_done_callback(|outcome| {
                let lost = outcome.err().and_then(TaskError::remote) == Some(RemoteError::Lost);
                SEEN.fetch_add(usize::from(lost), Ordering::Relaxed);
            })
            .unwrap();
    }
    assert_eq!(pool.run_until_idle(), 2);
    assert_eq!(SEEN.load(Ordering::Relaxed), 2);
    drop(handle);
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// A cancelled task is no failure, as elsewhere.
#[test]
fn wait_for_the_first_error_sees_the_error() {
    let pool = pool();
    let error = TaskError::Remote(RemoteError::Lost);
    let mut handles = [
        ends(pool.submitter(), Ok(1)),
        ends(pool.submitter(), Err(TaskError::Cancelled)),
        ends(pool.submitter(), Err(error)),
        pool.submit_future_outcome(pending()).unwrap(),
    ];
    let waited = wait(&mut handles, ReturnWhen::FirstError);
    assert_eq!((waited.done.len(), waited.not_done.len()), (3, 1));
    assert!(handles[3].cancel());
    let failed = as_completed(handles).filter_map(|handle| handle.result().err());
    assert_eq!(failed.count(), 3);
}

/// The future is dropped where it lies before its outcome is takeable.
#[test]
fn future_is_dropped_once_and_before_its_outcome_is_taken() {
    let pool = pool();
    let drops = Drops::default();
    for (count, error) in [None, Some(TaskError::Broken)].into_iter().enumerate() {
        let captured = drops.value();
        let handle = pool.submit_future_outcome(async move {
            let _captured = &captured;
            ready(()).await;
            error.map_or(Ok(()), Err)
        });
        let handle = handle.unwrap();
        assert!(pool.run_one());
        assert_eq!(drops.count(), count + 1);
        assert!(handle.done());
        drop(handle);
        assert_eq!(drops.count(), count + 1);
    }
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn value_and_error_that_no_handle_takes_are_dropped() {
    let pool = pool();
    let drops = Drops::default();
    ends(pool.submitter(), Ok(drops.value())).detach();
    let panicked = TaskError::Panicked(Panic::with_message("so it goes"));
    ends::<u8>(pool.submitter(), Err(panicked)).detach();
    assert_eq!(pool.run_until_idle(), 4);
    assert_eq!((drops.count(), pool.stats().slots_in_use), (1, 0));
}

#[test]
fn panic_of_the_future_is_the_error_of_the_task() {
    let pool = pool();
    let handle = pool.submit_future_outcome::<_, u8>(async { raise("so it goes") });
    let error = handle.unwrap().result().unwrap_err();
    assert_eq!(error.to_string(), "the task panicked: so it goes");
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.panicked), (1, 1));
}

/// Between two polls it is cancelled as any future.
#[test]
fn resting_future_is_cancelled_and_dropped() {
    let pool = pool();
    let drops = Drops::default();
    let captured = drops.value();
    let handle = pool.submit_future_outcome::<_, u8>(async move {
        let _captured = captured;
        pending().await
    });
    let handle = handle.unwrap();
    assert!(pool.run_one());
    assert!(!handle.done() && handle.cancel());
    assert_eq!(drops.count(), 1);
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn cancelling_shutdown_cancels_a_resting_future_and_its_successor_is_refused() {
    let pool = pool();
    let handle = pool.submit_future_outcome::<_, u8>(pending()).unwrap();
    assert!(pool.run_one());
    pool.shutdown(Shutdown::Cancel).unwrap();
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    let refused = pool.submit_future_outcome(async { Ok(7) }).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    let mut future = core::pin::pin!(refused.into_inner());
    let polled = super::Task::new().poll(future.as_mut());
    assert_eq!(polled, Poll::Ready(Ok(7)), "the future comes back");
}

#[test]
fn full_executor_gives_the_future_back() {
    let executor: &'static Executor<0, 1, 128> = forever(Executor::new());
    let permit = executor.reserve().unwrap();
    let refused = executor.submit_future_outcome(async { Ok(7) }).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    let handle = permit.submit_future_outcome(refused.into_inner()).unwrap();
    assert_eq!(handle.result(), Ok(7));
}

/// The error passes through with `?`, and the last handle tells the first cause.
#[test]
fn futures_pass_on_each_others_errors() {
    let pool = pool();
    let first = ends::<u32>(pool.submitter(), Err(TaskError::Remote(RemoteError::Lost)));
    let second = pool.submit_future_outcome(async { Ok(first.await? + 1) });
    let second = second.unwrap();
    let third = pool.submit_future_outcome(async { Ok(second.await? + 1) });
    let error = third.unwrap().result().unwrap_err();
    assert_eq!(error.remote(), Some(RemoteError::Lost));
}

/// A worker polls, another thread wakes, and each task's outcome is its own.
#[test]
fn workers_poll_futures_that_other_threads_wake() {
    const TIMES: u32 = if cfg!(miri) { 5 } else { 200 };
    static POOL: Executor<2, 4, 256> = Executor::new();
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    fn woken(outcome: Result<u32, TaskError>) -> impl Future<Output = Result<u32, TaskError>> {
        let mut outcome = Some(outcome);
        let mut polled = false;
        poll_fn(move |context| {
            if polled {
                return Poll::Ready(outcome.take().expect("it is not polled again"));
            }
            polled = true;
            *WAKER.lock().unwrap() = Some(context.waker().clone());
            Poll::Pending
        })
    }
    within_limit(|| {
        with_crew(&POOL, |_| {
            for n in 0..TIMES {
                let outcome = || match n % 3 {
                    0 => Ok(n),
                    1 => Err(TaskError::Remote(RemoteError::Exited { code: n as u8 })),
                    _ => Err(TaskError::Cancelled),
                };
                let handle = POOL.submit_future_outcome(woken(outcome())).unwrap();
                let waker = loop {
                    if let Some(waker) = WAKER.lock().unwrap().take() {
                        break waker;
                    }
                    std::thread::yield_now();
                };
                waker.wake();
                assert_eq!(handle.result(), outcome());
            }
        });
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}
