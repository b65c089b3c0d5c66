//! Handles that are watched together.

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::Wake;

use futures_core::Stream;
use slotted::{Executor, JoinHandle, ReturnWhen, Shutdown, StdThreads, as_completed, wait_timeout};

use crate::schedules::support::within_limit;

/// Counts how often it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream that a later task polls wakes that task, and the waker of the earlier poll is dropped.
/// Rust asks a stream for the last task only.
#[test]
fn the_task_that_polled_a_stream_last_is_woken() {
    let executor: Executor<0, 4> = Executor::new();
    let (promise, handle) = executor.promise().unwrap();
    let mut stream = pin!(as_completed([handle]).stream());
    let tasks = [0; 2].map(|_| Arc::new(Woken::default()));
    let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
    let mut poll = |task: usize| {
        let waker = Waker::from(tasks[task].clone());
        let polled = stream.as_mut().poll_next(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Pending));
    };
    poll(0);
    poll(1);
    assert_eq!(woken(), [0, 0]);
    promise.complete(Ok(1)).unwrap();
    assert_eq!(woken(), [0, 1]);
}

/// Handles of two executors are all yielded, those of each executor in the order in which they
/// completed. Between executors the order is not kept, as it is in Python.
#[test]
fn handles_of_several_executors_are_yielded_in_each_executors_own_order() {
    let (first, second): (Executor<0, 4>, Executor<0, 8>) = (Executor::new(), Executor::new());
    let (a0, handle_a0) = first.promise::<&str>().unwrap();
    let (a1, handle_a1) = first.promise::<&str>().unwrap();
    let (b0, handle_b0) = second.promise::<&str>().unwrap();
    let (b1, handle_b1) = second.promise::<&str>().unwrap();
    let completed = as_completed([handle_a1, handle_b1, handle_a0, handle_b0]);
    b0.set_result("b0").unwrap();
    a0.set_result("a0").unwrap();
    b1.set_result("b1").unwrap();
    a1.set_result("a1").unwrap();
    let order: Vec<&str> = completed.map(|handle| handle.result().unwrap()).collect();
    let of = |executor| {
        let names = order.iter().filter(|name| name.starts_with(executor));
        names.copied().collect::<Vec<&str>>()
    };
    assert_eq!((of("a"), of("b")), (vec!["a0", "a1"], vec!["b0", "b1"]));
}

/// A circle through a wait for several tasks is not looked for. A time limit is the way out.
#[test]
fn wait_timeout_gets_out_of_a_circle() {
    static POOL: Executor<3, 8, 128> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (give_left, given_left) = channel::<JoinHandle<'static, ()>>();
        let (give_right, given_right) = channel::<JoinHandle<'static, ()>>();
        let (tell_left, started) = channel();
        let tell_right = tell_left.clone();
        let left = move || {
            tell_left.send(()).unwrap();
            let mut handles = [given_left.recv().unwrap()];
            let limit = Duration::from_millis(10);
            let waited = wait_timeout(&mut handles, limit, ReturnWhen::AllCompleted);
            assert_eq!(waited.not_done.len(), 1);
        };
        let right = move || {
            tell_right.send(()).unwrap();
            given_right.recv().unwrap().result().unwrap();
        };
        let (left, right) = (POOL.submit(left).unwrap(), POOL.submit(right).unwrap());
        // Neither is run in the place of the other.
        assert_eq!([started.recv(), started.recv()], [Ok(()); 2]);
        give_right.send(left).unwrap();
        give_left.send(right).unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().panicked, 0);
    });
}
