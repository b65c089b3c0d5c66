//! The `ThreadPool` of `futures`.

use core::future::Future;

use futures::executor::{ThreadPool, block_on};
use futures::future::RemoteHandle;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::task::SpawnExt;

use super::{Found, pool};
use crate::pool::{Cancel, ForkJoin, Polls, Pool, WORKERS};
use crate::workload::{self, CUTOFF, Workload};

struct Threads(ThreadPool);

impl Pool for Threads {
    type Handle<T: Send + 'static> = RemoteHandle<T>;

    fn start() -> Self {
        Self(
            ThreadPool::builder()
                .pool_size(WORKERS)
                .create()
                .expect("threads"),
        )
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn_with_handle(async { task() }).expect("open")
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        block_on(handle)
    }

    fn each_completed<F>(&self, tasks: Vec<F>, mut visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let mut handles: FuturesUnordered<_> =
            tasks.into_iter().map(|task| self.submit(task)).collect();
        block_on(async {
            while let Some(result) = handles.next().await {
                visit(result);
            }
        });
    }
}

impl ForkJoin for Threads {
    fn fibonacci(&self, n: u64) -> u64 {
        block_on(
            self.0
                .spawn_with_handle(fork(self.0.clone(), n))
                .expect("open"),
        )
    }
}

fn fork(threads: ThreadPool, n: u64) -> core::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < CUTOFF {
            return workload::fibonacci(n);
        }
        let other = threads
            .spawn_with_handle(fork(threads.clone(), n - 2))
            .expect("open");
        fork(threads, n - 1).await + other.await
    })
}

impl Cancel for Threads {
    fn cancel(&self, handle: Self::Handle<()>) {
        drop(handle);
    }
}

impl Polls for Threads {
    fn spawn<F>(&self, future: F) -> Self::Handle<u64>
    where
        F: Future<Output = u64> + Send + 'static,
    {
        self.0.spawn_with_handle(future).expect("open")
    }
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Threads>),
        Workload::Cancel => Found::Here(workload::cancel::<Threads>),
        Workload::Wake => Found::Here(workload::wake::<Threads>),
        other => pool::<Threads>(other),
    }
}
