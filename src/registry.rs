//! An executor with its capacities erased: what is composed of the rooms above, and how tasks move
//! between them.
//!
//! [`Registry`] erases all capacities. So the code behind handles and workers exists once per host,
//! and one `wait` can span executors of different sizes.
//!
//! Invariants:
//!
//! - **Key Truth.** A slot's generation is compared in the section, or in the transition, that acts
//!   on it: an old key reads as gone.
//! - **Queued Means Linked.** A slot is linked in the ready queue if and only if its phase is
//!   `Pending` or `Scheduled`. Both change together, inside the lock of the queue. With an inbox, a
//!   task in it is `Pending` and not linked yet. So each section that means a certain task drains
//!   the inbox first, then decides which task it means, then unlinks it.
//! - **Drain.** The section that changes the mode also closes the inbox: no task enters after it.

mod keeping;
mod lent;
mod levels;
mod memory;
mod shared;
mod steps;
mod tasks;
mod timed;
mod wake;
mod worker_cell;

pub(crate) use keeping::TaskTimers;
pub use memory::Submitter;
pub(crate) use memory::{Core, Place, Registry, Waits};
pub(crate) use shared::{ListenerEvent, ServeLine, Shared, SlotEvent};
pub(crate) use tasks::Work;
pub(crate) use wake::serve_line;
pub(crate) use worker_cell::{Counters, RawWorker, WorkerCell};
