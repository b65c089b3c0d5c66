//! A program that uses what an executor has, for hosts that are wrong.

use core::ops::ControlFlow;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use std::sync::Arc;

use slotted::{
    Clock, Every, Executor, Release, ReturnWhen, TaskError, Timetable, as_completed, wait,
};

use crate::points::{Points, Value};
use crate::rig::{BYTES, SLOTS, TIMERS};

/// What the program works on.
pub(crate) struct Worked<const WORKERS: usize, H: Clock + 'static> {
    pub(crate) pool: &'static Executor<WORKERS, SLOTS, BYTES, H>,
    pub(crate) times: &'static Timetable<TIMERS, H>,
    pub(crate) points: Arc<Points>,
}

impl<const WORKERS: usize, H: Clock> Worked<WORKERS, H> {
    fn task(&self, number: usize) -> impl FnOnce() -> (usize, Value) + Send + use<WORKERS, H> {
        let capture = self.points.value("capture");
        move || {
            let value = capture.points().value("value");
            drop(capture);
            (number, value)
        }
    }

    /// Submits, waits in each way, and checks every outcome. Needs a worker, but no date.
    pub(crate) fn play(&self) {
        self.play_tasks();
        let mut numbers = [0; 6];
        self.pool.scope(|s| {
            s.for_each_chunk(&mut numbers, 1, |chunk| chunk[0] += 1)
                .unwrap();
        });
        assert_eq!(numbers, [1; 6]);
    }

    /// As [`play`](Self::play), without a scope.
    pub(crate) fn play_tasks(&self) {
        let pool = self.pool;
        let handles = [1, 2, 3, 4].map(|number| pool.submit_blocking(self.task(number)));
        let sum = { as_completed(handles.map(|handle| handle.ok().unwrap())) }
            .map(|handle| handle.result().unwrap().0);
        assert_eq!(sum.sum::<usize>(), 10);

        let mut handles = [1, 2].map(|number| pool.submit(self.task(number)).ok().unwrap());
        assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 2);
        drop(handles);

        let items = (0..6).map(|_| self.points.value("item"));
        let map = pool.map(items, |item: Value| drop(item));
        assert_eq!(map.map(Result::unwrap).count(), 6);

        let calls = Arc::new(AtomicUsize::new(0));
        let (called, capture) = (calls.clone(), self.points.value("callback's capture"));
        let handle = pool.submit(self.task(7)).ok().unwrap();
        let callback = move |outcome: Result<&(usize, Value), &TaskError>| {
            let _capture = capture;
            called.fetch_add(outcome.unwrap().0, Ordering::Relaxed);
        };
        handle.add_done_callback(callback).unwrap();
        assert_eq!(handle.result().unwrap().0, 7);
        assert_eq!(calls.load(Ordering::Relaxed), 7);

        // A future that waits for a promise, which another task keeps.
        let (promise, kept) = pool.promise().unwrap();
        let future = pool.submit_future(kept).unwrap();
        let value = self.points.value("value");
        pool.submit(move || promise.set_result(value).ok().unwrap())
            .unwrap()
            .detach();
        drop(future.result().unwrap().unwrap());

        // A task that waits for another one, and one that is cancelled or runs.
        let inner = self.task(1);
        let outer = pool.submit(move || pool.submit(inner).ok().unwrap().result().unwrap());
        assert_eq!(outer.ok().unwrap().result().unwrap().0, 1);
        let cancelled = pool.submit(self.task(1)).ok().unwrap();
        let was_cancelled = cancelled.cancel();
        assert_eq!(cancelled.result().is_err(), was_cancelled);
    }

    /// Waits for dates: a delayed task, a series and a time limit. `now`: a clock that never goes
    /// back, for nothing may come before its date.
    pub(crate) fn play_dates(&self, now: fn() -> u64) {
        let later = self.times.on(self.pool);
        let date = H::now().saturating_add(500);
        let task = self.task(1);
        let delayed = later.submit_at(date, move || (now() >= date, task()));
        let first = H::now().saturating_add(100);
        let (mut expected, mut runs) = (first, 0);
        let series = later.submit_every(Every::ticks(100).first_at(first), move |run: Release| {
            assert!(run.date <= now());
            let passed = (run.date - expected) / 100;
            assert_eq!((run.date - expected) % 100, 0);
            assert_eq!(u64::from(run.missed), passed.min(u64::from(u32::MAX)));
            expected = run.date + 100;
            runs += 1;
            if runs < 5 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(runs)
            }
        });
        let (_promise, mut never) = self.pool.promise::<()>().unwrap();
        let limit = H::now().saturating_add(300);
        let waited = never.result_timeout(Duration::from_nanos(300));
        assert_eq!(waited, Err(TaskError::TimedOut));
        assert!(now() >= limit);
        let (was_due, _value) = delayed.ok().unwrap().result().unwrap();
        assert!(was_due);
        assert_eq!(series.unwrap().result(), Ok(5));
        let date = H::now().saturating_add(100);
        let mut sleep = pin!(later.sleep_until(date).unwrap());
        let waker = Waker::noop();
        let mut context = Context::from_waker(waker);
        // Left alone, unless another thread's clock has shown the date already.
        assert!(sleep.as_mut().poll(&mut context).is_pending() || now() >= date);
    }

    /// Checks that nothing is left, after a shutdown.
    pub(crate) fn check(&self) {
        let stats = self.pool.stats();
        assert_eq!((stats.slots_in_use, stats.queued, stats.running), (0, 0, 0));
        assert_eq!(self.times.next_date(), None);
        assert_eq!(self.points.wrong(), []);
    }
}
