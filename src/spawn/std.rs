//! Std threads as workers.

use std::io;
use std::string::String;
use std::thread;

use super::Spawn;
use crate::host::Park;
use crate::worker::Worker;

/// One named std thread for each worker. It serves [`StdHost`](crate::StdHost), and hosts of your
/// own whose threads are std's.
///
/// ```
/// use slotted::{Executor, Shutdown, StdThreads};
///
/// static EXECUTOR: Executor<2, 8> = Executor::new();
/// EXECUTOR.start(&StdThreads::new().prefix("mill").stack_size(64 * 1024)).unwrap();
/// let name = EXECUTOR.submit(|| std::thread::current().name().map(str::len)).unwrap();
/// assert_eq!(name.result(), Ok(Some("mill-0".len())));
/// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct StdThreads {
    prefix: String,
    stack_size: Option<usize>,
}

impl StdThreads {
    /// Threads named `slotted-0`, `slotted-1`, …, with std's default stack.
    ///
    /// ```
    /// # use slotted::{Executor, StdThreads};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let name = || std::thread::current().name().map(str::len);
    /// let length = executor.run(&StdThreads::new(), |pool| pool.submit(name).unwrap().result());
    /// assert_eq!(length.unwrap(), Ok(Some("slotted-0".len())));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            prefix: String::from("slotted"),
            stack_size: None,
        }
    }

    /// Names the threads `prefix-0`, `prefix-1`, ….
    ///
    /// # Python
    ///
    /// `thread_name_prefix`.
    ///
    /// ```
    /// # use slotted::{Executor, StdThreads};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let name = || std::thread::current().name().map(str::len);
    /// let threads = StdThreads::new().prefix("mill");
    /// let length = executor.run(&threads, |pool| pool.submit(name).unwrap().result());
    /// assert_eq!(length.unwrap(), Ok(Some("mill-0".len())));
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Gives each thread a stack of `bytes`.
    ///
    /// ```
    /// # use slotted::{Executor, StdThreads};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let threads = StdThreads::new().stack_size(64 * 1024);
    /// let answer = executor.run(&threads, |pool| pool.submit(|| 6 * 7).unwrap().result());
    /// assert_eq!(answer.unwrap(), Ok(42));
    /// ```
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
}

impl Default for StdThreads {
    fn default() -> Self {
        Self::new()
    }
}

impl StdThreads {
    /// Builds the thread of a worker. The caller starts it.
    pub(crate) fn builder(&self, number: usize) -> thread::Builder {
        let mut builder = thread::Builder::new().name(std::format!("{}-{number}", self.prefix));
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        builder
    }
}

impl<H: Park> Spawn<H> for StdThreads {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, H>) -> io::Result<()> {
        self.builder(worker.index())
            .spawn(|| worker.run())
            .map(drop)
    }
}
