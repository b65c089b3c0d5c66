//! A slot as the watchdog sees it: the age of its task, and what names the task.
//!
//! Invariants:
//!
//! - **Named First.** What names a task is stored before the phase that it belongs to.
//! - **Seen Twice.** A reader takes a name only if the phase is the same before and after. Names
//!   are stored with `Release` and the second look comes after an `Acquire` fence. So a reader that
//!   sees the name of a later phase sees that the phase has changed.

use crate::age::{Age, Change, Phase};
use crate::sync::{AtomicUsize, Ordering, fence};

pub(crate) struct Entry {
    age: Age,
    kind: AtomicUsize,
    /// The worker's number plus 1, or 0; and the generation above that.
    task_and_worker: AtomicUsize,
}

/// What names a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) kind: usize,
    pub(crate) generation: u16,
    pub(crate) worker: Option<u16>,
}

impl Entry {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            age: Age::new(),
            kind: AtomicUsize::new(0),
            task_and_worker: AtomicUsize::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            age: Age::new(),
            kind: AtomicUsize::new(0),
            task_and_worker: AtomicUsize::new(0),
        }
    }

    /// A new task is in the slot. Its owner calls this before it changes the phase.
    #[inline(always)]
    pub(crate) fn name(&self, kind: usize, generation: u16) {
        self.kind.store(kind, Ordering::Release); // publishes the phase that came before
        self.name_worker(generation, None);
    }

    /// The task is about to start. Its owner calls this before it changes the phase.
    #[inline(always)]
    pub(crate) fn name_worker(&self, generation: u16, worker: Option<u16>) {
        let worker = worker.map_or(0, |worker| usize::from(worker) + 1);
        let task_and_worker = usize::from(generation) << 16 | worker & 0xFFFF;
        self.task_and_worker
            .store(task_and_worker, Ordering::Release); // publishes the phase that came before
    }

    /// As [`Age::change`].
    #[inline(always)]
    pub(crate) fn change(&self, change: Change, tick: usize, generation: u16) {
        self.age.change(change, tick, generation);
    }

    /// The phase, without what comes with it.
    #[inline(always)]
    pub(crate) fn phase(&self) -> Phase {
        self.age.phase_alone()
    }

    /// The phase and the task's name. `None` if the phase changes meanwhile.
    pub(crate) fn look(&self) -> Option<(Phase, Name)> {
        let phase = self.age.phase();
        let kind = self.kind.load(Ordering::Relaxed);
        let task_and_worker = self.task_and_worker.load(Ordering::Relaxed);
        fence(Ordering::Acquire); // sees the phase before the one that the name belongs to
        let name = Name {
            kind,
            generation: (task_and_worker >> 16) as u16,
            worker: (task_and_worker as u16).checked_sub(1),
        };
        (self.age.phase_alone() == phase).then_some((phase, name))
    }
}
