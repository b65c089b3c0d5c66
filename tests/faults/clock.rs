//! Clocks that stand still, jump, wrap, or differ from thread to thread.
//!
//! A [`Clock`] promises to be monotonic. One that breaks that makes dates come late, never early as
//! far as it has ever told. Nothing runs twice, and what needs no date goes on.

use core::cell::Cell;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use slotted::{Clock, Every, Refusal, Release, Shutdown, SimHost, Simulation, TaskError};

use crate::points::{Plan, Points};
use crate::program::Worked;
use crate::rig::{Crew, Home};
use crate::shaky::{Chance, Habits, Shaky};

const SEEDS: u64 = if cfg!(miri) { 1 } else { 100 };

/// A clock that differs from the virtual time by what a test says, and stands still on demand.
struct Dial {
    ahead: AtomicI64,
    stands: AtomicBool,
    /// What it showed when it began to stand.
    stood_at: AtomicU64,
    /// The latest time that it ever showed.
    latest: AtomicU64,
}

impl Dial {
    const fn new() -> Self {
        Self {
            ahead: AtomicI64::new(0),
            stands: AtomicBool::new(false),
            stood_at: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        }
    }

    /// A clock that is right, in a new simulation.
    fn reset(&self) {
        self.set_ahead(0);
        self.go();
        self.latest.store(0, Ordering::Relaxed);
    }

    fn set_ahead(&self, ahead: i64) {
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    fn stand(&self) {
        self.stood_at.store(self.now(), Ordering::Relaxed);
        self.stands.store(true, Ordering::Relaxed);
    }

    fn go(&self) {
        self.stands.store(false, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        let now = if self.stands.load(Ordering::Relaxed) {
            self.stood_at.load(Ordering::Relaxed)
        } else {
            SimHost::now().saturating_add_signed(self.ahead.load(Ordering::Relaxed))
        };
        self.latest.fetch_max(now, Ordering::Relaxed);
        now
    }

    fn latest(&self) -> u64 {
        self.latest.load(Ordering::Relaxed)
    }
}

/// Sleeps as long as the clock says that it is to the deadline. A host cannot know better.
fn park_until(deadline: u64, now: u64) {
    SimHost::park_until(SimHost::now().saturating_add(deadline.saturating_sub(now)));
}

/// Jumps, by hours too, and stands still, at moments that chance decides.
struct Jumping;
static JUMPING: Dial = Dial::new();

impl Habits for Jumping {
    fn now() -> u64 {
        JUMPING.now()
    }

    fn park_until(deadline: u64) {
        park_until(deadline, JUMPING.now());
    }
}

const HOUR: u64 = 3_600_000_000_000;

/// Turns the dial until the play is over.
fn turn(mut chance: Chance, over: &AtomicBool) {
    // Bound: far more turns than a play takes.
    for _ in 0..100_000 {
        SimHost::spend(Duration::from_nanos(1 + chance.below(200)));
        if over.load(Ordering::Relaxed) {
            return;
        }
        let ahead = JUMPING.ahead.load(Ordering::Relaxed);
        match chance.below(6) {
            0 => JUMPING.stand(),
            1 | 2 => JUMPING.go(),
            3 => JUMPING.set_ahead(ahead + chance.below(400) as i64),
            4 => JUMPING.set_ahead(ahead - chance.below(400) as i64),
            _ => JUMPING.set_ahead(ahead + (chance.below(3) * HOUR) as i64),
        }
    }
    panic!("the play does not end");
}

#[test]
fn a_clock_that_jumps_and_stands_brings_no_date_early_and_runs_nothing_twice() {
    static HOME: Home<2, Shaky<Jumping>> = Home::new();
    for seed in 0..SEEDS {
        let simulation = Simulation::new().seed(seed);
        JUMPING.reset();
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let chance = Chance::new(seed);
        simulation
            .spawn("dial", move || turn(chance, &ends))
            .unwrap();
        let worked = Worked {
            pool: &HOME.executor,
            times: &HOME.times,
            points: Points::new(Plan::default()),
        };
        HOME.executor.start(&Crew(&simulation)).unwrap();
        worked.play();
        worked.play_dates(|| JUMPING.latest());
        HOME.executor.shutdown(Shutdown::Drain).unwrap();
        worked.check();
        over.store(true, Ordering::Relaxed);
        simulation.advance(Duration::from_micros(1));
    }
}

/// Each thread has a clock of its own: they differ by up to a microsecond, and each is monotonic.
struct Skewed;
static SKEWS: Mutex<Chance> = Mutex::new(Chance::new(0));
static LATEST: AtomicU64 = AtomicU64::new(0);

std::thread_local! {
    static SKEW: Cell<Option<u64>> = const { Cell::new(None) };
}

impl Habits for Skewed {
    fn now() -> u64 {
        let skew = SKEW
            .get()
            .unwrap_or_else(|| SKEWS.lock().unwrap().below(1000));
        SKEW.set(Some(skew));
        let now = SimHost::now() + skew;
        LATEST.fetch_max(now, Ordering::Relaxed);
        now
    }

    fn park_until(deadline: u64) {
        park_until(deadline, Self::now());
    }
}

#[test]
fn clocks_that_differ_per_thread_bring_no_date_before_the_fastest() {
    static HOME: Home<2, Shaky<Skewed>> = Home::new();
    for seed in 0..SEEDS {
        let simulation = Simulation::new().seed(seed);
        *SKEWS.lock().unwrap() = Chance::new(seed);
        SKEW.set(None);
        LATEST.store(0, Ordering::Relaxed);
        let worked = Worked {
            pool: &HOME.executor,
            times: &HOME.times,
            points: Points::new(Plan::default()),
        };
        HOME.executor.start(&Crew(&simulation)).unwrap();
        worked.play();
        worked.play_dates(|| LATEST.load(Ordering::Relaxed));
        HOME.executor.shutdown(Shutdown::Drain).unwrap();
        worked.check();
    }
}

/// A counter of 32 bits that its host forgot to extend, and one near the end of 64 bits.
struct Wrapping;
static BEGAN_AT: AtomicU64 = AtomicU64::new(0);
static BITS: AtomicU64 = AtomicU64::new(u64::MAX);

impl Habits for Wrapping {
    fn now() -> u64 {
        let began_at = BEGAN_AT.load(Ordering::Relaxed);
        SimHost::now().saturating_add(began_at) & BITS.load(Ordering::Relaxed)
    }

    fn park_until(deadline: u64) {
        park_until(deadline, Self::now());
    }
}

type Wraps = Home<2, Shaky<Wrapping>>;

/// Plays with a clock whose highest tick is `bits`, 100 ticks before it wraps. Then shuts down.
fn near_the_end(bits: u64, play: impl FnOnce(&'static Wraps, &Simulation)) {
    static HOME: Wraps = Wraps::new();
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let simulation = Simulation::new();
    BITS.store(bits, Ordering::Relaxed);
    BEGAN_AT.store(bits - 100, Ordering::Relaxed);
    HOME.executor.start(&Crew(&simulation)).unwrap();
    play(&HOME, &simulation);
    HOME.executor.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(HOME.times.next_date(), None);
    assert_eq!(HOME.executor.stats().slots_in_use, 0);
}

#[test]
fn at_the_end_of_64_bits_what_is_later_comes_at_the_last_tick() {
    near_the_end(u64::MAX, |home, simulation| {
        let later = home.times.on(&home.executor);
        let day = Duration::from_secs(24 * 3600);
        let delayed = later.submit_after(day, Shaky::<Wrapping>::now).unwrap();
        let series = later.submit_every(Every::ticks(60), |run: Release| {
            if run.date == u64::MAX {
                ControlFlow::Break(run.missed)
            } else {
                ControlFlow::Continue(())
            }
        });
        let (_promise, mut never) = home.executor.promise::<()>().unwrap();
        assert_eq!(home.times.next_date(), Some(u64::MAX - 40));
        assert_eq!(never.result_timeout(day), Err(TaskError::TimedOut));
        assert_eq!(Shaky::<Wrapping>::now(), u64::MAX);
        assert_eq!(delayed.result(), Ok(u64::MAX));
        assert_eq!(series.unwrap().result(), Ok(0));
        simulation.settle();
    });
}

/// What is due after the wrap never comes: the clock says that it is far away. A wait with a limit
/// still ends with its task, and the shutdown cancels what still waits for a date.
#[test]
fn a_clock_of_32_bits_that_wraps_loses_dates_and_no_task() {
    near_the_end(u64::from(u32::MAX), |home, simulation| {
        let pool = &home.executor;
        assert_eq!(Shaky::<Wrapping>::now(), u64::from(u32::MAX) - 100);
        let later = home.times.on(pool);
        let points = Points::new(Plan::default());
        let capture = points.value("capture");
        let before = later.submit_after(Duration::from_nanos(50), || 1).unwrap();
        let after = later.submit_after(Duration::from_nanos(500), move || drop(capture));
        let after = after.ok().unwrap();
        let (promise, mut kept) = pool.promise().unwrap();
        let keep = move || {
            SimHost::spend(Duration::from_nanos(200));
            promise.set_result(2).unwrap();
        };
        pool.submit(keep).unwrap().detach();
        // The limit lies after the wrap, and the task ends after it too.
        assert_eq!(kept.result_timeout(Duration::from_nanos(300)), Ok(2));
        assert!(Shaky::<Wrapping>::now() < 200);
        assert_eq!(before.result(), Ok(1));
        simulation.advance(Duration::from_nanos(10_000));
        assert!(!after.done());
        let next = home.times.next_date();
        assert_eq!(next, Some(u64::from(u32::MAX) + 400));
        // The table is in order: a date that the clock can show comes.
        let soon = later.submit_after(Duration::from_nanos(50), || 3).unwrap();
        assert_eq!(soon.result(), Ok(3));
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(after.result(), Err(TaskError::Cancelled));
        assert_eq!(pool.submit(|| ()).unwrap_err().reason(), Refusal::ShutDown);
        assert_eq!(points.wrong(), []);
    });
}
