//! The smallest useful program with an executor.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m3_budgets::rounds::slotted::round;
use panic_halt as _;

#[entry]
fn main() -> ! {
    loop {
        black_box(round(black_box(7)));
    }
}
