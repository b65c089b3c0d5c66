//! A day of a small firmware in virtual time: a sensor that is sampled 100 times a second, and a
//! log that is written 10 times a second. On a desktop it takes a second or two.
//!
//! `cargo run --release --example simulated_day`

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::time::Instant;

use slotted::{Clock, Executor, SimHost, Simulation};

/// The super-loop's work, as on the board. There its host is the board's.
static WORK: Executor<0, 8, 32, SimHost> = Executor::new();

static SAMPLES: AtomicU64 = AtomicU64::new(0);
static LINES: AtomicU64 = AtomicU64::new(0);

const DAY: u64 = 24 * 3600 * SimHost::TICKS_PER_SECOND;
const SAMPLE_EVERY: u64 = SimHost::TICKS_PER_SECOND / 100;
const LOG_EVERY: u64 = SimHost::TICKS_PER_SECOND / 10;

fn sample() {
    SimHost::spend(Duration::from_micros(120)); // what it takes on the board
    SAMPLES.fetch_add(1, Ordering::Relaxed);
}

fn log() {
    SimHost::spend(Duration::from_micros(900));
    LINES.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    let began = Instant::now();
    let simulation = Simulation::new();
    let (mut next_sample, mut next_line, mut latest) = (0, 0, 0);
    // Bound: the day.
    loop {
        let date = next_sample.min(next_line);
        if date >= DAY {
            break;
        }
        simulation.run_until(date);
        if date == next_sample {
            WORK.submit(sample).expect("a slot is free").detach();
            next_sample += SAMPLE_EVERY;
        }
        if date == next_line {
            WORK.submit(log).expect("a slot is free").detach();
            next_line += LOG_EVERY;
        }
        while WORK.run_one() {}
        latest = latest.max(SimHost::now() - date);
    }
    simulation.run_until(DAY);

    println!(
        "{} samples, {} lines",
        SAMPLES.load(Ordering::Relaxed),
        LINES.load(Ordering::Relaxed)
    );
    println!(
        "at most {} us from a date to the end of its work",
        latest / 1000
    );
    println!("trace {:016x}", simulation.trace().hash());
    println!("{:.1?} for a day", began.elapsed());
    assert_eq!(SimHost::now(), DAY);
    assert_eq!(SAMPLES.load(Ordering::Relaxed), 8_640_000);
    assert_eq!(LINES.load(Ordering::Relaxed), 864_000);
    assert_eq!(latest, 1_020_000);
}
