//! What tasks and callbacks tell a player, and the gates that hold tasks back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use slotted::TaskError;

/// What a task does. Its value, or the number in its error, is its own number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) task: u32,
    pub(crate) fails: bool,
    /// The process that runs it ends.
    pub(crate) dies: bool,
    pub(crate) gate: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Told {
    begun: BTreeSet<u32>,
    open: BTreeSet<u32>,
    /// How many callbacks of each task have run.
    called: BTreeMap<u32, u32>,
    events: Vec<String>,
    is_over: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Board {
    told: Mutex<Told>,
    changed: Condvar,
}

/// Panics as a task of a program does: with a message, and without noise on stderr.
pub(crate) fn fail(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

/// An outcome, in the words of both players.
pub(crate) fn say(outcome: Result<u32, &TaskError>) -> String {
    match outcome {
        Ok(value) => format!("value {value}"),
        Err(TaskError::Cancelled) => "cancelled".to_owned(),
        Err(TaskError::TimedOut) => "timeout".to_owned(),
        Err(TaskError::AlreadyTaken) => "taken".to_owned(),
        Err(TaskError::Broken) => "error broken".to_owned(),
        Err(TaskError::Panicked(panic)) => {
            let message = panic.message().unwrap_or("nothing");
            // A worker process adds the place.
            format!("error {}", message.split(" (").next().unwrap_or_default())
        }
        Err(other) => format!("error {other:?}"),
    }
}

/// What `error` returns, in the words of both players.
pub(crate) fn say_error(error: Option<&TaskError>) -> String {
    error.map_or("none".to_owned(), |error| say(Err(error)))
}

/// The number of the task in an event.
fn task_of(event: &str) -> u32 {
    let number = event.split([' ', '.']).nth(1).unwrap_or_default();
    number.parse().expect("an event names its task")
}

impl Board {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.changed.notify_all();
    }

    fn wait_until(&self, is_so: impl Fn(&Told) -> bool) {
        let waited = self.changed.wait_while(self.told(), |told| !is_so(told));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// The body of a task.
    pub(crate) fn run(&self, job: Job) -> u32 {
        self.change(|told| told.events.push(format!("ran {}", job.task)));
        self.wait_for_gate(job.task, job.gate);
        if job.fails {
            fail(format!("boom {}", job.task));
        }
        job.task
    }

    /// Tells that something has begun, and waits at a gate, if there is one.
    pub(crate) fn wait_for_gate(&self, begun: u32, gate: Option<u32>) {
        self.change(|told| told.begun.extend([begun]));
        if let Some(gate) = gate {
            self.wait_until(|told| told.is_over || told.open.contains(&gate));
        }
    }

    pub(crate) fn await_begun(&self, task: u32) {
        self.wait_until(|told| told.begun.contains(&task));
    }

    pub(crate) fn open(&self, gate: u32) {
        self.change(|told| told.open.extend([gate]));
    }

    /// Opens all gates.
    pub(crate) fn end(&self) {
        self.change(|told| told.is_over = true);
    }

    /// The body of a callback, but for what it raises.
    pub(crate) fn called(&self, task: u32, number: u32, outcome: &str) {
        self.change(|told| {
            told.events
                .push(format!("called {task}.{number} {outcome}"));
            *told.called.entry(task).or_default() += 1;
        });
    }

    pub(crate) fn await_called(&self, task: u32, times: u32) {
        self.wait_until(|told| told.called.get(&task).copied().unwrap_or_default() >= times);
    }

    /// The events since the last call. Sorted, those of one task keep their order.
    pub(crate) fn events(&self, order: &str) -> String {
        let mut events = core::mem::take(&mut self.told().events);
        if order == "sorted" {
            events.sort_by_key(|event| task_of(event));
        }
        if events.is_empty() {
            return "-".to_owned();
        }
        events.join("; ")
    }
}
