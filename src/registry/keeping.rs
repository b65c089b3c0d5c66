//! How the threads of a host with [`KEEPS_TIME`](Park::KEEPS_TIME) keep the time of timetables.
//!
//! A worker moves what is due before it looks for work. When it sleeps, idle or in a wait, one of
//! the sleepers wakes at the next date. Where there are no workers, each driver does.
#![forbid(unsafe_code)]

use super::{Place, Registry};
use crate::host::{Clock, Park};
use crate::time_keeper::TimeHooks;
use crate::timers::TimerTable;
use crate::unwind::Bomb;
use crate::waiter::Waiter;

/// The timers of a timetable.
pub(crate) type TaskTimers<H> = TimerTable<H, Place<H>>;

/// Moves what is due. Returns the next date.
pub(crate) type Advance<H> = for<'e> fn(Registry<'e, H>) -> Option<u64>;

/// Moves what is due in each timetable of an executor. Returns the next date.
///
/// Bound: the number of timetables, and of their timers.
fn advance<H: Clock>(registry: Registry<'_, H>) -> Option<u64> {
    let mut next = None;
    let mut number = 0;
    while let Some(table) = registry.shared().time.table(number) {
        next = earlier(next, table.advance_all());
        number += 1;
    }
    if number < 2 {
        return next;
    }
    // A waker of the last table may have set a date in the first, and used up the permit that told
    // of it. No foreign code runs from here on.
    (0..number)
        .filter_map(|number| registry.shared().time.table(number))
        .fold(None, |next, table| earlier(next, table.next_date()))
}

/// The earlier of two dates.
fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl<H: Clock> Registry<'_, H> {
    /// The threads of the executor keep the time of `table` from now on, if those of the host do.
    /// Returns false if they keep that of too many others.
    pub(crate) fn keep_time(self, table: &'static TaskTimers<H>) -> bool {
        let hooks = TimeHooks {
            advance: advance::<H> as Advance<H>,
            park_until: H::park_until,
        };
        !H::KEEPS_TIME || self.shared().time.keep(table, hooks)
    }
}

impl<H: Park> Registry<'_, H> {
    #[inline(always)]
    fn time_hooks(self) -> Option<TimeHooks<Advance<H>>> {
        if H::KEEPS_TIME {
            self.shared().time.hooks()
        } else {
            None
        }
    }

    /// Moves what is due, if the threads of this executor keep a time. Returns the next date.
    #[inline(always)]
    pub(crate) fn advance_time(self) -> Option<u64> {
        self.time_hooks().and_then(|hooks| (hooks.advance)(self))
    }

    /// A date that may be the earliest was set: wakes the thread that sleeps past it.
    pub(crate) fn date_was_set(self, date: u64) {
        if !H::KEEPS_TIME {
            return;
        }
        if self.has_workers() {
            if let Some(keeper) = self.shared().time.sleeps_past(date) {
                self.unpark_worker(keeper);
                return;
            }
        }
        // Also where there are workers: a thread may drain an executor that has none left.
        let driver = self.shared().ready.with(|ready| ready.idle.take_driver());
        self.notify(driver);
    }

    /// If no sleeper keeps the time, one does from now on. Called before a worker runs a task or
    /// leaves, if no sleeper kept the time when it woke.
    #[inline]
    pub(crate) fn pass_time_on(self) {
        if H::KEEPS_TIME {
            if let Some(sleeper) = self.shared().time.pass_on() {
                self.unpark_worker(sleeper);
            }
        }
    }

    /// Unparks a worker that sleeps, idle or in a wait. It looks for the next date then.
    fn unpark_worker(self, worker: u16) {
        match self.workers()[usize::from(worker)].sleeper() {
            Waiter::Thread(Some(mut there)) => H::unpark(there.token()),
            // Meanwhile the worker rests as an async task: its waker was taken out.
            other => self.notify(other),
        }
    }

    /// Parks a worker, `plainly` or until the next date if it keeps the time. `limit`: a date at
    /// which it wakes all the same. `is_called`: a last look, after foreign wakers may have used up
    /// the permit. Returns true if the worker must pass the time on before it runs a task.
    #[inline(always)]
    pub(crate) fn park_worker(
        self,
        worker: u16,
        limit: Option<u64>,
        is_called: impl FnOnce() -> bool,
        plainly: impl FnOnce(),
    ) -> bool {
        if !H::KEEPS_TIME {
            plainly();
            return false;
        }
        let time = &self.shared().time;
        let thread = H::current_id();
        // It may be handed to another thread while this one waits.
        let is_run = || self.workers()[usize::from(worker)].is_run_by(thread);
        let broken_off = Bomb::new(|| {
            time.wake_up(worker, is_run);
            self.pass_time_on();
        });
        let mut keeps = true;
        let next = time.fall_asleep(worker, is_run).and_then(|hooks| {
            // After it is the keeper: a date that is set from here on wakes it.
            let date = (hooks.advance)(self);
            // Foreign code in there may have waited, and so have woken the worker.
            keeps = time.set_date(worker, date.unwrap_or(u64::MAX), is_run);
            Some((date?, hooks.park_until))
        });
        match next {
            _ if !keeps || is_called() => {}
            Some((date, park_until)) => park_until(limit.map_or(date, |limit| limit.min(date))),
            None => plainly(),
        }
        broken_off.defuse();
        time.wake_up(worker, is_run)
    }

    /// The calling thread runs a worker from now on, or has it leave. If another thread sleeps as
    /// that worker, it keeps no time any more.
    pub(crate) fn take_time_over(self, worker: u16) {
        if H::KEEPS_TIME && self.shared().time.wake_up(worker, || true) {
            self.pass_time_on();
        }
    }

    /// For a driver that is about to park: moves what is due, and returns the next date with the
    /// function that parks until it. The caller is the driver already: a date that is set from here
    /// on wakes it.
    pub(crate) fn next_drive(self) -> Option<(u64, fn(u64))> {
        let hooks = self.time_hooks()?;
        Some(((hooks.advance)(self)?, hooks.park_until))
    }
}
