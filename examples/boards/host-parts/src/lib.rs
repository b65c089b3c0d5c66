//! What the hosts of the boards share: [`Workers`], a place for each worker, and `CoreLock`, the
//! part of a critical section that is between cores.
#![no_std]
#![forbid(unsafe_code)]

// Without compare-and-swap there is no such lock; one made of critical sections would wait for
// itself.
#[cfg(target_has_atomic = "ptr")]
#[cfg_attr(feature = "wrong-critical-section", path = "wrong_core_lock.rs")]
mod core_lock;
mod workers;

#[cfg(target_has_atomic = "ptr")]
pub use core_lock::{CoreLock, Entered};
pub use workers::{Places, Workers};
