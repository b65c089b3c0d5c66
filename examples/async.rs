//! Runs async tasks on the workers and awaits handles: `cargo run --example async`.

use slotted::{Executor, Shutdown, StdThreads};

/// A future stays in its slot and never moves, so only a `'static` executor takes it.
static POOL: Executor<2, 16, 256> = Executor::new();

/// An async task awaits a closure task. While it waits, its worker is free.
async fn area(width: u32, height: u32) -> u32 {
    let product = POOL.submit(move || width * height).expect("a slot");
    product.await.expect("it does not panic")
}

fn main() {
    POOL.start(&StdThreads::new()).expect("two threads");

    // An async task that awaits two others in turn.
    let rooms = POOL
        .submit_future(async { area(3, 4).await + area(5, 6).await })
        .expect("a slot");

    // An async task awaits a value from outside. While it waits, its worker is free.
    let (measured, reading) = POOL.promise::<u32>().expect("a slot");
    let hall = POOL
        .submit_future(async move { reading.await.map_or(0, |side| side * side) })
        .expect("a slot");
    measured.set_result(10).expect("the first value");

    // The other direction: a thread without async code blocks in `result`.
    let (rooms, hall) = (
        rooms.result().expect("an area"),
        hall.result().expect("an area"),
    );
    println!("rooms {rooms}, hall {hall}");
    assert_eq!((rooms, hall), (42, 100));

    // A suspended task without a waker keeps the executor from shutting down. `Cancel` drops its
    // future.
    let resting = POOL
        .submit_future(core::future::pending::<()>())
        .expect("a slot");
    POOL.shutdown(Shutdown::Cancel)
        .expect("not called by a worker");
    println!(
        "the task without a waker: {}",
        resting.result().expect_err("it was cancelled")
    );
    assert_eq!(POOL.stats().cancelled, 1);
}
