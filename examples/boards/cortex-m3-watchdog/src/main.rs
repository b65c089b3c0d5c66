//! A watchdog that is fed only while all is well, on a Cortex-M3 (QEMU's mps2-an385):
//! `cargo run --release`.
//!
//! The clock's interrupt feeds the chip's watchdog. That alone would say that the clock runs. So it
//! asks first whether all tasks make progress. There is no tick: each look sets the alarm for the
//! next. After a while a task gets stuck. Interrupts still come, but the watchdog starves, and
//! resets the board. The next start tells why.
#![no_std]
#![no_main]

mod black_box;
mod hardware;
mod job;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use cortex_m::Peripherals;
use cortex_m::peripheral::{NVIC, scb::SystemHandler};
use cortex_m_host::{Line, MPS2_TIMER, Mps2, Mps2Timer, PENDSV, SUPER_LOOP};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use host_parts::{Places, Workers};
use panic_semihosting as _;
use slotted::{Clock, Executor, Park, Ran, Step};
use slotted_trace::{Limits, Watchdog};

use crate::job::Job;

const HERTZ: u32 = 25_000_000;
/// The chip's watchdog resets the board if it was not fed for twice as long.
const HARDWARE_LIMIT: u32 = HERTZ / 10;

const LIMITS: Limits = Limits {
    running: Duration::from_millis(50),
    queued: Duration::from_millis(200),
};

/// The time between two looks.
const LOOK: u64 = millis(10);

static POOL: Executor<2, 8, 64, Board> = Executor::new();
static WORKERS: Workers<2, Board> = Workers::new();
static WATCHDOG: Watchdog<8, Board> = Watchdog::new(&POOL, LIMITS);

/// How often the chip's watchdog was fed.
static FED: AtomicU32 = AtomicU32::new(0);
static STARVES: AtomicBool = AtomicBool::new(false);

/// A Cortex-M with the super-loop's worker and PendSV's, whose steps the watchdog is told.
struct Board;

impl Park for Board {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        Mps2::current_id()
    }

    fn park() {
        Mps2::park();
    }

    fn unpark((): &()) {
        Mps2::unpark(&());
    }

    fn ready() {
        Mps2::ready();
    }

    fn note(step: impl FnOnce() -> Step) {
        let step = step();
        WATCHDOG.note(Self::now(), step);
        job::note(step);
    }
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = Mps2::TICKS_PER_SECOND;

    fn now() -> u64 {
        Mps2::now()
    }

    fn park_until(deadline: u64) {
        Mps2::park_until(deadline);
    }

    fn set_alarm(date: Option<u64>) {
        Mps2::set_alarm(date);
    }
}

impl Places for Board {
    fn thread(_place: usize) {}
}

/// Milliseconds in ticks.
const fn millis(millis: u64) -> u64 {
    millis * Board::TICKS_PER_SECOND / 1000
}

/// The handler of every line of the interrupt controller.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    assert!(Line(line as u16) == MPS2_TIMER, "an interrupt of {line}");
    Mps2::on_timer();
    look();
}

/// Looks after the tasks, and sets the alarm for the next time. This board has no timetable, which
/// would set it too.
fn look() {
    Board::set_alarm(Some(Board::now() + LOOK));
    if WATCHDOG.all_well() {
        hardware::feed();
        FED.fetch_add(1, Ordering::Relaxed);
    } else if !STARVES.swap(true, Ordering::Relaxed) {
        tell_why();
    }
}

/// Names the task that is stuck, for people and for the next start.
fn tell_why() {
    let Some(overdue) = WATCHDOG.overdue(LIMITS.running) else {
        hprintln!("FAILED: no task runs for too long");
        return;
    };
    let job = Job::of(overdue.kind).expect("it was submitted");
    let took = Board::now() - overdue.since;
    let limit = millis(LIMITS.running.as_millis() as u64);
    hprintln!(
        "stuck: the task of {:?} in slot {}, on worker {:?}; seen at the next look: {}",
        job,
        overdue.task.slot,
        overdue.worker,
        (limit..limit + LOOK + millis(1)).contains(&took)
    );
    hprintln!("measured: for {} us", took / (millis(1) / 1000));
    hprintln!("measured: its kind is {:#x}", overdue.kind);
    black_box::keep(job as u32);
}

/// The first sign of the chip's watchdog: the reset follows.
#[exception]
unsafe fn NonMaskableInt() {
    hprintln!("the watchdog starves");
    hprintln!("measured: it was fed {} times", FED.load(Ordering::Relaxed));
}

#[exception]
fn PendSV() {
    while WORKERS.run_one(PENDSV) == Ran::Task {}
}

#[entry]
fn main() -> ! {
    if let Some(job) = black_box::take() {
        hprintln!(
            "ok the watchdog has reset the board, because of {:?}",
            Job::of_number(job)
        );
        debug::exit(if Job::of_number(job) == Some(Job::Radio) {
            debug::EXIT_SUCCESS
        } else {
            debug::EXIT_FAILURE
        });
    }
    let mut peripherals = Peripherals::take().expect("they are taken once");
    // SAFETY: no critical section depends on priorities.
    unsafe { peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff) };
    Mps2Timer::start(0);
    Mps2::start_clock();
    // SAFETY: as above.
    unsafe { NVIC::unmask(MPS2_TIMER) };
    look();
    hardware::start(HARDWARE_LIMIT);
    POOL.start(&WORKERS).expect("it has not been started");

    for _ in 0..100 {
        Job::Sample.submit();
        Job::Filter.submit();
        while WORKERS.run_one(SUPER_LOOP) == Ran::Task {}
    }
    let (stats, fed) = (POOL.stats(), FED.load(Ordering::Relaxed));
    assert!(stats.completed == 200 && (45..=60).contains(&fed) && WATCHDOG.all_well());
    hprintln!("ok 200 tasks of 5 ms a pair, and all was well all the while");
    Job::Radio.submit();
    unreachable!("PendSV's worker never comes back");
}
