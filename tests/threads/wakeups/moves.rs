//! Executors, workers and futures that move between a wait and its end.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use slotted::{Executor, Park, Ran, Shutdown};

use super::Pool;
use crate::stage::{Stage, keep, suspended_once, within_limit};

/// An executor with a pending task, whose callback sends how the task ended.
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

#[test]
fn a_callback_runs_after_its_executor_has_moved() {
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
fn the_drop_of_a_moved_executor_cancels_its_tasks_and_runs_their_callbacks() {
    let (executors, told): (Vec<_>, Vec<_>) = (0..3).map(|_| listened_to()).unzip();
    drop(executors);
    for told in told {
        assert_eq!(told.iter().collect::<Vec<_>>(), [None]);
    }
}

#[test]
fn a_waiting_worker_thread_wakes_after_its_worker_has_moved_to_another_thread() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let mut worker = kept.recv().unwrap();
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
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}

#[test]
fn a_worker_stays_through_a_shutdown_until_its_suspended_future_is_done() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let mut worker = kept.recv().unwrap();
        let (future, told) = suspended_once(7);
        let handle = POOL.submit_future(future).unwrap();
        assert_eq!(worker.run_one(), Ran::Task);
        POOL.begin_shutdown(Shutdown::Drain);
        assert_eq!(
            worker.run_one(),
            Ran::Nothing,
            "only this worker can poll it"
        );
        told.recv().unwrap().wake();
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(worker.run_one(), Ran::Left);
        assert_eq!(handle.result().unwrap(), 7);
    });
}
