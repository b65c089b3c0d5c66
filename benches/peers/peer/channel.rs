//! A hand-written pool: threads that receive boxed closures from one crossbeam channel.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{Found, pool};
use crate::pool::{Pool, WORKERS};
use crate::workload::Workload;

type Job = Box<dyn FnOnce() + Send>;

fn threads() -> Sender<Job> {
    let (sender, jobs) = unbounded::<Job>();
    for _ in 0..WORKERS {
        let jobs = jobs.clone();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
    }
    sender
}

fn execute(jobs: &Sender<Job>, job: impl FnOnce() + Send + 'static) {
    jobs.send(Box::new(job)).expect("there are workers");
}

fn each_completed<F>(jobs: &Sender<Job>, tasks: Vec<F>, visit: impl FnMut(u64))
where
    F: FnOnce() -> u64 + Send + 'static,
{
    let (sender, results) = unbounded();
    for task in tasks {
        let sender = sender.clone();
        execute(jobs, move || {
            sender.send(task()).expect("the submitter listens")
        });
    }
    drop(sender);
    results.into_iter().for_each(visit);
}

struct WithOneshot(Sender<Job>);

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
        execute(&self.0, move || drop(sender.send(task())));
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

pub fn find_oneshot(workload: Workload) -> Found {
    pool::<WithOneshot>(workload)
}

struct WithBounded(Sender<Job>);

impl Pool for WithBounded {
    type Handle<T: Send + 'static> = Receiver<T>;

    fn start() -> Self {
        Self(threads())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, result) = bounded(1);
        execute(&self.0, move || drop(sender.send(task())));
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

pub fn find_bounded(workload: Workload) -> Found {
    match workload {
        // That workload uses one channel for all results, as the other row does.
        Workload::Completion => Found::Missing,
        other => pool::<WithBounded>(other),
    }
}
