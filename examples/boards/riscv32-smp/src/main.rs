//! Runs the scenarios and a race on four 32-bit RISC-V harts at once (QEMU's virt):
//! `cargo run --release`.
//!
//! Four workers, one for each hart. Hart 0 also runs the scenarios. The timer interrupt of the last
//! hart completes, wakes and submits. In the race every hart submits, and so does the timer
//! interrupt of each.
#![no_std]
#![no_main]

use core::fmt;

use riscv::interrupt::Interrupt;
use riscv_host::{Clint, HARTS, Uart, Workers, begin_ticking, exit, start, tick};
use riscv_rt::{core_interrupt, entry};
use slotted_scenarios::{Race, Suite};

static WORKERS: Workers = Workers::new();
static SUITE: Suite<HARTS, Clint> = Suite::new();
static RACE: Race<HARTS, 32_000, Clint> = Race::new();

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    tick(|hart| {
        if hart == HARTS - 1 {
            SUITE.interrupt();
        }
        RACE.interrupt(hart);
    });
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
    // Only one hart ticks: a periodic interrupt would hide a lost wake-up of its hart.
    begin_ticking(HARTS - 1);
    let failed = SUITE.run(&WORKERS, turn, out)?;
    (0..HARTS - 1).for_each(begin_ticking);
    Ok(failed + RACE.run(&WORKERS, turn, out)?)
}
