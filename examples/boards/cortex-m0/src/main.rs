//! The scenarios on a Cortex-M0 (QEMU's microbit): `cargo run --release`.
//!
//! Two workers: the super-loop and PendSV. SysTick is the clock. Its interrupt completes, wakes and
//! submits.
#![no_std]
#![no_main]

use cortex_m::Peripherals;
use cortex_m_host::{CortexM, PENDSV, SUPER_LOOP, SingleCore, Workers, start_clock, tick};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted::Ran;
use slotted_scenarios::Suite;

static WORKERS: Workers<2, CortexM> = Workers::new();
static SUITE: Suite<2, CortexM> = Suite::new();

#[exception]
fn SysTick() {
    tick::<SingleCore>();
    SUITE.interrupt();
}

#[exception]
fn PendSV() {
    while WORKERS.run_one(PENDSV) == Ran::Task {}
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    // The priority is lower than SysTick's, so that SysTick interrupts tasks. SAFETY: no critical
    // section depends on priorities.
    unsafe {
        peripherals
            .SCB
            .set_priority(cortex_m::peripheral::scb::SystemHandler::PendSV, 0xff)
    };
    start_clock(&mut peripherals.SYST, 16_000_000);

    let mut out = hio::hstdout().expect("the emulator has a console");
    let failed = SUITE.run(&WORKERS, || WORKERS.run_one(SUPER_LOOP), &mut out);
    debug::exit(if failed == Ok(0) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}
