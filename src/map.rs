//! A function over many items, a window of them at a time.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::time::Duration;

use crate::blocking::{Endless, Help, Interrupted, Patience, Until};
use crate::error::{Refusal, TaskError};
use crate::group::{block_on_group, pop_completed, unwatch, watch};
use crate::handle::JoinHandle;
use crate::host::{Clock, Park};
use crate::intake::Intake;
use crate::job::Plain;
use crate::permit::Permit;
use crate::unwind;
use crate::waiter::WakeOn;

mod chunk;

pub use chunk::{Chunked, Chunks, EachOf};

/// What is done to an item: a function, or a function to each item of a chunk.
pub trait Work<A>: Clone + Send {
    /// What becomes of the item.
    type Output: Send;

    /// Does it.
    fn work(self, item: A) -> Self::Output;
}

/// Work on one item at a time.
#[derive(Clone, Debug)]
pub struct Each<F>(pub(crate) F);

impl<A, T: Send, F: Fn(A) -> T + Clone + Send> Work<A> for Each<F> {
    type Output = T;

    #[inline]
    fn work(self, item: A) -> T {
        (self.0)(item)
    }
}

/// Turns an item into a task: of an executor, or of a scope. Not nameable outside the crate, and so
/// neither callable nor implementable.
pub trait Gate<'e, const SLOT_BYTES: usize, W: Work<A>, A, H: Park> {
    #[doc(hidden)]
    fn door(&self) -> Door<'e, SLOT_BYTES, H>;
    #[doc(hidden)]
    fn admit(
        &self,
        permit: Permit<'e, SLOT_BYTES, H>,
        work: W,
        item: A,
    ) -> Result<JoinHandle<'e, W::Output, H>, Refusal>;
}

/// An executor's intake, opaque.
#[derive(Clone, Copy)]
pub struct Door<'e, const SLOT_BYTES: usize, H: Park>(pub(crate) Intake<'e, SLOT_BYTES, H>);

impl<const SLOT_BYTES: usize, H: Park> fmt::Debug for Door<'_, SLOT_BYTES, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl<'e, const SLOT_BYTES: usize, W, A, H: Park> Gate<'e, SLOT_BYTES, W, A, H>
    for Door<'e, SLOT_BYTES, H>
where
    W: Work<A, Output: 'static> + 'static,
    A: Send + 'static,
{
    fn door(&self) -> Door<'e, SLOT_BYTES, H> {
        Door(self.0)
    }

    fn admit(
        &self,
        permit: Permit<'e, SLOT_BYTES, H>,
        work: W,
        item: A,
    ) -> Result<JoinHandle<'e, W::Output, H>, Refusal> {
        let (registry, claim) = permit.into_parts();
        match claim
            .closure::<_, _, Plain>(move || work.work(item), |filled| registry.enqueue(filled))
        {
            Ok(receiver) => Ok(JoinHandle::new(registry, receiver)),
            Err((claim, _task, reason)) => {
                registry.release(claim.retire());
                Err(reason)
            }
        }
    }
}

/// In which order results are yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Input,
    Completion,
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There may be more items.
    Open,
    /// The input has ended.
    Exhausted,
    /// No task is accepted any more.
    Refused(Refusal),
    /// Nothing is yielded any more.
    Over,
}

/// The tasks that were submitted and whose results were not yet yielded.
struct Flight<'e, T, H: Park, const QUEUE: usize> {
    /// In input order the places in use are `first` and those that follow, round and round; in
    /// completion order, any.
    places: heapless::Vec<Option<JoinHandle<'e, T, H>>, QUEUE>,
    first: usize,
    count: usize,
    /// No place before this one is in use.
    lowest: usize,
    order: Order,
    detached: bool,
}

impl<'e, T, H: Park, const QUEUE: usize> Flight<'e, T, H, QUEUE> {
    /// Adds a task. There is a place for it: places are at least as many as `size`, the window.
    fn add(&mut self, handle: JoinHandle<'e, T, H>, size: usize) {
        let place = match self.order {
            Order::Input => (self.first + self.count) % size,
            Order::Completion if self.count == self.places.len() => self.count,
            // The place that was emptied last, mostly. Bound: the window.
            Order::Completion => {
                let places = self.places.len();
                let mut from_first = (self.first..places).chain(0..self.first);
                from_first
                    .find(|&place| self.places[place].is_none())
                    .unwrap_or(places)
            }
        };
        if place == self.places.len() {
            // Cannot fail: the window is at most QUEUE.
            let _ = self.places.push(Some(handle));
        } else {
            self.places[place] = Some(handle);
        }
        self.count += 1;
        self.lowest = self.lowest.min(place);
        if self.order == Order::Completion {
            watch(
                self.places.as_slice(),
                place,
                0..self.places.len(),
                WakeOn::Any,
            );
        }
    }

    /// Waits for the next task in order, and takes its result. `None`: the time is up.
    fn next(
        &mut self,
        size: usize,
        patience: &impl Patience,
        help: Help,
    ) -> Option<Result<T, TaskError>> {
        let place = match self.order {
            Order::Input => self.first,
            Order::Completion => self.next_completed(patience, help)?,
        };
        let handle = self.places[place].as_mut()?;
        let outcome = handle.wait_and_take(patience, help);
        if matches!(outcome, Err(TaskError::TimedOut)) && !handle.done() {
            return None;
        }
        self.places[place] = None;
        self.count -= 1;
        self.first = if self.order == Order::Input {
            (place + 1) % size
        } else {
            place
        };
        Some(outcome)
    }

    /// The place of a task that is done; of any, where waiting would never end.
    fn next_completed(&mut self, patience: &impl Patience, help: Help) -> Option<usize> {
        // Bound: the window; while places are filled again as they become empty, one step.
        while self.places.get(self.lowest).is_some_and(Option::is_none) {
            self.lowest += 1;
        }
        let (places, from) = (self.places.as_slice(), self.lowest);
        if let Some(place) = pop_completed(places, from, false) {
            return Some(place);
        }
        match block_on_group(places, from, false, WakeOn::Any, patience, help) {
            Ok(()) => pop_completed(places, from, false),
            Err(Interrupted::TimedOut) => None,
            Err(Interrupted::WouldDeadlock) => {
                let place = places.iter().position(Option::is_some)?;
                unwatch(places, place);
                Some(place)
            }
        }
    }
}

impl<T, H: Park, const QUEUE: usize> Drop for Flight<'_, T, H, QUEUE> {
    fn drop(&mut self) {
        for place in 0..self.places.len() {
            unwatch(self.places.as_slice(), place);
        }
        if !self.detached {
            for handle in self.places.iter().flatten() {
                handle.cancel();
            }
        }
    }
}

/// What [`Executor::map`](crate::Executor::map) and [`Scope::map`](crate::Scope::map) return: an
/// iterator over the results.
///
/// Lazy: the first `next` submits as many items as the window holds, and each further one fills it
/// up again. An item is taken from the input only when there is a slot for it.
///
/// Dropping it cancels what has not started; [`detach`](Self::detach) does not.
#[must_use = "iterators are lazy: nothing has been submitted yet"]
pub struct Map<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P = Endless<H>>
where
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
{
    gate: G,
    items: I,
    work: W,
    patience: P,
    /// At most so many tasks in flight: from 1 to `QUEUE`.
    size: usize,
    help: Help,
    state: Progress,
    flight: Flight<'e, W::Output, H, QUEUE>,
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H>
    Map<'e, QUEUE, SLOT_BYTES, G, I, W, H>
where
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
{
    pub(crate) fn new(gate: G, items: I, work: W, help: Help) -> Self {
        Self::with(
            gate,
            items,
            work,
            Endless::new(),
            (QUEUE, help, Order::Input),
        )
    }

    /// Gives up `timeout` after this call: yields [`TaskError::TimedOut`] once, and ends. What has
    /// not started is cancelled.
    ///
    /// # Python
    ///
    /// `map(timeout=…)`.
    pub fn timeout(self, timeout: Duration) -> Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, Until<H>>
    where
        H: Clock,
    {
        let Self {
            gate,
            items,
            work,
            patience: _,
            size,
            help,
            state,
            flight,
        } = self;
        Map {
            gate,
            items,
            work,
            patience: Until::after(timeout),
            size,
            help,
            state,
            flight,
        }
    }
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P>
    Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
{
    /// A map that has not begun.
    fn with(
        gate: G,
        items: I,
        work: W,
        patience: P,
        (size, help, order): (usize, Help, Order),
    ) -> Self {
        let flight = Flight {
            places: heapless::Vec::new(),
            first: 0,
            count: 0,
            lowest: 0,
            order,
            detached: false,
        };
        Self {
            gate,
            items,
            work,
            patience,
            size,
            help,
            state: Progress::Open,
            flight,
        }
    }

    /// Keeps at most `size` tasks in flight; more than `QUEUE` means `QUEUE`.
    ///
    /// # Panics
    ///
    /// If `size` is 0: nothing could ever be yielded. Also after the first `next`.
    ///
    /// # Python
    ///
    /// `map(buffersize=…)`.
    #[track_caller]
    pub fn buffersize(mut self, size: usize) -> Self {
        assert!(size > 0, "buffersize must be at least 1");
        self.assert_unstarted();
        self.size = size.min(QUEUE);
        self
    }

    /// Yields results in the order in which the tasks complete.
    ///
    /// # Panics
    ///
    /// After the first `next`.
    #[track_caller]
    pub fn unordered(mut self) -> Self {
        self.assert_unstarted();
        self.flight.order = Order::Completion;
        self
    }

    /// Has the calling thread run, here and now, items that it waits for and nobody has started.
    /// See [`result_inline`](JoinHandle::result_inline).
    pub fn inline(mut self) -> Self {
        self.help = Help::Inline;
        self
    }

    /// Gives up the results, but lets what was submitted run.
    pub fn detach(mut self) {
        self.flight.detached = true;
    }

    #[track_caller]
    fn assert_unstarted(&self) {
        assert!(
            self.flight.places.is_empty(),
            "the window can only be changed before the first `next`"
        );
    }

    /// The next item, if there is one.
    fn next_item(&mut self) -> Option<I::Item> {
        let item = self.items.next();
        if item.is_none() {
            self.state = Progress::Exhausted;
        }
        item
    }
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P>
    Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    G: Gate<'e, SLOT_BYTES, W, I::Item, H>,
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
    P: Patience,
{
    /// Submits items until the window is full, or the executor is, or there are no more. Bound: the
    /// window.
    fn fill(&mut self) {
        while self.state == Progress::Open && self.flight.count < self.size {
            match self.gate.door().0.try_reserve() {
                Ok(permit) => self.admit(permit),
                Err(Refusal::Full) => break,
                Err(reason) => self.state = Progress::Refused(reason),
            }
        }
    }

    fn admit(&mut self, permit: Permit<'e, SLOT_BYTES, H>) {
        let Some(item) = self.next_item() else { return };
        match self.gate.admit(permit, self.work.clone(), item) {
            Ok(handle) => self.flight.add(handle, self.size),
            // Shut down since we looked.
            Err(reason) => self.state = Progress::Refused(reason),
        }
    }

    /// Nothing is in flight, and all slots belong to others: waits for one, or, a worker, does the
    /// work itself.
    fn next_alone(&mut self) -> Option<Result<W::Output, TaskError>> {
        let door = self.gate.door().0;
        if self.help == Help::Inline || door.registry().current_worker().is_some() {
            let item = self.next_item()?;
            let work = self.work.clone();
            return Some(unwind::catch(|| work.work(item)).map_err(TaskError::Panicked));
        }
        match door.reserve_with(&self.patience) {
            Ok(permit) => self.admit(permit),
            Err(Refusal::Full) => return self.give_up(),
            Err(reason) => self.state = Progress::Refused(reason),
        }
        self.next_in_flight()
    }

    fn next_in_flight(&mut self) -> Option<Result<W::Output, TaskError>> {
        if self.flight.count > 0 {
            return match self.flight.next(self.size, &self.patience, self.help) {
                Some(outcome) => Some(outcome),
                None => self.give_up(),
            };
        }
        match self.state {
            Progress::Refused(reason) => {
                self.state = Progress::Over;
                // Whoever has no items is refused nothing; whoever may have some keeps them.
                if self.items.size_hint().1 == Some(0) {
                    return None;
                }
                Some(Err(if reason == Refusal::Broken {
                    TaskError::Broken
                } else {
                    TaskError::Cancelled
                }))
            }
            Progress::Open | Progress::Exhausted | Progress::Over => None,
        }
    }

    /// The time is up.
    fn give_up(&mut self) -> Option<Result<W::Output, TaskError>> {
        self.state = Progress::Over;
        for handle in self.flight.places.iter().flatten() {
            handle.cancel();
        }
        Some(Err(TaskError::TimedOut))
    }
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P> Iterator
    for Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    G: Gate<'e, SLOT_BYTES, W, I::Item, H>,
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
    P: Patience,
{
    /// An error is one item's, and the iteration goes on. If the executor is shut down or broken it
    /// ends with [`TaskError::Cancelled`] or [`TaskError::Broken`].
    type Item = Result<W::Output, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == Progress::Over {
            return None;
        }
        self.fill();
        if self.flight.count == 0 && self.state == Progress::Open {
            return self.next_alone();
        }
        self.next_in_flight()
    }
}

impl<'e, const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P> FusedIterator
    for Map<'e, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    G: Gate<'e, SLOT_BYTES, W, I::Item, H>,
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
    P: Patience,
{
}

impl<const QUEUE: usize, const SLOT_BYTES: usize, G, I, W, H, P> fmt::Debug
    for Map<'_, QUEUE, SLOT_BYTES, G, I, W, H, P>
where
    I: Iterator,
    W: Work<I::Item>,
    H: Park,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("window", &self.size)
            .field("in_flight", &self.flight.count)
            .field("order", &self.flight.order)
            .finish_non_exhaustive()
    }
}
