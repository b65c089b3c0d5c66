//! What the tests share: a limit, hosts that keep workers, and looks at threads that may sleep.

use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use slotted::{Park, Spawn, TaskError, Worker};

use crate::stage::Actor;

/// Far longer than any test here takes; a test that needs it hangs.
const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 10 });

/// Fails if `test` is not back within the limit, instead of hanging with it.
#[track_caller]
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let (over, is_over) = channel::<()>();
    let thread = thread::spawn(move || {
        let _over = over; // also when it panics
        test();
    });
    if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// The host has no more threads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoThread;

/// Gives each worker to a function of the test.
pub(crate) struct By<F>(pub(crate) F);

impl<H: Park, F: Fn(Worker<'static, H>) -> Result<(), NoThread>> Spawn<H> for By<F> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), NoThread> {
        (self.0)(worker)
    }
}

/// Keeps the workers, for the test to run.
pub(crate) struct Keep<H: Park>(Mutex<Vec<Worker<'static, H>>>);

impl<H: Park> Keep<H> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The workers, in the order of their numbers.
    pub(crate) fn workers<const WORKERS: usize>(self) -> [Worker<'static, H>; WORKERS] {
        let workers = self.0.into_inner().unwrap();
        workers.try_into().expect("as many workers as there are")
    }
}

impl<H: Park> Spawn<H> for Keep<H> {
    type Error = NoThread;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), NoThread> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

/// Waits until the thread sleeps, or has told something, which comes back.
pub(crate) fn until_asleep_or_told<T>(actor: &Actor, told: &Receiver<T>) -> Option<T> {
    loop {
        let asleep = actor.is_asleep();
        if let Ok(told) = told.try_recv() {
            return Some(told);
        }
        if asleep {
            return None;
        }
        thread::yield_now();
    }
}

pub(crate) fn would_deadlock<T>(outcome: &Result<T, TaskError>) -> bool {
    matches!(outcome, Err(TaskError::WouldDeadlock))
}
