//! The only place that names an atomic type, a lock or an interior-mutable cell.
//!
//! Three worlds export the same names with the same signatures. This file chooses between them, and
//! `ready_queue` chooses its inbox by the same conditions:
//!
//! | world | when | lock |
//! | --- | --- | --- |
//! | `std` | feature `std` | a short spin, then the futex mutex of std |
//! | `critical_section` | otherwise | interrupts off, or what the binary chose |
//! | `loom` | `--cfg loom` | loom's model |
//!
//! Invariants:
//!
//! - **Sole Namer.** No other file names `portable_atomic`, `critical_section`,
//!   `core::sync::atomic`, `std::sync` or `loom` (`tests/tidy.rs` checks it).
//! - **Short Lock.** What runs inside [`Lock::with`] is a bounded number of steps. It takes no
//!   other lock, and calls nothing that a user or a host wrote. There is one exception: the clone
//!   and the move of a host's thread token ([`Park::Thread`](crate::Park::Thread)). Its
//!   documentation asks that both are bounded.
//! - **Shared Inside.** `Lock::with` lends a shared reference, and what it guards is made of
//!   `Cell`s. So a thread that enters a lock twice never aliases.

#[cfg(loom)]
#[path = "sync/loom.rs"]
mod world;

#[cfg(all(not(loom), feature = "std", not(slotted_critical_section)))]
#[path = "sync/std.rs"]
mod world;

#[cfg(all(not(loom), any(not(feature = "std"), slotted_critical_section)))]
#[path = "sync/critical_section.rs"]
mod world;

#[cfg(not(loom))]
#[path = "sync/plain.rs"]
mod plain;

#[cfg(not(loom))]
pub(crate) use plain::{UnsafeCell, array, const_fn};
pub(crate) use world::{
    AtomicPtr, AtomicU16, AtomicUsize, CacheAligned, CachePadded, Lock, Ordering,
};
#[cfg(loom)]
pub(crate) use world::{UnsafeCell, array, const_fn};

impl<T> CachePadded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> core::ops::Deref for CachePadded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
