#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

mod calls;
pub mod docs;
mod frame;
mod line;
mod link;
mod lock;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(unix, feature = "process"))]
pub mod process;
mod replies;
mod run;
mod task;
mod worker;

pub use calls::Timing;
pub use frame::PROTOCOL;
pub use line::frame_bytes;
pub use link::{Call, Link};
pub use slotted::error::RemoteError;
pub use task::{Idempotent, Task, TaskId, Tasks};
pub use worker::LineWorker;
