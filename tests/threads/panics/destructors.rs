//! Panics in destructors of closures, futures, results, payloads and callbacks.

use core::future::poll_fn;
use core::sync::atomic::Ordering;
use core::task::Poll;
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread::{self, ThreadId};

use slotted::{Executor, JoinHandle, TaskError};

use super::{ChainedPanic, Drops, PanicsOnDrop, caught, panic_of, panics_and_slots};
use crate::stage::{raise, with_crew, within_limit};

/// Checks that the executor's only worker still runs in the same thread.
#[track_caller]
fn lives_on(pool: &'static Executor<1, 8, 128>, worker: ThreadId) {
    assert_eq!(
        pool.submit(|| thread::current().id())
            .unwrap()
            .result()
            .unwrap(),
        worker
    );
}

/// Starts the executor, and calls `test` with a drop count and the worker's thread. Then checks how
/// many panics were counted, and that no slot is in use.
fn with_worker(
    pool: &'static Executor<1, 8, 128>,
    [panicked, callbacks_panicked]: [usize; 2],
    test: impl FnOnce(&Drops, ThreadId) + Send + 'static,
) {
    within_limit(move || {
        with_crew(pool, |_| {
            let worker = pool
                .submit(|| thread::current().id())
                .unwrap()
                .result()
                .unwrap();
            test(&Drops::default(), worker);
            lives_on(pool, worker);
        });
        assert_eq!(
            panics_and_slots(pool.stats()),
            [panicked, callbacks_panicked, 0, 0]
        );
    });
}

#[test]
fn a_closure_that_panics_on_drop_after_its_call_is_a_panicked_task() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [1, 0], |drops, worker| {
        let panicking = drops.panicking();
        let outcome = POOL
            .submit(move || drop_at_end(&panicking))
            .unwrap()
            .result();
        assert_eq!(panic_of(outcome), "dropped");
        lives_on(&POOL, worker);
        assert_eq!(drops.dropped(), 1);
    });
}

/// Borrows the capture, so that the closure itself drops it.
fn drop_at_end(panicking: &PanicsOnDrop) -> usize {
    panicking.0.load(Ordering::Relaxed)
}

#[test]
fn a_closure_that_panics_on_drop_can_be_cancelled() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 0], |drops, _worker| {
        let (release, released) = channel::<()>();
        let busy = POOL.submit(move || released.recv().unwrap()).unwrap();
        let panicking = drops.panicking();
        let handle = POOL.submit(move || drop_at_end(&panicking)).unwrap();
        assert_eq!(caught(|| handle.cancel()).ok(), Some(true));
        assert_eq!(drops.dropped(), 1);
        assert!(matches!(handle.result(), Err(TaskError::Cancelled)));
        release.send(()).unwrap();
        busy.result().unwrap();
    });
}

#[test]
fn results_that_panic_on_drop_harm_neither_worker_nor_caller() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 0], |drops, worker| {
        // The worker drops it: the handle is gone.
        let (release, released) = channel::<()>();
        let panicking = drops.panicking();
        let task = move || {
            released.recv().unwrap();
            panicking
        };
        POOL.submit(task).unwrap().detach();
        release.send(()).unwrap();
        lives_on(&POOL, worker);
        assert_eq!(drops.dropped(), 1);

        // The caller drops it.
        let panicking = drops.panicking();
        let handle = POOL.submit(move || panicking).unwrap();
        assert!(handle.error().is_none());
        assert!(caught(|| drop(handle)).is_ok());
        assert_eq!(drops.dropped(), 1);

        // The last holder of a promise drops it.
        let (promise, handle) = POOL.promise().unwrap();
        promise.set_result(drops.panicking()).unwrap();
        drop(promise);
        assert!(caught(|| drop(handle)).is_ok());
        assert_eq!(drops.dropped(), 1);
        let (promise, handle) = POOL.promise().unwrap();
        promise.set_result(drops.panicking()).unwrap();
        drop(handle);
        assert!(caught(|| drop(promise)).is_ok());
        assert_eq!(drops.dropped(), 1);
    });
}

#[test]
fn panic_payloads_that_panic_on_drop_harm_neither_worker_nor_caller() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [3, 0], |_drops, worker| {
        // The worker drops it: the handle is gone.
        let (release, released) = channel::<()>();
        let task = move || {
            released.recv().unwrap();
            resume_unwind(Box::new(ChainedPanic))
        };
        let handle: JoinHandle<'_, ()> = POOL.submit(task).unwrap();
        handle.detach();
        release.send(()).unwrap();
        lives_on(&POOL, worker);

        // The caller drops it without having taken it.
        let handle: JoinHandle<'_, ()> = POOL
            .submit(|| resume_unwind(Box::new(ChainedPanic)))
            .unwrap();
        assert!(handle.error().is_some_and(TaskError::is_panicked));
        assert!(caught(|| drop(handle)).is_ok());

        // The caller takes it and owns it.
        let handle: JoinHandle<'_, ()> = POOL
            .submit(|| resume_unwind(Box::new(ChainedPanic)))
            .unwrap();
        let Err(TaskError::Panicked(panic)) = handle.result() else {
            panic!("the task has not panicked")
        };
        let payload = panic.into_payload();
        assert!(payload.is::<ChainedPanic>());
        core::mem::forget(payload);
    });
}

#[test]
fn panicking_callbacks_are_counted_and_the_others_still_run() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 5], |drops, worker| {
        let (tell, told) = channel();
        let (release, released) = channel::<()>();
        let handle = POOL.submit(move || released.recv().unwrap()).unwrap();
        let panicking = drops.panicking();
        let first = tell.clone();
        handle
            .add_done_callback(move |_| {
                first.send((1, thread::current().id())).unwrap();
                drop_at_end(&panicking);
            })
            .unwrap();
        handle
            .add_done_callback(|_| resume_unwind(Box::new(ChainedPanic)))
            .unwrap();
        handle.add_done_callback(|_| raise("callback")).unwrap();
        let last = tell.clone();
        handle
            .add_done_callback(move |_| last.send((2, thread::current().id())).unwrap())
            .unwrap();
        release.send(()).unwrap();
        assert!(handle.error().is_none());
        assert_eq!(
            [told.recv().unwrap(), told.recv().unwrap()],
            [(1, worker), (2, worker)]
        );
        assert_eq!((drops.dropped(), POOL.stats().callbacks_panicked), (1, 3));

        // A callback for a done task runs in the thread that adds it.
        let panicking = drops.panicking();
        assert!(caught(|| handle.add_done_callback(move |_| drop(panicking)).is_ok()).unwrap());
        assert!(
            caught(|| handle
                .add_done_callback(|_| resume_unwind(Box::new(ChainedPanic)))
                .is_ok())
            .unwrap()
        );
        assert_eq!(drops.dropped(), 1);
        handle.result().unwrap();
    });
}

#[test]
fn futures_that_panic_in_poll_or_on_drop_are_contained() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [1, 0], |drops, worker| {
        let polled = POOL
            .submit_future(poll_fn(|_| -> Poll<()> { raise("poll") }))
            .unwrap();
        assert_eq!(panic_of(polled.result()), "poll");
        lives_on(&POOL, worker);

        // The future is dropped after its output is there.
        let panicking = drops.panicking();
        let ended = POOL
            .submit_future(poll_fn(move |_| Poll::Ready(drop_at_end(&panicking))))
            .unwrap();
        assert_eq!(ended.result().unwrap(), 0);
        assert_eq!(drops.dropped(), 1);
        lives_on(&POOL, worker);

        // The future panics as it is cancelled between two polls.
        let (tell, told) = channel();
        let panicking = drops.panicking();
        let resting = poll_fn(move |_| {
            drop_at_end(&panicking);
            tell.send(()).unwrap();
            Poll::<()>::Pending
        });
        let resting = POOL.submit_future(resting).unwrap();
        told.recv().unwrap();
        // The worker has left the poll once it has run another task.
        lives_on(&POOL, worker);
        assert_eq!(caught(|| resting.cancel()).ok(), Some(true));
        assert_eq!(drops.dropped(), 1);
        assert!(resting.cancelled());
    });
}
