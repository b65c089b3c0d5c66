//! What the analysis found: the bound of each task, and the slots.
#![forbid(unsafe_code)]

use core::fmt;
use core::time::Duration;

use super::error::PlanError;
use super::task::{Kind, Task};
use super::{ASSUMPTIONS, Plan};

/// What [`Plan::bounds`] found.
///
/// Printed, it shows each task with its bound, and what the plan assumes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<const N: usize> {
    pub(super) plan: Plan<N>,
    /// In nanoseconds. Zero for an interrupt.
    pub(super) responses: [u64; N],
    pub(super) permille: u64,
}

impl<const N: usize> Bounds<N> {
    /// How long after its event or date the task ends at the latest. `index` counts tasks and
    /// interrupts in the order in which the plan got them. `None` for an interrupt, and beyond the
    /// last.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::plan::{Overhead, Plan, Task};
    ///
    /// const fn ms(millis: u64) -> Duration {
    ///     Duration::from_millis(millis)
    /// }
    /// const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    ///     .task(Task::event("short").every(ms(5)).at_most(ms(1)))
    ///     .task(Task::event("long").every(ms(9)).at_most(ms(3)));
    /// // One worker, first in, first out: the short one may come just behind the long one.
    /// let bounds = PLAN.bounds().unwrap();
    /// assert_eq!(bounds.response(0), Some(Duration::from_millis(4)));
    /// ```
    #[must_use]
    pub const fn response(&self, index: usize) -> Option<Duration> {
        if index >= self.plan.count || matches!(self.plan.tasks[index].kind, Kind::Interrupt) {
            return None;
        }
        Some(Duration::from_nanos(self.responses[index]))
    }

    /// How many slots the task holds at once, at most. A series holds one. The slots of an event
    /// are those of its jobs that have not ended; a result that a handle keeps holds its slot for
    /// longer, and belongs into [`Plan::other_slots`]. Zero for an interrupt, and beyond the last.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::{Overhead, Plan, Task};
    /// # const fn ms(millis: u64) -> Duration {
    /// #     Duration::from_millis(millis)
    /// # }
    /// const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    ///     .task(Task::event("key").every(ms(2)).at_most(ms(1)))
    ///     .task(Task::series("screen").every(ms(20)).at_most(ms(4)));
    /// let bounds = PLAN.bounds().unwrap();
    /// assert_eq!((bounds.slots_of(0), bounds.slots_of(1)), (3, 1));
    /// ```
    #[must_use]
    pub const fn slots_of(&self, index: usize) -> usize {
        if index >= self.plan.count {
            return 0;
        }
        let task = &self.plan.tasks[index];
        match task.kind {
            Kind::Interrupt => 0,
            Kind::Series => 1,
            // A job may come at the very instant at which an earlier one ends.
            Kind::Event => to_usize(self.responses[index] / task.period + 1),
        }
    }

    /// How many slots suffice, so that the queue is never full.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::{Overhead, Plan, Task};
    /// # const fn ms(millis: u64) -> Duration {
    /// #     Duration::from_millis(millis)
    /// # }
    /// const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    ///     .task(Task::event("quick").every(ms(2)).at_most(ms(1)))
    ///     .task(Task::event("slow").every(ms(90)).at_most(ms(9)))
    ///     .other_slots(1);
    /// // Behind the slow one five of the quick ones wait, and a sixth comes as the first ends.
    /// assert_eq!(PLAN.bounds().unwrap().slots(), 6 + 1 + 1);
    /// ```
    #[must_use]
    pub const fn slots(&self) -> usize {
        let mut slots = self.plan.other_slots;
        let mut index = 0;
        while index < self.plan.count {
            slots = slots.saturating_add(self.slots_of(index));
            index += 1;
        }
        slots
    }

    /// The thousandths of the processor's time that tasks, interrupts and overhead take at most,
    /// rounded up.
    #[must_use]
    pub const fn permille(&self) -> u64 {
        self.permille
    }

    /// # Errors
    ///
    /// [`Late`](PlanError::Late) if a task may end after its deadline.
    pub(super) const fn deadlines(&self) -> Result<(), PlanError> {
        let mut first = None;
        let mut others = 0;
        let mut index = 0;
        while index < self.plan.count {
            if self.is_late(index) {
                match first {
                    None => first = Some(index),
                    Some(_) => others += 1,
                }
            }
            index += 1;
        }
        match first {
            None => Ok(()),
            Some(index) => Err(PlanError::Late {
                task: self.plan.tasks[index].name,
                bound: Duration::from_nanos(self.responses[index]),
                deadline: Duration::from_nanos(self.plan.tasks[index].deadline_or_period()),
                others,
            }),
        }
    }

    const fn is_late(&self, index: usize) -> bool {
        let task = &self.plan.tasks[index];
        !matches!(task.kind, Kind::Interrupt) && self.responses[index] > task.deadline_or_period()
    }

    fn fmt_task(&self, formatter: &mut fmt::Formatter<'_>, index: usize) -> fmt::Result {
        let task: &Task = &self.plan.tasks[index];
        let Task { name, level, .. } = *task;
        let period = Duration::from_nanos(task.period);
        let cost = Duration::from_nanos(task.cost);
        let Some(response) = self.response(index) else {
            return writeln!(
                formatter,
                "  {name}: an interrupt, every {period:?}, at most {cost:?}"
            );
        };
        let kind = match task.kind {
            Kind::Series => "a series",
            _ => "an event",
        };
        let deadline = Duration::from_nanos(task.deadline_or_period());
        let late = if self.is_late(index) { ", LATE" } else { "" };
        let slots = self.slots_of(index);
        writeln!(
            formatter,
            "  {name}: {kind} of level {level}, every {period:?}, at most {cost:?}, slots {slots}; \
             ends after {response:?}, deadline {deadline:?}{late}"
        )
    }
}

/// As a number of slots; more than there can be, if it is too large for one.
const fn to_usize(number: u64) -> usize {
    if number > usize::MAX as u64 {
        usize::MAX
    } else {
        number as usize
    }
}

impl<const N: usize> fmt::Display for Bounds<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.slots();
        let permille = self.permille();
        writeln!(
            formatter,
            "plan: {slots} slots, {permille} thousandths of the processor"
        )?;
        for index in 0..self.plan.count {
            self.fmt_task(formatter, index)?;
        }
        writeln!(formatter, "The bounds hold if:")?;
        for assumption in ASSUMPTIONS {
            writeln!(formatter, "  - {assumption}")?;
        }
        Ok(())
    }
}
