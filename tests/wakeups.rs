//! Nobody sleeps for ever: who waits is found wherever the executor, the worker or the waiter's
//! place has gone meanwhile, and is told of every end, once, by whoever brings it about.
//!
//! Where an order makes a case hard, it is decided by who is seen asleep.
#![cfg(feature = "std")]

mod stage;

use core::convert::Infallible;
use core::future::poll_fn;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use slotted::{
    Executor, JoinHandle, Park, Pending, Ran, Refusal, ReturnWhen, Spawn, TaskError, Worker, wait,
};

use crate::stage::{Actor, Crew, Pace, Stage, rounds, within_limit};

type Pool<const WORKERS: usize> = Executor<WORKERS, 8, 128, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;

/// Starts the executor, plays rounds, and sees that nothing is left of them.
fn play<const WORKERS: usize>(pool: &'static Pool<WORKERS>, round: impl Fn(Pace) + Send + 'static) {
    within_limit(move || {
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        rounds(round);
        pool.shutdown(Pending::Run).unwrap();
        crew.join();
        let stats = pool.stats();
        assert_eq!(
            (
                stats.slots_in_use,
                stats.running,
                stats.queued,
                stats.panicked
            ),
            (0, 0, 0, 0)
        );
    });
}

fn would_deadlock<T>(outcome: &Result<T, TaskError>) -> bool {
    matches!(outcome, Err(TaskError::WouldDeadlock))
}

/// Keeps the workers, for the test to run.
#[derive(Debug, Default)]
struct Keep(Mutex<Vec<Worker<Stage>>>);

impl Keep {
    fn workers(self) -> Vec<Worker<Stage>> {
        self.0.into_inner().unwrap()
    }
}

impl Spawn<Stage> for Keep {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<Stage>) -> Result<(), Infallible> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

// ---- what moves
// -----------------------------------------------------------------------------------------------------

/// An executor with a pending task and a callback on it that tells how the task ended.
fn listened_to() -> (Executor<0, 4>, Receiver<Option<i32>>) {
    let (tell, told) = channel();
    let executor: Executor<0, 4> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    handle
        .add_done_callback(move |outcome| tell.send(outcome.ok().copied()).unwrap())
        .unwrap();
    drop(handle);
    (executor, told)
}

/// A worker that was woken and is kept from running, by more urgent threads say, is not relied on:
/// the next task wakes another.
#[test]
fn worker_that_comes_late_keeps_no_other_asleep() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        rounds(|_| {
            let actors = [0, 1].map(|place| crew.actor(place));
            actors.iter().for_each(Actor::until_asleep);
            actors[0].hold();
            let tasks = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
            assert_eq!(
                tasks.map(|task| task.result().unwrap()),
                [1, 2],
                "while the first worker does not run"
            );
            actors[0].release();
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
    });
}

/// The [`Stage`], with all threads getting their turn.
#[derive(Debug)]
struct Fair;

impl Park for Fair {
    type Thread = Actor;
    const FAIR: bool = true;

    fn current() -> Actor {
        Stage::current()
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
    }
}

/// Where a worker that was woken is relied on, it wakes the next itself, if there is more to do
/// when it comes.
#[test]
fn worker_that_is_relied_on_keeps_the_others_asleep_until_it_comes() {
    static POOL: Executor<2, 8, 128, Fair> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        rounds(|_| {
            let actors = [0, 1].map(|place| crew.actor(place));
            actors.iter().for_each(Actor::until_asleep);
            actors[0].hold();
            let tasks = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
            assert_eq!(actors.each_ref().map(Actor::is_asleep), [false, true]);
            actors[0].release();
            assert_eq!(tasks.map(|task| task.result().unwrap()), [1, 2]);
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
    });
}

/// Each worker that wakes finds that there is more to do and wakes the next.
fn all_workers_wake<H: Park<Thread = Actor>>(pool: &'static Executor<4, 8, 64, H>) {
    within_limit(|| {
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        rounds(|pace| {
            for place in 0..4 {
                pace.until_asleep(&crew.actor(place));
            }
            let together = Arc::new(Barrier::new(4));
            let tasks = [(); 4].map(|()| {
                let together = together.clone();
                pool.submit(move || together.wait().is_leader()).unwrap()
            });
            assert_eq!(
                tasks
                    .map(|task| task.result().unwrap())
                    .iter()
                    .filter(|&&leads| leads)
                    .count(),
                1
            );
        });
        pool.shutdown(Pending::Run).unwrap();
        crew.join();
    });
}

#[test]
fn tasks_that_wait_for_each_other_find_a_worker_each() {
    static POOL: Executor<4, 8, 64, Stage> = Executor::new();
    all_workers_wake(&POOL);
}

#[test]
fn tasks_that_wait_for_each_other_find_a_worker_each_where_a_woken_one_is_relied_on() {
    static POOL: Executor<4, 8, 64, Fair> = Executor::new();
    all_workers_wake(&POOL);
}

/// In the order in which they became ready, whatever they are and however they came.
#[test]
fn future_that_is_woken_starts_after_the_tasks_that_were_submitted_before() {
    static POOL: Executor<0, 8, 128, Stage> = Executor::new();
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |what| {
        let order = order.clone();
        move || order.lock().unwrap().push(what)
    };
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let (mut first, kept, polled) = (true, wakers.clone(), note("future"));
    let future = POOL.submit_future(poll_fn(move |context| {
        if core::mem::take(&mut first) {
            kept.lock().unwrap().push(context.waker().clone());
            return Poll::Pending;
        }
        polled();
        Poll::Ready(())
    }));
    assert!(POOL.run_one());
    let before = POOL.submit(note("before")).unwrap();
    wakers.lock().unwrap().pop().unwrap().wake();
    let after = POOL.submit(note("after")).unwrap();
    let ready = POOL.submit_future(core::future::ready(())).unwrap();
    let last = POOL.submit(note("last")).unwrap();
    assert_eq!(POOL.run_until_idle(), 5);
    assert_eq!(
        *order.lock().unwrap(),
        ["before", "future", "after", "last"]
    );
    let _ = (future, before, after, ready, last);
}

#[test]
fn callback_finds_its_task_in_an_executor_that_was_moved() {
    let (executor, told) = listened_to();
    let executor = Box::new(executor);
    assert_eq!(executor.run_until_idle(), 1);
    assert_eq!(told.iter().collect::<Vec<_>>(), [Some(1)]);
    assert_eq!(
        (
            executor.stats().slots_in_use,
            executor.stats().callbacks_panicked
        ),
        (0, 0)
    );
}

#[test]
fn callback_is_told_of_the_cancelling_by_the_drop_of_an_executor_that_was_moved() {
    let (executors, told): (Vec<_>, Vec<_>) = (0..3).map(|_| listened_to()).unzip();
    drop(executors);
    for told in told {
        assert_eq!(told.iter().collect::<Vec<_>>(), [None]);
    }
}

#[test]
fn thread_that_waits_as_a_worker_is_woken_when_the_worker_has_moved_to_another_thread() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let keep = Keep::default();
        POOL.start(&keep).unwrap();
        let mut worker = keep.workers().remove(0);
        assert_eq!(worker.run_one(), Ran::Nothing);
        let (promise, handle) = POOL.promise::<u32>().unwrap();
        let waiting = Stage::current();
        let other = thread::spawn(move || {
            waiting.until_asleep();
            assert_eq!(worker.run_one(), Ran::Nothing);
            promise.set_result(5).unwrap();
            worker
        });
        assert_eq!(handle.result().unwrap(), 5);
        let mut worker = other.join().unwrap();
        POOL.begin_shutdown(Pending::Run);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}

#[test]
fn worker_stays_through_a_shutdown_until_a_future_that_rests_is_done() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let keep = Keep::default();
        POOL.start(&keep).unwrap();
        let mut worker = keep.workers().remove(0);
        let (tell, told) = channel();
        let mut tell = Some(tell);
        let future = poll_fn(move |context| match tell.take() {
            Some(tell) => {
                tell.send(context.waker().clone()).unwrap();
                Poll::Pending
            }
            None => Poll::Ready(7),
        });
        let handle = POOL.submit_future(future).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        POOL.begin_shutdown(Pending::Run);
        assert_eq!(worker.run_one(), Ran::Nothing, "nobody else could poll it");
        told.recv().unwrap().wake();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(worker.run_one(), Ran::Left);
        assert_eq!(handle.result().unwrap(), 7);
    });
}

// ---- what displaces
// -------------------------------------------------------------------------------------------------

/// A future that rests at least once, is ready when the promise is kept, and what wakes it.
fn resting<const WORKERS: usize>(pool: &'static Pool<WORKERS>) -> (Handle<u32>, Waker) {
    let (tell, told) = channel();
    let mut tell = Some(tell);
    let future = poll_fn(move |context| match tell.take() {
        Some(tell) => {
            tell.send(context.waker().clone()).unwrap();
            Poll::Pending
        }
        None => Poll::Ready(7),
    });
    let handle = pool.submit_future(future).unwrap();
    (handle, told.recv().unwrap())
}

#[test]
fn worker_whose_place_another_waiter_took_polls_the_future_that_only_it_can_poll() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |pace| {
        let (future, waker) = resting(&POOL);
        let future = Arc::new(future);
        let (tell, told) = channel::<Actor>();
        let looking = |future: Arc<Handle<u32>>, tell: Sender<Actor>| {
            move || {
                tell.send(Stage::current()).unwrap();
                future.error().is_none()
            }
        };
        let worker = POOL.submit(looking(future.clone(), tell.clone())).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        let outsider = thread::spawn(looking(future, tell));
        pace.until_asleep(&told.recv().unwrap());
        waker.wake();
        assert!(worker.result().unwrap());
        assert!(outsider.join().unwrap());
    });
}

#[test]
fn threads_that_wait_for_one_shared_handle_all_go_on() {
    static POOL: Pool<0> = Executor::new();
    play(&POOL, |pace| {
        for end in [End::Kept, End::Cancelled, End::Abandoned] {
            let (promise, handle) = POOL.promise::<u32>().unwrap();
            let outcomes: Vec<_> = thread::scope(|threads| {
                let (tell, told) = channel();
                let waiting: Vec<_> = (0..6)
                    .map(|_| {
                        let (handle, tell) = (&handle, tell.clone());
                        threads.spawn(move || {
                            tell.send(Stage::current()).unwrap();
                            End::of(handle.error())
                        })
                    })
                    .collect();
                told.iter()
                    .take(waiting.len())
                    .for_each(|waiter| pace.until_asleep(&waiter));
                match end {
                    End::Kept => promise.set_result(1).unwrap(),
                    End::Cancelled => assert!(handle.cancel()),
                    End::Abandoned => drop(promise),
                }
                waiting
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert_eq!(outcomes, [end; 6]);
        }
    });
}

/// How a promise ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kept,
    Cancelled,
    Abandoned,
}

impl End {
    fn of(error: Option<&TaskError>) -> Self {
        match error {
            None => Self::Kept,
            Some(TaskError::Cancelled) => Self::Cancelled,
            Some(TaskError::Broken) => Self::Abandoned,
            Some(other) => panic!("no end of a promise: {other}"),
        }
    }
}

/// The pool's only slot is given from one thread to the next.
#[test]
fn threads_that_wait_for_a_slot_get_it_one_by_one() {
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        rounds(|pace| {
            let taken = POOL.reserve().unwrap();
            let (tell, told) = channel();
            let (admit, admitted) = channel();
            let threads = [0, 1, 2, 3].map(|number| {
                let (tell, admit) = (tell.clone(), admit.clone());
                thread::spawn(move || {
                    tell.send(Stage::current()).unwrap();
                    admit
                        .send(POOL.submit_blocking(move || number).unwrap())
                        .unwrap();
                })
            });
            told.iter()
                .take(threads.len())
                .for_each(|waiter| pace.until_asleep(&waiter));
            drop(taken);
            let mut numbers = [0; 4].map(|_| {
                let handle: Handle<i32> = admitted.recv().unwrap();
                // It holds the slot until its result is taken: nobody else was admitted.
                assert!(admitted.try_recv().is_err());
                assert_eq!(POOL.reserve().unwrap_err().reason(), Refusal::Full);
                handle.result().unwrap()
            });
            for thread in threads {
                thread.join().unwrap();
            }
            numbers.sort_unstable();
            assert_eq!(numbers, [0, 1, 2, 3]);
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
        assert_eq!(
            (POOL.stats().slots_in_use, POOL.stats().slots_high_water),
            (0, 1)
        );
    });
}

#[test]
fn threads_that_wait_for_a_slot_are_all_refused_by_a_shutdown() {
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        rounds(|pace| {
            let crew = Crew::default();
            POOL.start(&crew).unwrap();
            let taken = POOL.reserve().unwrap();
            let (tell, told) = channel();
            let threads = [0, 1, 2, 3].map(|number| {
                let tell = tell.clone();
                thread::spawn(move || {
                    tell.send(Stage::current()).unwrap();
                    POOL.submit_blocking(move || number)
                        .map(drop)
                        .map_err(|refused| refused.reason())
                })
            });
            told.iter()
                .take(threads.len())
                .for_each(|waiter| pace.until_asleep(&waiter));
            POOL.begin_shutdown(Pending::Run);
            assert_eq!(
                threads.map(|thread| thread.join().unwrap()),
                [Err(Refusal::ShutDown); 4]
            );
            drop(taken);
            POOL.shutdown(Pending::Run).unwrap();
            crew.join();
        });
    });
}

/// Its slots come and go: a task in a place below those that the map looked at last is found as
/// well.
#[test]
fn unordered_map_that_had_to_leave_a_place_empty_finds_what_it_fills_it_with_later() {
    static POOL: Executor<0, 3, 64, Stage> = Executor::new();
    within_limit(|| {
        let mut map = POOL.map(0..5, |item| item).unordered();
        assert_eq!(map.next().unwrap().unwrap(), 0);
        let taken = POOL.reserve().unwrap();
        assert_eq!(map.next().unwrap().unwrap(), 1);
        drop(taken);
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [2, 3, 4]);
    });
}

// ---- circles
// --------------------------------------------------------------------------------------------------------

/// The owner of a scope waits for a task that waits for the owner.
#[test]
fn task_of_a_scope_that_waits_for_the_scopes_owner_is_told_so() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        for others_ended_before in [false, true] {
            let (give, given) = channel::<Handle<()>>();
            let (tell, told) = channel();
            let (answer, answered) = channel();
            let owner = move || {
                POOL.scope(|s| {
                    if others_ended_before {
                        s.submit(|| ()).unwrap().result().unwrap();
                    }
                    let (start, started) = channel();
                    let inner = move || {
                        start.send(()).unwrap();
                        answer
                            .send(would_deadlock(&given.recv().unwrap().result()))
                            .unwrap();
                    };
                    s.submit(inner).unwrap().detach();
                    // It runs on the other worker.
                    started.recv().unwrap();
                    tell.send(Stage::current()).unwrap();
                });
            };
            let owner = POOL.submit(owner).unwrap();
            pace.until_asleep(&told.recv().unwrap());
            give.send(owner).unwrap();
            assert!(answered.recv().unwrap());
        }
    });
}

/// A task waits for one whose callback waits for it.
#[test]
fn callback_that_waits_for_who_waits_for_its_task_is_told_so() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        let (release, released) = channel::<()>();
        let first = POOL.submit(move || released.recv().unwrap()).unwrap();
        let (give, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let second = move || {
            let first = given.recv().unwrap();
            tell.send(Stage::current()).unwrap();
            would_deadlock(&first.result())
        };
        let second = POOL.submit(second).unwrap();
        let (answer, answered) = channel();
        let callback = move |_: Result<&(), &TaskError>| {
            let outcome = second.result();
            answer
                .send((would_deadlock(&outcome), outcome.unwrap_or(false)))
                .unwrap();
        };
        first.add_done_callback(callback).unwrap();
        give.send(first).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        release.send(()).unwrap();
        let (callback_gave_up, second_gave_up) = answered.recv().unwrap();
        assert!(callback_gave_up || second_gave_up);
        // Who came last closed the circle.
        assert!(pace == Pace::Racing || callback_gave_up);
    });
}

#[test]
fn wait_for_a_task_beneath_on_the_stack_is_seen_through_two_workers_of_one_thread() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let keep = Keep::default();
        POOL.start(&keep).unwrap();
        let mut workers = keep.workers();
        for worker in &mut workers {
            assert_eq!(worker.run_one(), Ran::Nothing);
        }
        for worker in &mut workers {
            let (give, given) = channel::<Handle<()>>();
            let (answer, answered) = channel();
            let task = move || {
                answer
                    .send(would_deadlock(&given.recv().unwrap().result()))
                    .unwrap()
            };
            give.send(POOL.submit(task).unwrap()).unwrap();
            assert_eq!(worker.run_one(), Ran::Task);
            assert!(answered.recv().unwrap());
        }
        POOL.begin_shutdown(Pending::Run);
        for worker in &mut workers {
            assert_eq!(worker.run_one(), Ran::Left);
        }
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

/// What is done in another executor is no reason to hope.
#[test]
fn wait_for_ones_own_task_and_a_done_one_elsewhere_gives_up() {
    static POOL: Pool<1> = Executor::new();
    static OTHER: Pool<0> = Executor::new();
    play(&POOL, |_pace| {
        for own_place in 0..2 {
            let done = OTHER.submit(|| ()).unwrap();
            assert_eq!(OTHER.run_until_idle(), 1);
            let (give, given) = channel::<Handle<()>>();
            let (answer, answered) = channel();
            let task = move || {
                let mut handles = [given.recv().unwrap(), done];
                handles[..].rotate_right(own_place);
                let waited = wait(&mut handles, ReturnWhen::AllCompleted);
                answer
                    .send((waited.done.len(), waited.not_done.len()))
                    .unwrap();
            };
            give.send(POOL.submit(task).unwrap()).unwrap();
            assert_eq!(answered.recv().unwrap(), (1, 1));
        }
    });
}

// ---- futures
// --------------------------------------------------------------------------------------------------------

#[test]
fn future_that_is_woken_from_many_threads_at_once_misses_no_wake() {
    const THREADS: usize = 4;
    const WAKES: usize = if cfg!(miri) { 5 } else { 200 };
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |_pace| {
        let (signals, polls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (tell, told) = channel();
        let seen = (signals.clone(), polls.clone());
        let future = poll_fn(move |context| {
            let (signals, polls) = &seen;
            if polls.fetch_add(1, Ordering::Relaxed) == 0 {
                tell.send(context.waker().clone()).unwrap();
                return Poll::Pending;
            }
            if signals.load(Ordering::Relaxed) == THREADS * WAKES {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let handle = POOL.submit_future(future).unwrap();
        let waker = told.recv().unwrap();
        let together = Barrier::new(THREADS);
        thread::scope(|threads| {
            for _ in 0..THREADS {
                threads.spawn(|| {
                    together.wait();
                    for _ in 0..WAKES {
                        signals.fetch_add(1, Ordering::Relaxed);
                        waker.wake_by_ref();
                    }
                });
            }
        });
        handle.result().unwrap();
        // The first poll needs no wake.
        assert!((2..=1 + THREADS * WAKES).contains(&polls.load(Ordering::Relaxed)));
    });
}

/// A future that counts its polls and is ready when it is told so.
struct Counted {
    handle: Handle<()>,
    polls: Arc<AtomicUsize>,
    ready: Sender<()>,
    waker: Receiver<Waker>,
}

fn counted(pool: &'static Executor<0, 1, 128, Stage>) -> Counted {
    let (ready, is_ready) = channel();
    let (tell, waker) = channel();
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let future = poll_fn(move |context| {
        counter.fetch_add(1, Ordering::Relaxed);
        tell.send(context.waker().clone()).unwrap();
        if is_ready.try_recv().is_ok() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    Counted {
        handle: pool.submit_future(future).unwrap(),
        polls,
        ready,
        waker,
    }
}

/// The only worker is busy until the future is done.
#[test]
fn future_that_is_awaited_inline_is_polled_again_by_who_waits() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |_| {
        let (tell, told) = channel();
        let (free, freed) = channel::<()>();
        let busy = move || {
            tell.send(()).unwrap();
            freed.recv().is_err()
        };
        let busy = POOL.submit(busy).unwrap();
        told.recv().unwrap();
        let mut polls = 0;
        let future = poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 3 {
                Poll::Ready(polls)
            } else {
                Poll::Pending
            }
        });
        assert_eq!(
            POOL.submit_future(future).unwrap().result_inline().unwrap(),
            3
        );
        drop(free);
        assert!(busy.result().unwrap());
    });
}

#[test]
fn waker_that_outlives_its_task_costs_the_next_one_in_the_slot_a_poll_at_most() {
    static POOL: Executor<0, 1, 128, Stage> = Executor::new();
    within_limit(|| {
        let wake_often = |waker: &Waker| (0..10).for_each(|_| waker.wake_by_ref());
        let former = counted(&POOL);
        former.ready.send(()).unwrap();
        assert_eq!(POOL.run_until_idle(), 1);
        let stale = former.waker.recv().unwrap();

        // The task is done, then the slot is free.
        wake_often(&stale);
        assert_eq!(POOL.run_until_idle(), 0);
        former.handle.result().unwrap();
        wake_often(&stale);
        assert_eq!((POOL.run_until_idle(), POOL.stats().slots_in_use), (0, 0));

        // The next one waits for its first poll anyway.
        let next = counted(&POOL);
        wake_often(&stale);
        assert_eq!(POOL.run_until_idle(), 1);
        assert_eq!(next.polls.load(Ordering::Relaxed), 1);

        // At rest it is polled once for nothing.
        wake_often(&stale);
        assert_eq!(POOL.stats().queued, 1);
        assert_eq!(POOL.run_until_idle(), 1);
        assert_eq!(next.polls.load(Ordering::Relaxed), 2);
        assert!(!next.handle.done());

        next.ready.send(()).unwrap();
        next.waker.recv().unwrap().wake();
        assert_eq!(POOL.run_until_idle(), 1);
        assert_eq!(next.polls.load(Ordering::Relaxed), 3);
        next.handle.result().unwrap();
    });
}

#[test]
fn waker_that_outlives_its_task_cannot_wake_what_is_no_future() {
    static POOL: Executor<0, 1, 128, Stage> = Executor::new();
    within_limit(|| {
        let former = counted(&POOL);
        former.ready.send(()).unwrap();
        assert_eq!(POOL.run_until_idle(), 1);
        let stale = former.waker.recv().unwrap();
        former.handle.result().unwrap();

        let (promise, handle) = POOL.promise::<u32>().unwrap();
        stale.wake_by_ref();
        assert_eq!((POOL.run_until_idle(), handle.done()), (0, false));
        promise.set_result(1).unwrap();
        stale.wake_by_ref();
        drop(promise);
        assert_eq!(handle.result().unwrap(), 1);

        let permit = POOL.reserve().unwrap();
        stale.wake_by_ref();
        assert_eq!(POOL.run_until_idle(), 0);
        let again = stale.clone();
        let handle = permit.submit(move || again.wake()).unwrap();
        stale.wake_by_ref();
        assert_eq!(POOL.run_until_idle(), 1);
        stale.wake();
        handle.result().unwrap();
        assert_eq!((POOL.run_until_idle(), POOL.stats().slots_in_use), (0, 0));
    });
}

#[test]
fn waker_that_outlives_its_task_keeps_no_running_promise_in_its_slot_from_being_kept() {
    static POOL: Executor<0, 1, 128, Stage> = Executor::new();
    within_limit(|| {
        let former = counted(&POOL);
        former.ready.send(()).unwrap();
        assert_eq!(POOL.run_until_idle(), 1);
        let stale = former.waker.recv().unwrap();
        former.handle.result().unwrap();

        let (promise, handle) = POOL.promise::<u32>().unwrap();
        assert!(promise.set_running_or_notify_cancel().unwrap());
        stale.wake();
        promise.set_result(1).unwrap();
        assert_eq!(handle.result().unwrap(), 1);
    });
}

/// Every future of many in one slot is completed by its own wake, however often those of earlier
/// ones come.
#[test]
fn wakers_of_earlier_tasks_disturb_no_later_one() {
    const FUTURES: usize = if cfg!(miri) { 5 } else { 300 };
    static POOL: Executor<1, 1, 128, Stage> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        let latest: Mutex<Option<Waker>> = Mutex::new(None);
        let over = AtomicUsize::new(0);
        thread::scope(|threads| {
            threads.spawn(|| {
                while over.load(Ordering::Relaxed) == 0 {
                    let stale = latest.lock().unwrap().clone();
                    stale.iter().for_each(Waker::wake_by_ref);
                    thread::yield_now();
                }
            });
            for number in 0..FUTURES {
                let (ready, is_ready) = channel();
                let (tell, told) = channel();
                let mut tell = Some(tell);
                let future = poll_fn(move |context| {
                    if let Some(tell) = tell.take() {
                        tell.send(context.waker().clone()).unwrap();
                    }
                    is_ready.try_recv().map_or(Poll::Pending, Poll::Ready)
                });
                let handle = POOL.submit_future(future).unwrap();
                let waker = told.recv().unwrap();
                ready.send(number).unwrap();
                waker.wake_by_ref();
                assert_eq!(handle.result().unwrap(), number);
                *latest.lock().unwrap() = Some(waker);
            }
            over.store(1, Ordering::Relaxed);
        });
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
        assert_eq!(
            (POOL.stats().completed, POOL.stats().slots_in_use),
            (FUTURES, 0)
        );
    });
}
