//! What a host may do with a worker: drop it, keep it, run it late, move it between threads.

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{
    Executor, Park, Ran, Shutdown, ShutdownError, Spawn, StartError, StdHost, StdThreads, Worker,
};

use super::{By, NoThread};
use crate::stage::{Actor, Stage, forever, keep, rounds, within_limit};

/// A refused start leaves a pointer to its first worker behind, and the next start gives out the
/// same pointer. The value that is used first is the worker. The other value is stale, and its drop
/// changes nothing.
#[test]
fn of_several_pointers_to_one_worker_the_first_used_runs_it() {
    static POOLED: [Executor<2, 4>; 2] = [const { Executor::new() }; 2];
    within_limit(|| {
        for (pool, dropped_at_once) in POOLED.iter().zip([true, false]) {
            let kept: Mutex<Vec<AtomicPtr<()>>> = Mutex::default();
            let keep = |worker: Worker<'static, StdHost>| {
                kept.lock().unwrap().push(AtomicPtr::new(worker.into_raw()))
            };
            let refused = pool.start(&By(|worker: Worker<'static, StdHost>| {
                if worker.index() == 1 {
                    return Err(NoThread);
                }
                keep(worker);
                Ok(())
            }));
            assert!(matches!(
                refused,
                Err(StartError::Refused { started: 1, .. })
            ));
            pool.start(&By(|worker| {
                keep(worker);
                Ok(())
            }))
            .unwrap();
            let mut workers = kept.into_inner().unwrap().into_iter().map(|pointer| {
                // SAFETY: the pointer comes from `into_raw`, for this host, and is moved in here.
                unsafe { Worker::<StdHost>::from_raw(pointer.into_inner()) }
            });
            let mut first = workers.next().unwrap();
            assert_eq!(first.run_one(), Ran::Nothing);
            // The worker is attached by now.
            let mut second = workers.next().unwrap();
            let mut other = workers.next().unwrap();
            assert_eq!([first.index(), second.index(), other.index()], [0, 0, 1]);
            assert_eq!(second.run_one(), Ran::Left);
            if dropped_at_once {
                drop(second);
            } else {
                assert_eq!(second.run_one(), Ran::Left);
            }
            let task = pool.submit(|| 1).unwrap();
            assert_eq!(first.run_one(), Ran::Task);
            assert_eq!(task.result().unwrap(), 1);
            assert!(matches!(
                pool.shutdown_timeout(Shutdown::Drain, Duration::ZERO),
                Err(ShutdownError::WouldDeadlock)
            ));
            assert_eq!([first.run_one(), other.run_one()], [Ran::Left, Ran::Left]);
            pool.shutdown(Shutdown::Drain).unwrap();
        }
    });
}

#[test]
fn a_dropped_worker_leaves_its_tasks_to_the_other_one() {
    within_limit(|| {
        rounds(|_| {
            for dropped in 0..2 {
                let pool: &Executor<2, 8> = forever(Executor::new());
                let host = By(|worker: Worker<'static, StdHost>| {
                    let drops = worker.index() == dropped;
                    if drops {
                        Ok(())
                    } else {
                        StdThreads::new().spawn(worker).map_err(|_| NoThread)
                    }
                });
                let sum = pool.run_on(&host, |pool| {
                    let [left, right] = [1, 2].map(|n| pool.submit(move || n).unwrap());
                    left.result().unwrap() + right.result().unwrap()
                });
                assert_eq!(sum.unwrap(), 3);
            }
        });
    });
}

/// Without workers, `run_one` and `shutdown` run the tasks in the caller's thread.
#[test]
fn an_executor_whose_workers_were_all_dropped_runs_tasks_in_its_callers() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let drops = By(|worker: Worker<'static, StdHost>| {
            drop(worker);
            Ok(())
        });
        for _ in 0..3 {
            POOL.start(&drops).unwrap();
            let [by_hand, by_shutdown] =
                [0; 2].map(|_| POOL.submit(|| thread::current().id()).unwrap());
            assert!(POOL.run_one());
            assert!(by_hand.done() && !by_shutdown.done());
            POOL.shutdown(Shutdown::Drain).unwrap();
            assert_eq!(by_hand.result().unwrap(), thread::current().id());
            assert_eq!(by_shutdown.result().unwrap(), thread::current().id());
        }
    });
}

/// An executor with such a worker cannot finish its shutdown. An executor on the stack cannot
/// leave `run`.
#[test]
fn a_worker_that_never_runs_holds_up_shutdown_and_run() {
    static POOL: Executor<1, 8> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let worker: Worker<'static, StdHost> = kept.recv().unwrap();
        let task = POOL.submit(|| 1).unwrap();
        assert!(matches!(
            POOL.shutdown_timeout(Shutdown::Drain, Duration::ZERO),
            Err(ShutdownError::TimedOut)
        ));
        assert!(!task.done());
        assert!(matches!(
            POOL.start(&StdThreads::new()),
            Err(StartError::AlreadyStarted)
        ));
        drop(worker);
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(task.result().unwrap(), 1);

        let pool: &Executor<1, 8> = forever(Executor::new());
        let dropped = AtomicBool::new(false);
        thread::scope(|threads| {
            let dropped = &dropped;
            threads.spawn(move || {
                let worker: Worker<'static, StdHost> = kept.recv().unwrap();
                dropped.store(true, Ordering::Relaxed);
                drop(worker);
            });
            pool.run_on(&keep, |_| ()).unwrap();
            assert!(
                dropped.load(Ordering::Relaxed),
                "the run ends after its worker"
            );
        });
    });
}

/// The host runs the workers only after the shutdown has begun.
#[test]
fn a_late_worker_runs_the_accepted_tasks() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep::<StdHost>();
        for _ in 0..3 {
            POOL.start(&keep).unwrap();
            let (first, second) = (kept.recv().unwrap(), kept.recv().unwrap());
            let tasks = [0; 4].map(|_| POOL.submit(|| thread::current().id()).unwrap());
            POOL.begin_shutdown(Shutdown::Drain);
            let late = thread::spawn(|| first.run());
            let id = late.thread().id();
            late.join().unwrap();
            for task in tasks {
                assert_eq!(task.result().unwrap(), id);
            }
            assert!(matches!(
                POOL.shutdown_timeout(Shutdown::Drain, Duration::ZERO),
                Err(ShutdownError::TimedOut)
            ));
            thread::spawn(|| second.run()).join().unwrap();
            POOL.shutdown(Shutdown::Drain).unwrap();
        }
    });
}

/// The host keeps a worker of a refused start until after the next start.
#[test]
fn a_worker_of_a_refused_start_is_stale_after_the_next_start() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        let refused = POOL.start(&By(|worker: Worker<'static, StdHost>| {
            if worker.index() == 1 {
                return Err(NoThread);
            }
            keep.spawn(worker).unwrap();
            Ok(())
        }));
        assert!(matches!(
            refused,
            Err(StartError::Refused { started: 1, .. })
        ));
        POOL.start(&keep).unwrap();
        let (stale, mut first, mut second) = (
            kept.recv().unwrap(),
            kept.recv().unwrap(),
            kept.recv().unwrap(),
        );
        let task = POOL.submit(|| thread::current().id()).unwrap();
        // In a thread of its own: the run of a worker that is not stale would not return.
        thread::spawn(|| stale.run()).join().unwrap();
        assert!(!task.done());
        assert_eq!(first.run_one(), Ran::Task);
        assert_eq!(task.result().unwrap(), thread::current().id());
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!([first.run_one(), second.run_one()], [Ran::Left, Ran::Left]);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// The executor takes the last thread that ran the worker for the worker, and no other thread.
#[test]
fn a_worker_is_the_last_thread_that_ran_it() {
    static POOL: Executor<1, 8, 64, Stage> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let mut worker: Worker<'static, Stage> = kept.recv().unwrap();
        for _ in 0..8 {
            // A worker that waits for an unstarted task runs it in place.
            let nests = || {
                POOL.submit(|| thread::current().id())
                    .unwrap()
                    .result()
                    .unwrap()
                    == thread::current().id()
            };
            let nested = POOL.submit(nests).unwrap();
            let run = move || {
                assert_eq!(worker.run_one(), Ran::Task);
                worker
            };
            worker = thread::spawn(run).join().unwrap();
            assert!(nested.result().unwrap());

            let (tell, told) = channel::<Actor>();
            let outsider = thread::spawn(move || {
                tell.send(Stage::current()).unwrap();
                POOL.submit(|| thread::current().id())
                    .unwrap()
                    .result()
                    .unwrap()
            });
            told.recv().unwrap().until_asleep();
            assert_eq!(worker.run_one(), Ran::Task);
            assert_eq!(outsider.join().unwrap(), thread::current().id());
        }
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}
