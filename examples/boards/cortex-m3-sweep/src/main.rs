//! Raises an interrupt at every instruction of every operation, on a Cortex-M3 (QEMU's mps2-an385):
//! `cargo run --release`.
//!
//! The sweep takes each operation of the thread with each action of the interrupt. It repeats the
//! operation, and each time the interrupt comes one instruction later, until it comes after the
//! operation. After each time the run ends and is checked: nothing is lost, done twice or left
//! behind, and no thread sleeps without a reason. The exit status is the verdict.
//!
//! With the feature `planted-bug` the critical section does nothing, and the sweep must fail.
#![no_std]
#![no_main]

mod critical;
mod host;
mod ledger;
mod operations;
mod scene;
mod shot;
mod trace;

use core::cell::Cell;
use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m::interrupt::{Mutex, free};
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hio};

use self::operations::OPERATIONS;
use self::scene::{Action, Scene};
use self::trace::{Places, Trace};

/// The current operation, action and instruction.
static NOW: Mutex<Cell<(&str, &str, u32)>> = Mutex::new(Cell::new(("start", "nothing", 0)));

#[entry]
fn main() -> ! {
    static mut PLACES: Places = Places::new();
    shot::prepare(&mut Peripherals::take().expect("they are taken once"));
    let mut out = hio::hstdout().expect("the emulator has a console");
    scene::open();
    let (mut pairs, mut interleavings) = (0, 0);
    for operation in OPERATIONS {
        for (name, action) in Action::ALL {
            let mut trace = Trace::new();
            for instruction in 1.. {
                free(|section| NOW.borrow(section).set((operation.name, name, instruction)));
                if !trace.note(Scene::run(operation, action, instruction), PLACES) {
                    break;
                }
            }
            writeln!(
                out,
                "ok {} / {name}\nmeasured: {} interleavings, {} instructions",
                operation.name, trace.interleavings, trace.instructions
            )
            .expect("the emulator has a console");
            pairs += 1;
            interleavings += trace.interleavings;
        }
    }
    scene::close();
    writeln!(
        out,
        "{pairs} pairs, 0 failed\n\
         measured: interleavings tried: {interleavings}, at {} places in the code, none left out",
        PLACES.count
    )
    .expect("the emulator has a console");
    debug::exit(debug::EXIT_SUCCESS);
    unreachable!("the emulator has ended");
}

/// The first failure ends the sweep: its remains would make later runs fail.
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
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
