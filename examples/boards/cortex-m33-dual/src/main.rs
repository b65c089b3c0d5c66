//! Runs the scenarios and a race on two Cortex-M33 cores at once (QEMU's mps2-an521):
//! `cargo run --release`.
//!
//! Two workers, one for each core. Core 0 also runs the scenarios, and has the interrupt of the
//! clock, which both cores share. SysTick of core 1 completes, wakes and submits. In the race both
//! cores submit, and so does the SysTick of each.
#![no_std]
#![no_main]

mod section;
mod sse200;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::{NVIC, SYST};
use cortex_m_host::{Chip, CortexM, Line, Workers, start_systick};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hio};
use panic_semihosting as _;
use slotted::{Clock, Park};
use slotted_scenarios::{Emulator, Race, Suite};

use self::sse200::{CORE_HERTZ, CORES, Sse200, TIMER, Timer};

type Host = CortexM<Sse200>;

static WORKERS: Workers<CORES, Host> = Workers::new();
static SUITE: Suite<CORES, Host> = Suite::new();
static RACE: Race<CORES, 64_000, Host> = Race::new();

/// The clock begins so long before its counter wraps: a twentieth of a second.
const BEFORE_WRAP: u32 = CORE_HERTZ / 20;
/// True once core 1 may start its SysTick.
static IS_AWAKE: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    let core = Sse200::core();
    if core == 1 {
        SUITE.interrupt();
    }
    RACE.interrupt(core);
}

/// The handler of every line of core 0's interrupt controller.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    assert!(Line(line as u16) == TIMER, "an interrupt of line {line}");
    Host::on_timer();
    SUITE.advance();
}

extern "C" fn second_main() -> ! {
    while !IS_AWAKE.load(Ordering::Acquire) {
        Host::park();
    }
    // SAFETY: each core has its own set of these peripherals, and takes it once.
    let mut peripherals = unsafe { Peripherals::steal() };
    start_systick(&mut peripherals.SYST, CORE_HERTZ);
    WORKERS.run(1);
}

#[entry]
fn main() -> ! {
    let mut peripherals = Peripherals::take().expect("they are taken once");
    Timer::start(BEFORE_WRAP.wrapping_neg());
    Host::start_clock();
    // SAFETY: no critical section depends on this interrupt.
    unsafe { NVIC::unmask(TIMER) };
    sse200::start_second_core(&peripherals.SCB, second_main);
    debug::exit(if scenarios(&mut peripherals.SYST) == Ok(0) {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the emulator has ended");
}

/// Runs the scenarios and the race. Returns how many failed.
fn scenarios(systick: &mut SYST) -> Result<usize, fmt::Error> {
    let mut out = hio::hstdout().map_err(|()| fmt::Error)?;
    let turn = || WORKERS.run_one(0);
    let mut failed = SUITE.sleep(Emulator::NeverSleeps, &mut out)?;
    // The counter has wrapped once meanwhile, and the time has its carry.
    let has_carry = Host::now() >> 32 == 1;
    failed += usize::from(!has_carry);
    let verdict = if has_carry { "ok" } else { "FAILED" };
    writeln!(out, "{verdict} the clock goes on when its counter wraps")?;
    start_systick(systick, CORE_HERTZ);
    IS_AWAKE.store(true, Ordering::Release);
    Host::unpark(&());
    failed += SUITE.run(&WORKERS, turn, &mut out)?;
    Ok(failed + RACE.run(&WORKERS, turn, &mut out)?)
}
