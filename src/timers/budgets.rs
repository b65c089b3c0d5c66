//! Timers that end a task at a date: time budgets.
//!
//! The timer of a budget belongs to the table, which finds it by the task. A task that is over does
//! not give its timer back. So a claim that finds no timer free sweeps: it releases the budgets of
//! all tasks that are over.
//!
//! A due budget keeps its timer, outside the heap, while the thread that found it ends the task.
//! That thread then releases the timer, or arms it again, unless another thread moved it meanwhile.
//!
//! A search takes a step for each timer. It goes through the table in sections of [`LOOKS`] timers,
//! and a section ends with the first timer that it changes. So no section grows with their number.
#![forbid(unsafe_code)]

use super::{Purpose, Timer, TimerIndex, TimerTable, Timers};
use crate::host::Clock;

/// At most so many timers are looked at in one section.
const LOOKS: TimerIndex = 8;

/// In [`Timer::claim`]: it is a budget's. The rest is the generation of the task, which has fewer
/// bits. So of equal dates budgets come last.
const BUDGET: u64 = 1 << 63;

/// What the first budget leaves, so that other programs need not link it.
pub(crate) struct BudgetHooks<H: 'static, B: 'static> {
    /// Ends the task whose budget has this timer, which is due.
    pub(crate) spend: fn(&TimerTable<H, B>, TimerIndex),
    /// Releases the budgets of tasks that are over. Returns true if a timer is free now.
    pub(crate) sweep: fn(&TimerTable<H, B>) -> bool,
}

/// A task with a budget: where it is, and which of the tasks that were there.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Budgeted<B> {
    pub(crate) place: B,
    pub(crate) generation: usize,
}

/// A budget whose date has come, and its timer.
pub(crate) struct Spent<B> {
    index: TimerIndex,
    pub(crate) task: Budgeted<B>,
}

/// What a search did with a timer.
enum Looked {
    Left,
    Changed,
}

impl<B: Copy> Timer<B> {
    fn budget(&self) -> Option<Budgeted<B>> {
        let claim = self.claim.get();
        if claim & BUDGET == 0 {
            return None;
        }
        let place = self.look(|purpose| match purpose {
            Purpose::Wake(_) => None,
            Purpose::End(place) => *place,
        })?;
        Some(Budgeted {
            place,
            // It was a `usize`.
            generation: (claim & !BUDGET) as usize,
        })
    }
}

impl<H: 'static, B: Copy + 'static> Timers<H, B> {
    /// Has a budget come due at another date, also if it is due.
    fn move_budget(&self, index: TimerIndex, timer: &Timer<B>, date: u64) {
        match timer.place.get().checked_sub(1) {
            Some(place) => self.move_timer(usize::from(place), index, timer, date),
            None => self.insert(index, timer, date, false),
        }
    }

    /// Gives up the timer of a budget. It has no waker.
    fn release_budget(&self, index: TimerIndex) {
        core::mem::forget(self.release(index));
    }
}

impl<H: Clock, B: Copy + PartialEq + 'static> TimerTable<H, B> {
    /// Has a task end at `date`. An earlier call for the same task counts no more. Returns false if
    /// no timer is free.
    ///
    /// Two threads that call it at once for one task may leave two budgets. The next call finds
    /// both.
    pub(crate) fn set_budget(
        &self,
        task: Budgeted<B>,
        date: u64,
        hooks: &'static BudgetHooks<H, B>,
    ) -> bool {
        let mut is_set = false;
        self.search(|timers, index, timer, found| {
            if found != task {
                return Looked::Left;
            }
            if is_set {
                timers.release_budget(index);
            } else {
                timers.move_budget(index, timer, date);
            }
            is_set = true;
            Looked::Changed
        });
        // Bound: see `make_room`.
        while !is_set {
            is_set = self.change(|timers| {
                let Some(claimed) = timers.claim() else {
                    return false;
                };
                let timer = &timers.timers[usize::from(claimed.index)];
                timer.claim.set(BUDGET | task.generation as u64);
                timer.purpose.set(Purpose::End(Some(task.place)));
                timers.budgets.set(Some(hooks));
                timers.insert(claimed.index, timer, date, false);
                true
            });
            if !is_set && !self.make_room() {
                return false;
            }
        }
        true
    }

    /// Gives up the budget of a task. Returns true if it had one whose date has not come: once it
    /// has, the thread that saw that acts.
    pub(crate) fn remove_budget(&self, task: Budgeted<B>) -> bool {
        self.remove_which(|timer, found| found == task && !timer.due.get())
    }

    /// Gives up the budgets of the tasks that `is_over` names. Returns true if there was one.
    /// `is_over` is called in the lock.
    pub(crate) fn remove_budgets(&self, is_over: impl Fn(Budgeted<B>) -> bool) -> bool {
        self.remove_which(|_, found| is_over(found))
    }

    fn remove_which(&self, is_meant: impl Fn(&Timer<B>, Budgeted<B>) -> bool) -> bool {
        let mut removed = false;
        self.search(|timers, index, timer, found| {
            if !is_meant(timer, found) {
                return Looked::Left;
            }
            timers.release_budget(index);
            removed = true;
            Looked::Changed
        });
        removed
    }

    /// The task of a budget that is due. `None` if it was moved or given up meanwhile.
    pub(crate) fn spent(&self, index: TimerIndex) -> Option<Spent<B>> {
        self.timers.with(|timers| {
            let timer = &timers.timers[usize::from(index)];
            let task = timer.budget().filter(|_| timer.due.get())?;
            Some(Spent { index, task })
        })
    }

    /// Returns true if a timer is free.
    pub(crate) fn has_room(&self) -> bool {
        self.timers
            .with(|timers| usize::from(timers.used.get()) < timers.timers.len())
    }

    /// Gives up the timer of a spent budget, or arms it `again`. Does nothing if it was moved or
    /// given up meanwhile.
    pub(crate) fn settle_budget(&self, spent: Spent<B>, again: Option<u64>) {
        self.change(|timers| {
            let timer = &timers.timers[usize::from(spent.index)];
            if !timer.due.get() || timer.budget() != Some(spent.task) {
                return;
            }
            match again {
                Some(date) => timers.insert(spent.index, timer, date, false),
                None => timers.release_budget(spent.index),
            }
        });
    }

    /// Shows `act` each budget.
    ///
    /// Bound: the number of timers that were ever claimed.
    fn search(
        &self,
        mut act: impl FnMut(&Timers<H, B>, TimerIndex, &Timer<B>, Budgeted<B>) -> Looked,
    ) {
        let mut from: TimerIndex = 0;
        loop {
            let next = self.change(|timers| {
                let fresh = timers.fresh.get();
                let end = fresh.min(from.saturating_add(LOOKS));
                for index in from..end {
                    let timer = &timers.timers[usize::from(index)];
                    let Some(task) = timer.budget() else {
                        continue;
                    };
                    if matches!(act(timers, index, timer, task), Looked::Changed) {
                        return index + 1;
                    }
                }
                if end == fresh { TimerIndex::MAX } else { end }
            });
            if next == TimerIndex::MAX {
                return;
            }
            from = next;
        }
    }
}

// For every table, so small: what is called is linked only with the first budget.
impl<H: Clock, B: Copy + 'static> TimerTable<H, B> {
    /// Releases the budgets of tasks that are over, for a claim that found no timer free. Returns
    /// true if one is free now: the claim looks again.
    ///
    /// Bound of such looks: between two of them a timer was released, and another thread claimed
    /// it.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&self) -> bool {
        let hooks = self.timers.with(|timers| timers.budgets.get());
        hooks.is_some_and(|hooks| (hooks.sweep)(self))
    }

    /// Ends the task whose budget has this timer, which is due.
    #[cold]
    #[inline(never)]
    pub(super) fn spend(&self, index: TimerIndex) {
        if let Some(hooks) = self.timers.with(|timers| timers.budgets.get()) {
            (hooks.spend)(self, index);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::mem::size_of;
    use core::task::Waker;

    use super::*;

    #[test]
    fn a_budget_takes_no_room_that_a_waker_does_not() {
        assert_eq!(size_of::<Purpose<&u8>>(), size_of::<Waker>());
        let pointers = 2 * size_of::<usize>();
        assert_eq!(size_of::<Timer<&u8>>(), 24 + pointers);
    }
}
