//! `tokio`: tasks of its runtime, and its threads for blocking work.

use core::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};

use super::{Found, pool};
use crate::pool::{Cancel, ForkJoin, Polls, Pool, WORKERS};
use crate::workload::{self, CUTOFF, Workload};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(WORKERS)
        .build()
        .expect("threads")
}

fn drain(runtime: &Runtime, mut set: JoinSet<u64>, mut visit: impl FnMut(u64)) {
    runtime.block_on(async {
        while let Some(result) = set.join_next().await {
            visit(result.expect("a value"));
        }
    });
}

struct Spawn(Runtime);

impl Pool for Spawn {
    type Handle<T: Send + 'static> = JoinHandle<T>;

    fn start() -> Self {
        Self(runtime())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn(async { task() })
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        self.0.block_on(handle).expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let mut set = JoinSet::new();
        for task in tasks {
            set.spawn_on(async { task() }, self.0.handle());
        }
        drain(&self.0, set, visit);
    }
}

impl ForkJoin for Spawn {
    fn fibonacci(&self, n: u64) -> u64 {
        self.0.block_on(self.0.spawn(fork(n))).expect("a value")
    }
}

fn fork(n: u64) -> core::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < CUTOFF {
            return workload::fibonacci(n);
        }
        let other = tokio::spawn(fork(n - 2));
        fork(n - 1).await + other.await.expect("a value")
    })
}

impl Cancel for Spawn {
    fn cancel(&self, handle: Self::Handle<()>) {
        handle.abort();
    }
}

impl Polls for Spawn {
    fn spawn<F>(&self, future: F) -> Self::Handle<u64>
    where
        F: Future<Output = u64> + Send + 'static,
    {
        self.0.spawn(future)
    }
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Spawn>),
        Workload::Cancel => Found::Here(workload::cancel::<Spawn>),
        Workload::Wake => Found::Here(workload::wake::<Spawn>),
        other => pool::<Spawn>(other),
    }
}

struct SpawnBlocking(Runtime);

impl Pool for SpawnBlocking {
    type Handle<T: Send + 'static> = JoinHandle<T>;

    fn start() -> Self {
        Self(runtime())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn_blocking(task)
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        self.0.block_on(handle).expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let mut set = JoinSet::new();
        for task in tasks {
            set.spawn_blocking_on(task, self.0.handle());
        }
        drain(&self.0, set, visit);
    }
}

impl Cancel for SpawnBlocking {
    fn cancel(&self, handle: Self::Handle<()>) {
        handle.abort();
    }
}

pub fn find_blocking(workload: Workload) -> Found {
    match workload {
        Workload::Cancel => Found::Here(workload::cancel::<SpawnBlocking>),
        other => pool::<SpawnBlocking>(other),
    }
}
