//! Parts that the boards' hosts share. [`Workers`] is a place for each worker. [`TicklessClock`] is
//! a clock with an alarm, by any [`Timer`]. `CoreLock` is the part of a critical section that works
//! between cores.
#![no_std]
#![forbid(unsafe_code)]

// The lock needs compare-and-swap. If critical sections emulated it, the lock would wait for
// itself.
#[cfg(target_has_atomic = "ptr")]
#[cfg_attr(feature = "wrong-critical-section", path = "wrong_core_lock.rs")]
mod core_lock;
mod tickless;
mod workers;

#[cfg(target_has_atomic = "ptr")]
pub use core_lock::{CoreLock, Entered};
pub use tickless::{TicklessClock, Timer};
pub use workers::{Places, Workers};
