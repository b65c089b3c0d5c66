//! The heart: slots, free list, ready queue, and the face through which handles and workers see an executor.
//!
//! In the face, [`Registry`], all capacities are erased, so that the code behind handles and workers exists
//! once per host, and one `wait` can span executors of different sizes.
//!
//! Invariants:
//!
//! - **Key Truth.** A slot's generation is compared inside the transition that acts on it: an old key reads as gone.
//! - **Queued Means Linked.** A slot is in the ready queue if and only if its phase is `Pending` or `Scheduled`: publish and
//!   push, schedule and push, pop and start, unlink and start, unlink and cancel happen inside the lock of the queue.
//! - **Drain.** Whether a task is accepted is decided inside that lock, after the mode: once shutdown has begun no task enters.
//! - **No Lost Worker.** A worker parks only after it found the queue empty and noted itself as idle in one section; who
//!   pushes looks for idle workers in the section that pushes.

mod heart;
mod late;
mod memory;
mod shared;

pub(crate) use heart::{Gait, Look};
pub(crate) use late::{Attend, Heard, Late, Scoped, Serve, Step, Tend};
pub(crate) use memory::{Core, Registry, Rooms};
pub(crate) use shared::{Counters, Mode, Ready, Shared, WorkerCell};
