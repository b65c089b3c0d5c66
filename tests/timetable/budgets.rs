//! Time budgets: a date at which a task is cancelled, or asked to stop.

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use slotted::{Every, Refusal, TaskError};

use crate::{Drops, Log, Manual, Pool, at, leak};

const CANCELLED: Option<TaskError> = Some(TaskError::Cancelled);

#[test]
fn a_task_that_is_queued_at_the_date_is_cancelled_and_not_before() {
    let (pool, times) = leak::<4, 1>();
    let drops = Drops::default();
    let counted = drops.counted();
    let handle = pool.submit(move || drop(counted)).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    Manual::set(9);
    assert_eq!(times.advance(), Some(10));
    assert!(!handle.cancelled());
    Manual::set(10);
    assert_eq!(times.advance(), None);
    assert!(handle.cancelled());
    assert_eq!(drops.count(), 1);
    assert_eq!(pool.run_until_idle(), 0);
    assert!(times.on(pool).sleep_until(20).is_ok(), "the timer is free");
}

#[test]
fn a_date_that_has_passed_counts_at_the_next_advance() {
    let (pool, times) = leak::<4, 1>();
    Manual::set(10);
    let handle = pool.submit(|| ()).unwrap();
    times.cancel_at(&handle, 3).unwrap();
    assert!(!handle.cancelled());
    times.advance();
    assert_eq!(handle.result().err(), CANCELLED);
}

#[test]
fn a_duration_counts_from_the_call() {
    let (pool, times) = leak::<4, 1>();
    Manual::set(100);
    let handle = pool.submit(|| ()).unwrap();
    times
        .cancel_after(&handle, Duration::from_micros(6500))
        .unwrap();
    assert_eq!(times.next_date(), Some(107), "a millisecond is a tick");
    drop(handle);
}

#[test]
fn a_closure_that_runs_at_the_date_is_asked_to_stop_and_its_value_is_ordinary() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit_stoppable(|stop| {
        let before = stop.requested();
        Manual::set(10);
        times.advance();
        let timer_is_free = times.on(pool).sleep_until(20).is_ok();
        (before, stop.requested(), timer_is_free)
    });
    let mut handle = handle.unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    assert_eq!(handle.wait(), Ok(&(false, true, true)));
    assert!(handle.stop_requested() && !handle.cancelled());
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_plain_closure_that_runs_at_the_date_runs_on() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit(|| {
        Manual::set(10);
        times.advance();
        7
    });
    let handle = handle.unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    assert_eq!(times.next_date(), None);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn a_future_at_rest_an_open_promise_and_a_task_that_waits_for_its_date_are_cancelled() {
    let (pool, times) = leak::<4, 4>();
    let future = pool.submit_future(core::future::pending::<()>()).unwrap();
    let (promise, promised) = pool.promise::<()>().unwrap();
    let timed = times.on(pool).submit_at(50, || ()).unwrap();
    pool.run_until_idle();
    for handle in [&future, &promised, &timed] {
        times.cancel_at(handle, 10).unwrap();
    }
    at(10, pool, times);
    assert_eq!(times.next_date(), None, "its own timer is free too");
    for handle in [future, promised, timed] {
        assert_eq!(handle.result().err(), CANCELLED);
    }
    assert!(promise.set_result(()).is_err());
    drop(promise);
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// A poll has no room for a request.
#[test]
fn a_future_in_the_middle_of_a_poll_is_cancelled_a_millisecond_later() {
    let (pool, times) = leak::<4, 1>();
    let drops = Drops::default();
    let counted = drops.counted();
    let handle = pool.submit_future(core::future::poll_fn(move |_| {
        let _held = &counted;
        Manual::set(10);
        assert_eq!(times.advance(), Some(11));
        Poll::<()>::Pending
    }));
    let handle = handle.unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    assert!(!handle.cancelled());
    at(11, pool, times);
    assert_eq!(handle.result().err(), CANCELLED);
    assert_eq!(drops.count(), 1);
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_future_that_ends_with_the_poll_at_the_date_keeps_its_value() {
    let (pool, times) = leak::<1, 1>();
    let handle = pool.submit_future(core::future::poll_fn(move |_| {
        Manual::set(10);
        times.advance();
        Poll::Ready(7)
    }));
    let handle = handle.unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    assert_eq!(handle.result(), Ok(7));
    // The slot is another task's when the budget looks again.
    let next = pool.submit(|| 8).unwrap();
    at(11, pool, times);
    assert_eq!(times.next_date(), None);
    assert_eq!(next.result(), Ok(8));
}

#[test]
fn a_series_in_the_middle_of_a_run_ends_after_it() {
    let (pool, times) = leak::<4, 2>();
    let series = times.on(pool).submit_every(Every::ticks(5), |run| {
        if run.date == 10 {
            times.advance();
        }
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    times.cancel_at(&series, 12).unwrap();
    assert_eq!(at(5, pool, times), 1);
    Manual::set(10);
    times.advance();
    Manual::set(12);
    assert_eq!(pool.run_until_idle(), 1);
    assert!(!series.done());
    assert_eq!(at(13, pool, times), 0);
    assert_eq!(series.result().err(), CANCELLED);
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_task_that_has_ended_is_left_alone() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit(|| 7).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    at(10, pool, times);
    assert_eq!(handle.result(), Ok(7));
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_later_task_in_the_same_slot_is_not_cancelled() {
    let (pool, times) = leak::<1, 2>();
    let first = pool.submit(|| 1).unwrap();
    times.cancel_at(&first, 10).unwrap();
    pool.run_until_idle();
    assert_eq!(first.result(), Ok(1));
    let queued = pool.submit(|| 2).unwrap();
    at(10, pool, times);
    assert_eq!(queued.result(), Ok(2));
    let first = pool.submit(|| 1).unwrap();
    times.cancel_at(&first, 20).unwrap();
    pool.run_until_idle();
    assert_eq!(first.result(), Ok(1));
    let running = pool.submit_stoppable(|stop| {
        Manual::set(20);
        times.advance();
        stop.requested()
    });
    assert_eq!(running.unwrap().result(), Ok(false));
}

#[test]
fn a_task_without_a_handle_keeps_its_budget() {
    let (pool, times) = leak::<1, 1>();
    let handle = pool.submit(|| ()).unwrap();
    let canceller = handle.canceller();
    times.cancel_at(&handle, 10).unwrap();
    handle.detach();
    assert_eq!(at(10, pool, times), 0);
    assert_eq!(canceller.state(), slotted::TaskState::Gone);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn a_second_call_moves_the_date_and_takes_no_second_timer() {
    let (pool, times) = leak::<4, 1>();
    let [later, earlier] = [10, 30].map(|date| {
        let handle = pool.submit(|| ()).unwrap();
        times.cancel_at(&handle, date).unwrap();
        times.cancel_at(&handle, 20).unwrap();
        assert_eq!(at(19, pool, times), 1, "the first date counts no more");
        assert_eq!(times.next_date(), Some(20));
        assert!(times.cancel_never(&handle));
        handle.result()
    });
    assert_eq!((later, earlier), (Ok(()), Ok(())));
}

#[test]
fn a_budget_that_is_taken_away_gives_its_timer_back_at_once() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit(|| 7).unwrap();
    assert!(!times.cancel_never(&handle), "it has none");
    times.cancel_at(&handle, 10).unwrap();
    assert!(times.cancel_never(&handle));
    assert!(!times.cancel_never(&handle));
    assert_eq!(times.next_date(), None);
    assert_eq!(at(10, pool, times), 1);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn a_task_that_is_over_takes_no_timer_and_gives_back_its_own() {
    let (pool, times) = leak::<4, 1>();
    let mut handle = pool.submit(|| 7).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    pool.run_until_idle();
    times.cancel_at(&handle, 20).unwrap();
    assert_eq!(times.next_date(), None);
    handle.try_result().unwrap().unwrap();
    times.cancel_at(&handle, 20).unwrap();
    assert!(!times.cancel_never(&handle));
    assert_eq!(times.next_date(), None);
}

#[test]
fn without_a_free_timer_the_call_says_so_and_the_task_goes_on() {
    let (pool, times) = leak::<4, 2>();
    let nap = times.on(pool).sleep_until(50).unwrap();
    let [first, second] = [1, 2].map(|n| pool.submit(move || n).unwrap());
    times.cancel_at(&first, 10).unwrap();
    assert_eq!(times.cancel_at(&second, 5), Err(Refusal::NoTimer));
    times.cancel_at(&first, 11).unwrap(); // its own
    assert_eq!(pool.stats().refused, 0, "no task was refused");
    drop(nap);
    times.cancel_at(&second, 5).unwrap();
    at(5, pool, times);
    assert_eq!((first.result(), second.result().err()), (Ok(1), CANCELLED));
}

/// Each kind of claim finds the timers of tasks that are over, and no others.
#[test]
fn a_claim_that_finds_no_timer_takes_those_of_tasks_that_are_over() {
    let (pool, times) = leak::<32, 20>();
    let fill = || {
        let handles = [(); 20].map(|()| pool.submit(|| ()).unwrap());
        for handle in &handles {
            times.cancel_at(handle, 10).unwrap();
        }
        handles
    };
    let fresh = pool.submit(|| ()).unwrap();
    let handles = fill();
    assert_eq!(
        times.cancel_at(&fresh, 10),
        Err(Refusal::NoTimer),
        "none is over"
    );
    let mut handles = Vec::from(handles);
    drop(handles.remove(13)); // detached, not over
    assert!(handles.remove(17).cancel());
    let nap = times.on(pool).sleep_until(7).unwrap();
    assert!(times.on(pool).sleep_until(7).is_err());
    drop((nap, handles));
    pool.run_until_idle();

    assert!(fresh.done());
    drop(fill());
    pool.run_until_idle();
    let timed = times.on(pool).submit_at(7, || 7).unwrap();
    let used = format!("{times:?}");
    assert!(used.contains("used: 1,"), "all were swept: {used}");
    assert_eq!(at(7, pool, times), 1);
    assert_eq!(timed.result(), Ok(7));

    drop(fill());
    pool.run_until_idle();
    let handle = pool.submit(|| ()).unwrap();
    times.cancel_at(&handle, 9).unwrap();
    assert_eq!(times.next_date(), Some(9));
    at(9, pool, times);
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_task_that_has_ended_gives_its_timer_while_its_handle_is_kept() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit(|| 7).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    assert!(times.on(pool).sleep_until(20).is_err());
    pool.run_until_idle();
    assert!(times.on(pool).sleep_until(20).is_ok());
    assert_eq!(handle.result(), Ok(7));
}

/// The callback frees the timer of the budget that is just being spent, and takes it for a sleep.
#[test]
fn a_timer_that_changes_hands_while_its_budget_is_spent_is_its_new_owners() {
    let (pool, times) = leak::<4, 1>();
    let handle = Arc::new(pool.submit(|| ()).unwrap());
    times.cancel_at(&handle, 10).unwrap();
    let nap = Arc::new(Mutex::new(None));
    let (same, kept) = (handle.clone(), nap.clone());
    let called = handle.add_done_callback(move |_| {
        assert!(!times.cancel_never(&same), "its date has come");
        *kept.lock().unwrap() = Some(times.on(pool).sleep_until(20).unwrap());
    });
    assert!(called.is_ok());
    Manual::set(10);
    assert_eq!(times.advance(), Some(20));
    assert!(times.on(pool).sleep_until(30).is_err(), "the sleep has it");
    drop(nap.lock().unwrap().take().unwrap());
    assert_eq!(times.next_date(), None);
}

#[test]
fn at_one_date_tasks_become_due_before_budgets_are_spent() {
    let (pool, times) = leak::<4, 4>();
    let log = Log::default();
    let budgeted = pool.submit(|| ()).unwrap();
    times.cancel_at(&budgeted, 10).unwrap();
    let timed = times.on(pool).submit_at(10, || ()).unwrap();
    let noted = log.clone();
    let called = budgeted.add_done_callback(move |outcome| {
        assert!(outcome.is_err());
        noted.note(pool.stats().queued as u64);
    });
    assert!(called.is_ok());
    Manual::set(10);
    times.advance();
    assert_eq!(log.take(), [1], "the timed task was in the queue");
    drop((budgeted, timed));
}

/// Callbacks and destructors are foreign code: they may call the timetable, and panic.
#[test]
fn what_a_cancelled_task_calls_runs_outside_the_lock() {
    struct Calls(&'static crate::Times<4>);
    impl Drop for Calls {
        fn drop(&mut self) {
            assert_eq!(self.0.next_date(), Some(10));
            panic!("in a destructor");
        }
    }
    let (pool, times) = leak::<4, 4>();
    let calls = Calls(times);
    let first = pool.submit(move || drop(calls)).unwrap();
    let second = pool.submit(|| ()).unwrap();
    times.cancel_at(&first, 5).unwrap();
    times.cancel_at(&second, 10).unwrap();
    let called = first.add_done_callback(move |_| {
        times.cancel_at(&second, 4).unwrap();
    });
    assert!(called.is_ok());
    Manual::set(5);
    times.advance();
    assert_eq!(first.result().err(), CANCELLED);
    assert_eq!(
        pool.stats().cancelled,
        2,
        "the second one's new date had passed"
    );
}

#[test]
fn advance_at_most_counts_budgets_as_tasks() {
    let (pool, times) = leak::<4, 4>();
    let handles = [1, 2, 3].map(|date| {
        let handle = pool.submit(|| ()).unwrap();
        times.cancel_at(&handle, date).unwrap();
        handle
    });
    Manual::set(3);
    assert_eq!(times.advance_at_most(2), Some(3));
    assert_eq!(
        handles.map(|handle| handle.cancelled()),
        [true, true, false]
    );
}

#[test]
fn the_alarm_is_told_each_first_date() {
    let (pool, times) = leak::<4, 2>();
    let handle = pool.submit(|| ()).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    assert_eq!(Manual::alarms(), [Some(10)]);
    times.cancel_at(&handle, 20).unwrap();
    assert_eq!(Manual::alarms(), [Some(20)]);
    times.cancel_never(&handle);
    assert_eq!(Manual::alarms(), [None]);
    drop(handle);
}

#[test]
fn one_timetable_has_the_budgets_of_executors_of_any_size() {
    let (small, times) = leak::<1, 4>();
    let large: &'static Pool<9> = Box::leak(Box::new(Pool::new()));
    // Both are in the first slot of theirs.
    let (here, there) = (small.submit(|| 1).unwrap(), large.submit(|| 2).unwrap());
    times.cancel_at(&here, 10).unwrap();
    times.cancel_at(&there, 20).unwrap();
    Manual::set(10);
    assert_eq!(times.advance(), Some(20));
    assert_eq!((here.result().err(), there.result()), (CANCELLED, Ok(2)));
}

#[test]
fn a_timed_task_moves_although_it_has_a_budget() {
    let (pool, times) = leak::<4, 2>();
    let timed = times.on(pool).submit_at(10, || 7).unwrap();
    times.cancel_at(&timed, 15).unwrap();
    assert!(times.move_to(&timed, 12));
    assert_eq!(at(11, pool, times), 0);
    assert_eq!(at(12, pool, times), 1);
    assert_eq!(timed.result(), Ok(7));
}

#[test]
fn budgets_do_not_hold_up_a_shutdown_and_spare_the_next_life() {
    let (pool, times) = leak::<1, 1>();
    let handle = times.cancel_at(&pool.submit(|| ()).unwrap(), 10);
    assert_eq!(handle, Ok(()));
    pool.shutdown(slotted::Shutdown::Cancel).unwrap();
    assert_eq!(times.next_date(), Some(10));
    pool.start(&slotted::StdThreads::new()).unwrap();
    let next = pool.submit(|| 7).unwrap();
    at(10, pool, times);
    assert_eq!(next.result(), Ok(7));
}

/// A worker that sleeps keeps the time.
#[test]
fn on_threads_an_idle_worker_spends_the_budget_of_what_runs() {
    use slotted::{Executor, Shutdown, StdThreads, Timetable};
    static POOL: Executor<2, 4, 128> = Executor::new();
    static TIMES: Timetable<4> = Timetable::new();
    POOL.start(&StdThreads::new()).unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let sees = asked.clone();
    let endless = POOL.submit_stoppable(move |stop| {
        while !stop.requested() {
            std::thread::yield_now();
        }
        sees.store(true, Ordering::Relaxed);
    });
    let endless = endless.unwrap();
    let late = TIMES
        .on(&POOL)
        .submit_after(Duration::from_secs(3600), || ())
        .unwrap();
    while !endless.running() {
        std::thread::yield_now();
    }
    TIMES
        .cancel_after(&endless, Duration::from_millis(2))
        .unwrap();
    TIMES.cancel_after(&late, Duration::from_millis(3)).unwrap();
    assert_eq!(endless.result(), Ok(()));
    assert!(asked.load(Ordering::Relaxed));
    assert_eq!(late.result().err(), CANCELLED, "the waiter is woken");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Where there are no workers, the thread that waits keeps the time.
#[test]
fn a_thread_that_waits_without_workers_spends_the_budget() {
    use slotted::{Executor, Timetable};
    static POOL: Executor<0, 4> = Executor::new();
    static TIMES: Timetable<4> = Timetable::new();
    let (_promise, handle) = POOL.promise::<()>().unwrap();
    TIMES
        .cancel_after(&handle, Duration::from_millis(2))
        .unwrap();
    assert_eq!(handle.result().err(), CANCELLED);
}

#[test]
fn an_async_task_that_was_set_running_is_not_cancelled_and_its_timer_is_free() {
    let (pool, times) = leak::<4, 1>();
    let handle = pool.submit_future(core::future::pending::<()>()).unwrap();
    times.cancel_at(&handle, 10).unwrap();
    assert_eq!(handle.canceller().set_running_or_notify_cancel(), Ok(true));
    Manual::set(10);
    assert_eq!(times.advance(), None, "it does not try again");
    assert!(!handle.done());
    assert!(times.on(pool).sleep_until(20).is_ok(), "the timer is free");
}
