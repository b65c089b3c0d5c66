//! What a slot holds for a timed task: a closure and its timer.
//!
//! A poll before the date, by a waker that is older than the task, changes nothing.
#![forbid(unsafe_code)]

use core::future::Future;
use core::mem;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::every::{Grid, Release};
use crate::completion::TimedTask;
use crate::error::TaskError;
use crate::host::Clock;
use crate::registry::TaskTimers;
use crate::slot::LentFuture;
use crate::timers::TimerIndex;
use crate::unwind;

/// A timer of a task. Dropped, it is free again.
pub(super) struct Held<H: Clock> {
    timers: &'static TaskTimers<H>,
    index: TimerIndex,
    /// Of a series: the dates that passed since its last run. Here, where it takes no room.
    missed: u32,
    /// Of a series: true after its first run.
    has_run: bool,
}

impl<H: Clock> Held<H> {
    pub(super) fn new(timers: &'static TaskTimers<H>, index: TimerIndex) -> Self {
        Self {
            timers,
            index,
            missed: 0,
            has_run: false,
        }
    }
}

impl<H: Clock> Drop for Held<H> {
    fn drop(&mut self) {
        unwind::discard(self.timers.release(self.index));
    }
}

/// A closure that runs once, at a date. `None` once it has run.
pub(super) struct Once<F, H: Clock>(Option<(Held<H>, F)>);

// It does not pin its closure.
impl<F, H: Clock> Unpin for Once<F, H> {}

impl<F, H: Clock> Once<F, H> {
    pub(super) fn new(timer: Held<H>, closure: F) -> Self {
        Self(Some((timer, closure)))
    }

    /// The closure of a task that was refused.
    pub(super) fn into_closure(self) -> F {
        match self.0 {
            Some((_, closure)) => closure,
            None => unreachable!("a task that was refused has not run"),
        }
    }
}

impl<F, H: Clock> Once<F, H> {
    /// Runs the closure by `call`, if its date has come.
    #[inline(always)]
    fn run<T>(&mut self, call: impl FnOnce(F) -> T) -> Poll<T> {
        let is_due = self
            .0
            .as_ref()
            .is_some_and(|(timer, _)| timer.timers.release_due(timer.index));
        match self.0.take_if(|_| is_due) {
            Some((timer, closure)) => {
                mem::forget(timer); // released above
                Poll::Ready(call(closure))
            }
            None => Poll::Pending,
        }
    }
}

impl<F: FnOnce() -> T, T, H: Clock> Future for Once<F, H> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.run(|closure| closure()).map(Ok)
    }
}

impl<L, F: FnOnce(&mut L) -> T, T, H: Clock> LentFuture<L> for Once<F, H> {
    type Output = T;

    fn poll(&mut self, owned: &mut L, _: &mut Context<'_>) -> Poll<T> {
        self.run(|closure| closure(owned))
    }
}

impl<F, H: Clock> TimedTask for Once<F, H> {
    fn timer(&self) -> TimerIndex {
        self.0.as_ref().map_or(0, |(timer, _)| timer.index)
    }

    /// Its submitter told it.
    fn date(&self) -> u64 {
        u64::MAX
    }

    /// A closure that has run is not suspended again.
    fn has_run(&self) -> bool {
        false
    }
}

/// A closure that runs at each date of a series.
pub(super) struct Series<F, H: Clock> {
    timer: Held<H>,
    grid: Grid,
    closure: F,
}

// It does not pin its closure.
impl<F, H: Clock> Unpin for Series<F, H> {}

impl<F, H: Clock> Series<F, H> {
    pub(super) fn new(timer: Held<H>, grid: Grid, closure: F) -> Self {
        Self {
            timer,
            grid,
            closure,
        }
    }

    /// The closure of a task that was refused.
    pub(super) fn into_closure(self) -> F {
        self.closure
    }
}

impl<F, H: Clock> Series<F, H> {
    /// Runs the closure by `call`, if a date of it has come.
    #[inline(always)]
    fn run<T>(
        &mut self,
        context: &mut Context<'_>,
        call: impl FnOnce(&mut F, Release) -> ControlFlow<T>,
    ) -> Poll<T> {
        let timer = &mut self.timer;
        let Some(date) = timer.timers.due(timer.index) else {
            return Poll::Pending;
        };
        timer.has_run = true;
        let release = Release {
            date,
            late: H::now().saturating_sub(date),
            missed: timer.missed,
        };
        if let ControlFlow::Break(value) = call(&mut self.closure, release) {
            return Poll::Ready(value);
        }
        timer.missed = self.grid.go_on(H::now());
        let waker = context.waker().clone();
        let displaced = timer
            .timers
            .arm_again(timer.index, self.grid.point(), waker);
        unwind::discard(displaced);
        Poll::Pending
    }
}

impl<F, T, H: Clock> Future for Series<F, H>
where
    F: FnMut(Release) -> ControlFlow<T>,
{
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.run(context, |closure, release| closure(release))
            .map(Ok)
    }
}

impl<L, F, T, H: Clock> LentFuture<L> for Series<F, H>
where
    F: FnMut(&mut L, Release) -> ControlFlow<T>,
{
    type Output = T;

    fn poll(&mut self, owned: &mut L, context: &mut Context<'_>) -> Poll<T> {
        self.run(context, |closure, release| closure(owned, release))
    }
}

impl<F, H: Clock> TimedTask for Series<F, H> {
    fn timer(&self) -> TimerIndex {
        self.timer.index
    }

    fn date(&self) -> u64 {
        self.grid.point()
    }

    fn has_run(&self) -> bool {
        self.timer.has_run
    }
}
