//! The word at one moment, decoded: what its bits mean to the rest of the crate.
#![forbid(unsafe_code)]

use core::fmt;

use super::{
    BUSY, BY_HAND, COMPLETING, ENDED, FUTURE, GENERATION_SHIFT, HANDLE, KIND_SHIFT, LENT, LISTENER,
    NOTIFIED, OVER, POLLED, QUEUED, RESTING, SET_RUNNING, STOP, SlotUse, TAKEN, TASK, TASK_KIND,
};

/// Where in its life a slot's task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No task; the slot is in the free list, or on its way there or from there.
    Free,
    /// Claimed: being filled, or held by a permit.
    Reserved,
    /// A promise that its holder has not marked as running.
    Open,
    /// In the ready queue, never started; a callback that has not been called.
    Pending,
    /// A future between two polls.
    Suspended,
    /// A future in the ready queue again.
    Scheduled,
    /// On a thread's stack; or a promise that its holder has marked as running.
    Running,
    /// A promise whose value is being written.
    Completing,
    /// The outcome is known, but not takeable yet: its thread drops the job or calls callbacks.
    Settling,
    /// The outcome is takeable.
    Done,
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutcomeKind {
    /// The slot's bytes hold a `T`.
    Value = 0,
    /// The slot's bytes hold a `T` that its submitter counts as a failure.
    Failed = 1,
    /// The slot's bytes hold a `TaskError`.
    Error = 2,
    /// Cancelled; the bytes hold nothing.
    Cancelled = 3,
    /// The outcome was taken; the bytes hold nothing. Not a number in the word, but the bit
    /// `TAKEN`.
    Empty,
}

/// What says where a future is.
const FUTURE_FACE: usize = BUSY | TASK | QUEUED | RESTING | FUTURE | ENDED;

/// The word at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(pub(super) usize);

impl Snapshot {
    pub(super) fn has(self, bits: usize) -> bool {
        self.0 & bits == bits
    }

    pub(super) fn has_none(self, bits: usize) -> bool {
        self.0 & bits == 0
    }

    pub(crate) fn phase(self) -> Phase {
        if self.has_none(BUSY) {
            Phase::Free
        } else if self.has_none(TASK) {
            Phase::Reserved
        } else if self.is_takeable() {
            Phase::Done
        } else if self.has(ENDED) {
            Phase::Settling
        } else if self.has(QUEUED) {
            if self.has(FUTURE | POLLED) {
                Phase::Scheduled
            } else {
                Phase::Pending
            }
        } else if self.has(RESTING) {
            if self.has_promise() {
                Phase::Open
            } else {
                Phase::Suspended
            }
        } else if self.has_promise() && self.has(COMPLETING) {
            Phase::Completing
        } else {
            Phase::Running
        }
    }

    #[inline]
    pub(crate) fn kind(self) -> OutcomeKind {
        match (self.0 >> KIND_SHIFT) & 3 {
            3 => OutcomeKind::Cancelled,
            _ if self.has(TAKEN) => OutcomeKind::Empty,
            0 => OutcomeKind::Value,
            1 => OutcomeKind::Failed,
            _ => OutcomeKind::Error,
        }
    }

    /// Returns true if the outcome is a value. It must be there, and not taken.
    #[inline]
    pub(crate) fn has_value(self) -> bool {
        // `Value` and `Failed`.
        self.has_none(2 << KIND_SHIFT)
    }

    /// How many tasks the slot had before this one, modulo the width of the field.
    pub(crate) fn generation(self) -> usize {
        self.0 >> GENERATION_SHIFT
    }

    pub(crate) fn has_listener(self) -> bool {
        self.has(LISTENER)
    }

    /// Returns true if the promise exists; or if the slot keeps a callback.
    pub(crate) fn has_promise(self) -> bool {
        self.0 & TASK_KIND == BY_HAND
    }

    pub(crate) fn is_future(self) -> bool {
        self.has(FUTURE)
    }

    /// Returns true if the outcome can be taken.
    #[inline]
    pub(crate) fn is_takeable(self) -> bool {
        self.0 & (ENDED | OVER | LISTENER) == ENDED | OVER
    }

    /// Returns true if the task has ended, as the user sees it. A cancelled task has ended for all
    /// threads at once.
    pub(crate) fn is_ended(self) -> bool {
        self.has(ENDED)
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.has(ENDED) && self.kind() == OutcomeKind::Cancelled
    }

    /// Returns true if the task has started and not ended, as the user sees it.
    pub(crate) fn is_running(self) -> bool {
        match self.phase() {
            Phase::Running | Phase::Completing | Phase::Scheduled => true,
            // A timed task rests before its first poll.
            Phase::Suspended => self.has(POLLED) || self.is_set_running(),
            Phase::Pending => self.is_set_running(),
            _ => false,
        }
    }

    /// Returns true if the task runs on a thread's stack now.
    pub(crate) fn is_on_a_stack(self) -> bool {
        self.phase() == Phase::Running && !self.has_promise()
    }

    /// Returns true if the task is a future between two polls: [`Phase::Suspended`], in one look.
    #[inline]
    pub(crate) fn is_suspended(self) -> bool {
        self.0 & FUTURE_FACE == BUSY | TASK | FUTURE | RESTING
    }

    /// Returns true if the task is a future that is being polled.
    #[inline]
    pub(super) fn is_polled_now(self) -> bool {
        self.0 & FUTURE_FACE == BUSY | TASK | FUTURE
    }

    /// Returns true if the task is a future in the ready queue.
    #[inline]
    pub(super) fn is_queued_future(self) -> bool {
        self.0 & FUTURE_FACE == BUSY | TASK | FUTURE | QUEUED
    }

    /// Returns true if the task is a promise that can be kept: [`Phase::Open`], or
    /// [`Phase::Running`].
    #[inline]
    pub(super) fn is_unkept_promise(self) -> bool {
        let face = BUSY | TASK | QUEUED | TASK_KIND | ENDED | COMPLETING;
        self.0 & face == BUSY | TASK | BY_HAND
    }

    /// Returns true if the task is a closure that runs.
    #[inline]
    pub(crate) fn is_running_closure(self) -> bool {
        self.0 & (BUSY | TASK | QUEUED | RESTING | TASK_KIND | ENDED) == BUSY | TASK
    }

    /// Returns true if a canceller can cancel the task: no thread has it, and it has not ended. It
    /// is queued, a suspended future or an open promise, and no future that was set running.
    #[inline]
    pub(crate) fn is_at_rest(self) -> bool {
        self.0 & (QUEUED | RESTING) != 0 && self.has_none(ENDED | SET_RUNNING)
    }

    /// Returns true if it is a future that has not ended, and that no canceller can cancel.
    pub(crate) fn is_set_running(self) -> bool {
        self.has(SET_RUNNING) && self.has_none(ENDED)
    }

    /// Returns true if a closure was asked to stop. Once the task has ended, it may also be a
    /// promise.
    pub(crate) fn may_be_asked_to_stop(self) -> bool {
        self.has(STOP) && self.has_none(TASK_KIND)
    }

    /// Returns true if the task waits in the ready queue; a callback, in the list of its task.
    pub(crate) fn is_queued(self) -> bool {
        self.has(QUEUED)
    }

    /// Returns true if the task waits in the ready queue, and any thread may run it.
    #[inline]
    pub(crate) fn is_queued_for_any(self) -> bool {
        self.0 & (QUEUED | LENT) == QUEUED
    }

    /// Returns true if the task waits in the ready queue, and only its owner's worker may run it.
    #[inline]
    pub(crate) fn is_queued_for_owner(self) -> bool {
        self.has(QUEUED | LENT)
    }

    /// Returns true if the task is queued or rests, and only its owner's worker may run it. Also
    /// before it is published.
    #[inline]
    pub(crate) fn waits_for_owner(self) -> bool {
        self.0 & (LENT | ENDED) == LENT
    }

    /// Returns true if it is a task, not a callback, and waits in the ready queue.
    pub(crate) fn is_a_queued_task(self) -> bool {
        self.is_queued() && !self.has_promise()
    }

    /// Returns true if the task is on the stack that started it: it runs there, or its completer
    /// calls callbacks there.
    pub(crate) fn is_where_it_started(self) -> bool {
        match self.phase() {
            Phase::Running => true,
            // Any thread may have cancelled it.
            Phase::Settling => self.kind() != OutcomeKind::Cancelled,
            _ => false,
        }
    }

    /// Returns true if the task panicked, was abandoned, or failed by its submitter's word.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self.kind(), OutcomeKind::Failed | OutcomeKind::Error)
    }

    pub(super) fn with(self, bits: usize) -> Self {
        Self(self.0 | bits)
    }

    pub(super) fn without(self, bits: usize) -> Self {
        Self(self.0 & !bits)
    }

    /// Returns true if neither a handle nor a promise pins the slot.
    fn is_abandoned(self) -> bool {
        self.has_none(HANDLE) && !self.has_promise()
    }

    /// Which holders a slot has left whose outcome is takeable.
    #[inline]
    pub(crate) fn slot_use(self) -> SlotUse {
        if self.is_abandoned() {
            SlotUse::Last
        } else {
            SlotUse::Shared
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?}", self.generation(), self.phase())?;
        if self.is_ended() {
            write!(f, "({:?})", self.kind())?;
        }
        if self.is_set_running() {
            write!(f, " set running")?;
        }
        for (bit, name) in [
            (HANDLE, "handle"),
            (LISTENER, "listener"),
            (FUTURE, "future"),
            (
                NOTIFIED,
                if self.has_promise() {
                    "completing"
                } else if self.is_future() {
                    "notified"
                } else if self.is_ended() {
                    "stop or completing"
                } else {
                    "stop"
                },
            ),
        ] {
            if self.0 & bit != 0 {
                write!(f, " {name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::slot::state::{CancelFrom, State, TaskKind};
    use crate::sync::AtomicUsize;

    /// All words of one generation that a slot can have. Owners take their steps where they may,
    /// cancellers and wakers take theirs at any time.
    fn reachable() -> std::vec::Vec<Snapshot> {
        use Phase::*;
        let mut found = std::vec![Snapshot(0)];
        let mut next = 0;
        // Bound: the words of one generation.
        while let Some(&from) = found.get(next) {
            next += 1;
            let phase = from.phase();
            let promise = from.has_promise() && !from.has(QUEUED);
            let mut step = |is_allowed: bool, step: &dyn Fn(&State)| {
                let state = State(AtomicUsize::new(from.0));
                if is_allowed {
                    step(&state);
                }
                let to = state.snapshot();
                if to.generation() == 0 && !found.contains(&to) {
                    found.push(to);
                }
            };
            step(phase == Free, &|state| _ = state.claim());
            let is_filled = from.has(LENT) && phase == Reserved;
            step(phase == Reserved, &State::mark_lent);
            for kind in [TaskKind::Closure, TaskKind::Future] {
                step(phase == Reserved, &|state| state.publish_pending(kind));
            }
            step(phase == Reserved, &State::publish_resting);
            if !is_filled {
                step(phase == Reserved, &State::publish_open);
                step(phase == Reserved, &State::publish_callback);
            }
            step(true, &|state| _ = state.wake());
            step(true, &|state| _ = state.schedule());
            step(true, &|state| _ = state.ask_to_stop(None));
            step(true, &|state| _ = state.cancel_resting());
            for place in [CancelFrom::Rest, CancelFrom::Queue] {
                step(!from.has(QUEUED) || !from.has_promise(), &|state| {
                    _ = state.cancel(None, place);
                });
            }
            step(from.has(QUEUED), &|state| _ = state.start());
            step(promise, &|state| _ = state.open_to_running());
            step(promise, &|state| _ = state.complete_promise());
            step(phase == Completing, &|state| {
                _ = state.finish_promise(OutcomeKind::Failed);
            });
            step(promise && from.is_ended(), &|state| {
                _ = state.drop_promise()
            });
            let polled = from.is_future() && phase == Running;
            step(polled, &|state| _ = state.suspend());
            step(polled, &|state| _ = state.suspend_unstarted());
            step(polled, &|state| _ = state.suspend_lent());
            step(polled, &|state| _ = state.suspend_lent_unstarted());
            let ends = phase == Running && !promise || phase == Settling && from.has_none(OVER);
            for kind in [
                OutcomeKind::Value,
                OutcomeKind::Error,
                OutcomeKind::Cancelled,
            ] {
                let is_of_cancel = kind == OutcomeKind::Cancelled;
                step(ends && from.is_ended() == is_of_cancel, &|state| {
                    _ = state.finish(kind);
                });
            }
            step(from.has(TASK | HANDLE), &|state| _ = state.listen());
            step(from.has(OVER | LISTENER), &|state| _ = state.finish_heard());
            step(phase == Done && from.has(HANDLE), &|state| _ = state.take());
            step(from.has(HANDLE), &|state| _ = state.drop_handle());
        }
        found
    }

    #[test]
    fn the_short_looks_agree_with_the_phase_of_each_word_that_a_slot_can_have() {
        let words = reachable();
        assert!(words.len() > 150, "{}", words.len());
        for seen in words {
            let (phase, future) = (seen.phase(), seen.is_future());
            assert_eq!(seen.is_suspended(), phase == Phase::Suspended, "{seen:?}");
            let polled = future && phase == Phase::Running;
            assert_eq!(seen.is_polled_now(), polled, "{seen:?}");
            let queued = future && matches!(phase, Phase::Pending | Phase::Scheduled);
            assert_eq!(seen.is_queued_future(), queued, "{seen:?}");
            let open = matches!(phase, Phase::Open | Phase::Running);
            assert_eq!(
                seen.is_unkept_promise(),
                open && seen.has_promise(),
                "{seen:?}"
            );
            let is_held = !matches!(
                phase,
                Phase::Reserved | Phase::Pending | Phase::Scheduled | Phase::Suspended
            );
            assert!(!(seen.waits_for_owner() && is_held), "{seen:?}");
        }
    }

    #[test]
    fn the_short_looks_at_a_future_agree_with_its_phase() {
        for word in 0..1 << GENERATION_SHIFT {
            let seen = Snapshot(word);
            // A future is not in the queue and at rest at once. It may be set running.
            if seen.has(QUEUED | RESTING) || !seen.is_future() {
                continue;
            }
            let phase = seen.phase();
            assert_eq!(seen.is_suspended(), phase == Phase::Suspended, "{seen:?}");
            assert_eq!(seen.is_polled_now(), phase == Phase::Running, "{seen:?}");
            let queued = matches!(phase, Phase::Pending | Phase::Scheduled);
            assert_eq!(seen.is_queued_future(), queued, "{seen:?}");
        }
    }

    #[test]
    fn the_short_look_at_a_promise_agrees_with_its_phase() {
        for word in 0..1 << GENERATION_SHIFT {
            let seen = Snapshot(word);
            // An open promise is not being completed. What is over has ended.
            let is_broken = !seen.is_ended() && (seen.has(RESTING | COMPLETING) || seen.has(OVER));
            if is_broken || !seen.has_promise() {
                continue;
            }
            let unkept = matches!(seen.phase(), Phase::Open | Phase::Running);
            assert_eq!(seen.is_unkept_promise(), unkept, "{seen:?}");
        }
    }
}
