//! Moving the date of a task that waits for it.

use core::ops::ControlFlow;

use slotted::Every;

use crate::{Log, Manual, at, leak};

#[test]
fn a_task_moves_earlier_and_later_while_it_waits() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let submit = |entry, date| {
        let log = log.clone();
        times
            .on(pool)
            .submit_at(date, move || log.note(entry))
            .unwrap()
    };
    let (first, second, third) = (submit(1, 10), submit(2, 20), submit(3, 30));
    assert!(times.move_to(&first, 40));
    assert!(times.move_to(&third, 5));
    assert_eq!(at(20, pool, times), 2);
    assert_eq!(log.take(), [3, 2]);
    assert_eq!(at(39, pool, times), 0);
    assert_eq!(at(40, pool, times), 1);
    assert_eq!(log.take(), [1]);
    drop((first, second, third));
}

#[test]
fn a_moved_task_stands_among_equal_dates_where_its_submission_puts_it() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let submit = |entry, date| {
        let log = log.clone();
        times
            .on(pool)
            .submit_at(date, move || log.note(entry))
            .unwrap()
    };
    let (first, second, third) = (submit(1, 10), submit(2, 20), submit(3, 20));
    assert!(times.move_to(&first, 20));
    assert_eq!(at(20, pool, times), 3);
    assert_eq!(log.take(), [1, 2, 3]);
    drop((first, second, third));
}

#[test]
fn what_does_not_wait_here_is_not_moved() {
    let (pool, times) = leak::<8, 4>();
    let (other_pool, other) = leak::<8, 4>();
    let plain = pool.submit(|| ()).unwrap();
    assert!(!times.move_to(&plain, 5), "it has no date");
    // Both have the first slot and the first timer of theirs.
    let here = times.on(other_pool).submit_at(10, || ()).unwrap();
    let there = other.on(pool).submit_at(10, || ()).unwrap();
    assert!(!times.move_to(&there, 5), "it waits in another timetable");
    assert_eq!((times.next_date(), other.next_date()), (Some(10), Some(10)));
    assert!(times.move_to(&here, 9));
    Manual::set(9);
    times.advance();
    assert!(!times.move_to(&here, 20), "it is in the ready queue");
    assert_eq!(other_pool.run_until_idle(), 1);
    assert!(!times.move_to(&here, 20), "it has run");
    assert!(there.cancel());
    assert!(!other.move_to(&there, 20), "it is cancelled");
    assert_eq!((times.next_date(), other.next_date()), (None, None));
    pool.run_until_idle();
    drop((plain, here));
}

#[test]
fn of_a_series_the_next_run_moves_and_the_grid_stays() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let noted = log.clone();
    let series = times.on(pool).submit_every(Every::ticks(10), move |run| {
        noted.note(run.date);
        assert_eq!((run.late, run.missed), (0, 0));
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    at(10, pool, times);
    assert!(times.move_to(&series, 13));
    at(13, pool, times);
    at(20, pool, times);
    assert_eq!(log.take(), [10, 13], "the run at 13 stood for the date 20");
    at(30, pool, times);
    assert_eq!(log.take(), [30]);
    assert!(series.cancel());
}

/// Feeding a watchdog: the date goes on and on, and nothing piles up.
#[test]
fn a_date_can_be_moved_any_number_of_times() {
    let (pool, times) = leak::<2, 2>();
    let timeout = times.on(pool).submit_at(10, || "no answer").unwrap();
    for now in 1..1000 {
        Manual::set(now);
        assert!(times.move_to(&timeout, now + 10));
        assert_eq!(times.advance(), Some(now + 10));
    }
    assert_eq!(at(1009, pool, times), 1);
    assert_eq!(timeout.result(), Ok("no answer"));
}
