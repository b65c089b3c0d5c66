//! Requests to stop: what they do to which task, and what the task and its observers see.

use core::error::Error;
use core::future::{pending, poll_fn};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::Poll;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::{Executor, JoinHandle, Shutdown, Stop, Stopped, TaskError, TaskState};

use super::Drops;
use crate::stage::{Stage, forever, raise, suspended, with_crew, within_limit};

type Pool = Executor<1, 4, 128, Stage>;

/// Runs until it is asked to stop.
fn until_asked(stop: &Stop) -> u8 {
    while !stop.requested() {
        thread::yield_now();
    }
    7
}

/// Waits until a worker has started the task.
fn until_running<T>(handle: &JoinHandle<'_, T, Stage>) {
    while !handle.running() {
        thread::yield_now();
    }
}

/// Calls the body with a pool that has a worker.
fn with_worker(body: impl FnOnce(&'static Pool) + Send + 'static) {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        with_crew(pool, |_| body(pool));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A closure that says when it runs, and goes on when it is told.
fn stays() -> (impl FnOnce() -> u8 + Send, Receiver<()>, Sender<()>) {
    let ((begin, begun), (go_on, told)) = (channel(), channel());
    let stays = move || {
        begin.send(()).unwrap();
        told.recv().unwrap();
        7
    };
    (stays, begun, go_on)
}

#[test]
fn request_ends_a_closure_that_runs_and_its_value_is_ordinary() {
    with_worker(|pool| {
        let mut handle = pool.submit_stoppable(until_asked).unwrap();
        until_running(&handle);
        assert!(!handle.stop_requested());
        assert!(handle.request_stop(), "the first");
        assert!(!handle.request_stop(), "not the first");
        assert!(handle.stop_requested());
        assert_eq!(handle.wait(), Ok(&7));
        assert!(handle.stop_requested(), "also after the end");
        assert!(handle.done() && !handle.cancelled());
        assert!(!handle.cancel(), "it has a value");
        assert_eq!(handle.result(), Ok(7));
        assert_eq!((pool.stats().completed, pool.stats().cancelled), (1, 0));
    });
}

#[test]
fn canceller_asks_from_another_thread_and_the_first_request_is_told_apart() {
    with_worker(|pool| {
        let handle = pool.submit_stoppable(until_asked).unwrap();
        until_running(&handle);
        let canceller = handle.canceller();
        let askers = [0; 4].map(|_| thread::spawn(move || canceller.request_stop()));
        let firsts = askers.map(|asker| usize::from(asker.join().unwrap()));
        assert_eq!(firsts.iter().sum::<usize>(), 1);
        assert_eq!(handle.result(), Ok(7));
        assert!(!canceller.request_stop(), "it is gone");
    });
}

#[test]
fn request_cancels_a_queued_task_at_once() {
    let pool: &Pool = forever(Executor::new());
    let drops = Drops::default();
    for ask in [
        (|handle| handle.request_stop()) as fn(&JoinHandle<'_, u8, Stage>) -> bool,
        |handle| handle.canceller().request_stop(),
    ] {
        let captured = drops.value();
        let handle = pool
            .submit_stoppable(move |_| {
                drop(captured);
                7
            })
            .unwrap();
        let before = drops.count();
        assert!(ask(&handle));
        assert_eq!(drops.count(), before + 1, "in the calling thread");
        assert!(handle.cancelled() && !handle.stop_requested());
        assert!(!ask(&handle), "it has ended");
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
    }
    assert_eq!((pool.stats().cancelled, pool.stats().slots_in_use), (2, 0));
}

/// A closure from plain `submit` cannot see the request, which is noted all the same.
#[test]
fn request_to_a_plain_closure_is_noted_and_changes_nothing_else() {
    with_worker(|pool| {
        let (stays, begun, go_on) = stays();
        let handle = pool.submit(stays).unwrap();
        begun.recv().unwrap();
        assert!(handle.request_stop());
        assert!(!handle.request_stop());
        assert!(handle.stop_requested() && !handle.done());
        go_on.send(()).unwrap();
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn request_cancels_a_future_that_rests() {
    with_worker(|pool| {
        let (handle, waker) = suspended(pool, 7_u8);
        // Refused as long as its first poll has not ended.
        while !handle.request_stop() {
            thread::yield_now();
        }
        assert!(handle.cancelled() && !handle.stop_requested());
        waker.wake();
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
    });
}

#[test]
fn request_to_a_future_in_the_middle_of_a_poll_is_refused() {
    with_worker(|pool| {
        let (stays, begun, go_on) = stays();
        let mut stays = Some(stays);
        let future = poll_fn(move |_| match stays.take() {
            Some(stays) => Poll::Ready(stays()),
            None => Poll::Pending,
        });
        let handle = pool.submit_future(future).unwrap();
        begun.recv().unwrap();
        assert!(!handle.request_stop() && !handle.canceller().request_stop());
        assert!(!handle.stop_requested());
        go_on.send(()).unwrap();
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn request_cancels_an_open_promise_and_leaves_a_running_one_alone() {
    let pool: &Pool = forever(Executor::new());
    let (promise, handle) = pool.promise::<u8>().unwrap();
    assert!(handle.request_stop());
    assert_eq!(promise.set_result(7).unwrap_err().into_inner(), 7);
    assert_eq!(handle.result(), Err(TaskError::Cancelled));

    let (promise, handle) = pool.promise::<u8>().unwrap();
    assert_eq!(promise.set_running_or_notify_cancel(), Ok(true));
    assert!(!handle.request_stop() && !handle.stop_requested());
    promise.set_result(7).unwrap();
    assert_eq!(handle.result(), Ok(7));
}

/// A completed promise shares its bit in the state word with requests to closures.
#[test]
fn promise_that_was_completed_was_never_asked_to_stop() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    for listens in [false, true] {
        for complete in [0, 1, 2] {
            let pool: &'static Executor<0, 2> = forever(Executor::new());
            let (promise, handle) = pool.promise::<u8>().unwrap();
            let handle: &'static JoinHandle<'_, _, _> = forever(handle);
            if listens {
                let callback = |_: Result<&u8, &TaskError>| {
                    ASKED.fetch_or(handle.stop_requested(), Ordering::Relaxed);
                    CALLED.fetch_add(1, Ordering::Relaxed);
                };
                handle.add_done_callback(callback).unwrap();
            }
            match complete {
                0 => promise.complete(Ok(7)).unwrap(),
                1 => promise.set_result(7).unwrap(),
                _ => drop(promise),
            }
            assert!(handle.done() && !handle.stop_requested());
            assert!(!handle.request_stop());
            assert!(!handle.stop_requested());
        }
    }
    assert_eq!(CALLED.load(Ordering::Relaxed), 3);
    assert!(!ASKED.load(Ordering::Relaxed));
}

#[test]
fn request_to_what_has_ended_is_refused() {
    let pool: Executor<0, 2> = Executor::new();
    let mut handle = pool.submit_stoppable(|stop| stop.requested()).unwrap();
    pool.run_until_idle();
    assert!(!handle.request_stop() && !handle.canceller().request_stop());
    assert!(!handle.stop_requested());
    assert_eq!(handle.try_result(), Some(Ok(false)));
    assert!(!handle.request_stop() && !handle.stop_requested(), "taken");
}

/// The canceller of a task never asks a later task of the same slot.
#[test]
fn canceller_of_an_earlier_task_asks_no_later_one() {
    within_limit(|| {
        let pool: &'static Executor<1, 1, 64, Stage> = forever(Executor::new());
        with_crew(pool, |_| {
            let earlier = pool.submit_stoppable(|_| ()).unwrap();
            let canceller = earlier.canceller();
            earlier.result().unwrap();
            let later = pool.submit_stoppable(until_asked).unwrap();
            until_running(&later);
            assert!(!canceller.request_stop());
            assert_eq!(canceller.state(), TaskState::Gone);
            assert!(!later.stop_requested());
            assert!(later.request_stop());
            assert_eq!(later.result(), Ok(7));
        });
    });
}

#[test]
fn check_ends_a_closure_by_question_mark() {
    fn endless(stop: &Stop) -> Result<(), Box<dyn Error + Send + Sync>> {
        loop {
            stop.check()?;
            thread::yield_now();
        }
    }
    with_worker(|pool| {
        let handle = pool.submit_stoppable(endless).unwrap();
        until_running(&handle);
        handle.request_stop();
        let error = handle.result().unwrap().unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Stopped));
        assert_eq!(error.to_string(), "the task was asked to stop");
    });
}

#[test]
fn panic_after_a_request_is_the_tasks_own() {
    with_worker(|pool| {
        let handle = pool
            .submit_stoppable(|stop| {
                until_asked(stop);
                raise("after the request");
            })
            .unwrap();
        until_running(&handle);
        handle.request_stop();
        assert!(matches!(
            handle.result(),
            Err::<(), _>(TaskError::Panicked(_))
        ));
        assert_eq!(pool.stats().panicked, 1);
    });
}

/// The token may be lent to the tasks of a scope, which run on other threads.
#[test]
fn closure_lends_its_token_to_the_tasks_of_its_scope() {
    within_limit(|| {
        let pool: &'static Executor<3, 4, 128, Stage> = forever(Executor::new());
        with_crew(pool, |_| {
            let outer = pool
                .submit_stoppable(|stop| {
                    pool.scope(|s| {
                        let parts = [1, 2].map(|part| {
                            s.submit(move || part * u32::from(until_asked(stop)))
                                .unwrap()
                        });
                        parts.map(|part| part.result().unwrap()).iter().sum::<u32>()
                    })
                })
                .unwrap();
            until_running(&outer);
            assert!(outer.request_stop());
            assert_eq!(outer.result(), Ok(21));
        });
    });
}

/// A task of a scope is asked like any other. The scope asks none by itself.
#[test]
fn task_of_a_scope_is_asked_by_its_handle() {
    with_worker(|pool| {
        let seen = AtomicUsize::new(0);
        pool.scope(|s| {
            let handle = s
                .submit_stoppable(|stop| {
                    seen.fetch_add(until_asked(stop).into(), Ordering::Relaxed)
                })
                .unwrap();
            until_running(&handle);
            assert!(handle.canceller().request_stop());
            handle.detach();
        });
        assert_eq!(seen.load(Ordering::Relaxed), 7);
    });
}

#[test]
fn task_that_another_thread_runs_inline_can_be_asked() {
    within_limit(|| {
        let pool: &'static Executor<0, 1, 64, Stage> = forever(Executor::new());
        let handle = pool.submit_stoppable(until_asked).unwrap();
        let canceller = handle.canceller();
        let runs = thread::spawn(|| handle.result_inline());
        while canceller.state() != TaskState::Running {
            thread::yield_now();
        }
        assert!(canceller.request_stop());
        assert_eq!(runs.join().unwrap(), Ok(7));
    });
}

/// The closure takes no byte more than a plain one, and comes back when it is refused.
#[test]
fn every_way_to_submit_takes_stoppable_closures_as_large_as_a_slot() {
    let pool: Executor<0, 1> = Executor::new();
    let full = [1_u8; 64];
    let sum = move |stop: &Stop| full.iter().filter(|_| !stop.requested()).count();
    assert_eq!(pool.submit_stoppable(sum).unwrap().result(), Ok(64));
    assert_eq!(
        pool.submitter().submit_stoppable(sum).unwrap().result(),
        Ok(64)
    );
    let permit = pool.reserve().unwrap();
    let refused = pool.submit_stoppable(sum).unwrap_err();
    let permitted = permit.submit_stoppable(refused.into_inner()).unwrap();
    assert_eq!(permitted.result(), Ok(64));
    let scoped = pool.scope(|s| s.submit_stoppable(sum).unwrap().result());
    assert_eq!(scoped, Ok(64));
    let permit = pool.reserve().unwrap();
    pool.begin_shutdown(Shutdown::Drain);
    assert!(permit.submit_stoppable(sum).is_err());
    assert!(pool.scope(|s| s.submit_stoppable(sum).is_err()));
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// A shutdown that stops asks those that run, and a future that rests for ever is cancelled.
#[test]
fn shutdown_that_stops_ends_endless_tasks() {
    within_limit(|| {
        for how in [0, 1] {
            let pool: &'static Executor<2, 8, 128, Stage> = forever(Executor::new());
            with_crew(pool, |_| {
                let mut running: Vec<_> = (0..6)
                    .map(|_| pool.submit_stoppable(until_asked).unwrap())
                    .collect();
                let rests = pool.submit_future(pending::<()>()).unwrap();
                until_running(&running[0]);
                if how == 0 {
                    // An earlier `Cancel` asks none, and `Stop` goes further.
                    pool.begin_shutdown(Shutdown::Cancel);
                    assert!(!running[0].stop_requested());
                    pool.begin_shutdown(Shutdown::Stop);
                }
                pool.shutdown(Shutdown::Stop).unwrap();
                assert_eq!(running.remove(0).result(), Ok(7));
                for handle in running {
                    let outcome = handle.result();
                    assert!(matches!(outcome, Ok(7) | Err(TaskError::Cancelled)));
                }
                assert_eq!(rests.result(), Err(TaskError::Cancelled));
            });
        }
    });
}

/// In each life tasks start while the shutdown begins. None is missed, or the life would not end.
#[test]
fn shutdown_that_stops_misses_no_task_that_starts_meanwhile() {
    within_limit(|| {
        let pool: &'static Executor<2, 4, 64, Stage> = forever(Executor::new());
        for _ in 0..if cfg!(miri) { 3 } else { 300 } {
            with_crew(pool, |_| {
                let handles = [0; 4].map(|_| pool.submit_stoppable(until_asked).unwrap());
                pool.shutdown(Shutdown::Stop).unwrap();
                for handle in handles {
                    let outcome = handle.result();
                    assert!(matches!(outcome, Ok(7) | Err(TaskError::Cancelled)));
                }
            });
        }
    });
}
