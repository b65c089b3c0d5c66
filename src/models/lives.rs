//! Lives that end, and begin, while threads wait or leave.
#![forbid(unsafe_code)]

use super::*;
use crate::blocking::{LifeOver, Never, RunUnstarted, block};
use crate::executor::shut_down_async;
use crate::registry::Registry;
use crate::roster::Epoch;

/// Starts a leaked executor of one worker, which the model runs.
pub(super) fn start_and_keep<const QUEUE: usize>(
    pool: &'static Pool<1, QUEUE>,
) -> Worker<'static, Modelled> {
    let keep = Keep::default();
    pool.start(&keep).unwrap();
    keep.0.into_inner().unwrap().pop().unwrap()
}

/// A life ends, and the next one begins while the thread of the first life's worker still leaves.
#[test]
fn a_worker_that_leaves_takes_nothing_from_the_worker_of_the_next_life() {
    model_leaked_within::<1, 1>(3, |pool| {
        let mut worker = start_and_keep(pool);
        assert_eq!(worker.run_one(), Ran::Nothing);
        let host = thread::spawn(move || drop(worker));
        if pool.start(&Modelled).is_ok() {
            for _ in 0..2 {
                assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
            }
            pool.shutdown(Shutdown::Drain).unwrap();
        }
        host.join().unwrap();
    });
}

/// The host drops the last worker while a thread is about to wait for a task.
#[test]
fn a_waiter_hears_that_the_last_worker_leaves() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let handle = pool.submit(|| 1).unwrap();
        let host = thread::spawn(move || drop(worker));
        assert_eq!(handle.result(), Err(TaskError::NotStarted));
        host.join().unwrap();
    });
}

/// As above, for the owner of a scope.
#[test]
fn the_owner_of_a_scope_hears_that_the_last_worker_leaves() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let host = thread::spawn(move || drop(worker));
        let mut number = 1;
        pool.scope(|s| s.submit(|| number = 2).unwrap().detach());
        assert_eq!(number, 2);
        host.join().unwrap();
    });
}

/// As above, for a waiter for several tasks.
#[test]
fn a_waiter_for_several_tasks_hears_that_the_last_worker_leaves() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let mut handles = [pool.submit(|| 1).unwrap()];
        let host = thread::spawn(move || drop(worker));
        let waited = wait(&mut handles, ReturnWhen::AllCompleted);
        assert_eq!(waited.done.len(), 0);
        host.join().unwrap();
    });
}

/// As above, for a thread with chunks, which stands in line for the only slot.
#[test]
fn a_thread_with_chunks_hears_that_the_last_worker_leaves() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let host = thread::spawn(move || drop(worker));
        let mut numbers = [1, 1];
        let done = pool.scope(|s| s.for_each_chunk(&mut numbers, 1, |chunk| chunk[0] = 2));
        assert_eq!(done, Ok(()));
        assert_eq!(numbers, [2, 2]);
        host.join().unwrap();
    });
}

/// A thread drives the end of a life, by `drive`, as that ends and another begins. It may run one
/// task of the next life, or be woken for one and leave: then the host is told.
fn drives_the_end_of_a_life(drive: fn(Registry<'static, Modelled>, Epoch)) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(4);
    builder.check(move || {
        let pool: &'static Pool<1, 1> = Box::leak(Box::new(Pool::new()));
        let mut worker = start_and_keep(pool);
        let registry = pool.registry();
        let epoch = registry.roster(|roster| roster.epoch());
        let resting = pool.submit_future(core::future::pending::<()>()).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        pool.begin_shutdown(Shutdown::Drain);
        drop(worker);
        let driver = thread::spawn(move || drive(registry, epoch));
        assert!(resting.cancel());
        drop(resting);
        let mut worker = start_and_keep(pool);
        let calls = CALLS_OF_READY.get();
        let task = pool.submit(|| ()).unwrap();
        driver.join().unwrap();
        let ran = task.done();
        assert!(ran || CALLS_OF_READY.get() > calls);
        assert_eq!(worker.run_one() == Ran::Task, !ran);
    });
}

#[test]
fn a_driver_of_a_life_that_is_over_passes_on_what_it_was_woken_for() {
    drives_the_end_of_a_life(|registry, epoch| {
        let over = LifeOver { registry, epoch };
        block(
            registry,
            &over,
            &Never::<Modelled>::new(),
            RunUnstarted::Workers,
        )
        .unwrap();
    });
}

/// As above, for an async shutdown.
#[test]
fn an_async_driver_of_a_life_that_is_over_passes_on_what_it_was_woken_for() {
    drives_the_end_of_a_life(|registry, epoch| {
        let waker = Waker::from(Arc::new(Unparks(Modelled::current())));
        let mut over = core::pin::pin!(shut_down_async(registry, epoch, |over| over));
        while over
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            Modelled::park();
        }
    });
}

/// Runs the first worker in a thread, and refuses the second.
struct Half;

impl Spawn<Modelled> for Half {
    type Error = ();

    fn spawn(&self, worker: Worker<'static, Modelled>) -> Result<(), ()> {
        if worker.index() == 1 {
            return Err(());
        }
        drop(thread::spawn(|| worker.run()));
        Ok(())
    }
}

/// The worker that was started attaches, or leaves, while the start is taken back.
#[test]
fn a_refused_start_is_over_when_it_returns_and_another_begins() {
    model_leaked::<2, 1>(|pool| {
        assert!(pool.start(&Half).is_err());
        let keep = Keep::default();
        pool.start(&keep).unwrap();
        let mut workers = keep.0.into_inner().unwrap();
        let handle = pool.submit(|| 1).unwrap();
        assert_eq!(workers[0].run_one(), Ran::Task);
        assert_eq!(handle.result(), Ok(1));
    });
}

/// Wakes a thread of the model.
struct Unparks(Arc<ThreadToken>);

impl std::task::Wake for Unparks {
    fn wake(self: Arc<Self>) {
        Modelled::unpark(&self.0);
    }
}

/// As above, for an async shutdown: with the worker gone, its polls run the task.
#[test]
fn an_async_shutdown_hears_that_the_last_worker_leaves() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let handle = pool.submit(|| 1).unwrap();
        let host = thread::spawn(move || drop(worker));
        let waker = Waker::from(Arc::new(Unparks(Modelled::current())));
        let mut shutdown = core::pin::pin!(pool.shutdown_async(Shutdown::Drain));
        while shutdown
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            Modelled::park();
        }
        assert_eq!(handle.result(), Ok(1));
        host.join().unwrap();
    });
}
