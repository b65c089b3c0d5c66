//! Measures a sleep of an async task, with few timers and with many: what the peers' timers do.
//! Each figure is that of the dearest place, before all others.
#![no_std]
#![no_main]

use core::array::from_fn;
use core::future::{Future as _, poll_fn};
use core::hint::black_box;
use core::pin::pin;
use core::task::Poll;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use panic_semihosting as _;
use slotted::{Executor, Timetable};

static EXECUTOR: Executor<0, 1, 256, Board> = Executor::new();
static FEW: Timetable<8, Board> = Timetable::new();
static MANY: Timetable<64, Board> = Timetable::new();

/// Where the dates of the others are: later than any round.
const OTHERS: u64 = 1 << 32;

/// Measures each call beside `TIMERS - 1` other timers.
fn measure<const TIMERS: usize>(
    meter: &Meter,
    times: &'static Timetable<TIMERS, Board>,
    names: [&str; 3],
) {
    let later = times.on(&EXECUTOR);
    let others: [_; TIMERS] = from_fn(|number| {
        // One stays free.
        (number > 0).then(|| later.sleep_until(OTHERS + number as u64).ok())
    });
    Board::set(0);
    let task = EXECUTOR.submit_future(async move {
        let [mut arm, mut cancel] = [Ticks::default(); 2];
        for number in 0..ROUNDS {
            let date = u64::from(black_box(number)) + 1;
            let mut sleep = pin!(None);
            poll_fn(|context| {
                let waits = arm.time(|| {
                    sleep.set(later.sleep_until(date).ok());
                    let sleep = sleep.as_mut().as_pin_mut();
                    sleep.is_some_and(|sleep| sleep.poll(context).is_pending())
                });
                assert!(waits);
                Poll::Ready(())
            })
            .await;
            cancel.time(|| sleep.set(None));
            later.sleep_until(date).expect("one is free").await;
        }
        [arm, cancel]
    });
    let task = task.expect("there is room");
    let mut due = Ticks::default();
    assert!(EXECUTOR.run_one());
    for number in 1..=ROUNDS {
        Board::set(number);
        due.time(|| times.advance());
        assert!(EXECUTOR.run_one());
    }
    let [arm, cancel] = task.result().expect("it has ended");
    for (name, ticks) in names.into_iter().zip([arm, cancel, due]) {
        meter.tell(name, ticks);
    }
    drop(others);
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    measure(
        &meter,
        &FEW,
        [
            "sleep_until, and its first poll, before 7 others",
            "drop of a sleep, before 7 others",
            "advance with one sleep due, before 7 others",
        ],
    );
    measure(
        &meter,
        &MANY,
        [
            "sleep_until, and its first poll, before 63 others",
            "drop of a sleep, before 63 others",
            "advance with one sleep due, before 63 others",
        ],
    );
    done();
}
