//! Promises of the public interface, each in a test of its own.
//!
//! Futures are polled by hand, so a test decides each step and counts polls, wakes and drops.

mod async_shutdown;
mod async_workers;
mod cancel_on_drop;
mod cancel_sync;
mod cancelled_handles;
mod errors;
mod foreign_maps;
mod formats;
mod future_outcomes;
mod joins;
mod lent_outcomes;
mod not_started;
mod one_thread;
mod promises;
mod ready_hook;
mod refusals;
mod reserve;
mod runs;
mod set_running;
mod shutdown_modes;
mod slot_line;
mod stops;
mod streams;
mod submitters;
mod time_limits;

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

/// An async task that the test polls by hand. It counts its wakes.
#[derive(Debug)]
struct Task {
    wakes: Arc<Wakes>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        Self { wakes, waker }
    }

    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut self.context())
    }

    /// How often the task was woken since the last call.
    fn wakes(&self) -> usize {
        self.wakes.0.swap(0, Ordering::Relaxed)
    }
}

/// The value of a future that is ready.
#[track_caller]
fn ready<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is pending"),
    }
}

/// Polls a future in the calling thread, once at first and once for each wake.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Does something when it is woken, cloned or dropped.
struct Acts(Box<dyn Fn() + Send + Sync>);

impl Wake for Acts {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0)();
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that acts when it is woken, and when the last of its clones is dropped.
fn waker_that_acts(act: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Acts(Box::new(act))))
}

/// Makes values that count their drops.
#[derive(Debug, Default)]
struct Drops(Arc<AtomicUsize>);

/// A value of [`Drops`].
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drops {
    fn value(&self) -> Counted {
        Counted(self.0.clone())
    }

    /// How many values were dropped so far.
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
