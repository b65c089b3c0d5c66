//! What is refused, given back, or waited for in line, while code of the user panics.

use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;

use slotted::error::Refusal;
use slotted::{Clock, Shutdown, SimHost};

use crate::points::{Within, drop_here};
use crate::rig::{Home, Place, SLOTS, Tasks, assert_points, each};
use crate::tasks::Task;

/// A refused closure is the caller's again, with all it captures.
fn refused<H: Clock>(place: &'static dyn Place<H>) {
    let hits = each(place, "refused", Tasks::Own, |rig| {
        let permits: [_; SLOTS] = core::array::from_fn(|_| rig.submitter.reserve().unwrap());
        let soon = Duration::from_nanos(10);
        let task = Task::new(rig);
        let error = rig.submitter.submit(|| task.run()).err().unwrap();
        assert_eq!(error.reason(), Refusal::Full);
        drop_here(error);
        let task = Task::new(rig);
        let error = rig.submitter.submit_timeout(|| task.run(), soon);
        drop_here(error.err().unwrap());
        let task = Task::new(rig);
        let error = rig.submitter.submit_future(async { task.run() });
        drop_here(error.err().unwrap().into_inner());
        let task = Task::new(rig);
        let error = rig.later.submit_after(soon, || task.run());
        drop_here(error.err().unwrap());
        let [permit, ..] = permits;
        rig.place.shutdown(Shutdown::Drain);
        let task = Task::new(rig);
        let error = permit.submit(|| task.run()).err().unwrap();
        assert_eq!(error.reason(), Refusal::ShutDown);
        drop_here(error);
    });
    assert_points(&hits, &[("capture", Within::Caller)]);
}

#[test]
fn a_refused_closure_is_dropped_by_its_caller() {
    static WITH_WORKERS: Home<2, SimHost> = Home::new();
    static WITHOUT: Home<0, SimHost> = Home::new();
    refused(&WITH_WORKERS);
    refused(&WITHOUT);
}

/// A callback that finds no slot, or that does not fit, is the caller's again.
#[test]
fn a_refused_callback_is_dropped_by_its_caller() {
    static HOME: Home<2, SimHost> = Home::new();
    let hits = each(&HOME, "refused callbacks", Tasks::Own, |rig| {
        let (promise, handle) = rig.submitter.promise::<u8>().unwrap();
        let capture = (rig.value("callback's capture"), [0_u8; 512]);
        let error = handle.add_done_callback(move |_| drop(capture));
        drop_here(error.err().unwrap());
        let permits: [_; SLOTS - 1] = core::array::from_fn(|_| rig.submitter.reserve().unwrap());
        let capture = rig.value("callback's capture");
        let error = handle.add_done_callback(move |_| drop(capture));
        drop_here(error.err().unwrap());
        drop((promise, permits));
    });
    assert_points(&hits, &[("callback's capture", Within::Caller)]);
}

/// A second value for a promise, and a value that no handle takes.
#[test]
fn values_that_a_promise_does_not_keep_are_dropped_once() {
    static HOME: Home<2, SimHost> = Home::new();
    let hits = each(&HOME, "promises", Tasks::Own, |rig| {
        let (promise, handle) = rig.submitter.promise().unwrap();
        promise.set_result(rig.value("value")).ok().unwrap();
        drop_here(promise.set_result(rig.value("value")));
        drop(promise);
        drop(handle);
        let (promise, handle) = rig.submitter.promise().unwrap();
        drop(handle);
        promise.set_result(rig.value("value")).ok().unwrap();
        drop(promise);
        let (promise, handle) = rig.submitter.promise::<crate::points::Value>().unwrap();
        drop(promise);
        assert!(handle.result().is_err());
    });
    assert_points(
        &hits,
        &[("value", Within::Caller), ("value", Within::Library)],
    );
}

/// A waiter for a slot that is dropped, whether a slot has come or not.
#[test]
fn a_waiter_in_line_that_goes_leaves_the_slot_to_the_next() {
    static HOME: Home<2, SimHost> = Home::new();
    let hits = each(&HOME, "the line", Tasks::Own, |rig| {
        let mut permits: Vec<_> =
            { (0..SLOTS).map(|_| rig.submitter.reserve().unwrap()) }.collect();
        let wakers = [(); 3].map(|()| crate::wakers::alert(&rig.points));
        {
            let mut first = pin!(rig.submitter.reserve_async());
            let mut second = Box::pin(rig.submitter.reserve_async());
            let mut third = pin!(rig.submitter.reserve_async());
            let mut contexts = wakers.each_ref().map(Context::from_waker);
            let [one, two, three] = &mut contexts;
            assert!(first.as_mut().poll(one).is_pending());
            assert!(second.as_mut().poll(two).is_pending());
            assert!(third.as_mut().poll(three).is_pending());
            // Another waker than that of the earlier poll.
            assert!(third.as_mut().poll(one).is_pending());
            permits.pop();
            permits.pop();
            drop(second);
            let Poll::Ready(Ok(permit)) = first.as_mut().poll(one) else {
                panic!("a slot came")
            };
            permits.push(permit);
            let Poll::Ready(Ok(permit)) = third.as_mut().poll(three) else {
                panic!("the slot of the waiter that left")
            };
            permits.push(permit);
            let mut late = pin!(rig.submitter.reserve_async());
            assert!(late.as_mut().poll(two).is_pending());
            rig.place.shutdown(Shutdown::Drain);
            assert!(matches!(
                late.as_mut().poll(two),
                Poll::Ready(Err(Refusal::ShutDown))
            ));
        }
        drop(permits);
        drop_here(wakers);
    });
    assert_points(
        &hits,
        &[
            ("waker", Within::Caller),
            ("waker", Within::Library),
            ("waker's clone", Within::Caller),
            ("waker's wake", Within::Library),
        ],
    );
}
