//! Measures RTIC's timer queue, with few timers and with many. It is a sorted list: a date before
//! all others is the cheapest, one behind them the dearest.
#![no_std]
#![no_main]

use core::future::Future as _;
use core::hint::black_box;
use core::pin::pin;
use core::task::Context;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::rtic_timer::{
    Backend, QUEUE, alarm, others, poll, result, submit_at, wait_for, waker,
};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use cortex_m3_budgets::rounds::work;
use panic_semihosting as _;

/// Where the dates of the others are: later than any round.
const OTHERS: u32 = 1 << 20;
/// Behind the others.
const LAST: u32 = 1 << 21;

/// Measures each call, beside the timers that wait already.
fn measure(meter: &Meter, names: [&str; 9]) {
    Board::set(0);
    let [mut first, mut last, mut drop_first, mut drop_last] = [Ticks::default(); 4];
    let waker = waker();
    let mut context = Context::from_waker(&waker);
    for number in 0..ROUNDS {
        let date = u64::from(black_box(number)) + 1;
        for (date, arm, cancel) in [
            (date, &mut first, &mut drop_first),
            (LAST.into(), &mut last, &mut drop_last),
        ] {
            let mut delay = pin!(None);
            let waits = arm.time(|| {
                delay.set(Some(QUEUE.delay_until(date)));
                let delay = delay.as_mut().as_pin_mut();
                delay.is_some_and(|delay| delay.poll(&mut context).is_pending())
            });
            assert!(waits);
            cancel.time(|| delay.set(None));
        }
    }

    let [mut spawn_first, mut spawn_last] = [Ticks::default(); 2];
    let [mut nothing, mut due, mut run] = [Ticks::default(); 3];
    for number in 0..ROUNDS {
        let number = black_box(number);
        Board::set(number);
        let spawned = spawn_last.time(|| submit_at(number, LAST.into()));
        assert!(spawned.is_some());
        // Without the alarm, so the others stay.
        Board::set(LAST);
        waker.wake_by_ref();
        poll();
        assert!(result() == Some(work(number)));

        Board::set(number);
        let spawned = spawn_first.time(|| submit_at(number, u64::from(number) + 1));
        assert!(spawned.is_some());
        nothing.time(alarm);
        poll();
        assert!(result().is_none());
        Board::set(number + 1);
        due.time(alarm);
        run.time(poll);
        assert!(result() == Some(work(number)));
    }
    for (name, ticks) in names.into_iter().zip([
        first,
        last,
        drop_first,
        drop_last,
        spawn_first,
        spawn_last,
        nothing,
        due,
        run,
    ]) {
        meter.tell(name, ticks);
    }
}

#[entry]
fn main() -> ! {
    let meter = Meter::new();
    QUEUE.initialize(Backend);
    let mut delays = others(OTHERS.into());
    delays.by_ref().take(7).for_each(wait_for);
    measure(
        &meter,
        [
            "rtic-time: delay_until, and its first poll, before 7 others",
            "rtic-time: delay_until, and its first poll, behind 7 others",
            "rtic-time: drop of a delay, before 7 others",
            "rtic-time: drop of a delay, behind 7 others",
            "rtic-time: spawn, and poll of a delay, before 7 others",
            "rtic-time: spawn, and poll of a delay, behind 7 others",
            "rtic-time: the timer's interrupt with nothing due, 8 timers",
            "rtic-time: the timer's interrupt with one due, before 7 others",
            "rtic-time: poll of a task that was due, 8 timers",
        ],
    );
    delays.for_each(wait_for);
    measure(
        &meter,
        [
            "rtic-time: delay_until, and its first poll, before 63 others",
            "rtic-time: delay_until, and its first poll, behind 63 others",
            "rtic-time: drop of a delay, before 63 others",
            "rtic-time: drop of a delay, behind 63 others",
            "rtic-time: spawn, and poll of a delay, before 63 others",
            "rtic-time: spawn, and poll of a delay, behind 63 others",
            "rtic-time: the timer's interrupt with nothing due, 64 timers",
            "rtic-time: the timer's interrupt with one due, before 63 others",
            "rtic-time: poll of a task that was due, 64 timers",
        ],
    );
    done();
}
