//! How lent tasks move: those that only the worker of their owner may run.
#![forbid(unsafe_code)]

use super::Registry;
use super::shared::Ready;
use crate::host::Park;
use crate::list::Index;
use crate::roster::Mode;
use crate::slot::{Cancelled, Running};

impl<'e, H: Park> Registry<'e, H> {
    /// As [`rest`](Self::rest), for a lent task: only its owner's worker polls it again.
    pub(crate) fn rest_lent<'s>(self, running: Running<'s>) -> Result<(), (Running<'s>, Mode)> {
        self.rest_by(running, false, Running::suspend_lent)
    }

    /// As [`rest_timed`](Self::rest_timed), for a lent task: only its owner's worker polls it
    /// again.
    pub(crate) fn rest_lent_timed<'s>(
        self,
        running: Running<'s>,
        timer: Index,
        has_run: bool,
    ) -> Result<(), (Running<'s>, Mode)> {
        self.rest_by(running, true, |running| {
            running.slot().link().set_timed(timer);
            if has_run {
                running.suspend_lent()
            } else {
                running.suspend_lent_unstarted()
            }
        })
    }

    /// Cancels the oldest task in the queue of an executor whose worker owns something, if no
    /// thread will ever run it: a shutdown has begun, and the worker has left.
    pub(crate) fn cancel_unowned(self) -> Option<Cancelled<'e>> {
        self.shared().ready.with(|ready| {
            if !Self::is_unowned(ready) {
                return None;
            }
            self.cancel_first(ready)
        })
    }

    /// As [`cancel_unowned`](Self::cancel_unowned), for a suspended task in a certain slot.
    pub(crate) fn cancel_unowned_resting(self, index: Index) -> Option<Cancelled<'e>> {
        let slot = self.slot(index);
        if !slot.snapshot().is_suspended() {
            return None;
        }
        // In this section a suspended task is of this life: see `cancel_resting`.
        self.shared().ready.with(|ready| {
            Self::is_unowned(ready)
                .then(|| slot.cancel_resting())
                .flatten()
        })
    }

    /// Returns true if a shutdown has begun, and the workers have left.
    fn is_unowned(ready: &Ready<H>) -> bool {
        let roster = &ready.roster;
        // After `Drain` and `Cancel` no task enters, and no life begins before all have ended.
        let is_closed = matches!(roster.mode(), Mode::Drain | Mode::Cancel);
        is_closed && roster.is_left(roster.epoch())
    }

    /// Returns true if no thread will run what is queued for an owner before `thread`, the calling
    /// one, goes on: the host has no worker, or the thread is inside the one there is.
    fn is_stranded(self, ready: &Ready<H>, thread: usize) -> bool {
        !ready.roster.has_workers() || self.workers().iter().any(|cell| cell.holds(thread))
    }

    /// Returns true if a slot's task is stranded in the queue and belongs to a certain scope.
    pub(crate) fn is_stranded_of(self, index: Index, scope: *mut ()) -> bool {
        let thread = H::current_id();
        let is_stranded = |ready: &_| self.is_stranded(ready, thread);
        self.is_lent_of(index, scope) && self.shared().ready.with(is_stranded)
    }

    fn is_lent_of(self, index: Index, scope: *mut ()) -> bool {
        let slot = self.slot(index);
        slot.owner() == scope && slot.snapshot().is_queued_for_owner()
    }

    /// Cancels a task that is stranded in the queue and belongs to a certain scope.
    pub(crate) fn cancel_stranded_of(self, index: Index, scope: *mut ()) -> Option<Cancelled<'e>> {
        if !self.is_lent_of(index, scope) {
            return None;
        }
        let thread = H::current_id();
        self.shared().ready.with(|ready| {
            // As in `take_queued_of`.
            ready.queue.drain(&self.shared().front, &self);
            if self.is_lent_of(index, scope) && self.is_stranded(ready, thread) {
                self.cancel_linked(ready, self.slot(index))
            } else {
                None
            }
        })
    }
}
