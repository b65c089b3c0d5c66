//! The tasks of a map that were submitted and whose results were not yet yielded.
#![forbid(unsafe_code)]

use crate::blocking::{Interrupted, RunUnstarted, Timeout};
use crate::error::TaskError;
use crate::group::{next_completed, unwatch, watch};
use crate::handle::JoinHandle;
use crate::host::Park;

/// In which order results are yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Input,
    Completion,
}

/// Handles of the tasks in flight.
pub(super) struct Window<'e, T, H: Park, const SIZE: usize> {
    /// In input order the positions in use are `first` and those that follow, round and round. In
    /// completion order they are any.
    places: heapless::Vec<Option<JoinHandle<'e, T, H>>, SIZE>,
    first: usize,
    count: usize,
    /// No position before this one is in use.
    lowest: usize,
    order: Order,
    detached: bool,
}

impl<'e, T, H: Park, const SIZE: usize> Window<'e, T, H, SIZE> {
    pub(super) fn new(order: Order) -> Self {
        Self {
            places: heapless::Vec::new(),
            first: 0,
            count: 0,
            lowest: 0,
            order,
            detached: false,
        }
    }

    /// How many tasks are in flight.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns true if no task was ever added.
    pub(super) fn is_fresh(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn order(&self) -> Order {
        self.order
    }

    /// Only before the first task.
    pub(super) fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Lets the tasks run when the window is dropped.
    pub(super) fn detach(&mut self) {
        self.detached = true;
    }

    /// Cancels the tasks that have not started.
    pub(super) fn cancel(&self) {
        for handle in self.places.iter().flatten() {
            handle.cancel();
        }
    }

    /// Adds a task. It fits: there are at least as many positions as `size`, the window.
    pub(super) fn add(&mut self, handle: JoinHandle<'e, T, H>, size: usize) {
        let place = match self.order {
            Order::Input => (self.first + self.count) % size,
            Order::Completion if self.count == self.places.len() => self.count,
            // The position that was emptied last, mostly. Bound: the window.
            Order::Completion => {
                let places = self.places.len();
                let mut from_first = (self.first..places).chain(0..self.first);
                from_first
                    .find(|&place| self.places[place].is_none())
                    .unwrap_or(places)
            }
        };
        if place == self.places.len() {
            // Cannot fail: the window is at most `SIZE`.
            let _ = self.places.push(Some(handle));
        } else {
            self.places[place] = Some(handle);
        }
        self.count += 1;
        self.lowest = self.lowest.min(place);
        if self.order == Order::Completion {
            let places = self.places.as_slice();
            watch(places, place, 0..places.len());
        }
    }

    /// Waits for the next task in order, and takes its result.
    ///
    /// # Errors
    ///
    /// [`TaskError::TimedOut`] and [`TaskError::NotStarted`]: the task stays.
    pub(super) fn next(
        &mut self,
        size: usize,
        timeout: &impl Timeout,
        run_unstarted: RunUnstarted,
    ) -> Result<Result<T, TaskError>, TaskError> {
        let place = match self.order {
            Order::Input => Some(self.first),
            Order::Completion => self.next_completed(timeout, run_unstarted),
        };
        let handle = place.and_then(|place| Some((place, self.places[place].as_mut()?)));
        let (place, handle) = handle.ok_or(TaskError::TimedOut)?;
        let outcome = handle.wait_and_take(timeout, run_unstarted);
        // No task ends with one of these.
        if let Err(error @ (TaskError::TimedOut | TaskError::NotStarted)) = outcome {
            return Err(error);
        }
        self.places[place] = None;
        self.count -= 1;
        self.first = if self.order == Order::Input {
            (place + 1) % size
        } else {
            place
        };
        Ok(outcome)
    }

    /// The position of a done task; of any task, where the wait would never end.
    fn next_completed(
        &mut self,
        timeout: &impl Timeout,
        run_unstarted: RunUnstarted,
    ) -> Option<usize> {
        // Bound: the window; one step while the map refills positions as they become empty.
        while self.places.get(self.lowest).is_some_and(Option::is_none) {
            self.lowest += 1;
        }
        let (places, from) = (self.places.as_slice(), self.lowest);
        match next_completed(places, from, false, timeout, run_unstarted) {
            Ok(place) => place,
            Err(Interrupted::TimedOut) => None,
            Err(Interrupted::WouldDeadlock | Interrupted::NotStarted) => {
                let place = places.iter().position(Option::is_some)?;
                unwatch(places, place);
                Some(place)
            }
        }
    }
}

impl<T, H: Park, const SIZE: usize> Drop for Window<'_, T, H, SIZE> {
    fn drop(&mut self) {
        if self.order == Order::Completion {
            for place in 0..self.places.len() {
                unwatch(self.places.as_slice(), place);
            }
        }
        if !self.detached {
            self.cancel();
        }
    }
}
