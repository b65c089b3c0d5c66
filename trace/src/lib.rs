#![doc = include_str!("../README.md")]
#![doc = "\n# The picture of a timeline\n\n"]
#![doc = "`timeline -o FOLDER src tests`, on two cores of a machine that other builds shared.\n\n"]
#![doc = include_str!("docs/timeline.svg")]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

mod sync;

mod age;
mod entry;
#[cfg(all(test, loom))]
mod models;

// The model checker's world has no `static` values of these.
#[cfg(not(loom))]
mod steps;
#[cfg(not(loom))]
mod watched;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod recorder;
#[cfg(not(loom))]
mod histogram;
#[cfg(not(loom))]
mod latencies;
#[cfg(not(loom))]
mod watchdog;
#[cfg(all(feature = "std", not(loom)))]
pub mod chrome;
#[cfg(all(feature = "std", not(loom)))]
pub mod timeline;

#[cfg(not(loom))]
pub use event::{Action, Event, Task};
#[cfg(not(loom))]
pub use histogram::Histogram;
#[cfg(not(loom))]
pub use latencies::Latencies;
#[cfg(not(loom))]
pub use recorder::{Reader, Recorder};
#[cfg(not(loom))]
pub use watchdog::{Limits, Overdue, Watchdog};
