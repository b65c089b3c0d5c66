//! Raising: by hand, and by what waits.

use core::time::Duration;
use std::sync::Mutex;

use slotted::{Executor, JoinHandle, ReturnWhen, Shutdown, Simulation, TaskError, wait};

use super::{Host, Log, SimLevels, Tied, a_millisecond, leaked};

#[test]
fn a_raised_task_stands_at_the_end_of_its_new_level() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    let low = pool.submit(LOG.noting(0)).unwrap();
    pool.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    assert!(low.raise::<1>());
    pool.level::<1>().submit(LOG.noting(2)).unwrap().detach();
    pool.run_until_idle();
    assert_eq!(LOG.take(), [1, 0, 2]);
}

#[test]
fn a_task_is_raised_only_from_a_lower_level_and_while_it_is_queued() {
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    let task = pool.level::<1>().submit(|| ()).unwrap();
    assert!(!task.raise::<0>(), "it would fall");
    assert!(!task.raise::<1>(), "it is there");
    assert!(task.raise::<2>());
    pool.run_until_idle();
    assert!(!task.raise::<2>(), "it is done");
    let (_promise, waits) = pool.promise::<()>().unwrap();
    assert!(!waits.raise::<2>(), "no worker runs it");
    let cancelled = pool.submit(|| ()).unwrap();
    cancelled.cancel();
    assert!(!cancelled.raise::<2>());
}

#[test]
fn a_raised_future_keeps_its_level() {
    static LOG: Log = Log::new();
    static POOL: Executor<0, 8, 128, Host> = Executor::new();
    let yields = async {
        let mut has_yielded = false;
        core::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            match core::mem::replace(&mut has_yielded, true) {
                true => core::task::Poll::Ready(()),
                false => core::task::Poll::Pending,
            }
        })
        .await;
        LOG.note(2);
    };
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    let future = POOL.submit_future(yields).unwrap();
    assert!(future.raise::<2>());
    POOL.run_until_idle();
    assert_eq!(LOG.take(), [2, 1]);
}

/// One worker runs an urgent task that waits for a low one. Medium tasks stand before that.
/// Returns what ran, in order.
fn inversion(waits: impl FnOnce(JoinHandle<'static, (), SimLevels>) + Send + 'static) -> Vec<u32> {
    let log: &'static Log = Box::leak(Box::new(Log::new()));
    let pool = leaked::<2, 16>();
    let simulation = Simulation::new();
    pool.start(&simulation).unwrap();
    // The other worker is kept until the urgent task waits.
    pool.level::<2>().submit(a_millisecond).unwrap().detach();
    simulation.settle();
    let low = pool
        .submit(move || {
            a_millisecond();
            log.note(0);
        })
        .unwrap();
    for number in [11, 12, 13] {
        let medium = move || {
            a_millisecond();
            log.note(number);
        };
        pool.level::<1>().submit(medium).unwrap().detach();
    }
    let urgent = pool.level::<2>().submit(move || {
        waits(low);
        log.note(2);
    });
    urgent.unwrap().detach();
    pool.shutdown(Shutdown::Drain).unwrap();
    drop(simulation);
    log.take()
}

#[test]
fn an_urgent_task_that_waits_with_a_limit_is_not_held_up_by_medium_tasks() {
    let ran = inversion(|mut low| {
        assert_eq!(low.result_timeout(Duration::from_secs(1)), Ok(()));
    });
    assert_eq!(ran.len(), 5);
    assert_eq!(ran[..2], [0, 2], "then the medium ones: {ran:?}");
}

#[test]
fn an_urgent_task_that_waits_for_several_raises_all_of_them() {
    let ran = inversion(|low| {
        let waited =
            slotted::wait_timeout(&mut [low], Duration::from_secs(1), ReturnWhen::AllCompleted)
                .done
                .len();
        assert_eq!(waited, 1);
    });
    assert_eq!(ran[..2], [0, 2], "{ran:?}");
}

#[test]
fn an_urgent_future_that_awaits_raises_what_it_awaits() {
    static LOG: Log = Log::new();
    static POOL: Executor<1, 16, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    let low = POOL.submit(LOG.noting(0)).unwrap();
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    let urgent = async move {
        low.await.unwrap();
        LOG.note(2);
    };
    POOL.level::<2>().submit_future(urgent).unwrap().detach();
    POOL.start(&simulation).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(LOG.take(), [0, 2, 1]);
}

#[test]
fn a_low_task_that_waits_raises_nothing() {
    static LOG: Log = Log::new();
    static POOL: Executor<1, 16, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    let other = POOL.submit(LOG.noting(1)).unwrap();
    let waits = async move {
        other.await.unwrap();
    };
    POOL.level::<1>().submit_future(waits).unwrap().detach();
    POOL.level::<1>().submit(LOG.noting(2)).unwrap().detach();
    POOL.start(&simulation).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    // Raised to level 1, behind what stood there.
    assert_eq!(LOG.take(), [2, 1]);
}

#[test]
fn what_a_task_waits_for_in_place_raises_with_the_most_urgent_of_the_stack() {
    static LOG: Log = Log::new();
    static LOW: Mutex<Option<JoinHandle<'static, (), SimLevels>>> = Mutex::new(None);
    static POOL: Executor<1, 16, 64, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    *LOW.lock().unwrap() = Some(POOL.submit(LOG.noting(0)).unwrap());
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    let inner = POOL
        .submit(|| {
            let mut low = LOW.lock().unwrap().take().unwrap();
            // No other worker: the limit ends the wait.
            let limited = low.result_timeout(Duration::from_millis(1));
            assert_eq!(limited, Err(TaskError::TimedOut));
        })
        .unwrap();
    let outer = move || {
        inner.result().unwrap(); // in place
        LOG.note(2);
    };
    POOL.level::<2>().submit(outer).unwrap().detach();
    POOL.start(&simulation).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(LOG.take(), [2, 0, 1], "raised above the medium one");
}

#[test]
fn a_worker_that_serves_urgent_levels_runs_in_place_what_it_waits_for() {
    static LOG: Log = Log::new();
    let pool = leaked::<1, 8>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap(); // the only worker serves level 2
    let low = pool.submit(LOG.noting(0)).unwrap();
    let urgent = pool
        .level::<2>()
        .submit(move || low.result().unwrap())
        .unwrap();
    urgent.result().unwrap();
    assert_eq!(LOG.take(), [0]);
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn waiting_for_several_runs_them_in_place_without_a_limit() {
    static LOG: Log = Log::new();
    let pool = leaked::<1, 8>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap();
    let mut low = [
        pool.submit(LOG.noting(0)).unwrap(),
        pool.submit(LOG.noting(1)).unwrap(),
    ];
    let urgent = pool.level::<2>().submit(move || {
        assert_eq!(wait(&mut low, ReturnWhen::AllCompleted).done.len(), 2);
    });
    urgent.unwrap().result().unwrap();
    assert_eq!(LOG.take(), [0, 1]);
    pool.shutdown(Shutdown::Drain).unwrap();
}
