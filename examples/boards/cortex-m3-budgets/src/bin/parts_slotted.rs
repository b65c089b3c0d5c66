//! Measures the parts of a closure's round trip separately.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;
use slotted::{Executor, SpinHost};

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let [mut submit, mut run, mut result] = [Ticks::default(); 3];
    for number in 0..ROUNDS {
        let number = black_box(number);
        let handle = submit
            .time(|| EXECUTOR.submit(move || work(number)))
            .expect("there is room");
        assert!(run.time(|| EXECUTOR.run_one()));
        assert!(
            result
                .time(|| handle.result())
                .is_ok_and(|value| value == work(number))
        );
    }
    meter.tell("submit alone", submit);
    meter.tell("run_one alone", run);
    meter.tell("result alone", result);
    done();
}
