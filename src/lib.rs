#![no_std]
#![warn(missing_docs, missing_debug_implementations)]
//! draft

#[cfg(feature = "std")]
extern crate std;

// In the order in which they may use each other: a file names only files above it.
mod sync;
mod unwind;
mod error;
mod host;
mod state;
mod job;
mod queue;
mod slot;
mod tally;
mod waiter;
mod registry;
mod completion;
mod blocking;
mod worker;
mod spawn;
mod memory;
mod waker;
mod canceller;
mod handle;
mod permit;
mod intake;
mod promise;
mod group;
mod wait;
mod as_completed;
mod map;
mod scope;
mod stats;
mod executor;
#[cfg(all(test, loom))]
mod models;

pub use as_completed::{
    AsCompleted, AsCompletedTimeout, AsCompletedWithTimeout, IntoHandles, Storage, UnfinishedHandles, as_completed,
    as_completed_timeout,
};
pub use canceller::{Canceller, TaskState};
pub use error::{
    CallbackError, CallbackRefusal, InvalidState, Refusal, ShutdownError, StartError, SubmitError, TaskError,
    WorkerStartError,
};
pub use executor::{Executor, Pending};
pub use handle::{CancelOnDrop, JoinHandle};
#[cfg(feature = "std")]
pub use host::StdHost;
pub use host::{Clock, DefaultHost, Park, SpinHost};
pub use map::{Chunked, Chunks, Door, Each, EachOf, Gate, Map, Work};
pub use permit::Permit;
pub use promise::Promise;
pub use scope::Scope;
pub use spawn::Spawn;
#[cfg(feature = "std")]
pub use spawn::StdThreads;
pub use stats::Stats;
pub use unwind::Panic;
pub use wait::{ReturnWhen, Waited, wait, wait_timeout};
pub use worker::{Ran, Worker};
