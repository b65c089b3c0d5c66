//! Waits that nothing can end, and the end of a simulation.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU32, Ordering};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

use slotted::{JoinHandle, Shutdown, SimHost, Simulation, TaskError};

use crate::{Pool, millis, now_millis, pool};

/// What `work` panics with.
#[track_caller]
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else {
        panic!("it does not panic");
    };
    message(&panic)
}

fn message(panic: &Box<dyn Any + Send>) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    owned.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).into())
}

#[test]
fn a_wait_without_a_way_out_panics_at_once() {
    let simulation = Simulation::new();
    simulation.advance(millis(1));
    let executor: Pool<0> = Pool::new();
    let (promise, handle) = executor.promise::<u8>().unwrap();
    let panic = panic_of(|| handle.result());
    assert!(
        panic.starts_with("slotted: nothing can end the waits of thread 0 (driver) at 1000000 ns:"),
        "{panic}"
    );
    drop((promise, simulation));
}

#[test]
fn a_wait_until_the_end_of_time_has_no_way_out() {
    let simulation = Simulation::new();
    let executor: Pool<0> = Pool::new();
    let (_promise, mut handle) = executor.promise::<u8>().unwrap();
    let panic = panic_of(|| handle.result_timeout(core::time::Duration::MAX));
    assert!(panic.contains("nothing can end the waits"), "{panic}");
    drop(simulation);
}

/// A worker's task waits for a promise that only the driving thread completes.
fn waits_for_nothing(pool: &'static Pool<2>) -> u8 {
    let (promise, never) = pool.promise::<u8>().unwrap();
    let guard = Arc::new(());
    let (held, kept) = (guard.clone(), Arc::downgrade(&guard));
    drop(guard);
    let task = move || {
        let _held = held;
        never.result().unwrap_or(0)
    };
    let handle = pool.submit(task).unwrap();
    assert_eq!(kept.strong_count(), 1);
    let value = handle.result().unwrap();
    drop(promise);
    value
}

#[test]
fn the_panic_names_the_threads_that_wait_and_the_seed() {
    static POOL: Pool<2> = Pool::new();
    let panic = panic_of(|| {
        let simulation = Simulation::new().seed(7);
        POOL.start(&simulation).unwrap();
        waits_for_nothing(&POOL)
    });
    for part in [
        "thread 0 (driver)",
        "thread 1 (worker 0)",
        "(worker 1)",
        "with seed 7",
    ] {
        assert!(panic.contains(part), "{part} in: {panic}");
    }
    // The workers have left, so that the executor can be started again.
    POOL.shutdown(Shutdown::Cancel).unwrap();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    assert_eq!(POOL.submit(|| 6 * 7).unwrap().result(), Ok(42));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_shutdown_that_the_panic_sets_off_ends_too() {
    for seed in 0..20 {
        let panic = panic_of(|| {
            let simulation = Simulation::new().seed(seed);
            pool::<2, 16>().run_on(&simulation, waits_for_nothing)
        });
        assert!(panic.contains("nothing can end the waits"), "{panic}");
    }
}

/// The threads that waited end by a panic; so do their tasks, with the words of the driving thread.
#[test]
fn what_the_threads_wait_for_ends_by_a_panic() {
    static POOL: Pool<1> = Pool::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    let (promise, never) = POOL.promise::<u8>().unwrap();
    let handle = POOL.submit(move || never.result()).unwrap();
    let (_second, other) = POOL.promise::<u8>().unwrap();
    let panic = panic_of(|| other.result());
    let Err(TaskError::Panicked(task)) = handle.result() else {
        panic!("the task's wait ends by a panic");
    };
    assert_eq!(task.message(), Some(&*panic));
    assert_eq!(simulation.running_threads(), 1); // the worker lives on, and waits for work
    drop(promise);
    POOL.shutdown(Shutdown::Drain).unwrap();
    drop(simulation);
}

#[test]
fn where_the_engine_has_an_error_the_wait_returns_it() {
    static POOL: Pool<1> = Pool::new();
    let simulation = Simulation::new();
    let early = POOL.submit(|| 1).unwrap();
    assert_eq!(early.result(), Err(TaskError::NotStarted));
    POOL.start(&simulation).unwrap();
    let in_itself = || POOL.shutdown(Shutdown::Drain).is_err();
    assert_eq!(POOL.submit(in_itself).unwrap().result(), Ok(true));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_circle_of_workers_would_deadlock_under_every_seed() {
    type Other = Arc<Mutex<Option<JoinHandle<'static, (), SimHost>>>>;
    for seed in 0..50 {
        let pool = pool::<2, 8>();
        let simulation = Simulation::new().seed(seed);
        pool.start(&simulation).unwrap();
        let (left, right) = (Other::default(), Other::default());
        let closed = Arc::new(AtomicU32::new(0));
        let waits_for = |other: &Other| {
            let (other, closed) = (other.clone(), closed.clone());
            move || {
                SimHost::spend(millis(1)); // both run, and both handles are there
                let other = other.lock().unwrap().take().unwrap();
                if other.result() == Err(TaskError::WouldDeadlock) {
                    closed.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let (to_right, to_left) = (waits_for(&right), waits_for(&left));
        *left.lock().unwrap() = Some(pool.submit(to_right).unwrap());
        *right.lock().unwrap() = Some(pool.submit(to_left).unwrap());
        simulation.advance(millis(2));
        assert_eq!(closed.load(Ordering::Relaxed), 1, "seed {seed}");
        assert_eq!(pool.stats().completed, 2, "seed {seed}");
        pool.shutdown(Shutdown::Drain).unwrap();
    }
}

#[test]
fn dropping_a_simulation_waits_for_threads_that_are_about_to_end() {
    static POOL: Pool<4> = Pool::new();
    for seed in 0..20 {
        let simulation = Simulation::new().seed(seed);
        POOL.start(&simulation).unwrap();
        POOL.submit(|| ()).unwrap().detach();
        POOL.shutdown(Shutdown::Drain).unwrap();
    }
}

#[test]
fn dropping_a_simulation_names_the_threads_that_are_left() {
    static POOL: Pool<2> = Pool::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    simulation
        .spawn("slow", || SimHost::spend(millis(1)))
        .unwrap();
    let panic = panic_of(|| drop(simulation));
    assert_eq!(
        panic,
        "slotted: the simulation was dropped before thread 1 (worker 0), thread 2 (worker 1), \
         thread 3 (slow) had ended: shut the executors down first, and let time pass for what \
         waits for a date"
    );
    POOL.shutdown(Shutdown::Cancel).unwrap(); // the workers have left
}

#[test]
fn a_panic_that_drops_a_simulation_stays_the_panic() {
    let panic = panic_of(|| {
        let simulation = Simulation::new();
        pool::<2, 16>().start(&simulation).unwrap();
        simulation
            .spawn("turns", || {
                loop {
                    SimHost::let_others_run()
                }
            })
            .unwrap();
        simulation
            .spawn("spends", || {
                loop {
                    SimHost::spend(millis(1))
                }
            })
            .unwrap();
        simulation
            .spawn("panics", || panic!("not this one"))
            .unwrap();
        SimHost::let_others_run();
        panic!("the test's own");
    });
    assert_eq!(panic, "the test's own");
}

#[test]
fn the_panic_of_a_thread_comes_out_when_the_simulation_is_dropped() {
    let simulation = Simulation::new();
    simulation
        .spawn("panics", || panic!("in the thread"))
        .unwrap();
    simulation.settle();
    assert_eq!(simulation.running_threads(), 0);
    assert_eq!(panic_of(|| drop(simulation)), "in the thread");
}

#[test]
fn after_such_a_panic_time_limits_still_end() {
    let simulation = Simulation::new();
    let executor: Pool<0> = Pool::new();
    let (_promise, mut handle) = executor.promise::<u8>().unwrap();
    panic_of(|| handle.wait().map(|_| ()).map_err(|_| ()));
    assert_eq!(handle.result_timeout(millis(2)), Err(TaskError::TimedOut));
    assert_eq!(now_millis(), 2);
    drop(simulation);
}
