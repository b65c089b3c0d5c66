//! Measures a task that a promise completes.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use panic_semihosting as _;
use slotted::{Executor, SpinHost};

static EXECUTOR: Executor<0, 8, 16, SpinHost> = Executor::new();

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    let [mut make, mut set, mut take, mut drop_promise] = [Ticks::default(); 4];
    for number in 0..ROUNDS {
        let number = black_box(number);
        let (promise, handle) = make
            .time(|| EXECUTOR.promise::<u32>())
            .expect("there is room");
        assert!(set.time(|| promise.set_result(number)).is_ok());
        assert!(
            take.time(|| handle.result())
                .is_ok_and(|value| value == number)
        );
        drop_promise.time(move || drop(promise));
    }
    meter.tell("promise", make);
    meter.tell("Promise::set_result", set);
    meter.tell("result of a promise", take);
    meter.tell("drop of a kept promise", drop_promise);
    done();
}
