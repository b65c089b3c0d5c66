//! Time budgets: a date at which a task is cancelled, or asked to stop.
#![forbid(unsafe_code)]

use core::time::Duration;

use super::Timetable;
use crate::canceller::request_stop;
use crate::error::Refusal;
use crate::handle::JoinHandle;
use crate::host::{Clock, deadline, ticks};
use crate::registry::{Place, TaskTimers};
use crate::timers::{BudgetHooks, Budgeted, TimerIndex};

/// A task in the middle of a poll can be neither cancelled nor asked. Its budget looks again after
/// so long. A poll is short, and a look each millisecond costs next to nothing.
const PATIENCE: Duration = Duration::from_millis(1);

impl<const TIMERS: usize, H: Clock> Timetable<TIMERS, H> {
    /// Gives a task a time budget: at the date it is cancelled if no thread has it, and asked to
    /// stop if it runs. The date is in ticks of the host's clock. One that has passed counts at the
    /// next [`advance`](Self::advance).
    ///
    /// What happens at the date is what [`JoinHandle::request_stop`] does then:
    ///
    /// - A queued task, an async task between two polls, an open promise, and a task that waits for
    ///   its own date are cancelled.
    /// - A closure that runs is asked. It sees that if
    ///   [`submit_stoppable`](crate::Executor::submit_stoppable) took it, and what it returns is an
    ///   ordinary value. A closure from plain `submit` runs on.
    /// - An async task in the middle of a poll, or a series in the middle of a run, has no room for
    ///   a request. The budget looks again a millisecond later, until it finds the task between two
    ///   polls or at its end.
    /// - What was set running, and a task that has ended, are left alone. So is a later
    ///   task in the same slot.
    ///
    /// A task has one budget in a timetable. A further call moves its date, and the date before
    /// counts no more; [`cancel_never`](Self::cancel_never) takes the budget away. It stays if the
    /// handle is dropped. The task may be of any executor with this host, of any size.
    ///
    /// A budget is no value that the caller keeps: it would have to live beside each handle, and a
    /// detached task has no place for it. So it holds a timer of the table until its date, or
    /// until `cancel_never`. If the task ends before, the timer counts as free: a call that finds
    /// no other takes it. Until then its date stays among those that `advance` returns.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoTimer`] if every timer is in use, and not by a budget of a task that is over.
    /// The task goes on without a budget, or with the one that it had. The same if its executor
    /// keeps the time of too many other timetables.
    ///
    /// # Who acts at the date
    ///
    /// The thread or interrupt that calls `advance`. Where it cancels, it drops the closure or
    /// future there, calls the callbacks and wakes the waiters. None of that happens inside a lock.
    /// If a closure must not be dropped in an interrupt, call `advance` from a thread or loop that
    /// the interrupt wakes. A callback or a destructor must neither wait nor run long there: it may
    /// be called by a worker that is about to sleep, and that others still wake for new tasks.
    ///
    /// On std threads, a worker acts that sleeps or is between two tasks. So a budget is late while
    /// every worker runs a task: have one worker more than tasks that run long.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// # Cost
    ///
    /// One timer. A call looks at each timer of the table once, in sections of a few timers each.
    ///
    /// # Python
    ///
    /// `asyncio.timeout_at`, for tasks instead of blocks; a further call is `reschedule`.
    ///
    /// ```
    /// use slotted::{Executor, TaskError, Timetable};
    ///
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    ///
    /// let runs = POOL.submit_stoppable(|stop| {
    ///     let mut rounds = 0;
    ///     while !stop.requested() {
    ///         rounds += 1;
    ///         TIMES.advance(); // elsewhere an interrupt or another thread
    ///     }
    ///     rounds
    /// });
    /// let waits = POOL.submit(|| 7).unwrap();
    /// let runs = runs.unwrap();
    /// TIMES.cancel_at(&runs, 0).unwrap();
    /// TIMES.cancel_at(&waits, u64::MAX).unwrap();
    /// TIMES.cancel_at(&waits, 0).unwrap(); // moved
    ///
    /// assert!(POOL.run_one(), "the first task runs, and its budget is spent meanwhile");
    /// assert_eq!(runs.result(), Ok(1));
    /// assert_eq!(waits.result(), Err(TaskError::Cancelled));
    /// ```
    #[doc(alias = "timeout")]
    #[doc(alias = "deadline")]
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

    /// As [`cancel_at`](Self::cancel_at), `budget` from now. Fractions of a tick are rounded up.
    /// The time in the queue counts.
    ///
    /// # Errors
    ///
    /// As [`cancel_at`](Self::cancel_at).
    ///
    /// # Python
    ///
    /// `asyncio.timeout`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Executor, TaskError, Timetable};
    ///
    /// static POOL: Executor<0, 8, 64> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    ///
    /// // The answer of a peripheral that never comes.
    /// let (_answer, asked) = POOL.promise::<u32>().unwrap();
    /// TIMES.cancel_after(&asked, Duration::from_millis(2)).unwrap();
    /// assert_eq!(asked.result(), Err(TaskError::Cancelled));
    /// ```
    pub fn cancel_after<T>(
        &'static self,
        handle: &JoinHandle<'static, T, H>,
        budget: Duration,
    ) -> Result<(), Refusal> {
        self.cancel_at(handle, deadline::<H>(budget))
    }

    /// Takes the budget of a task away, and frees its timer. Returns true if it had one in this
    /// timetable whose date has not come.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// ```
    /// # use slotted::{Executor, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<1> = Timetable::new();
    /// let handle = POOL.submit(|| 7).unwrap();
    /// TIMES.cancel_at(&handle, 0).unwrap();
    /// assert!(TIMES.cancel_never(&handle));
    /// assert_eq!(TIMES.advance(), None);
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
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

/// What a first budget leaves in its table.
struct Hooks<H>(H);

impl<H: Clock> Hooks<H> {
    const BUDGET: BudgetHooks<H, Place<H>> = BudgetHooks {
        spend: spend::<H>,
        sweep: sweep::<H>,
    };
}

/// Ends the task of a budget that is due. If it is being polled, the budget looks again later.
fn spend<H: Clock>(timers: &TaskTimers<H>, index: TimerIndex) {
    let Some(spent) = timers.spent(index) else {
        return;
    };
    let Budgeted { place, generation } = spent.task;
    let (registry, slot) = place.find();
    request_stop(registry, slot, Some(generation));
    let seen = slot.snapshot();
    let is_polled = seen.generation() == generation
        && seen.is_future()
        && !seen.is_ended()
        && !seen.is_set_running();
    let again = is_polled.then(|| H::now().saturating_add(ticks::<H>(PATIENCE)));
    timers.settle_budget(spent, again);
    if let Some(date) = again {
        registry.date_was_set(date);
    }
}

/// Releases the budgets of tasks that are over. Returns true if a timer is free now, also by what
/// another thread released meanwhile.
fn sweep<H: Clock>(timers: &TaskTimers<H>) -> bool {
    timers.remove_budgets(|task| {
        let seen = task.place.find().1.snapshot();
        seen.generation() != task.generation || seen.is_ended()
    });
    timers.has_room()
}
