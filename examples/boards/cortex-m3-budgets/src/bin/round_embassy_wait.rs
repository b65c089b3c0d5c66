//! Measures the round trip of an embassy task to a task that waits for it.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, begin, done, end};
use cortex_m3_budgets::rounds::embassy::{executor, spawn_and_wait};
use cortex_m3_budgets::rounds::work;
use embassy_executor::Spawner;
use panic_semihosting as _;

#[embassy_executor::task]
async fn measure(spawner: Spawner, meter: Meter) {
    let mut timed = Ticks::default();
    for number in 0..ROUNDS {
        let began = begin();
        let result = spawn_and_wait(spawner, black_box(number)).await;
        let ended = end();
        timed.add(began, ended);
        assert!(result == Some(work(number)));
    }
    meter.tell(
        "embassy-executor: a task spawns, and waits for the signal",
        timed,
    );
    done();
}

#[entry]
fn main() -> ! {
    let executor = executor();
    let spawner = executor.spawner();
    spawner.spawn(measure(spawner, Meter::new()).expect("it is the first"));
    loop {
        // SAFETY: this is the only thread, and no task polls.
        unsafe { executor.poll() };
    }
}
