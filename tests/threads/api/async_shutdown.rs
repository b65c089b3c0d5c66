//! `shutdown_async`: the end of an executor, awaited.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Context;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use slotted::{Executor, Park, Ran, Refusal, Shutdown, ShutdownError, Worker};

use super::{Task, block_on, ready, waker_that_acts};
use crate::hosts::{By, NoThread};
use crate::stage::{Actor, Crew, Stage, forever, suspended_once, with_crew, within_limit};

type Pool = Executor<1, 4, 128, Stage>;

/// Starts an executor whose worker runs a task that goes on until it is told.
fn busy() -> (&'static Pool, Crew, Sender<()>) {
    let pool: &Pool = forever(Executor::new());
    let crew = Crew::default();
    pool.start(&crew).unwrap();
    let ((begin, begun), (go_on, told)) = (channel::<()>(), channel::<()>());
    pool.submit(move || {
        begin.send(()).unwrap();
        told.recv().unwrap();
    })
    .unwrap()
    .detach();
    begun.recv().unwrap();
    (pool, crew, go_on)
}

#[test]
fn shutdown_begins_with_the_first_poll() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let task = Task::new();
        let mut closing = pin!(pool.shutdown_async(Shutdown::Drain));
        drop(pool.reserve().unwrap());
        assert!(task.poll(closing.as_mut()).is_pending());
        assert_eq!(pool.reserve().unwrap_err(), Refusal::ShutDown);
        go_on.send(()).unwrap();
        assert_eq!(block_on(closing), Ok(()));
        crew.join();
    });
}

#[test]
fn shutdown_that_is_never_polled_does_nothing() {
    let pool: &Pool = forever(Executor::new());
    drop(pool.shutdown_async(Shutdown::Cancel));
    assert!(pool.reserve().is_ok());
}

/// It is pending while the worker is there, and woken when it has left.
#[test]
fn shutdown_is_awaited_until_the_workers_have_left() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let task = Task::new();
        let mut closing = pin!(pool.shutdown_async(Shutdown::Cancel));
        for _ in 0..3 {
            assert!(task.poll(closing.as_mut()).is_pending());
        }
        task.wakes();
        assert!(pool.start(&Crew::default()).is_err(), "the life goes on");
        go_on.send(()).unwrap();
        crew.join();
        assert!(task.wakes() >= 1);
        assert_eq!(ready(task.poll(closing.as_mut())), Ok(()));
    });
}

#[test]
fn shutdown_that_is_over_is_ready_at_once() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        with_crew(pool, |_| ());
        for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
            let mut closing = pin!(pool.shutdown_async(shutdown));
            assert_eq!(ready(Task::new().poll(closing.as_mut())), Ok(()));
        }
        let unstarted: &Pool = forever(Executor::new());
        let mut closing = pin!(unstarted.shutdown_async(Shutdown::Drain));
        assert_eq!(ready(Task::new().poll(closing.as_mut())), Ok(()));
    });
}

#[test]
fn shutdown_that_its_own_worker_polls_would_deadlock_and_begins_all_the_same() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 512, Stage> = forever(Executor::new());
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let closing = pool
            .submit_future(pool.shutdown_async(Shutdown::Drain))
            .unwrap();
        assert_eq!(closing.result(), Ok(Err(ShutdownError::WouldDeadlock)));
        assert_eq!(pool.reserve().unwrap_err(), Refusal::ShutDown);
        pool.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

/// A closure of the executor that blocks on it, and one that polls it once.
#[test]
fn shutdown_that_a_task_of_its_own_worker_blocks_on_would_deadlock() {
    within_limit(|| {
        let pool: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let closing = pool
            .submit(|| block_on(pool.shutdown_async(Shutdown::Cancel)))
            .unwrap();
        assert_eq!(closing.result(), Ok(Err(ShutdownError::WouldDeadlock)));
        pool.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

#[test]
fn two_shutdowns_are_awaited_at_once() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let tasks = [Task::new(), Task::new()];
        let mut first = Box::pin(pool.shutdown_async(Shutdown::Drain));
        let mut second = Box::pin(pool.shutdown_async(Shutdown::Cancel));
        assert!(tasks[0].poll(first.as_mut()).is_pending());
        assert!(tasks[1].poll(second.as_mut()).is_pending());
        go_on.send(()).unwrap();
        crew.join();
        // Each is woken, at the latest when the other is over.
        let mut over = [false, false];
        while over != [true, true] {
            let woken = tasks.each_ref().map(Task::wakes);
            assert_ne!(
                woken,
                [0, 0],
                "nobody is woken, though the workers have left: {over:?}"
            );
            if woken[0] > 0 && !over[0] {
                assert_eq!(ready(tasks[0].poll(first.as_mut())), Ok(()));
                over[0] = true;
            }
            if woken[1] > 0 && !over[1] {
                assert_eq!(ready(tasks[1].poll(second.as_mut())), Ok(()));
                over[1] = true;
            }
        }
    });
}

/// Two tasks await the end, and each is polled once more for a reason of its own. After that they
/// are still.
#[test]
fn two_shutdowns_do_not_keep_each_other_awake() {
    fn are_still<const WORKERS: usize>(pool: &'static Executor<WORKERS, 4, 128, Stage>) {
        let tasks = [Task::new(), Task::new()];
        let mut both = [(); 2].map(|()| Box::pin(pool.shutdown_async(Shutdown::Drain)));
        for _ in 0..2 {
            for (task, closing) in tasks.iter().zip(&mut both) {
                assert!(task.poll(closing.as_mut()).is_pending());
            }
        }
        let mut polls = 0;
        while let Some(woken) = tasks.iter().position(|task| task.wakes() > 0) {
            assert!(tasks[woken].poll(both[woken].as_mut()).is_pending());
            polls += 1;
            assert!(polls < 20, "they wake each other");
        }
    }
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        are_still(pool);
        go_on.send(()).unwrap();
        crew.join();
        // Without workers: a future rests.
        let pool: &'static Executor<0, 4, 128, Stage> = forever(Executor::new());
        let (future, _waker) = suspended_once(7);
        let rests = pool.submit_future(future).unwrap();
        are_still(pool);
        drop(rests);
    });
}

/// One is awaited, the other waited for by a thread, in either order.
#[test]
fn shutdown_is_awaited_and_waited_for_at_once() {
    within_limit(|| {
        for thread_first in [false, true] {
            let (pool, crew, go_on) = busy();
            let task = Task::new();
            let mut closing = Box::pin(pool.shutdown_async(Shutdown::Drain));
            if !thread_first {
                assert!(task.poll(closing.as_mut()).is_pending());
            }
            let (tell, told) = channel::<Actor>();
            let closer = thread::spawn(move || {
                tell.send(Stage::current()).unwrap();
                pool.shutdown(Shutdown::Drain)
            });
            told.recv().unwrap().until_asleep();
            let awaiting = thread::spawn(move || block_on(closing));
            go_on.send(()).unwrap();
            assert_eq!(closer.join().unwrap(), Ok(()));
            assert_eq!(awaiting.join().unwrap(), Ok(()));
            crew.join();
        }
    });
}

#[test]
fn shutdown_whose_future_is_dropped_goes_on_and_wakes_the_waiter_it_displaced() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let tasks = [Task::new(), Task::new()];
        let mut first = Box::pin(pool.shutdown_async(Shutdown::Drain));
        let mut second = Box::pin(pool.shutdown_async(Shutdown::Drain));
        assert!(tasks[0].poll(first.as_mut()).is_pending());
        assert!(tasks[1].poll(second.as_mut()).is_pending());
        drop(second);
        assert_eq!(pool.reserve().unwrap_err(), Refusal::ShutDown);
        // It stood in the first one's place: the first must register again, or be there.
        if tasks[0].wakes() > 0 {
            assert!(tasks[0].poll(first.as_mut()).is_pending());
            tasks[0].wakes();
        }
        go_on.send(()).unwrap();
        crew.join();
        assert_eq!(tasks[0].wakes(), 1);
        assert_eq!(ready(tasks[0].poll(first.as_mut())), Ok(()));
        // Its waker may be that of another wait of the same task, so the drop wakes it once.
        assert!(tasks[1].wakes() <= 1, "the dropped one is not woken");
    });
}

/// Both wait for the workers to leave. The shutdown also waits for a future, the start does not.
#[test]
fn a_refused_start_that_a_shutdown_displaced_returns_once_the_shutdown_is_polled() {
    within_limit(|| {
        let pool: &'static Executor<2, 4, 128, Stage> = forever(Executor::new());
        let (rests, polled) = suspended_once(7);
        let rests = pool.submit_future(rests).unwrap();
        let ((tell, actor), (tell_waker, waker)) = (channel(), channel());
        let (lend, lent) = channel::<Worker<'static, Stage>>();
        let starter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            pool.start(&By(|worker: Worker<'static, Stage>| {
                if worker.index() == 0 {
                    return lend.send(worker).map_err(|_| NoThread);
                }
                tell_waker.send(polled.recv().unwrap()).unwrap();
                Err(NoThread)
            }))
        });
        // A host that takes the worker away again after one task.
        let (leave, left) = channel::<()>();
        let host = thread::spawn(move || {
            let mut worker = lent.recv().unwrap();
            assert_eq!(worker.run_one(), Ran::Task);
            left.recv().unwrap();
        });
        let actor = actor.recv().unwrap();
        let wake = waker.recv().unwrap();
        actor.until_asleep();

        let task = Task::new();
        let mut closing = Box::pin(pool.shutdown_async(Shutdown::Drain));
        // The first poll wakes the start, which comes back. The second displaces it.
        for _ in 0..2 {
            assert!(task.poll(closing.as_mut()).is_pending());
            actor.until_asleep();
        }
        task.wakes();
        leave.send(()).unwrap();
        host.join().unwrap();
        assert!(task.wakes() > 0);
        assert!(task.poll(closing.as_mut()).is_pending());
        assert!(starter.join().unwrap().is_err());
        wake.wake();
        assert_eq!(block_on(closing), Ok(()));
        assert_eq!(rests.result(), Ok(7));
    });
}

#[test]
fn executor_starts_again_after_it_was_awaited() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        for round in 0..3 {
            let crew = Crew::default();
            pool.start(&crew).unwrap();
            let handle = pool.submit(move || round).unwrap();
            assert_eq!(block_on(pool.shutdown_async(Shutdown::Drain)), Ok(()));
            crew.join();
            assert_eq!(handle.result(), Ok(round));
        }
    });
}

/// It awaits the life it began in: the next one is not its concern.
#[test]
fn shutdown_of_an_earlier_life_is_ready_in_the_next() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let task = Task::new();
        let mut closing = pin!(pool.shutdown_async(Shutdown::Drain));
        assert!(task.poll(closing.as_mut()).is_pending());
        go_on.send(()).unwrap();
        crew.join();
        with_crew(pool, |_| {
            assert_eq!(ready(task.poll(closing.as_mut())), Ok(()));
            assert_eq!(
                pool.submit(|| 7).unwrap().result(),
                Ok(7),
                "it ends no other life"
            );
        });
    });
}

/// An executor without workers, by its type or because it was never started.
#[test]
fn shutdown_of_an_executor_without_workers_runs_its_tasks_or_cancels_them() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    fn close<const WORKERS: usize>(shutdown: Shutdown) -> [bool; 2] {
        let pool: &'static Executor<WORKERS, 4, 128, Stage> = forever(Executor::new());
        let closure = pool.submit(|| RAN.fetch_add(1, Ordering::Relaxed)).unwrap();
        let future = pool
            .submit_future(async { RAN.fetch_add(1, Ordering::Relaxed) })
            .unwrap();
        let mut closing = pin!(pool.shutdown_async(shutdown));
        assert_eq!(ready(Task::new().poll(closing.as_mut())), Ok(()));
        assert!(closure.done() && future.done());
        [closure.cancelled(), future.cancelled()]
    }
    within_limit(|| {
        assert_eq!(close::<0>(Shutdown::Drain), [false, false]);
        assert_eq!(close::<1>(Shutdown::Drain), [false, false]);
        assert_eq!(RAN.load(Ordering::Relaxed), 4);
        assert_eq!(close::<0>(Shutdown::Cancel), [true, true]);
        assert_eq!(close::<1>(Shutdown::Stop), [true, true]);
        assert_eq!(RAN.load(Ordering::Relaxed), 4);
    });
}

/// A future that rests is woken later: the task that awaits the shutdown is the only one that can
/// poll it, as the thread is that waits in `shutdown`.
#[test]
fn shutdown_of_an_executor_without_workers_polls_a_future_that_is_woken_later() {
    within_limit(|| {
        let pool: &'static Executor<0, 4, 128, Stage> = forever(Executor::new());
        let (future, told) = suspended_once(7);
        let handle = pool.submit_future(future).unwrap();
        let task = Task::new();
        let mut closing = pin!(pool.shutdown_async(Shutdown::Drain));
        assert!(task.poll(closing.as_mut()).is_pending());
        task.wakes();
        told.recv().unwrap().wake();
        let woken = task.wakes();
        let polled = task.poll(closing.as_mut());
        assert_eq!((woken, polled.is_ready(), handle.done()), (1, true, true));
    });
}

/// The task is run by somebody else, who drives the executor: the shutdown is over then.
#[test]
fn shutdown_of_an_executor_without_workers_is_woken_when_a_driver_ends_the_last_future() {
    within_limit(|| {
        let pool: &'static Executor<0, 4, 128, Stage> = forever(Executor::new());
        let (future, told) = suspended_once(7);
        let handle = pool.submit_future(future).unwrap();
        let task = Task::new();
        let mut closing = pin!(pool.shutdown_async(Shutdown::Drain));
        assert!(task.poll(closing.as_mut()).is_pending());
        told.recv().unwrap().wake();
        pool.run_until_idle();
        assert!(task.wakes() >= 1);
        assert_eq!(ready(task.poll(closing.as_mut())), Ok(()));
        assert_eq!(handle.result(), Ok(7));
    });
}

/// The waker is foreign code: it may use the executor.
#[test]
fn waker_that_awaits_the_shutdown_may_use_the_executor() {
    within_limit(|| {
        let (pool, crew, go_on) = busy();
        let acts = waker_that_acts(|| {
            drop(pool.submit(|| ()));
            pool.begin_shutdown(Shutdown::Cancel);
            assert_eq!(pool.stats().queued, 0);
        });
        let mut context = Context::from_waker(&acts);
        let mut closing = pin!(pool.shutdown_async(Shutdown::Drain));
        for _ in 0..3 {
            assert!(closing.as_mut().poll(&mut context).is_pending());
        }
        go_on.send(()).unwrap();
        crew.join();
        assert_eq!(ready(closing.as_mut().poll(&mut context)), Ok(()));
    });
}
