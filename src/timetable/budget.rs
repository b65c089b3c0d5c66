//! Time budgets: a date at which a task is cancelled, or asked to stop.
#![forbid(unsafe_code)]

use core::time::Duration;

use super::Timetable;
use crate::canceller::request_stop;
use crate::error::Refusal;
use crate::handle::JoinHandle;
use crate::host::{Clock, deadline, ticks};
use crate::registry::{Place, TaskTimers};
use crate::timers::{BudgetHooks, Budgeted, Spent};
use crate::unwind;

/// A task in the middle of a poll can be neither cancelled nor asked. Its budget looks again after
/// so long.
const PATIENCE: Duration = Duration::from_millis(1);

impl<const TIMERS: usize, H: Clock> Timetable<TIMERS, H> {
    pub fn cancel_at<T>(
        &'static self,
        handle: &JoinHandle<'static, T, H>,
        tick: u64,
    ) -> Result<(), Refusal> {
        let Some(receiver) = handle.receiver() else {
            return Ok(());
        };
        let (registry, slot) = (handle.registry(), receiver.slot());
        let seen = slot.snapshot();
        let task = Budgeted {
            place: registry.place(slot.index()),
            generation: seen.generation(),
        };
        let timers: &TaskTimers<H> = &self.table;
        if seen.is_ended() {
            timers.remove_budget(task);
            return Ok(());
        }
        if !registry.keep_time(timers) || !timers.set_budget(task, tick, &Hooks::<H>::BUDGET) {
            return Err(Refusal::NoTimer);
        }
        registry.date_was_set(tick);
        Ok(())
    }

    pub fn cancel_after<T>(
        &'static self,
        handle: &JoinHandle<'static, T, H>,
        budget: Duration,
    ) -> Result<(), Refusal> {
        self.cancel_at(handle, deadline::<H>(budget))
    }

    pub fn cancel_never<T>(&self, handle: &JoinHandle<'static, T, H>) -> bool {
        let Some(receiver) = handle.receiver() else {
            return false;
        };
        let slot = receiver.slot();
        let timers: &TaskTimers<H> = &self.table;
        timers.remove_budget(Budgeted {
            place: handle.registry().place(slot.index()),
            generation: slot.snapshot().generation(),
        })
    }
}

struct Hooks<H>(H);

impl<H: Clock> Hooks<H> {
    const BUDGET: BudgetHooks<H, Place<H>> = BudgetHooks {
        spent: end::<H>,
        sweep: sweep::<H>,
    };
}

/// Ends the task of a spent budget. If it is being polled, the budget looks again later.
fn end<H: Clock>(timers: &TaskTimers<H>, spent: Spent<Place<H>>) {
    let Budgeted { place, generation } = spent.task;
    let (registry, slot) = place.find();
    // The destructor of a closure may panic.
    unwind::contain(|| {
        request_stop(registry, slot, Some(generation));
    });
    let seen = slot.snapshot();
    let is_polled = seen.generation() == generation && seen.is_future() && !seen.is_ended();
    let again = is_polled.then(|| H::now().saturating_add(ticks::<H>(PATIENCE)));
    timers.settle_budget(spent, again);
    if let Some(date) = again {
        registry.date_was_set(date);
    }
}

/// Releases the budgets of tasks that are over.
fn sweep<H: Clock>(timers: &TaskTimers<H>) -> bool {
    timers.remove_budgets(|task| {
        let seen = task.place.find().1.snapshot();
        seen.generation() != task.generation || seen.is_ended()
    })
}
