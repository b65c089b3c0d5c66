//! A worker that is an async task: it waits in `ready`, beside a worker that sleeps in a thread.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::thread;

use slotted::{Executor, Park, Ran, Shutdown, Worker};

use super::{FairStage, start_half};
use crate::stage::{Actor, Crew, Stage, within_limit};

type Pool<H> = Executor<2, 8, 128, H>;

/// Polls a future once, with a waker that does nothing.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Submits a task and waits for it in a thread that is no worker: a worker would run the task.
fn submit_and_wait<H: Park>(pool: &'static Pool<H>) {
    let handle = pool.submit(|| 1).unwrap();
    assert_eq!(thread::spawn(|| handle.result()).join().unwrap(), Ok(1));
}

/// Ends the life whose first worker the test keeps.
fn end<H: Park>(pool: &'static Pool<H>, worker: Worker<'static, H>, crew: Crew) {
    drop(worker);
    pool.shutdown(Shutdown::Drain).unwrap();
    crew.join();
}

/// The task wakes the async worker. It leaves instead of running the task.
fn a_worker_leaves_after_ready<H: Park<Thread = Actor>>(pool: &'static Pool<H>) {
    within_limit(|| {
        let (mut worker, crew) = start_half(pool);
        crew.actor(0).until_asleep();
        let mut ready = Box::pin(worker.ready());
        assert!(poll(ready.as_mut()).is_pending());
        let handle = pool.submit(|| 1).unwrap();
        assert!(poll(ready.as_mut()).is_ready());
        drop(ready);
        drop(worker);
        assert_eq!(handle.result(), Ok(1));
        pool.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

#[test]
fn a_worker_that_leaves_after_ready_passes_its_wake_on() {
    static POOL: Pool<Stage> = Executor::new();
    a_worker_leaves_after_ready(&POOL);
}

#[test]
fn a_worker_that_leaves_after_ready_passes_its_wake_on_at_a_fair_host() {
    static POOL: Pool<FairStage> = Executor::new();
    a_worker_leaves_after_ready(&POOL);
}

/// The task wakes the async worker, and then the task is cancelled. On a fair host a worker that
/// was woken keeps the others asleep until it looks.
#[test]
fn a_task_cancelled_after_ready_does_not_quieten_later_submits() {
    static POOL: Pool<FairStage> = Executor::new();
    within_limit(|| {
        let (mut worker, crew) = start_half(&POOL);
        crew.actor(0).until_asleep();
        let mut ready = Box::pin(worker.ready());
        assert!(poll(ready.as_mut()).is_pending());
        let cancelled = POOL.submit(|| 1).unwrap();
        assert!(poll(ready.as_mut()).is_ready());
        drop(ready);
        assert!(cancelled.cancel());
        assert_eq!(worker.run_one(), Ran::Nothing);
        // The async worker has other things to do now.
        submit_and_wait(&POOL);
        end(&POOL, worker, crew);
    });
}

/// No task wakes the forgotten `ready`: the worker is called before there is one.
fn ready_is_forgotten<H: Park<Thread = Actor>>(pool: &'static Pool<H>) {
    within_limit(|| {
        let (mut worker, crew) = start_half(pool);
        crew.actor(0).until_asleep();
        let mut ready = Box::pin(worker.ready());
        assert!(poll(ready.as_mut()).is_pending());
        core::mem::forget(ready);
        assert_eq!(worker.run_one(), Ran::Nothing);
        submit_and_wait(pool);
        end(pool, worker, crew);
    });
}

#[test]
fn a_forgotten_ready_ends_when_the_worker_is_called() {
    static POOL: Pool<Stage> = Executor::new();
    ready_is_forgotten(&POOL);
}

#[test]
fn a_forgotten_ready_ends_when_the_worker_is_called_at_a_fair_host() {
    static POOL: Pool<FairStage> = Executor::new();
    ready_is_forgotten(&POOL);
}

/// A task wakes the forgotten `ready`, in vain. The worker is called later and runs the task, and
/// keeps the other worker asleep no longer.
#[test]
fn a_forgotten_ready_that_was_woken_ends_when_the_worker_is_called() {
    static POOL: Pool<FairStage> = Executor::new();
    within_limit(|| {
        let (mut worker, crew) = start_half(&POOL);
        crew.actor(0).until_asleep();
        let mut ready = Box::pin(worker.ready());
        assert!(poll(ready.as_mut()).is_pending());
        core::mem::forget(ready);
        let first = POOL.submit(|| 1).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(first.result().unwrap(), 1);
        submit_and_wait(&POOL);
        end(&POOL, worker, crew);
    });
}

/// The first task wakes the async worker, whose executor has other things to do before it polls.
/// The worker in a thread sleeps, and the second task wakes it.
#[test]
fn a_ready_that_was_woken_and_not_polled_does_not_quieten_later_submits() {
    static POOL: Pool<FairStage> = Executor::new();
    within_limit(|| {
        let (mut worker, crew) = start_half(&POOL);
        crew.actor(0).until_asleep();
        let mut ready = Box::pin(worker.ready());
        assert!(poll(ready.as_mut()).is_pending());
        let first = POOL.submit(|| 1).unwrap();
        submit_and_wait(&POOL);
        assert_eq!(first.result().unwrap(), 1);
        drop(ready);
        end(&POOL, worker, crew);
    });
}
