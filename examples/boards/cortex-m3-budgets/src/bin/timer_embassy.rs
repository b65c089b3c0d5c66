//! Measures embassy-time's queue, which lies in embassy's tasks, with few timers and with
//! many. Where a timer stands among the others does not matter to it.
#![no_std]
#![no_main]

use core::future::{Future as _, poll_fn};
use core::hint::black_box;
use core::pin::pin;
use core::task::Poll;

use cortex_m_rt::entry;
use cortex_m3_budgets::meter::{Meter, ROUNDS, Ticks, done};
use cortex_m3_budgets::rounds::embassy::executor;
use cortex_m3_budgets::rounds::embassy_timer::{alarm, poll, result, submit_at, wait_for};
use cortex_m3_budgets::rounds::slotted_timer::Board;
use cortex_m3_budgets::rounds::work;
use embassy_executor::raw::Executor;
use embassy_time::{Instant, Timer};
use panic_semihosting as _;
use static_cell::StaticCell;

/// Where the dates of the others are: later than any round.
const OTHERS: u64 = 1 << 32;

/// Polls timers of its own: one, and then a later one instead.
#[embassy_executor::task]
async fn arm(meter: &'static Meter, armed: &'static str, again: &'static str) {
    let [mut arm, mut later] = [Ticks::default(); 2];
    for number in 0..ROUNDS {
        let date = u64::from(black_box(number)) + 1;
        poll_fn(|context| {
            let ready = arm.time(|| pin!(Timer::at(Instant::from_ticks(date))).poll(context));
            assert!(ready.is_pending());
            let date = OTHERS * 2;
            let ready = later.time(|| pin!(Timer::at(Instant::from_ticks(date))).poll(context));
            assert!(ready.is_pending());
            Poll::Ready(())
        })
        .await;
        // The queue has kept the first date.
        Board::set(number + 1);
        assert!(alarm() >= OTHERS);
    }
    meter.tell(armed, arm);
    meter.tell(again, later);
}

/// Measures each call, beside the timers that wait already.
fn measure(meter: &'static Meter, executor: &'static Executor, names: [&'static str; 6]) {
    let [armed, again, names @ ..] = names;
    let spawner = executor.spawner();
    Board::set(0);
    spawner.spawn(arm(meter, armed, again).expect("it is over"));
    poll(executor);

    Board::set(0);
    let [mut spawn, mut nothing, mut due, mut run] = [Ticks::default(); 4];
    for number in 0..ROUNDS {
        let number = black_box(number);
        let date = u64::from(number) + 1;
        let spawned = spawn.time(|| submit_at(executor, spawner, number, date));
        assert!(spawned.is_some());
        assert!(nothing.time(alarm) == date);
        Board::set(number + 1);
        assert!(due.time(alarm) >= OTHERS);
        run.time(|| poll(executor));
        assert!(result() == Some(work(number)));
    }
    for (name, ticks) in names.into_iter().zip([spawn, nothing, due, run]) {
        meter.tell(name, ticks);
    }
}

#[entry]
fn main() -> ! {
    static METER: StaticCell<Meter> = StaticCell::new();
    let meter = METER.init(Meter::new());
    let executor = executor();
    wait_for(executor, (1..8).map(|number| OTHERS + number));
    measure(
        meter,
        executor,
        [
            "embassy-time: Timer::at, and its first poll, beside 7 others",
            "embassy-time: a later Timer instead, beside 7 others",
            "embassy-time: spawn, and poll of a Timer, beside 7 others",
            "embassy-time: next_expiration with nothing due, 8 timers",
            "embassy-time: next_expiration with one due, beside 7 others",
            "embassy-time: poll of a task that was due, 8 timers",
        ],
    );
    wait_for(executor, (8..64).map(|number| OTHERS + number));
    measure(
        meter,
        executor,
        [
            "embassy-time: Timer::at, and its first poll, beside 63 others",
            "embassy-time: a later Timer instead, beside 63 others",
            "embassy-time: spawn, and poll of a Timer, beside 63 others",
            "embassy-time: next_expiration with nothing due, 64 timers",
            "embassy-time: next_expiration with one due, beside 63 others",
            "embassy-time: poll of a task that was due, 64 timers",
        ],
    );
    done();
}
