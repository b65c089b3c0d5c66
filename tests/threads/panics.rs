//! Panics of everything foreign: tasks, hosts, hooks, wakers, iterators, destructors.
//!
//! Each panic reaches the caller that asked for it, or no caller. The executor and its workers live
//! on, no slot is lost, and no value is dropped twice.

mod callers;
mod destructors;
mod hosts;
mod parks;
mod wakers;

use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;

use slotted::{Executor, ReturnWhen, Stats, TaskError, wait};

use crate::stage::raise;

/// Runs `work`, and returns its value or its panic.
fn caught<R>(work: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(work))
}

/// The message that `work` panics with.
#[track_caller]
fn message_of<R>(work: impl FnOnce() -> R) -> &'static str {
    let Err(payload) = caught(work) else {
        panic!("no panic")
    };
    *payload.downcast::<&'static str>().expect("a message")
}

/// The message that a task panicked with.
#[track_caller]
fn panic_of<T>(outcome: Result<T, TaskError>) -> String {
    match outcome {
        Err(TaskError::Panicked(panic)) => panic.message().expect("a message").to_owned(),
        Err(other) => panic!("not a panic: {other}"),
        Ok(_) => panic!("not an error"),
    }
}

/// The figures that count panics, and those that a panic must not change.
fn panics_and_slots(stats: Stats) -> [usize; 4] {
    [
        stats.panicked,
        stats.callbacks_panicked,
        stats.slots_in_use,
        stats.running,
    ]
}

/// Panics on drop, and counts its drops.
#[derive(Debug)]
struct PanicsOnDrop(Arc<AtomicUsize>);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        raise("dropped");
    }
}

/// Makes values that panic on drop, and counts their drops.
#[derive(Debug, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn panicking(&self) -> PanicsOnDrop {
        PanicsOnDrop(self.0.clone())
    }

    /// How many of the values were dropped since the last call.
    fn dropped(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A panic payload that panics on drop, with another one of its kind.
struct ChainedPanic;

impl Drop for ChainedPanic {
    fn drop(&mut self) {
        resume_unwind(Box::new(ChainedPanic));
    }
}

/// Checks that all four slots can be used, waited for, and used again.
#[track_caller]
fn assert_sound(executor: &Executor<0, 4>) {
    executor.run_until_idle();
    for _ in 0..3 {
        let mut handles = [0, 1, 2, 3].map(|number| executor.submit(move || number).unwrap());
        assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 4);
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [0, 1, 2, 3]);
    }
    assert_eq!(executor.stats().slots_in_use, 0);
}
