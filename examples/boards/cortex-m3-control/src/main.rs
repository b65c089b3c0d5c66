//! A control loop with three priorities on a Cortex-M3 (QEMU's mps2-an385): `cargo run --release`.
//!
//! The firmware is that of `examples/control`. Its urgent levels have workers in two interrupts, so
//! a sample interrupts the control, and both interrupt a frame. There is no tick: the board sleeps
//! until the next date. Each date feeds the chip's watchdog, if no task is overdue. The emulator
//! counts instructions, 128 ns each, so each run gives the same figures.
#![no_std]
#![no_main]

#[path = "../../cortex-m3-watchdog/src/hardware.rs"]
mod hardware;
mod host;

use core::convert::Infallible;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use control_firmware::{Firmware, SETPOINT, SLOTS, Series};
use cortex_m::Peripherals;
use cortex_m::peripheral::{NVIC, scb::SystemHandler};
use cortex_m_host::{Line, MPS2_TIMER, Mps2, Mps2Timer, PENDSV, SUPER_LOOP};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use host_parts::Workers;
use panic_semihosting as _;
use slotted::{Clock, Ran, Shutdown, Spawn, Worker};
use slotted_trace::{Limits, Watchdog};

use crate::host::{Board, URGENT_LINE};

static FIRMWARE: Firmware<Board> = Firmware::new();
/// The longest that a task may run, interrupted by others, and wait for its worker.
static WATCHDOG: Watchdog<SLOTS, Board> = Watchdog::new(
    &FIRMWARE.pool,
    Limits {
        running: Duration::from_millis(20),
        queued: Duration::from_millis(40),
    },
);
/// How often the chip's watchdog was not fed.
static HUNGRY: AtomicU32 = AtomicU32::new(0);
/// The interrupts of the clock.
static ALARMS: AtomicU32 = AtomicU32::new(0);
static WORKERS: Workers<3, Board> = Workers::new();

/// The place of the worker in the urgent interrupt.
const URGENT: usize = 2;

/// Each worker serves the level of its number, and those above.
struct Tied;

impl Spawn<Board> for Tied {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, Board>) -> Result<(), Infallible> {
        WORKERS.spawn(match worker.index() {
            URGENT => worker.serve::<2>(),
            PENDSV => worker.serve::<1>(),
            _ => worker,
        })
    }
}

/// When the operator stops a frame: in the middle of it.
const OPERATOR: u64 = millis(524);
/// True if the operator's request was the first.
static ASKED: AtomicBool = AtomicBool::new(false);

/// A date has come.
fn on_alarm() {
    ALARMS.fetch_add(1, Ordering::Relaxed);
    Mps2::on_timer();
    FIRMWARE.tick();
    if WATCHDOG.all_well() {
        hardware::feed();
    } else {
        HUNGRY.fetch_add(1, Ordering::Relaxed);
    }
    let now = Board::now();
    if (OPERATOR..OPERATOR + millis(1)).contains(&now) {
        ASKED.store(FIRMWARE.stop_frame(), Ordering::Relaxed);
    }
}

#[exception]
fn PendSV() {
    while WORKERS.run_one(PENDSV) == Ran::Task {}
}

/// The handler of every line of the interrupt controller.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    match Line(line as u16) {
        MPS2_TIMER => on_alarm(),
        URGENT_LINE => while WORKERS.run_one(URGENT) == Ran::Task {},
        other => panic!("an interrupt of {other:?}"),
    }
}

/// Runs the super-loop until a date: its tasks, and sleep. Returns how often it fell asleep.
fn run_until(date: u64) -> u32 {
    let mut sleeps = 0;
    while Board::now() < date {
        if WORKERS.run_one(SUPER_LOOP) == Ran::Nothing {
            sleeps += 1;
            Board::park_until(date);
        }
    }
    sleeps
}

/// Milliseconds in ticks.
const fn millis(millis: u64) -> u64 {
    millis * Board::TICKS_PER_SECOND / 1000
}

/// Tells what a series did, and returns true if it kept its deadline: its period.
fn tell(
    out: &mut impl Write,
    name: &str,
    series: &Series,
    period: u64,
) -> Result<bool, fmt::Error> {
    let (runs, response) = (series.runs(), series.response());
    let micros = u64::from(response) * 1000 / millis(1);
    let keeps = series.missed() == 0 && u64::from(response) <= period;
    writeln!(
        out,
        "{name}: none missed, each ended within its period: {keeps}"
    )?;
    writeln!(
        out,
        "measured: {name}: {runs} runs, at most {micros} us from its date to its end"
    )?;
    Ok(keeps)
}

/// Tells what the firmware did. Returns true if all of it is as it should be.
fn report(sleeps: u32, out: &mut impl Write) -> Result<bool, fmt::Error> {
    let mut well = true;
    for (name, series, period) in [
        ("sample", &FIRMWARE.sample, 1),
        ("control", &FIRMWARE.control, 5),
        ("communication", &FIRMWARE.communication, 20),
        ("log", &FIRMWARE.log, 100),
    ] {
        well &= tell(out, name, series, millis(period))?;
    }
    let is_there = (FIRMWARE.position.load(Ordering::Relaxed) - SETPOINT).abs() <= 16;
    let stopped = FIRMWARE.stopped.load(Ordering::Relaxed);
    let asked = ASKED.load(Ordering::Relaxed);
    let left = FIRMWARE.pool.stats().slots_in_use;
    let frames = FIRMWARE.frames.load(Ordering::Relaxed);
    writeln!(out, "the frame was stopped: {}", asked && stopped == 1)?;
    writeln!(out, "at the setpoint: {is_there}; {left} slots in use")?;
    // Every date is one of the samples, but for the end of the run.
    let (alarms, dates) = (ALARMS.load(Ordering::Relaxed), FIRMWARE.sample.runs());
    let has_no_tick = (dates..=dates + 1).contains(&alarms);
    writeln!(out, "the clock interrupted at dates only: {has_no_tick}")?;
    // A permit that is left ends a sleep at once: one for each date, and one for each frame.
    let slept = (dates / 2..=2 * dates + 50).contains(&sleeps);
    writeln!(out, "the super-loop slept in between: {slept}")?;
    writeln!(
        out,
        "measured: {alarms} interrupts of the clock, {sleeps} sleeps"
    )?;
    let hungry = HUNGRY.load(Ordering::Relaxed);
    writeln!(out, "all was well at each date: {}", hungry == 0)?;
    writeln!(out, "measured: {frames} frames")?;
    Ok(well
        && has_no_tick
        && slept
        && asked
        && stopped == 1
        && is_there
        && left == 0
        && hungry == 0)
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    Mps2Timer::start(0);
    Mps2::start_clock();
    // The clock is the most urgent, then the interrupt of level 2, then PendSV. SAFETY: no critical
    // section depends on priorities.
    unsafe {
        peripherals.NVIC.set_priority(URGENT_LINE, 0x40);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(URGENT_LINE);
    }
    FIRMWARE.begin().expect("it takes tasks");
    FIRMWARE
        .pool
        .start(&Tied)
        .expect("there is a place for each");
    hardware::start(Board::TICKS_PER_SECOND as u32 / 10);
    // SAFETY: as above.
    unsafe { NVIC::unmask(MPS2_TIMER) };

    let mut out = hio::hstdout().expect("the emulator has a console");
    let sleeps = run_until(millis(1001));

    FIRMWARE.pool.begin_shutdown(Shutdown::Stop);
    while WORKERS.run_one(SUPER_LOOP) != Ran::Left {}
    debug::exit(if report(sleeps, &mut out) == Ok(true) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}
