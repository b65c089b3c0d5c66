//! A function over many items, a window of them at a time.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::time::Duration;

use crate::blocking::{Deadline, Never, RunUnstarted, Timeout};
use crate::error::{Refusal, TaskError};
use crate::handle::JoinHandle;
use crate::host::{Clock, Park};
use crate::permit::{Permit, submit_into};
use crate::registry::Submitter;
use crate::slot::Plain;
use crate::unwind;

mod chunk;
mod window;

pub use chunk::{Chunked, Chunks, EachOf};
use window::{Order, Window};

/// What a map applies to an item: a function, or a function to each item of a chunk.
pub trait ItemFunction<A> {
    /// What becomes of the item.
    type Output;

    /// Applies the function to an item.
    ///
    /// ```
    /// use slotted::map::ItemFunction;
    ///
    /// let double = |n: u32| 2 * n;
    /// assert_eq!(double.apply(3), 6);
    /// ```
    fn apply(&self, item: A) -> Self::Output;
}

impl<A, T, F: Fn(A) -> T> ItemFunction<A> for F {
    type Output = T;

    #[inline]
    fn apply(&self, item: A) -> T {
        self(item)
    }
}

/// Calls a function with an item. The function is dropped in here, before the value is returned: at
/// the end of a closure, a destructor that panics would leak what the closure returns.
#[inline]
pub(crate) fn apply<F: ItemFunction<A>, A>(function: F, item: A) -> F::Output {
    let value = function.apply(item);
    drop(function);
    value
}

/// Turns an item and a function into a task: of an executor, of a scope, or of a pool that another
/// crate makes of an executor's slots. [`map_over`] maps over it.
///
/// The map holds a slot before it takes an item from its input, so the input loses nothing to a
/// full executor.
pub trait SubmitItem<'e, const SLOT_BYTES: usize, F, A, T, H: Park> {
    /// The executor in whose slots the map has room for its tasks.
    ///
    /// ```
    /// # use slotted::{Executor, Submitter, StdHost, map::SubmitItem};
    /// fn room<'e, S: SubmitItem<'e, 64, fn(u8) -> u8, u8, u8, StdHost>>(pool: S) -> bool {
    ///     pool.submitter().reserve().is_ok()
    /// }
    /// let executor: Executor<0, 1> = Executor::new();
    /// assert!(room(executor.submitter()));
    /// ```
    fn submitter(&self) -> Submitter<'e, SLOT_BYTES, H>;

    /// Makes a task of an item. The permit holds a slot of [`submitter`](Self::submitter) for it.
    ///
    /// # Errors
    ///
    /// Why there is no task. The item is lost. The map yields what is in flight and ends, with an
    /// error.
    ///
    /// # Panics
    ///
    /// A scope panics if the permit is of another executor.
    ///
    /// ```
    /// # use slotted::{Executor, map::SubmitItem};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// let handle = executor.submitter().submit_item(permit, |n: u32| n * n, 3).unwrap();
    /// assert_eq!(handle.result(), Ok(9));
    /// ```
    fn submit_item(
        &self,
        permit: Permit<'e, SLOT_BYTES, H>,
        function: F,
        item: A,
    ) -> Result<JoinHandle<'e, T, H>, Refusal>;

    /// How the calling thread does the work of an item itself. The map asks if nothing of it is in
    /// flight, no slot is free, and the thread is a worker or the map is
    /// [`inline`](Map::inline). `None`, the default: the thread waits for a slot.
    ///
    /// ```
    /// # use slotted::{Executor, Submitter, StdHost, map::SubmitItem};
    /// fn here<'e, S: SubmitItem<'e, 64, fn(u8) -> u8, u8, u8, StdHost>>(pool: S) -> bool {
    ///     pool.apply_here().is_some()
    /// }
    /// let executor: Executor<0, 1> = Executor::new();
    /// assert!(here(executor.submitter()));
    /// ```
    fn apply_here(&self) -> Option<fn(F, A) -> T> {
        None
    }
}

impl<'e, const SLOT_BYTES: usize, F, A, T, H: Park> SubmitItem<'e, SLOT_BYTES, F, A, T, H>
    for Submitter<'e, SLOT_BYTES, H>
where
    F: ItemFunction<A, Output = T> + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    fn submitter(&self) -> Submitter<'e, SLOT_BYTES, H> {
        *self
    }

    fn submit_item(
        &self,
        permit: Permit<'e, SLOT_BYTES, H>,
        function: F,
        item: A,
    ) -> Result<JoinHandle<'e, T, H>, Refusal> {
        let (registry, claim) = permit.into_parts();
        let task = move || apply(function, item);
        Ok(submit_into::<_, T, Plain, SLOT_BYTES, H>(
            registry, claim, task,
        )?)
    }

    fn apply_here(&self) -> Option<fn(F, A) -> T> {
        Some(apply)
    }
}

/// How far the map has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There may be more items.
    Open,
    /// The input has ended.
    Exhausted,
    /// The executor takes no task any more.
    Refused(Refusal),
    /// The map yields nothing any more.
    Over,
}

/// What [`Executor::map`](crate::Executor::map), [`Scope::map`](crate::Scope::map) and [`map_over`]
/// return: an iterator over the results.
///
/// Lazy: the first `next` submits as many items as the window holds, and each further one fills the
/// window up again. An item is taken from the input only when there is a slot for it.
///
/// Dropping it cancels what has not started; [`detach`](Self::detach) does not.
///
/// # Cost
///
/// It holds up to `WINDOW` handles inline: 12 bytes each on 32-bit targets, 24 on 64-bit ones.
/// [`buffersize`](Self::buffersize) does not make it smaller.
///
/// ```
/// use slotted::Executor;
///
/// let executor: Executor<0, 4> = Executor::new();
/// let mut squares = executor.map([1, 2, 3], |n: u32| n * n);
/// assert_eq!(squares.next(), Some(Ok(1)));
/// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 4 + 9);
/// ```
#[must_use = "iterators are lazy: nothing has been submitted yet"]
pub struct Map<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P = Never<H>>
where
    H: Park,
{
    submit: S,
    items: I,
    function: F,
    timeout: P,
    /// At most so many tasks in flight: from 1 to `WINDOW`.
    size: usize,
    run_unstarted: RunUnstarted,
    progress: Progress,
    window: Window<'e, T, H, WINDOW>,
}

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H>
    Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H>
where
    H: Park,
{
    pub(crate) fn new(submit: S, items: I, function: F, run_unstarted: RunUnstarted) -> Self {
        const {
            assert!(
                WINDOW > 0,
                "slotted: a map needs room for one task: raise WINDOW"
            )
        };
        Self {
            submit,
            items,
            function,
            timeout: Never::new(),
            size: WINDOW,
            run_unstarted,
            progress: Progress::Open,
            window: Window::new(Order::Input),
        }
    }

    /// Gives up `timeout` after this call: yields [`TaskError::TimedOut`] once, and ends. What has
    /// not started is cancelled.
    ///
    /// # Python
    ///
    /// `map(timeout=…)`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Executor, TaskError};
    ///
    /// let unstarted: Executor<1, 4> = Executor::new();
    /// let mut squares = unstarted.map([1, 2], |n: u32| n * n).timeout(Duration::ZERO);
    /// assert_eq!(squares.next(), Some(Err(TaskError::TimedOut)));
    /// assert_eq!(squares.next(), None);
    /// ```
    pub fn timeout(
        self,
        timeout: Duration,
    ) -> Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, Deadline<H>>
    where
        H: Clock,
    {
        Map {
            submit: self.submit,
            items: self.items,
            function: self.function,
            timeout: Deadline::after(timeout),
            size: self.size,
            run_unstarted: self.run_unstarted,
            progress: self.progress,
            window: self.window,
        }
    }
}

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P>
    Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
    H: Park,
{
    /// Keeps at most `size` tasks in flight; more than the window means the window.
    ///
    /// # Panics
    ///
    /// If `size` is 0: nothing could ever be yielded. Also after the first `next`.
    ///
    /// # Python
    ///
    /// `map(buffersize=…)`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut squares = executor.map(1.., |n: u32| n * n).buffersize(2);
    /// assert_eq!(squares.next(), Some(Ok(1)));
    /// assert_eq!(executor.stats().slots_in_use, 1, "of the two one was yielded");
    /// ```
    #[track_caller]
    pub fn buffersize(mut self, size: usize) -> Self {
        assert!(size > 0, "buffersize must be at least 1");
        self.assert_unstarted();
        self.size = size.min(WINDOW);
        self
    }

    /// Yields results in the order in which the tasks complete.
    ///
    /// # Panics
    ///
    /// After the first `next`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let squares = executor.map([1, 2, 3], |n: u32| n * n).unordered();
    /// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
    /// ```
    #[track_caller]
    pub fn unordered(mut self) -> Self {
        self.assert_unstarted();
        self.window.set_order(Order::Completion);
        self
    }

    /// Has the calling thread run items that it waits for and that no thread has started. See
    /// [`result_inline`](JoinHandle::result_inline).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let unstarted: Executor<1, 4> = Executor::new();
    /// let squares = unstarted.map([1, 2, 3], |n: u32| n * n).inline();
    /// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
    /// ```
    pub fn inline(mut self) -> Self {
        self.run_unstarted = RunUnstarted::Inline;
        self
    }

    /// Gives up the results, but lets what was submitted run.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut squares = executor.map([1, 2, 3], |n: u32| n * n);
    /// assert_eq!(squares.next(), Some(Ok(1)));
    /// squares.detach();
    /// assert_eq!(executor.run_until_idle(), 2);
    /// ```
    pub fn detach(mut self) {
        self.window.detach();
    }

    #[track_caller]
    fn assert_unstarted(&self) {
        assert!(
            self.window.is_fresh(),
            "the window can only be changed before the first `next`"
        );
    }
}

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P>
    Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
    S: SubmitItem<'e, SLOT_BYTES, F, I::Item, T, H>,
    I: Iterator,
    F: Clone,
    H: Park,
    P: Timeout,
{
    /// The next item, if there is one.
    fn next_item(&mut self) -> Option<I::Item> {
        let item = self.items.next();
        if item.is_none() {
            self.progress = Progress::Exhausted;
        }
        item
    }

    /// Submits items until the window is full, or the executor is, or there are no more. Bound: the
    /// window.
    fn fill(&mut self) {
        while self.progress == Progress::Open && self.window.count() < self.size {
            match self.submit.submitter().try_reserve() {
                Ok(permit) => self.submit_next(permit),
                Err(Refusal::Full) => break,
                Err(reason) => self.progress = Progress::Refused(reason),
            }
        }
    }

    fn submit_next(&mut self, permit: Permit<'e, SLOT_BYTES, H>) {
        let Some(item) = self.next_item() else {
            return;
        };
        match self.submit.submit_item(permit, self.function.clone(), item) {
            Ok(handle) => self.window.add(handle, self.size),
            // Shut down since the permit was given.
            Err(reason) => self.progress = Progress::Refused(reason),
        }
    }

    /// Nothing is in flight, and all slots belong to others: waits for one. A thread that may run
    /// tasks itself, and has no time limit, does the work instead.
    fn next_alone(&mut self) -> Option<Result<T, TaskError>> {
        let submitter = self.submit.submitter();
        let registry = submitter.registry();
        let is_worker = P::NEVER && registry.current_seat().is_some();
        if self.run_unstarted == RunUnstarted::Inline || is_worker {
            if let Some(apply) = self.submit.apply_here() {
                let item = self.next_item()?;
                let function = self.function.clone();
                return Some(unwind::catch(|| apply(function, item)).map_err(TaskError::Panicked));
            }
        }
        match submitter.reserve_with(&self.timeout) {
            Ok(permit) => self.submit_next(permit),
            Err(Refusal::Full) => return self.give_up(TaskError::TimedOut),
            Err(reason) => self.progress = Progress::Refused(reason),
        }
        self.next_in_flight()
    }

    fn next_in_flight(&mut self) -> Option<Result<T, TaskError>> {
        if self.window.count() > 0 {
            return match self
                .window
                .next(self.size, &self.timeout, self.run_unstarted)
            {
                Ok(outcome) => Some(outcome),
                Err(error) => self.give_up(error),
            };
        }
        let Progress::Refused(reason) = self.progress else {
            return None;
        };
        self.progress = Progress::Over;
        // An empty input has nothing to refuse. Any other input keeps its items.
        if self.items.size_hint().1 == Some(0) {
            return None;
        }
        Some(Err(if reason == Refusal::Broken {
            TaskError::Broken
        } else {
            TaskError::Cancelled
        }))
    }

    /// The time is up, or no worker will run what is in flight.
    fn give_up(&mut self, error: TaskError) -> Option<Result<T, TaskError>> {
        self.progress = Progress::Over;
        self.window.cancel();
        Some(Err(error))
    }
}

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P> Iterator
    for Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
    S: SubmitItem<'e, SLOT_BYTES, F, I::Item, T, H>,
    I: Iterator,
    F: Clone,
    H: Park,
    P: Timeout,
{
    /// An error is one item's, and the iteration goes on. If the executor is shut down or broken it
    /// ends with [`TaskError::Cancelled`] or [`TaskError::Broken`]; with [`TaskError::NotStarted`]
    /// if no worker will run its tasks, which it cancels.
    type Item = Result<T, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.progress == Progress::Over {
            return None;
        }
        self.fill();
        if self.window.count() == 0 && self.progress == Progress::Open {
            return self.next_alone();
        }
        self.next_in_flight()
    }
}

impl<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P> FusedIterator
    for Map<'e, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
    S: SubmitItem<'e, SLOT_BYTES, F, I::Item, T, H>,
    I: Iterator,
    F: Clone,
    H: Park,
    P: Timeout,
{
}

impl<const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H, P> fmt::Debug
    for Map<'_, WINDOW, SLOT_BYTES, S, I, F, T, H, P>
where
    H: Park,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("window", &self.size)
            .field("in_flight", &self.window.count())
            .finish_non_exhaustive()
    }
}

/// The results of `function` over `items`, by the tasks that `submit` makes of them, with at most
/// `WINDOW` tasks in flight: [`Executor::map`](crate::Executor::map) over a pool of another crate.
///
/// ```
/// use slotted::map::{SubmitItem, map_over};
/// use slotted::{Executor, JoinHandle, Permit, Refusal, StdHost, Submitter};
///
/// /// Runs functions of numbers elsewhere, and awaits their results in an executor's slots.
/// #[derive(Clone, Copy)]
/// struct Pool(Submitter<'static, 128>);
///
/// impl<F> SubmitItem<'static, 128, F, u32, u32, StdHost> for Pool
/// where
///     F: Fn(u32) -> u32 + Send + 'static,
/// {
///     fn submitter(&self) -> Submitter<'static, 128> {
///         self.0
///     }
///
///     fn submit_item(
///         &self,
///         permit: Permit<'static, 128>,
///         function: F,
///         item: u32,
///     ) -> Result<JoinHandle<'static, u32>, Refusal> {
///         Ok(permit.submit_future_outcome(async move { Ok(function(item)) })?)
///     }
/// }
///
/// static EXECUTOR: Executor<0, 4, 128> = Executor::new();
/// let pool = Pool(EXECUTOR.submitter());
/// let squares = map_over::<2, 128, _, _, _, _, _>(pool, [1, 2, 3], |n| n * n);
/// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
/// ```
pub fn map_over<'e, const WINDOW: usize, const SLOT_BYTES: usize, S, I, F, T, H>(
    submit: S,
    items: I,
    function: F,
) -> Map<'e, WINDOW, SLOT_BYTES, S, I::IntoIter, F, T, H>
where
    S: SubmitItem<'e, SLOT_BYTES, F, I::Item, T, H>,
    I: IntoIterator,
    F: Clone,
    H: Park,
{
    Map::new(submit, items.into_iter(), function, RunUnstarted::Workers)
}

impl<'e, const SLOT_BYTES: usize, H: Park> Submitter<'e, SLOT_BYTES, H> {
    /// The results of `function` over `items`, with at most `WINDOW` tasks in flight. See
    /// [`Executor::map`](crate::Executor::map).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let squares = executor.submitter().map::<2, _, _, _>([1, 2, 3], |n: u32| n * n);
    /// assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
    /// ```
    pub fn map<const WINDOW: usize, I, F, T>(
        self,
        items: I,
        function: F,
    ) -> Map<'e, WINDOW, SLOT_BYTES, Self, I::IntoIter, F, T, H>
    where
        I: IntoIterator<Item: Send + 'static>,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        Map::new(self, items.into_iter(), function, RunUnstarted::Workers)
    }
}
