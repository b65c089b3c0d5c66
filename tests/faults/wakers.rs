//! Wakers whose functions are points, in each place where the crate keeps a waker.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use core::time::Duration;
use std::sync::Arc;

use slotted::{Clock, Executor, Ran, Shutdown, SimHost, StdHost};

use crate::points::{Hit, Points, Value, Within, drop_here, within};
use crate::rig::{Home, Rig, SLOTS, Tasks, assert_points, each};

/// A waker that is counted. Its clone, its wake and its destructor are points.
pub(crate) fn alert(points: &Arc<Points>) -> Waker {
    // SAFETY: the functions of `ALERT` take the pointer of a boxed `Value`, which is `Send` and
    // `Sync`, and each waker has a box of its own.
    unsafe { Waker::from_raw(raw(points)) }
}

fn raw(points: &Arc<Points>) -> RawWaker {
    let value = Box::new(points.value("waker"));
    RawWaker::new(Box::into_raw(value).cast_const().cast(), &ALERT)
}

static ALERT: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the box of a waker that is there.
        let value = unsafe { &*data.cast::<Value>() };
        within(Within::Caller, || value.points().pass("waker's clone"));
        raw(value.points())
    },
    |data| {
        // SAFETY: the box of a waker that is there, and that this call ends.
        let value = unsafe { Box::from_raw(data.cast_mut().cast::<Value>()) };
        value.points().pass("waker's wake");
    },
    |data| {
        // SAFETY: the box of a waker that is there.
        let value = unsafe { &*data.cast::<Value>() };
        value.points().pass("waker's wake by reference");
    },
    |data| {
        // SAFETY: the box of a waker that is there, and that this call ends.
        drop(unsafe { Box::from_raw(data.cast_mut().cast::<Value>()) });
    },
);

/// Polls until the future is ready. Between two polls everything runs that can.
pub(crate) fn block_on<H: Clock, F: Future>(rig: &Rig<H>, waker: &Waker, future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..5 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
            return output;
        }
        rig.let_run();
    }
    panic!("the future is never ready")
}
