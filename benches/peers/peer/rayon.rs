//! `rayon`: `spawn` with a channel for the result, and its own `par_iter` and `join`.

use std::sync::Arc;

use crossbeam_channel::{bounded, unbounded};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Found, pool};
use crate::pool::{ForkJoin, Pool, WORKERS};
use crate::work::work;
use crate::workload::{self, CUTOFF, Workload};

fn threads() -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(WORKERS)
        .build()
        .expect("threads")
}

fn each_completed<F>(threads: &ThreadPool, tasks: Vec<F>, visit: impl FnMut(u64))
where
    F: FnOnce() -> u64 + Send + 'static,
{
    let (sender, results) = unbounded();
    for task in tasks {
        let sender = sender.clone();
        threads.spawn(move || sender.send(task()).expect("the submitter listens"));
    }
    drop(sender);
    results.into_iter().for_each(visit);
}

fn fill(threads: &ThreadPool, input: &[u64], output: &mut [u64]) {
    threads.install(|| {
        output
            .par_iter_mut()
            .zip(input.par_iter())
            .for_each(|(place, &item)| *place = work(item))
    });
}

fn fork(n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    let (one, other) = rayon::join(|| fork(n - 1), || fork(n - 2));
    one + other
}

struct WithOneshot(ThreadPool);

impl Pool for WithOneshot {
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn start() -> Self {
        Self(threads())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        self.0.spawn(move || drop(sender.send(task())));
        result
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        handle.recv().expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        each_completed(&self.0, tasks, visit);
    }

    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], _chunk: usize) {
        fill(&self.0, input, output);
    }
}

impl ForkJoin for WithOneshot {
    fn fibonacci(&self, n: u64) -> u64 {
        self.0.install(|| fork(n))
    }
}

pub fn find_oneshot(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<WithOneshot>),
        other => pool::<WithOneshot>(other),
    }
}

struct WithChannel(ThreadPool);

impl Pool for WithChannel {
    type Handle<T: Send + 'static> = crossbeam_channel::Receiver<T>;

    fn start() -> Self {
        Self(threads())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, result) = bounded(1);
        self.0.spawn(move || drop(sender.send(task())));
        result
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        handle.recv().expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        each_completed(&self.0, tasks, visit);
    }
}

pub fn find_channel(workload: Workload) -> Found {
    match workload {
        // In these workloads rayon needs no channel; its other row has them.
        Workload::ForkJoin | Workload::Array | Workload::Completion => Found::Missing,
        other => pool::<WithChannel>(other),
    }
}
