//! How all harts come from reset to the board's `main`.

use core::arch::global_asm;

use slotted::Park;

use crate::HARTS;
use crate::clint::{CLINT, Clint, enable_timer, stop_timer};

// Called by riscv-rt on each hart, with its number: 1 is the answer of the one that initializes the
// memory. The others wait, with interrupts off, until hart 0 has done so and woken them. `msip` may
// be set already, and stays set. Keeps s0 to s2, where riscv-rt has its arguments.
global_asm!(
    ".section .text._mp_hook, \"ax\"",
    ".global _mp_hook",
    "_mp_hook:",
    "    beqz a0, 2f",
    "    li t0, 8", // MSIE
    "    csrw mie, t0",
    "    li t1, {clint}", // msip of this hart
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
    clint = const CLINT,
);

/// To be called once by each hart, first thing in `main`: hart 0 lets the others begin. From then
/// on there are interrupts.
pub fn start(hart: usize) {
    if hart == 0 {
        (0..HARTS).for_each(stop_timer);
        (1..HARTS).for_each(|other| Clint::unpark(&other));
    }
    enable_timer();
    // SAFETY: no critical section is open.
    unsafe { riscv::interrupt::enable() };
}
