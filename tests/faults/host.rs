//! Hosts that refuse workers, whose park returns early, and that lose, delay or double permits.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

use slotted::error::StartError;
use slotted::sim::SimThread;
use slotted::{Clock, Park, Shutdown, SimHost, Simulation, Spawn, Worker};

use crate::points::{Plan, Points};
use crate::program::Worked;
use crate::rig::{Crew, Home, SLOTS};
use crate::shaky::{Chance, Habits, Shaky};

/// How a host fails to lend a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It says so.
    Refuses,
    /// It panics, with the worker in hand.
    Panics,
    /// It lends the thread, and says that it did not.
    Lies,
    /// It lends the thread, and panics then.
    LendsAndPanics,
}

struct Failing<'s> {
    simulation: &'s Simulation,
    /// One bit for each worker that it does not lend a thread.
    workers: u8,
    failure: Failure,
}

impl Spawn<SimHost> for Failing<'_> {
    type Error = usize;

    fn spawn(&self, worker: Worker<'static, SimHost>) -> Result<(), usize> {
        let index = worker.index();
        let fails = self.workers >> index & 1 == 1;
        if fails && self.failure == Failure::Panics {
            panic!("no thread");
        }
        if !fails || matches!(self.failure, Failure::Lies | Failure::LendsAndPanics) {
            Crew(self.simulation).spawn(worker).unwrap();
        }
        match self.failure {
            Failure::LendsAndPanics if fails => panic!("no thread"),
            _ if fails => Err(index),
            _ => Ok(()),
        }
    }
}

type Pool = Home<3, SimHost>;

/// A start fails, a second one does not. `lives`: how many lives the executor has behind it.
fn fail_to_start(home: &'static Pool, workers: u8, failure: Failure, lives: usize) {
    let pool = &home.executor;
    let simulation = Simulation::new();
    for _ in 0..lives {
        pool.start(&Crew(&simulation)).unwrap();
        assert_eq!(pool.submit(|| 1).unwrap().result(), Ok(1));
        pool.shutdown(Shutdown::Drain).unwrap();
        simulation.settle();
    }
    // Before its first life an executor takes tasks, which wait for it.
    let points = Points::new(Plan::default());
    let (capture, waiting) = (points.value("capture"), pool.submit(|| 1).ok());
    assert_eq!(waiting.is_some(), lives == 0);
    let host = Failing {
        simulation: &simulation,
        workers,
        failure,
    };
    let started = catch_unwind(AssertUnwindSafe(|| pool.start(&host)));
    let first = workers.trailing_zeros() as usize;
    match started {
        Err(_) => assert!(matches!(failure, Failure::Panics | Failure::LendsAndPanics)),
        Ok(Err(StartError::Refused { started, reason })) => {
            assert_eq!((started, reason), (first, first));
        }
        other => panic!("{other:?}"),
    }
    simulation.settle();
    assert_eq!(
        simulation.running_threads(),
        0,
        "the workers before it have left"
    );

    pool.start(&Crew(&simulation)).unwrap();
    assert_eq!(simulation.running_threads(), 3);
    let kept = pool.submit(move || capture).ok().unwrap();
    drop(kept.result());
    if let Some(waiting) = waiting {
        assert_eq!(waiting.result(), Ok(1));
    }
    assert_eq!(
        pool.map(0..9, |number| number)
            .map(Result::unwrap)
            .sum::<u32>(),
        36
    );
    let permits: [_; SLOTS] = core::array::from_fn(|_| pool.reserve().unwrap());
    drop(permits);
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(pool.stats().slots_in_use, 0);
    assert_eq!(points.wrong(), []);
}

#[test]
fn a_start_that_fails_at_any_worker_can_be_repeated() {
    static HOMES: [Pool; 112] = [const { Pool::new() }; 112];
    let mut homes = HOMES.iter();
    for failure in [
        Failure::Refuses,
        Failure::Panics,
        Failure::Lies,
        Failure::LendsAndPanics,
    ] {
        for workers in 1..8 {
            for lives in 0..=3 {
                let home = homes.next().unwrap();
                // Miri has time for some.
                if !cfg!(miri) || workers == 2 && lives < 2 {
                    fail_to_start(home, workers, failure, lives);
                }
            }
        }
    }
    assert!(homes.next().is_none());
}

const SEEDS: u64 = if cfg!(miri) { 1 } else { 100 };

/// Chance of the hosts below. One simulated thread runs at a time, so a seed decides all of it.
struct Dice {
    chance: Mutex<Chance>,
    percent: AtomicU64,
    /// How often the host did what it must not.
    faults: AtomicU64,
}

impl Dice {
    const fn new() -> Self {
        Self {
            chance: Mutex::new(Chance::new(0)),
            percent: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    fn set(&self, seed: u64, percent: u64) {
        *self.chance.lock().unwrap() = Chance::new(seed);
        self.percent.store(percent, Ordering::Relaxed);
    }

    fn fails(&self) -> bool {
        let percent = self.percent.load(Ordering::Relaxed);
        let fails = self.chance.lock().unwrap().is(percent);
        self.faults.fetch_add(u64::from(fails), Ordering::Relaxed);
        fails
    }

    fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Plays the program, dates included, in each of `SEEDS` orders, with each chance of a fault.
fn play_all<B: Habits>(
    home: &'static Home<2, Shaky<B>>,
    dice: &'static Dice,
    percents: &[u64],
    around: impl Fn(&Simulation),
) {
    for &percent in percents
        .iter()
        .take(if cfg!(miri) { 1 } else { percents.len() })
    {
        for seed in 0..SEEDS {
            let simulation = Simulation::new().seed(seed);
            dice.set(seed, percent);
            around(&simulation);
            let worked = Worked {
                pool: &home.executor,
                times: &home.times,
                points: Points::new(Plan::default()),
            };
            home.executor.start(&Crew(&simulation)).unwrap();
            worked.play();
            worked.play_dates(SimHost::now);
            home.executor.shutdown(Shutdown::Drain).unwrap();
            worked.check();
            dice.set(0, 0);
            // What runs beside the program ends with it.
            simulation.advance(Duration::from_micros(1));
        }
    }
}

/// A park that returns early: the thread lets others run instead.
struct Early;
static EARLY: Dice = Dice::new();

impl Habits for Early {
    fn park() {
        if EARLY.fails() {
            SimHost::let_others_run();
        } else {
            SimHost::park();
        }
    }

    fn park_until(deadline: u64) {
        if EARLY.fails() {
            SimHost::let_others_run();
        } else {
            SimHost::park_until(deadline);
        }
    }
}

#[test]
fn a_park_that_returns_early_changes_no_outcome_and_no_date() {
    static HOME: Home<2, Shaky<Early>> = Home::new();
    play_all(&HOME, &EARLY, &[10, 50, 90], |_| ());
    assert!(EARLY.faults() > SEEDS, "{}", EARLY.faults());
}

/// A permit that comes late, and then twice: it waits in a box until its postman comes.
struct Late;
static LATE: Dice = Dice::new();
static BOX: Mutex<Vec<SimThread>> = Mutex::new(Vec::new());

impl Habits for Late {
    fn unpark(thread: &SimThread) {
        if LATE.fails() {
            BOX.lock().unwrap().push(thread.clone());
        } else {
            SimHost::unpark(thread);
        }
    }
}

/// Empties the box, at moments that chance decides, as long as the chance of a fault is not 0.
fn deliver() {
    // Bound: far more rounds than a play takes.
    for _ in 0..1_000_000 {
        let late = LATE.chance.lock().unwrap().below(50);
        SimHost::spend(Duration::from_nanos(late));
        let letters = core::mem::take(&mut *BOX.lock().unwrap());
        for thread in letters {
            SimHost::unpark(&thread);
            SimHost::let_others_run();
            SimHost::unpark(&thread);
        }
        if LATE.percent.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
    panic!("the play does not end");
}

#[test]
fn permits_that_come_late_and_twice_lose_nothing() {
    static HOME: Home<2, Shaky<Late>> = Home::new();
    play_all(&HOME, &LATE, &[20, 100], |simulation| {
        simulation.spawn("postman", deliver).unwrap();
    });
    assert!(LATE.faults() > SEEDS, "{}", LATE.faults());
}

/// A host that loses permits is none. What it waits for may never come.
struct Losing;
static LOSING: Dice = Dice::new();
static THREADS: Mutex<Vec<SimThread>> = Mutex::new(Vec::new());

impl Habits for Losing {
    fn unpark(thread: &SimThread) {
        if LOSING.fails() {
            THREADS.lock().unwrap().push(thread.clone());
        } else {
            SimHost::unpark(thread);
        }
    }
}

/// The executor stands still until the thread gets a permit, whatever that is for. Then it goes on
/// as if nothing had happened. So a host that gives permits now and then has a slow executor.
#[test]
fn a_lost_permit_costs_time_until_the_next_one_and_nothing_else() {
    static HOME: Home<2, Shaky<Losing>> = Home::new();
    let mut rescues = 0;
    for percent in [5, 30, 100] {
        for seed in 0..SEEDS {
            let simulation = Simulation::new().seed(seed);
            LOSING.set(seed, percent);
            let points = Points::new(Plan::default());
            let worked = || Worked {
                pool: &HOME.executor,
                times: &HOME.times,
                points: points.clone(),
            };
            HOME.executor.start(&Crew(&simulation)).unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let (program, ends) = (worked(), over.clone());
            let work = move || {
                program.play();
                HOME.executor.shutdown(Shutdown::Drain).unwrap();
                ends.store(true, Ordering::Relaxed);
            };
            simulation.spawn("program", work).unwrap();
            simulation.settle();
            // Bound: a round gives every lost permit back, and the program has not so many waits.
            for _ in 0..1000 {
                let lost = core::mem::take(&mut *THREADS.lock().unwrap());
                if lost.is_empty() {
                    break;
                }
                rescues += u64::from(!over.load(Ordering::Relaxed));
                lost.iter().for_each(SimHost::unpark);
                simulation.settle();
            }
            assert!(over.load(Ordering::Relaxed), "{percent} %, seed {seed}");
            assert_eq!(simulation.running_threads(), 0);
            worked().check();
        }
    }
    assert!(rescues > SEEDS, "{rescues}");
}
