//! How queued tasks move to a higher level.
#![forbid(unsafe_code)]

use super::Registry;
use crate::host::{LevelOf, Park};
use crate::list::{Index, Seat};
use crate::order::{Level, LevelLists, LevelStats, Levels, Parts};

impl<H: Park> Registry<'_, H> {
    /// Moves a queued task to the end of a higher level. Returns false if it is not queued, or its
    /// level is as high. Only for the holder of its handle.
    pub(crate) fn raise(self, index: Index, level: LevelOf<H>) -> bool {
        let slot = self.slot(index);
        if <H::Order as Parts>::LEVELS == 1 || !slot.snapshot().is_queued() {
            return false;
        }
        let front = &self.shared().front;
        let raised = self.shared().ready.with(|ready| {
            ready.queue.drain(front, &self);
            ready
                .queue
                .raise(front, &self, slot.link(), index, level)
                .then(|| self.whom_to_wake(ready, level))
        });
        if let Some(sleeper) = raised {
            self.work_is_there(sleeper, level);
        }
        raised.is_some()
    }

    /// The calling thread is about to sleep for a task. If that is queued, it rises to the highest
    /// level of the tasks on the thread's stack. Only for the holder of its handle. A thread may
    /// run several workers.
    ///
    /// Bound: the number of slots.
    pub(crate) fn raise_awaited(self, index: Index) {
        if <H::Order as Parts>::LEVELS == 1 || !self.slot(index).snapshot().is_queued() {
            return;
        }
        if let Some(level) = self.level_of_stack() {
            self.raise(index, level);
        }
    }

    /// The highest level of the tasks on the stack of the calling thread. `None`: it runs no
    /// worker, or no task.
    fn level_of_stack(self) -> Option<LevelOf<H>> {
        let thread = H::current_id();
        let is_ours = |seat: Seat| {
            let cell = self.workers().get(usize::from(seat.worker()));
            cell.is_some_and(|cell| cell.is_run_by(thread) && cell.is_current(seat))
        };
        (0..self.capacity())
            .map(|index| self.slot(index))
            .filter(|slot| slot.runner().is_some_and(is_ours))
            .map(|slot| LevelOf::<H>::of(slot.link()))
            .max_by_key(|level| level.number())
    }
}

impl<const N: usize, H: Park<Order = Levels<N>>> Registry<'_, H> {
    /// What each level has done.
    pub(crate) fn level_stats(self) -> [LevelStats; N] {
        self.shared()
            .ready
            .with(|ready| LevelLists::stats(ready.queue.lists()))
    }
}
