//! `run` and `run_on`: Python's `with` block.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::catch_unwind;
use std::thread;

use slotted::{Executor, Refusal, Shutdown, Spawn, StartError, StdThreads, TaskError, Worker};

use super::Drops;
use crate::stage::{Crew, Stage, forever, raise, within_limit};

/// The message of a panic in `work`.
#[track_caller]
fn message<R>(work: impl FnOnce() -> R) -> &'static str {
    let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else {
        panic!("no panic");
    };
    *payload.downcast::<&'static str>().expect("a message")
}

#[test]
fn run_runs_an_executor_on_the_stack_and_waits_for_its_tasks() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let executor: Executor<2, 8> = Executor::new();
        let early = executor
            .submit(|| RAN.fetch_add(1, Ordering::Relaxed))
            .unwrap();
        let borrowed = String::from("of the caller");
        let length = executor.run(&StdThreads::new(), |pool| {
            for _ in 0..3 {
                pool.submit(|| RAN.fetch_add(1, Ordering::Relaxed))
                    .unwrap()
                    .detach();
            }
            pool.scope(|s| s.submit(|| borrowed.len()).unwrap().result().unwrap())
        });
        assert_eq!(length.unwrap(), borrowed.len());
        assert_eq!(RAN.load(Ordering::Relaxed), 4, "all have run");
        assert!(early.done());
        drop(early);
        let stats = executor.stats();
        assert_eq!((stats.slots_in_use, stats.queued, stats.running), (0, 0, 0));
        assert_eq!(
            executor.submit(|| ()).unwrap_err().reason(),
            Refusal::ShutDown
        );
    });
}

/// The tasks run on the threads of the host, not in the caller.
#[test]
fn run_names_its_threads_and_runs_tasks_on_them() {
    within_limit(|| {
        let executor: Executor<1, 2> = Executor::new();
        let threads = StdThreads::new().prefix("mill");
        let name = executor.run(&threads, |pool| {
            let name = || thread::current().name().map(String::from);
            pool.submit(name).unwrap().result().unwrap()
        });
        assert_eq!(name.unwrap().as_deref(), Some("mill-0"));
    });
}

#[test]
fn executor_on_the_stack_runs_again() {
    within_limit(|| {
        let executor: Executor<2, 4> = Executor::new();
        for round in 0..3 {
            let result = executor.run(&StdThreads::new(), |pool| {
                pool.submit(move || round).unwrap().result().unwrap()
            });
            assert_eq!(result.unwrap(), round);
        }
    });
}

/// Handles that are submitted by the executor itself are read after the block.
#[test]
fn handles_of_the_executor_are_read_after_run() {
    within_limit(|| {
        let executor: Executor<2, 4> = Executor::new();
        let handles = executor.run(&StdThreads::new(), |_| {
            [1, 2, 3].map(|n| executor.submit(move || n * n).unwrap())
        });
        assert_eq!(
            handles.unwrap().map(|handle| handle.result().unwrap()),
            [1, 4, 9]
        );
    });
}

/// The panic goes on after the tasks were run and the threads have left; nothing leaks.
#[test]
fn run_whose_body_panics_drains_and_panics_on() {
    within_limit(|| {
        let executor: Executor<1, 4> = Executor::new();
        let drops = Drops::default();
        let panicked = message(|| {
            executor.run(&StdThreads::new(), |pool| {
                for _ in 0..3 {
                    let value = drops.value();
                    pool.submit(move || value).unwrap().detach();
                }
                raise("so it goes")
            })
        });
        assert_eq!((panicked, drops.count()), ("so it goes", 3));
        let stats = executor.stats();
        assert_eq!((stats.completed, stats.slots_in_use), (3, 0));
        let again = executor.run(&StdThreads::new(), |pool| {
            pool.submit(|| 7).unwrap().result()
        });
        assert_eq!(again.unwrap(), Ok(7));
    });
}

#[test]
fn run_on_whose_body_panics_drains_and_panics_on() {
    static POOL: Executor<1, 4, 64, Stage> = Executor::new();
    within_limit(|| {
        let (crew, drops) = (Crew::default(), Drops::default());
        let panicked = message(|| {
            POOL.run_on(&crew, |pool| {
                let value = drops.value();
                pool.submit(move || value).unwrap().detach();
                raise("so it goes")
            })
        });
        crew.join();
        assert_eq!((panicked, drops.count()), ("so it goes", 1));
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

/// A panic of a task is its handle's.
#[test]
fn run_survives_a_task_that_panics() {
    within_limit(|| {
        let executor: Executor<1, 4> = Executor::new();
        let outcomes = executor.run(&StdThreads::new(), |pool| {
            let panics = pool.submit::<_, ()>(|| raise("so it goes")).unwrap();
            (
                panics.result().map_err(|error| error.is_panicked()),
                pool.submit(|| 7).unwrap().result(),
            )
        });
        assert_eq!(outcomes.unwrap(), (Err(true), Ok(7)));
    });
}

/// No thread can have such a stack.
fn refused() -> StdThreads {
    StdThreads::new().stack_size(usize::MAX / 4)
}

#[test]
fn run_whose_thread_is_refused_does_not_run_its_body_and_can_be_repeated() {
    within_limit(|| {
        let executor: Executor<2, 4> = Executor::new();
        let early = executor.submit(|| 7).unwrap();
        let outcome = executor.run(&refused(), |_| panic!("the body is not run"));
        assert!(matches!(
            outcome,
            Err(StartError::Refused { started: 0, .. })
        ));
        assert!(!early.done(), "the task still waits");
        executor.run(&StdThreads::new(), |_| ()).unwrap();
        assert_eq!(early.result(), Ok(7));
    });
}

/// Gives threads to the first workers only.
struct Few(StdThreads, usize);

impl<H: slotted::Park> Spawn<H> for Few {
    type Error = ();

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), ()> {
        if worker.index() < self.1 {
            self.0.spawn(worker).map_err(|_| ())
        } else {
            Err(())
        }
    }
}

#[test]
fn run_on_whose_host_refuses_a_worker_does_not_run_its_body_and_can_be_repeated() {
    static POOL: Executor<3, 4> = Executor::new();
    within_limit(|| {
        for few in 0..3 {
            let host = Few(StdThreads::new(), few);
            let outcome = POOL.run_on(&host, |_| panic!("the body is not run"));
            let started = match outcome {
                Err(StartError::Refused {
                    started,
                    reason: (),
                }) => Some(started),
                _ => None,
            };
            assert_eq!(started, Some(few));
        }
        let handle = POOL.run_on(&StdThreads::new(), |pool| pool.submit(|| 7).unwrap());
        assert_eq!(
            handle.unwrap().result(),
            Ok(7),
            "a static one's handle leaves the block"
        );
    });
}

#[test]
fn run_of_an_executor_that_runs_already_is_refused_and_disturbs_nothing() {
    within_limit(|| {
        let executor: Executor<1, 4> = Executor::new();
        let outcome = executor.run(&StdThreads::new(), |pool| {
            let inner = pool.run(&StdThreads::new(), |_| panic!("the body is not run"));
            assert!(matches!(inner, Err(StartError::AlreadyStarted)));
            pool.submit(|| 7).unwrap().result()
        });
        assert_eq!(outcome.unwrap(), Ok(7));
        let pool: &'static Executor<1, 4, 64, Stage> = forever(Executor::new());
        let (crew, other) = (Crew::default(), Crew::default());
        let outcome = pool.run_on(&crew, |pool| {
            let inner = pool.run_on(&other, |_| panic!("the body is not run"));
            assert!(matches!(inner, Err(StartError::AlreadyStarted)));
            pool.submit(|| 7).unwrap().result()
        });
        assert_eq!(outcome.unwrap(), Ok(7));
        crew.join();
    });
}

/// A body may shut down itself: what waits is cancelled then, and the end is the same.
#[test]
fn body_of_run_may_begin_the_shutdown() {
    within_limit(|| {
        for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
            let executor: Executor<1, 4> = Executor::new();
            let outcome = executor.run(&StdThreads::new(), |pool| {
                pool.begin_shutdown(shutdown);
                pool.submit(|| ()).unwrap_err().reason()
            });
            assert_eq!(outcome.unwrap(), Refusal::ShutDown);
            let waited = executor.run(&StdThreads::new(), |pool| pool.shutdown(shutdown));
            assert_eq!(waited.unwrap(), Ok(()));
        }
    });
}

/// Without workers nothing runs but what the caller drives, and the end of the block.
#[test]
fn run_of_an_executor_without_workers_drains_in_the_caller() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let caller = thread::current().id();
        let handle = executor
            .run(&StdThreads::new(), |_| {
                executor.submit(|| thread::current().id()).unwrap()
            })
            .unwrap();
        assert!(handle.done());
        assert_eq!(handle.result(), Ok(caller));
    });
}

/// Two executors on one stack, one inside the other's block.
#[test]
fn runs_of_two_executors_nest() {
    within_limit(|| {
        let (outer, inner) = (Executor::<1, 4>::new(), Executor::<1, 4>::new());
        let sum = outer.run(&StdThreads::new(), |left| {
            let five = left.submit(|| 5).unwrap();
            let two = inner.run(&StdThreads::new(), |right| {
                right.submit(|| 2).unwrap().result()
            });
            five.result().unwrap() + two.unwrap().unwrap()
        });
        assert_eq!(sum.unwrap(), 7);
    });
}

/// A promise that leaves the block unkept holds nothing up.
#[test]
fn run_does_not_wait_for_promises() {
    within_limit(|| {
        let executor: Executor<1, 4> = Executor::new();
        let promised = executor.run(&StdThreads::new(), |_| executor.promise::<u8>().unwrap());
        let (promise, handle) = promised.unwrap();
        drop(promise);
        assert_eq!(handle.result(), Err(TaskError::Broken));
    });
}
