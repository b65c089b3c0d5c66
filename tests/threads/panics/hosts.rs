//! Panics in hosts and hooks.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;
use std::panic::resume_unwind;

use slotted::{
    Executor, Refusal, Shutdown, Spawn, StdHost, StdThreads, TaskError, Worker,
    error::WorkerStartError,
};

use super::{ChainedPanic, message_of, panics_and_slots};
use crate::stage::{Crew, forever, raise, with_crew, within_limit};

/// Gives threads to the first workers, and panics at the worker with this place.
struct PanicsAt {
    place: usize,
    asked: AtomicUsize,
    crew: Crew,
}

impl PanicsAt {
    fn new(place: usize) -> Self {
        Self {
            place,
            asked: AtomicUsize::new(0),
            crew: Crew::default(),
        }
    }
}

impl Spawn<StdHost> for PanicsAt {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, StdHost>) -> io::Result<()> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == self.place {
            raise("spawn");
        }
        self.crew.spawn(worker)
    }
}

#[test]
fn a_panic_in_spawn_ends_run_before_its_body() {
    within_limit(|| {
        for place in 0..3 {
            let executor: &Executor<3, 4> = forever(Executor::new());
            let waiting = executor.submit(|| 1).unwrap();
            let host = PanicsAt::new(place);
            assert_eq!(
                message_of(|| executor
                    .run_on(&host, |_| panic!("the body has run"))
                    .is_ok()),
                "spawn"
            );
            assert_eq!(host.asked.into_inner(), place + 1);
            host.crew.join();

            let sum = executor.run(&StdThreads::new(), |pool| {
                waiting.result().unwrap() + pool.submit(|| 2).unwrap().result().unwrap()
            });
            assert_eq!(sum.unwrap(), 3);
            assert_eq!(panics_and_slots(executor.stats()), [0; 4]);
        }
    });
}

#[test]
fn an_executor_can_be_started_again_after_a_panic_in_spawn() {
    static POOL: Executor<3, 4> = Executor::new();
    within_limit(|| {
        for place in 0..3 {
            let host = PanicsAt::new(place);
            assert_eq!(message_of(|| POOL.start(&host).is_ok()), "spawn");
            host.crew.join();

            // The executor is neither running nor shut down.
            let waiting = POOL.submit(|| 1).unwrap();
            with_crew(&POOL, |_| {
                assert_eq!(
                    waiting.result().unwrap() + POOL.submit(|| 2).unwrap().result().unwrap(),
                    3
                );
            });
            assert_eq!(panics_and_slots(POOL.stats()), [0; 4]);
        }
    });
}

#[test]
fn an_executor_can_be_shut_down_after_a_panic_in_spawn() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let host = PanicsAt::new(1);
        assert_eq!(message_of(|| POOL.start(&host).is_ok()), "spawn");
        host.crew.join();
        let waiting = POOL.submit(|| 1).unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(waiting.result().unwrap(), 1);
        assert_eq!(POOL.submit(|| 1).unwrap_err().reason(), Refusal::ShutDown);
    });
}

#[test]
fn a_panic_in_the_start_hook_breaks_the_executor_until_the_next_start() {
    static FAULTY: AtomicBool = AtomicBool::new(true);
    fn hook(_worker: usize) -> Result<(), WorkerStartError> {
        if FAULTY.load(Ordering::Relaxed) {
            resume_unwind(Box::new(ChainedPanic))
        } else {
            Ok(())
        }
    }
    static POOL: Executor<2, 8, 128> = Executor::new().on_worker_start(hook);
    within_limit(|| {
        let pending = POOL.submit(|| 1).unwrap();
        let future = POOL.submit_future(async { 1 }).unwrap();
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        assert!(matches!(pending.result(), Err(TaskError::Broken)));
        assert!(matches!(future.result(), Err(TaskError::Broken)));
        // The threads survive.
        crew.join();
        assert_eq!(POOL.submit(|| 1).unwrap_err().reason(), Refusal::Broken);
        POOL.shutdown(Shutdown::Drain).unwrap();

        FAULTY.store(false, Ordering::Relaxed);
        with_crew(&POOL, |_| {
            assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
        });
        assert_eq!(panics_and_slots(POOL.stats()), [0; 4]);
    });
}

#[test]
fn a_panic_in_the_exit_hook_is_contained() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn hook(_worker: usize) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new(ChainedPanic));
    }
    static POOL: Executor<2, 4> = Executor::new().on_worker_exit(hook);
    within_limit(|| {
        for life in 1..=2 {
            with_crew(&POOL, |_| {
                assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
            });
            // A worker that comes after the shutdown never starts, and so never exits.
            assert!((life..=2 * life).contains(&CALLS.load(Ordering::Relaxed)));
        }
    });
}
