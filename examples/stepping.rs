//! Decide in a test what runs when: `cargo run --example stepping`.
//!
//! With `WORKERS = 0` nothing runs until somebody says so, and then in the order of submission. The
//! code under test only sees an executor; that nobody else runs its tasks makes every interleaving
//! a plain sequence of calls.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{Executor, TaskState};

static SAVED: AtomicUsize = AtomicUsize::new(0);

/// The code under test: saves at most once at a time.
#[derive(Default)]
struct Autosave<'e> {
    pending: RefCell<Option<slotted::JoinHandle<'e, ()>>>,
}

impl<'e> Autosave<'e> {
    fn text_changed<const W: usize, const Q: usize>(&self, executor: &'e Executor<W, Q>) {
        let mut pending = self.pending.borrow_mut();
        if pending.as_ref().is_none_or(|save| save.done()) {
            let save = executor
                .submit(|| _ = SAVED.fetch_add(1, Ordering::Relaxed))
                .expect("a slot is free");
            *pending = Some(save);
        }
    }
}

fn main() {
    let executor: Executor<0, 4> = Executor::new();
    let autosave = Autosave::default();

    // Two changes before the save could run: one save.
    autosave.text_changed(&executor);
    autosave.text_changed(&executor);
    assert_eq!(executor.stats().queued, 1);
    assert!(executor.run_one());
    assert!(!executor.run_one(), "nothing else was submitted");
    println!(
        "two quick changes: saved {} time",
        SAVED.load(Ordering::Relaxed)
    );
    assert_eq!(SAVED.load(Ordering::Relaxed), 1);

    // A change after the save ended: another save.
    autosave.text_changed(&executor);
    assert_eq!(executor.run_until_idle(), 1);
    println!(
        "a later change: saved {} times",
        SAVED.load(Ordering::Relaxed)
    );
    assert_eq!(SAVED.load(Ordering::Relaxed), 2);

    // A cancel that comes before the start, for certain.
    let task = executor
        .submit(|| unreachable!("it never starts"))
        .expect("a slot is free");
    assert_eq!(task.canceller().state(), TaskState::Pending);
    assert!(task.cancel());
    assert_eq!(executor.run_until_idle(), 0);
    println!("cancelled before it started: {}", task.cancelled());
}
