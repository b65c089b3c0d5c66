//! Several items to a task.

use core::fmt;
use core::iter::FusedIterator;

use super::{Map, Work};
use crate::error::TaskError;
use crate::host::Park;
use crate::unwind;

/// Takes `N` items at a time.
#[derive(Clone, Debug)]
pub struct Chunks<I, const N: usize>(I);

impl<I: Iterator, const N: usize> Iterator for Chunks<I, N> {
    type Item = heapless::Vec<I::Item, N>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk: Self::Item = self.0.by_ref().take(N).collect();
        (!chunk.is_empty()).then_some(chunk)
    }
}

/// Work on a chunk: on each of its items, each with an outcome of its own.
#[derive(Clone, Debug)]
pub struct EachOf<W, const N: usize>(W);

impl<A, W: Work<A>, const N: usize> Work<heapless::Vec<A, N>> for EachOf<W, N> {
    type Output = heapless::Vec<Result<W::Output, TaskError>, N>;

    fn work(self, items: heapless::Vec<A, N>) -> Self::Output {
        let one = |item| {
            let work = self.0.clone();
            unwind::catch(|| work.work(item)).map_err(TaskError::Panicked)
        };
        items.into_iter().map(one).collect()
    }
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P>
    Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
{
    /// Gives each task `N` items at a time. They lie in the task's slot together, and so do their
    /// results: raise `SLOT_BYTES` for it. Each item still has an outcome of its own.
    ///
    /// Call it last: the other settings are the map's.
    ///
    /// # Panics
    ///
    /// After the first `next`.
    ///
    /// # Python
    ///
    /// `map(chunksize=…)`, which only process pools heed.
    #[track_caller]
    #[allow(
        clippy::type_complexity,
        reason = "an iterator's type is not written by hand"
    )]
    pub fn chunksize<const N: usize>(
        self,
    ) -> Chunked<Map<'e, QUEUE, SLOT_BYTES, G, Chunks<I, N>, EachOf<W, N>, H, P>, W::Output, N>
    {
        const {
            assert!(
                N > 0,
                "slotted: a chunk needs at least one item: raise the chunk size"
            )
        };
        self.assert_unstarted();
        let Self {
            gate,
            items,
            work,
            patience,
            size,
            help,
            state: _,
            flight,
        } = self;
        let order = flight.order;
        let map = Map::with(
            gate,
            Chunks(items),
            EachOf(work),
            patience,
            (size, help, order),
        );
        Chunked {
            map,
            chunk: heapless::Vec::new().into_iter(),
        }
    }
}

/// What [`Map::chunksize`] returns: an iterator over the results of single items.
#[must_use = "iterators are lazy: nothing has been submitted yet"]
pub struct Chunked<M, T, const N: usize> {
    map: M,
    chunk: heapless::vec::IntoIter<Result<T, TaskError>, N, usize>,
}

impl<M, T, const N: usize> Chunked<M, T, N> {
    /// The map over chunks: to [`detach`](Map::detach) it, say.
    pub fn into_inner(self) -> M {
        self.map
    }
}

impl<M, T, const N: usize> Iterator for Chunked<M, T, N>
where
    M: Iterator<Item = Result<heapless::Vec<Result<T, TaskError>, N>, TaskError>>,
{
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Bound: chunks are not empty, so at most two rounds.
        loop {
            if let Some(outcome) = self.chunk.next() {
                return Some(outcome);
            }
            match self.map.next()? {
                Ok(chunk) => self.chunk = chunk.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<M, T, const N: usize> FusedIterator for Chunked<M, T, N> where
    M: FusedIterator<Item = Result<heapless::Vec<Result<T, TaskError>, N>, TaskError>>
{
}

impl<M: fmt::Debug, T, const N: usize> fmt::Debug for Chunked<M, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunked")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
