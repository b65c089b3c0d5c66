//! Wakers of futures: none is lost, and a stale one does no harm.

use core::future::poll_fn;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use slotted::Executor;

use super::{Handle, Pool};
use crate::stage::{Stage, play, with_crew, within_limit};

/// Closures and futures run in the order in which they became ready.
#[test]
fn a_woken_future_runs_after_the_tasks_submitted_before_its_wake() {
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
fn a_future_woken_from_many_threads_misses_no_wake() {
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

/// A future that counts its polls and is ready once the test has said so.
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

#[test]
fn a_stale_waker_costs_the_next_future_in_its_slot_one_poll_at_most() {
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

        // The next future waits for its first poll anyway.
        let next = counted(&POOL);
        wake_often(&stale);
        assert_eq!(POOL.run_until_idle(), 1);
        assert_eq!(next.polls.load(Ordering::Relaxed), 1);

        // While suspended it is polled once in vain.
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
fn a_stale_waker_wakes_neither_a_promise_nor_a_closure() {
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
fn a_running_promise_is_kept_despite_a_stale_waker_of_its_slot() {
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

/// Each of many futures in one slot needs its own wake, while a thread uses the wakers of earlier
/// ones all the time.
#[test]
fn stale_wakers_disturb_no_later_future() {
    const FUTURES: usize = if cfg!(miri) { 5 } else { 300 };
    static POOL: Executor<1, 1, 128, Stage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
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
        });
        assert_eq!(
            (POOL.stats().completed, POOL.stats().slots_in_use),
            (FUTURES, 0)
        );
    });
}
