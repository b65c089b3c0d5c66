//! Which steps the host is told, made only if it asks. Always called with no lock held.
#![forbid(unsafe_code)]

use super::Registry;
use crate::error::Refusal;
use crate::host::Park;
use crate::list::Seat;
use crate::slot::{Running, SlotRef, Snapshot, Unpublished};
use crate::step::{Awaits, Outcome, Step, TaskKey};

impl<H: Park> Registry<'_, H> {
    fn key(self, slot: SlotRef<'_>, seen: Snapshot) -> TaskKey {
        TaskKey::new(self.address(), slot.index(), seen.generation())
    }

    /// The task in a slot that the caller holds.
    fn key_now(self, slot: SlotRef<'_>) -> TaskKey {
        self.key(slot, slot.snapshot())
    }

    /// Called before the task enters the queue.
    #[inline(always)]
    pub(super) fn note_submitted(self, task: &Unpublished<'_>) {
        H::note(|| Step::Submitted {
            task: self.key_now(task.slot()),
            kind: task.kind(),
            awaits: Awaits::Worker,
        });
    }

    /// Called before a timer can wake the task.
    #[inline(always)]
    pub(super) fn note_dated(self, task: &Unpublished<'_>) {
        H::note(|| Step::Submitted {
            task: self.key_now(task.slot()),
            kind: task.kind(),
            awaits: Awaits::Date,
        });
    }

    /// Called while the caller has both the promise and the handle.
    #[inline(always)]
    pub(crate) fn note_promised(self, slot: SlotRef<'_>, kind: impl FnOnce() -> usize) {
        H::note(|| Step::Submitted {
            task: self.key_now(slot),
            kind: kind(),
            awaits: Awaits::Promise,
        });
    }

    #[inline(always)]
    pub(crate) fn note_started(self, running: &Running<'_>, runner: Option<Seat>) {
        H::note(|| Step::Started {
            task: self.key_now(running.slot()),
            kind: running.kind(),
            worker: runner.map(Seat::worker),
        });
    }

    /// Called before the future is suspended: the caller still holds it.
    #[inline(always)]
    pub(crate) fn note_rested(self, running: &Running<'_>) {
        H::note(|| Step::Rested {
            task: self.key_now(running.slot()),
        });
    }

    /// Called before the waker queues the future. `seen`: where it rests.
    #[inline(always)]
    pub(super) fn note_woken(self, slot: SlotRef<'_>, seen: Snapshot) {
        H::note(|| Step::Woken {
            task: self.key(slot, seen),
        });
    }

    /// Called before the outcome can be taken. `outcome`: `None` of a cancelled task.
    #[inline(always)]
    pub(crate) fn note_ended(self, slot: SlotRef<'_>, outcome: impl FnOnce() -> Option<Outcome>) {
        H::note(|| {
            let task = self.key_now(slot);
            match outcome() {
                Some(outcome) => Step::Ended { task, outcome },
                None => Step::Cancelled { task },
            }
        });
    }

    /// Called before the slot of a task that was told as submitted is freed.
    #[inline(always)]
    pub(crate) fn note_task_refused(self, slot: SlotRef<'_>, reason: impl FnOnce() -> Refusal) {
        H::note(|| Step::Refused {
            executor: self.address(),
            task: Some(self.key_now(slot)),
            reason: reason(),
        });
    }

    #[inline(always)]
    pub(super) fn note_refused(self, reason: Refusal) {
        H::note(|| Step::Refused {
            executor: self.address(),
            task: None,
            reason,
        });
    }

    #[inline(always)]
    pub(crate) fn note_idle(self, worker: u16) {
        H::note(|| Step::Idle {
            executor: self.address(),
            worker,
        });
    }

    #[inline(always)]
    pub(crate) fn note_busy(self, worker: u16) {
        H::note(|| Step::Busy {
            executor: self.address(),
            worker,
        });
    }
}
