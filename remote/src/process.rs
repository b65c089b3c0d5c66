//! The pool of processes: Python's `ProcessPoolExecutor`, with fixed capacities.
//!
//! A program calls [`serve`] first, then [`Processes::start`], then [`Processes::submit`].
//!
//! One thread of the parent, the *reader*, waits for all processes in `poll`. A submitter writes
//! its call to a socket itself. No thread waits for a single process.

mod child;
mod command;
mod error;
mod life;
mod map;
mod pool;
mod reader;
mod send;
mod serve;
mod socket;
mod state;
mod worker_process;

pub use command::Command;
pub use error::ProcessStartError;
pub use map::PoolMap;
pub use pool::Processes;
pub use serve::{serve, serve_with};
pub use worker_process::ProcessStats;
