// The README shows a pool of processes.
#![cfg_attr(all(unix, feature = "process"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(unix, feature = "process")),
    doc = "Tasks of [`slotted`] on other chips, behind the same handles."
)]
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

mod calls;
#[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
mod chunk;
#[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
mod entries;
pub mod docs;
mod frame;
mod line;
mod link;
mod lock;
#[cfg(all(test, loom))]
mod models;
// As `process`.
#[cfg(all(feature = "nodes", not(loom)))]
pub mod nodes;
mod outcome;
// The model checker's world has no `static` executors.
#[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
mod pool_call;
#[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
mod pool_submit;
#[cfg(all(any(feature = "nodes", all(unix, feature = "process")), not(loom)))]
mod pool_thread;
#[cfg(all(unix, feature = "process", not(loom)))]
pub mod process;
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
mod port_error;
mod replies;
mod run;
#[cfg(feature = "embedded-io")]
mod serial;
#[cfg(feature = "embedded-io-async")]
mod serial_async;
mod task;
mod worker;

pub use calls::Timing;
pub use frame::PROTOCOL;
pub use line::frame_bytes;
pub use link::{Call, Link};
#[cfg(any(feature = "embedded-io", feature = "embedded-io-async"))]
pub use port_error::PortError;
#[cfg(feature = "embedded-io")]
pub use serial::SerialPort;
#[cfg(feature = "embedded-io-async")]
pub use serial_async::{run_link, run_worker};
pub use slotted::error::RemoteError;
pub use task::{Idempotent, Task, TaskId, Tasks};
pub use worker::LineWorker;
