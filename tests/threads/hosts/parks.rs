//! Hosts whose `park` returns early, forgets its permit, or panics.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use slotted::{Clock, Executor, JoinHandle, Park, Shutdown, StdHost, StdThreads, Worker};

use super::{By, use_everything};
use crate::stage::{
    Actor, Crew, Habits, Stage, StageWith, forever, rounds, with_crew, within_limit, would_deadlock,
};

/// Never sleeps: `park` returns at once, and `unpark` does nothing. Each `park_until` moves the
/// clock by a millisecond.
#[derive(Debug)]
struct Restless;

static RESTLESS_NOW: AtomicU64 = AtomicU64::new(0);

impl Park for Restless {
    type Thread = ();
    type Order = slotted::Fifo;

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

#[test]
fn a_park_that_always_returns_early_harms_nothing() {
    within_limit(|| {
        rounds(|_| {
            let pool: &Executor<2, 8, 64, Restless> = forever(Executor::new());
            pool.run_on(&Crew::default(), use_everything).unwrap();
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}

/// Keeps no permit: `unpark` has no effect on a thread that is not asleep. Each sleep ends after a
/// millisecond, so that the executor is slow instead of hanging.
#[derive(Debug)]
struct Forgetful;

/// How many permits were lost, because the thread was not asleep.
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// Where a thread of [`Forgetful`] sleeps.
#[derive(Default)]
struct Bed {
    asleep: Mutex<bool>,
    woken: Condvar,
}

impl Park for Forgetful {
    type Thread = Arc<Bed>;
    type Order = slotted::Fifo;

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
        // Bound: a millisecond, because permits get lost.
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

/// The executor is slow, but runs each task once and loses none.
#[test]
fn a_park_that_forgets_its_permit_loses_no_task() {
    within_limit(|| {
        rounds(|_| {
            let pool: &Executor<2, 8, 64, Forgetful> = forever(Executor::new());
            pool.run_on(&Crew::default(), use_everything).unwrap();
            let stats = pool.stats();
            assert_eq!((stats.slots_in_use, stats.queued, stats.running), (0, 0, 0));
        });
        assert_ne!(
            FORGOTTEN.load(Ordering::Relaxed),
            0,
            "the host lost no permit"
        );
    });
}

/// The wait goes on until its deadline, and not longer.
#[test]
fn a_park_that_always_returns_early_does_not_shorten_a_timeout() {
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

/// Two workers wait for each other, and neither ever sleeps.
#[test]
fn a_park_that_always_returns_early_does_not_hide_a_deadlock() {
    static POOL: Executor<2, 8, 64, Restless> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
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
                assert!(outcomes.iter().any(would_deadlock), "{outcomes:?}");
            })
        });
    });
}

/// A host with std threads and the default `relax` and `linger`.
#[test]
fn a_host_that_never_spins_works_on_std_threads() {
    #[derive(Debug)]
    struct ParkAtOnce;

    impl Park for ParkAtOnce {
        type Thread = thread::Thread;
        type Order = slotted::Fifo;

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

/// The place where the next worker of [`FragileStage`] panics.
static PARK_BREAKS: AtomicBool = AtomicBool::new(false);
static RELAX_BREAKS: AtomicBool = AtomicBool::new(false);

std::thread_local! {
    /// True in the threads that can break.
    static BREAKS: Cell<bool> = const { Cell::new(false) };
}

fn breaks(fault: &AtomicBool) {
    assert!(
        !(BREAKS.get() && fault.swap(false, Ordering::SeqCst)),
        "the host breaks"
    );
}

/// A fair host with a fault.
#[derive(Debug)]
struct Fragile;

impl Habits for Fragile {
    const FAIR: bool = true;

    fn around_park() {
        breaks(&PARK_BREAKS);
    }

    fn spin(_round: u32) -> bool {
        breaks(&RELAX_BREAKS);
        false
    }
}

type FragileStage = StageWith<Fragile>;

/// The panic ends a worker that is idle, woken or searching. The other worker runs every later
/// task.
#[test]
fn a_panic_in_park_or_relax_costs_one_worker() {
    for (fault, is_awake) in [
        (&PARK_BREAKS, true),
        (&PARK_BREAKS, false),
        (&RELAX_BREAKS, false),
    ] {
        within_limit(move || {
            let pool: &Executor<2, 8, 64, FragileStage> = Box::leak(Box::default());
            let actors: Mutex<Vec<Actor>> = Mutex::default();
            let (over, is_over) = channel();
            let spawn = By(|worker: Worker<'static, FragileStage>| {
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
                // The task wakes one of them.
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
            pool.shutdown(Shutdown::Drain).unwrap();
            assert_eq!(is_over.recv().unwrap(), (whole, false));
        });
    }
}
