//! What the workloads ask of a peer.

use core::future::Future;
use std::sync::Arc;

use crate::work::work;

/// Threads that each peer has. The submitter is one more.
pub const WORKERS: usize = 2;

/// Takes closures and returns their results.
pub trait Pool: Sized + Send + Sync + 'static {
    type Handle<T: Send + 'static>: Send;

    fn start() -> Self;

    /// Runs the submitter's code: some peers must know the threads that call them.
    fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T;

    /// Runs all tasks and visits their results in the order of completion.
    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static;

    /// `output[i] = work(input[i])`. A pool without borrowing tasks shares the input and returns
    /// chunks.
    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], chunk: usize) {
        let handles: Vec<_> = (0..input.len())
            .step_by(chunk)
            .map(|from| {
                let input = Arc::clone(input);
                self.submit(move || {
                    let to = input.len().min(from + chunk);
                    input[from..to]
                        .iter()
                        .map(|&item| work(item))
                        .collect::<Vec<u64>>()
                })
            })
            .collect();
        for (place, handle) in output.chunks_mut(chunk).zip(handles) {
            place.copy_from_slice(&self.result(handle));
        }
    }
}

/// Tasks that wait for tasks.
pub trait ForkJoin: Pool {
    /// Forks down to [`CUTOFF`](crate::workload::CUTOFF), in the pool.
    fn fibonacci(&self, n: u64) -> u64;
}

/// Tasks that can be cancelled.
pub trait Cancel: Pool {
    /// Cancels a task that is still pending.
    fn cancel(&self, handle: Self::Handle<()>);
}

/// Async tasks.
pub trait Polls: Pool {
    fn spawn<F>(&self, future: F) -> Self::Handle<u64>
    where
        F: Future<Output = u64> + Send + 'static;
}
