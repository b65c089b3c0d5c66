//! One thread runs everything, as on a board: workers, and what waits for them, are tasks of one
//! runtime.

use slotted::{Executor, JoinHandle, Ran, Shutdown, Worker};

use crate::stage::{Stage, forever, keep, within_limit};

type Pool = Executor<1, 4, 128, Stage>;

/// A worker as an async task.
async fn work(mut worker: Worker<'static, Stage>) {
    loop {
        worker.ready().await;
        if worker.run_one() == Ran::Left {
            return;
        }
    }
}

/// One thread runs everything, as on a board: the runtime's tasks are the pool's worker and the one
/// that closes the pool. The worker rests meanwhile, so nothing waits for itself.
fn close_beside_the_worker(queued: bool) {
    let runtime: &'static Executor<0, 4, 512, Stage> = forever(Executor::new());
    let pool: &Pool = forever(Executor::new());
    let (host, kept) = keep();
    pool.start(&host).unwrap();
    let working = runtime.submit_future(work(kept.recv().unwrap())).unwrap();
    runtime.run_until_idle();
    let handle: Option<JoinHandle<'_, u8, Stage>> = queued.then(|| pool.submit(|| 7).unwrap());
    let closing = runtime
        .submit_future(pool.shutdown_async(Shutdown::Drain))
        .unwrap();
    runtime.run_until_idle();
    assert_eq!(
        closing.result(),
        Ok(Ok(())),
        "the worker is a task beside this one"
    );
    assert_eq!(working.result(), Ok(()));
    if let Some(handle) = handle {
        assert_eq!(handle.result(), Ok(7));
    }
}

#[test]
fn shutdown_is_awaited_in_the_thread_whose_other_task_is_the_worker() {
    within_limit(|| close_beside_the_worker(false));
}

#[test]
fn shutdown_is_awaited_in_the_thread_whose_other_task_is_a_worker_with_work() {
    within_limit(|| close_beside_the_worker(true));
}
