//! Points at which a play panics, and the values that it counts.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// In whose code a point lies. It decides where a panic there lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Within {
    /// The crate called it beside a task: a destructor, a waker. The panic is contained.
    Library,
    /// In a task: the task ends as panicked.
    Task,
    /// In a callback: the figures count it.
    Callback,
    /// In the start hook of a worker: the life breaks.
    StartHook,
    /// Code that the caller runs, or has the crate run for it: the panic reaches the caller.
    Caller,
}

std::thread_local! {
    static WITHIN: Cell<Within> = const { Cell::new(Within::Library) };
}

/// Runs `work` as code of that kind.
pub(crate) fn within<R>(kind: Within, work: impl FnOnce() -> R) -> R {
    struct Back(Within);
    impl Drop for Back {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }
    let _back = Back(WITHIN.replace(kind));
    work()
}

/// Drops a value as the caller's code.
pub(crate) fn drop_here<T>(value: T) {
    within(Within::Caller, || drop(value));
}

/// At which points a play panics, counted from 0. The second counts from the first on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) first: Option<usize>,
    pub(crate) second: Option<usize>,
}

/// A point that panicked.
pub(crate) type Hit = (&'static str, Within);

/// The name of what a point throws.
pub(crate) const PAYLOAD: &str = "payload";

/// The points and the values of one play.
#[derive(Debug)]
pub(crate) struct Points {
    plan: Plan,
    passed: AtomicUsize,
    hits: Mutex<Vec<Hit>>,
    /// The name of each value, and how often it was dropped.
    values: Mutex<Vec<(&'static str, usize)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Points {
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self {
            plan,
            passed: AtomicUsize::new(0),
            hits: Mutex::default(),
            values: Mutex::default(),
        })
    }

    /// A value that is counted. Its destructor is a point.
    pub(crate) fn value(self: &Arc<Self>, name: &'static str) -> Value {
        let mut values = lock(&self.values);
        values.push((name, 0));
        Value {
            points: self.clone(),
            number: values.len() - 1,
            name,
        }
    }

    /// Code that is not the crate's runs here. Panics if the plan says so, unless the thread panics
    /// already: that would abort the process.
    pub(crate) fn pass(self: &Arc<Self>, name: &'static str) {
        let number = self.passed.fetch_add(1, Ordering::Relaxed);
        let Some(first) = self.plan.first else { return };
        if thread::panicking() {
            return;
        }
        let mut hits = lock(&self.hits);
        let aim = match (hits.len(), self.plan.second) {
            (0, _) => first,
            (1, Some(second)) => first + 1 + second,
            _ => return,
        };
        if number == aim {
            hits.push((name, WITHIN.get()));
            drop(hits);
            resume_unwind(Box::new(self.value(PAYLOAD)));
        }
    }

    /// How many points the play has passed.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        lock(&self.hits).clone()
    }

    /// Returns true if a point within a task has panicked.
    pub(crate) fn hit_a_task(&self) -> bool {
        lock(&self.hits)
            .iter()
            .any(|&(_, within)| within == Within::Task)
    }

    /// How many values of that name are there.
    pub(crate) fn alive(&self, name: &str) -> usize {
        let values = lock(&self.values);
        values
            .iter()
            .filter(|value| value.0 == name && value.1 == 0)
            .count()
    }

    /// The values that were not dropped exactly once.
    pub(crate) fn wrong(&self) -> Vec<(&'static str, usize)> {
        let values = lock(&self.values);
        values
            .iter()
            .copied()
            .filter(|value| value.1 != 1)
            .collect()
    }
}

/// A counted value. It has neither `Debug` nor `PartialEq`, `Ord`, `Clone` or `Default`: so the
/// crate calls none of them on what a user gives it.
pub(crate) struct Value {
    points: Arc<Points>,
    number: usize,
    name: &'static str,
}

impl Value {
    pub(crate) fn points(&self) -> &Arc<Points> {
        &self.points
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        lock(&self.points.values)[self.number].1 += 1;
        self.points.pass(self.name);
    }
}
