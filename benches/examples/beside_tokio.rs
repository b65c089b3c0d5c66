//! slotted beside tokio: `cargo run -p slotted-benches --example beside_tokio`.
//!
//! The page *Beside tokio* of the documentation quotes it.

use std::error::Error;
use std::time::Duration;

use futures::StreamExt;
use slotted::{Executor, Refusal, Shutdown, StdThreads, TaskError, as_completed};

static POOL: Executor<4, 64> = Executor::new();

async fn checksum(bytes: Vec<u8>) -> Option<u32> {
    let job = POOL
        .submit(move || bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>())
        .ok()?;
    // If the time is up first, the dropped handle cancels the job, unless it has started.
    tokio::time::timeout(Duration::from_secs(1), job.cancel_on_drop())
        .await
        .ok()?
        .ok()
}

async fn square(n: u64) -> Result<Result<u64, TaskError>, Refusal> {
    let permit = POOL.reserve_async().await?;
    Ok(permit.submit(move || n * n)?.await)
}

async fn total() -> Result<u64, Refusal> {
    let handles = [POOL.submit(|| 1)?, POOL.submit(|| 2)?, POOL.submit(|| 3)?];
    let mut completed = as_completed(handles).stream();
    let mut total = 0;
    while let Some(mut handle) = completed.next().await {
        total += handle.try_result().and_then(Result::ok).unwrap_or(0);
    }
    Ok(total)
}

/// A task of slotted that awaits tokio's timer.
fn nap(runtime: &tokio::runtime::Runtime) -> Result<(), Box<dyn Error>> {
    let sleep = {
        let _context = runtime.enter();
        Box::pin(tokio::time::sleep(Duration::from_millis(10)))
    };
    POOL.submit_future(sleep)?.result()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    POOL.start(&StdThreads::new())?;

    let checksum = runtime.block_on(runtime.spawn(checksum(vec![1, 2, 3])))?;
    let square = runtime.block_on(runtime.spawn(square(7)))??;
    let total = runtime.block_on(total())?;
    println!("checksum {checksum:?}, square {square:?}, total {total}");
    assert_eq!((checksum, square, total), (Some(6), Ok(49), 6));
    nap(&runtime)?;

    runtime.block_on(POOL.shutdown_async(Shutdown::Drain))?;
    Ok(())
}
