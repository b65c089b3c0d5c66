//! What plays programs: a pool of threads, or a pool of processes.

use std::sync::Arc;

use slotted::{JoinHandle, Refusal, Shutdown};

use crate::board::{Board, Job};

/// The executor of random programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Threads,
    /// The tasks of a program tell the player nothing but their outcomes. Python's pool marks tasks
    /// as running that wait for a process, one more than there are processes.
    Processes,
}

pub(crate) type Handle = JoinHandle<'static, u32>;

/// Room for all tasks of a program and their callbacks.
pub(crate) const SLOTS: usize = 96;

/// A pool that plays programs.
pub(crate) trait World: Sync + 'static {
    fn kind(&'static self) -> Kind;
    fn submit(&'static self, board: &Arc<Board>, job: Job) -> Result<Handle, Refusal>;
    /// A task that waits for another one of its pool.
    fn submit_nested(&'static self, value: u32) -> Result<Handle, Refusal>;
    /// How many of its items a map takes before its first `next`.
    fn map_unstarted(&'static self, items: u32) -> u32;
    /// The outcomes of a map over numbers that fail or not, up to `take` of them.
    fn map(&'static self, items: Vec<(u32, bool)>, is_zero: bool, take: usize) -> Vec<String>;
    fn begin_shutdown(&'static self, how: Shutdown);
    fn shutdown(&'static self, how: Shutdown);
    /// The first line of a program, and a restart.
    fn start(&'static self) -> bool;
    fn await_begun(&'static self, board: &Board, task: u32);
    fn open(&'static self, board: &Board, gate: u32);
    /// Opens all gates.
    fn end(&'static self, board: &Board);
    fn slots_in_use(&'static self) -> usize;
}
