//! Several items to a task.

use core::fmt;
use core::iter::FusedIterator;

use super::{ItemFunction, Map, Window};
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

/// Applies a function to each item of a chunk. Each has an outcome of its own.
#[derive(Clone, Debug)]
pub struct EachOf<F, const N: usize>(F);

impl<A, F: ItemFunction<A>, const N: usize> ItemFunction<heapless::Vec<A, N>> for EachOf<F, N> {
    type Output = Outcomes<F::Output, N>;

    fn apply(&self, items: heapless::Vec<A, N>) -> Self::Output {
        let on_item = |item| unwind::catch(|| self.0.apply(item)).map_err(TaskError::Panicked);
        items.into_iter().map(on_item).collect()
    }
}

/// The outcomes of one chunk.
type Outcomes<T, const N: usize> = heapless::Vec<Result<T, TaskError>, N>;

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P>
    Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
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
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 4, 256> = Executor::new();
    /// let squares = executor.map(1..=5, |n: u32| n * n).chunksize::<2>();
    /// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 55);
    /// assert_eq!(executor.stats().completed, 3);
    /// ```
    #[track_caller]
    #[expect(
        clippy::type_complexity,
        reason = "an iterator's type is not written by hand"
    )]
    pub fn chunksize<const N: usize>(
        self,
    ) -> Chunked<
        Map<'e, WINDOW, SLOT_BYTES, S, Chunks<I, N>, EachOf<F, N>, Outcomes<T, N>, H, P>,
        T,
        N,
    > {
        const {
            assert!(
                N > 0,
                "slotted: a chunk needs at least one item: raise the chunk size"
            );
        }
        self.assert_unstarted();
        let map = Map {
            submit: self.submit,
            items: Chunks(self.items),
            function: EachOf(self.function),
            timeout: self.timeout,
            size: self.size,
            run_unstarted: self.run_unstarted,
            progress: self.progress,
            window: Window::new(self.window.order()),
        };
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
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4, 256> = Executor::new();
    /// let mut squares = executor.map(1..=5, |n: u32| n * n).chunksize::<2>();
    /// assert_eq!(squares.next(), Some(Ok(1)));
    /// squares.into_inner().detach();
    /// assert_eq!(executor.run_until_idle(), 2);
    /// ```
    pub fn into_inner(self) -> M {
        self.map
    }
}

impl<M, T, const N: usize> Iterator for Chunked<M, T, N>
where
    M: Iterator<Item = Result<Outcomes<T, N>, TaskError>>,
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
    M: FusedIterator<Item = Result<Outcomes<T, N>, TaskError>>
{
}

impl<M: fmt::Debug, T, const N: usize> fmt::Debug for Chunked<M, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunked")
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
