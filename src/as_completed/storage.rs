//! What handles may be given in, and what they are kept in.

use core::fmt;

use super::AsCompleted;
use crate::handle::JoinHandle;
use crate::host::Park;

/// Only the containers below: the lists of a group rest on a storage that always shows the same
/// handles.
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

/// Handles with fixed places, which are emptied one by one: an array, a `heapless::Vec`, or (with
/// `std`) a `Vec` of options. Sealed.
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
    /// What the handles are kept in while they are waited for.
    type Storage: Storage<'e, T, H>;

    /// Gives each handle its place.
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

    /// A handle and its place are of one size: std reuses the allocation.
    fn into_storage(self) -> Self::Storage {
        self.into_iter().map(Some).collect()
    }
}

/// The handles that an [`as_completed`](crate::as_completed()) had not yielded, in the order in
/// which they came.
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
