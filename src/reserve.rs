//! Waiting for a free slot, in a thread or in an async task: first come, first served.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use crate::blocking::{Never, RunUnstarted, Timeout, WaitFor, block, is_unstarted};
use crate::error::Refusal;
use crate::free_slots::{Place, Served};
use crate::host::Park;
use crate::list::Index;
use crate::registry::{Registry, ServeLine, SlotEvent, serve_line};
use crate::unwind;
use crate::waiter::Waiter;

/// A waiter for a slot: its place in line, and the slot or the refusal it got.
struct SlotWait<'p, 'e, H: Park> {
    registry: Registry<'e, H>,
    place: Pin<&'p Place<'e, H, ServeLine<H>>>,
    slot: Cell<Option<Index>>,
    /// Why there will be none.
    refusal: Cell<Option<Refusal>>,
}

/// Waits for a slot in the calling thread.
///
/// # Errors
///
/// The executor's reason, or [`Refusal::Full`] if the time is up.
pub(crate) fn wait_for_slot<H: Park>(
    registry: Registry<'_, H>,
    timeout: &impl Timeout,
) -> Result<Index, Refusal> {
    let place = pin!(Place::new(registry.free_slots()));
    let wait = SlotWait::new(registry, place.as_ref());
    // Interrupted or not: what the waiter has tells.
    let _ = block(registry, &wait, timeout, RunUnstarted::Workers);
    wait.outcome().unwrap_or(Err(Refusal::Full))
}

/// Waits for a slot in the calling thread while the host has workers. `None`: it has none, and no
/// slot was free.
///
/// # Errors
///
/// The executor's reason.
pub(crate) fn wait_for_slot_of_workers<H: Park>(
    registry: Registry<'_, H>,
) -> Result<Option<Index>, Refusal> {
    let place = pin!(Place::new(registry.free_slots()));
    let wait = WorkersSlotWait(SlotWait::new(registry, place.as_ref()));
    // The wait has no limit.
    let _ = block(registry, &wait, &Never::<H>::new(), RunUnstarted::Workers);
    wait.0.outcome().transpose()
}

/// Waits for a slot in an async task.
///
/// # Errors
///
/// The executor's reason.
pub(crate) async fn slot<H: Park>(registry: Registry<'_, H>) -> Result<Index, Refusal> {
    let place = pin!(Place::new(registry.free_slots()));
    let wait = SlotWait::new(registry, place.as_ref());
    poll_fn(move |context| wait.poll(context)).await
}

impl<'p, 'e, H: Park> SlotWait<'p, 'e, H> {
    fn new(registry: Registry<'e, H>, place: Pin<&'p Place<'e, H, ServeLine<H>>>) -> Self {
        Self {
            registry,
            place,
            slot: Cell::new(None),
            refusal: Cell::new(None),
        }
    }

    /// The slot, which is the caller's now, or the refusal, if the wait is over.
    fn outcome(&self) -> Option<Result<Index, Refusal>> {
        match self.slot.take() {
            Some(index) => Some(Ok(index)),
            None => self.refusal.get().map(Err),
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<Index, Refusal>> {
        if !self.is_over() {
            // Foreign code outside the lock: the clone before it, the drop of what was there after.
            let earlier = self.join(Waiter::Waker(context.waker().clone()));
            unwind::discard(earlier);
            if !self.is_over() {
                return Poll::Pending;
            }
        }
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }

    /// Leaves the line. A slot that the waiter got and did not use goes to the next.
    fn leave(&self) {
        let (served, waiter) = self.place.leave();
        unwind::discard(waiter);
        let unused = match served {
            Served::Slot(index) => Some(index),
            Served::Waiting | Served::Refused(_) | Served::Outside => self.slot.take(),
        };
        if let Some(index) = unused {
            self.registry.release_unclaimed(index);
        }
    }

    /// Joins the line, or replaces the waiter, and serves the line. So a slot that came back before
    /// goes to a waiter now.
    fn join(&self, waiter: Waiter<H>) -> Waiter<H> {
        let displaced = self.place.wait(waiter, serve_line);
        serve_line(self.registry, SlotEvent::Freed);
        displaced
    }
}

impl<H: Park> WaitFor<H> for SlotWait<'_, '_, H> {
    /// Returns true if the waiter has a slot, or will get none because the executor takes no task.
    fn is_over(&self) -> bool {
        if self.slot.get().is_some() || self.refusal.get().is_some() {
            return true;
        }
        let free = self.registry.free_slots();
        let served = self.place.look();
        match served {
            Served::Slot(index) => self.slot.set(Some(index)),
            Served::Refused(reason) => self.refusal.set(Some(reason)),
            Served::Waiting | Served::Outside => self.refusal.set(self.registry.refusal()),
        }
        if served == Served::Outside && self.refusal.get().is_none() {
            let capacity = self.registry.capacity();
            self.slot
                .set(free.claim_before_line(&self.registry, capacity));
        }
        self.slot.get().is_some() || self.refusal.get().is_some()
    }

    /// Leaves the line: a task on top of this one may wait for a slot too, and would wait for the
    /// slot that this one gets first.
    fn before_running(&self) {
        self.leave();
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        // The thread's own, of an earlier round.
        unwind::discard(self.join(waiter));
        Ok(Waiter::NONE)
    }

    /// The waiter keeps its place until the wait is over.
    fn deregister(&self, _waiter: &Waiter<H>) -> Waiter<H> {
        Waiter::NONE
    }
}

/// A wait for a slot that ends also if the host has no worker any more, which would free one.
struct WorkersSlotWait<'p, 'e, H: Park>(SlotWait<'p, 'e, H>);

impl<H: Park> WaitFor<H> for WorkersSlotWait<'_, '_, H> {
    fn is_over(&self) -> bool {
        self.0.is_over() || is_unstarted(self.0.registry)
    }

    fn before_running(&self) {
        self.0.before_running();
    }

    /// In line, and where the last worker that leaves looks.
    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        drop(self.0.register(Waiter::current()));
        Ok(self.0.registry.with_leave_waiter(|cell| cell.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.0
            .registry
            .with_leave_waiter(|cell| cell.remove(waiter))
    }
}

impl<H: Park> Drop for SlotWait<'_, '_, H> {
    fn drop(&mut self) {
        self.leave();
    }
}
