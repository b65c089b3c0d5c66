//! How a host lends threads.
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
mod std;

#[cfg(feature = "std")]
pub use self::std::StdThreads;

use crate::host::Park;
use crate::worker::Worker;

/// Starts workers on whatever the host has: OS threads, RTOS tasks, other cores, a super-loop.
///
/// A right implementation hands the worker to a thread that calls [`Worker::run`]:
///
/// ```
/// use slotted::{Executor, Shutdown, Spawn, StdHost, Worker};
///
/// struct Threads;
///
/// impl Spawn<StdHost> for Threads {
///     type Error = std::io::Error;
///     fn spawn(&self, worker: Worker<'static, StdHost>) -> Result<(), Self::Error> {
///         std::thread::Builder::new().spawn(|| worker.run()).map(drop)
///     }
/// }
///
/// static EXECUTOR: Executor<2, 8> = Executor::new();
/// EXECUTOR.start(&Threads).unwrap();
/// assert_eq!(EXECUTOR.submit(|| 6 * 7).unwrap().result(), Ok(42));
/// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
/// ```
///
/// Wrong ones corrupt nothing. One calls `worker.run()` itself: `start` then never returns. Another
/// drops the worker: the executor has a worker less. A third forgets it: the executor never
/// finishes shutting down.
#[diagnostic::on_unimplemented(
    message = "`{Self}` lends no threads to executors of the host `{H}`",
    label = "this does not start workers of that host",
    note = "std threads are `StdThreads`; a board implements `Spawn` for its own host"
)]
pub trait Spawn<H: Park> {
    /// Why the host could not start a worker.
    type Error;

    /// Starts one worker. Its number is [`Worker::index`].
    ///
    /// # Errors
    ///
    /// If the host has no thread for it. `start` then stops the workers that have started and
    /// returns the error to its caller.
    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), Self::Error>;
}
