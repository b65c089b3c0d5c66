//! The futures of calls.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
#[cfg(feature = "nodes")]
use core::task::Waker;
use core::task::{Context, Poll};

use slotted::error::{RemoteError, TaskError};

use super::Link;
use crate::frame::Status;
use crate::outcome::outcome_of;
use crate::task::Task;

/// A call under way, whose type is not known. Dropping it cancels the call.
pub(crate) struct EncodedCall<'l, const CALLS: usize, const BYTES: usize> {
    link: &'l Link<CALLS, BYTES>,
    /// `None` when the outcome was taken.
    index: Option<usize>,
}

impl<'l, const CALLS: usize, const BYTES: usize> EncodedCall<'l, CALLS, BYTES> {
    /// The call of a slot, which is the future's from now on.
    pub(super) fn new(link: &'l Link<CALLS, BYTES>, index: usize) -> Self {
        Self {
            link,
            index: Some(index),
        }
    }

    /// Takes the outcome, if the call has ended: the result goes into `bytes`, and its length comes
    /// back.
    fn take(&mut self, bytes: &mut [u8; BYTES]) -> Option<(Result<Status, RemoteError>, usize)> {
        let index = self.index?;
        let (outcome, len, waker) = self.link.0.with(|state| {
            let (outcome, len) = state.calls.take(index, |outcome, body| {
                bytes[..body.len()].copy_from_slice(body);
                (outcome, body.len())
            })?;
            Some((outcome, len, state.wakers[index].take()))
        })?;
        self.index = None;
        drop(waker);
        self.link.wake_room();
        Some((outcome, len))
    }

    /// As [`take`](Self::take), and wakes a task that finds the call pending.
    ///
    /// # Panics
    ///
    /// If the outcome was taken before.
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut [u8; BYTES],
    ) -> Poll<(Result<Status, RemoteError>, usize)> {
        let Some(index) = self.index else {
            panic!("a call is polled after its end");
        };
        if let Some(outcome) = self.take(bytes) {
            return Poll::Ready(outcome);
        }
        // Outside the lock: wakers are foreign code.
        let waker = context.waker().clone();
        let (displaced, has_ended) = self.link.0.with(|state| {
            let displaced = state.wakers[index].replace(waker);
            (displaced, state.calls.has_ended(index))
        });
        drop(displaced);
        if !has_ended {
            return Poll::Pending;
        }
        // The reply came between the two looks.
        self.take(bytes).map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(feature = "nodes")]
impl<const CALLS: usize, const BYTES: usize> Link<CALLS, BYTES> {
    /// As [`begin_encoded`](Self::begin_encoded), when there is a free slot.
    pub(crate) async fn begin_when_room(
        &self,
        id: crate::TaskId,
        argument: &[u8],
    ) -> EncodedCall<'_, CALLS, BYTES> {
        let mut waits = Waits {
            link: self,
            waker: None,
        };
        core::future::poll_fn(|context| {
            if let Some(call) = self.begin_encoded(id, Some(argument)) {
                return Poll::Ready(call);
            }
            waits.enter(context.waker());
            // A slot may have become free between the looks.
            let call = self.begin_encoded(id, Some(argument));
            call.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// What waits for a free slot of a link.
#[cfg(feature = "nodes")]
struct Waits<'l, const CALLS: usize, const BYTES: usize> {
    link: &'l Link<CALLS, BYTES>,
    waker: Option<Waker>,
}

#[cfg(feature = "nodes")]
impl<const CALLS: usize, const BYTES: usize> Waits<'_, CALLS, BYTES> {
    fn enter(&mut self, waker: &Waker) {
        self.leave();
        let (kept, waker) = (waker.clone(), waker.clone());
        self.link.0.with(|state| state.room.push(waker));
        self.waker = Some(kept);
    }

    /// So that a wait that was given up leaves nothing behind.
    ///
    /// Bound: what waits.
    fn leave(&mut self) {
        let Some(waker) = self.waker.take() else {
            return;
        };
        let left = self.link.0.with(|state| {
            let at = { state.room.iter() }.position(|other| other.will_wake(&waker))?;
            Some(state.room.swap_remove(at))
        });
        drop(left);
    }
}

#[cfg(feature = "nodes")]
impl<const CALLS: usize, const BYTES: usize> Drop for Waits<'_, CALLS, BYTES> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(feature = "nodes")]
impl<const CALLS: usize, const BYTES: usize> Future for EncodedCall<'_, CALLS, BYTES> {
    type Output = crate::nodes::Reply;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        use crate::entries::Outcome;
        use crate::nodes::Encoded;
        use crate::pool_call::ReadOutcome;

        let mut bytes = [0; BYTES];
        let polled = self.get_mut().poll_take(context, &mut bytes);
        polled.map(|(outcome, len)| {
            let outcome = outcome.map_or_else(Outcome::Failed, Outcome::Replied);
            Encoded.read(outcome, &bytes[..len])
        })
    }
}

impl<const CALLS: usize, const BYTES: usize> Drop for EncodedCall<'_, CALLS, BYTES> {
    fn drop(&mut self) {
        let Some(index) = self.index else {
            return;
        };
        let waker = self.link.0.with(|state| {
            state.calls.abandon(index);
            state.wakers[index].take()
        });
        drop(waker);
        self.link.wake_driver();
        self.link.wake_room();
    }
}

/// A call under way: what [`Link::call`] returns.
///
/// # Cancellation
///
/// Dropping it cancels the call: if it has not begun at the other end, it never will. If it runs
/// there, it runs to its end, and its result is dropped.
///
/// ```
/// # #[derive(serde::Deserialize, serde::Serialize)]
/// # struct Square(u32);
/// # impl slotted_remote::Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// # use slotted_remote::Link;
/// let link: Link<1, 64> = Link::new();
/// let square = link.call(Square(7)).unwrap(); // to be awaited, if it is still wanted
/// drop(square);
/// assert!(link.call(Square(8)).is_ok(), "there is room again");
/// ```
#[must_use = "a call that is dropped is cancelled"]
pub struct Call<'l, T, const CALLS: usize, const BYTES: usize> {
    call: EncodedCall<'l, CALLS, BYTES>,
    task: PhantomData<fn() -> T>,
}

impl<'l, T, const CALLS: usize, const BYTES: usize> Call<'l, T, CALLS, BYTES> {
    pub(super) fn new(call: EncodedCall<'l, CALLS, BYTES>) -> Self {
        Self {
            call,
            task: PhantomData,
        }
    }
}

impl<T: Task, const CALLS: usize, const BYTES: usize> Future for Call<'_, T, CALLS, BYTES> {
    type Output = Result<T::Output, TaskError>;

    /// # Panics
    ///
    /// If the outcome was taken before.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut bytes = [0; BYTES];
        let polled = self.get_mut().call.poll_take(context, &mut bytes);
        // Outside the lock: `Deserialize` is foreign code.
        polled.map(|(outcome, len)| outcome_of::<T>(outcome, &bytes[..len]))
    }
}

impl<T, const CALLS: usize, const BYTES: usize> fmt::Debug for Call<'_, T, CALLS, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
