//! Requests to stop: against the start, the end and the cancelling of a task, and against each
//! other.
#![forbid(unsafe_code)]

use super::*;
use crate::Stop;

/// Runs until it is asked to stop.
fn until_asked(stop: &Stop) -> u8 {
    // Bound: loom runs the requester meanwhile.
    while !stop.requested() {
        thread::yield_now();
    }
    7
}

/// What an endless task ends with that was cancelled or asked.
fn is_an_end(outcome: &Result<u8, TaskError>) -> bool {
    matches!(outcome, Ok(7) | Err(TaskError::Cancelled))
}

#[test]
fn cancel_sync_ends_an_endless_task_that_starts_meanwhile() {
    model::<1, 1>(|pool| {
        let handle = pool.submit_stoppable(until_asked).unwrap();
        assert!(is_an_end(&handle.cancel_sync()));
    });
}

#[test]
fn a_request_and_the_end_of_the_task_leave_its_value() {
    model::<1, 1>(|pool| {
        let (counted, drops) = Counted::new();
        let handle = pool
            .submit_stoppable(move |stop| (stop.requested(), counted))
            .unwrap();
        let first = handle.request_stop();
        let cancelled = handle.cancelled();
        match handle.result() {
            Ok((seen, _)) => assert!(!cancelled && (first || !seen)),
            Err(error) => assert!(first && error.is_cancelled()),
        }
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_request_and_a_cancel_cancel_a_queued_task_once() {
    model_static::<1>(|pool| {
        let (counted, drops) = Counted::new();
        let handle = pool.submit_stoppable(move |_| drop(counted)).unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.cancel());
        handle.request_stop();
        assert!(handle.cancelled() && !handle.stop_requested());
        assert!(other.join().unwrap(), "it is cancelled now, by one of them");
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(pool.stats().cancelled, 1);
    });
}

#[test]
fn of_two_requests_for_a_queued_task_one_is_the_first() {
    model_static::<1>(|pool| {
        let handle = pool.submit_stoppable(until_asked).unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.request_stop());
        let ours = handle.request_stop();
        assert_ne!(other.join().unwrap(), ours);
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
    });
}

/// Two threads cancel and wait at once (zephyr#119700). Both return, and see the same end.
#[test]
fn two_threads_that_cancel_and_wait_both_return() {
    // Three threads: with a second preemption this one takes minutes.
    model_leaked_within::<1, 1>(1, |pool| {
        pool.start(&Modelled).unwrap();
        let handle: &'static _ = Box::leak(Box::new(pool.submit_stoppable(until_asked).unwrap()));
        let other = thread::spawn(move || handle.cancel_and_wait().is_some());
        let ours = handle.cancel_and_wait().is_some();
        assert_eq!(other.join().unwrap(), ours);
        assert_eq!(handle.cancelled(), ours);
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// As above, for a future that rests for ever, while a worker may be polling it.
#[test]
fn two_threads_that_cancel_a_future_and_wait_both_return() {
    model_leaked_within::<1, 1>(1, |pool| {
        pool.start(&Modelled).unwrap();
        let endless = core::future::pending::<u8>();
        let handle: &'static _ = Box::leak(Box::new(pool.submit_future(endless).unwrap()));
        let cancelled = Some(&TaskError::Cancelled);
        let other = thread::spawn(move || assert_eq!(handle.cancel_and_wait(), cancelled));
        assert_eq!(handle.cancel_and_wait(), cancelled);
        other.join().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn cancel_sync_ends_a_future_that_a_worker_is_polling() {
    model_leaked::<1, 1>(|pool| {
        pool.start(&Modelled).unwrap();
        let (counted, drops) = Counted::new();
        let endless = async move {
            let _counted = counted;
            core::future::pending::<u8>().await
        };
        let handle = pool.submit_future(endless).unwrap();
        assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn cancel_sync_ends_a_future_that_another_driver_is_polling() {
    model_static::<1>(|pool| {
        let handle = pool.submit_future(core::future::pending::<u8>()).unwrap();
        let driver = thread::spawn(move || pool.run_one());
        assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
        driver.join().unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A shutdown asks a task to stop that a worker starts meanwhile.
#[test]
fn a_shutdown_that_stops_misses_no_task_that_runs() {
    model::<1, 2>(|pool| {
        let handles = [0, 1].map(|_| pool.submit_stoppable(until_asked).unwrap());
        pool.shutdown(Shutdown::Stop).unwrap();
        for handle in handles {
            assert!(is_an_end(&handle.result()));
        }
    });
}

/// A task is set running while a canceller cancels it: where it waits for its first poll, where it
/// rests, and while it moves from the one to the other.
#[test]
fn of_a_canceller_and_a_thread_that_sets_a_task_running_one_wins() {
    for polls in 0..2 {
        let body: fn(&'static Pool<0, 1>) = match polls {
            0 => |pool| one_wins(pool, false),
            _ => |pool| one_wins(pool, true),
        };
        model_static::<1>(body);
    }
}

fn one_wins(pool: &'static Pool<0, 1>, is_polled_meanwhile: bool) {
    let (counted, drops) = Counted::new();
    let endless = async move {
        let _counted = counted;
        core::future::pending::<()>().await
    };
    let handle = pool.submit_future(endless).unwrap();
    let canceller = handle.canceller();
    let sets = thread::spawn(move || canceller.set_running_or_notify_cancel());
    let polls = is_polled_meanwhile.then(|| thread::spawn(move || pool.run_one()));
    let is_cancelled = handle.cancel();
    let is_set = sets.join().unwrap().unwrap();
    polls
        .into_iter()
        .for_each(|polls| _ = polls.join().unwrap());
    assert!(!(is_cancelled && is_set));
    // A thread that polls it keeps it from being cancelled for that moment.
    assert!(is_cancelled || is_set || is_polled_meanwhile);
    assert_eq!(handle.cancelled(), is_cancelled);
    assert_eq!(drops.load(Ordering::Relaxed), usize::from(is_cancelled));
    pool.shutdown(Shutdown::Cancel).unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}
