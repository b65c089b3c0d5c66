//! Runs the scenarios and a race on two Cortex-M33 cores at once (QEMU's mps2-an521):
//! `cargo run --release`.
//!
//! Two workers, one for each core. Core 0 also runs the scenarios. SysTick of core 1 completes,
//! wakes and submits. In the race both cores submit, and so does the SysTick of each.
#![no_std]
#![no_main]

mod section;
mod sse200;

use core::fmt;

use cortex_m::Peripherals;
use cortex_m_host::{Chip, CortexM, Workers, start_clock, tick};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted_scenarios::{Race, Suite};

use self::sse200::{CORE_HERTZ, CORES, Sse200};

static WORKERS: Workers<CORES, CortexM<Sse200>> = Workers::new();
static SUITE: Suite<CORES, CortexM<Sse200>> = Suite::new();
static RACE: Race<CORES, 64_000, CortexM<Sse200>> = Race::new();

#[exception]
fn SysTick() {
    tick::<Sse200>();
    let core = Sse200::core();
    if core == 1 {
        SUITE.interrupt();
    }
    RACE.interrupt(core);
}

extern "C" fn second_main() -> ! {
    // SAFETY: each core has its own set of these peripherals, and takes it once.
    let mut peripherals = unsafe { Peripherals::steal() };
    start_clock(&mut peripherals.SYST, CORE_HERTZ);
    WORKERS.run(1);
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    start_clock(&mut peripherals.SYST, CORE_HERTZ);
    sse200::start_second_core(&peripherals.SCB, second_main);
    debug::exit(if scenarios() == Ok(0) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}

/// Runs the scenarios and the race. Returns how many failed.
fn scenarios() -> Result<usize, fmt::Error> {
    let mut out = hio::hstdout().map_err(|()| fmt::Error)?;
    let turn = || WORKERS.run_one(0);
    Ok(SUITE.run(&WORKERS, turn, &mut out)? + RACE.run(&WORKERS, turn, &mut out)?)
}
