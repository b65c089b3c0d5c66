//! A round of slotted in its variants, and of each of its peers: submit work, run it, take its
//! result.
//!
//! Each module has one function, `start`. Its result is a function that does one round for a number
//! and returns what [`work`] makes of it. The programs measure the same code in instructions and in
//! flash, each in a program of its own.

pub mod deque;
pub mod embassy;
#[cfg(feature = "peer-timers")]
pub mod embassy_timer;
pub mod line;
pub mod line_worker;
pub mod link;
pub mod mpmc;
#[cfg(feature = "peer-timers")]
pub mod rtic_timer;
pub mod slotted;
pub mod slotted_future;
pub mod slotted_levels;
pub mod slotted_recorder;
pub mod slotted_stop;
pub mod slotted_timer;
pub mod slotted_try;
pub mod slotted_two;
pub mod slotted_watchdog;
pub mod slotted_worker;

/// The work: too little to matter.
#[must_use]
pub fn work(number: u32) -> u32 {
    number.wrapping_mul(3)
}
