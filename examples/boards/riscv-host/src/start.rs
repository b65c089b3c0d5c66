//! How all harts get from reset to the board's `main`.

use core::arch::global_asm;

use slotted::Park;

use crate::HARTS;
use crate::clint::{CLINT, Clint, enable_timer, stop_timer};

// riscv-rt calls it on each hart, with the hart's number. Result 1 makes the hart initialize the
// memory: hart 0. The others wait here, with interrupts off, until hart 0 is done and wakes them.
// `msip` may be set already, and stays set. It keeps s0 to s2, where riscv-rt has its arguments.
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

/// Enables interrupts; hart 0 lets the other harts begin. Each hart calls it once, first thing in
/// `main`.
pub fn start(hart: usize) {
    if hart == 0 {
        (0..HARTS).for_each(stop_timer);
        (1..HARTS).for_each(|other| Clint::unpark(&other));
    }
    enable_timer();
    // SAFETY: no critical section is open.
    unsafe { riscv::interrupt::enable() };
}
