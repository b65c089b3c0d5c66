//! Shutdown, breakdown and restart, with tasks that wait for their dates.

use core::ops::ControlFlow;
use std::sync::Mutex;

use slotted::error::WorkerStartError;
use slotted::{Every, Executor, Ran, Refusal, Release, Shutdown, Spawn, TaskError, Worker};

use crate::{Drops, Log, Manual, Times, at, leak};

/// Keeps the worker for the test.
#[derive(Default)]
struct ByHand(Mutex<Option<Worker<'static, Manual>>>);

impl Spawn<Manual> for ByHand {
    type Error = ();
    fn spawn(&self, worker: Worker<'static, Manual>) -> Result<(), ()> {
        *self.0.lock().unwrap() = Some(worker);
        Ok(())
    }
}

fn forever(_: Release) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_drain_runs_what_is_due_and_cancels_what_waits_and_every_series() {
    let (pool, times) = leak::<8, 8>();
    let drops = Drops::default();
    let log = Log::default();
    let (noted, counted) = (log.clone(), drops.counted());
    let due = times.on(pool).submit_at(1, move || noted.note(1)).unwrap();
    let waits = times.on(pool).submit_at(2, move || drop(counted)).unwrap();
    let series = times
        .on(pool)
        .submit_every(Every::ticks(1), forever)
        .unwrap();
    let queued = times
        .on(pool)
        .submit_every(Every::ticks(1), forever)
        .unwrap();
    at(1, pool, times);
    let late = times.on(pool).submit_at(1, || 7).unwrap();
    assert!(times.move_to(&series, 5));
    Manual::set(2);
    times.advance();
    assert!(waits.cancel(), "it is queued and not started");
    drop(waits);
    let counted = drops.counted();
    let waits = times.on(pool).submit_at(9, move || drop(counted)).unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!((due.result(), late.result()), (Ok(()), Ok(7)));
    assert_eq!(log.take(), [1]);
    assert_eq!(waits.result(), Err(TaskError::Cancelled));
    assert_eq!(series.result(), Err(TaskError::Cancelled));
    assert_eq!(queued.result(), Err(TaskError::Cancelled));
    assert_eq!(drops.count(), 2);
    assert_eq!(times.next_date(), None);
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn a_shutdown_that_cancels_ends_what_is_due_too() {
    let (pool, times) = leak::<8, 8>();
    let due = times.on(pool).submit_at(1, || 1).unwrap();
    let waits = times.on(pool).submit_at(2, || 2).unwrap();
    Manual::set(1);
    times.advance();
    pool.shutdown(Shutdown::Cancel).unwrap();
    assert_eq!(due.result(), Err(TaskError::Cancelled));
    assert_eq!(waits.result(), Err(TaskError::Cancelled));
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_series_whose_run_shuts_its_executor_down_ends() {
    let (pool, times) = leak::<2, 2>();
    let series = times.on(pool).submit_every(Every::ticks(1), |_| {
        pool.begin_shutdown(Shutdown::Drain);
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    assert_eq!(at(1, pool, times), 1);
    assert!(series.cancelled());
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(times.next_date(), None);
}

#[test]
fn workers_leave_a_drained_executor_though_tasks_waited_and_the_next_life_begins_empty() {
    static POOL: Executor<1, 4, 128, Manual> = Executor::new();
    static TIMES: Times<4> = Times::new();
    for life in 0..3 {
        let host = ByHand::default();
        POOL.start(&host).unwrap();
        let mut worker = host.0.into_inner().unwrap().unwrap();
        let waits = TIMES.on(&POOL).submit_at(100, move || life).unwrap();
        let series = TIMES
            .on(&POOL)
            .submit_every(Every::ticks(1).first_at(0), forever);
        let series = series.unwrap();
        TIMES.advance();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(worker.run_one(), Ran::Nothing);
        POOL.begin_shutdown(Shutdown::Drain);
        assert!(waits.cancelled() && series.cancelled());
        assert_eq!(worker.run_one(), Ran::Left);
        assert_eq!(TIMES.next_date(), None);
        let refused = TIMES.on(&POOL).submit_at(1, || 1).unwrap_err();
        assert_eq!(refused.reason(), Refusal::ShutDown);
        drop((waits, series));
        assert_eq!(POOL.stats().slots_in_use, 0);
    }
}

#[test]
fn waiting_tasks_of_an_executor_that_breaks_end_as_broken() {
    fn fails(_: usize) -> Result<(), WorkerStartError> {
        Err(WorkerStartError)
    }
    static POOL: Executor<1, 4, 128, Manual> = Executor::new().on_worker_start(fails);
    static TIMES: Times<4> = Times::new();
    let waits = TIMES.on(&POOL).submit_at(100, || 1).unwrap();
    let host = ByHand::default();
    POOL.start(&host).unwrap();
    let mut worker = host.0.into_inner().unwrap().unwrap();
    assert_eq!(worker.run_one(), Ran::Left);
    assert_eq!(waits.result(), Err(TaskError::Broken));
    assert_eq!(TIMES.next_date(), None);
}

#[test]
fn sleeps_outlive_the_executor() {
    let (pool, times) = leak::<2, 2>();
    let sleep = times.on(pool).sleep_until(5).unwrap();
    pool.shutdown(Shutdown::Cancel).unwrap();
    assert_eq!(times.next_date(), Some(5));
    drop(sleep);
}
