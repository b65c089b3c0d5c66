//! Measures the longest critical section of the peers' timers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done, tell};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use cortex_m3_budgets::rounds::{embassy, embassy_timer, rtic_timer};
use cortex_m3_budgets::timed::longest;
use panic_semihosting as _;

/// Where the dates of the others are.
const OTHERS: u32 = 1 << 20;
/// Behind the others.
const LAST: u32 = 1 << 21;

/// Tells a longest section, without what an empty one takes.
fn longest_of(name: &str, work: impl FnOnce()) {
    let empty = longest(|| critical_section::with(|_| ()));
    assert!(empty > 0);
    let ticks = longest(work).saturating_sub(empty);
    tell(name, (u64::from(ticks) * 40 + 128) >> 8, "instructions");
}

/// A task is spawned before the others, and waits for its date.
fn embassy_time() {
    let executor = embassy::executor();
    let spawner = executor.spawner();
    let mut dates = (1..64).map(|number| u64::from(OTHERS) + number);
    for (more, name) in [
        (7, "embassy-time, 8 timers"),
        (56, "embassy-time, 64 timers"),
    ] {
        Board::set(0);
        embassy_timer::wait_for(executor, dates.by_ref().take(more));
        longest_of(name, || {
            assert!(embassy_timer::submit_at(executor, spawner, 7, 1).is_some());
            embassy_timer::alarm();
            Board::set(1);
            embassy_timer::alarm();
            embassy_timer::poll(executor);
            assert!(embassy_timer::result().is_some());
        });
    }
}

/// A task is spawned behind the others, and waits for its date.
fn rtic_time() {
    rtic_timer::QUEUE.initialize(rtic_timer::Backend);
    let mut others = rtic_timer::others(OTHERS.into());
    for (more, name) in [(7, "rtic-time, 8 timers"), (56, "rtic-time, 64 timers")] {
        Board::set(0);
        others.by_ref().take(more).for_each(rtic_timer::wait_for);
        longest_of(name, || {
            assert!(rtic_timer::submit_at(7, LAST.into()).is_some());
            rtic_timer::alarm();
            // The task sees its date, and leaves the queue from behind the others.
            Board::set(LAST);
            rtic_timer::waker().wake();
            rtic_timer::poll();
            assert!(rtic_timer::result().is_some());
        });
    }
}

#[entry]
fn main() -> ! {
    // This starts the clock.
    let _meter = Meter::new();
    embassy_time();
    rtic_time();
    done();
}
