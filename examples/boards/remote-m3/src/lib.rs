//! What the two boards share (QEMU's mps2-an385): the tasks, the UART between them, the clock.
#![no_std]

pub mod board;
pub mod tasks;
pub mod uart;

/// The calls under way at once.
pub const CALLS: usize = 4;
/// The room of an argument or a result.
pub const BYTES: usize = 64;
