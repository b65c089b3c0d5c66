//! Runs the scenarios and a race on four 32-bit RISC-V harts at once (QEMU's virt):
//! `cargo run --release`.
//!
//! First hart 0 sleeps from date to date, and only its timer interrupts. Then there are four
//! workers, one for each hart. Hart 0 also runs the scenarios. The periodic interrupt of the last
//! hart completes, wakes and submits. In the race every hart submits, and so does the periodic
//! interrupt of each.
#![no_std]
#![no_main]

use core::fmt;

use riscv::interrupt::Interrupt;
use riscv_host::{Clint, HARTS, Uart, Workers, begin_ticking, exit, on_timer, start};
use riscv_rt::{core_interrupt, entry};
use slotted_scenarios::{Emulator, Race, Suite};

static WORKERS: Workers = Workers::new();
static SUITE: Suite<HARTS, Clint> = Suite::new();
static RACE: Race<HARTS, 32_000, Clint> = Race::new();

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    let tick = |hart| {
        if hart == HARTS - 1 {
            SUITE.interrupt();
        }
        RACE.interrupt(hart);
    };
    on_timer(|| SUITE.advance(), tick);
}

#[entry]
fn main(hart: usize) -> ! {
    start(hart);
    if hart == 0 {
        exit(scenarios(&mut Uart));
    }
    WORKERS.run(hart);
}

/// Runs the scenarios and the race. Returns how many failed.
fn scenarios(out: &mut Uart) -> Result<usize, fmt::Error> {
    let turn = || WORKERS.run_one(0);
    let mut failed = SUITE.sleep(Emulator::RunsFreely, out)?;
    // Only one hart ticks: a periodic interrupt would hide a lost wake-up of its hart.
    begin_ticking(HARTS - 1);
    failed += SUITE.run(&WORKERS, turn, out)?;
    (0..HARTS - 1).for_each(begin_ticking);
    Ok(failed + RACE.run(&WORKERS, turn, out)?)
}
