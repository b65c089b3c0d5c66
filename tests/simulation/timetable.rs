//! Timetables in virtual time: each date to the tick, whichever worker keeps the time.

use core::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use slotted::{Clock, Every, Executor, Release, Shutdown, SimHost, Simulation, Timetable};

use crate::{millis, now_millis};

/// A pool and a timetable of the test's own, for ever.
fn timed<const WORKERS: usize>() -> (
    &'static Executor<WORKERS, 8, 256, SimHost>,
    &'static Timetable<8, SimHost>,
) {
    (
        Box::leak(Box::default()),
        Box::leak(Box::new(Timetable::new())),
    )
}

#[test]
fn workers_keep_the_time_to_the_tick_under_every_seed() {
    Simulation::check_seeds(0..100, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let later = |delay: u64| {
            let seen = seen.clone();
            let note = move || seen.lock().unwrap().push(now_millis());
            times.on(pool).submit_after(millis(delay), note).unwrap()
        };
        let handles = [30, 10, 20, 1000].map(later);
        simulation.run_until(25_000_000);
        assert_eq!(*seen.lock().unwrap(), [10, 20]);
        assert!(handles[3].cancel());
        simulation.run_until(100_000_000);
        assert_eq!(*seen.lock().unwrap(), [10, 20, 30]);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(now_millis(), 100);
    });
}

/// The time of a thread that waits goes to the date, and stops there.
#[test]
fn a_series_of_six_minutes_does_not_drift() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<0>();
    let mut runs = 0_u64;
    let step = move |run: Release| {
        let now = SimHost::now();
        assert_eq!(now % 10_000_000, 0, "{now} ns");
        assert_eq!(run.missed, 0);
        runs += 1;
        if runs < 36_000 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(now)
        }
    };
    let series = times
        .on(pool)
        .submit_every(Every::new(millis(10)), step)
        .unwrap();
    let end = series.result().unwrap();
    assert_eq!((SimHost::now(), end), (360_000_000_000, 360_000_000_000));
    drop(simulation);
}

/// The time goes to the date of the budget, whichever of the workers runs the task. One that is
/// queued meanwhile is cancelled at its date, and one in the middle of a poll soon after.
#[test]
fn budgets_are_spent_to_the_tick_under_every_seed() {
    Simulation::check_seeds(0..100, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let runs = pool.submit_stoppable(|stop| {
            while !stop.requested() {
                SimHost::spend(millis(1));
            }
            now_millis()
        });
        let runs = runs.unwrap();
        let rests = pool.submit_future(core::future::pending::<()>()).unwrap();
        let brief = pool.submit(|| 7).unwrap();
        times.cancel_after(&runs, millis(20)).unwrap();
        times.cancel_after(&rests, millis(10)).unwrap();
        times.cancel_after(&brief, millis(3_600_000)).unwrap();
        assert_eq!(rests.result().err(), Some(slotted::TaskError::Cancelled));
        assert!((10..=11).contains(&now_millis()), "{}", now_millis());
        assert_eq!(brief.result(), Ok(7));
        let asked_at = runs.result().unwrap();
        assert!((20..=21).contains(&asked_at), "{asked_at}");
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// The workers sleep past the date when it is set.
#[test]
fn a_worker_that_sleeps_hears_of_a_budget() {
    Simulation::check_seeds(0..20, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let late = times
            .on(pool)
            .submit_after(millis(3_600_000), || ())
            .unwrap();
        simulation.settle();
        times.cancel_after(&late, millis(10)).unwrap();
        assert_eq!(late.result().err(), Some(slotted::TaskError::Cancelled));
        assert_eq!(now_millis(), 10);
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}
