//! The line of waiters for a slot: threads and async tasks, first come, first served.

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{Executor, Park, Permit, Refusal, Shutdown};

use super::{Task, ready, waker_that_acts};
use crate::stage::{Actor, Crew, Stage, forever, raise, with_crew, within_limit};

type Pool = Executor<1, 1, 64, Stage>;
type Reserved = Result<Permit<'static, 64, Stage>, Refusal>;

/// Starts a thread that waits for a slot. Returns when it sleeps in the line.
fn thread_in_line(pool: &'static Pool, name: u32, tell: &Sender<(u32, Reserved)>) {
    let (tell_actor, told_actor) = channel::<Actor>();
    let tell = tell.clone();
    thread::spawn(move || {
        tell_actor.send(Stage::current()).unwrap();
        tell.send((name, pool.reserve_blocking())).unwrap();
    });
    told_actor.recv().unwrap().until_asleep();
}

/// The permit of the one thread that has one.
#[track_caller]
fn only(told: &Receiver<(u32, Reserved)>) -> (u32, Permit<'static, 64, Stage>) {
    let (name, reserved) = told.recv().unwrap();
    assert!(told.try_recv().is_err(), "two waiters have the only slot");
    (name, reserved.unwrap())
}

#[test]
fn threads_and_tasks_get_the_slot_in_the_order_in_which_they_came() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let taken = pool.reserve().unwrap();
        let (tell, told) = channel();
        let [second, fourth] = [Task::new(), Task::new()];
        let mut second_wait = pin!(pool.reserve_async());
        let mut fourth_wait = pin!(pool.reserve_async());

        thread_in_line(pool, 1, &tell);
        assert!(second.poll(second_wait.as_mut()).is_pending());
        thread_in_line(pool, 3, &tell);
        assert!(fourth.poll(fourth_wait.as_mut()).is_pending());
        thread_in_line(pool, 5, &tell);

        drop(taken);
        let (name, permit) = only(&told);
        assert_eq!((name, second.wakes(), fourth.wakes()), (1, 0, 0));
        assert_eq!(pool.reserve().unwrap_err(), Refusal::Full);

        drop(permit);
        assert_eq!((second.wakes(), fourth.wakes()), (1, 0));
        assert!(told.try_recv().is_err());
        assert_eq!(pool.reserve().unwrap_err(), Refusal::Full, "it is given");
        let permit = ready(second.poll(second_wait.as_mut())).unwrap();

        drop(permit);
        let (name, permit) = only(&told);
        assert_eq!((name, fourth.wakes()), (3, 0));

        drop(permit);
        assert_eq!(fourth.wakes(), 1);
        let permit = ready(fourth.poll(fourth_wait.as_mut())).unwrap();

        drop(permit);
        let (name, permit) = only(&told);
        assert_eq!(name, 5);
        drop(permit);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A task that is polled again, by another waker even, keeps its place in the line.
#[test]
fn task_that_is_polled_again_keeps_its_place_and_its_last_waker_is_woken() {
    let pool: &Pool = forever(Executor::new());
    let taken = pool.reserve().unwrap();
    let [first, moved, second] = [Task::new(), Task::new(), Task::new()];
    let mut first_wait = pin!(pool.reserve_async());
    let mut second_wait = pin!(pool.reserve_async());
    assert!(first.poll(first_wait.as_mut()).is_pending());
    assert!(second.poll(second_wait.as_mut()).is_pending());
    assert!(moved.poll(first_wait.as_mut()).is_pending());
    drop(taken);
    assert_eq!((first.wakes(), moved.wakes(), second.wakes()), (0, 1, 0));
    drop(ready(moved.poll(first_wait.as_mut())).unwrap());
    assert_eq!(second.wakes(), 1);
    drop(ready(second.poll(second_wait.as_mut())).unwrap());
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn task_that_drops_its_wait_leaves_the_line_and_the_next_gets_the_slot() {
    let pool: &Pool = forever(Executor::new());
    let taken = pool.reserve().unwrap();
    let tasks = [Task::new(), Task::new(), Task::new()];
    let mut first = Box::pin(pool.reserve_async());
    let mut middle = Box::pin(pool.reserve_async());
    let mut last = Box::pin(pool.reserve_async());
    assert!(tasks[0].poll(first.as_mut()).is_pending());
    assert!(tasks[1].poll(middle.as_mut()).is_pending());
    assert!(tasks[2].poll(last.as_mut()).is_pending());
    drop(middle);
    drop(first);
    drop(taken);
    assert_eq!(tasks.each_ref().map(Task::wakes), [0, 0, 1]);
    drop(ready(tasks[2].poll(last.as_mut())).unwrap());
    assert!(pool.reserve().is_ok());
    assert_eq!(pool.stats().refused, 0, "leaving is no refusal");
}

/// The slot was given to a task, which then drops its wait unpolled: a task and a thread behind it
/// are served, in their order.
#[test]
fn task_that_was_served_and_drops_its_wait_gives_the_slot_on() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let taken = pool.reserve().unwrap();
        let tasks = [Task::new(), Task::new()];
        let mut first = Box::pin(pool.reserve_async());
        let mut second = Box::pin(pool.reserve_async());
        let (tell, told) = channel();
        assert!(tasks[0].poll(first.as_mut()).is_pending());
        assert!(tasks[1].poll(second.as_mut()).is_pending());
        thread_in_line(pool, 3, &tell);
        drop(taken);
        assert_eq!(tasks.each_ref().map(Task::wakes), [1, 0]);
        drop(first);
        assert_eq!(tasks.each_ref().map(Task::wakes), [0, 1]);
        assert!(told.try_recv().is_err());
        drop(second);
        let (name, permit) = only(&told);
        assert_eq!(name, 3);
        drop(permit);
        assert!(
            pool.reserve().is_ok(),
            "no waiter is left, the slot is free"
        );
    });
}

#[test]
fn task_that_was_served_and_drops_its_wait_alone_frees_the_slot() {
    let pool: &Pool = forever(Executor::new());
    let taken = pool.reserve().unwrap();
    let task = Task::new();
    let mut wait = Box::pin(pool.reserve_async());
    assert!(task.poll(wait.as_mut()).is_pending());
    drop(taken);
    drop(wait);
    assert_eq!(pool.stats().slots_in_use, 0);
    assert!(pool.reserve().is_ok());
}

/// A wait that was never polled stands in no line.
#[test]
fn wait_that_was_never_polled_holds_nobody_up() {
    let pool: &Pool = forever(Executor::new());
    let unpolled = pool.reserve_async();
    let task = Task::new();
    let mut wait = pin!(pool.reserve_async());
    let permit = ready(task.poll(wait.as_mut())).unwrap();
    drop((permit, unpolled));
    assert_eq!(pool.stats().slots_in_use, 0);
}

/// What two tasks and two threads in line are told after `end`, and how often the pool refused.
fn refusals_after(pool: &'static Pool, end: impl FnOnce()) -> ([Refusal; 4], usize) {
    let taken = pool.reserve().unwrap();
    let before = pool.stats().refused;
    let (tell, told) = channel();
    let tasks = [Task::new(), Task::new()];
    let mut first = pin!(pool.reserve_async());
    let mut third = pin!(pool.reserve_async());
    assert!(tasks[0].poll(first.as_mut()).is_pending());
    thread_in_line(pool, 2, &tell);
    assert!(tasks[1].poll(third.as_mut()).is_pending());
    thread_in_line(pool, 4, &tell);
    end();
    let threads = [told.recv().unwrap(), told.recv().unwrap()].map(|told| told.1.unwrap_err());
    // A task may be told by another thread, which is still at it.
    while tasks
        .iter()
        .any(|task| task.wakes.0.load(Ordering::Relaxed) == 0)
    {
        thread::yield_now();
    }
    let polled = [
        ready(tasks[0].poll(first.as_mut())).unwrap_err(),
        ready(tasks[1].poll(third.as_mut())).unwrap_err(),
    ];
    drop(taken);
    let refused = pool.stats().refused - before;
    ([threads[0], threads[1], polled[0], polled[1]], refused)
}

#[test]
fn shutdown_refuses_each_waiter_in_line() {
    within_limit(|| {
        for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
            let pool: &Pool = forever(Executor::new());
            with_crew(pool, |_| {
                let told = refusals_after(pool, || pool.begin_shutdown(shutdown));
                assert_eq!(told, ([Refusal::ShutDown; 4], 4), "{shutdown:?}");
            });
        }
    });
}

#[test]
fn shutdown_of_an_executor_that_was_never_started_refuses_each_waiter_in_line() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let told = refusals_after(pool, || pool.begin_shutdown(Shutdown::Drain));
        assert_eq!(told, ([Refusal::ShutDown; 4], 4));
    });
}

#[test]
fn executor_that_breaks_refuses_each_waiter_in_line() {
    within_limit(|| {
        let new = Executor::new().on_worker_start(|_| Err(WorkerStartError));
        let pool: &Pool = forever(new);
        let crew = Crew::default();
        let told = refusals_after(pool, || pool.start(&crew).unwrap());
        assert_eq!(told, ([Refusal::Broken; 4], 4));
        pool.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

/// A waiter that was served before the shutdown has its permit; the submit is refused.
#[test]
fn waiter_that_was_served_before_the_shutdown_gets_a_permit_that_is_refused() {
    let pool: &Pool = forever(Executor::new());
    let taken = pool.reserve().unwrap();
    let task = Task::new();
    let mut wait = pin!(pool.reserve_async());
    assert!(task.poll(wait.as_mut()).is_pending());
    drop(taken);
    pool.begin_shutdown(Shutdown::Drain);
    let permit = ready(task.poll(wait.as_mut())).unwrap();
    assert_eq!(
        permit.submit(|| ()).unwrap_err().reason(),
        Refusal::ShutDown
    );
    let stats = pool.stats();
    assert_eq!((stats.refused, stats.slots_in_use), (1, 0));
}

/// The shutdown ends the wait, also if the next life has begun before the waiter looks.
#[test]
fn waiter_that_a_shutdown_dismissed_is_refused_though_the_next_life_has_begun() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let taken = pool.reserve().unwrap();
        let task = Task::new();
        let mut wait = pin!(pool.reserve_async());
        assert!(task.poll(wait.as_mut()).is_pending());
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(task.wakes(), 1);
        with_crew(pool, |_| {
            let polled = task.poll(wait.as_mut());
            assert_eq!(
                polled.map(|reserved| reserved.map(drop)),
                Poll::Ready(Err(Refusal::ShutDown))
            );
        });
        drop(taken);
    });
}

/// Counts the polls of a future.
struct Counting<'c, F>(Pin<Box<F>>, &'c AtomicUsize);

impl<F: Future> Future for Counting<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(context)
    }
}

/// Three async tasks share one slot, whose tasks two workers run. None looks again before its turn.
#[test]
fn async_waiter_is_polled_at_most_twice_for_each_slot_that_it_gets() {
    const GRANTS: usize = if cfg!(miri) { 3 } else { 200 };
    static POOL: Executor<2, 1, 64, Stage> = Executor::new();
    static RUNTIME: Executor<3, 3, 512, Stage> = Executor::new();
    static POLLS: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        with_crew(&POOL, |_| {
            with_crew(&RUNTIME, |_| {
                let submit_in_turn = || async {
                    for _ in 0..GRANTS {
                        let wait = Counting(Box::pin(POOL.reserve_async()), &POLLS);
                        let permit = wait.await.unwrap();
                        permit.submit(|| ()).unwrap().await.unwrap();
                    }
                };
                let tasks = [0; 3].map(|_| RUNTIME.submit_future(submit_in_turn()).unwrap());
                for task in tasks {
                    task.result().unwrap();
                }
            });
        });
        let polls = POLLS.load(Ordering::Relaxed);
        assert!(
            polls <= 2 * 3 * GRANTS,
            "{polls} polls for {} slots",
            3 * GRANTS
        );
        let stats = POOL.stats();
        assert_eq!((stats.completed, stats.slots_high_water), (3 * GRANTS, 1));
    });
}

/// Tasks and threads come and go at random, some in vain. Each permit is had by one at a time, and
/// none is lost.
#[test]
fn slots_are_neither_lost_nor_shared_while_waiters_come_and_go() {
    const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };
    static POOL: Executor<1, 2, 64, Stage> = Executor::new();
    static HELD: AtomicUsize = AtomicUsize::new(0);
    let hold = |permit: Permit<'_, 64, Stage>| {
        assert!(HELD.fetch_add(1, Ordering::Relaxed) < 2);
        thread::yield_now();
        HELD.fetch_sub(1, Ordering::Relaxed);
        drop(permit);
    };
    within_limit(move || {
        thread::scope(|threads| {
            for number in 0..4 {
                threads.spawn(move || {
                    for round in 0..ROUNDS {
                        if number % 2 == 0 {
                            hold(POOL.reserve_blocking().unwrap());
                            continue;
                        }
                        // Every third wait is dropped after its first poll.
                        let mut wait = Box::pin(POOL.reserve_async());
                        match Task::new().poll(wait.as_mut()) {
                            Poll::Ready(permit) => hold(permit.unwrap()),
                            Poll::Pending if round % 3 == 0 => drop(wait),
                            Poll::Pending => hold(super::block_on(wait).unwrap()),
                        }
                    }
                });
            }
        });
        assert_eq!(POOL.stats().slots_in_use, 0);
        let both = [POOL.reserve().unwrap(), POOL.reserve().unwrap()];
        drop(both);
    });
}

/// The waker is foreign code: it may use the executor, which a lock would not let it.
#[test]
fn waker_of_a_waiter_in_line_may_use_the_executor() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        for ends in [
            (|_, taken| drop(taken)) as fn(&'static Pool, Permit<'static, 64, Stage>),
            |pool, taken| {
                pool.begin_shutdown(Shutdown::Drain);
                drop(taken);
            },
        ] {
            let taken = pool.reserve().unwrap();
            let acts = waker_that_acts(|| {
                assert!(pool.stats().slots_in_use <= 1);
                drop(pool.submit(|| ()));
                drop(pool.reserve());
                let _ = Task::new().poll(pin!(pool.reserve_async()));
            });
            let task = Task::new();
            let mut first = Box::pin(pool.reserve_async());
            let mut second = pin!(pool.reserve_async());
            assert!(
                first
                    .as_mut()
                    .poll(&mut Context::from_waker(&acts))
                    .is_pending()
            );
            assert!(
                first
                    .as_mut()
                    .poll(&mut Context::from_waker(&acts))
                    .is_pending()
            );
            assert!(task.poll(second.as_mut()).is_pending());
            drop(acts);
            ends(pool, taken);
            drop(first);
            assert_eq!(task.wakes(), 1);
            drop(ready(task.poll(second.as_mut())));
            assert_eq!(pool.stats().slots_in_use, 0);
        }
    });
}

/// It takes no one's slot with it.
#[test]
fn waker_that_panics_holds_up_nobody_behind_it_in_line() {
    let pool: &Pool = forever(Executor::new());
    let taken = pool.reserve().unwrap();
    let panics = waker_that_acts(|| {
        if !thread::panicking() {
            raise("a waker panics");
        }
    });
    let task = Task::new();
    let mut first = Box::pin(pool.reserve_async());
    let mut second = pin!(pool.reserve_async());
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&panics))
            .is_pending()
    );
    assert!(task.poll(second.as_mut()).is_pending());
    drop(taken);
    drop(first);
    assert_eq!(task.wakes(), 1);
    drop(ready(task.poll(second.as_mut())).unwrap());
    assert_eq!(pool.stats().slots_in_use, 0);
    core::mem::forget(panics);
}
