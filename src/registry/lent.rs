//! How lent closures move that were taken out of the queue by a thread that has nothing to lend.
#![forbid(unsafe_code)]

use super::{Registry, WorkerCell};
use crate::host::{LevelOf, Park};
use crate::list::Seat;
use crate::order::Level;
use crate::roster::Mode;
use crate::slot::Running;

impl<'e, H: Park> Registry<'e, H> {
    /// Puts a closure that was started and did not run back into the queue, before all others. It
    /// comes back if it must end instead: it was asked to stop, or no worker will run it.
    pub(crate) fn put_back<'s>(self, running: Running<'s>) -> Result<(), (Running<'s>, Mode)> {
        let slot = running.slot();
        let index = slot.index();
        let level = LevelOf::<H>::of(slot.link());
        let sleeper = self.shared().ready.with(|ready| {
            if ready.roster.ends_futures() {
                return Err((running, ready.roster.mode()));
            }
            if ready.roster.mode() == Mode::Drain && !ready.roster.has_workers() {
                return Err((running, Mode::Cancel));
            }
            let front = &self.shared().front;
            match running.put_back() {
                Ok(()) => ready.queue.push_first(front, &self, slot.link(), index),
                Err(running) => return Err((running, Mode::Cancel)),
            }
            Ok(self.whom_to_wake(ready, level))
        })?;
        self.work_is_there(sleeper, level);
        Ok(())
    }

    /// Sets a closure aside that was started and did not run, on the thread of the worker that is
    /// to run it later. Until then it counts as one of that thread's stack.
    pub(crate) fn set_aside(self, running: Running<'_>, seat: Seat) {
        let slot = running.slot();
        self.shared().ready.with(|_| {
            running.set_aside();
            self.workers()[usize::from(seat.worker())].set_aside(true);
        });
        // Nothing is queued for it.
        self.work_is_there(None, LevelOf::<H>::of(slot.link()));
    }

    /// What was set aside for a worker is put back now.
    pub(crate) fn forget_aside(self, cell: &WorkerCell<H>) {
        self.shared().ready.with(|_| cell.set_aside(false));
    }

    /// Takes a queued closure, if the executor is shut down and no worker is left to run it.
    pub(crate) fn take_unowned(self) -> Option<Running<'e>> {
        self.shared().ready.with(|ready| {
            if ready.roster.mode() != Mode::Drain || ready.roster.has_workers() {
                return None;
            }
            self.pop(ready, None, Level::BASE)
        })
    }
}
