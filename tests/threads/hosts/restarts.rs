//! Several runs of one executor, one after another, and workers of unlike kinds side by side.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::{Executor, Ran, Refusal, Shutdown, Spawn, StartError, StdHost, StdThreads, Worker};

use super::{By, NoThread};
use crate::stage::{Crew, Pace, Stage, forever, keep, rounds, within_limit};

/// A run is over when its last worker has left.
#[test]
fn a_second_run_is_refused_until_the_first_is_over() {
    within_limit(|| {
        let pool: &Executor<1, 4> = forever(Executor::new());
        let (keep, kept) = keep::<StdHost>();
        let second = || pool.run_on(&keep, |_| ());
        thread::scope(|threads| {
            let first = threads.spawn(|| {
                let first = pool.run_on(&keep, |_| {
                    assert!(
                        matches!(second(), Err(StartError::AlreadyStarted)),
                        "in the body"
                    );
                });
                first.unwrap();
            });
            let mut worker = kept.recv().unwrap();
            while worker.run_one() != Ran::Left {
                thread::yield_now();
            }
            first.join().unwrap();
        });
        assert_eq!(
            pool.run(&StdThreads::new(), |pool| pool
                .submit(|| 1)
                .unwrap()
                .result()
                .unwrap())
                .unwrap(),
            1
        );
    });
}

#[test]
fn two_threads_run_one_executor_in_turn() {
    within_limit(|| {
        let pool: Executor<2, 8> = Executor::new();
        let turns = || {
            rounds(|_| {
                loop {
                    match pool.run(&StdThreads::new(), |pool| {
                        pool.submit(|| 1).unwrap().result().unwrap()
                    }) {
                        Ok(value) => break assert_eq!(value, 1),
                        Err(StartError::AlreadyStarted) => thread::yield_now(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        };
        thread::scope(|threads| {
            threads.spawn(turns);
            threads.spawn(turns);
        });
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A super-loop looks for a task now and then, and may be busy with something else. So a submitter
/// wakes the parked worker all the same.
#[test]
fn a_task_wakes_the_parked_worker_beside_a_super_loop() {
    static POOL: Executor<2, 8, 64, Stage> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        let crew = Crew::default();
        let host = By(|worker: Worker<'static, Stage>| {
            if worker.index() == 1 {
                return crew.spawn(worker).map_err(|_| NoThread);
            }
            keep.spawn(worker).unwrap();
            Ok(())
        });
        POOL.start(&host).unwrap();
        let mut worker: Worker<'static, Stage> = kept.recv().unwrap();
        let (pause, pauses) = channel::<(Sender<()>, Receiver<()>)>();
        let super_loop = thread::spawn(move || {
            while worker.run_one() != Ran::Left {
                if let Ok((pausing, resumed)) = pauses.try_recv() {
                    pausing.send(()).unwrap();
                    let _ = resumed.recv(); // ends when the test drops its end
                }
            }
        });
        let parked = crew.actor(0);
        rounds(|pace| {
            let ((pausing, paused), (resume, resumed)) = (channel(), channel());
            let pause_loop = || {
                pause.send((pausing, resumed)).unwrap();
                paused.recv().unwrap();
            };
            parked.until_asleep();
            let task = || POOL.submit(|| 1).unwrap();
            let handle = if pace == Pace::Staged {
                pause_loop();
                task()
            } else {
                let handle = task();
                pause_loop();
                handle
            };
            assert_eq!(handle.result().unwrap(), 1);
            drop(resume);
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        super_loop.join().unwrap();
        crew.join();
    });
}

/// The submitter has one task at a time and sixteen slots, while the executor stops and starts. A
/// refusal says that the executor is shut down, never that it is full.
#[test]
fn a_restarting_executor_never_looks_full() {
    static POOL: Executor<1, 16> = Executor::new();
    static OVER: AtomicBool = AtomicBool::new(false);
    within_limit(|| {
        let submitter = thread::spawn(|| {
            let mut accepted = 0;
            while !OVER.load(Ordering::Relaxed) {
                let submitted = POOL.submit(|| ()).map_err(|refused| refused.reason());
                let reserved = POOL.reserve();
                let permitted = reserved
                    .and_then(|permit| permit.submit(|| ()).map_err(|refused| refused.reason()));
                for handle in [submitted, permitted] {
                    match handle {
                        Ok(handle) => {
                            handle.cancel();
                            accepted += 1;
                        }
                        Err(reason) => assert_eq!(reason, Refusal::ShutDown),
                    }
                }
            }
            accepted
        });
        for _ in 0..if cfg!(miri) { 10 } else { 5000 } {
            POOL.start(&StdThreads::new()).unwrap();
            POOL.shutdown(Shutdown::Drain).unwrap();
        }
        OVER.store(true, Ordering::Relaxed);
        assert_ne!(submitter.join().unwrap(), 0);
        POOL.start(&StdThreads::new()).unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}
