//! Decides in a test which task runs when: `cargo run --example stepping`.
//!
//! With `WORKERS = 0` tasks run only when the test calls for it, in the order of submission. The
//! code under test sees only an executor. No other thread runs its tasks, so every interleaving is
//! a plain sequence of calls.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};

use slotted::{Executor, TaskState};

static SAVED: AtomicUsize = AtomicUsize::new(0);

/// The code under test. It never saves twice at the same time.
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

    // Two changes before the save runs need one save.
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

    // A change after the end of the save needs another save.
    autosave.text_changed(&executor);
    assert_eq!(executor.run_until_idle(), 1);
    println!(
        "a later change: saved {} times",
        SAVED.load(Ordering::Relaxed)
    );
    assert_eq!(SAVED.load(Ordering::Relaxed), 2);

    // The cancel surely comes before the start.
    let task = executor
        .submit(|| unreachable!("it never starts"))
        .expect("a slot is free");
    assert_eq!(task.canceller().state(), TaskState::Pending);
    assert!(task.cancel());
    assert_eq!(executor.run_until_idle(), 0);
    println!("cancelled before it started: {}", task.cancelled());
}
