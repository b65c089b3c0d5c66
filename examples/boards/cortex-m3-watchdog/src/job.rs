//! The jobs of this board, and which of them a watchdog means.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{Clock, Step};

use crate::{Board, POOL, millis};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Sample,
    Filter,
    Radio,
}

const JOBS: [Job; 3] = [Job::Sample, Job::Filter, Job::Radio];

/// The kind of each job's task, once one was submitted. On a desk, the symbol at that address in
/// the ELF file names the task. The board itself learns the addresses.
static KINDS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
/// The job that is being submitted. Only the super-loop submits.
static SUBMITTED: AtomicUsize = AtomicUsize::new(0);

impl Job {
    pub(crate) fn submit(self) {
        SUBMITTED.store(self as usize, Ordering::Relaxed);
        match self {
            Self::Sample => submit(|| work(1)),
            Self::Filter => submit(|| work(4)),
            // Waits for an answer that never comes.
            Self::Radio => submit(|| while black_box(true) {}),
        }
    }

    /// The job whose tasks have that kind.
    pub(crate) fn of(kind: usize) -> Option<Self> {
        let known = { KINDS.iter() }.position(|known| known.load(Ordering::Relaxed) == kind)?;
        Some(JOBS[known])
    }

    pub(crate) fn of_number(number: u32) -> Option<Self> {
        JOBS.get(number as usize).copied()
    }
}

fn submit(task: impl FnOnce() + Send + 'static) {
    POOL.submit(task).expect("there is room").detach();
}

/// Learns the kinds.
pub(crate) fn note(step: Step) {
    if let Step::Submitted { kind, .. } = step {
        KINDS[SUBMITTED.load(Ordering::Relaxed)].store(kind, Ordering::Relaxed);
    }
}

fn work(milliseconds: u64) {
    let end = Board::now() + millis(milliseconds);
    while Board::now() < end {}
}
