//! A host for `slotted` on the harts of a RISC-V chip in machine mode, 32 or 64 bits, to be copied
//! and changed.
//!
//! - [`Clint`] is the host: each hart is a thread, and the interrupt level of each hart is another.
//!   A hart sleeps by `wfi`.
//! - [`start`] lets all harts begin. The handler of the timer interrupt calls [`on_timer`]. The
//!   clock has no tick, but [`begin_ticking`] gives a hart a periodic interrupt.
//! - [`Workers`] gives worker number n to hart n.
//! - A critical section is interrupts off on its hart, and a lock between harts.
//! - [`Uart`] and [`exit`] belong to QEMU's virt.
#![no_std]

mod clint;
mod section;
mod start;
mod virt;

pub use clint::{Clint, begin_ticking, on_timer};
pub use start::start;
pub use virt::{Uart, exit};

/// The number of harts, as in the boards' `memory.x` and in QEMU's `-smp`.
pub const HARTS: usize = 4;

/// The workers, one for each hart.
pub type Workers = host_parts::Workers<HARTS, Clint>;
