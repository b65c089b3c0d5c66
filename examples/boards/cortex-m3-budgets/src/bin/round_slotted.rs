//! The round trip of a closure through an executor without workers.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done};
use cortex_m3_budgets::rounds::slotted::round;
use panic_semihosting as _;

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    meter.measure("submit, run_one, result", round, |number| Some(number.wrapping_mul(3)));
    done();
}
