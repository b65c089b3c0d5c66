//! Measures the cancel of a closure, and a look at an empty queue.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, done};
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;
use slotted::{Executor, SpinHost};

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let round = |number| {
        EXECUTOR
            .submit(move || work(number))
            .is_ok_and(|handle| handle.cancel())
    };
    meter.measure("submit, cancel, drop", round, |_| true);
    meter.measure(
        "run_one with nothing to do",
        |_| EXECUTOR.run_one(),
        |_| false,
    );
    done();
}
