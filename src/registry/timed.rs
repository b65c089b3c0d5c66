//! How timed tasks move: tasks that rest until their timer wakes them.
//!
//! A timed task is a future that begins suspended. Its link says that it waits for its date, and
//! names its timer. So a shutdown finds the tasks that it does not wait for.
#![forbid(unsafe_code)]

use super::Registry;
use super::shared::ServeLine;
use crate::error::Refusal;
use crate::host::Park;
use crate::list::Index;
use crate::roster::Mode;
use crate::slot::{Cancelled, Running, Unpublished};

impl<'e, H: Park> Registry<'e, H> {
    /// Takes a slot out of the free list for a timed task. `serve` cancels such tasks when the
    /// executor is shut down.
    pub(crate) fn claim_timed(self, serve: ServeLine<H>) -> Option<Index> {
        let free = &self.shared().free;
        free.claim_timed(&self, self.capacity(), serve)
    }

    /// Publishes a timed task, which rests until its timer wakes it. Or returns why the executor
    /// takes none.
    pub(crate) fn enqueue_timed(
        self,
        task: &mut Unpublished<'e>,
        timer: Index,
    ) -> Result<(), Refusal> {
        self.note_dated(task);
        self.shared().ready.with(|ready| {
            if ready.queue.is_closed() {
                return Err(ready.reason());
            }
            task.publish_resting().link().set_timed(timer);
            ready.queue.future_began();
            Ok(())
        })
    }

    /// Suspends a timed task that has run, or that was polled before its date. If a waker woke it
    /// meanwhile, queues it again. It comes back if it must end instead: any shutdown ends it.
    pub(crate) fn rest_timed<'s>(
        self,
        running: Running<'s>,
        timer: Index,
        has_run: bool,
    ) -> Result<(), (Running<'s>, Mode)> {
        self.rest_by(running, true, |running| {
            running.slot().link().set_timed(timer);
            if has_run {
                running.suspend()
            } else {
                running.suspend_unstarted()
            }
        })
    }

    /// Cancels a timed task that waits for its date, if the executor is shut down.
    pub(crate) fn cancel_timed(self, index: Index) -> Option<Cancelled<'e>> {
        let slot = self.slot(index);
        if !slot.snapshot().is_suspended() {
            return None;
        }
        self.shared().ready.with(|ready| {
            let ends = matches!(ready.roster.mode(), Mode::Drain | Mode::Cancel);
            // In this section a suspended future is of this life: no other has begun, and none is
            // accepted.
            if ends && slot.link().is_timed() {
                slot.cancel_resting()
            } else {
                None
            }
        })
    }
}
