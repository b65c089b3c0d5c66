//! Measures a timetable's calls, with few timers and with many. Each figure is that of the place
//! with the most to do: a date before or behind all others.
#![no_std]
#![no_main]

use core::array::from_fn;
use core::hint::black_box;
use core::ops::ControlFlow;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;
use slotted::{Every, Executor, Timetable};

static FEW: (Executor<0, 8, 48, Board>, Timetable<8, Board>) = (Executor::new(), Timetable::new());
static MANY: (Executor<0, 64, 48, Board>, Timetable<64, Board>) =
    (Executor::new(), Timetable::new());

/// Where the dates of the others are: later than any round.
const OTHERS: u64 = 1 << 32;

/// Measures each call beside `TIMERS - 1` other timers.
fn measure<const TIMERS: usize>(
    meter: &Meter,
    (executor, times): &'static (Executor<0, TIMERS, 48, Board>, Timetable<TIMERS, Board>),
    names: [&str; 6],
) {
    let later = times.on(executor);
    let others: [_; TIMERS] = from_fn(|number| {
        // One stays free.
        (number > 0).then(|| later.submit_at(OTHERS + number as u64, || 0).ok())
    });
    let [
        mut submit,
        mut moved,
        mut cancel,
        mut nothing,
        mut due,
        mut run,
    ] = [Ticks::default(); 6];
    for number in 0..ROUNDS {
        let number = black_box(number);
        // The first of all: the way up is the longest, and the way down for what takes its place.
        let date = u64::from(number) + 1;
        let handle = submit
            .time(|| later.submit_at(date, move || work(number)))
            .expect("there is room");
        assert!(moved.time(|| times.move_to(&handle, OTHERS * 2)));
        assert!(times.move_to(&handle, date));
        assert!(cancel.time(|| handle.cancel()));
        drop(handle);

        let handle = later
            .submit_at(date, move || work(number))
            .expect("there is room");
        nothing.time(|| times.advance());
        Board::set(number + 1);
        due.time(|| times.advance());
        assert!(run.time(|| executor.run_one()));
        assert!(handle.result().is_ok_and(|value| value == work(number)));
    }
    for (name, ticks) in names
        .into_iter()
        .zip([submit, moved, cancel, nothing, due, run])
    {
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
            "submit_at, before 7 others",
            "move_to, from before to behind 7 others",
            "cancel before 7 others",
            "advance with nothing due, 8 timers",
            "advance with one due, before 7 others",
            "run_one of a task that was due, 8 timers",
        ],
    );
    Board::set(0);
    measure(
        &meter,
        &MANY,
        [
            "submit_at, before 63 others",
            "move_to, from before to behind 63 others",
            "cancel before 63 others",
            "advance with nothing due, 64 timers",
            "advance with one due, before 63 others",
            "run_one of a task that was due, 64 timers",
        ],
    );
    // A series: due, run, and armed again.
    static SERIES: (Executor<0, 8, 64, Board>, Timetable<8, Board>) =
        (Executor::new(), Timetable::new());
    let (executor, times) = &SERIES;
    Board::set(0);
    let series = times
        .on(executor)
        .submit_every(Every::ticks(1), |run| {
            black_box(run.missed);
            ControlFlow::<()>::Continue(())
        })
        .expect("there is room");
    let mut round = Ticks::default();
    for number in 0..ROUNDS {
        Board::set(number + 1);
        assert!(round.time(|| {
            times.advance();
            executor.run_one()
        }));
    }
    meter.tell("a run of a series: advance and run_one", round);
    assert!(series.cancel());
    done();
}
