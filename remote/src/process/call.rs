//! The future of a call.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use slotted::error::TaskError;

use super::entries::{Outcome, Phase};
use super::pool::Processes;
use crate::link::outcome_of;
use crate::task::Task;

/// The future of a call: what a slot of the pool's executor holds.
pub(super) struct RemoteCall<T, const PROCS: usize, const QUEUE: usize, const BYTES: usize> {
    pool: &'static Processes<PROCS, QUEUE, BYTES>,
    /// `None` when the outcome was taken.
    index: Option<u16>,
    task: PhantomData<fn() -> T>,
}

impl<T, const PROCS: usize, const QUEUE: usize, const BYTES: usize>
    RemoteCall<T, PROCS, QUEUE, BYTES>
{
    /// The call of an entry, which is the future's from now on.
    pub(super) fn new(pool: &'static Processes<PROCS, QUEUE, BYTES>, index: u16) -> Self {
        Self {
            pool,
            index: Some(index),
            task: PhantomData,
        }
    }
}

impl<T: Task, const PROCS: usize, const QUEUE: usize, const BYTES: usize> Future
    for RemoteCall<T, PROCS, QUEUE, BYTES>
{
    type Output = Result<T::Output, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(index) = self.index else {
            panic!("a call is polled after its end");
        };
        // Outside the lock: wakers are foreign code.
        let waker = context.waker().clone();
        let (mut body, mut len) = ([0; BYTES], 0);
        let mut state = self.pool.lock();
        let entry = state.entries.get(index);
        let Phase::Ended(outcome) = entry.phase else {
            let displaced = entry.waker.replace(waker);
            drop(state);
            drop(displaced);
            return Poll::Pending;
        };
        if let Outcome::Replied(_) = outcome {
            len = entry.body().len();
            body[..len].copy_from_slice(entry.body());
        }
        let displaced = state.entries.give_back(index);
        drop(state);
        drop(displaced);
        self.index = None;
        // Outside the lock: `Deserialize` is foreign code.
        Poll::Ready(match outcome {
            Outcome::Replied(status) => outcome_of::<T>(Ok(status), &body[..len]),
            Outcome::Failed(error) => outcome_of::<T>(Err(error), &[]),
            Outcome::Cancelled => Err(TaskError::Cancelled),
            Outcome::Broken => Err(TaskError::Broken),
        })
    }
}

impl<T, const PROCS: usize, const QUEUE: usize, const BYTES: usize> Drop
    for RemoteCall<T, PROCS, QUEUE, BYTES>
{
    fn drop(&mut self) {
        let Some(index) = self.index else {
            return;
        };
        let waker = self.pool.lock().abandon(index);
        drop(waker);
    }
}
