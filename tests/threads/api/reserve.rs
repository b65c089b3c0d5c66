//! Holding a slot, and what can be done with it.

use core::cell::Cell;
use core::time::Duration;

use slotted::{Clock, Executor, JoinHandle, Park, Permit, Refusal, ReturnWhen, Shutdown, wait};

use super::block_on;
use crate::stage::{forever, within_limit};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// One thread, whose clock moves when it sleeps or a task takes time. It ticks in milliseconds.
struct Simulated;

impl Park for Simulated {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        1
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

const LIMIT: Duration = Duration::from_millis(10);

type Pool = Executor<0, 1, 128>;

/// Every way to hold a slot that is free.
const WAYS: [fn(&'static Pool) -> Permit<'static, 128>; 8] = [
    |pool| pool.reserve().unwrap(),
    |pool| pool.reserve_blocking().unwrap(),
    |pool| pool.reserve_timeout(Duration::ZERO).unwrap(),
    |pool| block_on(pool.reserve_async()).unwrap(),
    |pool| pool.submitter().reserve().unwrap(),
    |pool| pool.submitter().reserve_blocking().unwrap(),
    |pool| pool.submitter().reserve_timeout(Duration::ZERO).unwrap(),
    |pool| block_on(pool.submitter().reserve_async()).unwrap(),
];

#[test]
fn permit_of_every_kind_does_all_that_can_be_done_with_a_slot() {
    within_limit(|| {
        for reserve in WAYS {
            let pool: &Pool = forever(Executor::new());
            assert_eq!(reserve(pool).submit(|| 1).unwrap().result(), Ok(1));
            let fallible = reserve(pool).submit_fallible(|| Err::<(), _>(2)).unwrap();
            assert_eq!(fallible.result(), Ok(Err(2)));
            let future = reserve(pool).submit_future(async { 3 }).unwrap();
            assert_eq!(future.result(), Ok(3));
            let (promise, handle) = reserve(pool).promise();
            promise.complete(Ok(4)).unwrap();
            assert_eq!(handle.result(), Ok(4));
            drop(reserve(pool));
            let stats = pool.stats();
            assert_eq!((stats.slots_in_use, stats.refused), (0, 0));
        }
    });
}

/// What a permit takes is told apart as what `submit_fallible` takes.
#[test]
fn fallible_task_of_a_permit_counts_as_a_failure_if_it_fails() {
    let executor: Executor<0, 2> = Executor::new();
    let (_promise, pending) = executor.promise::<Result<(), u8>>().unwrap();
    let permit = executor.reserve().unwrap();
    let failing = permit.submit_fallible(|| Err(7)).unwrap();
    let mut handles = [pending, failing];
    let waited = wait(&mut handles, ReturnWhen::FirstError);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
}

/// A permit is held while a task uses its slot, and no longer.
#[test]
fn permit_holds_its_slot_until_it_is_used_or_dropped() {
    let executor: Executor<0, 1> = Executor::new();
    let permit = executor.reserve().unwrap();
    assert_eq!(executor.submit(|| 1).unwrap_err().reason(), Refusal::Full);
    assert_eq!(executor.promise::<u8>().unwrap_err(), Refusal::Full);
    drop(permit);
    let handle = executor.reserve().unwrap().submit(|| 2).unwrap();
    assert_eq!(executor.reserve().unwrap_err(), Refusal::Full);
    assert_eq!(handle.result(), Ok(2));
    assert!(executor.reserve().is_ok());
}

#[test]
fn reserve_timeout_is_refused_as_full_when_its_time_is_up_and_leaves_the_line() {
    let executor: Executor<0, 1, 64, Simulated> = Executor::new();
    let begin = NOW.get();
    let permit = executor.reserve().unwrap();
    let zero = executor.reserve_timeout(Duration::ZERO);
    assert_eq!((zero.unwrap_err(), NOW.get()), (Refusal::Full, begin));
    let late = executor.reserve_timeout(LIMIT);
    assert_eq!((late.unwrap_err(), NOW.get()), (Refusal::Full, begin + 10));
    drop(permit);
    assert!(executor.reserve_timeout(Duration::ZERO).is_ok());
    assert_eq!(executor.stats().slots_in_use, 0);
    assert_eq!(executor.stats().refused, 2);
}

#[test]
fn submit_timeout_hands_the_closure_back_when_its_time_is_up() {
    let executor: Executor<0, 1, 64, Simulated> = Executor::new();
    let begin = NOW.get();
    let permit = executor.reserve().unwrap();
    let late = executor.submit_timeout(|| 7, LIMIT).unwrap_err();
    assert_eq!((late.reason(), NOW.get()), (Refusal::Full, begin + 10));
    drop(permit);
    let handle = executor.submit_timeout(late.into_inner(), LIMIT).unwrap();
    assert_eq!(handle.result(), Ok(7));
}

/// A thread that waits for a slot on an executor without workers runs ready tasks meanwhile.
#[test]
fn reserve_blocking_drives_an_executor_without_workers() {
    let executor: Executor<0, 2, 64, Simulated> = Executor::new();
    let kept = executor.submit(|| 1).unwrap();
    executor.submit(|| ()).unwrap().detach();
    let permit = executor.reserve_blocking().unwrap();
    assert!(kept.done(), "tasks are run in order");
    assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    assert_eq!(kept.result(), Ok(1));
}

/// The waiter looks at the time between two tasks: it starts none after the date.
#[test]
fn reserve_timeout_drives_an_executor_without_workers_until_its_time_is_up() {
    let executor: Executor<0, 3, 64, Simulated> = Executor::new();
    let long = || NOW.set(NOW.get() + 8);
    let handles = [0; 3].map(|_| executor.submit(long).unwrap());
    assert_eq!(executor.reserve_timeout(LIMIT).unwrap_err(), Refusal::Full);
    assert_eq!(
        handles.each_ref().map(JoinHandle::done),
        [true, true, false]
    );
}

/// Calls that are refused, each once.
fn refuse(pool: &'static Pool) -> Vec<(&'static str, Refusal)> {
    vec![
        ("submit", pool.submit(|| ()).unwrap_err().reason()),
        (
            "fallible",
            pool.submit_fallible(|| Ok::<_, ()>(()))
                .unwrap_err()
                .reason(),
        ),
        ("future", pool.submit_future(async {}).unwrap_err().reason()),
        (
            "timeout",
            pool.submit_timeout(|| (), Duration::ZERO)
                .unwrap_err()
                .reason(),
        ),
        ("reserve", pool.reserve().unwrap_err()),
        (
            "reserve_timeout",
            pool.reserve_timeout(Duration::ZERO).unwrap_err(),
        ),
        ("promise", pool.promise::<u8>().unwrap_err()),
        (
            "scope",
            pool.scope(|s| s.submit(|| ()).unwrap_err().reason()),
        ),
        (
            "submitter",
            pool.submitter().submit(|| ()).unwrap_err().reason(),
        ),
    ]
}

/// Calls that wait if the executor is full, and are refused if it takes no task.
fn refuse_waiting(pool: &'static Pool) -> Vec<(&'static str, Refusal)> {
    vec![
        (
            "submit_blocking",
            pool.submit_blocking(|| ()).unwrap_err().reason(),
        ),
        ("reserve_blocking", pool.reserve_blocking().unwrap_err()),
        ("reserve_async", block_on(pool.reserve_async()).unwrap_err()),
        ("for_each_chunk", {
            let mut numbers = [0; 4];
            pool.scope(|s| s.for_each_chunk(&mut numbers, 1, |_| ()))
                .unwrap_err()
        }),
    ]
}

/// Checks the reason of each refusal, and that each was counted once.
#[track_caller]
fn check(pool: &'static Pool, before: usize, refused: &[(&str, Refusal)], expected: Refusal) {
    for (call, reason) in refused {
        assert_eq!(*reason, expected, "{call}");
    }
    assert_eq!(pool.stats().refused - before, refused.len());
}

#[test]
fn each_refusal_of_a_full_executor_is_counted_once() {
    let pool: &Pool = forever(Executor::new());
    let _permit = pool.reserve().unwrap();
    check(pool, 0, &refuse(pool), Refusal::Full);
}

#[test]
fn each_refusal_after_a_shutdown_is_counted_once_whether_a_slot_is_free_or_not() {
    within_limit(|| {
        for full in [false, true] {
            let pool: &Pool = forever(Executor::new());
            let permit = full.then(|| pool.reserve().unwrap());
            pool.shutdown(Shutdown::Drain).unwrap();
            let mut refused = refuse(pool);
            refused.append(&mut refuse_waiting(pool));
            check(pool, 0, &refused, Refusal::ShutDown);
            drop(permit);
            assert_eq!(pool.stats().slots_in_use, 0);
        }
    });
}

/// A permit holds a slot, not the executor open.
#[test]
fn each_refusal_of_a_permit_after_a_shutdown_is_counted_once_and_frees_its_slot() {
    let pool: &'static Executor<0, 3, 128> = forever(Executor::new());
    let [first, second, third] = [0; 3].map(|_| pool.reserve().unwrap());
    pool.begin_shutdown(Shutdown::Drain);
    let refused = first.submit(|| 6 * 7).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()()),
        (Refusal::ShutDown, 42)
    );
    let refused = second.submit_fallible(|| Ok::<_, ()>(7)).unwrap_err();
    assert_eq!(
        (refused.reason(), refused.into_inner()()),
        (Refusal::ShutDown, Ok(7))
    );
    let refused = third.submit_future(async { 7 }).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(block_on(refused.into_inner()), 7);
    let stats = pool.stats();
    assert_eq!((stats.refused, stats.slots_in_use), (3, 0));
}
