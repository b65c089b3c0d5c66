//! The hooks of workers, which fail where a program says so.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::resume_unwind;
use std::sync::Arc;

use slotted::error::WorkerStartError;

use crate::program::HookFault;
use crate::tasks::Expected;

/// How often the hooks of a program's workers were called. No steps of a schedule.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    starts: AtomicUsize,
    exits: AtomicUsize,
}

impl Calls {
    /// Checks that each worker that came has left, when no thread is left.
    pub(crate) fn check(&self) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (starts, exits) = (count(&self.starts), count(&self.exits));
        assert_eq!(
            starts, exits,
            "hooks that a worker called when it came and left"
        );
    }
}

/// What the hooks of a thread's worker do.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    fault: Option<HookFault>,
    calls: Arc<Calls>,
}

#[cfg(not(shuttle))]
std::thread_local! {
    static HOOKS: RefCell<Option<Hooks>> = const { RefCell::new(None) };
}

#[cfg(shuttle)]
shuttle::thread_local! {
    static HOOKS: RefCell<Option<Hooks>> = RefCell::new(None);
}

impl Hooks {
    pub(crate) fn new(fault: Option<HookFault>, calls: Arc<Calls>) -> Self {
        Self { fault, calls }
    }

    /// From now on the hooks of the calling thread's worker do this.
    pub(crate) fn set(self) {
        HOOKS.with(|hooks| *hooks.borrow_mut() = Some(self));
    }

    fn of_thread() -> Self {
        let hooks = HOOKS.with(|hooks| hooks.borrow().clone());
        hooks.expect("a worker comes and leaves in a thread of the crew")
    }
}

pub(crate) fn on_start(_worker: usize) -> Result<(), WorkerStartError> {
    let hooks = Hooks::of_thread();
    hooks.calls.starts.fetch_add(1, Ordering::Relaxed);
    match hooks.fault {
        Some(HookFault::StartFails) => Err(WorkerStartError),
        Some(HookFault::StartPanics) => resume_unwind(Box::new(Expected)),
        Some(HookFault::ExitPanics) | None => Ok(()),
    }
}

pub(crate) fn on_exit(_worker: usize) {
    let hooks = Hooks::of_thread();
    hooks.calls.exits.fetch_add(1, Ordering::Relaxed);
    if hooks.fault == Some(HookFault::ExitPanics) {
        resume_unwind(Box::new(Expected));
    }
}
