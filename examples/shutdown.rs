//! Shuts down gracefully, shuts down at once, and starts again: `cargo run --example shutdown`.

use core::time::Duration;
use std::sync::mpsc;

use slotted::{Executor, Refusal, Shutdown, ShutdownError, StdThreads};

static POOL: Executor<1, 8> = Executor::new();

fn main() {
    let threads = StdThreads::new();

    // Graceful: the workers run the accepted tasks, and the executor refuses later ones.
    POOL.start(&threads).expect("one thread");
    let accepted: Vec<_> = (0..4)
        .map(|n| POOL.submit(move || n).expect("a slot"))
        .collect();
    POOL.begin_shutdown(Shutdown::Drain);
    let refused = POOL.submit(|| 4).expect_err("it is shutting down");
    println!("a late task: {refused}");
    assert_eq!(refused.reason(), Refusal::ShutDown);
    POOL.shutdown(Shutdown::Drain)
        .expect("not called by a worker");
    let sum: i32 = accepted
        .into_iter()
        .map(|task| task.result().expect("it was run"))
        .sum();
    println!("graceful: every accepted task ran, their sum is {sum}");
    assert_eq!(sum, 6);

    // The same `static` starts again. At once: the executor cancels the pending tasks and waits for
    // the running ones.
    POOL.start(&threads).expect("one thread");
    let (started, has_started) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let running = POOL
        .submit(move || {
            started.send(()).expect("main listens");
            gate.recv().is_ok()
        })
        .expect("a slot");
    has_started.recv().expect("the task runs");
    let pending = POOL
        .submit(|| unreachable!("it never starts"))
        .expect("a slot");

    let waited = POOL.shutdown_timeout(Shutdown::Cancel, Duration::from_millis(20));
    println!(
        "with a task that goes on running: {}",
        waited.expect_err("the gate is closed")
    );
    assert_eq!(waited, Err(ShutdownError::TimedOut));
    assert!(pending.cancelled());

    open.send(()).expect("the task waits");
    POOL.shutdown(Shutdown::Cancel)
        .expect("not called by a worker");
    assert!(running.result().expect("it was not cancelled"));
    println!("{}", POOL.stats());
    assert_eq!((POOL.stats().completed, POOL.stats().cancelled), (5, 1));
}
