//! The heart: slots, free list, ready queue, and the face through which handles and workers see an
//! executor.
//!
//! In the face, [`Registry`], all capacities are erased, so that the code behind handles and
//! workers exists once per host, and one `wait` can span executors of different sizes.
//!
//! Invariants:
//!
//! - **Key Truth.** A slot's generation is compared inside the transition that acts on it: an old
//!   key reads as gone.
//! - **Queued Means Linked.** A slot is in the ready queue if and only if its phase is `Pending` or
//!   `Scheduled`: publish and push, schedule and push, pop and start, unlink and start, unlink and
//!   cancel happen inside the lock of the queue. Where there is a way into it beside the lock
//!   ([`Arrivals`](crate::queue::Arrivals)), a slot is `Pending` a moment before it is there, when
//!   only its submitter knows of it, and a moment after it was taken back, when only the holder of
//!   its handle can start it.
//! - **Drain.** Whether a task is accepted is decided inside that lock, after the mode, or by the
//!   word that it is pushed to, which is closed inside that lock: once shutdown has begun no task
//!   enters.
//! - **No Lost Worker.** A worker parks only after it found the queue empty and noted itself as
//!   idle in one section; who pushes looks for idle workers in the section that pushes, or, without
//!   the lock, is told by the word that it pushes to.

mod heart;
mod late;
mod memory;
mod shared;
mod sleepers;

pub(crate) use heart::Look;
pub(crate) use late::{Attend, Heard, Late, Scoped, Serve, Step, Tend};
pub(crate) use memory::{Core, Registry, Rooms};
pub(crate) use shared::{Counters, Mode, Ready, Shared, WorkerCell};
