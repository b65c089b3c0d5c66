//! Time moves only when told, and when every thread waits: to the earliest date.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use slotted::{
    Clock, Park, Refusal, ReturnWhen, Shutdown, ShutdownError, SimHost, Simulation, TaskError,
    as_completed_timeout, wait_timeout,
};

use crate::{Pool, millis, now_millis, pool};

#[test]
fn the_clock_begins_at_zero_and_stands_still_while_tasks_run() {
    let simulation = Simulation::new();
    let executor: Pool<0> = Pool::new();
    for _ in 0..100 {
        assert_eq!(executor.submit(SimHost::now).unwrap().result(), Ok(0));
    }
    assert_eq!(SimHost::now(), 0);
    drop(simulation);
}

#[test]
fn time_passes_by_what_is_asked_for() {
    let simulation = Simulation::new();
    simulation.advance(millis(3));
    assert_eq!(now_millis(), 3);
    simulation.run_until(5_000_000);
    assert_eq!(now_millis(), 5);
    simulation.run_until(4_000_000); // past
    assert_eq!(now_millis(), 5);
    simulation.settle();
    assert_eq!(now_millis(), 5);
    SimHost::spend(millis(2));
    assert_eq!(now_millis(), 7);
    simulation.advance(Duration::MAX); // the end of time
    assert_eq!(SimHost::now(), u64::MAX);
}

#[test]
fn each_time_limit_ends_exactly_at_its_date() {
    let simulation = Simulation::new();
    let executor: Pool<0, 2> = Pool::new();
    let (promise, mut handle) = executor.promise::<u8>().unwrap();
    assert_eq!(handle.result_timeout(millis(10)), Err(TaskError::TimedOut));
    assert_eq!(now_millis(), 10);
    assert_eq!(handle.error_timeout(millis(5)), Some(&TaskError::TimedOut));
    assert_eq!(now_millis(), 15);
    assert_eq!(
        handle.wait_timeout(millis(7)).err(),
        Some(&TaskError::TimedOut)
    );
    assert_eq!(now_millis(), 22);
    let mut handles = [handle];
    let waited = wait_timeout(&mut handles, millis(8), ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 1));
    assert_eq!(now_millis(), 30);
    let mut completed = as_completed_timeout(handles, millis(20));
    assert!(completed.next().unwrap().is_err());
    assert_eq!(now_millis(), 50);
    drop(completed);

    let (other, _other) = executor.promise::<u8>().unwrap();
    drop(promise);
    let (_third, _handle) = executor.promise::<u8>().unwrap();
    let refused = executor.submit_timeout(|| (), millis(11)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert_eq!(now_millis(), 61);
    assert_eq!(
        executor.reserve_timeout(millis(9)).err(),
        Some(Refusal::Full)
    );
    assert_eq!(now_millis(), 70);
    drop(other);
    drop(simulation);
}

#[test]
fn a_shutdown_with_a_time_limit_ends_at_its_date_while_a_worker_is_busy() {
    static POOL: Pool<1> = Pool::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    let busy = POOL.submit(|| SimHost::spend(millis(100))).unwrap();
    assert_eq!(
        POOL.shutdown_timeout(Shutdown::Drain, millis(30)),
        Err(ShutdownError::TimedOut)
    );
    assert_eq!(now_millis(), 30);
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(now_millis(), 100);
    assert_eq!(busy.result(), Ok(()));
}

#[test]
fn a_wait_for_a_busy_worker_ends_when_its_task_does() {
    static POOL: Pool<1> = Pool::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    let slow = || {
        SimHost::spend(millis(40));
        now_millis()
    };
    let (first, mut second) = (POOL.submit(slow).unwrap(), POOL.submit(slow).unwrap());
    assert_eq!(second.result_timeout(millis(50)), Err(TaskError::TimedOut));
    assert_eq!(now_millis(), 50);
    assert_eq!(second.result(), Ok(80));
    assert_eq!(first.result(), Ok(40));
    assert_eq!(now_millis(), 80); // the second result was there already
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn workers_are_busy_at_the_same_time() {
    static POOL: Pool<3> = Pool::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    let handles = [10, 20, 30].map(|length| {
        let task = move || {
            SimHost::spend(millis(length));
            now_millis()
        };
        POOL.submit(task).unwrap()
    });
    assert_eq!(handles.map(|handle| handle.result().unwrap()), [10, 20, 30]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn time_goes_from_date_to_date_and_stops_where_it_was_told_to() {
    let simulation = Simulation::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for (name, every) in [("two", 2), ("three", 3)] {
        let seen = seen.clone();
        let blink = move || {
            for _ in 0..3 {
                SimHost::spend(millis(every));
                seen.lock().unwrap().push((name, now_millis()));
            }
        };
        simulation.spawn(name, blink).unwrap();
    }
    simulation.run_until(5_000_000);
    let seen_until = |_| core::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen_until(5), [("two", 2), ("three", 3), ("two", 4)]);
    simulation.run_until(6_000_000);
    // All of that date, in the order in which they began to wait.
    assert_eq!(seen_until(6), [("three", 6), ("two", 6)]);
    assert_eq!(now_millis(), 6);
    simulation.advance(millis(10));
    assert_eq!(seen_until(16), [("three", 9)]);
    assert_eq!(now_millis(), 16);
}

/// What idle workers of a timetable do.
#[test]
fn a_thread_that_parks_until_a_date_wakes_at_the_date_or_at_an_unpark() {
    let simulation = Simulation::new();
    let sleeper = Arc::new(Mutex::new(None));
    let woke = Arc::new(AtomicU64::new(0));
    let (named, wakes) = (sleeper.clone(), woke.clone());
    let sleep = move || {
        *named.lock().unwrap() = Some(SimHost::current());
        for date in [10, 20, 20] {
            SimHost::park_until(date);
            wakes.store(SimHost::now(), Ordering::Relaxed);
        }
        SimHost::park(); // the permit that came last
    };
    simulation.spawn("sleeper", sleep).unwrap();
    simulation.run_until(15);
    assert_eq!(woke.load(Ordering::Relaxed), 10);
    let sleeper = sleeper.lock().unwrap().clone().unwrap();
    SimHost::unpark(&sleeper);
    simulation.settle();
    assert_eq!(woke.load(Ordering::Relaxed), 15);
    simulation.run_until(30);
    assert_eq!(woke.load(Ordering::Relaxed), 20);
    SimHost::unpark(&sleeper);
    simulation.settle();
    assert_eq!(simulation.running_threads(), 0);
    assert_eq!(SimHost::now(), 30);
}

#[test]
fn a_permit_is_stored_once_and_ends_no_spending() {
    let simulation = Simulation::new();
    let me = SimHost::current();
    SimHost::unpark(&me);
    SimHost::unpark(&me);
    SimHost::spend(millis(1));
    SimHost::park(); // at once
    SimHost::park_until(3_000_000); // no second permit
    assert_eq!(now_millis(), 3);
    SimHost::park_until(2_000_000); // past
    assert_eq!(now_millis(), 3);
    drop(simulation);
}

#[test]
fn no_thread_sleeps_for_real() {
    static POOL: Pool<2> = Pool::new();
    let began = Instant::now();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    let year = Duration::from_secs(365 * 24 * 3600);
    let handles = [year, year / 2].map(|span| POOL.submit(move || SimHost::spend(span)).unwrap());
    for handle in handles {
        handle.result().unwrap();
    }
    assert_eq!(SimHost::now(), 31_536_000_000_000_000);
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// The dates of both series, and nothing between them.
#[test]
fn a_super_loop_runs_from_date_to_date() {
    let simulation = Simulation::new();
    let executor: Pool<0> = Pool::new();
    let samples = AtomicU64::new(0);
    let counted = pool::<0, 4>();
    let (mut sample, mut log) = (10, 100);
    while SimHost::now() < 60_000_000_000 {
        let next = sample.min(log);
        simulation.run_until(next * 1_000_000);
        if next == sample {
            executor.submit(|| ()).unwrap().detach();
            sample += 10;
        }
        if next == log {
            counted.submit(|| ()).unwrap().detach();
            log += 100;
        }
        while executor.run_one() || counted.run_one() {}
        samples.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(executor.stats().completed, 6000);
    assert_eq!(counted.stats().completed, 600);
    assert_eq!(samples.into_inner(), 6000);
}
