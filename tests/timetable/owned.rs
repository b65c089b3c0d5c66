//! Tasks with dates that get what their worker owns.

use core::ops::ControlFlow;
use core::task::Poll;
use std::sync::Mutex;
use std::thread;

use slotted::{
    Every, JoinHandle, Owned, OwnedTimedSubmitter, OwnedWorker, Ran, Refusal, ReturnWhen, Shutdown,
    TaskError, TaskState, wait,
};

use crate::{Drops, Manual, Times};

/// Notes what its tasks do.
pub(crate) type Own = Vec<u64>;
pub(crate) type Radio<const QUEUE: usize> = Owned<Own, QUEUE, 256, Manual>;
pub(crate) type RadioWorker = OwnedWorker<'static, Own, Manual>;
type Later = OwnedTimedSubmitter<Own, 256, Manual>;

/// An owner and a timetable for ever.
pub(crate) fn leak<const QUEUE: usize, const TIMERS: usize>()
-> (&'static Radio<QUEUE>, &'static Times<TIMERS>, Later) {
    let radio: &'static Radio<QUEUE> = Box::leak(Box::new(Radio::new()));
    let times: &'static Times<TIMERS> = Box::leak(Box::new(Times::new()));
    (radio, times, times.on_owned(radio))
}

/// Runs what is queued. Returns how many tasks ran. More than fifty are too many.
pub(crate) fn run_all(worker: &mut RadioWorker, own: &mut Own) -> usize {
    let mut ran = 0;
    while worker.run_one(own) == Ran::Task {
        ran += 1;
        assert!(ran < 50, "it never comes to rest");
    }
    ran
}

/// Moves the clock, moves what is due, and runs it. Returns how many tasks ran.
pub(crate) fn at<const TIMERS: usize>(
    tick: u64,
    worker: &mut RadioWorker,
    own: &mut Own,
    times: &Times<TIMERS>,
) -> usize {
    Manual::set(tick);
    times.advance();
    run_all(worker, own)
}

/// A closure that notes a number, and counts its drop.
fn notes(number: u64, drops: &Drops) -> impl FnOnce(&mut Own) -> usize + Send + use<> {
    let counted = drops.counted();
    move |own| {
        let _ = &counted;
        own.push(number);
        own.len()
    }
}

#[test]
fn a_task_runs_at_its_date_and_not_before() {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    let mut handle = later.submit_at(10, notes(7, &drops)).unwrap();
    assert_eq!(at(9, &mut worker, &mut own, times), 0);
    assert_eq!(handle.canceller().state(), TaskState::Pending);
    assert_eq!(drops.count(), 0);
    assert_eq!(at(10, &mut worker, &mut own, times), 1);
    assert_eq!(drops.count(), 1);
    assert_eq!(handle.try_result(), Some(Ok(1)));
    assert_eq!((own, times.next_date()), (vec![7], None));
    drop(handle);
    let stats = radio.stats();
    assert_eq!((stats.completed, stats.slots_in_use), (1, 0));
}

#[test]
fn a_delay_counts_from_the_call_and_is_rounded_up() {
    let (_, times, later) = leak::<4, 4>();
    Manual::set(100);
    let delay = core::time::Duration::from_micros(1001);
    let handle = later.submit_after(delay, |own| own.len()).unwrap();
    assert_eq!(times.next_date(), Some(102));
    assert!(handle.cancel());
}

#[test]
fn due_tasks_run_in_the_order_of_dates_then_of_submission_between_plain_ones() {
    let (radio, times, later) = leak::<16, 16>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    for (number, date) in [5, 3, 5, 1, 3, 5, 9].into_iter().enumerate() {
        let task = notes(date * 100 + number as u64, &drops);
        later.submit_at(date, task).unwrap().detach();
    }
    radio.submit(notes(0, &drops)).unwrap().detach();
    Manual::set(5);
    times.advance();
    radio.submit(notes(999, &drops)).unwrap().detach();
    assert_eq!(run_all(&mut worker, &mut own), 8);
    assert_eq!(own, [0, 103, 301, 304, 500, 502, 505, 999]);
    assert_eq!(times.next_date(), Some(9));
    assert_eq!(drops.count(), 8);
    assert_eq!(at(9, &mut worker, &mut own, times), 1);
}

#[test]
fn a_series_lies_on_its_grid_counts_what_it_missed_and_ends_with_its_break() {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let (drops, every) = (Drops::default(), Every::ticks(10));
    let counted = drops.counted();
    let series = later.submit_every(every, move |own, run| {
        let _ = &counted;
        own.push(run.date * 10_000 + run.late * 100 + u64::from(run.missed));
        if run.date < 70 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(own.len())
        }
    });
    let mut series = series.unwrap();
    at(10, &mut worker, &mut own, times);
    assert!(series.running() && !series.done());
    radio.submit(|own| own.push(1)).unwrap().detach();
    at(22, &mut worker, &mut own, times);
    at(55, &mut worker, &mut own, times); // 40 and 50 have no run
    assert_eq!(at(59, &mut worker, &mut own, times), 0);
    at(60, &mut worker, &mut own, times);
    assert_eq!(drops.count(), 0);
    at(70, &mut worker, &mut own, times);
    assert_eq!(own, [100_000, 1, 200_200, 302_500, 600_002, 700_000]);
    assert_eq!(drops.count(), 1);
    assert_eq!(series.try_result(), Some(Ok(6)));
    assert_eq!(times.next_date(), None);
}

#[test]
fn a_run_that_takes_longer_than_its_period_never_overlaps_the_next() {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let series = later.submit_every(Every::ticks(10), move |own, run| {
        own.push(run.date);
        Manual::set(run.date + 25); // it takes so long
        times.advance();
        assert_eq!(radio.stats().queued, 0, "it is in no queue while it runs");
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(at(10, &mut worker, &mut own, times), 1);
    assert_eq!(at(40, &mut worker, &mut own, times), 1);
    assert_eq!(own, [10, 40]);
    assert!(series.unwrap().cancel());
}

#[test]
fn a_panic_ends_a_task_or_a_series_and_the_owner_goes_on() {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    let (one, two) = (drops.counted(), drops.counted());
    let once = later.submit_at(1, move |own| {
        let _ = &one;
        own.push(1);
        panic!("the task");
    });
    let once: JoinHandle<'_, (), _> = once.unwrap();
    let series = later.submit_every(Every::ticks(1), move |own, run| {
        let _ = &two;
        own.push(run.date);
        assert!(run.date < 2, "the second run");
        ControlFlow::<()>::Continue(())
    });
    let series = series.unwrap();
    at(1, &mut worker, &mut own, times);
    assert!(once.error().is_some_and(TaskError::is_panicked));
    assert_eq!(drops.count(), 1);
    at(2, &mut worker, &mut own, times);
    assert!(series.error().is_some_and(TaskError::is_panicked));
    assert_eq!(drops.count(), 2);
    assert_eq!(at(3, &mut worker, &mut own, times), 0);
    assert_eq!((own, times.next_date()), (vec![1, 1, 2], None));
    drop((once, series));
    assert_eq!((radio.stats().panicked, radio.stats().slots_in_use), (2, 0));
}

#[test]
fn a_task_moves_while_it_waits_and_no_longer() {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let handle = later.submit_at(10, |own| own.push(7)).unwrap();
    assert!(times.move_to(&handle, 20));
    assert_eq!(at(10, &mut worker, &mut own, times), 0);
    assert!(times.move_to(&handle, 15));
    Manual::set(15);
    times.advance();
    assert!(!times.move_to(&handle, 30), "it is in the queue");
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert!(!times.move_to(&handle, 30), "it has ended");
    let plain = radio.submit(|own| own.push(8)).unwrap();
    assert!(!times.move_to(&plain, 30));
    assert_eq!(own, [7]);
}

#[test]
fn a_cancelled_task_gives_back_slot_and_timer_at_once_and_drops_its_closure_once() {
    let (radio, times, later) = leak::<1, 1>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    for round in 1..=3 {
        let handle = later.submit_at(10, notes(1, &drops)).unwrap();
        if round == 2 {
            Manual::set(10);
            times.advance();
        }
        assert!(handle.cancel());
        assert_eq!(drops.count(), round);
        assert_eq!(times.next_date(), None);
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        Manual::set(0);
    }
    let series = later.submit_every(Every::ticks(1), |own, run| {
        own.push(run.date);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(at(1, &mut worker, &mut own, times), 1);
    drop(series.unwrap().cancel_on_drop());
    assert_eq!(at(10, &mut worker, &mut own, times), 0);
    assert_eq!((own, radio.stats().slots_in_use), (vec![1], 0));
}

#[test]
fn a_refused_closure_comes_back_and_can_be_run_by_hand() {
    let (radio, _, later) = leak::<1, 1>();
    let drops = Drops::default();
    let first = later.submit_at(10, notes(1, &drops)).unwrap();
    let refused = later.submit_at(10, notes(2, &drops)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::NoTimer);
    assert_eq!(refused.into_inner()(&mut vec![5]), 2);
    assert_eq!(drops.count(), 1);
    assert!(first.cancel());
    let refused = later.submit_at(10, notes(2, &drops)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full, "the handle has the slot");
    drop(first);
    let run = |own: &mut Own, _: slotted::Release| ControlFlow::Break(own.len());
    let permit = radio.reserve().unwrap();
    let full = later.submit_every(Every::ticks(1), run).unwrap_err();
    assert_eq!(full.reason(), Refusal::Full);
    drop(permit);
    radio.begin_shutdown(Shutdown::Drain);
    let closed = later.submit_every(Every::ticks(1), run).unwrap_err();
    assert_eq!(closed.reason(), Refusal::ShutDown);
    let closed = later.submit_at(10, refused.into_inner()).unwrap_err();
    assert_eq!(closed.reason(), Refusal::ShutDown);
    drop(closed);
    assert_eq!(drops.count(), 3);
    assert_eq!(radio.stats().slots_in_use, 0);
    assert!(later.sleep_until(1).is_ok(), "the timer is free");
}

#[test]
fn a_drain_lets_the_owner_run_what_is_due_and_cancels_what_waits_and_every_series() {
    let (radio, times, later) = leak::<8, 8>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    let forever = |own: &mut Own, run: slotted::Release| {
        own.push(run.date * 10);
        ControlFlow::<()>::Continue(())
    };
    let rests = later.submit_every(Every::ticks(1), forever).unwrap();
    at(1, &mut worker, &mut own, times);
    let due = later.submit_at(1, notes(1, &drops)).unwrap();
    let queued = later
        .submit_every(Every::ticks(1).first_at(1), forever)
        .unwrap();
    let waits = later.submit_at(9, notes(9, &drops)).unwrap();
    times.advance();
    radio.begin_shutdown(Shutdown::Drain);
    assert!(waits.cancelled() && rests.cancelled());
    assert_eq!(drops.count(), 1);
    assert_eq!(times.next_date(), None);
    assert_eq!(run_all(&mut worker, &mut own), 2);
    assert_eq!(worker.run_one(&mut own), Ran::Left);
    assert_eq!(own, [10, 1, 10], "what was due has run");
    assert_eq!(due.result(), Ok(2));
    assert_eq!(queued.result(), Err(TaskError::Cancelled));
    drop((waits, rests));
    assert_eq!(radio.stats().slots_in_use, 0);
    assert!(radio.worker().is_ok(), "nothing is left of the life");
}

#[test]
fn a_shutdown_that_cancels_or_stops_ends_all_dates_and_a_run_that_goes_on() {
    for shutdown in [Shutdown::Cancel, Shutdown::Stop] {
        let (radio, times, later) = leak::<8, 8>();
        let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
        let drops = Drops::default();
        let counted = drops.counted();
        let due = later.submit_at(1, notes(1, &drops)).unwrap();
        let waits = later.submit_at(9, notes(9, &drops)).unwrap();
        let runs = later.submit_every(Every::ticks(1).first_at(0), move |own, _| {
            let _ = &counted;
            own.push(0);
            radio.begin_shutdown(shutdown);
            ControlFlow::<()>::Continue(())
        });
        Manual::set(1);
        times.advance();
        assert_eq!(run_all(&mut worker, &mut own), 1);
        assert_eq!(drops.count(), 3);
        assert_eq!(due.result(), Err(TaskError::Cancelled));
        assert_eq!(waits.result(), Err(TaskError::Cancelled));
        assert_eq!(runs.unwrap().result(), Err(TaskError::Cancelled));
        assert_eq!((own, times.next_date()), (vec![0], None));
        assert_eq!(radio.stats().slots_in_use, 0);
        Manual::set(0);
    }
}

/// What waits, what is due, and what was due and was polled too early, when no owner is left.
#[test]
fn no_date_outlives_the_owner_in_a_shutdown() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        for leaves_first in [false, true] {
            let (radio, times, later) = leak::<8, 8>();
            let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
            let drops = Drops::default();
            let counted = drops.counted();
            let due = later.submit_at(1, notes(1, &drops)).unwrap();
            let waits = later.submit_at(9, notes(9, &drops)).unwrap();
            let series = later.submit_every(Every::ticks(1).first_at(0), move |own, _| {
                let _ = &counted;
                own.push(0);
                ControlFlow::<()>::Continue(())
            });
            at(0, &mut worker, &mut own, times);
            Manual::set(1);
            times.advance();
            if leaves_first {
                drop(worker);
                assert_eq!(drops.count(), 0, "another owner may come");
                radio.begin_shutdown(shutdown);
            } else {
                radio.begin_shutdown(shutdown);
                drop(worker);
            }
            assert_eq!(drops.count(), 3);
            radio.shutdown(shutdown).unwrap();
            assert_eq!(due.result(), Err(TaskError::Cancelled));
            assert_eq!(waits.result(), Err(TaskError::Cancelled));
            assert_eq!(series.unwrap().result(), Err(TaskError::Cancelled));
            assert_eq!((own, times.next_date()), (vec![0], None));
            assert_eq!(radio.stats().slots_in_use, 0);
            assert!(radio.worker().is_ok(), "nothing is left of the life");
            Manual::set(0);
        }
    }
}

#[test]
fn what_is_due_without_an_owner_waits_for_the_next_and_gets_what_that_one_owns() {
    let (radio, times, later) = leak::<8, 8>();
    let drops = Drops::default();
    let mut series = later
        .submit_every(Every::ticks(10), |own, run| {
            own.push(run.date * 10 + u64::from(run.missed));
            if run.date < 40 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(run.date)
            }
        })
        .unwrap();
    let (mut worker, mut first) = (radio.worker().unwrap(), vec![]);
    at(10, &mut worker, &mut first, times);
    let mut once = later.submit_at(15, notes(15, &drops)).unwrap();
    drop(worker);
    Manual::set(20);
    times.advance();
    assert_eq!(once.error(), Some(&TaskError::NotStarted));
    assert_eq!(radio.stats().queued, 2);
    let (mut worker, mut second) = (radio.worker().unwrap(), vec![]);
    Manual::set(35);
    assert_eq!(run_all(&mut worker, &mut second), 2);
    drop(worker);
    let (mut worker, mut third) = (radio.worker().unwrap(), vec![]);
    at(40, &mut worker, &mut third, times);
    assert_eq!(
        (first, second, third),
        (vec![100], vec![15, 200], vec![401])
    );
    assert_eq!(once.try_result(), Some(Ok(1)));
    assert_eq!(series.try_result(), Some(Ok(40)));
    assert_eq!(drops.count(), 1);
}

#[test]
fn each_life_begins_without_dates_and_takes_new_ones() {
    static RADIO: Radio<4> = Owned::new();
    static TIMES: Times<4> = Times::new();
    static LATER: Later = TIMES.on_owned(&RADIO);
    for life in 1..=3 {
        let (mut worker, mut own) = (RADIO.worker().unwrap(), vec![]);
        let waits = LATER.submit_at(100, move |own| own.push(life)).unwrap();
        let due = LATER.submit_at(0, move |own| own.push(life)).unwrap();
        at(1, &mut worker, &mut own, &TIMES);
        RADIO.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(&mut own), Ran::Left);
        assert_eq!(own, [life]);
        assert_eq!(
            (due.result(), waits.result()),
            (Ok(()), Err(TaskError::Cancelled))
        );
        assert_eq!((TIMES.next_date(), RADIO.stats().slots_in_use), (None, 0));
    }
}

/// Runs `outer` as a task of the owner while a timed task waits for its date, or is queued.
fn nested<R: Send + 'static>(
    is_due: bool,
    outer: impl FnOnce(JoinHandle<'static, usize, Manual>) -> R + Send + 'static,
) -> R {
    let (radio, times, later) = leak::<4, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    let timed = later.submit_at(1, notes(1, &drops)).unwrap();
    let outer = radio.submit(move |_| outer(timed)).unwrap();
    if is_due {
        Manual::set(1);
        times.advance();
    }
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(
        (own.len(), drops.count()),
        (0, 0),
        "it ran in no other place"
    );
    Manual::set(1);
    times.advance();
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(drops.count(), 1);
    Manual::set(0);
    outer.result().unwrap()
}

#[test]
fn the_owner_cannot_wait_for_a_date_of_its_own() {
    for is_due in [false, true] {
        let would_deadlock = Err(TaskError::WouldDeadlock);
        assert_eq!(nested(is_due, |timed| timed.result()), would_deadlock);
        assert_eq!(
            nested(is_due, |timed| timed.result_inline()),
            would_deadlock
        );
        let told = nested(is_due, |timed| {
            wait(&mut [timed], ReturnWhen::AllCompleted).not_done.len()
        });
        assert_eq!(told, 1);
    }
}

/// A waker that is older than the task has it polled before its date.
#[test]
fn a_poll_before_the_date_leaves_the_task_to_its_owner() {
    let (radio, times, later) = leak::<3, 4>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let old = std::sync::Arc::new(Mutex::new(None));
    let keeps = old.clone();
    let first = radio.submit_poll(move |_, context| {
        *keeps.lock().unwrap() = Some(context.waker().clone());
        Poll::Ready(())
    });
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(first.unwrap().result(), Ok(()));
    let old = old.lock().unwrap().take().unwrap();

    let drops = Drops::default();
    let timed = later.submit_at(5, notes(5, &drops)).unwrap(); // in the same slot
    old.wake_by_ref();
    assert_eq!(radio.stats().queued, 1, "it is the slot of the old waker");
    let nested = radio.submit(|_| ()).unwrap();
    assert_eq!(run_all(&mut worker, &mut own), 2);
    drop(nested);
    assert_eq!(timed.canceller().state(), TaskState::Pending);
    assert!(times.move_to(&timed, 6), "it still waits for its date");
    // Queued again: no other thread runs it, and the owner does not run it in a wait.
    let (give, take) = std::sync::mpsc::channel::<JoinHandle<'static, usize, Manual>>();
    let outer = radio
        .submit(move |_| take.recv().unwrap().result_inline())
        .unwrap();
    old.wake_by_ref();
    thread::scope(|s| {
        let waiter = s.spawn(|| timed.error_timeout(core::time::Duration::ZERO).is_some());
        assert!(waiter.join().unwrap(), "it timed out");
    });
    give.send(timed).unwrap();
    assert_eq!(run_all(&mut worker, &mut own), 2);
    assert_eq!(outer.result(), Ok(Err(TaskError::WouldDeadlock)));
    assert_eq!(at(6, &mut worker, &mut own, times), 1);
    assert_eq!((own, drops.count()), (vec![5], 1));
}

#[test]
fn a_time_budget_cancels_a_task_that_waits_or_rests_and_stops_one_that_runs() {
    let (radio, times, later) = leak::<4, 8>();
    let (mut worker, mut own) = (radio.worker().unwrap(), vec![]);
    let drops = Drops::default();
    let waits = later.submit_at(9, notes(9, &drops)).unwrap();
    times.cancel_at(&waits, 5).unwrap();
    let counted = drops.counted();
    let rests = radio.submit_poll(move |_, _| -> Poll<()> {
        let _ = &counted;
        Poll::Pending
    });
    let rests = rests.unwrap();
    times.cancel_at(&rests, 6).unwrap();
    let runs = radio.submit_stoppable(move |own, stop| {
        own.push(1);
        Manual::set(7);
        times.advance();
        stop.requested()
    });
    let runs = runs.unwrap();
    times.cancel_at(&runs, 7).unwrap();
    assert_eq!(run_all(&mut worker, &mut own), 2);
    assert_eq!(runs.result(), Ok(true));
    assert!(waits.cancelled() && rests.cancelled());
    assert_eq!(drops.count(), 2);
    assert_eq!(at(20, &mut worker, &mut own, times), 0);
    assert_eq!((own, times.next_date()), (vec![1], None));
}
