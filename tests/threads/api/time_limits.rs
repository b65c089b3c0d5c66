//! No wait with a time limit starts a task in the waiting thread while a worker could run it.

use core::cell::Cell;
use core::time::Duration;
use std::sync::mpsc::channel;

use slotted::{
    Clock, Executor, JoinHandle, Park, Ran, Refusal, ReturnWhen, StdHost, TaskError,
    as_completed_timeout, wait_timeout,
};

use crate::stage::{forever, keep, within_limit};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Each thread has a clock of its own, in milliseconds: it moves when a task takes time, and when
/// the thread sleeps.
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
        panic!("the only thread would sleep for ever");
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

type Pool = Executor<1, 4, 256, Simulated>;
type Handle = JoinHandle<'static, (), Simulated>;

const LIMIT: Duration = Duration::from_millis(10);

/// A task that takes half a second.
fn long_task() {
    NOW.set(NOW.get() + 500);
}

/// A wait with a time limit. Returns true if it timed out.
type Wait = fn(&'static Pool) -> bool;

fn queued(pool: &'static Pool) -> Handle {
    pool.submit(long_task).unwrap()
}

/// Fills the executor: the oldest task is queued, and the other slots are held.
fn with_all_slots_taken(pool: &'static Pool, wait: impl FnOnce() -> bool) -> bool {
    queued(pool).detach();
    let mut permits = Vec::new();
    while let Ok(permit) = pool.reserve() {
        permits.push(permit);
    }
    wait()
}

const WAITS: [(&str, Wait); 13] = [
    ("result_timeout", |pool| {
        queued(pool).result_timeout(LIMIT) == Err(TaskError::TimedOut)
    }),
    ("error_timeout", |pool| {
        queued(pool).error_timeout(LIMIT) == Some(&TaskError::TimedOut)
    }),
    ("JoinHandle::wait_timeout", |pool| {
        queued(pool).wait_timeout(LIMIT) == Err(&TaskError::TimedOut)
    }),
    ("wait_timeout for all", |pool| {
        let mut handles = [queued(pool), queued(pool)];
        let waited = wait_timeout(&mut handles, LIMIT, ReturnWhen::AllCompleted);
        waited.not_done.len() == 2
    }),
    ("wait_timeout for the first", |pool| {
        let mut handles = [queued(pool), queued(pool)];
        let waited = wait_timeout(&mut handles, LIMIT, ReturnWhen::FirstCompleted);
        waited.not_done.len() == 2
    }),
    ("wait_timeout for the first error", |pool| {
        let mut handles = [queued(pool), queued(pool)];
        let waited = wait_timeout(&mut handles, LIMIT, ReturnWhen::FirstError);
        waited.not_done.len() == 2
    }),
    ("as_completed_timeout", |pool| {
        as_completed_timeout([queued(pool)], LIMIT)
            .next()
            .unwrap()
            .is_err()
    }),
    ("map", |pool| {
        let mut map = pool.map([1], |_| long_task()).timeout(LIMIT);
        map.next() == Some(Err(TaskError::TimedOut))
    }),
    ("map in the order of completion", |pool| {
        let map = pool.map([1], |_| long_task()).timeout(LIMIT);
        map.unordered().next() == Some(Err(TaskError::TimedOut))
    }),
    ("map in chunks", |pool| {
        let map = pool.map([1], |_| long_task()).timeout(LIMIT);
        map.chunksize::<2>().next() == Some(Err(TaskError::TimedOut))
    }),
    ("map without a free slot", |pool| {
        with_all_slots_taken(pool, || {
            let mut map = pool.map([1], |_| long_task()).timeout(LIMIT);
            map.next() == Some(Err(TaskError::TimedOut))
        })
    }),
    ("submit_timeout", |pool| {
        with_all_slots_taken(pool, || {
            let refused = pool.submit_timeout(|| (), LIMIT).unwrap_err();
            refused.reason() == Refusal::Full
        })
    }),
    ("reserve_timeout", |pool| {
        with_all_slots_taken(pool, || {
            pool.reserve_timeout(LIMIT).unwrap_err() == Refusal::Full
        })
    }),
];

#[test]
fn waits_with_a_time_limit_in_the_only_worker_start_no_task() {
    within_limit(|| {
        for (name, wait) in WAITS {
            let pool: &Pool = forever(Executor::new());
            let (host, kept) = keep();
            pool.start(&host).unwrap();
            let mut worker = kept.recv().unwrap();
            let (tell, told) = channel();
            let outer = move || {
                let begin = NOW.get();
                let timed_out = wait(pool);
                tell.send((timed_out, NOW.get() - begin)).unwrap();
            };
            pool.submit(outer).unwrap().detach();
            assert_eq!(worker.run_one(), Ran::Task);
            assert_eq!(told.recv().unwrap(), (true, 10), "{name}");
        }
    });
}

/// The same in a thread that is no worker, on an executor that is started later.
#[test]
fn waits_with_a_time_limit_in_another_thread_start_no_task() {
    within_limit(|| {
        for (name, wait) in WAITS {
            let pool: &Pool = forever(Executor::new());
            let begin = NOW.get();
            assert_eq!((wait(pool), NOW.get() - begin), (true, 10), "{name}");
        }
    });
}

/// The same in a thread that is no worker, while the only worker is busy elsewhere.
#[test]
fn waits_with_a_time_limit_beside_a_worker_start_no_task() {
    within_limit(|| {
        for (name, wait) in WAITS {
            let pool: &Pool = forever(Executor::new());
            let (host, kept) = keep();
            pool.start(&host).unwrap();
            let worker = kept.recv().unwrap();
            let begin = NOW.get();
            assert_eq!((wait(pool), NOW.get() - begin), (true, 10), "{name}");
            drop(worker);
        }
    });
}

/// A wait in a worker of another executor, whose tasks that worker cannot run.
#[test]
fn waits_with_a_time_limit_in_a_worker_of_another_executor_start_no_task() {
    within_limit(|| {
        for (name, wait) in WAITS {
            let [pool, home]: [&Pool; 2] = [forever(Executor::new()), forever(Executor::new())];
            let (host, kept) = keep();
            home.start(&host).unwrap();
            let mut worker = kept.recv().unwrap();
            let (tell, told) = channel();
            let outer = move || {
                let begin = NOW.get();
                let timed_out = wait(pool);
                tell.send((timed_out, NOW.get() - begin)).unwrap();
            };
            home.submit(outer).unwrap().detach();
            assert_eq!(worker.run_one(), Ran::Task);
            assert_eq!(told.recv().unwrap(), (true, 10), "{name}");
        }
    });
}

/// A limit of zero looks once, and runs nothing, in a worker too.
#[test]
fn wait_with_a_limit_of_zero_takes_no_time_in_a_worker() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let mut worker = kept.recv().unwrap();
        let outer = move || {
            let mut handle = queued(pool);
            let outcome = handle.wait_timeout(Duration::ZERO).map_err(|_| "late");
            (
                outcome.copied(),
                pool.reserve_timeout(Duration::ZERO).is_ok(),
            )
        };
        let handle = pool.submit(outer).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(handle.result(), Ok((Err("late"), true)));
        assert_eq!(NOW.get(), 0);
    });
}

/// Where the caller is the only one that runs tasks, it looks at the date between two of them.
#[test]
fn driver_starts_no_task_after_the_date() {
    within_limit(|| {
        let pool: &'static Executor<0, 4, 256, Simulated> = forever(Executor::new());
        let first = pool.submit(long_task).unwrap();
        let mut second = pool.submit(long_task).unwrap();
        let limit = Duration::from_millis(100);
        assert_eq!(second.wait_timeout(limit), Err(&TaskError::TimedOut));
        assert_eq!((first.done(), second.done(), NOW.get()), (true, false, 500));
        let waited = wait_timeout(&mut [first, second], limit, ReturnWhen::AllCompleted)
            .done
            .len();
        assert_eq!((waited, NOW.get()), (2, 1000));
    });
}
