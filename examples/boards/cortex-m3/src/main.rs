//! Runs the scenarios on a Cortex-M3 (QEMU's mps2-an385): `cargo run --release`.
//!
//! Three workers: the super-loop, PendSV, and a more urgent interrupt without a device. SysTick is
//! the most urgent interrupt and the clock. It completes, wakes and submits.
#![no_std]
#![no_main]

mod preemption;

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::Peripherals;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{NVIC, scb::SystemHandler};
use cortex_m_host::{CortexM, PENDSV, SUPER_LOOP, SingleCore, Workers, start_clock, tick};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted::Ran;
use slotted_scenarios::Suite;

static WORKERS: Workers<3, CortexM> = Workers::new();
static SUITE: Suite<3, CortexM> = Suite::new();

/// The place of the urgent interrupt's worker in [`WORKERS`].
const URGENT: usize = 2;
/// True if the clock requests the urgent interrupt.
static CLOCK_IS_URGENT: AtomicBool = AtomicBool::new(false);

/// The urgent interrupt: a line without a device, between SysTick and PendSV.
#[derive(Clone, Copy)]
struct Urgent;

// SAFETY: it is one number, always the same.
unsafe impl InterruptNumber for Urgent {
    fn number(self) -> u16 {
        31
    }
}

const URGENT_PRIORITY: u8 = 0x40;

#[exception]
fn SysTick() {
    tick::<SingleCore>();
    SUITE.interrupt();
    if CLOCK_IS_URGENT.load(Ordering::Relaxed) {
        NVIC::pend(Urgent);
    }
}

#[exception]
fn PendSV() {
    while WORKERS.run_one(PENDSV) == Ran::Task {}
}

/// The handler of every line of the interrupt controller. It runs one task each time, so that some
/// are left for the other workers.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    assert!(
        line == Urgent.number() as i16,
        "an interrupt of line {line}"
    );
    let _ = WORKERS.run_one(URGENT);
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    // SysTick has the highest priority, so it interrupts any task. SAFETY: no critical section
    // depends on priorities.
    unsafe {
        peripherals.NVIC.set_priority(Urgent, URGENT_PRIORITY);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(Urgent);
    }
    start_clock(&mut peripherals.SYST, 25_000_000);

    let mut out = hio::hstdout().expect("the emulator has a console");
    let in_order = preemption::run(&mut out);
    CLOCK_IS_URGENT.store(true, Ordering::Relaxed);
    let failed = SUITE.run(&WORKERS, || WORKERS.run_one(SUPER_LOOP), &mut out);
    debug::exit(if in_order == Ok(true) && failed == Ok(0) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}
