//! Takes results as the tasks end, in any order of submission: `cargo run --example as_completed`.

use core::time::Duration;
use std::sync::mpsc;

use slotted::{Executor, StdThreads, as_completed, as_completed_timeout};

fn main() {
    // One executor for each kind of work. One call waits for the handles of both.
    let small: Executor<2, 4> = Executor::new();
    let large: Executor<1, 2, 256> = Executor::new();
    let threads = StdThreads::new();

    small
        .run(&threads, |small| {
            large.run(&threads, |large| {
                // Each task waits for the one after it, so they end in the reverse order.
                let (end_first, first_may_end) = mpsc::channel();
                let (end_second, second_may_end) = mpsc::channel();
                let handles = [
                    small
                        .submit(move || first_may_end.recv().map(|()| "first").unwrap_or("?"))
                        .expect("a slot"),
                    large
                        .submit(move || {
                            second_may_end.recv().expect("main sends");
                            "second"
                        })
                        .expect("a slot"),
                    small.submit(|| "third").expect("a slot"),
                ];

                let mut order = Vec::new();
                for done in as_completed(handles) {
                    let name = done.result().expect("a name");
                    println!("{name} is done");
                    match name {
                        "third" => end_second.send(()).expect("the second waits"),
                        "second" => end_first.send(()).expect("the first waits"),
                        _ => {}
                    }
                    order.push(name);
                }
                assert_eq!(order, ["third", "second", "first"]);

                // The timeout counts from the call. It returns the unfinished handles.
                let (never, gate) = mpsc::channel::<()>();
                let stuck = small.submit(move || gate.recv().is_ok()).expect("a slot");
                let timeout = as_completed_timeout([stuck], Duration::from_millis(20))
                    .next()
                    .expect("an item");
                let timeout = timeout.expect_err("the gate stays closed");
                println!("{timeout}");
                assert_eq!((timeout.unfinished(), timeout.total()), (1, 1));
                drop(never);
            })
        })
        .expect("two threads")
        .expect("one thread");
}
