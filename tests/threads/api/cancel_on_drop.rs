//! A handle that cancels on drop, as a future.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, TaskError};

use super::{Drops, Task, ready};
use crate::stage::{forever, suspended_once, within_limit};

/// The future that is ready first. What was not ready is dropped with it.
struct Select<A, B>(Option<(A, B)>);

enum First<A, B> {
    Left(A),
    Right(B),
}

impl<A: Future + Unpin, B: Future + Unpin> Future for Select<A, B> {
    type Output = First<A::Output, B::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (left, right) = self.0.as_mut().expect("it is not polled again");
        let first = if let Poll::Ready(left) = Pin::new(left).poll(context) {
            First::Left(left)
        } else if let Poll::Ready(right) = Pin::new(right).poll(context) {
            First::Right(right)
        } else {
            return Poll::Pending;
        };
        self.0 = None;
        Poll::Ready(first)
    }
}

#[test]
fn awaited_it_gives_the_result_and_cancels_nothing() {
    let executor: Executor<0, 1> = Executor::new();
    let task = Task::new();
    let mut guarded = executor.submit(|| 7).unwrap().cancel_on_drop();
    assert!(task.poll(Pin::new(&mut guarded)).is_pending());
    assert!(executor.run_one());
    assert_eq!(task.wakes(), 1);
    assert_eq!(ready(task.poll(Pin::new(&mut guarded))), Ok(7));
    drop(guarded);
    let stats = executor.stats();
    assert_eq!(
        (stats.completed, stats.cancelled, stats.slots_in_use),
        (1, 0, 0)
    );
}

#[test]
fn awaited_it_gives_the_error() {
    let executor: Executor<0, 1> = Executor::new();
    let (promise, handle) = executor.promise::<u8>().unwrap();
    let task = Task::new();
    let mut guarded = handle.cancel_on_drop();
    assert!(task.poll(Pin::new(&mut guarded)).is_pending());
    drop(promise);
    assert_eq!(
        ready(task.poll(Pin::new(&mut guarded))),
        Err(TaskError::Broken)
    );
}

#[test]
fn select_that_drops_it_cancels_its_task() {
    let executor: Executor<0, 2> = Executor::new();
    let drops = Drops::default();
    let captured = drops.value();
    let victim = executor.submit(move || drop(captured)).unwrap();
    let canceller = victim.canceller();
    let (promise, other) = executor.promise::<u8>().unwrap();
    let task = Task::new();
    let mut select = Select(Some((victim.cancel_on_drop(), other)));
    assert!(task.poll(Pin::new(&mut select)).is_pending());
    promise.complete(Ok(7)).unwrap();
    assert_eq!(task.wakes(), 1);
    let First::Right(outcome) = ready(task.poll(Pin::new(&mut select))) else {
        panic!("the victim has not run");
    };
    assert_eq!(outcome, Ok(7));
    assert!(!canceller.cancel(), "the task is gone");
    assert_eq!(drops.count(), 1, "the closure was dropped unrun");
    let stats = executor.stats();
    assert_eq!(
        (stats.cancelled, stats.queued, stats.slots_in_use),
        (1, 0, 0)
    );
    assert!(!executor.run_one());
}

#[test]
fn select_that_gets_its_result_cancels_nothing() {
    let executor: Executor<0, 2> = Executor::new();
    let (promise, other) = executor.promise::<u8>().unwrap();
    let task = Task::new();
    let winner = executor.submit(|| 7).unwrap().cancel_on_drop();
    let mut select = Select(Some((winner, other)));
    assert!(task.poll(Pin::new(&mut select)).is_pending());
    executor.run_one();
    let First::Left(outcome) = ready(task.poll(Pin::new(&mut select))) else {
        panic!("the promise is not kept");
    };
    assert_eq!(outcome, Ok(7));
    assert_eq!(executor.stats().cancelled, 0);
    assert!(
        promise.complete(Ok(1)).is_ok(),
        "the other was detached only"
    );
}

/// The plain handle in the same place detaches, which is the difference.
#[test]
fn select_that_drops_a_plain_handle_lets_its_task_run() {
    let executor: Executor<0, 2> = Executor::new();
    let (promise, other) = executor.promise::<u8>().unwrap();
    let task = Task::new();
    let mut select = Select(Some((executor.submit(|| 7).unwrap(), other)));
    assert!(task.poll(Pin::new(&mut select)).is_pending());
    promise.complete(Ok(7)).unwrap();
    drop(ready(task.poll(Pin::new(&mut select))));
    assert!(executor.run_one());
    let stats = executor.stats();
    assert_eq!(
        (stats.cancelled, stats.completed, stats.slots_in_use),
        (0, 2, 0)
    );
}

/// A hand-written time limit inside an async task: the alarm is a promise that an interrupt keeps.
#[test]
fn time_limit_that_drops_it_cancels_an_async_task_between_two_polls() {
    static POOL: Executor<0, 4, 256> = Executor::new();
    let drops = Drops::default();
    let captured = drops.value();
    let victim = POOL
        .submit_future(async move {
            core::future::pending::<()>().await;
            drop(captured);
        })
        .unwrap();
    let (alarm, ring) = POOL.promise::<()>().unwrap();
    let limited = async {
        match Select(Some((victim.cancel_on_drop(), ring))).await {
            First::Left(_) => "done",
            First::Right(_) => "late",
        }
    };
    let caller = POOL.submit_future(limited).unwrap();
    assert_eq!(POOL.run_until_idle(), 2);
    assert_eq!(drops.count(), 0);
    alarm.complete(Ok(())).unwrap();
    assert_eq!(caller.result(), Ok("late"));
    assert_eq!(drops.count(), 1, "the future was dropped");
    let stats = POOL.stats();
    assert_eq!((stats.cancelled, stats.slots_in_use), (1, 0));
}

/// A task that runs cannot be cancelled: it ends, and its value is dropped once.
#[test]
fn dropped_while_its_task_runs_it_lets_the_task_end() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let pool: &'static Executor<0, 1> = forever(Executor::new());
        let drops = Drops::default();
        let value = drops.value();
        let ((begin, begun), (go_on, told)) = (channel::<()>(), channel::<()>());
        let guarded = pool
            .submit(move || {
                begin.send(()).unwrap();
                told.recv().unwrap();
                RAN.fetch_add(1, Ordering::Relaxed);
                value
            })
            .unwrap()
            .cancel_on_drop();
        let runner = thread::spawn(|| pool.run_one());
        begun.recv().unwrap();
        drop(guarded);
        go_on.send(()).unwrap();
        assert!(runner.join().unwrap());
        assert_eq!((RAN.load(Ordering::Relaxed), drops.count()), (1, 1));
        assert_eq!((pool.stats().cancelled, pool.stats().slots_in_use), (0, 0));
    });
}

#[test]
fn into_inner_after_a_poll_cancels_nothing() {
    let executor: Executor<0, 1> = Executor::new();
    let task = Task::new();
    let mut guarded = executor.submit(|| 7).unwrap().cancel_on_drop();
    assert!(task.poll(Pin::new(&mut guarded)).is_pending());
    assert_eq!(guarded.into_inner().result(), Ok(7));
    assert_eq!(task.wakes(), 1);
    assert_eq!(executor.stats().cancelled, 0);
}

/// A panic of the body drops it too.
#[test]
fn async_task_that_is_cancelled_cancels_what_it_awaits() {
    static POOL: Executor<0, 4, 256> = Executor::new();
    let (future, _waker) = suspended_once(7);
    let inner = POOL.submit_future(future).unwrap();
    let outer = POOL
        .submit_future(async { inner.cancel_on_drop().await })
        .unwrap();
    assert_eq!(POOL.run_until_idle(), 2);
    assert!(outer.cancel());
    assert_eq!(POOL.stats().cancelled, 2);
    drop(outer);
    assert_eq!(POOL.stats().slots_in_use, 0);
}

/// It may be awaited by reference, and dropped later.
#[test]
fn awaited_by_reference_it_cancels_when_it_is_dropped_later() {
    let executor: Executor<0, 1> = Executor::new();
    let task = Task::new();
    let mut guarded = executor.submit(|| 7).unwrap().cancel_on_drop();
    {
        let mut by_reference = pin!(poll_fn(|context| Pin::new(&mut guarded).poll(context)));
        assert!(task.poll(by_reference.as_mut()).is_pending());
    }
    assert_eq!(executor.stats().queued, 1);
    drop(guarded);
    let stats = executor.stats();
    assert_eq!(
        (stats.cancelled, stats.queued, stats.slots_in_use),
        (1, 0, 0)
    );
}
