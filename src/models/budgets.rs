//! Time budgets: a spent one against starting, ending, reusing the slot, moving and sweeping.
//!
//! The clock of `dates` stands at 10. A date up to that is due, and 20 never is.
#![forbid(unsafe_code)]

use super::dates::{Times, advance_elsewhere, model_budgets};
use super::*;

fn until_asked(stop: &crate::Stop) -> bool {
    stop.requested()
}

/// Both timers are free, or held for tasks that are over.
fn timers_come_back<const QUEUE: usize>(pool: &'static Pool<0, QUEUE>, times: &'static Times) {
    let sleeps = [20, 20].map(|date| times.on(pool).sleep_until(date));
    assert!(sleeps.iter().all(Result::is_ok));
    drop(sleeps);
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_task_that_starts_at_its_date_is_cancelled_or_asked_and_dropped_once() {
    model_budgets::<1>(|pool, times| {
        let (counted, drops) = Counted::new();
        let handle = pool.submit_stoppable(move |_| drop(counted)).unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        let ran = pool.run_one();
        mover.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(handle.cancelled(), !ran);
        assert_eq!(handle.result().is_ok(), ran);
        assert_eq!(times.next_date(), None);
        timers_come_back(pool, times);
    });
}

/// The slot is another task's, queued or running, when the budget is spent.
#[test]
fn a_task_in_a_slot_that_was_reused_is_neither_cancelled_nor_asked() {
    model_budgets::<1>(|pool, times| {
        let first = pool.submit(|| 1).unwrap();
        times.cancel_at(&first, 0).unwrap();
        let mover = advance_elsewhere(times);
        let first = first.result();
        assert!(matches!(first, Ok(1) | Err(TaskError::Cancelled)));
        let second = pool.submit_stoppable(until_asked).unwrap();
        pool.run_one();
        assert_eq!(second.result(), Ok(false));
        mover.join().unwrap();
        timers_come_back(pool, times);
    });
}

#[test]
fn a_budget_that_is_moved_while_it_is_spent_counts_at_one_of_the_dates() {
    model_budgets::<1>(|pool, times| {
        let handle = pool.submit(|| 7).unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        times.cancel_at(&handle, 20).unwrap();
        mover.join().unwrap();
        let cancelled = handle.cancelled();
        let kept = times.cancel_never(&handle);
        assert!(cancelled || kept, "it is lost");
        assert_eq!(times.next_date(), None);
        assert_eq!(handle.result().is_ok(), !cancelled);
        timers_come_back(pool, times);
    });
}

#[test]
fn a_budget_that_is_taken_away_while_it_is_spent_frees_its_timer_once() {
    model_budgets::<1>(|pool, times| {
        let handle = pool.submit(|| 7).unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        let taken = times.cancel_never(&handle);
        mover.join().unwrap();
        assert!(taken || handle.cancelled());
        timers_come_back(pool, times);
        drop(handle);
    });
}

#[test]
fn of_two_budgets_that_two_threads_set_at_once_one_counts_and_none_stays() {
    model_budgets::<1>(|pool, times| {
        let handle: &'static _ = Box::leak(Box::new(pool.submit(|| 7).unwrap()));
        let other = thread::spawn(move || times.cancel_at(handle, 0));
        times.cancel_at(handle, 20).unwrap();
        other.join().unwrap().unwrap();
        times.cancel_at(handle, 20).unwrap();
        assert_eq!(
            times.advance(),
            Some(20),
            "both were moved, or one given up"
        );
        assert!(!handle.cancelled());
        assert!(times.cancel_never(handle));
        assert_eq!(times.next_date(), None);
        timers_come_back(pool, times);
    });
}

/// It is cancelled between two polls, or the budget looks again at 11.
#[test]
fn a_future_that_is_polled_at_its_date_keeps_its_budget() {
    model_budgets::<1>(|pool, times| {
        let handle = pool.submit_future(core::future::pending::<()>()).unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        pool.run_one();
        mover.join().unwrap();
        let looks_again = times.next_date() == Some(11);
        assert_ne!(handle.cancelled(), looks_again);
        assert!(handle.cancel());
        timers_come_back(pool, times);
    });
}

#[test]
fn a_timed_task_whose_date_and_budget_come_at_once_runs_or_is_cancelled() {
    model_budgets::<1>(|pool, times| {
        let handle = times.on(pool).submit_at(0, || 7).unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        times.advance();
        let ran = pool.run_until_idle();
        mover.join().unwrap();
        assert!(ran <= 1);
        let ended = handle.result();
        assert!(ended == Ok(7) || ended == Err(TaskError::Cancelled) && ran == 0);
        timers_come_back(pool, times);
    });
}

/// All timers are held by a task that is over, and its date comes while another thread needs one.
#[test]
fn a_timer_that_is_swept_while_it_is_due_has_one_owner() {
    model_budgets::<2>(|pool, times| {
        let over = pool.submit(|| ()).unwrap();
        times.cancel_at(&over, 0).unwrap();
        pool.run_until_idle();
        let nap = times.on(pool).sleep_until(20).unwrap();
        let mover = advance_elsewhere(times);
        let timed = times.on(pool).submit_at(20, || 7).unwrap();
        mover.join().unwrap();
        assert!(times.on(pool).sleep_until(20).is_err(), "both are in use");
        assert!(times.move_to(&timed, 0));
        times.advance();
        assert_eq!(pool.run_until_idle(), 1);
        assert_eq!(timed.result(), Ok(7));
        drop((nap, over));
        timers_come_back(pool, times);
    });
}

#[test]
fn a_thread_that_waits_for_a_task_hears_that_its_budget_is_spent() {
    model_budgets::<1>(|pool, times| {
        let (_promise, handle) = pool.promise::<u8>().unwrap();
        times.cancel_at(&handle, 0).unwrap();
        let mover = advance_elsewhere(times);
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        mover.join().unwrap();
    });
}
