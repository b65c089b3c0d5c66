//! The last worker leaves while threads wait for what only a worker can do.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{Executor, Ran, ReturnWhen, Shutdown, TaskError, Worker, as_completed, wait};

use super::{Pool, asleep};
use crate::stage::{Stage, keep, within_limit};

/// Starts an executor of one worker, which is kept.
fn start<const QUEUE: usize, const SLOT_BYTES: usize>(
    pool: &'static Executor<1, QUEUE, SLOT_BYTES, Stage>,
) -> Worker<'static, Stage> {
    let (keep, kept) = keep();
    pool.start(&keep).unwrap();
    kept.recv().unwrap()
}

/// The worker leaves without a shutdown: the host drops it.
#[test]
fn the_last_worker_that_leaves_tells_each_waiter_that_there_is_none() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let submit = || POOL.submit(|| 1).unwrap();
        let handle = submit();
        let (_, result) = asleep(move || handle.result());
        let handle = submit();
        let (_, error) = asleep(move || matches!(handle.error(), Some(TaskError::NotStarted)));
        let mut handles = [submit(), submit()];
        let (_, done) = asleep(move || wait(&mut handles, ReturnWhen::AllCompleted).done.len());
        let handles = [submit(), submit()];
        let (_, yielded) =
            asleep(move || as_completed(handles).filter(|handle| handle.done()).count());
        drop(worker);
        assert_eq!(result.recv().unwrap(), Err(TaskError::NotStarted));
        assert!(error.recv().unwrap());
        assert_eq!(done.recv().unwrap(), 0);
        assert_eq!(yielded.recv().unwrap(), 0);
        assert_eq!(submit().result(), Err(TaskError::NotStarted), "a new wait");
    });
}

/// Two threads wait for one task through one handle, and for the shared cell of its waiters.
#[test]
fn the_last_worker_that_leaves_tells_all_waiters_for_one_task() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let handle = std::sync::Arc::new(POOL.submit(|| 1).unwrap());
        let ended = [(); 3].map(|()| {
            let handle = handle.clone();
            asleep(move || matches!(handle.error(), Some(TaskError::NotStarted))).1
        });
        drop(worker);
        for ended in ended {
            assert!(ended.recv().unwrap());
        }
    });
}

/// The owner of a scope runs the scope's tasks when no worker is left that could.
#[test]
fn the_last_worker_that_leaves_wakes_the_owners_of_scopes() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let scopes = [1, 2, 3].map(|number| {
            asleep(move || {
                let mut seen = 0;
                POOL.scope(|s| s.submit(|| seen = number).unwrap().detach());
                seen
            })
            .1
        });
        drop(worker);
        assert_eq!(scopes.map(|scope| scope.recv().unwrap()), [1, 2, 3]);
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

/// The threads that wait for the workers to leave share one cell with the owners of scopes. None of
/// them keeps another one's wake.
#[test]
fn the_last_worker_that_leaves_wakes_shutdowns_and_owners_of_scopes_that_wait_together() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        for _ in 0..2 {
            let worker = start(&POOL);
            let scope = || {
                let mut seen = 0;
                POOL.scope(|s| s.submit(|| seen = 1).unwrap().detach());
                seen
            };
            let scopes = [(); 2].map(|()| asleep(scope).1);
            let shutdowns = [(); 2].map(|()| asleep(|| POOL.shutdown(Shutdown::Drain)).1);
            drop(worker);
            assert_eq!(scopes.map(|scope| scope.recv().unwrap()), [1, 1]);
            for shutdown in shutdowns {
                shutdown.recv().unwrap().unwrap();
            }
            assert_eq!(POOL.stats().slots_in_use, 0);
        }
    });
}

/// Another thread runs a task of the scope. When the last worker has left, that task submits to the
/// scope again, and its owner runs what came.
#[test]
fn a_task_that_is_submitted_to_a_scope_after_the_last_worker_left_is_run_by_the_owner() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let (begin, begun) = channel();
        let (go, gone) = channel::<()>();
        let gone = Mutex::new(gone);
        let (owner, ended) = asleep(move || {
            let number = AtomicUsize::new(0);
            POOL.scope(|s| {
                let (number, gone) = (&number, &gone);
                let task = move || {
                    begin.send(()).unwrap();
                    gone.lock().unwrap().recv().unwrap();
                    let late = s.submit(move || number.store(2, Ordering::Relaxed));
                    late.unwrap().detach();
                };
                s.submit(task).unwrap().detach();
            });
            number.into_inner()
        });
        let by_hand = thread::spawn(|| POOL.run_one());
        begun.recv().unwrap();
        drop(worker);
        owner.until_asleep(); // it looked, and found nothing
        go.send(()).unwrap();
        assert!(by_hand.join().unwrap());
        assert_eq!(ended.recv().unwrap(), 2);
    });
}

#[test]
fn for_each_chunk_after_the_last_worker_left_works_on_the_chunks_itself() {
    static POOL: Executor<1, 2, 64, Stage> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let mut numbers = [1; 8];
        let done = POOL.scope(|s| {
            drop(worker);
            s.for_each_chunk(&mut numbers, 1, |chunk| chunk.fill(2))
        });
        assert_eq!(done, Ok(()));
        assert_eq!(numbers, [2; 8]);
    });
}

/// All chunks wait in the queue when the only worker cannot start.
#[test]
fn a_breakdown_ends_chunks_that_wait_in_the_queue() {
    static POOL: Pool<1> = Executor::new().on_worker_start(|_| Err(WorkerStartError));
    within_limit(|| {
        let mut worker = start(&POOL);
        let mut numbers = [1; 8];
        let said = POOL.scope(|s| {
            let said = s.for_each_chunk(&mut numbers, 2, |chunk| chunk.fill(2));
            assert_eq!(worker.run_one(), Ran::Left);
            said
        });
        assert_eq!((said, numbers), (Ok(()), [1; 8]));
    });
}

/// The worker has taken no chunk. Both slots hold one, and the caller stands in line for a slot.
#[test]
fn the_last_worker_that_leaves_lets_for_each_chunk_work_on_the_chunks_itself() {
    static POOL: Executor<1, 2, 64, Stage> = Executor::new();
    within_limit(|| {
        let worker = start(&POOL);
        let (_, done) = asleep(|| {
            let mut numbers = [1; 8];
            POOL.scope(|s| s.for_each_chunk(&mut numbers, 1, |chunk| chunk.fill(2)))
                .unwrap();
            numbers
        });
        drop(worker);
        assert_eq!(done.recv().unwrap(), [2; 8]);
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}
