//! Tasks submitted by every hart and an interrupt at once: each runs once, and every result is right.

use portable_atomic::{AtomicU8, AtomicUsize, Ordering};
use slotted::{Executor, Pending, Ran};

use crate::host::{Clint, HARTS, Workers};

/// How many tasks hart 0 submits and takes the results of.
const MAPPED: usize = 100_000;
/// How many each of the others submits and forgets.
const FED: usize = 10_000;
const FEEDERS: usize = HARTS - 1;
/// How many the interrupt submits.
const INTERRUPTED: usize = 2_000;
const ALL: usize = MAPPED + FEEDERS * FED + INTERRUPTED;

static EXECUTOR: Executor<HARTS, 32, 64, Clint> = Executor::new();
/// How often each task ran.
static RAN: [AtomicU8; ALL] = [const { AtomicU8::new(0) }; ALL];
/// The task that the interrupt submits next.
static NEXT: AtomicUsize = AtomicUsize::new(ALL);
/// How many tasks each hart ran.
static RAN_BY: [AtomicUsize; HARTS] = [const { AtomicUsize::new(0) }; HARTS];

fn task(number: usize) -> usize {
    RAN[number].fetch_add(1, Ordering::Relaxed);
    RAN_BY[riscv::register::mhartid::read()].fetch_add(1, Ordering::Relaxed);
    number ^ 0x5555
}

/// To be called by the periodic interrupt.
pub(crate) fn interrupt() {
    for _ in 0..8 {
        let number = NEXT.load(Ordering::Relaxed); // only interrupts of one hart store while the race is on
        if number == ALL {
            return;
        }
        // Refused: the next interrupt tries again.
        let Ok(handle) = EXECUTOR.submit(move || task(number)) else { return };
        handle.detach();
        NEXT.store(number + 1, Ordering::Relaxed); // as above
    }
}

/// Submits tasks from the hart it runs on: none of them begins before each of the other harts has its own.
fn feed(numbers: core::ops::Range<usize>) {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    STARTED.fetch_add(1, Ordering::Relaxed);
    while STARTED.load(Ordering::Relaxed) < FEEDERS {
        core::hint::spin_loop();
    }
    for number in numbers {
        while EXECUTOR.submit(move || task(number)).is_err() {
            EXECUTOR.run_one();
        }
    }
}

/// How many tasks there were, if each ran once and each hart ran some; otherwise, what was not so.
pub(crate) fn race(workers: &Workers) -> Result<usize, &'static str> {
    EXECUTOR.start(workers).map_err(|_| "the workers did not start")?;
    // Attaches hart 0.
    let _ = workers.run_one();
    for feeder in 0..FEEDERS {
        let first = MAPPED + feeder * FED;
        EXECUTOR.submit(move || feed(first..first + FED)).map_err(|_| "a feeder was refused")?.detach();
    }
    NEXT.store(MAPPED + FEEDERS * FED, Ordering::Relaxed);
    let mut results = 0..MAPPED;
    for result in EXECUTOR.map(0..MAPPED, task).buffersize(16) {
        if result.ok() != results.next().map(|number| number ^ 0x5555) {
            return Err("a result is wrong");
        }
    }
    if !results.is_empty() {
        return Err("a result is missing");
    }
    while NEXT.load(Ordering::Relaxed) < ALL || EXECUTOR.stats().slots_in_use > 0 {
        let _ = workers.run_one();
    }
    EXECUTOR.begin_shutdown(Pending::Run);
    while workers.run_one() != Ran::Left {}
    EXECUTOR.shutdown(Pending::Run).map_err(|_| "the workers did not leave")?;
    if RAN.iter().any(|ran| ran.load(Ordering::Relaxed) != 1) {
        return Err("a task did not run once");
    }
    if RAN_BY.iter().any(|ran| ran.load(Ordering::Relaxed) == 0) {
        return Err("a hart ran nothing");
    }
    Ok(ALL)
}
