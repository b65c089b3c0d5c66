//! The scenarios on four RISC-V harts at once (QEMU's virt): `cargo run --release`.
//!
//! Four workers, one for each hart. Hart 0 also runs the scenarios; the timer interrupt of the last one completes, wakes and submits.
#![no_std]
#![no_main]

mod host;
mod race;

use core::arch::global_asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr::with_exposed_provenance_mut;

use riscv::interrupt::Interrupt;
use riscv_rt::{core_interrupt, entry};
use slotted_scenarios::Suite;

use self::host::{Clint, HARTS, Workers};

static WORKERS: Workers = Workers::new();
static SUITE: Suite<HARTS, Clint> = Suite::new();

/// What the finisher of QEMU's virt takes: exit status 0, and 1.
const PASSED: u32 = 0x5555;
const FAILED: u32 = 1 << 16 | 0x3333;

// Harts other than 0 wait, with interrupts off, until hart 0 has initialized the memory and woken them. `msip` may be set
// already, and stays set. Keeps s0 to s2, where riscv-rt has its arguments.
global_asm!(
    ".section .text._mp_hook, \"ax\"",
    ".global _mp_hook",
    "_mp_hook:",
    "    beqz a0, 2f",
    "    li t0, 8", // MSIE
    "    csrw mie, t0",
    "    li t1, 0x02000000", // msip of this hart
    "    slli t2, a0, 2",
    "    add t1, t1, t2",
    "1:  wfi",
    "    lw t2, 0(t1)",
    "    beqz t2, 1b",
    "    csrw mie, zero",
    "    fence iorw, iorw",
    "    li a0, 0",
    "    ret",
    "2:  li a0, 1",
    "    ret",
);

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    host::tick(|| {
        SUITE.interrupt();
        race::interrupt();
    });
}

#[entry]
fn main(hart: usize) -> ! {
    if hart != 0 {
        host::enable_interrupts();
        WORKERS.run();
    }
    (1..HARTS).for_each(host::wake);
    host::enable_interrupts();
    match scenarios(&mut Uart) {
        Ok(0) => exit(PASSED),
        _ => exit(FAILED),
    }
}

fn scenarios(out: &mut Uart) -> Result<usize, fmt::Error> {
    let failed = SUITE.run(&WORKERS, || WORKERS.run_one(), out)?;
    match race::race(&WORKERS) {
        Ok(tasks) => writeln!(out, "ok {tasks} tasks from four harts and an interrupt, each run once").map(|()| failed),
        Err(why) => writeln!(out, "FAILED tasks from four harts and an interrupt: {why}").map(|()| failed + 1),
    }
}

/// The serial port.
struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const UART: usize = 0x1000_0000;
        for byte in text.bytes() {
            // SAFETY: the line status register; bit 5 says that there is room.
            while unsafe { with_exposed_provenance_mut::<u8>(UART + 5).read_volatile() } & 1 << 5 == 0 {}
            // SAFETY: the transmit register.
            unsafe { with_exposed_provenance_mut::<u8>(UART).write_volatile(byte) };
        }
        Ok(())
    }
}

/// Ends the emulator.
fn exit(code: u32) -> ! {
    // SAFETY: the finisher of QEMU's virt.
    unsafe { with_exposed_provenance_mut::<u32>(0x10_0000).write_volatile(code) };
    // It does not end at once.
    loop {
        riscv::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Uart, "{info}");
    exit(FAILED)
}
