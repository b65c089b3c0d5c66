//! Delayed and periodic tasks, and sleeping: a table of timers beside an executor.
//!
//! A timed task is a future that begins suspended; its timer wakes it. So it waits in its slot,
//! never runs beside itself, and is cancelled as any suspended future is. The table knows no
//! executor and no closure: each timer has a waker, or the place of a task whose budget it is.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::ops::ControlFlow;
use core::time::Duration;

use crate::completion::{TimedTask, fill_timed, serve_timed};
use crate::error::{Refusal, SubmitError, TaskError};
use crate::executor::Executor;
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, LevelOf, Park, deadline};
use crate::list::Index;
use crate::permit::refuse;
use crate::registry::{Place, Registry, Submitter, TaskTimers};
use crate::slot::{FilledFuture, SlotRef};
use crate::sync::const_fn;
use crate::timers::{ClaimedTimer, Timer, TimerTable};
use crate::unwind;
use crate::waker::waker;

mod budget;
mod every;
mod owned;
mod sleep;
mod task;

pub use every::{Every, Release};
pub use owned::OwnedTimedSubmitter;
pub use sleep::Sleep;

use every::Grid;
use task::{Held, Once, Series};

/// `TIMERS` timers on the clock of the host `H`: for tasks that begin later or again and again, and
/// for async tasks that sleep.
///
/// It is a `static` of its own beside an executor. A program that names none pays nothing.
///
/// [`on`](Self::on) says to which executor the tasks go. A task and its timer are held from the
/// submission on, so becoming due cannot fail. A timer is free again when its task starts or is
/// cancelled; that of a series when the series ends.
///
/// [`cancel_at`](Self::cancel_at) gives any task a time budget: a date at which it is cancelled, or
/// asked to stop.
///
/// # Who keeps the time
///
/// On std threads, and on hosts with [`KEEPS_TIME`](Park::KEEPS_TIME), the executor's own threads.
/// Elsewhere some context of the host calls [`advance`](Self::advance), which moves what is due
/// into the ready queue: a super-loop, the interrupt of a timer that [`Clock::set_alarm`] arms, or
/// a thread that sleeps until the date that `advance` returns.
///
/// # Shutdown
///
/// A shutdown of the executor cancels the tasks that wait for their dates, and every series,
/// [`Drain`](crate::Shutdown::Drain) too: it runs what `advance` has moved and waits for no date.
/// Sleeps go on.
///
/// # Costs
///
/// 32 bytes for each timer on 32-bit targets, 40 on 64-bit ones. Each call takes the table's lock
/// once or twice, for a number of steps that grows with log2 of `TIMERS`. The page on costs has
/// the figures. A slot keeps the closure and, beside it, 24 bytes on 32-bit targets and 40 on
/// 64-bit ones; a series takes 24 more.
///
/// # Python
///
/// There is none in `concurrent.futures`; `sched.scheduler` is the nearest.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Clock, Executor, StdHost, Timetable};
///
/// static POOL: Executor<0, 8> = Executor::new();
/// static TIMES: Timetable<4> = Timetable::new();
///
/// let probe = TIMES.on(&POOL).submit_after(Duration::from_millis(2), || 6 * 7).unwrap();
/// // A loop of the host's: moves what is due, runs it, and sleeps until the next date.
/// while !probe.done() {
///     let next = TIMES.advance();
///     POOL.run_until_idle();
///     if let Some(date) = next.filter(|_| !probe.done()) {
///         StdHost::park_until(date);
///     }
/// }
/// assert_eq!(probe.result(), Ok(42));
/// ```
pub struct Timetable<const TIMERS: usize, H: Park = DefaultHost> {
    table: TimerTable<H, Place<H>, [Timer<Place<H>>; TIMERS]>,
}

impl<const TIMERS: usize, H: Park> Timetable<TIMERS, H> {
    const_fn! {
        /// A table without dates.
        ///
        /// Every byte of it is zero, so a `static` timetable lies in `.bss`.
        ///
        /// ```
        /// # use slotted::Timetable;
        /// static TIMES: Timetable<16> = Timetable::new();
        /// assert_eq!(TIMES.advance(), None);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self {
                table: TimerTable::new(),
            }
        }
    }
}

impl<const TIMERS: usize, H: Clock> Timetable<TIMERS, H> {
    /// Takes tasks for an executor, each with its date. Any number of executors may share the
    /// timers.
    ///
    /// ```
    /// # use slotted::{Executor, TimedSubmitter, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// static LATER: TimedSubmitter = TIMES.on(&POOL);
    /// let handle = LATER.submit_at(0, || 6 * 7).unwrap();
    /// TIMES.advance();
    /// assert_eq!(handle.result(), Ok(42));
    /// ```
    pub const fn on<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize>(
        &'static self,
        executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> TimedSubmitter<SLOT_BYTES, H> {
        TimedSubmitter {
            submitter: executor.submitter(),
            timers: &self.table,
        }
    }

    /// Moves every task that is due to the end of its executor's ready queue, in the order of the
    /// dates; of equal dates in the order of submission. Wakes the sleeps that are over. Returns
    /// the next date, in ticks, or `None` if nothing waits.
    ///
    /// No task runs here. A budget whose date has come cancels its task or asks it to stop, after
    /// the tasks of the same date have moved: see [`cancel_at`](Self::cancel_at).
    ///
    /// Two calls at once, from a thread and an interrupt, each move other tasks; then a task of the
    /// later date may come first.
    ///
    /// # Context
    ///
    /// Any, interrupts included, if the wakers of the sleeps may be called there; those of this
    /// crate may. With budgets: if the closures and futures that they cancel may be dropped there,
    /// and their callbacks called. Does not block.
    ///
    /// # Cost
    ///
    /// Two short sections for each task that is due, and one more. None grows with the number of
    /// tasks that are due. A budget takes what a cancel takes, and two sections more.
    ///
    /// ```
    /// # use slotted::{Executor, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let due = TIMES.on(&POOL).submit_at(0, || 1);
    /// let later = TIMES.on(&POOL).submit_at(u64::MAX, || 2);
    /// assert_eq!(TIMES.advance(), Some(u64::MAX));
    /// assert_eq!(POOL.run_until_idle(), 1);
    /// assert_eq!(due.unwrap().result(), Ok(1));
    /// assert!(later.unwrap().cancel());
    /// assert_eq!(TIMES.advance(), None);
    /// ```
    pub fn advance(&self) -> Option<u64> {
        self.advance_at_most(TIMERS)
    }

    /// As [`advance`](Self::advance), but moves at most `most` tasks. If there are more, the date
    /// it returns is not after now.
    ///
    /// ```
    /// # use slotted::{Clock, Executor, StdHost, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let handles = [1, 2, 3].map(|n| TIMES.on(&POOL).submit_at(n, move || n).unwrap());
    /// # let _ = StdHost::now();
    /// # while StdHost::now() < 3 {}
    /// assert_eq!(TIMES.advance_at_most(2), Some(3));
    /// assert_eq!(POOL.run_until_idle(), 2);
    /// # drop(handles);
    /// ```
    pub fn advance_at_most(&self, most: usize) -> Option<u64> {
        let table: &TaskTimers<H> = &self.table;
        table.advance(most)
    }

    /// The next date, in ticks, or `None` if nothing waits. It may have passed.
    ///
    /// # Context
    ///
    /// Any, interrupts included.
    ///
    /// ```
    /// # use slotted::{Executor, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let sleep = TIMES.on(&POOL).sleep_until(7).unwrap();
    /// assert_eq!(TIMES.next_date(), Some(7));
    /// # drop(sleep);
    /// ```
    pub fn next_date(&self) -> Option<u64> {
        let table: &TaskTimers<H> = &self.table;
        table.next_date()
    }

    /// Moves the date of a task that waits for it, earlier or later: a debounced button, a watchdog
    /// that is fed. Returns false if the task was not submitted through this timetable, is in the
    /// ready queue, or has started or ended.
    ///
    /// Of a series it moves the next run alone. The run stands for the date that it was moved from,
    /// and the dates after that stay.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// ```
    /// # use slotted::{Executor, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let timeout = TIMES.on(&POOL).submit_at(u64::MAX - 1, || "no answer").unwrap();
    /// assert!(TIMES.move_to(&timeout, 0)); // earlier
    /// TIMES.advance();
    /// assert!(!TIMES.move_to(&timeout, u64::MAX)); // it is in the ready queue
    /// assert_eq!(timeout.result(), Ok("no answer"));
    /// ```
    pub fn move_to<T>(&self, handle: &JoinHandle<'static, T, H>, tick: u64) -> bool {
        let moved = handle
            .receiver()
            .is_some_and(|receiver| move_to(&self.table, receiver.slot(), tick));
        if moved {
            handle.registry().date_was_set(tick);
        }
        moved
    }
}

/// Takes tasks for an executor, each with its date. [`Timetable::on`] makes it. `Copy`.
pub struct TimedSubmitter<const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    submitter: Submitter<'static, SLOT_BYTES, H>,
    timers: &'static TaskTimers<H>,
}

impl<const SLOT_BYTES: usize, H: Park> Clone for TimedSubmitter<SLOT_BYTES, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const SLOT_BYTES: usize, H: Park> Copy for TimedSubmitter<SLOT_BYTES, H> {}

impl<const SLOT_BYTES: usize, H: Clock> TimedSubmitter<SLOT_BYTES, H> {
    /// Takes tasks of another level.
    pub(crate) const fn with_level(self, level: LevelOf<H>) -> Self {
        Self {
            submitter: self.submitter.with_level(level),
            timers: self.timers,
        }
    }

    /// Submits a closure that becomes ready `delay` from now, never before. Fractions of a tick are
    /// rounded up. From there it stands in the ready queue as any other task.
    ///
    /// Until it starts, the handle says that it is pending, and [`cancel`](JoinHandle::cancel)
    /// cancels it at once. A wait for it waits for its date too.
    ///
    /// # Errors
    ///
    /// The closure comes back, unrun: if every slot or every timer is in use, or the executor is
    /// shut down or broken.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let handle = TIMES.on(&POOL).submit_after(Duration::from_secs(3600), || 6 * 7).unwrap();
    /// TIMES.advance();
    /// assert_eq!(POOL.run_until_idle(), 0); // not before its date
    /// assert!(handle.cancel());
    /// ```
    pub fn submit_after<F, T>(
        self,
        delay: Duration,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_at(deadline::<H>(delay), task)
    }

    /// As [`submit_after`](Self::submit_after), for a date in ticks of the host's clock. A date
    /// that has passed is due at once.
    ///
    /// # Errors
    ///
    /// As [`submit_after`](Self::submit_after).
    ///
    /// ```
    /// # use slotted::{Executor, Refusal, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<1> = Timetable::new();
    /// let handle = TIMES.on(&POOL).submit_at(0, || 6 * 7).unwrap();
    /// let refused = TIMES.on(&POOL).submit_at(0, || 1).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::NoTimer);
    /// TIMES.advance();
    /// assert_eq!(handle.result(), Ok(42));
    /// ```
    pub fn submit_at<F, T>(
        self,
        tick: u64,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (timer, slot) = match claim(self.submitter.registry(), self.timers) {
            Ok(claimed) => claimed,
            Err(reason) => return Err(SubmitError { task, reason }),
        };
        let task = Once::new(Held::new(self.timers, timer.index), task);
        self.submit_timed(timer, tick, slot, task)
            .map_err(|refused| SubmitError {
                task: refused.task.into_closure(),
                reason: refused.reason,
            })
    }

    /// Submits a closure that runs again and again, at the dates of `every`, in one slot. The dates
    /// lie on a grid, so a series does not drift.
    ///
    /// - A run never begins before its date, and never while the last one runs.
    /// - Dates that pass meanwhile are skipped and counted: [`Release::missed`].
    /// - [`ControlFlow::Break`] ends the series with a value, which the handle takes.
    /// - A panic ends it, and the handle says so.
    ///
    /// Between two runs [`cancel`](JoinHandle::cancel) ends it at once;
    /// [`cancel_sync`](JoinHandle::cancel_sync) also waits for the end of a run.
    ///
    /// # Errors
    ///
    /// As [`submit_after`](Self::submit_after).
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use slotted::{Every, Executor, Timetable};
    ///
    /// static POOL: Executor<0, 8, 128> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    ///
    /// let mut sum = 0;
    /// let series = TIMES.on(&POOL).submit_every(Every::ticks(1000).first_at(0), move |run| {
    ///     sum += 1 + run.missed;
    ///     if sum < 10 {
    ///         ControlFlow::Continue(())
    ///     } else {
    ///         ControlFlow::Break(sum)
    ///     }
    /// });
    /// let series = series.unwrap();
    /// while !series.done() {
    ///     TIMES.advance();
    ///     POOL.run_until_idle();
    /// }
    /// assert!(series.result().unwrap() >= 10);
    /// ```
    pub fn submit_every<F, T>(
        self,
        every: Every,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnMut(Release) -> ControlFlow<T> + Send + 'static,
        T: Send + 'static,
    {
        let (timer, slot) = match claim(self.submitter.registry(), self.timers) {
            Ok(claimed) => claimed,
            Err(reason) => return Err(SubmitError { task, reason }),
        };
        let (first, period) = every.resolve::<H>();
        let held = Held::new(self.timers, timer.index);
        let task = Series::new(held, Grid::new(first, period), task);
        self.submit_timed(timer, first, slot, task)
            .map_err(|refused| SubmitError {
                task: refused.task.into_closure(),
                reason: refused.reason,
            })
    }

    /// A future that is ready `duration` from now, under any async executor; this one's threads
    /// keep the time. The timer is taken here, and the time runs from here, not from the first
    /// poll. Fractions of a tick are rounded up.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoTimer`] if every timer is in use.
    ///
    /// # Cancellation
    ///
    /// Dropping it frees its timer at once. Forgotten, it costs its timer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, Refusal, Timetable};
    /// static POOL: Executor<0, 2, 256> = Executor::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// let nap = POOL.submit_future(async {
    ///     TIMES.on(&POOL).sleep(Duration::from_millis(1))?.await;
    ///     Ok::<_, Refusal>("awake")
    /// });
    /// let nap = nap.unwrap();
    /// while !nap.done() {
    ///     TIMES.advance();
    ///     POOL.run_until_idle();
    /// }
    /// assert_eq!(nap.result(), Ok(Ok("awake")));
    /// ```
    pub fn sleep(self, duration: Duration) -> Result<Sleep<H>, Refusal> {
        self.sleep_until(deadline::<H>(duration))
    }

    /// As [`sleep`](Self::sleep), until a date in ticks.
    ///
    /// # Errors
    ///
    /// As [`sleep`](Self::sleep).
    ///
    /// ```
    /// # use slotted::{Executor, Refusal, Timetable};
    /// static POOL: Executor<0, 8> = Executor::new();
    /// static TIMES: Timetable<1> = Timetable::new();
    /// let first = TIMES.on(&POOL).sleep_until(1_000_000).unwrap();
    /// assert_eq!(TIMES.on(&POOL).sleep_until(7).unwrap_err(), Refusal::NoTimer);
    /// drop(first);
    /// assert!(TIMES.on(&POOL).sleep_until(7).is_ok());
    /// ```
    pub fn sleep_until(self, tick: u64) -> Result<Sleep<H>, Refusal> {
        sleep_until(self.submitter.registry(), self.timers, tick)
    }

    /// Publishes a task, then arms its timer.
    fn submit_timed<F, T>(
        self,
        timer: ClaimedTimer,
        date: u64,
        index: Index,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: Future<Output = Result<T, TaskError>> + TimedTask + Send + 'static,
        T: Send + 'static,
    {
        let registry = self.submitter.registry();
        let filled = fill_timed(registry, self.submitter.adopt(index), task);
        publish(registry, self.timers, timer, date, filled)
    }
}

/// Takes a timer and a slot, or returns why there is none. A refusal counts.
fn claim<H: Clock>(
    registry: Registry<'static, H>,
    timers: &'static TaskTimers<H>,
) -> Result<(ClaimedTimer, Index), Refusal> {
    let keeps_time = registry.keep_time(timers);
    let Some(timer) = keeps_time.then(|| timers.claim()).flatten() else {
        return Err(registry.count_refusal(Refusal::NoTimer));
    };
    match registry.claim_timed(serve_timed) {
        Some(index) => Ok((timer, index)),
        None => {
            unwind::discard(timers.release(timer.index));
            Err(registry.count_refusal(registry.refusal_without_slot()))
        }
    }
}

/// Publishes a task, then arms its timer. A shutdown in between cancels the task, which frees the
/// timer; then nothing is armed.
#[inline(always)]
fn publish<F, T, const SLOT_BYTES: usize, H: Clock>(
    registry: Registry<'static, H>,
    timers: &'static TaskTimers<H>,
    timer: ClaimedTimer,
    date: u64,
    mut filled: FilledFuture<F, T, SLOT_BYTES>,
) -> Result<JoinHandle<'static, T, H>, SubmitError<F>> {
    let waker = waker(registry, filled.ticket().slot());
    let refused = registry.enqueue_timed(filled.ticket(), timer.index);
    match filled.settle() {
        Ok(receiver) => {
            unwind::discard(timers.arm(timer, date, waker));
            registry.date_was_set(date);
            Ok(JoinHandle::new(registry, receiver))
        }
        Err((claim, polled)) => {
            let reason = refuse(registry, claim.give_up(), refused);
            let task = polled.future;
            Err(SubmitError { task, reason })
        }
    }
}

/// Makes a sleep, if a timer is free.
fn sleep_until<H: Clock>(
    registry: Registry<'static, H>,
    timers: &'static TaskTimers<H>,
    tick: u64,
) -> Result<Sleep<H>, Refusal> {
    if !registry.keep_time(timers) {
        return Err(Refusal::NoTimer);
    }
    let timer = timers.claim_armed(tick).ok_or(Refusal::NoTimer)?;
    registry.date_was_set(tick);
    Ok(Sleep::new(timers, timer))
}

/// Moves the date of the task in a slot, if it waits for one of these timers. The caller's handle
/// pins the slot, so the task is the handle's.
fn move_to<H: Clock>(timers: &TaskTimers<H>, slot: SlotRef<'_>, tick: u64) -> bool {
    if !slot.snapshot().is_suspended() {
        return false;
    }
    let timer = slot.link().timer();
    timer.is_some_and(|timer| timers.move_to(timer, slot.as_ptr(), tick))
}

impl<const TIMERS: usize, H: Park> Default for Timetable<TIMERS, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const TIMERS: usize, H: Clock> fmt::Debug for Timetable<TIMERS, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table: &TaskTimers<H> = &self.table;
        f.debug_struct("Timetable")
            .field("timers", &TIMERS)
            .field("used", &table.used())
            .field("next_date", &table.next_date())
            .finish()
    }
}

impl<const SLOT_BYTES: usize, H: Park> fmt::Debug for TimedSubmitter<SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedSubmitter")
            .field("submitter", &self.submitter)
            .finish_non_exhaustive()
    }
}
