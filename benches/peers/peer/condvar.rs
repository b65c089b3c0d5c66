//! A hand-written pool: threads that take boxed closures from a locked queue.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::{Found, pool};
use crate::pool::{Pool, WORKERS};
use crate::workload::Workload;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    filled: Condvar,
}

struct Threads(Arc<Queue>);

impl Threads {
    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.0
            .jobs
            .lock()
            .expect("no panic")
            .push_back(Box::new(job));
        self.0.filled.notify_one();
    }
}

impl Pool for Threads {
    type Handle<T: Send + 'static> = oneshot::Receiver<T>;

    fn start() -> Self {
        let queue = Arc::new(Queue::default());
        for _ in 0..WORKERS {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                loop {
                    let jobs = queue.jobs.lock().expect("no panic");
                    let mut jobs = queue
                        .filled
                        .wait_while(jobs, |jobs| jobs.is_empty())
                        .expect("no panic");
                    let job = jobs.pop_front();
                    drop(jobs);
                    job.into_iter().for_each(|job| job());
                }
            });
        }
        Self(queue)
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        self.execute(move || drop(sender.send(task())));
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
            self.execute(move || sender.send(task()).expect("the submitter listens"));
        }
        drop(sender);
        results.into_iter().for_each(visit);
    }
}

pub fn find(workload: Workload) -> Found {
    pool::<Threads>(workload)
}
