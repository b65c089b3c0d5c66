//! What a task is made of, and what becomes of it. Both count their drops.

use core::hint;
use std::panic;

use slotted::{Clock, StdHost, TaskError};

use crate::mark::{Event, Mark};
use crate::pause::Pause;
use crate::pool::Pool;
use crate::posts;

/// What a task does beside counting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Nothing,
    /// Spins for so many rounds.
    Spin(u16),
    Panic,
    /// Submits another task to its own executor and waits for it.
    Nest,
    /// The same in a scope, which may panic.
    NestScope,
    /// The same with a map.
    NestMap,
}

/// The inside of a closure or future.
pub(crate) struct Task {
    pub(crate) mark: Mark,
    pool: &'static Pool,
    deed: Deed,
    /// When it was made, in ticks of the host's clock.
    born: u64,
}

/// The value of a task, or the payload of its panic.
pub(crate) struct Value {
    pub(crate) mark: Mark,
    /// From the making of the task to its start.
    pub(crate) wait: u64,
    /// When the task was made.
    pub(crate) born: u64,
}

impl Task {
    /// `None`: the ledger is full, and the life should end.
    pub(crate) fn new(pool: &'static Pool, deed: Deed) -> Option<Self> {
        Some(Self {
            mark: pool.ledger.identify()?,
            pool,
            deed,
            born: now(),
        })
    }

    /// An item of a map, with a task of its own.
    pub(crate) fn new_item(pool: &'static Pool, deed: Deed) -> Option<Self> {
        let task = Self::new(pool, deed)?;
        task.mark.note(Event::IsItem);
        Some(task)
    }

    /// An item that may have no task of its own. `None` also in a strict life.
    pub(crate) fn new_loose_item(pool: &'static Pool, deed: Deed) -> Option<Self> {
        if pool.is_strict() {
            return None;
        }
        let task = Self::new_item(pool, deed)?;
        task.mark.note(Event::IsLoose);
        Some(task)
    }

    /// The whole task, as a closure.
    pub(crate) fn run(self) -> Value {
        let started = self.start();
        match self.deed {
            Deed::Nest => nest(self.pool),
            Deed::NestScope => nest_scope(self.pool),
            Deed::NestMap => nest_map(self.pool),
            Deed::Nothing | Deed::Spin(_) | Deed::Panic => {}
        }
        self.end(started)
    }

    /// The whole task, as a future that is suspended so many times.
    pub(crate) async fn run_in_parts(self, pauses: u8) -> Value {
        let started = self.start();
        Pause::new(pauses).await;
        if self.deed == Deed::Nest {
            nest_async(self.pool).await;
        }
        self.end(started)
    }

    /// As [`run_in_parts`](Self::run_in_parts), for a future whose output is its outcome.
    pub(crate) async fn run_to_outcome(self, pauses: u8) -> Result<Value, TaskError> {
        Ok(self.run_in_parts(pauses).await)
    }

    pub(crate) fn panics(&self) -> bool {
        self.deed == Deed::Panic
    }

    /// Returns how long it has waited for its start.
    fn start(&self) -> u64 {
        posts::note("runs a task");
        self.mark.note(Event::Started);
        now().saturating_sub(self.born)
    }

    fn end(self, wait: u64) -> Value {
        if let Deed::Spin(rounds) = self.deed {
            for _ in 0..rounds {
                hint::spin_loop();
            }
        }
        posts::note("has run a task");
        let value = Value::new(self.mark, wait, self.born);
        if self.deed == Deed::Panic {
            self.mark.note(Event::Panicked);
            // Unlike `panic!` it calls no hook, which would print a message each time.
            panic::resume_unwind(Box::new(value));
        }
        value
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.mark.note(Event::TaskDropped);
    }
}

impl Value {
    pub(crate) fn new(mark: Mark, wait: u64, born: u64) -> Self {
        mark.note(Event::ValueMade);
        Self { mark, wait, born }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.mark.note(Event::ValueDropped);
    }
}

/// The host's clock, which ticks in nanoseconds.
pub(crate) fn now() -> u64 {
    const { assert!(StdHost::TICKS_PER_SECOND == 1_000_000_000) };
    StdHost::now()
}

/// Notes what the executor said to a task.
pub(crate) fn note_submitted<T, E>(mark: Mark, submitted: Result<T, E>) -> Option<T> {
    let event = if submitted.is_ok() {
        Event::Accepted
    } else {
        Event::Refused
    };
    mark.note(event);
    submitted.ok()
}

/// Notes the outcome that a handle gave.
pub(crate) fn note_outcome(mark: Mark, outcome: &Result<Value, TaskError>) {
    match outcome {
        Ok(value) if value.mark.index == mark.index => mark.note_again(Event::SawValue),
        Ok(value) => crate::faults::report(&format_args!(
            "the handle of task {} of `{}` gave the value of task {}",
            mark.index, mark.ledger.name, value.mark.index
        )),
        Err(error) => note_error(mark, error),
    }
}

/// Notes why a handle gave no value. The error of a wait says nothing of the task.
pub(crate) fn note_error(mark: Mark, error: &TaskError) {
    match error {
        TaskError::Cancelled => mark.note_again(Event::SawCancelled),
        TaskError::Panicked(_) => mark.note_again(Event::SawPanic),
        TaskError::Broken => mark.note_again(Event::SawBroken),
        _ => {}
    }
}

/// A task submits to its own executor and waits, with no slot held but its own.
fn nest(pool: &'static Pool) {
    let Some(inner) = Task::new(pool, Deed::Nothing) else {
        return;
    };
    let mark = inner.mark;
    if let Some(handle) = note_submitted(mark, pool.submitter().submit(|| inner.run())) {
        note_outcome(mark, &handle.result());
    }
}

async fn nest_async(pool: &'static Pool) {
    let Some(inner) = Task::new(pool, Deed::Nothing) else {
        return;
    };
    let mark = inner.mark;
    if let Some(handle) = note_submitted(mark, pool.submitter().submit(|| inner.run())) {
        note_outcome(mark, &handle.await);
    }
}

fn nest_scope(pool: &'static Pool) {
    let Some(inner) = Task::new(pool, Deed::Nothing) else {
        return;
    };
    let mark = inner.mark;
    pool.submitter().scope::<1, _>(|s| {
        if let Some(handle) = note_submitted(mark, s.submit(|| inner.run())) {
            handle.detach();
        }
    });
}

fn nest_map(pool: &'static Pool) {
    let items = (0..3).map_while(|_| Task::new_loose_item(pool, Deed::Nothing));
    let results = pool.submitter().map::<2, _, _, _>(items, Task::run);
    results.for_each(drop);
}
