//! A round of slotted in its several ways, and of each of its peers: work is handed over, run, and
//! its result is taken.
//!
//! Each module has one function, `start`, whose result does a round for a number and gives what
//! [`work`] makes of it. The same code is measured in instructions and in flash, each time in a
//! program of its own.

pub mod deque;
pub mod embassy;
pub mod mpmc;
pub mod slotted;
pub mod slotted_future;
pub mod slotted_try;
pub mod slotted_two;
pub mod slotted_worker;

/// The work: little enough not to be seen.
#[must_use]
pub fn work(number: u32) -> u32 {
    number.wrapping_mul(3)
}
