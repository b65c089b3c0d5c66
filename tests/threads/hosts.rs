//! Unusual hosts and wrong hosts. They may cost time or a worker, and nothing else.

mod clocks;
mod idling;
mod parks;
mod refused_starts;
mod restarts;
mod thread_ids;
mod wakers;
mod workers;

use slotted::{Executor, Park, ReturnWhen, Spawn, Worker, as_completed, wait};

/// How many executors a test uses that cannot use one twice.
const POOLS: usize = if cfg!(miri) { 2 } else { 64 };

/// The host has no more threads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoThread;

/// Gives each worker to a function of the test.
pub(crate) struct By<F>(pub(crate) F);

impl<H: Park, F: Fn(Worker<'static, H>) -> Result<(), NoThread>> Spawn<H> for By<F> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), NoThread> {
        (self.0)(worker)
    }
}

/// Uses everything that an executor does for its callers, once, except deadlocks.
fn use_everything<H: Park>(pool: &Executor<2, 8, 64, H>) {
    let three = || [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
    assert_eq!(three().map(|handle| handle.result().unwrap()), [1, 2, 3]);
    let mut handles = three();
    assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 3);
    drop(handles);
    assert_eq!(
        as_completed(three())
            .map(|handle| handle.result().unwrap())
            .sum::<i32>(),
        6
    );
    assert_eq!(pool.map(0..20, |n| n).map(Result::unwrap).sum::<i32>(), 190);
    let mut numbers = [1; 20];
    pool.scope(|s| s.for_each_chunk(&mut numbers, 3, |chunk| chunk.fill(2)))
        .unwrap();
    assert_eq!(numbers, [2; 20]);
    // More tasks than there are slots.
    for _ in 0..20 {
        pool.submit_blocking(|| ()).unwrap().detach();
    }
}
