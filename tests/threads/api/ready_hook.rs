//! `Park::ready`: the host is told of work for which no parked worker is woken.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::time::Duration;
use std::thread;

use slotted::{Clock, Executor, JoinHandle, Park, Ran, Shutdown, StdHost, Submitter, as_completed};

use super::{Task, block_on, ready};
use crate::stage::{Actor, Crew, Stage, forever, keep, suspended_once, with_crew, within_limit};

std::thread_local! {
    static RUNG: Cell<usize> = const { Cell::new(0) };
    /// How often the calling thread unparked another one.
    static UNPARKED: Cell<usize> = const { Cell::new(0) };
    /// What the bell of the calling thread does, beside ringing.
    static ON_RING: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// The [`Stage`] with a bell in each thread, and a clock.
#[derive(Debug)]
struct Bell;

impl Park for Bell {
    type Thread = Actor;
    type Order = slotted::Fifo;

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
        UNPARKED.set(UNPARKED.get() + 1);
        Stage::unpark(actor);
    }

    fn ready() {
        RUNG.set(RUNG.get() + 1);
        // Taken out meanwhile: what it does may ring again.
        if let Some(mut act) = ON_RING.take() {
            act();
            ON_RING.set(Some(act));
        }
    }
}

impl Clock for Bell {
    const TICKS_PER_SECOND: u64 = StdHost::TICKS_PER_SECOND;

    fn now() -> u64 {
        StdHost::now()
    }

    fn park_until(_deadline: u64) {
        Stage::park();
    }
}

type Pool<const WORKERS: usize> = Executor<WORKERS, 4, 256, Bell>;
type Handle<T> = JoinHandle<'static, T, Bell>;

/// How often the calling thread's bell rings during `work`.
fn rings<R>(work: impl FnOnce() -> R) -> (usize, R) {
    RUNG.set(0);
    let result = work();
    (RUNG.get(), result)
}

/// Submits a task.
type Submit = fn(Submitter<'static, 256, Bell>) -> Handle<()>;

/// Every way to submit a task.
const SUBMITS: [(&str, Submit); 9] = [
    ("submit", |pool| pool.submit(|| ()).unwrap()),
    ("submit_blocking", |pool| {
        pool.submit_blocking(|| ()).unwrap()
    }),
    ("submit_timeout", |pool| {
        pool.submit_timeout(|| (), Duration::ZERO).unwrap()
    }),
    ("submit_future", |pool| {
        pool.submit_future(async {}).unwrap()
    }),
    ("reserve", |pool| {
        pool.reserve().unwrap().submit(|| ()).unwrap()
    }),
    ("reserve_blocking", |pool| {
        pool.reserve_blocking().unwrap().submit(|| ()).unwrap()
    }),
    ("reserve_timeout", |pool| {
        pool.reserve_timeout(Duration::ZERO)
            .unwrap()
            .submit(|| ())
            .unwrap()
    }),
    ("reserve_async", |pool| {
        block_on(pool.reserve_async())
            .unwrap()
            .submit(|| ())
            .unwrap()
    }),
    ("permit's future", |pool| {
        pool.reserve().unwrap().submit_future(async {}).unwrap()
    }),
];

#[test]
fn each_submit_rings_if_no_worker_is_parked() {
    within_limit(|| {
        let driven: &Pool<0> = forever(Executor::new());
        let unstarted: &Pool<1> = forever(Executor::new());
        for pool in [driven.submitter(), unstarted.submitter()] {
            for (name, submit) in SUBMITS {
                let (rung, handle) = rings(|| submit(pool));
                assert_eq!(rung, 1, "{name}");
                assert_eq!(handle.result_inline(), Ok(()));
            }
        }
    });
}

#[test]
fn scopes_chunks_and_maps_ring_for_each_task() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let text = String::from("abc");
        let (rung, ()) = rings(|| {
            pool.scope(|s| {
                s.submit(|| text.len()).unwrap().detach();
                s.submit(|| text.len()).unwrap().detach();
            });
        });
        assert_eq!(rung, 2);
        let mut numbers = [0; 3];
        let (rung, chunks) = rings(|| pool.scope(|s| s.for_each_chunk(&mut numbers, 1, |_| ())));
        assert_eq!((rung, chunks), (3, Ok(())));
        let (rung, sum) = rings(|| pool.map(0..4, |n| n).map(Result::unwrap).sum::<i32>());
        assert_eq!((rung, sum), (4, 6));
    });
}

#[test]
fn submit_that_is_refused_does_not_ring() {
    let pool: &'static Executor<0, 1, 64, Bell> = forever(Executor::new());
    let permit = pool.reserve().unwrap();
    assert_eq!(rings(|| pool.submit(|| ()).is_err()), (0, true));
    pool.begin_shutdown(Shutdown::Drain);
    drop(permit);
    assert_eq!(rings(|| pool.submit(|| ()).is_err()), (0, true));
}

/// A worker that is driven by `run_one` sleeps nowhere, so it is told too.
#[test]
fn submit_rings_for_a_worker_that_is_run_by_hand() {
    within_limit(|| {
        let pool: &Pool<1> = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let mut worker = kept.recv().unwrap();
        assert_eq!(worker.run_one(), Ran::Nothing);
        let (rung, handle) = rings(|| pool.submit(|| 7).unwrap());
        assert_eq!((rung, worker.run_one()), (1, Ran::Task));
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn wake_of_a_future_that_rests_rings_once_until_it_is_polled() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let (future, told) = suspended_once(7);
        let handle = pool.submit_future(future).unwrap();
        assert!(pool.run_one());
        let waker = told.recv().unwrap();
        assert_eq!(rings(|| waker.wake_by_ref()).0, 1);
        assert_eq!(pool.stats().queued, 1);
        assert!(pool.run_one());
        assert_eq!(handle.result(), Ok(7));
        assert_eq!(rings(|| waker.wake()).0, 0, "the task has ended");
    });
}

/// What a firmware engineer met: an interrupt keeps a promise, which wakes a future, and nobody
/// pends the interrupt that polls it.
#[test]
fn promise_that_wakes_a_future_rings() {
    within_limit(|| {
        let pool: &Pool<1> = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let mut worker = kept.recv().unwrap();
        let (promise, kept_promise) = pool.promise::<u8>().unwrap();
        let task = pool
            .submit_future(async { kept_promise.await.unwrap() + 1 })
            .unwrap();
        assert_eq!(
            [worker.run_one(), worker.run_one()],
            [Ran::Task, Ran::Nothing]
        );
        let (rung, completed) = rings(|| promise.complete(Ok(6)));
        assert_eq!((rung, completed.is_ok()), (1, true));
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(task.result(), Ok(7));
    });
}

/// A future that is woken while it is polled is queued again when the poll returns.
#[test]
fn future_that_is_woken_during_its_poll_rings_when_it_is_queued_again() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let mut first = true;
        let future = core::future::poll_fn(move |context| {
            if core::mem::take(&mut first) {
                context.waker().wake_by_ref();
                return core::task::Poll::Pending;
            }
            core::task::Poll::Ready(7)
        });
        let handle = pool.submit_future(future).unwrap();
        assert_eq!(rings(|| pool.run_one()), (1, true));
        assert!(pool.run_one());
        assert_eq!(handle.result(), Ok(7));
    });
}

/// The bell does what an interrupt handler might, which would block for ever inside a lock.
#[test]
fn bell_may_use_the_executor_it_rings_for() {
    within_limit(|| {
        let pool: &'static Executor<0, 16, 256, Bell> = forever(Executor::new());
        ON_RING.set(Some(Box::new(|| {
            let stats = pool.stats();
            assert!(stats.queued > 0);
            pool.submit(|| ()).unwrap().detach();
            drop(pool.reserve().unwrap());
            let (promise, handle) = pool.promise::<u8>().unwrap();
            promise.complete(Ok(1)).unwrap();
            assert_eq!(handle.result(), Ok(1));
            let cancelled = pool.submit(|| ()).unwrap();
            assert!(cancelled.cancel());
            pool.scope(|s| s.submit(|| ()).unwrap().detach());
        })));
        pool.submit(|| ()).unwrap().detach();
        pool.submit_future(async {}).unwrap().detach();
        let (future, told) = suspended_once(7);
        let resting = pool.submit_future(future).unwrap();
        pool.run_until_idle();
        told.recv().unwrap().wake();
        assert_eq!(resting.result(), Ok(7));
        let mut numbers = [0; 3];
        pool.scope(|s| s.for_each_chunk(&mut numbers, 1, |_| ()))
            .unwrap();
        ON_RING.set(None);
        pool.run_until_idle();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// A pended interrupt that preempts at once: the task has run when the submit returns.
#[test]
fn bell_that_runs_the_executor_serves_each_submit_and_wake_at_once() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        ON_RING.set(Some(Box::new(|| {
            pool.run_until_idle();
        })));
        for (name, submit) in SUBMITS {
            assert!(submit(pool.submitter()).done(), "{name}");
        }
        let (future, told) = suspended_once(7);
        let resting = pool.submit_future(future).unwrap();
        told.recv().unwrap().wake();
        assert!(resting.done());
        let text = String::from("abc");
        pool.scope(|s| assert!(s.submit(|| text.len()).unwrap().done()));
        assert_eq!(pool.map(0..9, |n| n).map(Result::unwrap).sum::<i32>(), 36);
        ON_RING.set(None);
    });
}

#[test]
fn no_submit_rings_if_it_wakes_a_parked_worker() {
    within_limit(|| {
        let pool: &Pool<1> = forever(Executor::new());
        with_crew(pool, |crew| {
            for (name, submit) in SUBMITS {
                crew.actor(0).until_asleep();
                let (rung, handle) = rings(|| submit(pool.submitter()));
                assert_eq!(rung, 0, "{name}");
                assert_eq!(handle.result(), Ok(()));
            }
        });
    });
}

#[test]
fn no_wake_of_a_future_rings_if_it_wakes_a_parked_worker() {
    within_limit(|| {
        let pool: &Pool<1> = forever(Executor::new());
        with_crew(pool, |crew| {
            let (future, told) = suspended_once(7);
            let handle = pool.submit_future(future).unwrap();
            let waker = told.recv().unwrap();
            crew.actor(0).until_asleep();
            assert_eq!(rings(|| waker.wake()).0, 0);
            assert_eq!(handle.result(), Ok(7));
        });
    });
}

/// Two workers, one of them parked and one run by hand: the parked one is woken, which is enough.
#[test]
fn submit_beside_a_worker_that_is_run_by_hand_does_not_ring_if_another_is_parked() {
    within_limit(|| {
        let pool: &Pool<2> = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let [mut by_hand, parked] = [kept.recv().unwrap(), kept.recv().unwrap()];
        let (tell, told) = std::sync::mpsc::channel();
        let runner = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            parked.run();
        });
        assert_eq!(by_hand.run_one(), Ran::Nothing);
        told.recv().unwrap().until_asleep();
        let (rung, handle) = rings(|| pool.submit(|| 7).unwrap());
        assert_eq!((rung, handle.result()), (0, Ok(7)));
        pool.begin_shutdown(Shutdown::Drain);
        assert_eq!(by_hand.run_one(), Ran::Left);
        runner.join().unwrap();
    });
}

/// A worker that is an async task is woken by its waker, and is parked in this sense.
#[test]
fn submit_that_wakes_an_async_worker_does_not_ring() {
    within_limit(|| {
        let pool: &Pool<1> = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let mut worker = kept.recv().unwrap();
        let task = Task::new();
        {
            let mut waits = pin!(worker.ready());
            assert!(task.poll(waits.as_mut()).is_pending());
            let (rung, handle) = rings(|| pool.submit(|| ()).unwrap());
            assert_eq!((rung, task.wakes()), (0, 1));
            handle.detach();
            ready(task.poll(waits.as_mut()));
        }
        assert_eq!(worker.run_one(), Ran::Task);
    });
}

/// An event loop runs the executor; a thread waits for a promise, and would drive it as well. It is
/// woken by both at once, a kept promise and a task, and leaves with the first.
#[test]
fn task_whose_only_sleeper_leaves_rings_for_the_event_loop() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let (promise, kept) = pool.promise::<u8>().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            let outcome = kept.result();
            (outcome, RUNG.get())
        });
        let actor: Actor = told.recv().unwrap();
        actor.until_asleep();
        actor.hold();
        promise.complete(Ok(7)).unwrap();
        let (rung, handle) = rings(|| pool.submit(|| ()).unwrap());
        actor.release();
        let (outcome, rung_by_waiter) = waiter.join().unwrap();
        assert_eq!((outcome, pool.stats().queued), (Ok(7), 1));
        assert!(
            rung + rung_by_waiter > 0,
            "the task is queued, and nobody was told"
        );
        handle.detach();
    });
}

/// A worker that is an async task was woken for a task and gives up; the other worker is run by
/// hand, and must be told.
#[test]
fn async_worker_that_gives_up_its_wake_rings_for_a_worker_that_is_run_by_hand() {
    within_limit(|| {
        let pool: &Pool<2> = forever(Executor::new());
        let (host, kept) = keep();
        pool.start(&host).unwrap();
        let [mut gives_up, mut by_hand] = [kept.recv().unwrap(), kept.recv().unwrap()];
        assert_eq!(by_hand.run_one(), Ran::Nothing);
        let task = Task::new();
        let mut waits = Box::pin(gives_up.ready());
        assert!(task.poll(waits.as_mut()).is_pending());
        let (rung, handle) = rings(|| pool.submit(|| 7).unwrap());
        assert_eq!(task.wakes(), 1);
        let (rung_by_drop, ()) = rings(|| drop(waits));
        assert!(
            rung + rung_by_drop > 0,
            "the task is queued, and nobody was told"
        );
        assert_eq!(by_hand.run_one(), Ran::Task);
        assert_eq!(handle.result(), Ok(7));
    });
}

/// Several workers that start and are busy: no task waits untold while a worker by hand is free.
#[test]
fn crews_of_a_bell_shut_down_as_others_do() {
    within_limit(|| {
        let pool: &Pool<3> = forever(Executor::new());
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let handles = [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [1, 2, 3]);
        pool.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

/// It drove the executor while it slept: a submit would have woken it. It drives no more.
#[test]
fn submit_rings_after_a_thread_has_taken_the_last_done_handle_and_left() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let (promise, handle) = pool.promise::<u8>().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            let mut completed = as_completed([handle]);
            completed.next().map(JoinHandle::result)
        });
        told.recv().unwrap().until_asleep();
        promise.set_result(7).unwrap();
        assert_eq!(waiter.join().unwrap(), Some(Ok(7)));
        let (rung, handle) = rings(|| pool.submit(|| 8).unwrap());
        assert_eq!((rung, handle.result()), (1, Ok(8)));
    });
}

#[test]
fn a_thread_that_has_left_a_wait_for_the_next_done_handle_is_not_unparked_for_a_later_one() {
    within_limit(|| {
        let pool: &Pool<0> = forever(Executor::new());
        let (first, one) = pool.promise::<u8>().unwrap();
        let (second, other) = pool.promise::<u8>().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            let mut completed = as_completed([one, other]);
            let first = completed.next().map(JoinHandle::result);
            tell.send(Stage::current()).unwrap();
            gone.recv().unwrap();
            (first, completed.next().map(JoinHandle::result))
        });
        told.recv().unwrap().until_asleep();
        first.set_result(1).unwrap();
        told.recv().unwrap();
        UNPARKED.set(0);
        second.set_result(2).unwrap();
        assert_eq!(UNPARKED.get(), 0);
        go.send(()).unwrap();
        assert_eq!(waiter.join().unwrap(), (Some(Ok(1)), Some(Ok(2))));
    });
}
