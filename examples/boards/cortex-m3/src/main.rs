//! Runs the scenarios on a Cortex-M3 (QEMU's mps2-an385): `cargo run --release`.
//!
//! First the board sleeps from date to date, and only its clock interrupts. Then it has three
//! workers: the super-loop, PendSV, and a more urgent interrupt without a device. SysTick and the
//! clock are the most urgent interrupts. SysTick completes, wakes and submits.
//!
//! The emulator counts instructions and skips sleeps, so each run has the same times.
#![no_std]
#![no_main]

mod preemption;

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::{NVIC, scb::SystemHandler};
use cortex_m_host::{
    Line, MPS2_TIMER, Mps2, Mps2Timer, PENDSV, SUPER_LOOP, Workers, start_systick,
};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted::Ran;
use slotted_scenarios::{Emulator, Suite};

static WORKERS: Workers<3, Mps2> = Workers::new();
static SUITE: Suite<3, Mps2> = Suite::new();

/// The place of the urgent interrupt's worker in [`WORKERS`].
const URGENT: usize = 2;
/// True if SysTick requests the urgent interrupt.
static SYSTICK_IS_URGENT: AtomicBool = AtomicBool::new(false);

/// The urgent interrupt: a line without a device, between SysTick and PendSV.
const URGENT_LINE: Line = Line(31);
const URGENT_PRIORITY: u8 = 0x40;

#[exception]
fn SysTick() {
    SUITE.interrupt();
    if SYSTICK_IS_URGENT.load(Ordering::Relaxed) {
        NVIC::pend(URGENT_LINE);
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
        MPS2_TIMER => {
            Mps2::on_timer();
            SUITE.advance();
        }
        // One task each time, so that some are left for the other workers.
        URGENT_LINE => _ = WORKERS.run_one(URGENT),
        other => panic!("an interrupt of {other:?}"),
    }
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    Mps2Timer::start(0);
    Mps2::start_clock();
    // SysTick and the clock have the highest priority, so they interrupt any task. SAFETY: no
    // critical section depends on priorities.
    unsafe {
        peripherals.NVIC.set_priority(URGENT_LINE, URGENT_PRIORITY);
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(MPS2_TIMER);
        NVIC::unmask(URGENT_LINE);
    }

    let mut out = hio::hstdout().expect("the emulator has a console");
    let asleep = SUITE.sleep(Emulator::CountsInstructions, &mut out);
    start_systick(&mut peripherals.SYST, 25_000_000);
    let in_order = preemption::run(&mut out);
    SYSTICK_IS_URGENT.store(true, Ordering::Relaxed);
    let failed = SUITE.run(&WORKERS, || WORKERS.run_one(SUPER_LOOP), &mut out);
    debug::exit(
        if asleep == Ok(0) && in_order == Ok(true) && failed == Ok(0) {
            debug::EXIT_SUCCESS
        } else {
            debug::EXIT_FAILURE
        },
    );
    unreachable!("the emulator has ended");
}
