//! Timed tasks: becoming due against submitting, cancelling, moving, running and shutting down.
//!
//! The model's clock stands at 10. A date up to that is due, and 20 never is.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use super::*;
use crate::{Clock, Every, Timetable};

impl Clock for Modelled {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        10
    }

    fn park_until(_: u64) {
        Self::park();
    }
}

pub(super) type Times = Timetable<2, Modelled>;

/// As `Modelled`, with threads that keep the time.
pub(super) struct KeepsTime;

impl Park for KeepsTime {
    type Thread = Arc<ThreadToken>;
    type Order = crate::order::Fifo;
    const FAIR: bool = true;
    const KEEPS_TIME: bool = true;

    fn current() -> Arc<ThreadToken> {
        Modelled::current()
    }

    fn current_id() -> usize {
        Modelled::current_id()
    }

    fn park() {
        Modelled::park();
    }

    fn unpark(thread: &Arc<ThreadToken>) {
        Modelled::unpark(thread);
    }
}

impl Clock for KeepsTime {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        10
    }

    /// Comes back at once from a date that has passed, and never from a later one.
    fn park_until(date: u64) {
        if date > 10 {
            Modelled::park();
        }
    }
}

impl Spawn<Self> for KeepsTime {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<'static, Self>) -> Result<(), Self::Error> {
        drop(thread::spawn(|| worker.run()));
        Ok(())
    }
}

/// Runs `body` with a leaked executor whose threads keep the time, started, and a timetable.
fn model_keeping<const WORKERS: usize>(
    preemptions: usize,
    body: fn(&'static Executor<WORKERS, 2, 128, KeepsTime>, &'static Timetable<2, KeepsTime>),
) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let times = Box::leak(Box::new(Timetable::new()));
        let pool: &'static Executor<WORKERS, 2, 128, KeepsTime> =
            Box::leak(Box::new(Executor::new()));
        pool.start(&KeepsTime).unwrap();
        body(pool, times);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(times.next_date(), None);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// The worker may be about to sleep without a date, or asleep.
#[test]
fn a_worker_that_falls_asleep_hears_of_a_first_date() {
    model_keeping::<1>(2, |pool, times| {
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn a_driver_that_falls_asleep_hears_of_an_earlier_date() {
    model_keeping::<0>(2, |pool, times| {
        let handle = times.on(pool).submit_at(20, || 7).unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || {
            let first = times.on(pool).submit_at(0, move || canceller.cancel());
            first.unwrap().detach();
        });
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        other.join().unwrap();
    });
}

/// A worker sleeps until a date that never comes. An earlier one wakes it.
#[test]
fn a_worker_that_keeps_the_time_hears_of_an_earlier_date() {
    model_keeping::<1>(2, |pool, times| {
        let late = times.on(pool).submit_at(20, || 7).unwrap();
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        assert_eq!(handle.result(), Ok(7));
        drop(late);
    });
}

/// One of two workers keeps the time, and may be the worker woken for a task which lasts until
/// the other has run the timed one.
#[test]
fn a_worker_that_goes_to_work_passes_the_time_on() {
    model_keeping::<2>(1, |pool, times| {
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let told = done.clone();
        let lasts = pool.submit(move || {
            let mut is_done = told.0.lock().unwrap();
            while !*is_done {
                is_done = told.1.wait(is_done).unwrap();
            }
        });
        let timed = times.on(pool).submit_at(0, move || {
            *done.0.lock().unwrap() = true;
            done.1.notify_one();
        });
        assert_eq!(lasts.unwrap().result(), Ok(()));
        assert_eq!(timed.unwrap().result(), Ok(()));
    });
}

/// Runs `body` with a leaked executor without workers and a leaked timetable.
pub(super) fn model_budgets<const QUEUE: usize>(body: fn(&'static Pool<0, QUEUE>, &'static Times)) {
    model_with(body, |_, _| ());
}

/// As `model_budgets`. At the end no date is left.
fn model_times<const QUEUE: usize>(body: fn(&'static Pool<0, QUEUE>, &'static Times)) {
    model_with(body, |pool, times| {
        assert_eq!(times.next_date(), None);
        // Both timers are free.
        let sleeps = [0, 0].map(|date| times.on(pool).sleep_until(date).is_ok());
        assert_eq!(sleeps, [true; 2]);
    });
}

fn model_with<const QUEUE: usize>(
    body: fn(&'static Pool<0, QUEUE>, &'static Times),
    check: fn(&'static Pool<0, QUEUE>, &'static Times),
) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(move || {
        let times = Box::leak(Box::new(Times::new()));
        let pool = Box::leak(Box::new(Pool::new()));
        body(pool, times);
        check(pool, times);
    });
}

pub(super) fn advance_elsewhere(times: &'static Times) -> thread::JoinHandle<()> {
    thread::spawn(|| {
        times.advance();
    })
}

#[test]
fn a_task_that_becomes_due_while_it_is_cancelled_runs_or_is_dropped_once() {
    model_times::<1>(|pool, times| {
        let (counted, drops) = Counted::new();
        let handle = times.on(pool).submit_at(0, move || drop(counted)).unwrap();
        let mover = advance_elsewhere(times);
        let cancelled = handle.cancel();
        mover.join().unwrap();
        assert_eq!(pool.run_until_idle() > 0, !cancelled);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(handle.result().is_ok(), !cancelled);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn two_threads_that_advance_lose_no_task_and_run_none_twice() {
    model_times::<2>(|pool, times| {
        let handles = [0, 1].map(|date| times.on(pool).submit_at(date, move || date).unwrap());
        let mover = advance_elsewhere(times);
        times.advance();
        mover.join().unwrap();
        assert_eq!(pool.run_until_idle(), 2);
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [0, 1]);
    });
}

#[test]
fn a_task_that_is_submitted_while_another_thread_advances_is_not_lost() {
    model_times::<1>(|pool, times| {
        let mover = advance_elsewhere(times);
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        mover.join().unwrap();
        times.advance();
        assert_eq!(pool.run_until_idle(), 1);
        assert_eq!(handle.result(), Ok(7));
    });
}

/// The driver may sleep already when the task becomes due.
#[test]
fn a_thread_that_waits_for_a_task_hears_that_it_is_due() {
    model_times::<1>(|pool, times| {
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        let mover = advance_elsewhere(times);
        assert_eq!(handle.result(), Ok(7));
        mover.join().unwrap();
    });
}

#[test]
fn a_task_that_is_moved_while_it_becomes_due_and_is_cancelled_is_not_lost() {
    model_times::<1>(|pool, times| {
        let handle = times.on(pool).submit_at(20, || 7).unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.cancel());
        let moved = times.move_to(&handle, 0);
        times.advance();
        let ran = pool.run_until_idle();
        let cancelled = other.join().unwrap();
        assert!(moved || cancelled);
        assert_eq!(ran == 1, !cancelled);
        assert_eq!(handle.result().is_ok(), !cancelled);
    });
}

#[test]
fn a_task_that_two_threads_move_and_advance_runs_once() {
    model_times::<1>(|pool, times| {
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        let mover = advance_elsewhere(times);
        let moved = times.move_to(&handle, 20);
        mover.join().unwrap();
        assert_eq!(pool.run_until_idle() == 1, !moved);
        if moved {
            assert!(times.move_to(&handle, 5));
            times.advance();
            assert_eq!(pool.run_until_idle(), 1);
        }
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn a_task_that_is_submitted_during_a_shutdown_gives_back_slot_and_timer() {
    model_times::<1>(|pool, times| {
        let closer = thread::spawn(|| pool.begin_shutdown(Shutdown::Drain));
        let (counted, drops) = Counted::new();
        match times.on(pool).submit_at(20, move || drop(counted)) {
            Ok(handle) => {
                closer.join().unwrap();
                assert_eq!(handle.result(), Err(TaskError::Cancelled));
            }
            Err(refused) => {
                assert_eq!(refused.reason(), Refusal::ShutDown);
                drop(refused);
                closer.join().unwrap();
            }
        }
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_task_that_becomes_due_during_a_drain_runs_or_is_cancelled_and_the_drain_ends() {
    model_times::<1>(|pool, times| {
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        let mover = advance_elsewhere(times);
        pool.shutdown(Shutdown::Drain).unwrap();
        mover.join().unwrap();
        assert!(matches!(handle.result(), Ok(7) | Err(TaskError::Cancelled)));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_series_that_becomes_due_while_it_runs_runs_again() {
    model_times::<1>(|pool, times| {
        let mut runs = 0;
        let every = Every::ticks(1).first_at(0);
        let series = times.on(pool).submit_every(every, move |_| {
            runs += 1;
            if runs == 2 {
                ControlFlow::Break(runs)
            } else {
                ControlFlow::Continue(())
            }
        });
        let series = series.unwrap();
        times.advance();
        let mover = advance_elsewhere(times);
        pool.run_until_idle();
        mover.join().unwrap();
        times.advance();
        pool.run_until_idle();
        assert_eq!(series.result(), Ok(2));
    });
}

#[test]
fn a_series_that_is_shut_down_while_it_runs_ends() {
    model_times::<1>(|pool, times| {
        let every = Every::ticks(1).first_at(0);
        let forever = |_: crate::Release| ControlFlow::<()>::Continue(());
        let series = times.on(pool).submit_every(every, forever).unwrap();
        times.advance();
        let closer = thread::spawn(|| pool.begin_shutdown(Shutdown::Drain));
        pool.run_until_idle();
        closer.join().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(series.result(), Err(TaskError::Cancelled));
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_sleep_that_is_over_while_it_is_polled_wakes_its_task() {
    model_times::<1>(|pool, times| {
        let sleep = times.on(pool).sleep_until(0).unwrap();
        let mover = advance_elsewhere(times);
        let handle = pool.submit_future(sleep).unwrap();
        assert_eq!(handle.result(), Ok(()));
        mover.join().unwrap();
    });
}
