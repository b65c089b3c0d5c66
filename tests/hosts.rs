//! Hosts that are unusual, and hosts that are wrong: they may cost time or a worker, and nothing
//! else.
#![cfg(feature = "std")]

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod stage;

use core::cell::Cell;
use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Wake;
use std::thread;

use futures_core::Stream;
use slotted::{
    Clock, Executor, JoinHandle, Park, Pending, Ran, Refusal, ReturnWhen, ShutdownError, Spawn,
    StartError, StdHost, StdThreads, TaskError, Worker, as_completed, as_completed_timeout, wait,
    wait_timeout,
};

use crate::stage::{Actor, Crew, Pace, Stage, rounds, within_limit};

/// The host has no more threads.
#[derive(Debug, PartialEq, Eq)]
struct NoThread;

/// Gives each worker to a function of the test.
struct By<F>(F);

impl<H: Park, F: Fn(Worker<H>) -> Result<(), NoThread>> Spawn<H> for By<F> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<H>) -> Result<(), NoThread> {
        (self.0)(worker)
    }
}

/// Hands the workers to the test.
fn keep<H: Park>(to: &Sender<Worker<H>>) -> By<impl Fn(Worker<H>) -> Result<(), NoThread>> {
    By(|worker| {
        to.send(worker).unwrap();
        Ok(())
    })
}

/// How many executors a test that cannot use one twice goes through.
const POOLS: usize = if cfg!(miri) { 2 } else { 64 };

// ---- Spawn: refusals
// ------------------------------------------------------------------------------------------------

/// What was submitted survives the refusal, and the next start runs it, whatever the first workers
/// were just doing.
#[test]
fn refused_start_can_be_tried_again() {
    static POOLED: [Executor<2, 8>; POOLS] = [const { Executor::new() }; POOLS];
    within_limit(|| {
        for (round, pool) in POOLED.iter().enumerate() {
            let refused_at = round % 2;
            let task = pool.submit(|| 1).unwrap();
            let crew = Crew::default();
            let refused = pool.start(&By(|worker: Worker<StdHost>| {
                if worker.index() == refused_at {
                    Err(NoThread)
                } else {
                    crew.spawn(worker).map_err(|_| NoThread)
                }
            }));
            let Err(StartError::Refused {
                started,
                reason: NoThread,
            }) = refused
            else {
                panic!("{refused:?}")
            };
            assert_eq!(started, refused_at);
            crew.join();

            let crew = Crew::default();
            pool.start(&crew).unwrap();
            assert_eq!(task.result().unwrap(), 1);
            assert_eq!(pool.submit(|| 2).unwrap().result().unwrap(), 2);
            pool.shutdown(Pending::Run).unwrap();
            crew.join();
            assert_eq!(pool.stats().slots_in_use, 0);
        }
    });
}

/// The same for an executor on the stack: the refusal waits for the workers that had started.
#[test]
fn refused_run_can_be_tried_again() {
    within_limit(|| {
        rounds(|_| {
            let pool: Executor<3, 8> = Executor::new();
            let task = pool.submit(|| 1).unwrap();
            for refused_at in 0..3 {
                let refused = pool.run(
                    &By(|worker: Worker<StdHost>| {
                        let refuse = worker.index() == refused_at;
                        if refuse {
                            Err(NoThread)
                        } else {
                            StdThreads::new().spawn(worker).map_err(|_| NoThread)
                        }
                    }),
                    |_| panic!("the body is not run"),
                );
                assert!(
                    matches!(refused, Err(StartError::Refused { started, .. }) if started == refused_at)
                );
            }
            let sum = pool.run(&StdThreads::new(), |pool| {
                task.result().unwrap() + pool.submit(|| 2).unwrap().result().unwrap()
            });
            assert_eq!(sum.unwrap(), 3);
        });
    });
}

/// A shutdown that begins while a start is being refused is not undone by the refusal.
#[test]
fn shutdown_during_a_refused_start_stays() {
    static POOLED: [Executor<2, 8>; POOLS] = [const { Executor::new() }; POOLS];
    within_limit(|| {
        for (round, pool) in POOLED.iter().enumerate() {
            let task = pool.submit(|| 1).unwrap();
            // With the first worker about to run the task; or with none, so that it can only be
            // cancelled.
            let (refused_at, pending) = [(1, Pending::Run), (0, Pending::Cancel)][round % 2];
            let crew = Crew::default();
            let refused = pool.start(&By(|worker: Worker<StdHost>| {
                if worker.index() < refused_at {
                    return crew.spawn(worker).map_err(|_| NoThread);
                }
                pool.begin_shutdown(pending);
                Err(NoThread)
            }));
            assert!(
                matches!(refused, Err(StartError::Refused { started, .. }) if started == refused_at)
            );
            assert_eq!(pool.submit(|| 2).unwrap_err().reason(), Refusal::ShutDown);
            pool.shutdown(pending).unwrap();
            crew.join();
            match pending {
                Pending::Run => assert_eq!(task.result().unwrap(), 1),
                Pending::Cancel => assert!(task.result().unwrap_err().is_cancelled()),
            }

            let crew = Crew::default();
            pool.start(&crew).unwrap();
            assert_eq!(pool.submit(|| 3).unwrap().result().unwrap(), 3);
            pool.shutdown(Pending::Run).unwrap();
            crew.join();
        }
    });
}

// ---- Spawn: what becomes of a worker
// --------------------------------------------------------------------------------

/// A start that was refused leaves a pointer to its first worker behind; the next start gives out
/// the same one. Whichever is used first is the worker; the other value is stale, and dropping it
/// changes nothing.
#[test]
fn of_several_pointers_to_one_worker_one_runs_it() {
    static POOLED: [Executor<2, 4>; 2] = [const { Executor::new() }; 2];
    within_limit(|| {
        for (pool, dropped_at_once) in POOLED.iter().zip([true, false]) {
            let kept: Mutex<Vec<AtomicPtr<()>>> = Mutex::default();
            let keep = |worker: Worker<StdHost>| {
                kept.lock().unwrap().push(AtomicPtr::new(worker.into_raw()))
            };
            let refused = pool.start(&By(|worker: Worker<StdHost>| {
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
                // SAFETY: it comes from `into_raw`, for this host, and is moved in here.
                unsafe { Worker::<StdHost>::from_raw(pointer.into_inner()) }
            });
            let mut first = workers.next().unwrap();
            assert_eq!(first.run_one(), Ran::Nothing);
            // It is attached by now.
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
                pool.shutdown_timeout(Pending::Run, Duration::ZERO),
                Err(ShutdownError::WouldDeadlock)
            ));
            assert_eq!([first.run_one(), other.run_one()], [Ran::Left, Ran::Left]);
            pool.shutdown(Pending::Run).unwrap();
        }
    });
}

#[test]
fn host_that_drops_a_worker_has_one_less() {
    within_limit(|| {
        rounds(|_| {
            for dropped in 0..2 {
                let pool: Executor<2, 8> = Executor::new();
                let host = By(|worker: Worker<StdHost>| {
                    let drops = worker.index() == dropped;
                    if drops {
                        Ok(())
                    } else {
                        StdThreads::new().spawn(worker).map_err(|_| NoThread)
                    }
                });
                let sum = pool.run(&host, |pool| {
                    let [left, right] = [1, 2].map(|n| pool.submit(move || n).unwrap());
                    left.result().unwrap() + right.result().unwrap()
                });
                assert_eq!(sum.unwrap(), 3);
            }
        });
    });
}

/// Nobody runs the tasks then but who asks for it; a shutdown does, in its own thread.
#[test]
fn host_that_drops_every_worker() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let drops = By(|worker: Worker<StdHost>| {
            drop(worker);
            Ok(())
        });
        for _ in 0..3 {
            POOL.start(&drops).unwrap();
            let [by_hand, by_shutdown] =
                [0; 2].map(|_| POOL.submit(|| thread::current().id()).unwrap());
            assert!(POOL.run_one());
            assert!(by_hand.done() && !by_shutdown.done());
            POOL.shutdown(Pending::Run).unwrap();
            assert_eq!(by_hand.result().unwrap(), thread::current().id());
            assert_eq!(by_shutdown.result().unwrap(), thread::current().id());
        }
    });
}

/// An executor with a worker that nobody runs cannot finish shutting down; and one on the stack
/// cannot be left.
#[test]
fn host_that_keeps_a_worker_without_running_it() {
    static POOL: Executor<1, 8> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel();
        POOL.start(&keep(&to)).unwrap();
        let worker: Worker<StdHost> = kept.recv().unwrap();
        let task = POOL.submit(|| 1).unwrap();
        assert!(matches!(
            POOL.shutdown_timeout(Pending::Run, Duration::ZERO),
            Err(ShutdownError::TimedOut)
        ));
        assert!(!task.done());
        assert!(matches!(
            POOL.start(&StdThreads::new()),
            Err(StartError::AlreadyStarted)
        ));
        drop(worker);
        POOL.shutdown(Pending::Run).unwrap();
        assert_eq!(task.result().unwrap(), 1);

        let pool: Executor<1, 8> = Executor::new();
        let dropped = AtomicBool::new(false);
        thread::scope(|threads| {
            let dropped = &dropped;
            threads.spawn(move || {
                let worker: Worker<StdHost> = kept.recv().unwrap();
                dropped.store(true, Ordering::Relaxed);
                drop(worker);
            });
            pool.run(&keep(&to), |_| ()).unwrap();
            assert!(
                dropped.load(Ordering::Relaxed),
                "the executor outlives its worker"
            );
        });
    });
}

/// Late for the shutdown, a worker still runs what was accepted.
#[test]
fn worker_that_is_run_late_runs_what_waits() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel::<Worker<StdHost>>();
        for _ in 0..3 {
            POOL.start(&keep(&to)).unwrap();
            let (first, second) = (kept.recv().unwrap(), kept.recv().unwrap());
            let tasks = [0; 4].map(|_| POOL.submit(|| thread::current().id()).unwrap());
            POOL.begin_shutdown(Pending::Run);
            let late = thread::spawn(|| first.run());
            let id = late.thread().id();
            late.join().unwrap();
            for task in tasks {
                assert_eq!(task.result().unwrap(), id);
            }
            assert!(matches!(
                POOL.shutdown_timeout(Pending::Run, Duration::ZERO),
                Err(ShutdownError::TimedOut)
            ));
            thread::spawn(|| second.run()).join().unwrap();
            POOL.shutdown(Pending::Run).unwrap();
        }
    });
}

/// Later still: its start was refused, and another one was not.
#[test]
fn worker_of_a_refused_start_that_is_run_after_the_next_start_is_stale() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel::<Worker<StdHost>>();
        let refused = POOL.start(&By(|worker: Worker<StdHost>| {
            if worker.index() == 1 {
                return Err(NoThread);
            }
            to.send(worker).unwrap();
            Ok(())
        }));
        assert!(matches!(
            refused,
            Err(StartError::Refused { started: 1, .. })
        ));
        POOL.start(&keep(&to)).unwrap();
        let (stale, mut first, mut second) = (
            kept.recv().unwrap(),
            kept.recv().unwrap(),
            kept.recv().unwrap(),
        );
        let task = POOL.submit(|| thread::current().id()).unwrap();
        // In a thread of its own: were it not stale, it would not come back.
        thread::spawn(|| stale.run()).join().unwrap();
        assert!(!task.done());
        assert_eq!(first.run_one(), Ran::Task);
        assert_eq!(task.result().unwrap(), thread::current().id());
        POOL.begin_shutdown(Pending::Run);
        assert_eq!([first.run_one(), second.run_one()], [Ran::Left, Ran::Left]);
        POOL.shutdown(Pending::Run).unwrap();
    });
}

/// A thread is the worker as long as it is the last that ran it; threads that come after it are not
/// taken for it.
#[test]
fn worker_that_moves_between_threads() {
    static POOL: Executor<1, 8, 64, Stage> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel();
        POOL.start(&keep(&to)).unwrap();
        let mut worker: Worker<Stage> = kept.recv().unwrap();
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
            let alien = thread::spawn(move || {
                tell.send(Stage::current()).unwrap();
                POOL.submit(|| thread::current().id())
                    .unwrap()
                    .result()
                    .unwrap()
            });
            told.recv().unwrap().until_asleep();
            assert_eq!(worker.run_one(), Ran::Task);
            assert_eq!(alien.join().unwrap(), thread::current().id());
        }
        POOL.begin_shutdown(Pending::Run);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}

// ---- several runs of one executor
// -----------------------------------------------------------------------------------

/// A run is over only when the last of its workers is gone.
#[test]
fn second_run_is_refused_until_the_first_is_over() {
    within_limit(|| {
        let pool: Executor<1, 4> = Executor::new();
        let (to, kept) = channel::<Worker<StdHost>>();
        let second = || pool.run(&keep(&to), |_| ());
        thread::scope(|threads| {
            let first = threads.spawn(|| {
                let first = pool.run(&keep(&to), |_| {
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
            assert!(
                matches!(second(), Err(StartError::AlreadyStarted)),
                "its worker has left, but is there"
            );
            assert!(!first.is_finished());
            drop(worker);
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

/// A worker that looks for a task in a loop of its own does not keep others from being woken: it
/// may be doing something else.
#[test]
fn super_loop_next_to_a_parked_worker() {
    static POOL: Executor<2, 8, 64, Stage> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel();
        let crew = Crew::default();
        let host = By(|worker: Worker<Stage>| {
            if worker.index() == 1 {
                return crew.spawn(worker).map_err(|_| NoThread);
            }
            to.send(worker).unwrap();
            Ok(())
        });
        POOL.start(&host).unwrap();
        let mut worker: Worker<Stage> = kept.recv().unwrap();
        let (pause, pauses) = channel::<(Sender<()>, Receiver<()>)>();
        let super_loop = thread::spawn(move || {
            while worker.run_one() != Ran::Left {
                if let Ok((pausing, resumed)) = pauses.try_recv() {
                    pausing.send(()).unwrap();
                    let _ = resumed.recv(); // or gone: that is the signal
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
        POOL.shutdown(Pending::Run).unwrap();
        super_loop.join().unwrap();
        crew.join();
    });
}

/// One task at a time never finds sixteen slots full, whenever an executor is stopped and started:
/// it is shut down or it is not.
#[test]
fn restart_never_looks_full() {
    static POOL: Executor<1, 16> = Executor::new();
    static OVER: AtomicBool = AtomicBool::new(false);
    within_limit(|| {
        let submitter = thread::spawn(|| {
            let mut accepted = 0;
            while !OVER.load(Ordering::Relaxed) {
                let submitted = POOL.submit(|| ()).map_err(|refused| refused.reason());
                let reserved = POOL.reserve().map_err(|refused| refused.reason());
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
            POOL.shutdown(Pending::Run).unwrap();
        }
        OVER.store(true, Ordering::Relaxed);
        assert_ne!(submitter.join().unwrap(), 0);
        POOL.start(&StdThreads::new()).unwrap();
        POOL.shutdown(Pending::Run).unwrap();
    });
}

// ---- Park -----------------------------------------------------------------------------------------------------------

/// Never sleeps: `park` returns at once, whoever calls, and with it a millisecond of its time has
/// passed. Nobody is ever woken.
#[derive(Debug)]
struct Restless;

static RESTLESS_NOW: AtomicU64 = AtomicU64::new(0);

impl Park for Restless {
    type Thread = ();

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        thread::yield_now();
    }

    fn unpark((): &()) {}
}

impl Clock for Restless {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        RESTLESS_NOW.load(Ordering::Relaxed)
    }

    fn park_until(_deadline: u64) {
        RESTLESS_NOW.fetch_add(1, Ordering::Relaxed);
        thread::yield_now();
    }
}

/// Everything an executor does for its callers, once; a wait that is told that it would deadlock is
/// none of it.
fn use_everything<H: Park>(pool: &Executor<2, 8, 64, H>) {
    let three = || [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
    assert_eq!(three().map(|handle| handle.result().unwrap()), [1, 2, 3]);
    let mut handles = three();
    assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 3);
    drop(handles);
    assert_eq!(
        as_completed(three())
            .map(|handle| handle.result().unwrap())
            .sum::<i32>(),
        6
    );
    assert_eq!(pool.map(0..20, |n| n).map(Result::unwrap).sum::<i32>(), 190);
    let mut numbers = [1; 20];
    pool.scope(|s| s.for_each_chunk(&mut numbers, 3, |chunk| chunk.fill(2)))
        .unwrap();
    assert_eq!(numbers, [2; 20]);
    // More than there are slots.
    for _ in 0..20 {
        pool.submit_blocking(|| ()).unwrap().detach();
    }
}

#[test]
fn park_that_always_returns_early() {
    within_limit(|| {
        rounds(|_| {
            let pool: Executor<2, 8, 64, Restless> = Executor::new();
            pool.run(&Crew::default(), use_everything).unwrap();
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}

/// Keeps no permit: who is woken before it sleeps is not woken. It looks again after a millisecond,
/// so that what would be a system that stands still is one that is slow.
#[derive(Debug)]
struct Forgetful;

/// How many permits were lost: given to a thread that did not sleep.
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// Where a thread of [`Forgetful`] sleeps.
#[derive(Default)]
struct Bed {
    asleep: Mutex<bool>,
    woken: Condvar,
}

impl Park for Forgetful {
    type Thread = Arc<Bed>;

    fn current() -> Arc<Bed> {
        thread_local! {
            static BED: Arc<Bed> = Arc::default();
        }
        BED.with(Arc::clone)
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        let bed = Self::current();
        let mut asleep = bed.asleep.lock().unwrap();
        *asleep = true;
        // Bound: a millisecond, because of the permits that are lost.
        let (mut asleep, _) = bed
            .woken
            .wait_timeout_while(asleep, Duration::from_millis(1), |asleep| *asleep)
            .unwrap();
        *asleep = false;
    }

    fn unpark(bed: &Arc<Bed>) {
        if core::mem::replace(&mut *bed.asleep.lock().unwrap(), false) {
            bed.woken.notify_one();
        } else {
            FORGOTTEN.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// It hangs for as long as nobody wakes it again, but gives no task twice and loses none.
#[test]
fn park_that_never_stores_its_permit() {
    within_limit(|| {
        rounds(|_| {
            let pool: Executor<2, 8, 64, Forgetful> = Executor::new();
            pool.run(&Crew::default(), use_everything).unwrap();
            let stats = pool.stats();
            assert_eq!((stats.slots_in_use, stats.queued, stats.running), (0, 0, 0));
        });
        assert_ne!(FORGOTTEN.load(Ordering::Relaxed), 0, "a permit was needed");
    });
}

/// A wait that is woken early goes on until its time is over, and not longer.
#[test]
fn park_that_always_returns_early_does_not_shorten_a_timeout() {
    let pool: Executor<0, 2, 64, Restless> = Executor::new();
    let (promise, mut handle) = pool.promise::<u8>().unwrap();
    let deadline = Restless::now() + 50;
    assert!(
        handle
            .result_timeout(Duration::from_millis(50))
            .unwrap_err()
            .is_timed_out()
    );
    assert_eq!(Restless::now(), deadline);
    promise.set_result(1).unwrap();
    assert_eq!(handle.result().unwrap(), 1);
}

/// Workers that wait for each other are found out even though none of them ever sleeps.
#[test]
fn park_that_always_returns_early_does_not_hide_a_circle() {
    static POOL: Executor<2, 8, 64, Restless> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        rounds(|_| {
            let (tell, told) = channel();
            let (tell_started, started) = channel();
            let member = || {
                let (tell, tell_started) = (tell.clone(), tell_started.clone());
                let (give, given) = channel::<JoinHandle<'static, (), Restless>>();
                let task = move || {
                    tell_started.send(()).unwrap();
                    tell.send(given.recv().unwrap().result()).unwrap();
                };
                (POOL.submit(task).unwrap(), give)
            };
            let ((left, give_left), (right, give_right)) = (member(), member());
            started.recv().unwrap();
            started.recv().unwrap();
            give_left.send(right).unwrap();
            give_right.send(left).unwrap();
            let outcomes = [told.recv().unwrap(), told.recv().unwrap()];
            assert!(
                outcomes
                    .iter()
                    .any(|outcome| matches!(outcome, Err(TaskError::WouldDeadlock))),
                "{outcomes:?}"
            );
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
    });
}

// ---- Clock
// ----------------------------------------------------------------------------------------------------------

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static JUMPS: Cell<u32> = const { Cell::new(0) };
}

/// One thread, whose clock is set back in its sleep as often as the test says; then it sleeps to
/// the deadline.
#[derive(Debug)]
struct SetBack;

impl Park for SetBack {
    type Thread = ();

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        panic!("nobody is there to wake the only thread");
    }

    fn unpark((): &()) {}
}

impl Clock for SetBack {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        NOW.get()
    }

    fn park_until(deadline: u64) {
        match JUMPS.get().checked_sub(1) {
            Some(left) => {
                JUMPS.set(left);
                NOW.set(NOW.get() / 2);
            }
            None => NOW.set(deadline),
        }
    }
}

/// The wait is longer then; that is all.
#[test]
fn clock_that_jumps_back() {
    let pool: Executor<0, 2, 64, SetBack> = Executor::new();
    let (promise, mut handle) = pool.promise::<u8>().unwrap();
    let (also, another) = pool.promise::<u8>().unwrap();
    let timeout = Duration::from_millis(10);
    let times_out = |wait: &mut dyn FnMut() -> bool| {
        NOW.set(1000);
        JUMPS.set(3);
        assert!(wait());
        assert_eq!(
            (NOW.get(), JUMPS.get()),
            (1010, 0),
            "it ends at the deadline of the call"
        );
    };
    times_out(&mut || handle.result_timeout(timeout).unwrap_err().is_timed_out());
    times_out(&mut || {
        handle
            .error_timeout(timeout)
            .is_some_and(TaskError::is_timed_out)
    });
    times_out(&mut || {
        pool.submit_timeout(|| (), timeout)
            .is_err_and(|error| error.reason() == Refusal::Full)
    });
    let mut handles = [handle, another];
    times_out(&mut || {
        wait_timeout(&mut handles, timeout, ReturnWhen::FirstCompleted)
            .not_done
            .len()
            == 2
    });
    // The deadline is of the call; before it, three jumps back.
    NOW.set(1000);
    JUMPS.set(3);
    let mut completed = as_completed_timeout(handles, timeout);
    let late = completed.next().unwrap().unwrap_err();
    assert_eq!((late.unfinished(), NOW.get()), (2, 1010));

    promise.set_result(1).unwrap();
    also.set_result(2).unwrap();
    assert_eq!(
        late.into_handles()
            .map(|handle| handle.result().unwrap())
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn clock_near_the_end_of_time() {
    let pool: Executor<0, 1, 64, SetBack> = Executor::new();
    let (_promise, mut handle) = pool.promise::<u8>().unwrap();
    NOW.set(u64::MAX - 5);
    assert!(
        handle
            .result_timeout(Duration::from_secs(1))
            .unwrap_err()
            .is_timed_out()
    );
    assert_eq!(NOW.get(), u64::MAX);
    assert!(
        handle
            .result_timeout(Duration::MAX)
            .unwrap_err()
            .is_timed_out()
    );
}

// ---- current_id
// -----------------------------------------------------------------------------------------------------

/// One number for whoever asks: right for a host with one thread, wrong for any other. Never
/// sleeps.
#[derive(Debug)]
struct Nameless;

impl Park for Nameless {
    type Thread = ();

    fn current() {}

    fn current_id() -> usize {
        7
    }

    fn park() {
        thread::yield_now();
    }

    fn unpark((): &()) {}
}

/// The thread that steps the worker is the worker, also between two steps: it runs in place what it
/// waits for.
#[test]
fn constant_id_of_a_host_with_one_thread() {
    static POOL: Executor<1, 8, 64, Nameless> = Executor::new();
    within_limit(|| {
        let (to, kept) = channel();
        POOL.start(&keep(&to)).unwrap();
        let mut worker: Worker<Nameless> = kept.recv().unwrap();
        assert_eq!(worker.run_one(), Ran::Nothing);
        let first = POOL.submit(|| 1).unwrap();
        let nested = POOL
            .submit(|| POOL.submit(|| 2).unwrap().result().unwrap())
            .unwrap();
        assert_eq!(nested.result().unwrap(), 2);
        assert!(!first.done(), "nobody has asked for it");
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(first.result().unwrap(), 1);
        assert_eq!(worker.run_one(), Ran::Nothing);
        let mut numbers = [1; 9];
        POOL.scope(|s| s.for_each_chunk(&mut numbers, 2, |chunk| chunk.fill(2)))
            .unwrap();
        assert_eq!(numbers, [2; 9]);
        assert!(matches!(
            POOL.shutdown(Pending::Run),
            Err(ShutdownError::WouldDeadlock)
        ));
        assert_eq!(worker.run_one(), Ran::Left);
        POOL.shutdown(Pending::Run).unwrap();
    });
}

/// Every thread takes itself for the first worker. Waits may be given up for no reason then; values
/// stay whole, and every slot comes back.
#[test]
fn constant_id_of_a_host_with_several_threads() {
    within_limit(|| {
        rounds(|_| {
            let pool: Executor<2, 8, 64, Nameless> = Executor::new();
            let ask = |pool: &Executor<2, 8, 64, Nameless>| {
                for n in 0..8_u64 {
                    // Refused only for lack of slots: there are two of us.
                    let Ok(handle) = pool.submit(move || Box::new(n)) else {
                        continue;
                    };
                    match handle.result() {
                        Ok(value) => assert_eq!(*value, n),
                        Err(error) => assert!(matches!(error, TaskError::WouldDeadlock), "{error}"),
                    }
                    let mut numbers = [0; 4];
                    let refused = pool.scope(|s| {
                        let mut halves = numbers.chunks_mut(2);
                        [(); 2].map(|()| {
                            let half = halves.next().unwrap();
                            s.submit(move || half.fill(n))
                                .map(JoinHandle::detach)
                                .is_err()
                        })
                    });
                    let expected = refused.map(|refused| if refused { [0; 2] } else { [n; 2] });
                    assert_eq!(numbers, expected.as_flattened());
                }
            };
            pool.run(&Crew::default(), |pool| {
                thread::scope(|threads| {
                    threads.spawn(|| ask(pool));
                    ask(pool);
                });
            })
            .unwrap();
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}

// ---- Waker
// ----------------------------------------------------------------------------------------------------------

struct PanicsAtWake;

impl Wake for PanicsAtWake {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("at wake"));
    }
}

struct PanicsAtDrop;

impl Wake for PanicsAtDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        resume_unwind(Box::new("at drop"));
    }
}

/// It panics in the worker that ends the task; the worker goes on.
#[test]
fn waker_that_panics() {
    static POOL: Executor<1, 8> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        let wakers: [fn() -> Waker; 2] = [
            || Arc::new(PanicsAtWake).into(),
            || Arc::new(PanicsAtDrop).into(),
        ];
        rounds(|_| {
            for waker in wakers {
                let held = || {
                    let (go, gone) = channel::<()>();
                    (POOL.submit(move || gone.recv().unwrap()).unwrap(), go)
                };
                let (mut handle, go) = held();
                let own = waker();
                assert!(
                    Pin::new(&mut handle)
                        .poll(&mut Context::from_waker(&own))
                        .is_pending()
                );
                drop(own); // not the last one: the handle's task has another
                go.send(()).unwrap();
                assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
                handle.result().unwrap();

                let (handle, go) = held();
                let mut completed = pin!(as_completed([handle]));
                let own = waker();
                assert!(
                    completed
                        .as_mut()
                        .poll_next(&mut Context::from_waker(&own))
                        .is_pending()
                );
                drop(own); // as above
                go.send(()).unwrap();
                assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
                completed.next().unwrap().result().unwrap();
            }
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
        let stats = POOL.stats();
        assert_eq!((stats.slots_in_use, stats.panicked), (0, 0));
    });
}

/// A handle that is dropped drops the waker of an earlier poll; its panic is nobody's.
#[test]
fn waker_that_panics_as_its_handle_is_dropped() {
    let pool: Executor<0, 1> = Executor::new();
    let mut handle = pool.submit(|| 1).unwrap();
    let own = Arc::new(PanicsAtDrop).into();
    assert!(
        Pin::new(&mut handle)
            .poll(&mut Context::from_waker(&own))
            .is_pending()
    );
    drop(own); // not the last one
    drop(handle);
    assert_eq!(pool.run_until_idle(), 1);
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// How often threads of [`Counting`] looked again and lingered.
static RELAXED: AtomicU64 = AtomicU64::new(0);
static LINGERED: AtomicU64 = AtomicU64::new(0);

/// The [`Stage`], with three rounds of looking again and two of lingering.
#[derive(Debug)]
struct Counting;

impl Park for Counting {
    type Thread = Actor;

    fn current() -> Actor {
        Stage::current()
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
    }

    fn relax(round: u32) -> bool {
        RELAXED.fetch_add(1, Ordering::Relaxed);
        round < 3
    }

    fn linger(round: u32) -> bool {
        LINGERED.fetch_add(1, Ordering::Relaxed);
        round < 2
    }
}

/// A worker with nothing to do costs what its host lets it, and then nothing: it sleeps until it is
/// woken.
#[test]
fn idle_worker_looks_as_often_as_its_host_lets_it_and_sleeps() {
    static POOL: Executor<1, 8, 64, Counting> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        let actor = crew.actor(0);
        let figures = || [&RELAXED, &LINGERED].map(|figure| figure.swap(0, Ordering::Relaxed));
        actor.until_asleep();
        // One call more than rounds: the last says that it is enough.
        assert_eq!(figures(), [4, 3]);
        for _ in 0..10 {
            POOL.submit(|| ()).unwrap().detach();
            actor.until_asleep();
            let [relaxed, lingered] = figures();
            // It may have seen the task while it was on its way to sleep, or while it looked again.
            assert!(relaxed <= 8 && lingered <= 6, "{relaxed}, {lingered}");
        }
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
    });
}

/// A host of one's own that neither looks again nor lingers, on the threads of std.
#[test]
fn host_that_never_spins_on_std_threads() {
    #[derive(Debug)]
    struct ParkAtOnce;

    impl Park for ParkAtOnce {
        type Thread = thread::Thread;

        fn current() -> thread::Thread {
            thread::current()
        }

        fn current_id() -> usize {
            StdHost::current_id()
        }

        fn park() {
            thread::park();
        }

        fn unpark(thread: &thread::Thread) {
            thread.unpark();
        }
    }

    within_limit(|| {
        rounds(|_| {
            let pool: Executor<2, 8, 64, ParkAtOnce> = Executor::new();
            pool.run(&StdThreads::new(), use_everything).unwrap();
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}

/// Where the next worker of [`Fragile`] that comes by panics.
static PARK_BREAKS: AtomicBool = AtomicBool::new(false);
static RELAX_BREAKS: AtomicBool = AtomicBool::new(false);

std::thread_local! {
    /// Whether the thread is one that breaks.
    static BREAKS: Cell<bool> = const { Cell::new(false) };
}

fn breaks(fault: &AtomicBool) {
    assert!(
        !(BREAKS.get() && fault.swap(false, Ordering::SeqCst)),
        "the host breaks"
    );
}

/// The [`Stage`], with workers that are relied on, and a fault.
#[derive(Debug)]
struct Fragile;

impl Park for Fragile {
    type Thread = Actor;
    const FAIR: bool = true;

    fn current() -> Actor {
        Stage::current()
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        breaks(&PARK_BREAKS);
        Stage::park();
        breaks(&PARK_BREAKS);
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
    }

    fn relax(_round: u32) -> bool {
        breaks(&RELAX_BREAKS);
        false
    }
}

/// A worker that its host breaks off, idle, woken or searching, is counted on no more: the other
/// one runs what comes.
#[test]
fn host_that_panics_in_park_or_relax_has_one_worker_less() {
    for (fault, is_awake) in [
        (&PARK_BREAKS, true),
        (&PARK_BREAKS, false),
        (&RELAX_BREAKS, false),
    ] {
        within_limit(move || {
            let pool: &Executor<2, 8, 64, Fragile> = Box::leak(Box::default());
            let actors: Mutex<Vec<Actor>> = Mutex::default();
            let (over, is_over) = channel();
            let spawn = By(|worker: Worker<Fragile>| {
                let (tell, told) = channel();
                let over = over.clone();
                thread::spawn(move || {
                    BREAKS.set(true);
                    tell.send(Stage::current()).unwrap();
                    let index = worker.index();
                    let run = catch_unwind(AssertUnwindSafe(|| worker.run()));
                    over.send((index, run.is_err())).unwrap();
                });
                actors.lock().unwrap().push(told.recv().unwrap());
                Ok(())
            });
            fault.store(is_awake, Ordering::SeqCst);
            pool.start(&spawn).unwrap();
            let actors = actors.into_inner().unwrap();
            if !is_awake {
                actors.iter().for_each(Actor::until_asleep);
                fault.store(true, Ordering::SeqCst);
                // Wakes one of them.
                assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
            }
            let (broken, is_broken) = is_over.recv().unwrap();
            assert!(is_broken);
            let whole = 1 - broken;
            for number in 0..5 {
                actors[whole].until_asleep();
                assert_eq!(
                    pool.submit(move || number).unwrap().result().unwrap(),
                    number
                );
            }
            pool.shutdown(Pending::Run).unwrap();
            assert_eq!(is_over.recv().unwrap(), (whole, false));
        });
    }
}
