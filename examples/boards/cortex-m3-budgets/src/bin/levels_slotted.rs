//! Measures the calls of levels, beside no other task and beside 63 that wait.
#![no_std]
#![no_main]

use core::array::from_fn;
use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::slotted_levels::Host;
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;
use slotted::Executor;

static EXECUTOR: Executor<0, 64, 16, Host> = Executor::new();

/// Measures each call beside `WAITING` tasks of the lowest level.
fn measure<const WAITING: usize>(meter: &Meter, names: [&str; 4]) {
    let waiting: [_; WAITING] = from_fn(|_| EXECUTOR.submit(|| 0).ok());
    let [mut submit, mut run, mut raise, mut cancel] = [Ticks::default(); 4];
    for number in 0..ROUNDS {
        let number = black_box(number);
        let urgent = EXECUTOR.level::<3>();
        let handle = submit
            .time(|| urgent.submit(move || work(number)))
            .expect("there is room");
        assert!(run.time(|| EXECUTOR.run_one()));
        assert!(handle.result().is_ok_and(|value| value == work(number)));

        let handle = EXECUTOR
            .submit(move || work(number))
            .expect("there is room");
        assert!(raise.time(|| handle.raise::<3>()));
        assert!(cancel.time(|| handle.cancel()));
    }
    for (name, ticks) in names.into_iter().zip([submit, run, raise, cancel]) {
        meter.tell(name, ticks);
    }
    for handle in waiting.iter().flatten() {
        assert!(handle.cancel());
    }
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    measure::<0>(
        &meter,
        [
            "level::<3>().submit, alone",
            "run_one of a task of level 3, alone",
            "raise::<3>, alone",
            "cancel at level 3, alone",
        ],
    );
    measure::<63>(
        &meter,
        [
            "level::<3>().submit, beside 63",
            "run_one of a task of level 3, beside 63",
            "raise::<3>, beside 63",
            "cancel at level 3, beside 63",
        ],
    );
    done();
}
