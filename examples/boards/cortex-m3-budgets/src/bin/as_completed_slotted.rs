//! Measures each step of `as_completed`, among few handles and among many.
#![no_std]
#![no_main]

use core::array::from_fn;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done, tell};
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;
use slotted::{Executor, SpinHost, as_completed};

static EXECUTOR: Executor<0, 32, 16, SpinHost> = Executor::new();

/// When the workers run the tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Before,
    /// During the steps, which have to wait for the tasks.
    Meanwhile,
}

/// The time to give `as_completed` some handles, and the time to get each of them back.
#[inline(never)]
fn steps<const HANDLES: usize>(run: Run) -> Ticks {
    let mut timed = Ticks::default();
    for _ in 0..ROUNDS {
        let handles: [_; HANDLES] = from_fn(|place| {
            EXECUTOR
                .submit(move || work(place as u32))
                .expect("there is room")
        });
        if run == Run::Before {
            EXECUTOR.run_until_idle();
        }
        let mut completed = timed.time(|| as_completed(handles));
        for place in 0..HANDLES {
            let handle = timed.time(|| completed.next()).expect("one is left");
            assert!(
                handle
                    .result()
                    .is_ok_and(|value| value == work(place as u32))
            );
        }
        assert!(completed.next().is_none());
    }
    timed
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    for (when, run) in [
        ("done before", Run::Before),
        ("run meanwhile", Run::Meanwhile),
    ] {
        let [four, eight, many] = [steps::<4>, steps::<8>, steps::<32>]
            .map(|steps| meter.instructions(steps(run), u64::from(ROUNDS)));
        // The cost of each additional handle.
        let (of_eight, of_many) = ((eight - four).div_ceil(4), (many - eight).div_ceil(24));
        tell(
            &format_args!("as_completed, a step of 8, {when}"),
            of_eight,
            "instructions",
        );
        tell(
            &format_args!("as_completed, a step of 32, {when}"),
            of_many,
            "instructions",
        );
        assert!(
            of_many <= of_eight + of_eight / 10,
            "{when}: a step costs more among many"
        );
    }
    done();
}
