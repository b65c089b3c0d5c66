//! Cancelling a task and waiting until it has ended, by one thread or by several at once.

use core::future::{Future, pending, poll_fn};
use core::task::Poll;
use core::time::Duration;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::{Executor, JoinHandle, Park, Stop, TaskError};

use super::Drops;
use crate::stage::{Stage, forever, raise, with_crew, within_limit};

type Pool = Executor<2, 4, 128>;

/// Far longer than any wait here takes.
const LONG: Duration = Duration::from_secs(100);

/// Runs until it is asked to stop.
fn until_asked(stop: &Stop) -> u8 {
    while !stop.requested() {
        thread::yield_now();
    }
    7
}

fn until_running<T>(handle: &JoinHandle<'_, T>) {
    while !handle.running() {
        thread::yield_now();
    }
}

/// Calls the body with a pool that has workers.
fn with_workers(body: impl FnOnce(&'static Pool) + Send + 'static) {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        with_crew(pool, |_| body(pool));
    });
}

#[test]
fn cancel_sync_returns_when_the_task_has_ended() {
    with_workers(|pool| {
        let drops = Drops::default();
        let captured = drops.value();
        let handle = pool
            .submit_stoppable(move |stop| {
                let _captured = captured;
                until_asked(stop)
            })
            .unwrap();
        until_running(&handle);
        assert_eq!(handle.cancel_sync(), Ok(7));
        assert_eq!(drops.count(), 1);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn cancel_sync_of_a_queued_task_cancels_it_without_a_worker() {
    let pool: Executor<1, 1> = Executor::new();
    let handle = pool.submit(|| 7).unwrap();
    assert_eq!(
        handle.cancel_sync(),
        Err(TaskError::Cancelled),
        "not `NotStarted`"
    );
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn cancel_sync_waits_for_a_closure_that_cannot_see_the_request() {
    with_workers(|pool| {
        let ((begin, begun), (go_on, told)) = (channel(), channel());
        let handle = pool
            .submit(move || {
                begin.send(()).unwrap();
                told.recv().unwrap();
                7
            })
            .unwrap();
        begun.recv().unwrap();
        let canceller = thread::spawn(|| handle.cancel_sync());
        go_on.send(()).unwrap();
        assert_eq!(canceller.join().unwrap(), Ok(7));
    });
}

#[test]
fn cancel_sync_tells_of_a_panic() {
    with_workers(|pool| {
        let handle = pool
            .submit_stoppable(|stop| {
                until_asked(stop);
                raise("after the request")
            })
            .unwrap();
        until_running(&handle);
        let ended: Result<(), _> = handle.cancel_sync();
        assert!(ended.unwrap_err().is_panicked());
    });
}

#[test]
fn cancel_sync_timeout_leaves_handle_and_request() {
    with_workers(|pool| {
        let (go_on, told) = channel();
        let mut handle = pool
            .submit_stoppable(move |stop| {
                told.recv().unwrap();
                stop.requested()
            })
            .unwrap();
        until_running(&handle);
        for timeout in [Duration::ZERO, Duration::from_millis(1)] {
            assert_eq!(
                handle.cancel_sync_timeout(timeout),
                Err(TaskError::TimedOut)
            );
        }
        assert!(handle.stop_requested() && handle.running());
        go_on.send(()).unwrap();
        assert_eq!(handle.cancel_sync_timeout(LONG), Ok(true));
        assert_eq!(
            handle.cancel_sync_timeout(LONG),
            Err(TaskError::AlreadyTaken)
        );
        assert_eq!(handle.cancel_and_wait(), Some(&TaskError::AlreadyTaken));
        assert_eq!(handle.cancel_sync(), Err(TaskError::AlreadyTaken));
    });
}

#[test]
fn cancel_sync_timeout_of_a_queued_task_says_cancelled_each_time() {
    let pool: Executor<1, 1> = Executor::new();
    let mut handle = pool.submit(|| 7).unwrap();
    for _ in 0..2 {
        let ended = handle.cancel_sync_timeout(Duration::ZERO);
        assert_eq!(ended, Err(TaskError::Cancelled));
    }
}

/// The task would wait for itself. The request stays.
#[test]
fn cancel_sync_in_the_task_itself_would_deadlock() {
    with_workers(|pool| {
        let ((give, given), (say, said)) = (channel::<JoinHandle<'static, ()>>(), channel());
        let handle = pool
            .submit_stoppable(move |stop| {
                let itself = given.recv().unwrap();
                say.send((itself.cancel_sync(), stop.requested())).unwrap();
            })
            .unwrap();
        give.send(handle).unwrap();
        assert_eq!(said.recv().unwrap(), (Err(TaskError::WouldDeadlock), true));
    });
}

#[test]
fn cancel_sync_by_a_worker_ends_a_task_of_the_other_worker() {
    with_workers(|pool| {
        let endless = pool.submit_stoppable(until_asked).unwrap();
        until_running(&endless);
        let outer = pool.submit(move || endless.cancel_sync()).unwrap();
        assert_eq!(outer.result(), Ok(Ok(7)));
    });
}

/// A future that rests is cancelled at once, whatever it waits for.
#[test]
fn cancel_sync_of_a_future_that_rests_for_ever_ends_it() {
    with_workers(|pool| {
        for _ in 0..if cfg!(miri) { 3 } else { 1_000 } {
            let drops = Drops::default();
            let captured = drops.value();
            let endless = async move {
                let _captured = captured;
                pending::<u8>().await
            };
            // It is queued, being polled, or at rest.
            let handle = pool.submit_future(endless).unwrap();
            assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
            assert_eq!(drops.count(), 1);
        }
    });
}

/// A future that is pending for ever, and whose first poll lasts until it is told.
fn slow_poll() -> (impl Future<Output = ()> + Send, Receiver<()>, Sender<()>) {
    let ((begin, begun), (go_on, told)) = (channel(), channel::<()>());
    let mut polls = 0;
    let future = poll_fn(move |_| {
        polls += 1;
        if polls == 1 {
            begin.send(()).unwrap();
            told.recv().unwrap();
        }
        Poll::Pending
    });
    (future, begun, go_on)
}

/// The poll ends while the caller sleeps. No waker wakes the future, but for the caller.
#[test]
fn cancel_sync_of_a_future_in_the_middle_of_a_poll_cancels_it_after_that() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        with_crew(pool, |_| {
            let (future, begun, go_on) = slow_poll();
            let handle = pool.submit_future(future).unwrap();
            begun.recv().unwrap();
            let (tell, told) = channel();
            let canceller = thread::spawn(move || {
                tell.send(Stage::current()).unwrap();
                handle.cancel_sync()
            });
            told.recv().unwrap().until_asleep();
            go_on.send(()).unwrap();
            assert_eq!(canceller.join().unwrap(), Err(TaskError::Cancelled));
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}

#[test]
fn cancel_sync_timeout_of_a_future_in_the_middle_of_a_poll_times_out() {
    with_workers(|pool| {
        let (future, begun, go_on) = slow_poll();
        let mut handle = pool.submit_future(future).unwrap();
        begun.recv().unwrap();
        let ended = handle.cancel_sync_timeout(Duration::from_millis(1));
        assert_eq!(ended, Err(TaskError::TimedOut));
        go_on.send(()).unwrap();
        assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
    });
}

/// A future that is ready at the end of the poll has its value.
#[test]
fn cancel_sync_of_a_future_that_ends_in_that_poll_has_its_value() {
    with_workers(|pool| {
        let ((begin, begun), (go_on, told)) = (channel(), channel::<()>());
        let future = async move {
            begin.send(()).unwrap();
            told.recv().unwrap();
            7
        };
        let handle = pool.submit_future(future).unwrap();
        begun.recv().unwrap();
        let canceller = thread::spawn(|| handle.cancel_sync());
        go_on.send(()).unwrap();
        assert_eq!(canceller.join().unwrap(), Ok(7));
    });
}

#[test]
fn cancel_sync_waits_for_a_promise_that_runs_and_cancels_an_open_one() {
    with_workers(|pool| {
        let (_open, handle) = pool.promise::<u8>().unwrap();
        assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
        let (running, handle) = pool.promise::<u8>().unwrap();
        assert_eq!(running.set_running_or_notify_cancel(), Ok(true));
        let canceller = thread::spawn(|| handle.cancel_sync());
        running.set_result(7).unwrap();
        assert_eq!(canceller.join().unwrap(), Ok(7));
    });
}

/// zephyr#119700: of two callers of `k_work_cancel_sync` one waits for ever.
#[test]
fn several_threads_that_cancel_and_wait_all_return() {
    with_workers(|pool| {
        for round in 0..if cfg!(miri) { 2 } else { 200 } {
            let handle = pool.submit_stoppable(until_asked).unwrap();
            if round % 2 == 0 {
                until_running(&handle);
            }
            let ends = thread::scope(|s| {
                let waiters = [0; 4].map(|_| s.spawn(|| handle.cancel_and_wait().is_some()));
                waiters.map(|waiter| waiter.join().unwrap())
            });
            assert_eq!(ends, [handle.cancelled(); 4]);
            assert!(handle.done());
        }
    });
}

/// Waiters of other kinds beside them: a blocked one, and one with a time limit.
#[test]
fn waiters_of_other_kinds_return_too() {
    with_workers(|pool| {
        let handle = pool.submit_stoppable(until_asked).unwrap();
        until_running(&handle);
        thread::scope(|s| {
            s.spawn(|| assert_eq!(handle.error(), None));
            s.spawn(|| assert_eq!(handle.error_timeout(LONG), None));
            s.spawn(|| assert_eq!(handle.cancel_and_wait(), None));
        });
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn several_threads_that_cancel_a_future_and_wait_all_return() {
    with_workers(|pool| {
        for _ in 0..if cfg!(miri) { 2 } else { 200 } {
            let handle = pool.submit_future(pending::<()>()).unwrap();
            thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        assert_eq!(handle.cancel_and_wait(), Some(&TaskError::Cancelled));
                    });
                }
            });
        }
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// Without workers the caller runs other tasks while another thread runs this one.
#[test]
fn cancel_sync_without_workers_waits_for_the_thread_that_runs_the_task() {
    within_limit(|| {
        let pool: &'static Executor<0, 2> = forever(Executor::new());
        let handle = pool.submit_stoppable(until_asked).unwrap();
        let driver = thread::spawn(|| pool.run_one());
        until_running(&handle);
        assert_eq!(handle.cancel_sync(), Ok(7));
        assert!(driver.join().unwrap());
    });
}
