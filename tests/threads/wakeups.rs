//! No thread sleeps for ever: each end of a task wakes every waiter, and each task wakes a worker.
//!
//! That holds wherever the executor, the worker or the waiter's cell has moved meanwhile.

mod idle_workers;
mod moves;
mod nested_waits;
mod slot_waiters;
mod task_waiters;
mod wakers;

use slotted::{Executor, JoinHandle};

use crate::stage::Stage;

type Pool<const WORKERS: usize> = Executor<WORKERS, 8, 128, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;
