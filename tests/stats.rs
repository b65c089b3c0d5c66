//! The figures of `stats` at each step of a task's life. A call of `stats` counts them from the
//! slots themselves.

use slotted::{Executor, Shutdown, SpinHost, Stats};

type Pool = Executor<0, 4, 64, SpinHost>;

/// Slots in use, the most that ever were, tasks queued, tasks running.
fn slots(stats: Stats) -> [usize; 4] {
    [
        stats.slots_in_use,
        stats.slots_high_water,
        stats.queued,
        stats.running,
    ]
}

/// Tasks completed, cancelled, refused.
fn ends(stats: Stats) -> [usize; 3] {
    [stats.completed, stats.cancelled, stats.refused]
}

#[test]
fn a_task_is_queued_then_running_then_neither() {
    static POOL: Pool = Executor::new();
    assert_eq!(slots(POOL.stats()), [0, 0, 0, 0]);
    let outer = POOL
        .submit(|| {
            let before = slots(POOL.stats());
            let inner = POOL.submit(|| slots(POOL.stats())).unwrap();
            (before, inner.result().unwrap())
        })
        .unwrap();
    let cancelled = POOL.submit(|| ()).unwrap();
    assert_eq!(slots(POOL.stats()), [2, 2, 2, 0]);
    assert!(cancelled.cancel());
    assert_eq!(
        slots(POOL.stats()),
        [2, 2, 1, 0],
        "out of the ready queue, with its handle still there"
    );
    drop(cancelled);
    assert!(POOL.run_one());
    assert_eq!(
        slots(POOL.stats()),
        [1, 2, 0, 0],
        "the result is in its slot"
    );
    assert_eq!(
        outer.result().unwrap(),
        ([1, 2, 0, 1], [2, 2, 0, 2]),
        "the inner task ran on the stack of the outer one"
    );
    assert_eq!(slots(POOL.stats()), [0, 2, 0, 0]);
    assert_eq!(ends(POOL.stats()), [2, 1, 0]);
}

#[test]
fn a_running_promise_does_not_count_as_running() {
    static POOL: Pool = Executor::new();
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    assert_eq!(slots(POOL.stats()), [1, 1, 0, 0]);
    assert!(promise.set_running_or_notify_cancel().unwrap());
    assert!(handle.running(), "the handle reports it as running");
    assert_eq!(
        slots(POOL.stats()),
        [1, 1, 0, 0],
        "it runs on no thread's stack"
    );
    promise.set_result(1).unwrap();
    assert_eq!(handle.result().unwrap(), 1);
    assert_eq!(
        slots(POOL.stats()),
        [1, 1, 0, 0],
        "the promise holds the slot"
    );
    drop(promise);
    assert_eq!(
        (slots(POOL.stats()), ends(POOL.stats())),
        ([0, 1, 0, 0], [1, 0, 0])
    );
}

#[test]
fn a_callback_and_a_permit_hold_slots_and_are_neither_queued_nor_running() {
    static POOL: Pool = Executor::new();
    let handle = POOL.submit(|| ()).unwrap();
    handle
        .add_done_callback(|_| assert_eq!(slots(POOL.stats()), [3, 3, 0, 0], "the task has ended"))
        .unwrap();
    let permit = POOL.reserve().unwrap();
    assert_eq!(slots(POOL.stats()), [3, 3, 1, 0]);
    assert!(POOL.run_one());
    assert_eq!(POOL.stats().callbacks_panicked, 0);
    assert_eq!(slots(POOL.stats()), [2, 3, 0, 0]);
    drop((permit, handle));
    assert_eq!(slots(POOL.stats()), [0, 3, 0, 0]);
}

#[test]
fn a_returned_slot_is_used_before_a_fresh_one() {
    static POOL: Pool = Executor::new();
    for _ in 0..10 {
        POOL.submit(|| ()).unwrap().result().unwrap();
    }
    assert_eq!(
        (slots(POOL.stats()), ends(POOL.stats())),
        ([0, 1, 0, 0], [10, 0, 0])
    );
    let handles = [(); 4].map(|()| POOL.submit(|| ()).unwrap());
    assert!(POOL.submit(|| ()).is_err());
    assert_eq!(
        (slots(POOL.stats()), ends(POOL.stats())),
        ([4, 4, 4, 0], [10, 0, 1])
    );
    POOL.shutdown(Shutdown::Cancel).unwrap();
    drop(handles);
    assert_eq!(
        (slots(POOL.stats()), ends(POOL.stats())),
        ([0, 4, 0, 0], [10, 4, 1])
    );
}

#[test]
fn a_future_is_queued_when_woken_and_not_while_suspended() {
    static POOL: Executor<0, 4, 128, SpinHost> = Executor::new();
    let (promise, inner) = POOL.promise::<u8>().unwrap();
    let outer = POOL.submit_future(async { inner.await.unwrap() }).unwrap();
    assert_eq!(slots(POOL.stats()), [2, 2, 1, 0]);
    assert!(POOL.run_one());
    assert_eq!(slots(POOL.stats()), [2, 2, 0, 0], "it is suspended");
    promise.set_result(7).unwrap();
    assert_eq!(slots(POOL.stats()), [2, 2, 1, 0], "it is woken");
    drop(promise);
    assert_eq!(outer.result().unwrap(), 7);
    assert_eq!(slots(POOL.stats()), [0, 2, 0, 0]);
}
