//! The containers in which callers give handles, and in which iterators keep them.

use core::fmt;

use super::AsCompleted;
use crate::handle::JoinHandle;
use crate::host::Park;

/// Only the containers below: a group's lists need a storage that always shows the same handles.
mod sealed {
    use crate::handle::JoinHandle;
    use crate::host::Park;

    /// What a container may hold.
    pub trait Held {}
    impl<T, H: Park> Held for JoinHandle<'_, T, H> {}
    impl<T, H: Park> Held for Option<JoinHandle<'_, T, H>> {}

    pub trait Sealed {}
    impl<V: Held, const N: usize> Sealed for [V; N] {}
    impl<V: Held, const N: usize> Sealed for heapless::Vec<V, N> {}
    #[cfg(feature = "std")]
    impl<V: Held> Sealed for std::vec::Vec<V> {}
}

/// Handles at fixed positions, taken out one by one: an array, a `heapless::Vec`, or (with `std`) a
/// `Vec` of options. Sealed.
pub trait Storage<'e, T, H: Park>:
    sealed::Sealed + AsRef<[Option<JoinHandle<'e, T, H>>]> + AsMut<[Option<JoinHandle<'e, T, H>>]>
{
}

impl<'e, T, H: Park, S> Storage<'e, T, H> for S where
    S: sealed::Sealed
        + AsRef<[Option<JoinHandle<'e, T, H>>]>
        + AsMut<[Option<JoinHandle<'e, T, H>>]>
{
}

/// Handles that [`as_completed`](crate::as_completed()) takes: an array, a `heapless::Vec`, or
/// (with `std`) a `Vec`. Sealed.
pub trait IntoHandles<'e, T, H: Park>: sealed::Sealed {
    /// Keeps the handles during the wait.
    type Storage: Storage<'e, T, H>;

    /// Gives each handle its position.
    ///
    /// ```
    /// # use slotted::{Executor, as_completed::IntoHandles};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let storage = [executor.submit(|| 1).unwrap()].into_storage();
    /// assert!(storage[0].is_some());
    /// ```
    fn into_storage(self) -> Self::Storage;
}

impl<'e, T, H: Park, const N: usize> IntoHandles<'e, T, H> for [JoinHandle<'e, T, H>; N] {
    type Storage = [Option<JoinHandle<'e, T, H>>; N];

    fn into_storage(self) -> Self::Storage {
        self.map(Some)
    }
}

impl<'e, T, H: Park, const N: usize> IntoHandles<'e, T, H>
    for heapless::Vec<JoinHandle<'e, T, H>, N>
{
    type Storage = heapless::Vec<Option<JoinHandle<'e, T, H>>, N>;

    fn into_storage(self) -> Self::Storage {
        self.into_iter().map(Some).collect()
    }
}

#[cfg(feature = "std")]
impl<'e, T, H: Park> IntoHandles<'e, T, H> for std::vec::Vec<JoinHandle<'e, T, H>> {
    type Storage = std::vec::Vec<Option<JoinHandle<'e, T, H>>>;

    /// A handle and an optional handle are of one size: std reuses the allocation.
    fn into_storage(self) -> Self::Storage {
        self.into_iter().map(Some).collect()
    }
}

/// The handles that an [`as_completed`](crate::as_completed()) has not yielded, in the order in
/// which the caller gave them.
///
/// ```
/// # use slotted::{Executor, as_completed};
/// let executor: Executor<0, 4> = Executor::new();
/// let handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// assert!(handles[1].cancel());
/// let mut completed = as_completed(handles);
/// assert!(completed.next().unwrap().cancelled());
/// let unfinished = completed.into_handles();
/// assert_eq!(unfinished.map(|handle| handle.result().unwrap()).sum::<i32>(), 1);
/// ```
#[must_use = "iterators are lazy; dropping it detaches the tasks"]
pub struct UnfinishedHandles<'e, T, H: Park, S: Storage<'e, T, H>>(AsCompleted<'e, T, H, S>);

impl<'e, T, H: Park, S: Storage<'e, T, H>> UnfinishedHandles<'e, T, H, S> {
    pub(super) fn new(handles: AsCompleted<'e, T, H, S>) -> Self {
        Self(handles)
    }
}

impl<'e, T, H: Park, S: Storage<'e, T, H>> Iterator for UnfinishedHandles<'e, T, H, S> {
    type Item = JoinHandle<'e, T, H>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take_first()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.unfinished(), Some(self.0.unfinished()))
    }
}

impl<'e, T, H: Park, S: Storage<'e, T, H>> ExactSizeIterator for UnfinishedHandles<'e, T, H, S> {}

impl<'e, T, H: Park, S: Storage<'e, T, H>> fmt::Debug for UnfinishedHandles<'e, T, H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnfinishedHandles")
            .field("left", &self.0.unfinished())
            .finish_non_exhaustive()
    }
}
