//! What the cases share: tasks in each state, gates, threads that can be joined, a virtual clock.

use core::cell::Cell;
use core::time::Duration;
use std::io;
use std::sync::{Condvar, Mutex};
use std::thread;

pub(crate) use crate::raise::raise;

use slotted::{Clock, Executor, JoinHandle, Park, Promise, Spawn, StdHost, TaskError, Worker};

/// Far longer than any case takes. A test that needs it has failed.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A [`TaskError`] that can be compared, and sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Cancelled,
    Panicked(String),
    TimedOut,
    Broken,
    WouldDeadlock,
    AlreadyTaken,
}

pub(crate) fn failure(error: &TaskError) -> Failure {
    match error {
        TaskError::Cancelled => Failure::Cancelled,
        TaskError::Panicked(panic) => {
            Failure::Panicked(panic.message().unwrap_or_default().to_owned())
        }
        TaskError::TimedOut => Failure::TimedOut,
        TaskError::Broken => Failure::Broken,
        TaskError::WouldDeadlock => Failure::WouldDeadlock,
        TaskError::AlreadyTaken => Failure::AlreadyTaken,
        other => panic!("this error has no name here: {other}"),
    }
}

pub(crate) fn outcome<T>(result: Result<T, TaskError>) -> Result<T, Failure> {
    result.map_err(|error| failure(&error))
}

/// The outcome that a callback receives.
pub(crate) fn received<T: Clone>(result: Result<&T, &TaskError>) -> Result<T, Failure> {
    result.cloned().map_err(failure)
}

/// The states of CPython's sample futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    Cancelled,
    CancelledAndNotified,
    Failed,
    Successful,
}

pub(crate) const STATES: [State; 6] = [
    State::Pending,
    State::Running,
    State::Cancelled,
    State::CancelledAndNotified,
    State::Failed,
    State::Successful,
];

pub(crate) type Future<'e, H = StdHost> = (Promise<'e, i32, H>, JoinHandle<'e, i32, H>);

/// CPython's `create_future`: a task in the given state, with the promise that keeps it there. A
/// success is 42, and a failure is `Broken`.
pub(crate) fn create_future<const WORKERS: usize, const QUEUE: usize, H: Park>(
    executor: &Executor<WORKERS, QUEUE, 64, H>,
    state: State,
) -> Future<'_, H> {
    let (promise, handle) = executor.promise::<i32>().unwrap();
    match state {
        State::Pending => {}
        State::Running => assert!(promise.set_running_or_notify_cancel().unwrap()),
        State::Cancelled => assert!(handle.cancel()),
        State::CancelledAndNotified => {
            assert!(handle.cancel());
            assert!(!promise.set_running_or_notify_cancel().unwrap());
        }
        State::Failed => promise.set_error(TaskError::Broken).unwrap(),
        State::Successful => promise.set_result(42).unwrap(),
    }
    (promise, handle)
}

/// A counting semaphore. It holds tasks back until the test releases them.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    permits: Mutex<usize>,
    released: Condvar,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Self {
            permits: Mutex::new(0),
            released: Condvar::new(),
        }
    }

    pub(crate) fn acquire(&self) {
        let mut permits = self
            .released
            .wait_while(self.permits.lock().unwrap(), |permits| *permits == 0)
            .unwrap();
        *permits -= 1;
    }

    pub(crate) fn release(&self, permits: usize) {
        *self.permits.lock().unwrap() += permits;
        self.released.notify_all();
    }
}

/// Std threads that can be joined: CPython's `executor._threads`.
#[derive(Debug, Default)]
pub(crate) struct Joinable(Mutex<Vec<thread::JoinHandle<()>>>);

impl Joinable {
    /// Waits for the threads to end. Returns their number.
    pub(crate) fn join(self) -> usize {
        let threads = self.0.into_inner().unwrap();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .count()
    }
}

impl Spawn<StdHost> for Joinable {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, StdHost>) -> io::Result<()> {
        let thread = thread::Builder::new().spawn(|| worker.run())?;
        self.0.lock().unwrap().push(thread);
        Ok(())
    }
}

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// One thread, whose clock moves only when the thread sleeps or the test advances it. A tick is a
/// millisecond.
#[derive(Debug)]
pub(crate) struct Virtual;

impl Virtual {
    pub(crate) fn advance(time: Duration) {
        NOW.with(|now| now.set(now.get() + u64::try_from(time.as_millis()).unwrap()));
    }
}

impl Park for Virtual {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        panic!("the only thread sleeps without a deadline");
    }

    fn unpark((): &()) {}
}

impl Clock for Virtual {
    const TICKS_PER_SECOND: u64 = 1000;

    fn now() -> u64 {
        NOW.with(Cell::get)
    }

    fn park_until(deadline: u64) {
        NOW.with(|now| now.set(now.get().max(deadline)));
    }
}
