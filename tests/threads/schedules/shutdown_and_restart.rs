//! A shutdown ends, cancels in, and waits for the life it was called in.

use core::future::poll_fn;
use core::task::Poll;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{
    Executor, JoinHandle, Park, Ran, Shutdown, ShutdownError, StartError, StdThreads, TaskError,
    Worker,
};

use crate::schedules::support::{By, Keep, NoThread, within_limit};
use crate::stage::{Actor, Stage};

type Pool<const WORKERS: usize> = Executor<WORKERS, 8, 128, Stage>;

// ---- a shutdown waits for its own life

/// A thread that waits in `shutdown` comes to run late: by then its life is over, and another has
/// begun. `shutdown` returns; the next life is not its business.
#[test]
fn shutdown_returns_though_the_next_life_has_begun() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker] = keep.workers::<1>();
        let (tell, told) = channel();
        let (tell_actor, told_actor) = channel::<Actor>();
        thread::spawn(move || {
            tell_actor.send(Stage::current()).unwrap();
            tell.send(POOL.shutdown(Shutdown::Drain)).unwrap();
        });
        let closer = told_actor.recv().unwrap();
        closer.until_asleep();
        closer.hold();
        assert_eq!(worker.run_one(), Ran::Left);
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker] = keep.workers::<1>();
        assert_eq!(worker.run_one(), Ran::Nothing);
        closer.release();
        let outcome: Result<(), ShutdownError> = told.recv().unwrap();
        outcome.unwrap();
        // The next life goes on.
        let task = POOL.submit(|| 1).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(task.result().unwrap(), 1);
    });
}

/// A start that was refused waits for the workers that had started, and comes to run late: by then
/// they have left, and another start was accepted. The refused one returns.
#[test]
fn refused_start_returns_though_the_next_life_has_begun() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let (tell_actor, told_actor) = channel::<Actor>();
        let (give, given) = channel::<Worker<'static, Stage>>();
        let (go, gone) = channel::<()>();
        let (tell, told) = channel();
        thread::spawn(move || {
            tell_actor.send(Stage::current()).unwrap();
            let refuses = By(|worker: Worker<'static, Stage>| {
                if worker.index() == 0 {
                    give.send(worker).unwrap();
                    return Ok(());
                }
                gone.recv().unwrap();
                Err(NoThread)
            });
            tell.send(POOL.start(&refuses)).unwrap();
        });
        let starter = told_actor.recv().unwrap();
        let mut worker = given.recv().unwrap();
        assert_eq!(worker.run_one(), Ran::Nothing);
        go.send(()).unwrap();
        starter.until_asleep();
        starter.hold();
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(), Ran::Left);
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker, _other] = keep.workers::<2>();
        assert_eq!(worker.run_one(), Ran::Nothing);
        starter.release();
        let outcome: Result<(), StartError<NoThread>> = told.recv().unwrap();
        assert!(
            matches!(outcome, Err(StartError::Refused { started: 1, .. })),
            "{outcome:?}"
        );
        assert_eq!(worker.run_one(), Ran::Nothing, "the next life goes on");
    });
}

// ---- a shutdown cancels in its own life

type Driven = Executor<0, 8>;

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A destructor of a task that a shutdown cancels starts the executor again and submits. What was
/// submitted to the next life stays.
#[test]
fn shutdown_cancels_no_task_of_the_next_life() {
    static POOL: Driven = Executor::new();
    static NEXT: Mutex<Option<JoinHandle<'static, i32>>> = Mutex::new(None);
    within_limit(|| {
        let restarts = OnDrop(|| {
            POOL.start(&StdThreads::new()).unwrap();
            *NEXT.lock().unwrap() = Some(POOL.submit(|| 1).unwrap());
        });
        let cancelled = POOL.submit(move || drop(restarts)).unwrap();
        POOL.begin_shutdown(Shutdown::Cancel);
        assert!(cancelled.cancelled());
        let next = NEXT.lock().unwrap().take().unwrap();
        assert!(!next.cancelled(), "a task of the next life was cancelled");
        assert_eq!(next.result().unwrap(), 1);
    });
}

/// A shutdown that cancels comes while a future is polled, which is pending then. Nobody would wake
/// it: it is cancelled.
#[test]
fn shutdown_cancels_a_future_whose_poll_it_meets() {
    static POOL: Driven = Executor::new();
    within_limit(|| {
        let task = POOL.submit_future(poll_fn(|_| {
            POOL.begin_shutdown(Shutdown::Cancel);
            Poll::<()>::Pending
        }));
        let mut task = task.unwrap();
        assert!(POOL.run_one());
        assert_eq!(task.try_result(), Some(Err(TaskError::Cancelled)));
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// As above, where the executor breaks meanwhile.
#[test]
fn breakdown_ends_a_future_whose_poll_it_meets() {
    static POOL: Pool<2> = Executor::new().on_worker_start(|worker| match worker {
        0 => Ok(()),
        _ => Err(WorkerStartError),
    });
    within_limit(|| {
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker, mut failing] = keep.workers::<2>();
        let task = POOL.submit_future(poll_fn(move |_| {
            assert_eq!(failing.run_one(), Ran::Left);
            Poll::<()>::Pending
        }));
        let mut task = task.unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(task.try_result(), Some(Err(TaskError::Broken)));
    });
}

/// Fills the executor with tasks, in slots that earlier tasks gave back in the order of `places`,
/// and shuts down. Returns the order in which the tasks were cancelled.
fn order_of_cancelling(pool: &Driven, places: [usize; 8]) -> Vec<usize> {
    let mut earlier = [(); 8].map(|()| Some(pool.submit(|| ()).unwrap()));
    assert_eq!(pool.run_until_idle(), 8);
    places.iter().for_each(|&place| drop(earlier[place].take()));
    // Half of the slots hold a task, and the other half its callback.
    let order: Arc<Mutex<Vec<usize>>> = Arc::default();
    for place in 0..4 {
        let order = order.clone();
        let task = pool.submit(|| ()).unwrap();
        task.add_done_callback(move |_| order.lock().unwrap().push(place))
            .unwrap();
    }
    pool.begin_shutdown(Shutdown::Cancel);
    let order = order.lock().unwrap();
    order.clone()
}

/// A shutdown cancels the oldest task first, whatever slots the tasks are in.
#[test]
fn shutdown_cancels_in_the_order_of_submission() {
    static POOLS: [Driven; 2] = [const { Executor::new() }; 2];
    within_limit(|| {
        let mut places = [0, 1, 2, 3, 4, 5, 6, 7];
        for pool in &POOLS {
            assert_eq!(order_of_cancelling(pool, places), [0, 1, 2, 3]);
            places.reverse();
        }
    });
}

// ---- a worker's thread that the host fails to name

std::thread_local! {
    static CLONE_PANICS: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

/// An actor whose clone may panic.
#[derive(Debug)]
struct Fragile(Actor);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!CLONE_PANICS.take(), "the host cannot clone");
        Self(self.0.clone())
    }
}

/// The [`Stage`], whose threads are [`Fragile`].
struct FragileStage;

impl Park for FragileStage {
    type Thread = Fragile;
    type Order = slotted::Fifo;

    fn current() -> Fragile {
        Fragile(Stage::current())
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(thread: &Fragile) {
        Stage::unpark(&thread.0);
    }
}

/// A host that panics while it clones a worker's thread costs one wake-up. When the worker has
/// come round once more, it is woken again.
#[test]
fn worker_whose_thread_could_not_be_cloned_once_is_woken_the_next_time() {
    static POOL: Executor<1, 8, 128, FragileStage> = Executor::new();
    within_limit(|| {
        let (tell, told): (Sender<Actor>, _) = channel();
        POOL.start(&By(|worker: Worker<'static, FragileStage>| {
            let tell = tell.clone();
            thread::spawn(move || {
                tell.send(Stage::current()).unwrap();
                worker.run();
            });
            Ok(())
        }))
        .unwrap();
        let worker = told.recv().unwrap();
        worker.until_asleep();
        CLONE_PANICS.set(true);
        let submitting = std::panic::catch_unwind(|| POOL.submit(|| ()).map(drop));
        assert!(submitting.is_err());
        // It looks, runs what was submitted, and sleeps again.
        Stage::unpark(&worker);
        while POOL.stats().completed == 0 {
            thread::yield_now();
        }
        worker.until_asleep();
        assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
    });
}
