//! Threads that run workers, and that a test can name and join.

use std::io;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, Shutdown, Spawn, Worker};

use super::actor::{Actor, Stage};

/// One thread for each worker, of any host, and the threads' actors in the workers' order.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    actors: Mutex<Vec<Actor>>,
}

impl Crew {
    /// The thread that runs the worker that was spawned `place`th.
    pub(crate) fn actor(&self, place: usize) -> Actor {
        self.actors.lock().unwrap()[place].clone()
    }

    /// Waits for the threads to end.
    pub(crate) fn join(self) {
        for thread in self.threads.into_inner().unwrap() {
            thread.join().unwrap();
        }
    }
}

impl<H: Park> Spawn<H> for Crew {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, H>) -> io::Result<()> {
        let (tell, told) = channel();
        let thread = thread::Builder::new().spawn(move || {
            tell.send(Stage::current()).unwrap();
            worker.run();
        })?;
        self.threads.lock().unwrap().push(thread);
        self.actors.lock().unwrap().push(told.recv().unwrap());
        Ok(())
    }
}

/// Starts the executor on a crew, calls `body`, shuts the executor down and joins the crew.
pub(crate) fn with_crew<const WORKERS: usize, const QUEUE: usize, const BYTES: usize, H: Park>(
    pool: &'static Executor<WORKERS, QUEUE, BYTES, H>,
    body: impl FnOnce(&Crew),
) {
    let crew = Crew::default();
    pool.start(&crew).unwrap();
    body(&crew);
    pool.shutdown(Shutdown::Drain).unwrap();
    crew.join();
}
