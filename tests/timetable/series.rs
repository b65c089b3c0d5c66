//! Closures that run again and again.

use core::ops::ControlFlow;
use core::time::Duration;

use slotted::{Every, Release, TaskError};

use crate::{Drops, Log, Manual, at, leak};

#[test]
fn the_first_run_comes_one_period_after_the_submission_or_at_its_date() {
    let (pool, times) = leak::<4, 4>();
    Manual::set(1000);
    let forever = |_: Release| ControlFlow::<()>::Continue(());
    let every = Every::new(Duration::from_millis(10));
    let one = times.on(pool).submit_every(every, forever).unwrap();
    assert_eq!(times.next_date(), Some(1010));
    let two = times
        .on(pool)
        .submit_every(every.first_at(1003), forever)
        .unwrap();
    assert_eq!(times.next_date(), Some(1003));
    assert!(one.cancel() && two.cancel());
    assert_eq!(times.next_date(), None);
}

#[test]
fn runs_lie_on_the_grid_and_what_is_missed_is_counted() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let noted = log.clone();
    let series = times.on(pool).submit_every(Every::ticks(10), move |run| {
        noted.note(run.date * 10_000 + run.late * 100 + u64::from(run.missed));
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    at(10, pool, times);
    at(22, pool, times);
    assert_eq!(log.take(), [10_00_00, 20_02_00]);
    // 30, 40 and 50 pass; the run for 30 begins late, 40 and 50 have none.
    at(55, pool, times);
    assert_eq!(log.take(), [30_25_00]);
    at(59, pool, times);
    assert_eq!(log.take(), []);
    at(60, pool, times);
    assert_eq!(log.take(), [60_00_02]);
    at(70, pool, times);
    assert_eq!(log.take(), [70_00_00]);
    assert!(series.cancel());
}

#[test]
fn a_run_that_takes_longer_than_its_period_never_overlaps_the_next() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let noted = log.clone();
    let series = times.on(pool).submit_every(Every::ticks(10), move |run| {
        noted.note(run.date * 100 + u64::from(run.missed));
        Manual::set(run.date + 25); // it takes so long
        times.advance();
        assert_eq!(pool.run_until_idle(), 0, "it is in no queue while it runs");
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    assert_eq!(at(10, pool, times), 1);
    assert_eq!(times.next_date(), Some(40));
    assert_eq!(at(40, pool, times), 1);
    assert_eq!(log.take(), [10_00, 40_02]);
    assert!(series.cancel());
}

#[test]
fn a_series_ends_with_the_value_of_its_break() {
    let (pool, times) = leak::<1, 1>();
    let drops = Drops::default();
    let counted = drops.counted();
    let mut runs = 0;
    let series = times.on(pool).submit_every(Every::ticks(1), move |_| {
        let _ = &counted;
        runs += 1;
        if runs < 5 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(runs)
        }
    });
    let series = series.unwrap();
    for tick in 1..5 {
        assert_eq!(at(tick, pool, times), 1);
        assert!(series.running() && !series.done());
    }
    assert_eq!(at(5, pool, times), 1);
    assert_eq!(drops.count(), 1);
    assert_eq!(series.result(), Ok(5));
    assert_eq!(times.next_date(), None);
    assert_eq!((pool.stats().completed, pool.stats().slots_in_use), (1, 0));
}

#[test]
fn a_panic_ends_a_series_and_is_told() {
    let (pool, times) = leak::<1, 1>();
    let drops = Drops::default();
    let counted = drops.counted();
    let series = times.on(pool).submit_every(Every::ticks(1), move |run| {
        let _ = &counted;
        assert!(run.date < 2, "the second run");
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    at(1, pool, times);
    at(2, pool, times);
    assert!(series.done());
    assert_eq!(drops.count(), 1);
    assert!(matches!(series.result(), Err(TaskError::Panicked(_))));
    assert_eq!(at(3, pool, times), 0);
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_series_is_cancelled_between_two_runs_and_while_it_is_queued() {
    let (pool, times) = leak::<1, 1>();
    let forever = |_: Release| ControlFlow::<()>::Continue(());
    let series = times
        .on(pool)
        .submit_every(Every::ticks(1), forever)
        .unwrap();
    at(1, pool, times);
    assert!(series.cancel());
    assert_eq!(series.result(), Err(TaskError::Cancelled));
    let series = times
        .on(pool)
        .submit_every(Every::ticks(1), forever)
        .unwrap();
    at(2, pool, times);
    Manual::set(3);
    times.advance();
    assert!(series.cancel());
    assert_eq!(at(4, pool, times), 0);
    assert_eq!(series.result(), Err(TaskError::Cancelled));
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_detached_series_goes_on() {
    let (pool, times) = leak::<1, 1>();
    let log = Log::default();
    let noted = log.clone();
    let series = times.on(pool).submit_every(Every::ticks(1), move |run| {
        noted.note(run.date);
        ControlFlow::<()>::Continue(())
    });
    series.unwrap().detach();
    for tick in 1..4 {
        at(tick, pool, times);
    }
    assert_eq!(log.take(), [1, 2, 3]);
    pool.begin_shutdown(slotted::Shutdown::Cancel);
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn of_equal_dates_the_series_that_was_submitted_first_runs_first_for_ever() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let series = [(1, 6), (2, 3), (3, 2)].map(|(name, period)| {
        let log = log.clone();
        let run = move |_: Release| {
            log.note(name);
            ControlFlow::<()>::Continue(())
        };
        times
            .on(pool)
            .submit_every(Every::ticks(period), run)
            .unwrap()
    });
    for tick in 1..=6 {
        at(tick, pool, times);
    }
    assert_eq!(log.take(), [3, 2, 3, 1, 2, 3]);
    assert!(series.iter().all(slotted::JoinHandle::cancel));
}

#[test]
#[should_panic(expected = "a period that is not zero")]
fn a_series_without_a_period_is_refused() {
    let _ = Every::new(Duration::ZERO);
}
