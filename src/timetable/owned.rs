//! Tasks with dates that get what their worker owns.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;
use core::time::Duration;

use super::every::Grid;
use super::task::{Held, Once, Series};
use super::{Every, Release, Sleep, Timetable, claim, publish, sleep_until};
use crate::completion::TimedTask;
use crate::error::{Refusal, SubmitError};
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park, deadline};
use crate::list::Index;
use crate::owned::{Owned, OwnedSubmitter};
use crate::registry::TaskTimers;
use crate::slot::LentFuture;
use crate::timers::ClaimedTimer;

impl<const TIMERS: usize, H: Clock> Timetable<TIMERS, H> {
    /// Takes tasks for an owner, each with its date. As [`on`](Self::on), for closures that get
    /// what the worker of the executor owns.
    ///
    /// The owner runs each of them when it is due, in the order of all its tasks. On std threads
    /// [`OwnedWorker::run`](crate::OwnedWorker::run) keeps the time. A loop of `run_one` calls
    /// [`advance`](Self::advance) itself.
    ///
    /// ```
    /// use slotted::{Owned, OwnedTimedSubmitter, Ran, Timetable};
    ///
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// static LATER: OwnedTimedSubmitter<Vec<u8>> = TIMES.on_owned(&LOG);
    ///
    /// let (mut worker, mut bytes) = (LOG.worker().unwrap(), vec![1, 2]);
    /// let mut length = LATER.submit_at(0, |bytes| bytes.len()).unwrap();
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Nothing);
    /// TIMES.advance();
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Task);
    /// assert_eq!(length.try_result(), Some(Ok(2)));
    /// ```
    pub const fn on_owned<L, const QUEUE: usize, const SLOT_BYTES: usize>(
        &'static self,
        owned: &'static Owned<L, QUEUE, SLOT_BYTES, H>,
    ) -> OwnedTimedSubmitter<L, SLOT_BYTES, H> {
        OwnedTimedSubmitter {
            submitter: owned.submitter(),
            timers: &self.table,
        }
    }
}

/// Takes tasks for an owner, each with its date. [`Timetable::on_owned`] makes it. `Copy`.
///
/// Waits, cancels, [`move_to`](Timetable::move_to), [`cancel_at`](Timetable::cancel_at) and
/// shutdowns are as of a [`TimedSubmitter`](crate::TimedSubmitter). Only the owner runs a task. So
/// one that is due when the worker has left waits for the next one, or is cancelled in a shutdown.
pub struct OwnedTimedSubmitter<L, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    submitter: OwnedSubmitter<'static, L, SLOT_BYTES, H>,
    timers: &'static TaskTimers<H>,
}

impl<L, const SLOT_BYTES: usize, H: Park> Clone for OwnedTimedSubmitter<L, SLOT_BYTES, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> Copy for OwnedTimedSubmitter<L, SLOT_BYTES, H> {}

impl<L, const SLOT_BYTES: usize, H: Clock> OwnedTimedSubmitter<L, SLOT_BYTES, H> {
    /// Takes tasks for the level `LEVEL`. See
    /// [`TimedSubmitter::level`](crate::TimedSubmitter::level).
    ///
    /// ```
    /// # use slotted::{Levels, Ordered, Owned, StdHost, Timetable};
    /// type Host = Ordered<StdHost, Levels<2>>;
    /// static LOG: Owned<Vec<u8>, 4, 64, Host> = Owned::new();
    /// static TIMES: Timetable<4, Host> = Timetable::new();
    /// let later = TIMES.on_owned(&LOG).submit_at(0, |bytes| bytes.push(1)).unwrap();
    /// let urgent = TIMES.on_owned(&LOG).level::<1>().submit_at(0, |bytes| bytes.push(2)).unwrap();
    /// TIMES.advance();
    /// let mut bytes = vec![];
    /// let _ = LOG.worker().unwrap().run_one(&mut bytes);
    /// assert!(urgent.done() && !later.done());
    /// ```
    #[must_use]
    pub const fn level<const LEVEL: usize>(self) -> Self {
        Self {
            submitter: self.submitter.level::<LEVEL>(),
            ..self
        }
    }

    /// Submits a closure that becomes ready `delay` from now, never before. See
    /// [`TimedSubmitter::submit_after`](crate::TimedSubmitter::submit_after).
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
    /// # use slotted::{Owned, Shutdown, StdThreads, Timetable};
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// LOG.start(&StdThreads::new(), || Ok(vec![1, 2])).unwrap();
    /// let soon = Duration::from_millis(1);
    /// let length = TIMES.on_owned(&LOG).submit_after(soon, |bytes| bytes.len());
    /// assert_eq!(length.unwrap().result(), Ok(2)); // the owner's thread keeps the time
    /// LOG.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn submit_after<F, T>(
        self,
        delay: Duration,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
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
    /// # use slotted::{Owned, Refusal, Timetable};
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// static TIMES: Timetable<1> = Timetable::new();
    /// let later = TIMES.on_owned(&LOG);
    /// let handle = later.submit_at(u64::MAX, |bytes| bytes.push(7)).unwrap();
    /// let refused = later.submit_at(0, |bytes| bytes.push(8)).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::NoTimer);
    /// assert!(handle.cancel());
    /// ```
    pub fn submit_at<F, T>(
        self,
        tick: u64,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
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

    /// Submits a closure that runs again and again, at the dates of `every`, in one slot. It gets
    /// the `L` in each run, and the owner runs other tasks in between. See
    /// [`TimedSubmitter::submit_every`](crate::TimedSubmitter::submit_every).
    ///
    /// # Errors
    ///
    /// As [`submit_after`](Self::submit_after).
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use slotted::{Every, Owned, Timetable};
    ///
    /// static METER: Owned<u64, 8, 128> = Owned::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    ///
    /// let samples = Every::ticks(1000).first_at(0);
    /// let mut third = TIMES
    ///     .on_owned(&METER)
    ///     .submit_every(samples, |meter, run| {
    ///         *meter += 1 + u64::from(run.missed);
    ///         if *meter < 3 {
    ///             ControlFlow::Continue(())
    ///         } else {
    ///             ControlFlow::Break(run.date)
    ///         }
    ///     })
    ///     .unwrap();
    /// let (mut worker, mut meter) = (METER.worker().unwrap(), 0);
    /// while !third.done() {
    ///     TIMES.advance();
    ///     let _ = worker.run_one(&mut meter);
    /// }
    /// assert_eq!(third.try_result().unwrap().unwrap() % 1000, 0);
    /// ```
    pub fn submit_every<F, T>(
        self,
        every: Every,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnMut(&mut L, Release) -> ControlFlow<T> + Send + 'static,
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

    /// Makes a sleep, whose time the threads of the executor keep where a host's threads do. For
    /// [`Owned::submit_poll`], say. See [`TimedSubmitter::sleep`](crate::TimedSubmitter::sleep).
    ///
    /// # Errors
    ///
    /// If every timer is in use.
    ///
    /// ```
    /// # use core::{future::Future, pin::Pin, task::Poll, time::Duration};
    /// # use slotted::{Owned, Shutdown, StdThreads, Timetable};
    /// static LOG: Owned<Vec<u8>, 4, 128> = Owned::new();
    /// static TIMES: Timetable<4> = Timetable::new();
    /// LOG.start(&StdThreads::new(), || Ok(vec![])).unwrap();
    /// let mut sleep = TIMES.on_owned(&LOG).sleep(Duration::from_millis(1)).unwrap();
    /// let length = LOG.submit_poll(move |bytes, context| {
    ///     Pin::new(&mut sleep).poll(context).map(|()| {
    ///         bytes.push(7); // once it has slept
    ///         bytes.len()
    ///     })
    /// });
    /// assert_eq!(length.unwrap().result(), Ok(1));
    /// LOG.shutdown(Shutdown::Drain).unwrap();
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
    /// # use slotted::{Owned, Timetable};
    /// static LOG: Owned<Vec<u8>, 4> = Owned::new();
    /// static TIMES: Timetable<1> = Timetable::new();
    /// let first = TIMES.on_owned(&LOG).sleep_until(u64::MAX).unwrap();
    /// assert!(TIMES.on_owned(&LOG).sleep_until(7).is_err());
    /// # drop(first);
    /// ```
    pub fn sleep_until(self, tick: u64) -> Result<Sleep<H>, Refusal> {
        sleep_until(self.submitter.registry(), self.timers, tick)
    }

    /// Publishes a task, then arms its timer.
    fn submit_timed<F>(
        self,
        timer: ClaimedTimer,
        date: u64,
        index: Index,
        task: F,
    ) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
    where
        F: LentFuture<L, Output: Send + 'static> + TimedTask + Send + 'static,
    {
        let filled = self.submitter.fill_timed(index, task);
        publish(self.submitter.registry(), self.timers, timer, date, filled)
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> fmt::Debug for OwnedTimedSubmitter<L, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedTimedSubmitter")
            .field("submitter", &self.submitter)
            .finish_non_exhaustive()
    }
}
