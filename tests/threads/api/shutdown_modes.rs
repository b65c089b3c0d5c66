//! `Shutdown::{Drain, Cancel, Stop}`, waited for and awaited.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use slotted::{Executor, Refusal, Shutdown, ShutdownError, TaskError};

use super::{Drops, block_on};
use crate::stage::{Crew, Stage, forever, suspended, within_limit};

type Pool = Executor<1, 4, 128, Stage>;

/// A way to shut an executor down and to wait for the end.
type Close = fn(&'static Pool, Shutdown) -> Result<(), ShutdownError>;

const WAYS: [Close; 3] = [
    |pool, shutdown| pool.shutdown(shutdown),
    |pool, shutdown| block_on(pool.shutdown_async(shutdown)),
    |pool, shutdown| {
        pool.begin_shutdown(shutdown);
        pool.shutdown(shutdown)
    },
];

/// One task runs and one waits when the shutdown begins. Returns how they ended.
fn shut_down(close: Close, shutdown: Shutdown) -> [Result<u8, TaskError>; 2] {
    let pool: &Pool = forever(Executor::new());
    let crew = Crew::default();
    pool.start(&crew).unwrap();
    let ((begin, begun), (go_on, told)) = (channel::<()>(), channel::<()>());
    let drops = Drops::default();
    let runs = pool
        .submit(move || {
            begin.send(()).unwrap();
            told.recv().unwrap();
            1
        })
        .unwrap();
    let captured = drops.value();
    let waits = pool
        .submit(move || {
            drop(captured);
            2
        })
        .unwrap();
    begun.recv().unwrap();
    let closer = std::thread::spawn(move || close(pool, shutdown));
    // What is pending is cancelled while the other task still runs.
    if shutdown != Shutdown::Drain {
        assert_eq!(waits.error(), Some(&TaskError::Cancelled));
        assert_eq!(drops.count(), 1);
    }
    go_on.send(()).unwrap();
    assert_eq!(closer.join().unwrap(), Ok(()));
    crew.join();
    assert_eq!(pool.submit(|| ()).unwrap_err().reason(), Refusal::ShutDown);
    assert_eq!(drops.count(), 1);
    let outcomes = [runs.result(), waits.result()];
    assert_eq!(pool.stats().slots_in_use, 0);
    outcomes
}

#[test]
fn drain_runs_what_waits() {
    within_limit(|| {
        for close in WAYS {
            assert_eq!(shut_down(close, Shutdown::Drain), [Ok(1), Ok(2)]);
        }
    });
}

#[test]
fn cancel_cancels_what_waits_and_lets_the_running_task_end() {
    within_limit(|| {
        for close in WAYS {
            let outcomes = shut_down(close, Shutdown::Cancel);
            assert_eq!(outcomes, [Ok(1), Err(TaskError::Cancelled)]);
        }
    });
}

#[test]
fn stop_cancels_what_waits_and_lets_the_running_task_end() {
    within_limit(|| {
        for close in WAYS {
            let outcomes = shut_down(close, Shutdown::Stop);
            assert_eq!(outcomes, [Ok(1), Err(TaskError::Cancelled)]);
        }
    });
}

/// An async task that rests is waited for by `Drain`, and dropped by the others.
#[test]
fn future_that_rests_is_waited_for_or_dropped() {
    within_limit(|| {
        for close in WAYS {
            for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
                let pool: &Pool = forever(Executor::new());
                let crew = Crew::default();
                pool.start(&crew).unwrap();
                let (handle, waker) = suspended(pool, 7);
                let closer = std::thread::spawn(move || close(pool, shutdown));
                let outcome = if shutdown == Shutdown::Drain {
                    // The shutdown has begun when nothing is taken any more.
                    while pool.reserve().is_ok() {
                        std::thread::yield_now();
                    }
                    assert!(!handle.done());
                    waker.wake();
                    Ok(7)
                } else {
                    Err(TaskError::Cancelled)
                };
                assert_eq!(closer.join().unwrap(), Ok(()));
                assert_eq!(handle.result(), outcome);
                crew.join();
            }
        }
    });
}

#[test]
fn later_cancel_or_stop_goes_further_than_a_drain_and_not_the_other_way() {
    for further in [Shutdown::Cancel, Shutdown::Stop] {
        let pool: &Pool = forever(Executor::new());
        let handle = pool.submit(|| 1).unwrap();
        pool.begin_shutdown(Shutdown::Drain);
        assert!(!handle.done());
        pool.begin_shutdown(further);
        assert!(handle.cancelled());
        pool.begin_shutdown(Shutdown::Drain);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().cancelled, 1);
    }
}

/// Shutdowns and starts in turn. Each life runs its own task.
#[test]
fn executor_starts_again_after_each_kind_of_shutdown() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        for close in WAYS {
            for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
                let crew = Crew::default();
                pool.start(&crew).unwrap();
                let before = RAN.load(Ordering::Relaxed);
                let ran = pool.submit(|| RAN.fetch_add(1, Ordering::Relaxed)).unwrap();
                assert_eq!(ran.result(), Ok(before));
                assert_eq!(close(pool, shutdown), Ok(()));
                assert_eq!(close(pool, shutdown), Ok(()), "idempotent");
                crew.join();
            }
        }
    });
}
