//! What an executor has done and is doing.
#![forbid(unsafe_code)]

use core::fmt;

use crate::host::Park;
use crate::registry::{Counters, Registry};
use crate::slot::Phase;
use crate::sync::Ordering;

/// What an executor has done and is doing. The counts go on across restarts, and wrap at the width
/// of a word.
///
/// Each figure is right for its own moment. Together they are exact only while nothing runs.
///
/// ```
/// # use slotted::Executor;
/// let executor: Executor<0, 4> = Executor::new();
/// executor.submit(|| 6 * 7).unwrap().detach();
/// assert_eq!(executor.run_until_idle(), 1);
/// let stats = executor.stats();
/// assert_eq!((stats.completed, stats.slots_in_use, stats.slots_high_water), (1, 0, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stats {
    /// Slots that hold a task, a result, a callback, a permit or a promise. A slot counts as free a
    /// moment before a submitter can take it again.
    pub slots_in_use: usize,
    /// The most slots that were ever in use at once. A submitter that a shutdown refuses uses one
    /// for a moment.
    pub slots_high_water: usize,
    /// Tasks in the ready queue.
    pub queued: usize,
    /// Tasks on a thread's stack now.
    pub running: usize,
    /// Tasks that ran to their end, panicked ones included, and promises that were completed with
    /// a value, a panic or a [`RemoteError`](crate::error::RemoteError).
    pub completed: usize,
    /// Tasks that were cancelled.
    pub cancelled: usize,
    /// Tasks that panicked, here or at the other end.
    pub panicked: usize,
    /// Tasks and permits that were refused.
    pub refused: usize,
    /// Callbacks that panicked.
    pub callbacks_panicked: usize,
}

impl Stats {
    pub(crate) fn of<H: Park>(registry: Registry<'_, H>) -> Self {
        let shared = registry.shared();
        let high_water = registry.high_water();
        // Bound: the slots that were ever in use.
        let slots = || (0..high_water).map(|index| registry.slot(index));
        let counters = || {
            registry
                .workers()
                .iter()
                .map(|worker| &worker.counters)
                .chain([&shared.outside])
        };
        let sum =
            |figure: fn(&Counters) -> usize| counters().map(figure).fold(0, usize::wrapping_add);
        Self {
            slots_in_use: slots()
                .filter(|slot| slot.snapshot().phase() != Phase::Free)
                .count(),
            slots_high_water: high_water.into(),
            queued: slots()
                .filter(|slot| slot.snapshot().is_a_queued_task())
                .count(),
            running: slots()
                .filter(|slot| slot.snapshot().is_on_a_stack())
                .count(),
            completed: sum(|counters| counters.completed.load(Ordering::Relaxed)),
            cancelled: shared.cancelled.load(Ordering::Relaxed),
            panicked: sum(|counters| counters.panicked.load(Ordering::Relaxed)),
            refused: shared.refused.load(Ordering::Relaxed),
            callbacks_panicked: shared.callbacks_panicked.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} slots in use (at most {}), {} queued, {} running, {} completed, \
             {} cancelled, {} panicked, {} refused, {} callbacks panicked",
            self.slots_in_use,
            self.slots_high_water,
            self.queued,
            self.running,
            self.completed,
            self.cancelled,
            self.panicked,
            self.refused,
            self.callbacks_panicked
        )
    }
}
