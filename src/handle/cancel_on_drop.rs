//! A handle that cancels its task when it is dropped.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::JoinHandle;
use crate::error::TaskError;
use crate::host::{DefaultHost, Park};

/// A [`JoinHandle`] that cancels its task when it is dropped, as [`JoinHandle::cancel`] does. What
/// cannot be cancelled then goes on.
///
/// ```
/// use slotted::{Executor, TaskState};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let handle = executor.submit(|| 1).unwrap().cancel_on_drop();
/// let canceller = handle.canceller();
/// drop(handle);
/// assert_eq!(canceller.state(), TaskState::Gone);
/// assert_eq!(executor.stats().cancelled, 1);
/// ```
///
/// It is a future: a time limit of any async runtime drops it, and so cancels a task that takes too
/// long.
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<'e, T, H: Park = DefaultHost> {
    /// `None` only while it is consumed.
    handle: Option<JoinHandle<'e, T, H>>,
}

impl<'e, T, H: Park> CancelOnDrop<'e, T, H> {
    pub(super) fn new(handle: JoinHandle<'e, T, H>) -> Self {
        Self {
            handle: Some(handle),
        }
    }

    /// The plain handle, which does not cancel when it is dropped.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let guarded = executor.submit(|| 6 * 7).unwrap().cancel_on_drop();
    /// assert_eq!(guarded.into_inner().result(), Ok(42));
    /// ```
    pub fn into_inner(mut self) -> JoinHandle<'e, T, H> {
        let Some(handle) = self.handle.take() else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<'e, T, H: Park> Deref for CancelOnDrop<'e, T, H> {
    type Target = JoinHandle<'e, T, H>;

    fn deref(&self) -> &Self::Target {
        let Some(handle) = &self.handle else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<T, H: Park> DerefMut for CancelOnDrop<'_, T, H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        let Some(handle) = &mut self.handle else {
            unreachable!("only consuming takes it")
        };
        handle
    }
}

impl<T, H: Park> Future for CancelOnDrop<'_, T, H> {
    type Output = Result<T, TaskError>;

    /// As the handle's. Dropped before it is ready, it cancels the task.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut **self).poll(context)
    }
}

impl<T, H: Park> Drop for CancelOnDrop<'_, T, H> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.cancel();
        }
    }
}

impl<T, H: Park> fmt::Debug for CancelOnDrop<'_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.handle).finish()
    }
}
