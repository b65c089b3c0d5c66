//! Adds callbacks, which run when a task has ended: `cargo run --example callbacks`.

use std::sync::mpsc;

use slotted::{Executor, StdThreads};

fn main() {
    let executor: Executor<1, 8> = Executor::new();
    let (log, lines) = mpsc::channel();

    executor
        .run(&StdThreads::new(), |pool| {
            // The task waits at the gate, so it ends after the callbacks are added.
            let (open, gate) = mpsc::channel::<()>();
            let task = pool
                .submit(move || gate.recv().map_or(0, |()| 20 + 1))
                .expect("a slot");

            // The completer calls them in the order of adding, and lends them the value.
            for name in ["first", "second"] {
                let log = log.clone();
                task.add_done_callback(move |outcome| {
                    let value = *outcome.expect("the task does not fail");
                    log.send(format!("{name}: {value}")).expect("main listens");
                })
                .expect("a slot for the callback");
            }
            open.send(()).expect("the task waits");

            // The waiter takes the value after the callbacks have run.
            assert_eq!(task.error().map(ToString::to_string), None);
            let seen: Vec<String> = lines.try_iter().collect();
            println!("{}", seen.join(", "));
            assert_eq!(seen, ["first: 21", "second: 21"]);

            // The task is done, so the adding thread runs the callback at once.
            let adder = std::thread::current().id();
            let added = log.clone();
            task.add_done_callback(move |_| {
                let here = std::thread::current().id() == adder;
                added
                    .send(format!("late: in the adding thread: {here}"))
                    .expect("main listens");
            })
            .expect("a slot for the callback");
            let late = lines.try_recv().expect("it was called");
            println!("{late}");
            assert_eq!(late, "late: in the adding thread: true");
            assert_eq!(task.result().expect("a value"), 21);
        })
        .expect("one thread");
}
