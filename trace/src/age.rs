//! Where the task of a slot is, and since when, in one word.
//!
//! Invariants:
//!
//! - **One Owner.** The steps of a task come one after another, each by the thread that holds the
//!   task then. A waker owns nothing, but it changes only a word that rests. So the owner swaps a
//!   word that rests, and just stores over any other.
//! - **Named Rest.** The word of a task that rests holds its generation instead of a tick. So a
//!   waker that comes late, when the slot has another task, exchanges nothing.

use crate::sync::{AtomicUsize, Ordering};

/// The lowest bits tell the phase; the others a tick, or a generation.
const PHASE_BITS: u32 = 2;
const AWAY: usize = 0;
const QUEUED: usize = 1;
const RUNNING: usize = 2;
const RESTING: usize = 3;

/// The longest span that can be told from a negative one, in ticks.
pub(crate) const LONGEST: usize = usize::MAX >> (PHASE_BITS + 1);

/// The phase of a slot's task. Ticks have lost their highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no task, or it is a promise.
    Away,
    Queued {
        since: usize,
    },
    Running {
        since: usize,
    },
    /// It waits for a waker or its date.
    Resting {
        generation: u16,
    },
}

/// What a step does to the task's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Queue,
    Run,
    Rest,
    Wake,
    Leave,
}

/// The ticks from `since` to `now`; 0 if `since` is the later one.
///
/// Both may have lost their highest bits. Right for spans of up to [`LONGEST`] ticks.
#[inline]
pub(crate) fn span(since: usize, now: usize) -> usize {
    let signed = (now.wrapping_sub(since) << PHASE_BITS).cast_signed() >> PHASE_BITS;
    signed.max(0).cast_unsigned()
}

impl Phase {
    #[inline(always)]
    fn word(self) -> usize {
        match self {
            Self::Away => AWAY,
            Self::Queued { since } => since << PHASE_BITS | QUEUED,
            Self::Running { since } => since << PHASE_BITS | RUNNING,
            Self::Resting { generation } => usize::from(generation) << PHASE_BITS | RESTING,
        }
    }

    #[inline(always)]
    fn of(word: usize) -> Self {
        let upper = word >> PHASE_BITS;
        match word & ((1 << PHASE_BITS) - 1) {
            QUEUED => Self::Queued { since: upper },
            RUNNING => Self::Running { since: upper },
            RESTING => Self::Resting {
                generation: upper as u16,
            },
            _ => Self::Away,
        }
    }
}

pub(crate) struct Age(AtomicUsize);

impl Age {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(AWAY))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(AWAY))
    }

    /// The phase now. What its owner wrote before it is visible.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        Phase::of(self.0.load(Ordering::Acquire)) // sees what `change` publishes
    }

    /// As [`phase`](Self::phase), for a caller that looks at nothing else.
    #[inline]
    pub(crate) fn phase_alone(&self) -> Phase {
        Phase::of(self.0.load(Ordering::Relaxed))
    }

    /// Makes the change at `tick`. Returns the phase that the task has left.
    ///
    /// A `Wake` has no owner. It only wakes a task of that generation that rests.
    #[inline(always)]
    pub(crate) fn change(&self, change: Change, tick: usize, generation: u16) -> Phase {
        let next = match change {
            Change::Queue => Phase::Queued { since: tick },
            Change::Run => Phase::Running { since: tick },
            Change::Rest => Phase::Resting { generation },
            Change::Leave => Phase::Away,
            Change::Wake => {
                let resting = Phase::Resting { generation }.word();
                let queued = Phase::Queued { since: tick }.word();
                // Another waker, a worker or a canceller was faster if this fails. The waker
                // publishes nothing but the tick.
                let _ =
                    self.0
                        .compare_exchange(resting, queued, Ordering::Relaxed, Ordering::Relaxed);
                return Phase::Resting { generation };
            }
        };
        let left = Phase::of(self.0.load(Ordering::Relaxed)); // the owner's own, or a waker's
        // Both publish what the owner noted of the task.
        if let Phase::Resting { .. } = left {
            return Phase::of(self.0.swap(next.word(), Ordering::Release));
        }
        self.0.store(next.word(), Ordering::Release);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_what_it_was_made_of() {
        let largest = usize::MAX >> PHASE_BITS;
        for since in [0, 1, largest] {
            for phase in [Phase::Queued { since }, Phase::Running { since }] {
                assert_eq!(Phase::of(phase.word()), phase);
            }
        }
        let generation = u16::MAX;
        let phase = Phase::Resting { generation };
        assert_eq!(Phase::of(phase.word()), phase);
        assert_eq!(Phase::of(Phase::Away.word()), Phase::Away);
    }

    #[test]
    fn a_span_survives_the_lost_bits_and_is_never_negative() {
        // As a word keeps it.
        let kept = |tick: usize| match Phase::of(Phase::Queued { since: tick }.word()) {
            Phase::Queued { since } => since,
            other => panic!("{other:?}"),
        };
        for since in [0, 7, LONGEST, usize::MAX / 4, usize::MAX / 2, usize::MAX] {
            for length in [0, 1, 1000, LONGEST] {
                assert_eq!(span(kept(since), since.wrapping_add(length)), length);
            }
            assert_eq!(span(kept(since), since.wrapping_sub(1)), 0, "the future");
        }
    }
}
