//! Raises an interrupt at every instruction of every operation, on a Cortex-M3 (QEMU's mps2-an385):
//! `cargo run --release`.
//!
//! The sweep takes each operation of the thread with each action of the interrupt. It repeats the
//! operation, and each time the interrupt comes one instruction later, until it comes after the
//! operation. After each time the run ends and is checked: nothing is lost, done twice or left
//! behind, and no thread sleeps without a reason. The exit status is the verdict.
//!
//! | part | what the thread and the interrupt share |
//! | --- | --- |
//! | `scene`, `operations` | an executor: closures, futures, promises, waits, stops |
//! | `dates` | a timetable: dates, series, sleeps, time budgets |
//! | `levels` | an executor with three levels, and a worker that is tied to the upper two |
//! | `lent` | an executor whose worker, the thread, owns something |
//! | `rests` | such an executor, with a task that rests between polls and one with a date |
//!
//! With the feature `planted-bug` the critical section does nothing, and each part must fail.
#![no_std]
#![no_main]

mod critical;
mod dates;
mod host;
mod ledger;
mod lent;
mod levels;
mod operations;
mod part;
mod rests;
mod scene;
mod shot;
mod sleep;
mod trace;
mod verdict;

use core::cell::Cell;
use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m::interrupt::{Mutex, free};
use cortex_m_rt::entry;
use cortex_m_semihosting::hio;

use self::dates::Dates;
use self::lent::Lent;
use self::levels::Urgent;
use self::part::{Totals, sweep};
use self::rests::Rests;
use self::scene::Scene;
use self::trace::Places;

/// The current operation, action and instruction.
static NOW: Mutex<Cell<(&str, &str, u32)>> = Mutex::new(Cell::new(("start", "nothing", 0)));

#[entry]
fn main() -> ! {
    static mut PLACES: Places = Places::new();
    shot::prepare(&mut Peripherals::take().expect("they are taken once"));
    let mut out = hio::hstdout().expect("the emulator has a console");
    let mut totals = Totals {
        pairs: 0,
        interleavings: 0,
    };
    let parts = [
        sweep::<Scene>,
        sweep::<Dates>,
        sweep::<Urgent>,
        sweep::<Lent>,
        sweep::<Rests>,
    ];
    for part in parts.iter().skip(verdict::parts_done()) {
        part(
            &mut out,
            PLACES,
            &mut totals,
            &|operation, action, instruction| {
                free(|section| NOW.borrow(section).set((operation, action, instruction)));
            },
        );
        verdict::part_passed();
    }
    if !cfg!(feature = "planted-bug") {
        writeln!(
            out,
            "{} pairs, 0 failed\n\
             measured: interleavings tried: {}, at {} places in the code, none left out",
            totals.pairs, totals.interleavings, PLACES.count
        )
        .expect("the emulator has a console");
    }
    verdict::end();
}

/// The first failure ends the part: its remains would make later runs fail.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    let (operation, action, instruction) = free(|section| NOW.borrow(section).get());
    if let Ok(mut out) = hio::hstdout() {
        let place = shot::place();
        let _ = writeln!(
            out,
            "FAILED {operation} / {action} before instruction {instruction}, at {place:#x}: {}",
            info.message()
        );
    }
    verdict::part_failed();
}
