//! Handles in the order in which their tasks complete.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use futures_core::Stream;

use crate::blocking::{Deadline, Interrupted, Never, RunUnstarted, Timeout};
use crate::group::{is_mixed, next_completed, pop_completed, unwatch, wake_by, watch};
use crate::handle::JoinHandle;
use crate::host::{Clock, Park, deadline};

mod storage;

pub use storage::{IntoHandles, Storage, UnfinishedHandles};

/// Yields each handle once: the done ones first, then the others as their tasks complete. Done
/// means ended or cancelled.
///
/// Takes the handles in an array, a `heapless::Vec`, or (with `std`) a `Vec`. They may belong to
/// executors of different sizes. Then the order is that of completion within each executor.
///
/// Where a wait would never end (see [`wait`](crate::wait())) it yields the remaining handles as
/// they are. Their `result` tells why.
///
/// # Blocking
///
/// Each `next` as [`JoinHandle::result`]. A worker runs unstarted tasks among them itself.
///
/// # Cost
///
/// A lock-bounded step for each handle at the start, and one at each `next`, however many handles
/// there are. With handles of several executors, a `next` that has to wait looks at all of them
/// first. So does the `next` of a worker that has nothing to run.
///
/// # Cancellation
///
/// Dropping the iterator detaches the remaining handles. [`AsCompleted::into_handles`] gives them
/// back.
///
/// # Python
///
/// `concurrent.futures.as_completed`.
///
/// ```
/// use slotted::{Executor, as_completed};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// assert!(handles[1].cancel());
/// let mut completed = as_completed(handles);
/// assert!(completed.next().unwrap().cancelled());
/// assert_eq!(completed.next().unwrap().result().unwrap(), 1);
/// assert!(completed.next().is_none());
/// ```
pub fn as_completed<'e, T, H, C>(handles: C) -> AsCompleted<'e, T, H, C::Storage>
where
    H: Park,
    C: IntoHandles<'e, T, H>,
{
    AsCompleted::new(handles.into_storage())
}

/// As [`as_completed`], but gives up `timeout` after this call; zero yields what is done.
///
/// # Errors
///
/// Yields, once and last, an [`AsCompletedTimeout`] with the remaining handles.
///
/// # Python
///
/// There the time runs from the first `next`.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Executor, as_completed_timeout};
///
/// let executor: Executor<1, 4> = Executor::new();
/// let handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// executor.run_one();
/// let mut completed = as_completed_timeout(handles, Duration::ZERO);
/// assert_eq!(completed.next().unwrap().unwrap().result(), Ok(1));
/// let late = completed.next().unwrap().unwrap_err();
/// assert_eq!((late.unfinished(), late.total()), (1, 2));
/// ```
pub fn as_completed_timeout<'e, T, H, C>(
    handles: C,
    timeout: Duration,
) -> AsCompletedWithTimeout<'e, T, H, C::Storage>
where
    H: Clock,
    C: IntoHandles<'e, T, H>,
{
    let deadline = deadline::<H>(timeout);
    AsCompletedWithTimeout {
        handles: Some(AsCompleted::new(handles.into_storage())),
        deadline,
    }
}

/// What [`as_completed`] returns: an iterator. [`stream`](Self::stream) makes it a stream.
#[must_use = "iterators are lazy; dropping it detaches the tasks"]
pub struct AsCompleted<'e, T, H: Park, S: Storage<'e, T, H>> {
    storage: S,
    total: usize,
    left: usize,
    /// No handle remains before this position.
    from: usize,
    /// Handles before this position are in a group, or gone. A later one may have lost its outcome
    /// before it came here.
    spent: usize,
    mixed: bool,
    handles: core::marker::PhantomData<JoinHandle<'e, T, H>>,
}

impl<'e, T, H, S> AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    pub(crate) fn new(storage: S) -> Self {
        let members = storage.as_ref();
        for place in 0..members.len() {
            watch(members, place, 0..place);
        }
        let total = members.iter().flatten().count();
        let mixed = is_mixed(members);
        Self {
            storage,
            total,
            left: total,
            from: 0,
            spent: 0,
            mixed,
            handles: core::marker::PhantomData,
        }
    }

    /// The same handles as a stream, for an async task.
    ///
    /// ```
    /// use core::future::poll_fn;
    /// use core::pin::pin;
    /// use futures_core::Stream;
    /// use slotted::{Executor, as_completed};
    ///
    /// static EXECUTOR: Executor<0, 4, 512> = Executor::new();
    /// let sum = async {
    ///     let handles = [EXECUTOR.submit(|| 1).unwrap(), EXECUTOR.submit(|| 2).unwrap()];
    ///     let mut stream = pin!(as_completed(handles).stream());
    ///     let mut sum = 0;
    ///     while let Some(handle) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
    ///         sum += handle.await.unwrap();
    ///     }
    ///     sum
    /// };
    /// assert_eq!(EXECUTOR.submit_future(sum).unwrap().result(), Ok(3));
    /// ```
    pub fn stream(self) -> AsCompletedStream<'e, T, H, S> {
        AsCompletedStream(self)
    }

    /// How many handles are left to yield.
    ///
    /// ```
    /// # use slotted::{Executor, as_completed};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut completed = as_completed([executor.submit(|| 1).unwrap()]);
    /// assert_eq!(completed.unfinished(), 1);
    /// drop(completed.next());
    /// assert_eq!(completed.unfinished(), 0);
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.left
    }

    /// Takes the remaining handles, in the order in which the caller gave them.
    ///
    /// ```
    /// # use slotted::{Executor, as_completed};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let completed = as_completed([executor.submit(|| 6 * 7).unwrap()]);
    /// let mut handles = completed.into_handles();
    /// assert_eq!(handles.next().unwrap().result(), Ok(42));
    /// ```
    pub fn into_handles(self) -> UnfinishedHandles<'e, T, H, S> {
        UnfinishedHandles::new(self)
    }

    fn take(&mut self, place: usize) -> Option<JoinHandle<'e, T, H>> {
        let handle = self.storage.as_mut().get_mut(place)?.take();
        if handle.is_some() {
            self.left -= 1;
        }
        handle
    }

    /// Takes the first remaining handle, and takes it out of its group.
    pub(crate) fn take_first(&mut self) -> Option<JoinHandle<'e, T, H>> {
        self.skip_gaps();
        unwatch(self.storage.as_ref(), self.from);
        self.take(self.from)
    }

    /// Moves `from` to the first remaining handle. Bound: over the whole life as many steps as
    /// handles.
    fn skip_gaps(&mut self) {
        let members = self.storage.as_ref();
        while members.get(self.from).is_some_and(Option::is_none) {
            self.from += 1;
        }
    }

    /// Takes a handle whose outcome was taken before it came here, if there is one.
    fn take_spent(&mut self) -> Option<JoinHandle<'e, T, H>> {
        // Bound: over the whole life as many steps as handles.
        while let Some(member) = self.storage.as_ref().get(self.spent) {
            self.spent += 1;
            if member
                .as_ref()
                .is_some_and(|handle| handle.receiver().is_none())
            {
                return self.take(self.spent - 1);
            }
        }
        None
    }

    /// Takes a done handle, if there is one.
    pub(crate) fn take_completed(&mut self) -> Option<JoinHandle<'e, T, H>> {
        if let Some(handle) = self.take_spent() {
            return Some(handle);
        }
        self.skip_gaps();
        let place = pop_completed(self.storage.as_ref(), self.from, self.mixed).ok()?;
        self.take(place)
    }

    /// Waits for the next done handle and takes it. `Ok(None)`: none remains.
    fn next_with(
        &mut self,
        timeout: &impl Timeout,
        run_unstarted: RunUnstarted,
    ) -> Result<Option<JoinHandle<'e, T, H>>, Interrupted> {
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(handle) = self.take_spent() {
            return Ok(Some(handle));
        }
        self.skip_gaps();
        let place = next_completed(
            self.storage.as_ref(),
            self.from,
            self.mixed,
            timeout,
            run_unstarted,
        )?;
        Ok(place.and_then(|place| self.take(place)))
    }
}

impl<'e, T, H, S> Iterator for AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    type Item = JoinHandle<'e, T, H>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_with(&Never::<H>::new(), RunUnstarted::Workers) {
            Ok(handle) => handle,
            // It cannot time out. The handle's `result` tells the user why.
            Err(_) => self.take_first(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'e, T, H, S> ExactSizeIterator for AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
}

impl<'e, T, H, S> FusedIterator for AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
}

impl<'e, T, H, S> Drop for AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    /// The handles leave their groups before they are dropped.
    fn drop(&mut self) {
        let members = self.storage.as_ref();
        for place in self.from..members.len() {
            unwatch(members, place);
        }
    }
}

impl<'e, T, H, S> fmt::Debug for AsCompleted<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("unfinished", &self.left)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// What [`AsCompleted::stream`] returns: the same handles, awaited.
#[must_use = "streams do nothing unless they are polled; dropping it detaches the tasks"]
pub struct AsCompletedStream<'e, T, H: Park, S: Storage<'e, T, H>>(AsCompleted<'e, T, H, S>);

impl<'e, T, H, S> AsCompletedStream<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    /// How many handles are left to yield.
    ///
    /// ```
    /// # use slotted::{Executor, as_completed};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let stream = as_completed([executor.submit(|| 1).unwrap()]).stream();
    /// assert_eq!(stream.unfinished(), 1);
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.0.left
    }
}

// The handles are `Unpin`, and the storage is never pinned.
impl<'e, T, H, S> Unpin for AsCompletedStream<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
}

impl<'e, T, H, S> Stream for AsCompletedStream<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    type Item = JoinHandle<'e, T, H>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut self.get_mut().0;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(handle) = this.take_completed() {
            return Poll::Ready(Some(handle));
        }
        wake_by(
            this.storage.as_ref(),
            this.from,
            this.mixed,
            context.waker(),
        );
        // A task may have completed before the waker was there.
        this.take_completed()
            .map_or(Poll::Pending, |handle| Poll::Ready(Some(handle)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.left, Some(self.0.left))
    }
}

impl<'e, T, H, S> fmt::Debug for AsCompletedStream<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompletedStream").field(&self.0).finish()
    }
}

/// What [`as_completed_timeout`] returns.
#[must_use = "iterators are lazy; dropping it detaches the tasks"]
pub struct AsCompletedWithTimeout<'e, T, H: Park, S: Storage<'e, T, H>> {
    /// `None` after the time was up.
    handles: Option<AsCompleted<'e, T, H, S>>,
    deadline: u64,
}

impl<'e, T, H, S> Iterator for AsCompletedWithTimeout<'e, T, H, S>
where
    H: Clock,
    S: Storage<'e, T, H>,
{
    type Item = Result<JoinHandle<'e, T, H>, AsCompletedTimeout<'e, T, H, S>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self
            .handles
            .as_mut()?
            .next_with(&Deadline::<H>::at(self.deadline), RunUnstarted::Workers)
        {
            Ok(handle) => handle.map(Ok),
            Err(_) => self
                .handles
                .take()
                .map(|handles| Err(AsCompletedTimeout { handles })),
        }
    }
}

impl<'e, T, H, S> fmt::Debug for AsCompletedWithTimeout<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompletedWithTimeout")
            .field(&self.handles)
            .finish()
    }
}

/// The time of an [`as_completed_timeout`] was up. Keeps the remaining handles.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Executor, as_completed_timeout};
///
/// let executor: Executor<1, 4> = Executor::new();
/// let handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// let late = as_completed_timeout(handles, Duration::ZERO).next().unwrap().unwrap_err();
/// assert_eq!(late.to_string(), "2 (of 2) tasks unfinished");
/// ```
#[must_use = "dropping it detaches the tasks that are left"]
pub struct AsCompletedTimeout<'e, T, H: Park, S: Storage<'e, T, H>> {
    handles: AsCompleted<'e, T, H, S>,
}

impl<'e, T, H, S> AsCompletedTimeout<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    /// How many handles remain.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, as_completed_timeout};
    /// # let executor: Executor<1, 4> = Executor::new();
    /// # let handles = [executor.submit(|| 1).unwrap()];
    /// let late = as_completed_timeout(handles, Duration::ZERO).next().unwrap().unwrap_err();
    /// assert_eq!(late.unfinished(), 1);
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.handles.left
    }

    /// How many handles there were at the start.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, as_completed_timeout};
    /// # let executor: Executor<1, 4> = Executor::new();
    /// # let handles = [executor.submit(|| 1).unwrap()];
    /// let late = as_completed_timeout(handles, Duration::ZERO).next().unwrap().unwrap_err();
    /// assert_eq!(late.total(), 1);
    /// ```
    #[must_use]
    pub fn total(&self) -> usize {
        self.handles.total
    }

    /// Takes the remaining handles, in the order in which the caller gave them.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, as_completed_timeout};
    /// # let executor: Executor<1, 4> = Executor::new();
    /// # let handles = [executor.submit(|| 6 * 7).unwrap()];
    /// let late = as_completed_timeout(handles, Duration::ZERO).next().unwrap().unwrap_err();
    /// executor.run_one();
    /// assert_eq!(late.into_handles().next().unwrap().result(), Ok(42));
    /// ```
    pub fn into_handles(self) -> UnfinishedHandles<'e, T, H, S> {
        self.handles.into_handles()
    }
}

impl<'e, T, H, S> fmt::Debug for AsCompletedTimeout<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompletedTimeout")
            .field("unfinished", &self.unfinished())
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}

impl<'e, T, H, S> fmt::Display for AsCompletedTimeout<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (of {}) tasks unfinished",
            self.unfinished(),
            self.total()
        )
    }
}

impl<'e, T, H, S> core::error::Error for AsCompletedTimeout<'e, T, H, S>
where
    H: Park,
    S: Storage<'e, T, H>,
{
}
