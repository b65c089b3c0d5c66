//! The only place that names an atomic type, a lock or an interior-mutable cell.
//!
//! Four worlds export the same names with the same signatures. This file chooses between them, and
//! `ready_queue` and `free_slots` choose by the same conditions:
//!
//! | world | when | lock |
//! | --- | --- | --- |
//! | `std` | feature `std` | a short spin, then the futex mutex of std |
//! | `critical_section` | otherwise | interrupts off, or what the binary chose |
//! | `loom` | `--cfg loom` | loom's model |
//! | `shuttle` | `--cfg shuttle` | a point of a seeded schedule |
//!
//! Invariants:
//!
//! - **Sole Namer.** No other file names `portable_atomic`, `critical_section`,
//!   `core::sync::atomic`, `std::sync`, `loom` or `shuttle` (`tests/tidy.rs` checks it).
//! - **Short Lock.** What runs inside [`Lock::with`] is a bounded number of steps. It takes no
//!   other lock, and calls nothing that a user or a host wrote. There is one exception: the clone
//!   and the move of a host's thread token ([`Park::Thread`](crate::Park::Thread)). Its
//!   documentation asks that both are bounded.
//! - **Shared Inside.** `Lock::with` lends a shared reference, and what it guards is made of
//!   `Cell`s. So a thread that enters a lock twice never aliases.

#[cfg(loom)]
#[path = "sync/loom.rs"]
mod world;

#[cfg(shuttle)]
#[path = "sync/shuttle.rs"]
mod world;

#[cfg(all(
    not(any(loom, shuttle)),
    feature = "std",
    not(slotted_critical_section)
))]
#[path = "sync/std.rs"]
mod world;

#[cfg(all(
    not(any(loom, shuttle)),
    any(not(feature = "std"), slotted_critical_section)
))]
#[path = "sync/critical_section.rs"]
mod world;

#[cfg(not(any(loom, shuttle)))]
#[path = "sync/plain.rs"]
mod plain;

#[cfg(any(loom, shuttle))]
#[path = "sync/made.rs"]
mod made;

#[cfg(any(loom, shuttle))]
pub(crate) use made::{array, const_fn};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use plain::{UnsafeCell, array, const_fn};
#[cfg(any(loom, shuttle))]
pub(crate) use world::UnsafeCell;
pub(crate) use world::{
    AtomicPtr, AtomicU16, AtomicUsize, CacheAligned, CachePadded, Lock, Ordering,
};
#[cfg(all(loom, test))]
pub(crate) use world::{Steps, take_steps};

/// Programs are to be small rather than fast: code that several calls need is there once, and that
/// of a feature only if it is used.
pub(crate) const SMALL: bool = cfg!(any(not(feature = "std"), slotted_critical_section));

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
