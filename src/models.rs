//! Loom models of the whole executor: every interleaving, with at most two preemptions, of a few
//! threads on a small one.
//!
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --release --lib`
//!
//! Loom checks each access to a slot's bytes against the happens-before relation, and finds lost
//! wakes as deadlocks. The models count drops. The lists are single-threaded code behind one lock
//! and take part in every model here. The transfer stack, the inbox and the state word have models
//! of their own, at the foot of their files.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::{
    Executor, Park, Ran, Refusal, ReturnWhen, Shutdown, Spawn, TaskError, Worker, as_completed,
    wait,
};

/// Threads of the model.
///
/// Not loom's own `park`: it loses a permit when its thread has to wait for a lock before it parks.
pub(crate) struct Modelled;

/// A thread's number and its permit.
pub(crate) struct ThreadToken {
    id: usize,
    permit: Mutex<bool>,
    given: Condvar,
}

impl Park for Modelled {
    type Thread = Arc<ThreadToken>;
    type Order = crate::order::Fifo;
    // The harder way: fewer wakes to rely on.
    const FAIR: bool = true;

    fn current() -> Arc<ThreadToken> {
        // Not loom's: a name, not a signal.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        loom::thread_local! {
            static TOKEN: Arc<ThreadToken> = Arc::new(ThreadToken {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                permit: Mutex::new(false),
                given: Condvar::new(),
            });
        }
        TOKEN.with(Arc::clone)
    }

    fn current_id() -> usize {
        Self::current().id
    }

    fn park() {
        let token = Self::current();
        let mut permit = token.permit.lock().unwrap();
        while !*permit {
            permit = token.given.wait(permit).unwrap();
        }
        *permit = false;
    }

    fn unpark(token: &Arc<ThreadToken>) {
        *token.permit.lock().unwrap() = true;
        token.given.notify_one();
    }

    fn ready() {
        CALLS_OF_READY.set(CALLS_OF_READY.get() + 1);
    }
}

std::thread_local! {
    /// Loom's threads are all of one thread of the system: that of their test.
    static CALLS_OF_READY: Cell<usize> = const { Cell::new(0) };
}

impl Spawn<Self> for Modelled {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<'static, Self>) -> Result<(), Self::Error> {
        drop(thread::spawn(|| worker.run()));
        Ok(())
    }
}

/// Counts its drops.
#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let drops = Arc::new(AtomicUsize::new(0));
        (Self(drops.clone()), drops)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

mod budgets;
mod dates;
mod joins;
mod lent_polls;
mod levels;
mod listeners;
mod lives;
mod outcomes;
mod owned;
mod steps;
mod stops;
mod waits;

type Pool<const WORKERS: usize, const QUEUE: usize> = Executor<WORKERS, QUEUE, 64, Modelled>;

/// Runs `body` with a started pool, in every interleaving.
fn model<const WORKERS: usize, const QUEUE: usize>(body: fn(&Pool<WORKERS, QUEUE>)) {
    model_within(2, body);
}

/// As `model`, with at most `preemptions` preemptions.
fn model_within<const WORKERS: usize, const QUEUE: usize>(
    preemptions: usize,
    body: fn(&Pool<WORKERS, QUEUE>),
) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(
        builder
            .preemption_bound
            .map_or(preemptions, |bound| bound.min(preemptions)),
    );
    builder.check(move || {
        let pool: &'static Pool<WORKERS, QUEUE> = Box::leak(Box::new(Pool::new()));
        pool.run_on(&Modelled, |pool| body(pool)).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// Runs `body` with a leaked executor without workers, in every interleaving.
fn model_static<const QUEUE: usize>(body: fn(&'static Pool<0, QUEUE>)) {
    model_leaked(body);
}

/// Runs `body` with a leaked executor whose workers the model runs.
fn model_leaked<const WORKERS: usize, const QUEUE: usize>(body: fn(&'static Pool<WORKERS, QUEUE>)) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(move || body(Box::leak(Box::new(Pool::new()))));
}

/// As `model_leaked`, with `preemptions` preemptions whatever the bound of the others is.
fn model_leaked_within<const WORKERS: usize, const QUEUE: usize>(
    preemptions: usize,
    body: fn(&'static Pool<WORKERS, QUEUE>),
) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(preemptions);
    builder.check(move || body(Box::leak(Box::new(Pool::new()))));
}

#[test]
fn a_waiter_sees_the_result() {
    model::<1, 1>(|pool| {
        let handle = pool.submit(|| 42).unwrap();
        assert_eq!(handle.result().unwrap(), 42);
    });
}

#[test]
fn a_worker_that_becomes_idle_does_not_miss_a_task() {
    model::<1, 2>(|pool| {
        let first = pool.submit(|| 1).unwrap();
        let second = pool.submit(|| 2).unwrap();
        assert_eq!(second.result().unwrap(), 2);
        assert_eq!(first.result().unwrap(), 1);
    });
}

#[test]
fn cancel_and_start_have_one_winner() {
    model::<1, 1>(|pool| {
        let (counted, drops) = Counted::new();
        let handle = pool.submit(move || drop(counted)).unwrap();
        let cancelled = handle.cancel();
        assert_eq!(
            cancelled,
            matches!(handle.result(), Err(TaskError::Cancelled))
        );
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_handle_dropped_while_its_task_ends_frees_the_slot_once() {
    model::<1, 1>(|pool| {
        let (counted, drops) = Counted::new();
        drop(pool.submit(move || counted).unwrap());
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_waiter_for_a_slot_finds_one_that_is_freed_meanwhile() {
    model::<1, 1>(|pool| {
        drop(pool.submit(|| ()).unwrap());
        assert_eq!(pool.submit_blocking(|| 2).unwrap().result().unwrap(), 2);
    });
}

#[test]
fn two_workers_share_two_tasks() {
    // Three threads: with a second preemption this one takes minutes.
    model_within::<2, 2>(1, |pool| {
        let handles = [pool.submit(|| 1).unwrap(), pool.submit(|| 2).unwrap()];
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [1, 2]);
    });
}

#[test]
fn everything_accepted_before_shutdown_is_run() {
    model::<1, 2>(|pool| {
        let handle = pool.submit(|| 1).unwrap();
        pool.begin_shutdown(Shutdown::Drain);
        assert!(pool.submit(|| 2).is_err());
        assert_eq!(handle.result().unwrap(), 1);
    });
}

#[test]
fn a_task_that_shutdown_cancels_is_done_for_its_waiter() {
    model::<1, 1>(|pool| {
        let (counted, drops) = Counted::new();
        let handle = pool.submit(move || drop(counted)).unwrap();
        pool.shutdown(Shutdown::Cancel).unwrap();
        assert!(matches!(
            handle.result(),
            Ok(()) | Err(TaskError::Cancelled)
        ));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_callback_added_while_the_task_ends_is_called_once() {
    model::<1, 2>(|pool| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let handle = pool.submit(|| 7).unwrap();
        let added = handle.add_done_callback(move |outcome| {
            assert_eq!(outcome.ok(), Some(&7));
            counter.fetch_add(1, Ordering::Relaxed);
        });
        added.unwrap();
        assert_eq!(handle.result().unwrap(), 7);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn as_completed_yields_tasks_that_end_while_it_registers() {
    model::<1, 2>(|pool| {
        let handles = [pool.submit(|| 1).unwrap(), pool.submit(|| 2).unwrap()];
        let mut results: Vec<i32> = as_completed(handles)
            .map(|handle| handle.result().unwrap())
            .collect();
        results.sort_unstable();
        assert_eq!(results, [1, 2]);
    });
}

#[test]
fn a_failure_wakes_the_waiter_for_the_first_error() {
    model::<1, 2>(|pool| {
        let (promise, open) = pool.promise::<Result<(), ()>>().unwrap();
        let mut handles = [open, pool.submit_fallible(|| Err::<(), ()>(())).unwrap()];
        let waited = wait(&mut handles, ReturnWhen::FirstError);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
        drop(promise);
    });
}

#[test]
fn the_last_of_several_wakes_the_waiter_for_all() {
    model::<1, 2>(|pool| {
        let mut handles = [pool.submit(|| 1).unwrap(), pool.submit(|| 2).unwrap()];
        assert!(
            wait(&mut handles, ReturnWhen::AllCompleted)
                .not_done
                .is_empty()
        );
    });
}

#[test]
fn a_scope_ends_after_its_task_and_sees_what_it_wrote() {
    model::<1, 1>(|pool| {
        let mut numbers = [1];
        pool.scope(|s| s.submit(|| numbers[0] = 2).unwrap().detach());
        assert_eq!(numbers, [2]);
    });
}

#[test]
fn two_waiters_see_the_outcome_of_a_promise() {
    model_static::<1>(|pool| {
        let (promise, handle) = pool.promise::<u32>().unwrap();
        let handle: &'static _ = Box::leak(Box::new(handle));
        let waiters = [0, 1].map(|_| thread::spawn(move || assert!(handle.error().is_none())));
        promise.set_result(1).unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn of_two_completers_of_a_promise_one_gets_its_value_back() {
    model_static::<1>(|pool| {
        let (promise, handle) = pool.promise::<u32>().unwrap();
        let promise: &'static _ = Box::leak(Box::new(promise));
        let other = thread::spawn(move || promise.set_result(1).is_ok());
        let ours = promise.set_result(2).is_ok();
        assert_ne!(other.join().unwrap(), ours);
        assert_eq!(handle.result().unwrap(), if ours { 2 } else { 1 });
    });
}

#[test]
fn a_canceller_and_a_completer_have_one_winner() {
    model_static::<1>(|pool| {
        let (promise, handle) = pool.promise::<u32>().unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.cancel());
        let kept = promise.set_result(2).is_ok();
        assert_ne!(other.join().unwrap(), kept);
        assert_eq!(handle.result().ok(), kept.then_some(2));
    });
}

/// Gives its waker away at the first poll, and is ready at the second.
struct Handover(Arc<Mutex<Option<Waker>>>, bool);

impl Future for Handover {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.1, true) {
            return Poll::Ready(());
        }
        *self.0.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    }
}

#[test]
fn a_wake_during_the_poll_or_after_it_is_not_lost() {
    model_static::<1>(|pool| {
        let kept_waker = Arc::new(Mutex::new(None));
        let handle = pool
            .submit_future(Handover(kept_waker.clone(), false))
            .unwrap();
        let driver = thread::spawn(move || handle.result().unwrap());
        let waker = thread::spawn(move || {
            // Bound: loom runs the driver meanwhile.
            loop {
                let waker = kept_waker.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                    break;
                }
                thread::yield_now();
            }
        });
        waker.join().unwrap();
        driver.join().unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// Ready when it reads 2.
struct UntilTwo(
    Arc<loom::sync::atomic::AtomicUsize>,
    Arc<Mutex<Option<Waker>>>,
);

impl Future for UntilTwo {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::Relaxed) == 2 {
            return Poll::Ready(());
        }
        *self.1.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    }
}

#[test]
fn the_poll_after_a_wake_sees_what_came_before_it_even_if_the_future_was_queued_already() {
    model_static::<1>(|pool| {
        let (number, kept_waker) = (
            Arc::new(loom::sync::atomic::AtomicUsize::new(0)),
            Arc::new(Mutex::new(None)),
        );
        let handle = pool
            .submit_future(UntilTwo(number.clone(), kept_waker.clone()))
            .unwrap();
        assert!(pool.run_one());
        let waker: Waker = kept_waker.lock().unwrap().take().unwrap();
        let driver = thread::spawn(move || handle.result().unwrap());
        // Relaxed: the wakes alone must carry them over.
        number.store(1, Ordering::Relaxed);
        waker.wake_by_ref();
        number.store(2, Ordering::Relaxed);
        waker.wake();
        driver.join().unwrap();
    });
}

#[test]
fn a_waker_and_a_canceller_leave_a_future_dropped_once() {
    model_static::<1>(|pool| {
        let (counted, drops) = Counted::new();
        let kept_waker = Arc::new(Mutex::new(None));
        let handover = Handover(kept_waker.clone(), false);
        let handle = pool
            .submit_future(async move {
                handover.await;
                drop(counted);
            })
            .unwrap();
        assert!(pool.run_one());
        let waker: Waker = kept_waker.lock().unwrap().take().unwrap();
        let woken = thread::spawn(move || waker.wake());
        let cancelled = handle.cancel();
        woken.join().unwrap();
        assert!(
            cancelled,
            "between two polls a future can be cancelled, woken or not"
        );
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        drop(handle);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A canceller of a done task drains the inbox while a submitter pushes a task and runs it inline.
/// Then workers find nothing to look for.
#[test]
fn a_task_that_its_submitter_runs_inline_leaves_the_queue_empty() {
    model_static::<2>(|pool| {
        let done = pool.submit(|| 1).unwrap();
        assert!(pool.run_one());
        let other = thread::spawn(move || assert!(!done.cancel()));
        assert_eq!(pool.submit(|| 2).unwrap().result_inline().unwrap(), 2);
        other.join().unwrap();
        assert!(!pool.run_one());
        assert!(!pool.registry().shared().is_worth_a_look(()));
    });
}

/// Only the waiter runs tasks, and it is about to sleep when a submitter pushes one.
#[test]
fn a_driver_that_is_about_to_sleep_does_not_miss_a_task() {
    model_static::<2>(|pool| {
        let (promise, handle) = pool.promise::<u32>().unwrap();
        let other =
            thread::spawn(move || pool.submit(move || promise.set_result(1).is_ok()).unwrap());
        assert_eq!(handle.result().unwrap(), 1);
        other.join().unwrap().detach();
    });
}

#[test]
fn shutdown_cancels_what_was_accepted_before() {
    model_static::<1>(|pool| {
        let other = thread::spawn(move || pool.submit(|| 2).ok());
        pool.begin_shutdown(Shutdown::Cancel);
        if let Some(accepted) = other.join().unwrap() {
            assert!(accepted.cancelled(), "{accepted:?}");
        }
    });
}

/// Keeps the workers for the model, which runs them.
#[derive(Default)]
struct Keep(std::sync::Mutex<Vec<Worker<'static, Modelled>>>);

impl Spawn<Modelled> for Keep {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<'static, Modelled>) -> Result<(), Self::Error> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

/// The first task and a third wait for a second task, which one of them runs inline. The second
/// waits for the first. The worker that closes the circle gets an error.
#[test]
fn a_circle_through_a_task_that_is_run_inline_is_found() {
    /// What the tasks need of each other. Not loom's: set before it is read.
    #[derive(Default)]
    struct Table {
        first: std::sync::OnceLock<crate::JoinHandle<'static, (), Modelled>>,
        second: std::sync::OnceLock<crate::JoinHandle<'static, (), Modelled>>,
        worker: std::sync::Mutex<Option<Worker<'static, Modelled>>>,
        thread: std::sync::Mutex<Option<thread::JoinHandle<()>>>,
    }

    model_leaked::<2, 4>(|pool| {
        let keep = Keep::default();
        pool.start(&keep).unwrap();
        let mut workers = keep.0.into_inner().unwrap();
        let table: &'static Table = Box::leak(Box::default());
        *table.worker.lock().unwrap() = workers.pop();
        let first = pool.submit(move || {
            let second = pool
                .submit(move || {
                    let _ = table.first.get().unwrap().error();
                })
                .unwrap();
            assert!(table.second.set(second).is_ok());
            let mut worker = table.worker.lock().unwrap().take().unwrap();
            *table.thread.lock().unwrap() = Some(thread::spawn(move || {
                let _ = worker.run_one();
            }));
            let _ = table.second.get().unwrap().error();
        });
        assert!(table.first.set(first.unwrap()).is_ok());
        let third = pool.submit(move || {
            let _ = table.second.get().unwrap().error();
        });
        third.unwrap().detach();
        let _ = workers.pop().unwrap().run_one();
        table.thread.lock().unwrap().take().unwrap().join().unwrap();
    });
}
