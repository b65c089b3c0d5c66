//! The real executor and the oracle, side by side.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use slotted::{Permit, Promise, Shutdown, SubmitError, TaskState};

use crate::foreign::lock;
use crate::mission::Shared;
use crate::model::{Figures, Oracle};
use crate::program::Step;
use crate::seen::{Event, Outcome, Seen};
use crate::{Handle, Pool, Value};

/// The real executor and the oracle, side by side.
pub(crate) struct Pair {
    pub(crate) shared: Arc<Shared>,
    pub(crate) oracle: Oracle,
    /// The program's handles, with the numbers of their tasks. A handle stays after its result was
    /// taken.
    pub(crate) handles: Vec<(usize, Handle)>,
    pub(crate) taken: Vec<bool>,
    pub(crate) promises: Vec<(usize, Promise<'static, Value>)>,
    pub(crate) permits: Vec<Permit<'static, 96>>,
    pub(crate) callbacks: usize,
    pub(crate) forgotten: usize,
}

impl Pair {
    pub(crate) fn new() -> Self {
        // Wakers may live for ever, so the executor must too.
        let executor: &'static Pool = Box::leak(Box::new(Pool::new()));
        let shared = Shared {
            executor,
            log: Mutex::default(),
            cancellers: Mutex::default(),
            wakers: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            oracle: Oracle::default(),
            handles: Vec::new(),
            taken: Vec::new(),
            promises: Vec::new(),
            permits: Vec::new(),
            callbacks: 0,
            forgotten: 0,
        }
    }

    /// Removes a handle. Returns it with its task's number, and true if its result was taken.
    pub(crate) fn remove(&mut self, at: usize) -> (usize, Handle, bool) {
        let (id, handle) = self.handles.remove(at);
        (id, handle, self.taken.remove(at))
    }

    pub(crate) fn keep(&mut self, handle: Handle) {
        let id = self.shared.register(Some(handle.canceller()));
        self.handles.push((id, handle));
        self.taken.push(false);
    }

    /// The outcome that the oracle expects of the handle at `at`. `None`: its task is not done.
    /// A handle whose result was taken belongs to no task any more.
    pub(crate) fn expected_outcome(&mut self, at: usize) -> Option<Outcome> {
        let id = self.handles[at].0;
        if self.taken[at] {
            return Some(Outcome::AlreadyTaken);
        }
        let outcome = self.oracle.outcome(id)?;
        // There is nothing to take, and the handle says so again.
        if matches!(outcome, Outcome::Cancelled) {
            return Some(outcome);
        }
        self.taken[at] = true;
        self.oracle.drop_handle(id);
        Some(outcome)
    }

    /// Keeps the handle of a submit, if there is one.
    pub(crate) fn keep_submitted<F>(&mut self, submitted: Result<Handle, SubmitError<F>>) -> Seen {
        match submitted {
            Ok(handle) => {
                self.keep(handle);
                Seen::Nothing
            }
            Err(refused) => Seen::Refused(refused.reason()),
        }
    }

    /// Compares everything that can be seen.
    pub(crate) fn compare(&mut self, cancels_all: bool) -> Result<(), TestCaseError> {
        let (mut expected, mut seen) = (
            core::mem::take(&mut self.oracle.log),
            core::mem::take(&mut *lock(&self.shared.log)),
        );
        if cancels_all {
            // The order in which a shutdown cancels tasks is not specified.
            (expected, seen) = (sort_groups(expected), sort_groups(seen));
        }
        prop_assert_eq!(seen, expected, "what tasks did");
        let (stats, figures) = (self.shared.executor.stats(), &self.oracle.figures);
        let seen = Figures {
            in_use: stats.slots_in_use,
            high_water: stats.slots_high_water,
            completed: stats.completed,
            cancelled: stats.cancelled,
            panicked: stats.panicked,
            refused: stats.refused,
            callbacks_panicked: stats.callbacks_panicked,
        };
        prop_assert_eq!(&seen, figures);
        prop_assert_eq!((stats.queued, stats.running), (self.oracle.ready.len(), 0));
        for (id, canceller) in lock(&self.shared.cancellers).iter().enumerate() {
            if let Some(canceller) = canceller {
                prop_assert_eq!(
                    canceller.state(),
                    self.oracle.state(id),
                    "canceller of task {}",
                    id
                );
            }
        }
        for ((id, handle), taken) in self.handles.iter().zip(&self.taken) {
            let state = if *taken {
                TaskState::Finished
            } else {
                self.oracle.state(*id)
            };
            let expected = match state {
                TaskState::Cancelled => (true, false, true),
                TaskState::Finished => (false, false, true),
                TaskState::Running => (false, true, false),
                _ => (false, false, false),
            };
            prop_assert_eq!(
                (handle.cancelled(), handle.running(), handle.done()),
                expected,
                "task {}",
                id
            );
        }
        Ok(())
    }

    pub(crate) fn take_step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let before = self.oracle.clone();
        let taken = self.taken.clone();
        match self.step(step) {
            Some((expected, seen)) => prop_assert_eq!(seen, expected, "{:?}", step),
            // The step is left out, so it changes nothing.
            None => (self.oracle, self.taken) = (before, taken),
        }
        self.compare(matches!(
            step,
            Step::BeginShutdown(Shutdown::Cancel) | Step::Shutdown(Shutdown::Cancel)
        ))
    }

    /// Drops everything that the program holds. Only forgotten handles still cost a slot.
    pub(crate) fn finish(mut self) -> Result<(), TestCaseError> {
        while !self.handles.is_empty() {
            self.take_step(&Step::Drop(0))?;
        }
        while !self.promises.is_empty() {
            self.take_step(&Step::DropPromise(0))?;
        }
        while !self.permits.is_empty() {
            self.take_step(&Step::DropPermit)?;
        }
        self.take_step(&Step::Shutdown(Shutdown::Cancel))?;
        prop_assert_eq!(self.shared.executor.stats().slots_in_use, self.forgotten);
        Ok(())
    }
}

/// Sorts the events, but keeps those of one cancelled task together.
pub(crate) fn sort_groups(events: Vec<Event>) -> Vec<Event> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    for event in events {
        match (&event, groups.last_mut()) {
            (Event::Called(..), Some(group)) => group.push(event),
            _ => groups.push(vec![event]),
        }
    }
    groups.sort_unstable();
    groups.concat()
}
