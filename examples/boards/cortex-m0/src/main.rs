//! The scenarios on a Cortex-M0 (QEMU's microbit): `cargo run --release`.
//!
//! First the board sleeps from date to date, and only its clock interrupts. Then it has two
//! workers: the super-loop and PendSV. SysTick's interrupt completes, wakes and submits.
//!
//! The emulator counts instructions and skips sleeps, so each run has the same times.
#![no_std]
#![no_main]

use cortex_m::Peripherals;
use cortex_m::peripheral::{NVIC, scb::SystemHandler};
use cortex_m_host::{
    Line, MICROBIT_TIMER, Microbit, NrfTimer, PENDSV, SUPER_LOOP, Workers, start_systick,
};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted::Ran;
use slotted_scenarios::{Emulator, Suite};

static WORKERS: Workers<2, Microbit> = Workers::new();
static SUITE: Suite<2, Microbit> = Suite::new();

#[exception]
fn SysTick() {
    SUITE.interrupt();
}

#[exception]
fn PendSV() {
    while WORKERS.run_one(PENDSV) == Ran::Task {}
}

/// The handler of every line of the interrupt controller.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    assert!(
        Line(line as u16) == MICROBIT_TIMER,
        "an interrupt of {line}"
    );
    Microbit::on_timer();
    SUITE.advance();
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    NrfTimer::start();
    Microbit::start_clock();
    // The priority is lower than those of SysTick and the clock, so that they interrupt tasks.
    // SAFETY: no critical section depends on priorities.
    unsafe {
        peripherals.SCB.set_priority(SystemHandler::PendSV, 0xff);
        NVIC::unmask(MICROBIT_TIMER);
    }

    let mut out = hio::hstdout().expect("the emulator has a console");
    let asleep = SUITE.sleep(Emulator::CountsInstructions, &mut out);
    start_systick(&mut peripherals.SYST, 16_000_000);
    let failed = SUITE.run(&WORKERS, || WORKERS.run_one(SUPER_LOOP), &mut out);
    debug::exit(if asleep == Ok(0) && failed == Ok(0) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}
