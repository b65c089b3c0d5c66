//! A wait with a time limit ends when the time is up, not when a task is.
//!
//! The clock is the test's: it moves when a task spends time, and when a thread sleeps.

use core::cell::Cell;
use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{
    Clock, Executor, JoinHandle, Park, Ran, ReturnWhen, StdHost, as_completed_timeout, wait_timeout,
};

use crate::schedules::support::{Keep, within_limit};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// One thread with a clock of its own, in milliseconds.
#[derive(Debug)]
struct Simulated;

impl Park for Simulated {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        panic!("only the calling thread runs: it would sleep for ever");
    }

    fn unpark((): &()) {}
}

impl Clock for Simulated {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        NOW.get()
    }

    fn park_until(deadline: u64) {
        NOW.set(NOW.get().max(deadline));
    }
}

type Pool<const WORKERS: usize> = Executor<WORKERS, 4, 256, Simulated>;
type Handle = JoinHandle<'static, u64, Simulated>;

const LIMIT: Duration = Duration::from_millis(10);

/// A task that takes half a second.
fn long_task() -> u64 {
    NOW.set(NOW.get() + 500);
    NOW.get()
}

/// What `wait` says about a task that has not started, and when, in the only worker. Afterwards
/// the worker runs the task.
fn in_the_worker(pool: &'static Pool<1>, wait: fn(Handle) -> String) {
    within_limit(move || {
        let keep = Keep::new();
        pool.start(&keep).unwrap();
        let [mut worker] = keep.workers::<1>();
        let (tell, told) = channel();
        let outer = move || {
            let said = wait(pool.submit(long_task).unwrap());
            tell.send((said, NOW.get())).unwrap();
        };
        pool.submit(outer).unwrap().detach();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(told.recv().unwrap(), ("timed out".into(), 10));
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!((worker.run_one(), NOW.get()), (Ran::Nothing, 510));
    });
}

fn said(timed_out: bool) -> String {
    (if timed_out { "timed out" } else { "done" }).into()
}

/// A worker that waits with a time limit starts no task itself: it could not stop it in time.
#[test]
fn result_timeout_in_a_worker_starts_no_task() {
    static POOL: Pool<1> = Executor::new();
    in_the_worker(&POOL, |mut handle| {
        said(matches!(handle.result_timeout(LIMIT), Err(error) if error.is_timed_out()))
    });
}

/// The same for a wait that does not take the value.
#[test]
fn error_timeout_in_a_worker_starts_no_task() {
    static POOL: Pool<1> = Executor::new();
    in_the_worker(&POOL, |handle| {
        said(matches!(handle.error_timeout(LIMIT), Some(error) if error.is_timed_out()))
    });
}

/// The same for a wait for several tasks.
#[test]
fn wait_timeout_in_a_worker_starts_no_task() {
    static POOL: Pool<1> = Executor::new();
    in_the_worker(&POOL, |handle| {
        let waited = wait_timeout(&mut [handle], LIMIT, ReturnWhen::AllCompleted)
            .not_done
            .len();
        said(waited == 1)
    });
}

/// The same for handles in the order of completion.
#[test]
fn as_completed_timeout_in_a_worker_starts_no_task() {
    static POOL: Pool<1> = Executor::new();
    in_the_worker(&POOL, |handle| {
        let next = as_completed_timeout([handle], LIMIT).next();
        said(matches!(next, Some(Err(_))))
    });
}

/// What `map` yields first in the only worker, and when, with `free` free slots.
fn map_in_the_worker(pool: &'static Pool<1>, free: usize) {
    within_limit(move || {
        let keep = Keep::new();
        pool.start(&keep).unwrap();
        let [mut worker] = keep.workers::<1>();
        let (tell, told) = channel();
        let outer = move || {
            // The outer task has one.
            let permits: Vec<_> = (free..3).map(|_| pool.reserve().unwrap()).collect();
            let mut map = pool.map([0], |_| long_task()).timeout(LIMIT);
            let first = map.next().unwrap();
            tell.send((said(first.is_err()), NOW.get())).unwrap();
            drop(permits);
        };
        pool.submit(outer).unwrap().detach();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(told.recv().unwrap(), ("timed out".into(), 10));
    });
}

/// The same for `map` with a time limit.
#[test]
fn map_with_a_timeout_in_a_worker_starts_no_task() {
    static POOL: Pool<1> = Executor::new();
    map_in_the_worker(&POOL, 3);
}

/// The same if it finds no slot: it waits for one, and does not do the work itself.
#[test]
fn map_with_a_timeout_in_a_worker_does_no_work_itself_though_no_slot_is_free() {
    static POOL: Pool<1> = Executor::new();
    map_in_the_worker(&POOL, 0);
}

/// A caller that is the only one who runs tasks looks at the time between two of them: it
/// overshoots by one task, and starts no second one.
#[test]
fn driver_looks_at_the_time_between_tasks() {
    static POOL: Pool<0> = Executor::new();
    within_limit(|| {
        let first = POOL.submit(long_task).unwrap();
        let mut second = POOL.submit(long_task).unwrap();
        let timed_out = second.result_timeout(Duration::from_millis(100));
        assert!(timed_out.unwrap_err().is_timed_out());
        assert_eq!((first.done(), second.done(), NOW.get()), (true, false, 500));
    });
}
