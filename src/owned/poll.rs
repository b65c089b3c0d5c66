//! Tasks that wait between polls, and get what the worker owns in each of them.
#![forbid(unsafe_code)]

use core::task::{Context, Poll};

use super::{Owned, OwnedPermit, OwnedSubmitter};
use crate::completion::fill_lent;
use crate::error::SubmitError;
use crate::handle::JoinHandle;
use crate::host::Park;
use crate::permit::enqueue_future;
use crate::registry::Registry;
use crate::slot::{Claim, LentFuture};

/// A closure that is polled.
struct PollFn<F>(F);

impl<L, F, T> LentFuture<L> for PollFn<F>
where
    F: FnMut(&mut L, &mut Context<'_>) -> Poll<T>,
{
    type Output = T;

    fn poll(&mut self, owned: &mut L, context: &mut Context<'_>) -> Poll<T> {
        (self.0)(owned, context)
    }
}

/// Fills a slot with a closure that is polled, and gives it to the worker.
fn submit_poll_into<L, F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    task: F,
) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
where
    F: FnMut(&mut L, &mut Context<'_>) -> Poll<T> + Send + 'static,
    T: Send + 'static,
{
    let filled = fill_lent::<L, _, SLOT_BYTES, H>(registry, claim, PollFn(task));
    enqueue_future(registry, filled).map_err(|refused| SubmitError {
        task: refused.task.0,
        reason: refused.reason,
    })
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    /// Gives the owner a task that may wait: a closure that is polled until it is ready, and gets
    /// the `L` in each poll. While it waits, the owner runs other tasks.
    ///
    /// This is what [`submit_future`](crate::Executor::submit_future) is on other executors. It
    /// takes no `Future`, because a future would keep a borrow of the `L` across its awaits, and
    /// other tasks get the `L` meanwhile. So a poll borrows it, and gives it back when it ends.
    /// Between two polls other tasks may change the `L`. After a hand-over of the worker, or in
    /// another life, it is the `L` of another thread.
    ///
    /// A poll that returns [`Poll::Pending`] keeps the waker of its context somewhere, and is
    /// polled again once that is called: from any thread or interrupt, at any time. As of a future,
    /// a poll may also come for no reason.
    ///
    /// [`cancel`](JoinHandle::cancel) ends the task between two polls, and drops the closure in the
    /// calling thread. A panic ends it, and the owner goes on.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Shutdown
    ///
    /// [`Drain`](crate::Shutdown::Drain) waits until it is ready, or the worker leaves: then it is
    /// cancelled. [`Cancel`](crate::Shutdown::Cancel) cancels it at once, or at the end of a poll.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit). The closure comes back, never polled.
    ///
    /// ```
    /// use core::task::Poll;
    /// use slotted::{Owned, Ran};
    ///
    /// /// Counts what it has received so far. Its interrupt would call the waker.
    /// struct Radio(u32);
    ///
    /// static RADIO: Owned<Radio, 4> = Owned::new();
    /// let mut answer = RADIO
    ///     .submit_poll(|radio, context| {
    ///         if radio.0 < 2 {
    ///             context.waker().wake_by_ref();
    ///             return Poll::Pending;
    ///         }
    ///         Poll::Ready(radio.0)
    ///     })
    ///     .unwrap();
    /// RADIO.submit(|radio| radio.0 = 2).unwrap().detach();
    ///
    /// let (mut worker, mut radio) = (RADIO.worker().unwrap(), Radio(0));
    /// while worker.run_one(&mut radio) == Ran::Task {}
    /// assert_eq!(answer.try_result(), Some(Ok(2)));
    /// ```
    pub fn submit_poll<F, T>(
        &'static self,
        task: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnMut(&mut L, &mut Context<'_>) -> Poll<T> + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit_poll(task)
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> OwnedSubmitter<'static, L, SLOT_BYTES, H> {
    /// Submits a closure that is polled. See [`Owned::submit_poll`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use core::task::Poll;
    /// # use slotted::Owned;
    /// static RADIO: Owned<u8, 1> = Owned::new();
    /// let mut channel = RADIO.submitter().submit_poll(|radio, _| Poll::Ready(*radio)).unwrap();
    /// let _ = RADIO.worker().unwrap().run_one(&mut 7);
    /// assert_eq!(channel.try_result(), Some(Ok(7)));
    /// ```
    pub fn submit_poll<F, T>(self, task: F) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnMut(&mut L, &mut Context<'_>) -> Poll<T> + Send + 'static,
        T: Send + 'static,
    {
        match self.submitter.claim() {
            Ok(claim) => submit_poll_into::<L, F, T, SLOT_BYTES, H>(self.registry(), claim, task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }
}

impl<L, const SLOT_BYTES: usize, H: Park> OwnedPermit<'static, L, SLOT_BYTES, H> {
    /// Submits a closure that is polled into the held slot. See [`Owned::submit_poll`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use core::task::Poll;
    /// # use slotted::Owned;
    /// static RADIO: Owned<u8, 1> = Owned::new();
    /// let permit = RADIO.reserve().unwrap();
    /// let mut channel = permit.submit_poll(|radio, _| Poll::Ready(*radio)).unwrap();
    /// let _ = RADIO.worker().unwrap().run_one(&mut 7);
    /// assert_eq!(channel.try_result(), Some(Ok(7)));
    /// ```
    pub fn submit_poll<F, T>(self, task: F) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: FnMut(&mut L, &mut Context<'_>) -> Poll<T> + Send + 'static,
        T: Send + 'static,
    {
        let (registry, claim) = self.into_parts();
        submit_poll_into::<L, F, T, SLOT_BYTES, H>(registry, claim, task)
    }
}
