//! Tasks that begin at a date.

use core::time::Duration;

use slotted::{Refusal, ReturnWhen, TaskError, TaskState, as_completed, wait};

use crate::{Drops, Log, Manual, at, leak};

#[test]
fn a_task_runs_at_its_date_and_not_before() {
    let (pool, times) = leak::<4, 4>();
    let handle = times.on(pool).submit_at(10, || 6 * 7).unwrap();
    assert_eq!(at(9, pool, times), 0);
    assert!(!handle.done());
    assert_eq!(at(10, pool, times), 1);
    assert_eq!(handle.result(), Ok(42));
}

#[test]
fn a_delay_counts_from_the_call_and_is_rounded_up() {
    let (pool, times) = leak::<4, 4>();
    Manual::set(100);
    let later = times.on(pool);
    let handle = later
        .submit_after(Duration::from_micros(1001), || 1)
        .unwrap();
    assert_eq!(times.next_date(), Some(102));
    assert!(handle.cancel());
    let never = later.submit_after(Duration::MAX, || 1).unwrap();
    assert_eq!(times.next_date(), Some(u64::MAX));
    drop(never);
}

#[test]
fn a_date_that_has_passed_is_due_at_once() {
    let (pool, times) = leak::<4, 4>();
    Manual::set(100);
    let handle = times.on(pool).submit_at(7, || 7).unwrap();
    assert_eq!(at(100, pool, times), 1);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn due_tasks_run_in_the_order_of_their_dates_and_equal_dates_in_that_of_submission() {
    let (pool, times) = leak::<16, 16>();
    let log = Log::default();
    for (number, date) in [5, 3, 5, 1, 3, 5, 9].into_iter().enumerate() {
        let log = log.clone();
        let task = move || log.note(date * 100 + number as u64);
        times.on(pool).submit_at(date, task).unwrap().detach();
    }
    assert_eq!(at(5, pool, times), 6);
    assert_eq!(log.take(), [103, 301, 304, 500, 502, 505]);
    assert_eq!(times.next_date(), Some(9));
}

#[test]
fn a_due_task_stands_behind_what_is_in_the_queue_and_before_what_comes_after() {
    let (pool, times) = leak::<8, 8>();
    let log = Log::default();
    let note = |entry| {
        let log = log.clone();
        move || log.note(entry)
    };
    times.on(pool).submit_at(1, note(2)).unwrap().detach();
    pool.submit(note(1)).unwrap().detach();
    Manual::set(1);
    times.advance();
    pool.submit(note(3)).unwrap().detach();
    pool.run_until_idle();
    assert_eq!(log.take(), [1, 2, 3]);
}

#[test]
fn a_waiting_task_is_pending_for_every_question() {
    let (pool, times) = leak::<4, 4>();
    let handle = times.on(pool).submit_at(10, || 1).unwrap();
    assert_eq!(handle.canceller().state(), TaskState::Pending);
    assert!(!handle.running() && !handle.done() && !handle.cancelled());
    Manual::set(10);
    times.advance();
    assert_eq!(handle.canceller().state(), TaskState::Pending);
    assert!(!handle.running());
    assert_eq!(pool.stats().queued, 1);
    assert_eq!(pool.run_until_idle(), 1);
    assert_eq!(handle.canceller().state(), TaskState::Finished);
}

#[test]
fn a_cancelled_task_gives_back_slot_and_timer_at_once_and_drops_its_closure_once() {
    let (pool, times) = leak::<1, 1>();
    let drops = Drops::default();
    for round in 1..=3 {
        let counted = drops.counted();
        let handle = times.on(pool).submit_at(10, move || drop(counted)).unwrap();
        assert!(handle.cancel());
        assert_eq!(drops.count(), round);
        assert_eq!(times.next_date(), None);
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
    }
    assert_eq!(at(10, pool, times), 0);
    assert_eq!(pool.stats().cancelled, 3);
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn a_due_task_can_be_cancelled_until_it_starts() {
    let (pool, times) = leak::<1, 1>();
    let handle = times.on(pool).submit_at(1, || 1).unwrap();
    Manual::set(1);
    times.advance();
    assert!(handle.cancel());
    assert_eq!(pool.run_until_idle(), 0);
    assert!(
        times.on(pool).submit_at(2, || 2).is_err(),
        "the handle still holds the slot"
    );
    drop(handle);
    let again = times.on(pool).submit_at(2, || 2).unwrap();
    assert_eq!(at(2, pool, times), 1);
    assert_eq!(again.result(), Ok(2));
}

#[test]
fn the_timer_is_free_while_the_result_waits_to_be_taken() {
    let (pool, times) = leak::<4, 1>();
    let first = times.on(pool).submit_at(1, || 1).unwrap();
    at(1, pool, times);
    let second = times.on(pool).submit_at(2, || 2).unwrap();
    at(2, pool, times);
    assert_eq!((first.result(), second.result()), (Ok(1), Ok(2)));
}

#[test]
fn a_refused_task_comes_back_and_costs_neither_slot_nor_timer() {
    let (pool, times) = leak::<1, 1>();
    let drops = Drops::default();
    let task = || {
        let counted = drops.counted();
        move || {
            drop(counted);
            7
        }
    };
    // No timer.
    let sleep = times.on(pool).sleep_until(1).unwrap();
    let refused = times.on(pool).submit_at(1, task()).unwrap_err();
    assert_eq!(refused.reason(), Refusal::NoTimer);
    assert_eq!(refused.into_inner()(), 7);
    drop(sleep);
    // No slot.
    let permit = pool.reserve().unwrap();
    let refused = times.on(pool).submit_at(1, task()).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert_eq!(refused.into_inner()(), 7);
    drop(permit);
    assert_eq!(pool.stats().refused, 2);
    // Shut down.
    pool.begin_shutdown(slotted::Shutdown::Drain);
    let refused = times.on(pool).submit_at(1, task()).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(refused.into_inner()(), 7);
    assert_eq!(drops.count(), 3);
    assert_eq!(pool.stats().slots_in_use, 0);
    assert!(times.on(pool).sleep_until(1).is_ok(), "the timer is free");
}

#[test]
fn a_panic_of_a_timed_task_is_that_of_any_task() {
    let (pool, times) = leak::<1, 1>();
    let handle = times
        .on(pool)
        .submit_at(1, || -> u8 { panic!("late") })
        .unwrap();
    at(1, pool, times);
    assert_eq!(
        handle.result().unwrap_err().to_string(),
        "the task panicked: late"
    );
    assert_eq!(pool.stats().panicked, 1);
    assert!(
        times.on(pool).submit_at(1, || 1).is_ok(),
        "slot and timer are free"
    );
}

#[test]
fn a_detached_task_runs_all_the_same() {
    let (pool, times) = leak::<1, 1>();
    let log = Log::default();
    let noted = log.clone();
    times
        .on(pool)
        .submit_at(1, move || noted.note(1))
        .unwrap()
        .detach();
    assert_eq!(at(1, pool, times), 1);
    assert_eq!(log.take(), [1]);
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn callbacks_and_waits_for_many_take_timed_tasks_as_any_other() {
    let (pool, times) = leak::<8, 4>();
    let log = Log::default();
    let noted = log.clone();
    let first = times.on(pool).submit_at(2, || 20).unwrap();
    first
        .add_done_callback(move |outcome| noted.note(*outcome.unwrap()))
        .unwrap();
    let second = pool.submit(|| 10).unwrap();
    at(2, pool, times);
    assert_eq!(log.take(), [20]);
    let mut handles = [first, second];
    let waited = wait(&mut handles, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
    let results = as_completed(handles).map(|handle| handle.result().unwrap());
    assert_eq!(results.sum::<u64>(), 30);
}

#[test]
fn one_timetable_serves_several_executors() {
    let (first, times) = leak::<2, 4>();
    let (second, _) = leak::<2, 1>();
    let one = times.on(first).submit_at(1, || 1).unwrap();
    let two = times.on(second).submit_at(1, || 2).unwrap();
    Manual::set(1);
    times.advance();
    assert_eq!((first.run_until_idle(), second.run_until_idle()), (1, 1));
    assert_eq!((one.result(), two.result()), (Ok(1), Ok(2)));
}

#[test]
fn a_bounded_advance_moves_no_more_than_it_was_told_to() {
    let (pool, times) = leak::<8, 8>();
    for date in [1, 2, 3] {
        times.on(pool).submit_at(date, || ()).unwrap().detach();
    }
    Manual::set(9);
    assert_eq!(times.advance_at_most(0), Some(1));
    assert_eq!(times.advance_at_most(2), Some(3));
    assert_eq!(pool.run_until_idle(), 2);
    assert_eq!(times.advance_at_most(2), None);
    assert_eq!(pool.run_until_idle(), 1);
}

#[test]
fn the_alarm_is_told_each_change_of_the_next_date_and_the_end_of_each_advance() {
    let (pool, times) = leak::<8, 8>();
    let later = times.on(pool);
    let first = later.submit_at(50, || ()).unwrap();
    let behind = later.submit_at(60, || ()).unwrap();
    let earlier = later.submit_at(40, || ()).unwrap();
    assert_eq!(Manual::alarms(), [Some(50), Some(40)]);
    assert!(behind.cancel());
    assert_eq!(Manual::alarms(), []);
    assert!(earlier.cancel());
    assert_eq!(Manual::alarms(), [Some(50)]);
    assert!(times.move_to(&first, 45));
    assert_eq!(Manual::alarms(), [Some(45)]);
    Manual::set(45);
    assert_eq!(times.advance(), None);
    assert_eq!(Manual::alarms(), [None]);
    assert_eq!(times.advance(), None);
    assert_eq!(Manual::alarms(), [None]);
    pool.run_until_idle();
    assert_eq!(Manual::alarms(), []);
}

/// A waker of an earlier task of the slot may come at any time.
#[test]
fn a_stale_waker_starts_no_task_before_its_date() {
    use core::future::poll_fn;
    use core::task::{Poll, Waker};
    use std::sync::Mutex;

    static STALE: Mutex<Option<Waker>> = Mutex::new(None);
    let (pool, times) = leak::<1, 1>();
    let earlier = pool.submit_future(poll_fn(|context| {
        *STALE.lock().unwrap() = Some(context.waker().clone());
        Poll::Ready(())
    }));
    assert_eq!(earlier.unwrap().result(), Ok(()));
    let log = Log::default();
    let noted = log.clone();
    let handle = times
        .on(pool)
        .submit_at(10, move || noted.note(10))
        .unwrap();
    let stale = STALE.lock().unwrap().take().unwrap();
    stale.wake_by_ref();
    assert_eq!(pool.run_until_idle(), 1, "a poll that finds nothing due");
    assert_eq!(log.take(), []);
    assert!(times.move_to(&handle, 5));
    assert_eq!(at(5, pool, times), 1);
    assert_eq!(log.take(), [5 * 2]);
    assert_eq!(handle.result(), Ok(()));
}
