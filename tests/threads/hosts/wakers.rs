//! Wakers that panic when they wake or drop.

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::Wake;

use futures_core::Stream;
use slotted::{Executor, as_completed};

use crate::stage::{raise, rounds, with_crew, within_limit};

struct PanicsAtWake;

impl Wake for PanicsAtWake {
    fn wake(self: Arc<Self>) {
        raise("at wake");
    }
}

struct PanicsAtDrop;

impl Wake for PanicsAtDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        raise("at drop");
    }
}

/// The waker panics in the worker that ends the task, and the worker goes on.
#[test]
fn a_panicking_waker_does_not_stop_the_worker() {
    static POOL: Executor<1, 8> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            let wakers: [fn() -> Waker; 2] = [
                || Arc::new(PanicsAtWake).into(),
                || Arc::new(PanicsAtDrop).into(),
            ];
            rounds(|_| {
                for waker in wakers {
                    let held = || {
                        let (go, gone) = channel::<()>();
                        (POOL.submit(move || gone.recv().unwrap()).unwrap(), go)
                    };
                    let (mut handle, go) = held();
                    let own = waker();
                    assert!(
                        Pin::new(&mut handle)
                            .poll(&mut Context::from_waker(&own))
                            .is_pending()
                    );
                    drop(own); // not the last waker: the handle's task has another
                    go.send(()).unwrap();
                    assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
                    handle.result().unwrap();

                    let (handle, go) = held();
                    let mut completed = pin!(as_completed([handle]).stream());
                    let own = waker();
                    assert!(
                        completed
                            .as_mut()
                            .poll_next(&mut Context::from_waker(&own))
                            .is_pending()
                    );
                    drop(own); // as above
                    go.send(()).unwrap();
                    assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
                    let polled = completed
                        .as_mut()
                        .poll_next(&mut Context::from_waker(Waker::noop()));
                    let Poll::Ready(Some(handle)) = polled else {
                        unreachable!("the worker ran the task before a later one")
                    };
                    handle.result().unwrap();
                }
            });
        });
        let stats = POOL.stats();
        assert_eq!((stats.slots_in_use, stats.panicked), (0, 0));
    });
}

/// A dropped handle drops the waker of an earlier poll. No caller sees the waker's panic.
#[test]
fn a_waker_that_panics_as_its_handle_drops_is_contained() {
    let pool: Executor<0, 1> = Executor::new();
    let mut handle = pool.submit(|| 1).unwrap();
    let own = Arc::new(PanicsAtDrop).into();
    assert!(
        Pin::new(&mut handle)
            .poll(&mut Context::from_waker(&own))
            .is_pending()
    );
    drop(own); // not the last waker
    drop(handle);
    assert_eq!(pool.run_until_idle(), 1);
    assert_eq!(pool.stats().slots_in_use, 0);
}
