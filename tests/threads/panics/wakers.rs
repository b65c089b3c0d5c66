//! Panics in wakers of handles and streams.

use core::cell::Cell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

use futures_core::Stream;
use slotted::{Executor, JoinHandle, as_completed};

use super::{assert_sound, caught};
use crate::stage::{raise, within_limit};

std::thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` while wakers panic. Returns true if no panic came out of it.
fn while_wakers_panic(work: impl FnOnce()) -> bool {
    ARMED.set(true);
    let outcome = caught(work);
    ARMED.set(false);
    outcome.is_ok()
}

fn panic_if_armed(_: *const ()) {
    if ARMED.get() {
        raise("waker");
    }
}

static PANICKING: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &PANICKING),
    panic_if_armed,
    panic_if_armed,
    panic_if_armed,
);

/// A waker that differs from the wakers of other numbers. Its wake and its drop panic while this
/// thread is armed.
fn panicking_waker(number: usize) -> Waker {
    // SAFETY: the functions may be called from any thread with any data. There is nothing to
    // release.
    unsafe {
        Waker::from_raw(RawWaker::new(
            core::ptr::without_provenance(number),
            &PANICKING,
        ))
    }
}

fn poll_handle<T>(handle: &mut JoinHandle<'_, T>, waker: &Waker) -> bool {
    pin!(handle)
        .poll(&mut Context::from_waker(waker))
        .is_ready()
}

fn poll_stream(stream: &mut (impl Stream + Unpin), waker: &Waker) -> bool {
    pin!(stream)
        .poll_next(&mut Context::from_waker(waker))
        .is_ready()
}

#[test]
fn a_handles_waker_may_panic_when_dropped_replaced_or_woken() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let (first, second) = (panicking_waker(1), panicking_waker(2));
        let (mut dropped, mut replaced, mut woken) = (
            executor.submit(|| 1).unwrap(),
            executor.submit(|| 2).unwrap(),
            executor.submit(|| 3).unwrap(),
        );
        for handle in [&mut dropped, &mut replaced, &mut woken] {
            assert!(!poll_handle(handle, &first));
        }
        assert!(while_wakers_panic(|| drop(dropped)));
        // The poller itself drops the waker of its earlier poll, and loses nothing by that.
        assert!(while_wakers_panic(|| assert!(!poll_handle(
            &mut replaced,
            &second
        ))));
        let mut told = 0;
        assert!(while_wakers_panic(|| told = executor.run_until_idle()));
        assert_eq!(told, 3);
        assert_eq!(
            (replaced.result().unwrap(), woken.result().unwrap()),
            (2, 3)
        );
        assert_sound(&executor);
    });
}

#[test]
fn a_streams_waker_may_panic_in_each_executor_that_holds_it() {
    within_limit(|| {
        let (left, right): (Executor<0, 4>, Executor<0, 4>) = (Executor::new(), Executor::new());
        let (first, second) = (panicking_waker(1), panicking_waker(2));
        let stream = || {
            let handles = [left.submit(|| 1).unwrap(), right.submit(|| 2).unwrap()];
            let mut stream = as_completed(handles).stream();
            assert!(!poll_stream(&mut stream, &first));
            stream
        };

        let dropped = stream();
        assert!(while_wakers_panic(|| drop(dropped)));
        assert_sound(&left);
        assert_sound(&right);

        let mut replaced = stream();
        assert!(while_wakers_panic(|| assert!(!poll_stream(
            &mut replaced,
            &second
        ))));
        drop(replaced);
        assert_sound(&left);
        assert_sound(&right);

        let mut woken = stream();
        assert!(while_wakers_panic(|| assert!(left.run_one())));
        assert!(while_wakers_panic(|| assert!(right.run_one())));
        assert!(
            [(); 2]
                .into_iter()
                .all(|()| poll_stream(&mut woken, &first))
        );
        drop(woken);
        assert_sound(&left);
        assert_sound(&right);

        // The stream finds one task done while the other executor still holds the waker.
        let mut popped = stream();
        assert!(left.run_one());
        assert!(while_wakers_panic(|| assert!(poll_stream(
            &mut popped,
            &second
        ))));
        drop(popped);
        assert_sound(&left);
        assert_sound(&right);
    });
}
