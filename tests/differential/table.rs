//! The handles of a program, by the numbers of their tasks.
//!
//! `wait` and `as_completed` give handles back in another order. A handle has no name, so the table
//! finds it again: a done one by its outcome, another by its state, if no other has the same.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use slotted::as_completed::AsCompleted;
use slotted::{Canceller, StdHost, TaskError, TaskState};

use crate::board::say;
use crate::play::number;
use crate::world::{Handle, Kind};

type Completed = AsCompleted<'static, u32, StdHost, Vec<Option<Handle>>>;

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) handles: BTreeMap<u32, Handle>,
    pub(crate) cancellers: BTreeMap<u32, Canceller<'static>>,
    /// How many callbacks each task has.
    pub(crate) callbacks: BTreeMap<u32, u32>,
    pub(crate) iterator: Option<Completed>,
    /// Tasks whose handles a call or the iterator has, or `unnamed`.
    away: BTreeSet<u32>,
    /// Those of them that the iterator has.
    pub(crate) held: BTreeSet<u32>,
    /// The handles that come back are the iterator's.
    pub(crate) yields: bool,
    /// Tasks whose outcomes were moved out.
    taken: BTreeSet<u32>,
    /// Handles of tasks that are not done, as far as the call that gave them back could see.
    pub(crate) unnamed: Vec<Handle>,
}

/// A word, and numbers in their order.
pub(crate) fn named(name: &str, numbers: &BTreeSet<u32>) -> String {
    numbers.iter().fold(name.to_owned(), |mut said, number| {
        let _ = write!(said, " {number}");
        said
    })
}

impl Table {
    pub(crate) fn keep(&mut self, task: u32, handle: Handle) {
        self.cancellers.insert(task, handle.canceller());
        self.handles.insert(task, handle);
    }

    /// Takes handles out of the table.
    pub(crate) fn take(&mut self, tasks: &[&str]) -> Vec<Handle> {
        let tasks = tasks.iter().map(|task| number(task));
        tasks
            .map(|task| {
                self.away.insert(task);
                self.handles.remove(&task).expect("there is a handle")
            })
            .collect()
    }

    /// Notes that the outcome of a task may have been moved out.
    pub(crate) fn note_taken(&mut self, task: u32, outcome: &str) {
        if outcome.starts_with("value") || outcome.starts_with("error") {
            self.taken.insert(task);
        }
    }

    pub(crate) fn is_cancelled(&self, task: u32) -> bool {
        // Without its handle a cancelled task is gone.
        let state = self.cancellers[&task].state();
        matches!(state, TaskState::Cancelled | TaskState::Gone)
    }

    /// Puts handles of done tasks back, and returns the numbers of these.
    pub(crate) fn put_back_done(&mut self, handles: Vec<Handle>) -> BTreeSet<u32> {
        let numbers = handles.into_iter().map(|mut handle| {
            let task = match handle.wait().copied() {
                Err(TaskError::AlreadyTaken) => {
                    self.away_task("taken", |table, task| table.taken.contains(&task))
                }
                Err(TaskError::Cancelled) => {
                    self.away_task("cancelled", |table, task| table.is_cancelled(task))
                }
                outcome => {
                    let said = say(outcome);
                    number(said.rsplit(' ').next().expect("its last word"))
                }
            };
            assert!(self.away.remove(&task), "handle {task} was away");
            self.held.remove(&task);
            self.handles.insert(task, handle);
            task
        });
        numbers.collect()
    }

    /// A task that is away and like others: their handles are alike too.
    fn away_task(&self, what: &str, is_so: impl Fn(&Self, u32) -> bool) -> u32 {
        let others = &self.away - &self.held;
        let from = if self.yields { &self.held } else { &others };
        let mut away = from.iter().copied();
        away.find(|task| is_so(self, *task))
            .unwrap_or_else(|| panic!("a handle is {what}, but no task"))
    }

    /// Finds the numbers of handles that came back. Two pending ones, or two running ones, cannot
    /// be told apart: the program uses them no more. Handles of processes do not tell which of the
    /// two they are.
    pub(crate) fn name(&mut self, kind: Kind) {
        if self.unnamed.is_empty() {
            return;
        }
        let unnamed = core::mem::take(&mut self.unnamed);
        let is_takeable = |handle: &mut Handle| {
            let outcome = handle.wait_timeout(Duration::ZERO);
            !matches!(outcome, Err(TaskError::TimedOut))
        };
        let (mut done, mut rest) = (Vec::new(), Vec::new());
        for mut handle in unnamed {
            let of = if is_takeable(&mut handle) {
                &mut done
            } else {
                &mut rest
            };
            of.push(handle);
        }
        self.put_back_done(done);
        if kind == Kind::Processes {
            let tasks: Vec<u32> = (&self.away - &self.held).into_iter().collect();
            self.away.retain(|task| !tasks.contains(task));
            if let [task] = *tasks {
                let handle = rest.pop().expect("the handle comes back");
                self.handles.insert(task, handle);
            }
            return;
        }
        // Done, but a callback still looks at the outcome.
        let (mut ended, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(Handle::done);
        let (mut running, mut pending): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(Handle::running);
        for (alike, state) in [
            (&mut ended, TaskState::Finished),
            (&mut running, TaskState::Running),
            (&mut pending, TaskState::Pending),
        ] {
            let mut tasks: Vec<u32> = (&self.away - &self.held).into_iter().collect();
            tasks.retain(|task| self.cancellers[task].state() == state);
            assert_eq!(tasks.len(), alike.len(), "handles come back");
            self.away.retain(|task| !tasks.contains(task));
            if let [task] = *tasks {
                self.handles
                    .extend(alike.pop().map(|handle| (task, handle)));
            }
        }
    }
}
