//! Shutdowns of executors without workers.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use slotted::{Executor, Shutdown};

use crate::stage::{Stage, suspended_once, within_limit};

/// A future is woken after the first poll of the shutdown. The next poll runs it.
#[test]
fn an_async_shutdown_without_workers_runs_what_is_ready_at_each_poll() {
    static POOL: Executor<0, 4, 128, Stage> = Executor::new();
    within_limit(|| {
        let (future, told) = suspended_once(1);
        let handle = POOL.submit_future(future).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut shutdown = pin!(POOL.shutdown_async(Shutdown::Drain));
        assert!(shutdown.as_mut().poll(&mut context).is_pending());
        told.recv().unwrap().wake();
        assert_eq!(shutdown.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(handle.result().unwrap(), 1);
    });
}
