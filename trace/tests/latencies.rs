//! Which times the histograms count.
#![cfg(feature = "std")]

mod stage;

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::Mutex;
use std::thread;

use slotted::{Executor, Shutdown, Timetable};
use slotted_trace::{Histogram, Latencies};

use self::stage::{Desktop, Keep, Stage, pass, watch};

type Pool = Executor<0, 4, 128, Stage>;

/// The lower ends of the buckets that have values, with their counts.
fn counted(histogram: &Histogram) -> Vec<(u64, u32)> {
    let counted = histogram.buckets().filter(|(_, count)| *count > 0);
    counted
        .map(|(values, count)| (*values.start(), count))
        .collect()
}

#[test]
fn a_task_is_counted_from_submit_to_start_and_from_start_to_end() {
    static POOL: Pool = Executor::new();
    static LATENCIES: Latencies<4> = Latencies::new(&POOL);
    watch(&POOL, &|tick, step| LATENCIES.note(tick, step));
    let first = POOL.submit(|| pass(32)).unwrap();
    let second = POOL.submit(|| pass(8)).unwrap();
    let third = POOL.submit(|| ()).unwrap();
    pass(4);
    third.cancel();
    POOL.run_until_idle();
    assert_eq!(counted(LATENCIES.queueing()), [(4, 1), (32, 1)]);
    assert_eq!(counted(LATENCIES.running()), [(8, 1), (32, 1)]);
    drop((first, second, third));
}

#[test]
fn a_future_is_counted_in_each_poll_and_from_each_wake() {
    static POOL: Pool = Executor::new();
    static LATENCIES: Latencies<4> = Latencies::new(&POOL);
    watch(&POOL, &|tick, step| LATENCIES.note(tick, step));
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    let mut polls = 0;
    let future = POOL.submit_future(poll_fn(move |context| {
        polls += 1;
        pass(16);
        *WAKER.lock().unwrap() = Some(context.waker().clone());
        match polls {
            1 => Poll::Pending,
            2 => {
                context.waker().wake_by_ref(); // no step tells when it is queued again
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }));
    pass(1);
    POOL.run_until_idle();
    pass(1000);
    WAKER.lock().unwrap().take().unwrap().wake();
    pass(64);
    POOL.run_until_idle();
    assert_eq!(counted(LATENCIES.queueing()), [(1, 1), (64, 1)]);
    assert_eq!(counted(LATENCIES.running()), [(16, 3)]);
    assert_eq!(future.unwrap().result(), Ok(()));
}

#[test]
fn a_dated_task_waits_from_its_date_on_and_a_promise_never() {
    static POOL: Pool = Executor::new();
    static TIMES: Timetable<1, Stage> = Timetable::new();
    static LATENCIES: Latencies<4> = Latencies::new(&POOL);
    watch(&POOL, &|tick, step| LATENCIES.note(tick, step));
    let dated = TIMES.on(&POOL).submit_at(1000, || pass(2)).unwrap();
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    pass(1000);
    promise.set_result(1).unwrap();
    TIMES.advance();
    pass(8);
    POOL.run_until_idle();
    assert_eq!(counted(LATENCIES.queueing()), [(8, 1)]);
    assert_eq!(counted(LATENCIES.running()), [(2, 1)]);
    drop((dated, handle));
}

#[test]
fn a_task_within_another_counts_in_both() {
    static POOL: Pool = Executor::new();
    static LATENCIES: Latencies<4> = Latencies::new(&POOL);
    watch(&POOL, &|tick, step| LATENCIES.note(tick, step));
    let outer = POOL.submit(|| POOL.submit(|| pass(100)).unwrap().result());
    outer.unwrap().result().unwrap().unwrap();
    assert_eq!(counted(LATENCIES.running()), [(64, 2)]);
}

#[test]
fn other_executors_are_not_counted() {
    static POOL: Pool = Executor::new();
    static OTHER: Pool = Executor::new();
    static LATENCIES: Latencies<4> = Latencies::new(&POOL);
    watch(&OTHER, &|tick, step| LATENCIES.note(tick, step));
    OTHER.submit(|| pass(1)).unwrap().result().unwrap();
    assert_eq!(LATENCIES.queueing().count(), 0);
    assert_eq!(LATENCIES.running().count(), 0);
}

#[test]
fn threads_count_each_task_once() {
    static POOL: Executor<2, 8, 128, Desktop> = Executor::new();
    static LATENCIES: Latencies<8> = Latencies::new(&POOL);
    const TASKS: usize = if cfg!(miri) { 40 } else { 4000 };
    watch(&POOL, &|tick, step| LATENCIES.note(tick, step));
    thread::scope(|threads| {
        for worker in Keep::start(&POOL) {
            threads.spawn(|| worker.run());
        }
        let sum: usize = POOL.map(0..TASKS, |_| 1).flatten().sum();
        assert_eq!(sum, TASKS);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
    assert_eq!(LATENCIES.queueing().count(), TASKS as u64);
    assert_eq!(LATENCIES.running().count(), TASKS as u64);
}
