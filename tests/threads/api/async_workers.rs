//! `Worker::ready`: a worker that is a task of an async runtime.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Context;
use std::sync::mpsc::channel;
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{Executor, Park, Ran, Shutdown, Worker};

use super::{Task, block_on, ready, waker_that_acts};
use crate::stage::{Actor, Habits, Stage, StageWith, forever, keep, suspended_once, within_limit};

/// The stage of a desktop: a woken worker keeps the others asleep until it has looked.
struct Fair;

impl Habits for Fair {
    const FAIR: bool = true;
}

/// Starts an executor whose workers the test has.
fn start<const WORKERS: usize, H: Park>(
    pool: &'static Executor<WORKERS, 4, 128, H>,
) -> [Worker<'static, H>; WORKERS] {
    let (host, kept) = keep();
    pool.start(&host).unwrap();
    drop(host);
    let workers: Vec<_> = kept.iter().collect();
    workers.try_into().expect("as many workers as there are")
}

/// A worker as an async task.
async fn work<H: Park>(mut worker: Worker<'static, H>) -> usize {
    let mut ran = 0;
    loop {
        worker.ready().await;
        match worker.run_one() {
            Ran::Task => ran += 1,
            Ran::Nothing => {}
            Ran::Left => return ran,
        }
    }
}

/// Runs a worker in a thread of its own.
fn run_in_thread<H: Park<Thread = Actor>>(
    worker: Worker<'static, H>,
) -> (thread::JoinHandle<()>, Actor) {
    let (tell, told) = channel();
    let thread = thread::spawn(move || {
        tell.send(H::current()).unwrap();
        worker.run();
    });
    let actor = told.recv().unwrap();
    (thread, actor)
}

#[test]
fn ready_is_ready_at_once_if_a_task_is_queued_and_pending_otherwise() {
    let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
    let [mut worker] = start(pool);
    let task = Task::new();
    assert!(task.poll(pin!(worker.ready())).is_pending());
    let handle = pool.submit(|| 7).unwrap();
    ready(task.poll(pin!(worker.ready())));
    assert_eq!(worker.run_one(), Ran::Task);
    assert!(task.poll(pin!(worker.ready())).is_pending());
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn ready_is_woken_once_by_a_task() {
    let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
    let [mut worker] = start(pool);
    let task = Task::new();
    {
        let mut waits = pin!(worker.ready());
        assert!(task.poll(waits.as_mut()).is_pending());
        assert!(
            task.poll(waits.as_mut()).is_pending(),
            "polled for no reason"
        );
        assert_eq!(task.wakes(), 0);
        pool.submit(|| ()).unwrap().detach();
        pool.submit(|| ()).unwrap().detach();
        assert_eq!(task.wakes(), 1);
        ready(task.poll(waits.as_mut()));
    }
    let ran = [worker.run_one(), worker.run_one(), worker.run_one()];
    assert_eq!(ran, [Ran::Task, Ran::Task, Ran::Nothing]);
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn ready_is_woken_by_the_wake_of_a_future_that_rests() {
    let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
    let [mut worker] = start(pool);
    let (future, told) = suspended_once(7);
    let handle = pool.submit_future(future).unwrap();
    assert_eq!(worker.run_one(), Ran::Task);
    let task = Task::new();
    {
        let mut waits = pin!(worker.ready());
        assert!(task.poll(waits.as_mut()).is_pending());
        told.recv().unwrap().wake();
        assert_eq!(task.wakes(), 1);
        ready(task.poll(waits.as_mut()));
    }
    assert_eq!(worker.run_one(), Ran::Task);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn ready_is_woken_by_each_kind_of_shutdown_and_the_worker_leaves() {
    within_limit(|| {
        for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
            let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
            let [mut worker] = start(pool);
            let task = Task::new();
            {
                let mut waits = pin!(worker.ready());
                assert!(task.poll(waits.as_mut()).is_pending());
                pool.begin_shutdown(shutdown);
                assert_eq!(task.wakes(), 1);
                ready(task.poll(waits.as_mut()));
            }
            assert_eq!(worker.run_one(), Ran::Left);
            ready(task.poll(pin!(worker.ready())));
            pool.shutdown(shutdown).unwrap();
        }
    });
}

/// A shutdown that drains waits for a future that rests; the last poll lets the workers go.
#[test]
fn ready_is_woken_when_the_last_future_of_a_shutdown_is_done() {
    let pool: &'static Executor<2, 4, 128, Stage> = forever(Executor::new());
    let [mut polls, mut waits] = start(pool);
    let (future, told) = suspended_once(7);
    let handle = pool.submit_future(future).unwrap();
    assert_eq!(polls.run_one(), Ran::Task);
    pool.begin_shutdown(Shutdown::Drain);
    let task = Task::new();
    {
        let mut other = pin!(waits.ready());
        assert!(
            task.poll(other.as_mut()).is_pending(),
            "it stays for the future"
        );
        told.recv().unwrap().wake();
        assert_eq!(task.wakes(), 1);
        assert_eq!(polls.run_one(), Ran::Task);
        ready(task.poll(other.as_mut()));
    }
    assert_eq!([polls.run_one(), waits.run_one()], [Ran::Left, Ran::Left]);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn ready_of_a_worker_that_cannot_work_is_ready_and_run_one_says_left() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        let [mut stale] = start(pool);
        pool.begin_shutdown(Shutdown::Drain);
        assert_eq!(stale.run_one(), Ran::Left);
        let [mut worker] = start(pool);
        ready(Task::new().poll(pin!(stale.ready())));
        assert_eq!(stale.run_one(), Ran::Left);
        assert!(Task::new().poll(pin!(worker.ready())).is_pending());
    });
}

#[test]
fn first_poll_of_ready_runs_the_start_hook() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    fn succeed(_: usize) -> Result<(), WorkerStartError> {
        STARTED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    let new = Executor::new().on_worker_start(succeed);
    let pool: &'static Executor<1, 4, 128, Stage> = forever(new);
    let [mut worker] = start(pool);
    let unpolled = worker.ready();
    drop(unpolled);
    assert_eq!(STARTED.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        assert!(Task::new().poll(pin!(worker.ready())).is_pending());
        assert_eq!(STARTED.load(Ordering::Relaxed), 1);
    }
    let new = Executor::new().on_worker_start(|_| Err(WorkerStartError));
    let pool: &'static Executor<1, 4, 128, Stage> = forever(new);
    let [mut worker] = start(pool);
    ready(Task::new().poll(pin!(worker.ready())));
    assert_eq!(worker.run_one(), Ran::Left);
}

/// One runtime, in one thread, whose tasks are the workers of another executor.
#[test]
fn workers_are_tasks_of_a_runtime_in_one_thread() {
    static RUNTIME: Executor<0, 4, 512, Stage> = Executor::new();
    static POOL: Executor<2, 4, 128, Stage> = Executor::new();
    within_limit(|| {
        let workers = start(&POOL).map(|worker| RUNTIME.submit_future(work(worker)).unwrap());
        assert_eq!(RUNTIME.run_until_idle(), 2);
        let (future, told) = suspended_once(7);
        let resting = POOL.submit_future(future).unwrap();
        let closure = POOL.submit(|| 8).unwrap();
        assert!(RUNTIME.run_until_idle() <= 2, "no worker is polled in vain");
        told.recv().unwrap().wake();
        assert_eq!(RUNTIME.run_until_idle(), 1);
        assert!(resting.done() && closure.done());
        assert_eq!((resting.result(), closure.result()), (Ok(7), Ok(8)));
        assert!(
            !RUNTIME.run_one(),
            "nothing is polled while there is nothing to do"
        );
        POOL.begin_shutdown(Shutdown::Drain);
        let ran: usize = workers
            .into_iter()
            .map(|worker| worker.result().unwrap())
            .sum();
        assert_eq!(ran, 3);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// Async workers in one thread, submitters in others, by a runtime that sleeps between wakes.
#[test]
fn async_worker_serves_submitters_of_other_threads() {
    const TASKS: usize = if cfg!(miri) { 5 } else { 500 };
    static POOL: Executor<1, 4, 128, Stage> = Executor::new();
    within_limit(|| {
        let [worker] = start(&POOL);
        let runtime = thread::spawn(move || block_on(work(worker)));
        thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    for n in 0..TASKS {
                        assert_eq!(POOL.submit_blocking(move || n).unwrap().result(), Ok(n));
                    }
                });
            }
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(runtime.join().unwrap(), 2 * TASKS);
    });
}

#[test]
fn waker_of_the_last_poll_is_woken() {
    let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
    let [mut worker] = start(pool);
    let [first, last] = [Task::new(), Task::new()];
    let mut waits = pin!(worker.ready());
    assert!(first.poll(waits.as_mut()).is_pending());
    assert!(last.poll(waits.as_mut()).is_pending());
    pool.submit(|| ()).unwrap().detach();
    assert_eq!((first.wakes(), last.wakes()), (0, 1));
}

/// A worker that was woken for a task gives up; the one that sleeps in a thread runs the task.
fn woken_worker_gives_up<H: Park<Thread = Actor>>() {
    let pool: &'static Executor<2, 4, 128, H> = forever(Executor::new());
    let [mut gives_up, other] = start(pool);
    let (thread, actor) = run_in_thread(other);
    actor.until_asleep();
    let task = Task::new();
    let mut waits = Box::pin(gives_up.ready());
    assert!(task.poll(waits.as_mut()).is_pending());
    let handle = pool.submit(|| thread::current().id()).unwrap();
    assert_eq!(task.wakes(), 1, "of two sleepers one is woken");
    drop(waits);
    assert_eq!(handle.result(), Ok(thread.thread().id()));
    // The worker is good for a thread of its own.
    let (second, _) = run_in_thread(gives_up);
    let [left, right] = [0; 2].map(|_| pool.submit(|| ()).unwrap());
    assert_eq!((left.result(), right.result()), (Ok(()), Ok(())));
    pool.shutdown(Shutdown::Drain).unwrap();
    thread.join().unwrap();
    second.join().unwrap();
}

#[test]
fn woken_worker_that_drops_its_wait_passes_the_wake_on() {
    within_limit(woken_worker_gives_up::<Stage>);
}

#[test]
fn woken_worker_that_drops_its_wait_passes_the_wake_on_where_threads_are_fair() {
    within_limit(woken_worker_gives_up::<StageWith<Fair>>);
}

/// The same between two workers that are both async tasks.
#[test]
fn woken_async_worker_that_drops_its_wait_wakes_another_async_worker() {
    within_limit(|| {
        let pool: &'static Executor<2, 4, 128, StageWith<Fair>> = forever(Executor::new());
        let [mut first, mut second] = start(pool);
        let tasks = [Task::new(), Task::new()];
        let mut first_waits = Box::pin(first.ready());
        let mut second_waits = Box::pin(second.ready());
        assert!(tasks[0].poll(first_waits.as_mut()).is_pending());
        assert!(tasks[1].poll(second_waits.as_mut()).is_pending());
        pool.submit(|| ()).unwrap().detach();
        assert_eq!(tasks.each_ref().map(Task::wakes), [1, 0]);
        drop(first_waits);
        assert_eq!(tasks.each_ref().map(Task::wakes), [0, 1]);
        ready(tasks[1].poll(second_waits.as_mut()));
        drop(second_waits);
        assert_eq!(
            [second.run_one(), first.run_one()],
            [Ran::Task, Ran::Nothing]
        );
    });
}

#[test]
fn worker_that_drops_its_wait_unwoken_is_not_woken_and_loses_no_task() {
    let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
    let [mut worker] = start(pool);
    let task = Task::new();
    {
        let mut waits = pin!(worker.ready());
        assert!(task.poll(waits.as_mut()).is_pending());
    }
    let handle = pool.submit(|| 7).unwrap();
    assert_eq!(task.wakes(), 0);
    ready(task.poll(pin!(worker.ready())));
    assert_eq!(worker.run_one(), Ran::Task);
    assert_eq!(handle.result(), Ok(7));
}

/// It was woken, and drops the wait; the task waits for the worker's next look.
#[test]
fn task_is_not_lost_if_the_only_worker_drops_its_wait_after_the_wake() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, StageWith<Fair>> = forever(Executor::new());
        let [mut worker] = start(pool);
        let task = Task::new();
        {
            let mut waits = pin!(worker.ready());
            assert!(task.poll(waits.as_mut()).is_pending());
            pool.submit(|| ()).unwrap().detach();
            assert_eq!(task.wakes(), 1);
        }
        ready(task.poll(pin!(worker.ready())));
        assert_eq!(worker.run_one(), Ran::Task);
        // Until the worker is run elsewhere this thread is the worker's.
        let (thread, actor) = run_in_thread(worker);
        actor.until_asleep();
        assert_eq!(pool.submit(|| 7).unwrap().result(), Ok(7));
        pool.shutdown(Shutdown::Drain).unwrap();
        thread.join().unwrap();
    });
}

/// A worker whose wait was dropped unwoken parks and is woken as any other thread is.
#[test]
fn worker_that_was_awaited_runs_on_a_thread_and_parks_there() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        let [mut worker] = start(pool);
        let task = Task::new();
        assert!(task.poll(pin!(worker.ready())).is_pending());
        let (thread, actor) = run_in_thread(worker);
        for n in 0..3 {
            actor.until_asleep();
            assert_eq!(pool.submit(move || n).unwrap().result(), Ok(n));
        }
        assert_eq!(task.wakes(), 0, "the earlier waker is gone");
        pool.shutdown(Shutdown::Drain).unwrap();
        thread.join().unwrap();
    });
}

/// A worker that is dropped leaves, and the shutdown does not wait for it.
#[test]
fn worker_that_is_dropped_while_it_is_awaited_leaves() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        let mut awaited = Box::pin(work(start(pool).into_iter().next().unwrap()));
        let task = Task::new();
        assert!(task.poll(awaited.as_mut()).is_pending());
        drop(awaited);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(task.wakes(), 0);
    });
}

/// An async worker is dropped with its whole task, after it was woken for a task of the pool: the
/// other worker sleeps, and must be woken in its place.
#[test]
fn woken_async_worker_that_is_dropped_whole_passes_the_wake_on() {
    within_limit(|| {
        let pool: &'static Executor<2, 4, 128, Stage> = forever(Executor::new());
        let [dropped, other] = start(pool);
        let (thread, actor) = run_in_thread(other);
        actor.until_asleep();
        let mut awaited = Box::pin(work(dropped));
        let task = Task::new();
        assert!(task.poll(awaited.as_mut()).is_pending());
        let handle = pool.submit(|| 7).unwrap();
        assert_eq!(task.wakes(), 1);
        drop(awaited);
        assert_eq!(handle.result(), Ok(7));
        pool.shutdown(Shutdown::Drain).unwrap();
        thread.join().unwrap();
    });
}

/// Its wait was over, but the worker is dropped before its `run_one`, as by a `select` whose other
/// branch wins: the task must not wait for the next submit.
#[test]
fn worker_that_is_dropped_after_its_wait_was_over_passes_the_wake_on() {
    within_limit(|| {
        let pool: &'static Executor<2, 4, 128, Stage> = forever(Executor::new());
        let [mut dropped, other] = start(pool);
        let (thread, actor) = run_in_thread(other);
        actor.until_asleep();
        let task = Task::new();
        {
            let mut waits = pin!(dropped.ready());
            assert!(task.poll(waits.as_mut()).is_pending());
            pool.submit(|| ()).unwrap().detach();
            assert_eq!(task.wakes(), 1);
            ready(task.poll(waits.as_mut()));
        }
        drop(dropped);
        // The worker is awake, or the task is done. A shutdown would wake it in any case.
        while pool.stats().completed == 0 && !(actor.is_asleep() && pool.stats().queued == 1) {
            thread::yield_now();
        }
        let completed = pool.stats().completed;
        pool.shutdown(Shutdown::Drain).unwrap();
        thread.join().unwrap();
        assert_eq!(completed, 1, "the other worker slept beside a queued task");
    });
}

/// The waker is foreign code: it may use the executor, and run it.
#[test]
fn waker_of_an_async_worker_may_use_the_executor() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        let [mut worker] = start(pool);
        let acts = waker_that_acts(|| {
            drop(pool.submit(|| ()));
            drop(pool.reserve());
            assert!(pool.stats().queued <= 4);
        });
        let mut context = Context::from_waker(&acts);
        {
            let mut waits = pin!(worker.ready());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            pool.submit(|| ()).unwrap().detach();
            ready(waits.as_mut().poll(&mut context));
        }
        while worker.run_one() == Ran::Task {}
        {
            let mut waits = pin!(worker.ready());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            pool.begin_shutdown(Shutdown::Drain);
            ready(waits.as_mut().poll(&mut context));
        }
        while worker.run_one() == Ran::Task {}
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}
