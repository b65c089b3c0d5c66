//! A fixed-capacity executor without a heap, with the semantics of Python's `concurrent.futures`.
//!
//! An [`Executor`] keeps tasks (closures and futures) and their results in preallocated slots. The
//! host lends it threads: std threads on a desktop, RTOS tasks, second cores or a super-loop on a
//! board. It allocates nothing after it was made. Every capacity is in its type, and running out of
//! one is an error at the call that asked.
//!
//! ```
//! use slotted::{Executor, StdThreads, as_completed};
//!
//! // Two workers, sixteen slots of 64 bytes.
//! let executor: Executor<2, 16> = Executor::new();
//! let total = executor.run(&StdThreads::new(), |pool| {
//!     let handles = [1_u64, 2, 3].map(|n| pool.submit(move || n * n).unwrap());
//!     as_completed(handles).map(|handle| handle.result().unwrap()).sum::<u64>()
//! });
//! assert_eq!(total.unwrap(), 14);
//! ```
//!
//! # Principles, in order
//!
//! 1. **Sound.** `unsafe` is in few files, and a named invariant answers each obligation
//!    ([`architecture`]).
//! 2. **Bounded.** No heap, no unbounded loop, no unbounded wait unless the caller asks for it.
//! 3. **Clear.** Errors say what to change; a refused task comes back.
//! 4. **Small.** One copy of the code for all capacities.
//! 5. **Fast.**
//!
//! # Where to begin
//!
//! | to | see |
//! | --- | --- |
//! | submit, start, stop | [`Executor`] |
//! | take a result, cancel, ask, await | [`JoinHandle`], [`Canceller`] |
//! | stop a task that runs | [`Executor::submit_stoppable`], [`Stop`] |
//! | wait for many | [`as_completed`](as_completed()), [`wait`](wait()), [`Executor::map`] |
//! | borrow from the stack | [`Executor::scope`], [`Owned::scope`] |
//! | run two closures at once | [`Scope::join`] |
//! | complete a task from an interrupt | [`Executor::promise`] |
//! | run a task later, or again and again; give it a time budget | [`Timetable`], [`time`] |
//! | prove, when compiling, that every deadline is kept | [`plan`], [`planning`] |
//! | lend tasks a peripheral or a connection | [`Owned`] |
//! | bring it to a board | [`porting`]; [`Park`], [`Clock`], [`Spawn`] |
//! | test it in virtual time, on a desktop | [`simulation`] |
//! | know what it costs | [`costs`], [`sizes`] |
//! | know that it works | [`how_we_know`] |
//! | come from elsewhere | [`from_python`], [`from_k_work`], [`beside_embassy`], [`beside_tokio`] |
//! | give a library an executor | [`Submitter`] |
//!
//! # Panics in tasks
//!
//! With `std` the crate contains a panic in a task, a callback or a destructor, and the worker
//! lives on. The taker of a task's result gets the task's panic. On targets where panics abort or
//! never return, the first panic of a task ends the program, as anywhere else there.
//!
//! Without `std` panics may unwind all the same. Then the panic of a task goes through the worker
//! to its host, and the task ends as [`TaskError::Broken`]. A callback or a destructor must not
//! panic there: its task would never be done.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `std` (default) | [`StdHost`](host), `StdThreads`, `SimHost`; contained panics; std's locks |
//! | `defmt` | `defmt::Format` on errors, states and figures |
//!
//! [`from_python`] says how the crate differs from `concurrent.futures`.

#![no_std]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(any(feature = "std", test))]
extern crate std;

// In the order in which they may use each other: a file names only files above it.
mod sync;
mod unwind;
pub mod error;
mod step;
mod list;
mod order;
pub mod host;
mod timers;
mod time_keeper;
mod ready_queue;
mod slot;
mod count_latch;
mod waiter;
mod wait_table;
mod free_slots;
mod idle;
mod roster;
mod registry;
mod waker;
mod completion;
mod deadlock;
mod blocking;
mod worker;
mod spawn;
mod start;
mod canceller;
mod handle;
mod promise;
mod permit;
mod reserve;
mod submitter;
mod group;
mod wait;
pub mod as_completed;
pub mod map;
mod scope;
mod stats;
mod executor;
mod owned;
mod timetable;
mod levels;
pub mod plan;
#[cfg(all(feature = "std", not(any(loom, shuttle))))]
pub mod sim;

#[cfg(all(doc, any(not(doctest), feature = "std")))]
mod docs;
#[cfg(all(doc, any(not(doctest), feature = "std")))]
pub use docs::*;

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(test, loom))]
mod models;

pub use as_completed::{as_completed, as_completed_timeout};
pub use canceller::{Canceller, TaskState};
pub use error::{Refusal, ShutdownError, StartError, Stopped, SubmitError, TaskError};
pub use executor::{Executor, Shutdown};
pub use handle::{CancelOnDrop, JoinHandle};
#[cfg(feature = "std")]
pub use host::StdHost;
pub use host::{Clock, DefaultHost, Park, SpinHost};
pub use levels::Ordered;
pub use order::{Fifo, LevelStats, Levels, Order};
pub use owned::{Owned, OwnedPermit, OwnedScope, OwnedSubmitter, OwnedWorker};
pub use permit::Permit;
pub use promise::Promise;
pub use registry::Submitter;
pub use scope::Scope;
#[cfg(all(feature = "std", not(any(loom, shuttle))))]
pub use sim::{SimHost, Simulation};
pub use slot::Stop;
pub use spawn::Spawn;
#[cfg(feature = "std")]
pub use spawn::StdThreads;
pub use stats::Stats;
pub use step::{Awaits, Outcome, Step, TaskKey};
pub use timetable::{Every, OwnedTimedSubmitter, Release, Sleep, TimedSubmitter, Timetable};
pub use unwind::Panic;
pub use wait::{ReturnWhen, Waited, wait, wait_timeout};
pub use worker::{Ran, Worker};
