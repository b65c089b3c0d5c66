//! Futures that are pending at their first poll and ready at the next.

use core::future::{Future, poll_fn};
use core::task::{Poll, Waker};
use std::sync::mpsc::{Receiver, channel};

use slotted::{Executor, JoinHandle, Park};

/// A future that its first poll suspends, and the waker of that poll.
pub(crate) fn suspended_once<T: Send + 'static>(
    value: T,
) -> (impl Future<Output = T> + Send + 'static, Receiver<Waker>) {
    let (tell, told) = channel();
    let (mut tell, mut value) = (Some(tell), Some(value));
    let future = poll_fn(move |context| match tell.take() {
        Some(tell) => {
            tell.send(context.waker().clone()).unwrap();
            Poll::Pending
        }
        None => Poll::Ready(value.take().unwrap()),
    });
    (future, told)
}

/// Submits a future that its first poll suspends. Returns when that poll has begun, with the
/// waker.
pub(crate) fn suspended<
    const WORKERS: usize,
    const QUEUE: usize,
    const BYTES: usize,
    T: Send + 'static,
    H: Park,
>(
    pool: &'static Executor<WORKERS, QUEUE, BYTES, H>,
    value: T,
) -> (JoinHandle<'static, T, H>, Waker) {
    let (future, told) = suspended_once(value);
    let handle = pool.submit_future(future).unwrap();
    (handle, told.recv().unwrap())
}
