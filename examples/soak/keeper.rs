//! The thread that begins and ends the lives of one executor.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Barrier, RwLockWriteGuard};
use std::thread;
use std::time::Instant;

use fastrand::Rng;
use slotted::{Executor, Shutdown, ShutdownError, StdThreads};

use crate::block_on::block_on;
use crate::faults;
use crate::pool::{Pool, SLOT_BYTES};
use crate::posts;
use crate::progress;
use crate::tally::{End, Tally};

/// The longest life, in milliseconds.
const LONGEST: u64 = 300;
/// The longest time between two moments without tasks, in microseconds, where there are some.
const LONGEST_WET: u64 = 8000;

/// Begins and ends lives until `stop`, and checks each. Waits at `closed` until no submitter can
/// enter any executor before its first life.
pub(crate) fn keep<const WORKERS: usize, const QUEUE: usize>(
    executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES>,
    pool: &'static Pool,
    mut random: Rng,
    closed: &Barrier,
    stop: &AtomicBool,
) -> Tally {
    posts::take_watched(format!("keeper of `{}`", pool.name));
    pool.be_kept_by_this_thread();
    let mut total = Tally::default();
    let mut gate = pool.close();
    pool.ledger.touch();
    closed.wait();
    while !stop.load(Ordering::Relaxed) {
        let before = pool.stats();
        pool.set_strict(random.bool());
        begin(executor, pool, gate, random.u8(..4) == 0);
        pool.set_steady(true);
        live(pool, &mut random, stop);
        let closed = random.bool().then(|| run_dry(pool));
        pool.set_steady(false);
        end(executor, &mut random);
        posts::note("waits for the submitters to leave");
        let end = if closed.is_some() {
            End::Dry
        } else {
            End::Sudden
        };
        gate = closed.unwrap_or_else(|| pool.close());
        posts::note("checks a life");
        let tally = pool.ledger.audit();
        tally.compare(pool.name, &before, &pool.stats(), end);
        check_workers(pool, WORKERS);
        pool.ledger.clear();
        progress::count_life(&tally);
        total += tally;
    }
    drop(gate);
    posts::give_up();
    total
}

/// Starts the executor. Sometimes it lets the submitters in first.
fn begin<const WORKERS: usize, const QUEUE: usize>(
    executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES>,
    pool: &'static Pool,
    gate: RwLockWriteGuard<'static, ()>,
    opens_first: bool,
) {
    posts::note("starts a life");
    let gate = (!opens_first).then_some(gate);
    if let Err(error) = executor.start(&StdThreads::new().prefix(pool.name)) {
        faults::report(&format_args!("`{}` does not start: {error:?}", pool.name));
    }
    drop(gate);
}

/// Lets the executor live. In half of the lives it runs dry every few milliseconds: a wake-up that
/// was lost shows best when no later one makes good for it.
fn live(pool: &'static Pool, random: &mut Rng, stop: &AtomicBool) {
    let end = Instant::now() + Duration::from_millis(random.u64(..LONGEST));
    let runs_dry = random.bool();
    // Bound: time.
    while rests(pool, end, stop) {
        posts::note("lets an executor live");
        let left = end.saturating_duration_since(Instant::now());
        if runs_dry {
            thread::park_timeout(left.min(Duration::from_micros(random.u64(..LONGEST_WET))));
            drop(run_dry(pool));
        } else {
            thread::park_timeout(left);
        }
    }
}

/// Returns true until the life has been long enough, or a submitter asks for its end.
fn rests(pool: &Pool, end: Instant, stop: &AtomicBool) -> bool {
    !stop.load(Ordering::Relaxed) && !pool.ledger.is_full() && Instant::now() < end
}

/// Keeps submitters out and waits until the executor has nothing left. A shutdown wakes all, so
/// it would make good for a wake-up that was lost. Here nothing does.
fn run_dry(pool: &'static Pool) -> RwLockWriteGuard<'static, ()> {
    posts::note("waits for the submitters to leave a living executor");
    let gate = pool.close();
    posts::note("waits for a living executor to run dry");
    // Endless for a reason: the tasks decide, and the watchdog.
    while pool.stats().slots_in_use > 0 {
        thread::yield_now();
    }
    gate
}

/// Ends the life, in one of all ways.
fn end<const WORKERS: usize, const QUEUE: usize>(
    executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES>,
    random: &mut Rng,
) {
    let how = match random.u8(..3) {
        0 => Shutdown::Drain,
        1 => Shutdown::Cancel,
        _ => Shutdown::Stop,
    };
    let ended = match random.u8(..4) {
        0 => {
            posts::note("begin_shutdown");
            executor.begin_shutdown(Shutdown::Drain);
            executor.shutdown(how)
        }
        1 => {
            posts::note("shutdown_timeout");
            match executor.shutdown_timeout(how, Duration::from_micros(50)) {
                Err(ShutdownError::TimedOut) => executor.shutdown(how),
                ended => ended,
            }
        }
        2 => {
            posts::note("shutdown_async");
            block_on(executor.shutdown_async(how))
        }
        _ => {
            posts::note("shutdown");
            executor.shutdown(how)
        }
    };
    if let Err(error) = ended {
        faults::report(&format_args!("a shutdown fails: {error}"));
    }
}

fn check_workers(pool: &Pool, workers: usize) {
    let [entered, left] = pool.take_worker_counts();
    if entered != workers || left != workers {
        faults::report(&format_args!(
            "`{}` has {workers} workers; {entered} entered and {left} left",
            pool.name
        ));
    }
}
