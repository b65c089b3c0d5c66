//! Measures the longest critical section of the peers' timers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done, tell};
use cortex_m3_budgets::rounds::embassy::executor;
use cortex_m3_budgets::rounds::embassy_timer::{alarm, poll, result, submit_at, wait_for};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use cortex_m3_budgets::timed::longest;
use panic_semihosting as _;

/// Where the dates of the others are.
const OTHERS: u64 = 1 << 32;

#[entry]
fn main() -> ! {
    // This starts the clock.
    let _meter = Meter::new();
    let empty = longest(|| critical_section::with(|_| ()));
    assert!(empty > 0);
    let instructions = |ticks: u32| (u64::from(ticks.saturating_sub(empty)) * 40 + 128) >> 8;

    let executor = executor();
    let spawner = executor.spawner();
    let mut there = 1;
    for (timers, name) in [
        (8, "embassy-time, 8 timers"),
        (64, "embassy-time, 64 timers"),
    ] {
        wait_for(executor, (there..timers).map(|number| OTHERS + number));
        there = timers;
        let ticks = longest(|| {
            Board::set(0);
            assert!(submit_at(executor, spawner, 7, 1).is_some());
            assert!(alarm() == 1);
            Board::set(1);
            assert!(alarm() >= OTHERS);
            poll(executor);
            assert!(result().is_some());
        });
        tell(name, instructions(ticks), "instructions");
    }
    done();
}
