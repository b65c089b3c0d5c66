//! Hosts that panic as a thread waits: the panic ends one wait. Every other wait ends as it should.

use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use slotted::{Clock, Executor, Fifo, Park, Shutdown};

use super::{message_of, panic_of};
use crate::stage::{
    Actor, Crew, Habits, StageWith, forever, raise, suspended_once, with_crew, within_limit,
};

/// Longer than any machine takes: a wait that takes so long never ends.
const PATIENCE: Duration = Duration::from_secs(30);

thread_local! {
    /// How many ends of `park` come before the one that panics. A park has two: before the thread
    /// sleeps, and after.
    static PANICS_AT: Cell<Option<u32>> = const { Cell::new(None) };
}

thread_local! {
    /// How many calls of `current` come before the one that panics.
    static CURRENT_PANICS_AT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The end of `park` before the thread sleeps, and the end after.
const BEFORE: u32 = 0;
const AFTER: u32 = 1;

struct Panics;

impl Habits for Panics {
    fn around_park() {
        match PANICS_AT.take() {
            Some(0) => raise("park"),
            ends => PANICS_AT.set(ends.map(|ends| ends - 1)),
        }
    }

    fn before_current() {
        match CURRENT_PANICS_AT.take() {
            Some(0) => raise("current"),
            calls => CURRENT_PANICS_AT.set(calls.map(|calls| calls - 1)),
        }
    }
}

type Host = StageWith<Panics>;

/// A thread that waits. Returns when it sleeps, with what tells the outcome of the wait.
fn waits<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell_actor, actor) = channel::<Actor>();
    let (tell, told) = channel();
    thread::spawn(move || {
        tell_actor.send(Host::current()).unwrap();
        tell.send(wait()).unwrap();
    });
    actor.recv().unwrap().until_asleep();
    told
}

/// A thread in which `park` panics before it sleeps. Returns when it has.
fn panics<T>(wait: impl FnOnce() -> T + Send + 'static) {
    let panics = move || {
        PANICS_AT.set(Some(BEFORE));
        assert_eq!(message_of(wait), "park");
    };
    thread::spawn(panics).join().unwrap();
}

#[test]
fn a_waiter_that_a_panicking_one_displaced_hears_of_the_end_of_the_task() {
    within_limit(|| {
        let pool: &Executor<1, 2, 64, Host> = forever(Executor::new());
        let (promise, handle) = pool.promise::<u8>().unwrap();
        let handle = Arc::new(handle);
        let other = handle.clone();
        let displaced = waits(move || other.error().is_none());
        panics(move || handle.error().is_none());
        promise.set_result(7).unwrap();
        assert_eq!(displaced.recv_timeout(PATIENCE), Ok(true));
    });
}

#[test]
fn a_shutdown_that_a_panicking_one_displaced_ends_and_a_start_follows() {
    within_limit(|| {
        let pool: &'static Executor<1, 2, 64, Host> = forever(Executor::new());
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let (go, gone) = channel::<()>();
        let task = pool.submit(move || gone.recv().is_ok()).unwrap();
        let displaced = waits(|| pool.shutdown(Shutdown::Drain));
        panics(|| pool.shutdown(Shutdown::Drain));
        go.send(()).unwrap();
        assert_eq!(displaced.recv_timeout(PATIENCE), Ok(Ok(())));
        crew.join();
        assert_eq!(task.result(), Ok(true));
        with_crew(pool, |_| {
            assert_eq!(pool.submit(|| 7).unwrap().result(), Ok(7));
        });
    });
}

#[test]
fn a_driver_that_a_panicking_one_displaced_polls_a_future_that_is_woken() {
    within_limit(|| {
        let pool: &'static Executor<0, 2, 128, Host> = forever(Executor::new());
        let (future, waker) = suspended_once(7);
        let future = pool.submit_future(future).unwrap();
        let displaced = waits(|| future.result());
        let (_promise, open) = pool.promise::<u8>().unwrap();
        panics(move || open.result());
        waker.recv().unwrap().wake();
        assert_eq!(displaced.recv_timeout(PATIENCE), Ok(Ok(7)));
    });
}

/// Both workers are busy. One of them was about to wait for a slot's earlier task when its host
/// panicked. The slot's later task waits for the task that this worker runs now.
#[test]
fn a_wait_that_panicked_is_no_part_of_a_circle() {
    within_limit(|| {
        let pool: &'static Executor<2, 3, 256, Host> = forever(Executor::new());
        with_crew(pool, |_| {
            let (end_busy, busy) = channel::<()>();
            let (tell_started, started) = channel::<Actor>();
            let busy = pool
                .submit(move || {
                    tell_started.send(Host::current()).unwrap();
                    busy.recv().is_ok()
                })
                .unwrap();
            let waiter = started.recv().unwrap();

            let (promise, earlier) = pool.promise::<u8>().unwrap();
            let panicked = pool.submit(move || {
                PANICS_AT.set(Some(BEFORE));
                earlier.result()
            });
            assert_eq!(panic_of(panicked.unwrap().result()), "park");

            let (end, ends) = channel::<()>();
            let (tell_runs, runs) = channel();
            let awaited = pool
                .submit(move || {
                    tell_runs.send(()).unwrap();
                    ends.recv().is_ok()
                })
                .unwrap();
            runs.recv().unwrap();
            // No other slot is free.
            promise.complete(Ok(7)).unwrap();
            let (tell_waits, waits) = channel();
            let later = pool
                .submit(move || {
                    tell_waits.send(()).unwrap();
                    awaited.result()
                })
                .unwrap();
            end_busy.send(()).unwrap();
            waits.recv().unwrap();
            waiter.until_asleep();
            end.send(()).unwrap();
            assert_eq!(later.result(), Ok(Ok(true)));
            assert_eq!(busy.result(), Ok(true));
        });
    });
}

/// Threads of the stage that panic, and a host that counts what it is told. Each test has its own.
struct Told<const TEST: usize>;

static TOLD: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

thread_local! {
    /// How many calls of `now` come before the one that panics.
    static NOW_PANICS_AT: Cell<Option<u32>> = const { Cell::new(None) };
}

impl<const TEST: usize> Clock for Told<TEST> {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        match NOW_PANICS_AT.take() {
            Some(0) => raise("now"),
            calls => NOW_PANICS_AT.set(calls.map(|calls| calls - 1)),
        }
        0
    }

    fn park_until(_: u64) {
        Host::park();
    }
}

impl<const TEST: usize> Park for Told<TEST> {
    type Thread = Actor;
    type Order = Fifo;

    fn current() -> Actor {
        Host::current()
    }

    fn current_id() -> usize {
        Host::current_id()
    }

    fn park() {
        Host::park();
    }

    fn unpark(actor: &Actor) {
        Host::unpark(actor);
    }

    fn ready() {
        TOLD[TEST].fetch_add(1, Ordering::Relaxed);
    }
}

/// The thread was woken for a task, which no other thread runs now but the loop of the host.
#[test]
fn a_driver_that_panics_as_it_is_woken_has_the_host_told_of_the_task() {
    within_limit(|| {
        type Host = Told<0>;
        let pool: &'static Executor<0, 2, 64, Host> = forever(Executor::new());
        let (_promise, open) = pool.promise::<u8>().unwrap();
        let (tell_actor, actor) = channel::<Actor>();
        let driver = thread::spawn(move || {
            tell_actor.send(Host::current()).unwrap();
            PANICS_AT.set(Some(AFTER));
            message_of(|| open.result())
        });
        actor.recv().unwrap().until_asleep();
        let task = pool.submit(|| 7).unwrap();
        assert_eq!(driver.join().unwrap(), "park");
        assert_eq!(
            TOLD[0].load(Ordering::Relaxed),
            1,
            "the host's loop sleeps on"
        );
        assert_eq!(pool.run_until_idle(), 1);
        assert_eq!(task.result(), Ok(7));
    });
}

/// As above. The clock panics before the thread sleeps, as it is woken, as it looks again, or not
/// at all.
#[test]
fn a_driver_whose_clock_panics_has_the_host_told_of_the_task() {
    within_limit(|| {
        type Host = Told<1>;
        // Bound: a wait looks at the time a few times.
        for calls in 0.. {
            let pool: &'static Executor<0, 2, 64, Host> = forever(Executor::new());
            let (promise, mut open) = pool.promise::<u8>().unwrap();
            let told = || TOLD[1].load(Ordering::Relaxed);
            let (tell_actor, actor) = channel::<Actor>();
            let driver = thread::spawn(move || {
                tell_actor.send(Host::current()).unwrap();
                NOW_PANICS_AT.set(Some(calls));
                let waits = || open.result_timeout(Duration::from_secs(1)).is_err();
                catch_unwind(AssertUnwindSafe(waits)).is_err()
            });
            let actor = actor.recv().unwrap();
            while !actor.is_asleep() && !driver.is_finished() {
                thread::yield_now();
            }
            let before = told();
            let task = pool.submit(|| 7).unwrap();
            while !task.done() && !driver.is_finished() {
                thread::yield_now();
            }
            if !driver.is_finished() {
                promise.set_result(1).unwrap();
            }
            if !driver.join().unwrap() {
                assert!(
                    calls > 2,
                    "the clock was not read after the thread was woken"
                );
                break;
            }
            assert!(
                task.done() || told() > before,
                "call {calls}: the host's loop sleeps on"
            );
        }
    });
}

/// A thread that waits, and whose host panics as it names the thread for the `calls`-th time.
/// Returns when the thread sleeps or has ended, with what tells if the wait panicked.
fn panics_naming<T>(calls: u32, wait: impl FnOnce() -> T + Send + 'static) -> JoinHandle<bool> {
    let (tell_actor, actor) = channel::<Actor>();
    let thread = thread::spawn(move || {
        tell_actor.send(Host::current()).unwrap();
        CURRENT_PANICS_AT.set(Some(calls));
        catch_unwind(AssertUnwindSafe(wait)).is_err()
    });
    let actor = actor.recv().unwrap();
    while !actor.is_asleep() && !thread.is_finished() {
        thread::yield_now();
    }
    thread
}

/// The host panics before the thread registers, as it leaves its place, or not at all.
#[test]
fn a_waiter_that_a_thread_without_a_name_displaced_hears_of_the_end_of_the_task() {
    within_limit(|| {
        // Bound: a wait names its thread a few times.
        for calls in 0.. {
            let pool: &Executor<1, 2, 64, Host> = forever(Executor::new());
            let (promise, handle) = pool.promise::<u8>().unwrap();
            let handle = Arc::new(handle);
            let other = handle.clone();
            let displaced = waits(move || other.error().is_none());
            let panicking = panics_naming(calls, move || handle.error().is_none());
            promise.set_result(7).unwrap();
            assert_eq!(displaced.recv_timeout(PATIENCE), Ok(true), "call {calls}");
            if !panicking.join().unwrap() {
                assert!(calls > 0, "the host was not asked");
                break;
            }
        }
    });
}

#[test]
fn a_driver_that_a_thread_without_a_name_displaced_polls_a_future_that_is_woken() {
    within_limit(|| {
        // Bound: as above.
        for calls in 0.. {
            let pool: &'static Executor<0, 3, 128, Host> = forever(Executor::new());
            let (future, waker) = suspended_once(7);
            let future = pool.submit_future(future).unwrap();
            let displaced = waits(|| future.result());
            let (promise, open) = pool.promise::<u8>().unwrap();
            let panicking = panics_naming(calls, move || open.result());
            // It wakes the thread, if that sleeps. Its place as a driver is left in turn.
            promise.complete(Ok(1)).unwrap();
            let panicked = panicking.join().unwrap();
            waker.recv().unwrap().wake();
            let result = displaced.recv_timeout(PATIENCE);
            assert_eq!(result, Ok(Ok(7)), "call {calls}");
            if !panicked {
                assert!(calls > 0, "the host was not asked");
                break;
            }
        }
    });
}
