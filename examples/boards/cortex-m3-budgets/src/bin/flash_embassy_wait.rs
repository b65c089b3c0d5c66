//! The smallest program with an embassy task that waits for another.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m3_budgets::rounds::embassy::{executor, spawn_and_wait};
use embassy_executor::Spawner;
use panic_halt as _;

#[embassy_executor::task]
async fn rounds(spawner: Spawner) {
    loop {
        black_box(spawn_and_wait(spawner, black_box(7)).await);
    }
}

#[entry]
fn main() -> ! {
    let executor = executor();
    let spawner = executor.spawner();
    if let Ok(token) = rounds(spawner) {
        spawner.spawn(token);
    }
    loop {
        // SAFETY: this is the only thread, and no task polls.
        unsafe { executor.poll() };
    }
}
