//! The tasks of these tests, and backends that the tests hold in their hands.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use slotted_remote::nodes::{Backend, Reply, ReplyFuture};
use slotted_remote::{Idempotent, Task, TaskId};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Square(pub(crate) u64);

impl Task for Square {
    const NAME: &str = "square/1";
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

impl Idempotent for Square {}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Panics(pub(crate) String);

impl Task for Panics {
    const NAME: &str = "panics/1";
    type Output = ();

    fn run(self) {
        panic!("{}", self.0)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gives(pub(crate) usize);

impl Task for Gives {
    const NAME: &str = "gives/1";
    type Output = Vec<u8>;

    fn run(self) -> Vec<u8> {
        vec![7; self.0]
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Takes(pub(crate) Vec<u8>);

impl Task for Takes {
    const NAME: &str = "takes/1";
    type Output = usize;

    fn run(self) -> usize {
        self.0.len()
    }
}

/// In no table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Missing;

impl Task for Missing {
    const NAME: &str = "missing/1";
    type Output = ();

    fn run(self) {}
}

pub(crate) type Table = (Square, Panics, Gives, Takes);

/// A call that came to a [`Manual`] backend, and where it is.
enum Held {
    Waits(Option<Waker>),
    Ended(Option<Reply>),
    Dropped,
}

#[derive(Default)]
struct Calls {
    came: Vec<(TaskId, Vec<u8>)>,
    held: Vec<Held>,
}

/// A backend that ends calls when the test says so.
#[derive(Clone, Default)]
pub(crate) struct Manual {
    calls: Arc<Mutex<Calls>>,
    pub(crate) capacity: usize,
}

impl Manual {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            calls: Arc::default(),
            capacity,
        }
    }

    /// How many calls came.
    pub(crate) fn came(&self) -> usize {
        self.calls.lock().unwrap().came.len()
    }

    /// The argument of a call, as it came.
    pub(crate) fn argument(&self, at: usize) -> Vec<u8> {
        self.calls.lock().unwrap().came[at].1.clone()
    }

    /// How many calls were cancelled.
    pub(crate) fn dropped(&self) -> usize {
        let calls = self.calls.lock().unwrap();
        let dropped = |held: &&Held| matches!(held, Held::Dropped);
        calls.held.iter().filter(dropped).count()
    }

    /// Runs a call, and ends it so.
    pub(crate) fn run(&self, at: usize) {
        let (id, argument) = self.calls.lock().unwrap().came[at].clone();
        self.end(at, Reply::run::<Table>(id, argument, 64));
    }

    /// Ends a call.
    pub(crate) fn end(&self, at: usize, reply: Reply) {
        let held = core::mem::replace(
            &mut self.calls.lock().unwrap().held[at],
            Held::Ended(Some(reply)),
        );
        if let Held::Waits(Some(waker)) = held {
            waker.wake();
        }
    }
}

impl Backend<64> for Manual {
    fn workers(&self) -> usize {
        self.capacity
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn call(&self, id: TaskId, argument: Vec<u8>) -> ReplyFuture {
        let mut calls = self.calls.lock().unwrap();
        calls.came.push((id, argument));
        calls.held.push(Held::Waits(None));
        Box::pin(ManualCall {
            calls: self.calls.clone(),
            at: calls.held.len() - 1,
        })
    }
}

struct ManualCall {
    calls: Arc<Mutex<Calls>>,
    at: usize,
}

impl Future for ManualCall {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        match &mut self.calls.lock().unwrap().held[self.at] {
            Held::Waits(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            Held::Ended(reply) => Poll::Ready(reply.take().unwrap()),
            Held::Dropped => unreachable!("a call that is dropped is not polled"),
        }
    }
}

impl Drop for ManualCall {
    fn drop(&mut self) {
        let held = &mut self.calls.lock().unwrap().held[self.at];
        if matches!(held, Held::Waits(_)) {
            *held = Held::Dropped;
        }
    }
}

/// Waits until something is so, and fails if it never is.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::yield_now();
    }
}
