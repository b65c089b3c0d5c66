//! `forte`: a waiting thread is one of its workers meanwhile.

use std::sync::Arc;

use crossbeam_channel::unbounded;
use forte::{ThreadPool, Worker};

use super::{Found, pool};
use crate::pool::{ForkJoin, Pool, WORKERS};
use crate::work::work;
use crate::workload::{self, CUTOFF, Workload};

static POOL: ThreadPool = ThreadPool::new();

/// The type that `spawn_future` returns: a task of `async-task`, which forte does not export.
type Task<T> = async_executor::Task<T>;

struct Forte;

impl Pool for Forte {
    type Handle<T: Send + 'static> = Task<T>;

    fn start() -> Self {
        assert_eq!(POOL.resize_to(WORKERS), WORKERS);
        Self
    }

    fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        POOL.with_worker(|_| body())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        POOL.spawn_future(async { task() })
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        POOL.block_on(handle)
    }

    /// The caller is a worker and must not block in a channel. It reads the channel after the scope
    /// has ended.
    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (sender, results) = unbounded();
        POOL.scope(|scope| {
            for task in tasks {
                let sender = sender.clone();
                scope.spawn(move |_| sender.send(task()).expect("the submitter listens"));
            }
        });
        drop(sender);
        results.into_iter().for_each(visit);
    }

    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], chunk: usize) {
        POOL.scope(|scope| {
            for (places, items) in output.chunks_mut(chunk).zip(input.chunks(chunk)) {
                scope.spawn(move |_| {
                    places
                        .iter_mut()
                        .zip(items)
                        .for_each(|(place, &item)| *place = work(item));
                });
            }
        });
    }
}

impl ForkJoin for Forte {
    fn fibonacci(&self, n: u64) -> u64 {
        POOL.with_worker(|worker| fork(worker, n))
    }
}

fn fork(worker: &Worker, n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    let (one, other) = worker.join(|worker| fork(worker, n - 1), |worker| fork(worker, n - 2));
    one + other
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Forte>),
        other => pool::<Forte>(other),
    }
}
