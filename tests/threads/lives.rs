//! An executor's lives, one after another, and the workers that come and go in them.
//!
//! Whatever begins or ends a life, no accepted task is lost and each wait ends: with its outcome,
//! or with an error that says why there will be none.

mod last_worker;
mod ready;
mod refused_starts;
mod shutdowns;

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use slotted::{Executor, Park, Spawn, Worker};

use crate::stage::{Actor, Crew, Habits, Stage, StageWith};

type Pool<const WORKERS: usize> = Executor<WORKERS, 8, 128, Stage>;

/// Every thread soon gets its turn.
#[derive(Debug)]
struct Even;

impl Habits for Even {
    const FAIR: bool = true;
}

type FairStage = StageWith<Even>;

/// The host has no more threads.
#[derive(Debug, PartialEq, Eq)]
struct NoThread;

/// Gives each worker to a function of the test.
struct By<F>(F);

impl<H: Park, F: Fn(Worker<'static, H>) -> Result<(), NoThread>> Spawn<H> for By<F> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), NoThread> {
        (self.0)(worker)
    }
}

/// Refuses every worker.
fn refuse<H: Park>(worker: Worker<'static, H>) -> Result<(), NoThread> {
    drop(worker);
    Err(NoThread)
}

/// Starts an executor of two workers. Returns the first worker, and the crew that runs the second.
fn start_half<H: Park<Thread = Actor>>(
    pool: &'static Executor<2, 8, 128, H>,
) -> (Worker<'static, H>, Crew) {
    let (crew, (keep, kept)) = (Crew::default(), channel());
    pool.start(&By(|worker: Worker<'static, H>| {
        if worker.index() == 1 {
            return crew.spawn(worker).map_err(|_| NoThread);
        }
        keep.send(worker).unwrap();
        Ok(())
    }))
    .unwrap();
    (kept.recv().unwrap(), crew)
}

/// Calls `wait` in a thread of its own, and returns when that thread is asleep. Gives the thread's
/// actor, and what `wait` will return.
fn asleep<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> (Actor, Receiver<T>) {
    let ((tell, told), (end, ended)) = (channel(), channel());
    thread::spawn(move || {
        tell.send(Stage::current()).unwrap();
        end.send(wait()).unwrap();
    });
    let actor: Actor = told.recv().unwrap();
    actor.until_asleep();
    (actor, ended)
}
