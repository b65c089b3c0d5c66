//! `async-executor`, on threads that run it by hand, as its documentation shows.

use core::future::{Future, pending};
use std::sync::Arc;
use std::thread;

use async_executor::{Executor, Task};
use futures::stream::{FuturesUnordered, StreamExt};
use futures_lite::future::block_on;

use super::{Found, pool};
use crate::pool::{Cancel, ForkJoin, Polls, Pool, WORKERS};
use crate::workload::{self, CUTOFF, Workload};

struct Threads(Arc<Executor<'static>>);

impl Pool for Threads {
    type Handle<T: Send + 'static> = Task<T>;

    fn start() -> Self {
        let executor = Arc::new(Executor::new());
        for _ in 0..WORKERS {
            let executor = Arc::clone(&executor);
            thread::spawn(move || block_on(executor.run(pending::<()>())));
        }
        Self(executor)
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn(async { task() })
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
        block_on(self.0.spawn(fork(Arc::clone(&self.0), n)))
    }
}

fn fork(
    executor: Arc<Executor<'static>>,
    n: u64,
) -> core::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < CUTOFF {
            return workload::fibonacci(n);
        }
        let other = executor.spawn(fork(Arc::clone(&executor), n - 2));
        fork(executor, n - 1).await + other.await
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
        self.0.spawn(future)
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
