//! Waiters of tasks: several for one handle, and waiters that run what they wait for.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use slotted::{Executor, Park, TaskError};

use super::{Handle, Pool};
use crate::stage::{Actor, Stage, play, suspended, within_limit};

/// An outside thread waits through the same handle and displaces the only worker. Only that worker
/// can poll the future.
#[test]
fn a_displaced_worker_still_polls_the_future_it_waits_for() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |pace| {
        let (future, waker) = suspended(&POOL, 7_u32);
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
fn each_end_of_a_promise_wakes_every_waiter_of_its_shared_handle() {
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

/// Two waiters that had displaced each other would wake each other for ever. On a strict scheduler
/// no less urgent thread would run again.
#[test]
fn a_waiter_that_is_woken_for_nothing_wakes_no_other() {
    static POOL: Pool<0> = Executor::new();
    within_limit(|| {
        let (promise, handle) = POOL.promise::<u32>().unwrap();
        thread::scope(|threads| {
            let [first, second] = [0, 1].map(|_| {
                let (tell, told) = channel();
                let handle = &handle;
                threads.spawn(move || {
                    tell.send(Stage::current()).unwrap();
                    assert!(handle.error().is_none());
                });
                let waiter: Actor = told.recv().unwrap();
                waiter.until_asleep();
                waiter
            });
            first.hold();
            Stage::unpark(&second);
            second.until_asleep();
            assert!(first.is_asleep());
            first.release();
            promise.set_result(1).unwrap();
        });
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
            Some(other) => panic!("a promise cannot end so: {other}"),
        }
    }
}
