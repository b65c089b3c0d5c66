//! The future of a call of a pool.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use slotted::error::TaskError;

use crate::entries::{Entries, Outcome, Phase};
use crate::outcome::outcome_of;
use crate::task::Task;

/// A pool of calls, as their futures see it.
pub(crate) trait CallPool<const QUEUE: usize, const BYTES: usize>: 'static {
    /// Calls `act` inside the pool's lock. `act` calls no foreign code.
    fn with_entries<R>(&self, act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R) -> R;

    /// The submitter of a call wants it no more. Returns its waker, to be dropped outside the lock.
    fn abandon(&self, index: u16) -> Option<Waker>;
}

/// What the outcome of a call becomes.
pub(crate) trait ReadOutcome {
    type Output;

    /// `body` is what came with the outcome.
    fn read(&self, outcome: Outcome, body: &[u8]) -> Self::Output;
}

/// The outcome is the task's.
pub(crate) struct Typed<T>(PhantomData<fn() -> T>);

impl<T> Typed<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Task> ReadOutcome for Typed<T> {
    type Output = Result<T::Output, TaskError>;

    fn read(&self, outcome: Outcome, body: &[u8]) -> Self::Output {
        match outcome {
            Outcome::Replied(status) => outcome_of::<T>(Ok(status), body),
            Outcome::Failed(error) => Err(TaskError::Remote(error)),
            Outcome::Cancelled => Err(TaskError::Cancelled),
            Outcome::Broken => Err(TaskError::Broken),
        }
    }
}

/// The future of a call: what a slot of a pool's executor holds.
pub(crate) struct PoolCall<R, P, const QUEUE: usize, const BYTES: usize>
where
    P: CallPool<QUEUE, BYTES>,
{
    pool: &'static P,
    /// `None` when the outcome was taken.
    index: Option<u16>,
    read: R,
}

impl<R, P, const QUEUE: usize, const BYTES: usize> PoolCall<R, P, QUEUE, BYTES>
where
    P: CallPool<QUEUE, BYTES>,
{
    /// The call of an entry, which is the future's from now on.
    pub(crate) fn new(pool: &'static P, index: u16, read: R) -> Self {
        Self {
            pool,
            index: Some(index),
            read,
        }
    }
}

impl<R, P, const QUEUE: usize, const BYTES: usize> Future for PoolCall<R, P, QUEUE, BYTES>
where
    R: ReadOutcome + Unpin,
    P: CallPool<QUEUE, BYTES>,
{
    type Output = R::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(index) = self.index else {
            panic!("a call is polled after its end");
        };
        // Outside the lock: wakers are foreign code.
        let waker = context.waker().clone();
        let (mut body, mut len) = ([0; BYTES], 0);
        let (outcome, displaced) = self.pool.with_entries(|entries| {
            let entry = entries.get(index);
            let Phase::Ended(outcome) = entry.phase else {
                return (None, entry.waker.replace(waker));
            };
            if let Outcome::Replied(_) = outcome {
                len = entry.body().len();
                body[..len].copy_from_slice(entry.body());
            }
            (Some(outcome), entries.give_back(index))
        });
        drop(displaced);
        let Some(outcome) = outcome else {
            return Poll::Pending;
        };
        self.index = None;
        // Outside the lock: `Deserialize` is foreign code.
        Poll::Ready(self.read.read(outcome, &body[..len]))
    }
}

impl<R, P, const QUEUE: usize, const BYTES: usize> Drop for PoolCall<R, P, QUEUE, BYTES>
where
    P: CallPool<QUEUE, BYTES>,
{
    fn drop(&mut self) {
        if let Some(index) = self.index {
            drop(self.pool.abandon(index));
        }
    }
}
