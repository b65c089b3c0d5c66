//! Which ready task is next.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::Mutex;

use slotted::{Executor, Fifo, Levels, Ordered, Park, Refusal, Shutdown, StdHost, Timetable};

use super::{Host, Log};

#[test]
fn tasks_of_higher_levels_start_first_and_of_one_level_in_the_order_of_submission() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 16, 64, Host> = Executor::new();
    for (number, level) in [0, 2, 1, 0, 1, 2, 2, 0].into_iter().enumerate() {
        let task = LOG.noting(level * 10 + number as u32);
        match level {
            0 => pool.submit(task),
            1 => pool.level::<1>().submit(task),
            _ => pool.level::<2>().submit(task),
        }
        .unwrap()
        .detach();
    }
    assert_eq!(pool.run_until_idle(), 8);
    assert_eq!(LOG.take(), [21, 25, 26, 12, 14, 0, 3, 7]);
}

#[test]
fn a_task_that_is_submitted_later_overtakes_all_of_lower_levels() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 64, 64, Host> = Executor::new();
    for number in 0..60 {
        pool.submit(LOG.noting(number)).unwrap().detach();
    }
    assert!(pool.run_one());
    pool.level::<2>().submit(LOG.noting(100)).unwrap().detach();
    assert!(pool.run_one());
    assert_eq!(LOG.take(), [0, 100]);
}

#[test]
fn run_one_at_takes_nothing_below_its_level() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 16, 64, Host> = Executor::new();
    pool.submit(LOG.noting(0)).unwrap().detach();
    pool.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    assert!(!pool.run_one_at::<2>());
    assert!(pool.run_one_at::<1>());
    assert!(!pool.run_one_at::<1>());
    assert!(pool.run_one_at::<0>());
    assert_eq!(LOG.take(), [1, 0]);
}

#[test]
fn a_future_comes_back_to_its_level_each_time_it_is_woken() {
    static LOG: Log = Log::new();
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    static POOL: Executor<0, 16, 128, Host> = Executor::new();
    let mut polls = 0;
    let future = poll_fn(move |context| {
        polls += 1;
        LOG.note(200 + polls);
        *WAKER.lock().unwrap() = Some(context.waker().clone());
        if polls == 3 {
            return Poll::Ready(());
        }
        if polls == 2 {
            context.waker().wake_by_ref(); // during the poll
        }
        Poll::Pending
    });
    let handle = POOL.level::<2>().submit_future(future).unwrap();
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    assert_eq!(POOL.run_until_idle(), 2);
    POOL.level::<1>().submit(LOG.noting(2)).unwrap().detach();
    WAKER.lock().unwrap().take().unwrap().wake();
    assert_eq!(POOL.run_until_idle(), 3);
    assert_eq!(LOG.take(), [201, 1, 202, 203, 2]);
    assert_eq!(handle.result(), Ok(()));
}

#[test]
fn a_slot_takes_the_level_of_its_next_task_and_keeps_none() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 2, 64, Host> = Executor::new();
    for level in [2_u32, 0, 1, 0, 2, 0] {
        let task = LOG.noting(level);
        let urgent = match level {
            0 => pool.submit(task),
            1 => pool.level::<1>().submit(task),
            _ => pool.level::<2>().submit(task),
        };
        let medium = pool.level::<1>().submit(LOG.noting(7)).unwrap();
        pool.run_until_idle();
        let expected = if level == 0 { [7, 0] } else { [level, 7] };
        assert_eq!(LOG.take(), expected);
        drop((urgent.unwrap(), medium));
    }
}

#[test]
fn permits_and_promises_and_timed_tasks_are_of_the_level_of_their_submitter() {
    static LOG: Log = Log::new();
    static POOL: Executor<0, 8, 128, Host> = Executor::new();
    static TIMES: Timetable<2, Host> = Timetable::new();
    let permit = POOL.level::<2>().reserve().unwrap();
    let (promise, value) = POOL.level::<2>().promise::<u32>().unwrap();
    POOL.submit(LOG.noting(0)).unwrap().detach();
    TIMES
        .on(&POOL)
        .level::<1>()
        .submit_at(0, LOG.noting(1))
        .unwrap()
        .detach();
    TIMES.advance();
    permit.submit(LOG.noting(2)).unwrap().detach();
    promise.complete(Ok(7)).unwrap();
    assert_eq!(POOL.run_until_idle(), 3);
    assert_eq!((LOG.take(), value.result()), (vec![2, 1, 0], Ok(7)));
}

#[test]
fn a_permit_keeps_a_slot_for_urgent_tasks_when_others_take_all() {
    let pool: Executor<0, 2, 64, Host> = Executor::new();
    let permit = pool.level::<2>().reserve().unwrap();
    let low = pool.submit(|| 1).unwrap();
    assert_eq!(pool.submit(|| 2).unwrap_err().reason(), Refusal::Full);
    let urgent = permit.submit(|| 3).unwrap();
    assert!(pool.run_one());
    assert!(urgent.done() && !low.done());
}

#[test]
fn a_cancelled_task_leaves_its_level_and_the_others_keep_their_order() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    let high = pool.level::<2>();
    let first = high.submit(LOG.noting(1)).unwrap();
    let second = high.submit(LOG.noting(2)).unwrap();
    let third = high.submit(LOG.noting(3)).unwrap();
    let low = pool.submit(LOG.noting(0)).unwrap();
    assert!(second.cancel() && first.cancel());
    assert!(pool.run_one() && pool.run_one());
    assert_eq!(LOG.take(), [3, 0]);
    assert!(third.done() && low.done() && !pool.run_one());
}

#[test]
fn a_task_that_is_run_inline_leaves_its_level() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    pool.level::<2>().submit(LOG.noting(2)).unwrap().detach();
    let low = pool.submit(LOG.noting(0)).unwrap();
    low.result_inline().unwrap();
    assert_eq!(LOG.take(), [0]);
    assert_eq!(pool.run_until_idle(), 1);
}

#[test]
fn a_shutdown_runs_or_cancels_tasks_of_all_levels() {
    static LOG: Log = Log::new();
    for how in [Shutdown::Drain, Shutdown::Cancel] {
        let pool: &'static Executor<0, 8, 64, Host> = Box::leak(Box::default());
        let low = pool.submit(LOG.noting(0)).unwrap();
        let high = pool.level::<2>().submit(LOG.noting(2)).unwrap();
        pool.shutdown(how).unwrap();
        let cancels = how == Shutdown::Cancel;
        assert_eq!((low.cancelled(), high.cancelled()), (cancels, cancels));
        assert_eq!(LOG.take(), if cancels { vec![] } else { vec![2, 0] });
    }
}

#[test]
fn the_figures_of_levels_count_starts_and_the_longest_overtaking() {
    let pool: Executor<0, 16, 64, Host> = Executor::new();
    let low = pool.submit(|| ()).unwrap();
    for _ in 0..5 {
        pool.level::<2>().submit(|| ()).unwrap().detach();
        assert!(pool.run_one());
    }
    assert_eq!(pool.level_stats()[0].longest_wait, 0, "it still waits");
    assert!(pool.run_one() && low.done());
    // Alone, it waits for nothing.
    pool.submit(|| ()).unwrap().detach();
    pool.level::<1>().submit(|| ()).unwrap().detach();
    pool.run_until_idle();
    let stats = pool.level_stats();
    assert_eq!(stats.map(|level| level.longest_wait), [5, 0, 0]);
}

#[test]
fn an_executor_with_one_level_is_first_in_first_out() {
    static LOG: Log = Log::new();
    fn play<H: Park>() {
        let pool: Executor<0, 8, 64, H> = Executor::new();
        for number in [3, 1, 2] {
            pool.level::<0>()
                .submit(LOG.noting(number))
                .unwrap()
                .detach();
        }
        pool.run_until_idle();
        assert_eq!(LOG.take(), [3, 1, 2]);
    }
    play::<StdHost>();
    play::<Ordered<StdHost, Fifo>>();
    play::<Ordered<StdHost, Levels<1>>>();
}

#[test]
fn the_host_is_told_the_level_of_each_urgent_task() {
    static TOLD: Log = Log::new();
    struct Told;
    impl Park for Told {
        type Thread = ();
        type Order = Levels<32>;
        fn current() {}
        fn current_id() -> usize {
            1
        }
        fn park() {
            unreachable!("no thread waits");
        }
        fn unpark((): &()) {}
        fn ready_at(level: usize) {
            TOLD.note(level as u32);
        }
    }
    let pool: Executor<0, 8, 64, Told> = Executor::new();
    pool.submit(|| ()).unwrap().detach();
    pool.level::<31>().submit(|| ()).unwrap().detach();
    let raised = pool.level::<3>().submit(|| ()).unwrap();
    assert!(raised.raise::<30>());
    assert_eq!(TOLD.take(), [0, 31, 3, 30]);
    assert!(pool.run_one_at::<31>() && !pool.run_one_at::<31>() && pool.run_one_at::<30>());

    // A future that is woken: during its poll, and later.
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    static FUTURES: Executor<0, 2, 64, Told> = Executor::new();
    let mut polls = 0;
    let future = poll_fn(move |context| {
        polls += 1;
        *WAKER.lock().unwrap() = Some(context.waker().clone());
        if polls == 1 {
            context.waker().wake_by_ref();
        }
        if polls == 3 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let future = FUTURES.level::<7>().submit_future(future).unwrap();
    assert_eq!((FUTURES.run_until_idle(), TOLD.take()), (2, vec![7, 7]));
    WAKER.lock().unwrap().take().unwrap().wake();
    assert_eq!((FUTURES.run_until_idle(), TOLD.take()), (1, vec![7]));
    assert!(future.done());
}
