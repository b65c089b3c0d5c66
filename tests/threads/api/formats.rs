//! `Debug` of types that hold tasks: it names them, and tells what is safe to tell. What a task
//! captures or yields need not be `Debug`.

use core::fmt::Debug;

use slotted::{Executor, as_completed};

/// Not `Debug`.
struct Opaque;

fn named(name: &str, what: &impl Debug) {
    let said = format!("{what:?}");
    assert!(said.starts_with(name), "{said}");
}

#[test]
fn debug_names_the_type_and_asks_nothing_of_the_tasks() {
    static POOL: Executor<0, 8> = Executor::new();
    named("Executor", &POOL);
    named("Submitter", &POOL.submitter());
    named("Permit", &POOL.reserve().unwrap());
    let (promise, over) = POOL.promise::<Opaque>().unwrap();
    named("Promise", &promise);
    named("JoinHandle", &over);
    named("Canceller", &over.canceller());
    named("AsCompleted", &as_completed([over]));
    let opaque = Opaque;
    let task = POOL.submit(move || opaque).unwrap();
    named("JoinHandle", &task);
    named("CancelOnDrop", &task.cancel_on_drop());
    named("Map", &POOL.map(0..2, |_| Opaque));
    named("Chunked", &POOL.map(0..2, |_| Opaque).chunksize::<2>());
}
