//! `threadpool`, with std's channels for the results, as its documentation shows.

use std::sync::mpsc;

use threadpool::ThreadPool;

use super::{Found, pool};
use crate::pool::{Pool, WORKERS};
use crate::workload::Workload;

struct Threads(ThreadPool);

impl Pool for Threads {
    type Handle<T: Send + 'static> = mpsc::Receiver<T>;

    fn start() -> Self {
        Self(ThreadPool::new(WORKERS))
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, result) = mpsc::channel();
        self.0.execute(move || drop(sender.send(task())));
        result
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        handle.recv().expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let (sender, results) = mpsc::channel();
        for task in tasks {
            let sender = sender.clone();
            self.0
                .execute(move || sender.send(task()).expect("the submitter listens"));
        }
        drop(sender);
        results.into_iter().for_each(visit);
    }
}

pub fn find(workload: Workload) -> Found {
    pool::<Threads>(workload)
}
