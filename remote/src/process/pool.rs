//! The pool, as submitters see it.

use core::fmt;
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use slotted::error::{ShutdownError, SubmitError};
use slotted::map::map_over;
use slotted::{Executor, JoinHandle, Shutdown};

use super::command::Command;
use super::error::ProcessStartError;
use super::map::PoolMap;
use super::state::State;
use super::worker_process::ProcessStats;
use crate::pool_submit::{self, Terms};
use crate::pool_thread::PoolThread;
use crate::task::{Idempotent, Task};

/// A pool of `PROCS` processes, with room for `QUEUE` calls. Their arguments and results take at
/// most `BYTES` each.
///
/// It lives in a `static`. Calls wait in its slots, and so do their results; nothing is allocated
/// for a call once the pool has started.
///
/// A process that crashes ends the task that it ran, with an error that says how, and nothing else.
/// Another process takes its place.
///
/// # Callbacks and async tasks
///
/// Callbacks, and the wakers of tasks that await a handle, run in the thread that waits for the
/// processes, if no other thread waits for the task. A callback that blocks keeps all results back.
///
/// # Python
///
/// `concurrent.futures.ProcessPoolExecutor`. Each call says where it differs.
///
/// ```standalone_crate
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted::Shutdown;
/// use slotted_remote::process::{Command, Processes, serve};
///
/// static POOL: Processes<2, 64, 512> = Processes::new();
///
/// fn main() {
///     serve::<(Square,)>(); // first line: in a worker process it never returns
///     POOL.start(&Command::current_exe()).unwrap();
///     assert_eq!(POOL.submit(Square(7)).unwrap().result(), Ok(49));
///     let squares = POOL.map((0..500).map(Square));
///     assert_eq!(squares.map(Result::unwrap).sum::<u64>(), 41_541_750);
///     POOL.shutdown(Shutdown::Drain).unwrap();
/// }
/// ```
pub struct Processes<const PROCS: usize, const QUEUE: usize, const BYTES: usize> {
    /// Its futures are the calls.
    pub(super) executor: Executor<0, QUEUE, BYTES>,
    state: Mutex<State<PROCS, QUEUE, BYTES>>,
    /// The pool has started, or has not; or a call of a node has ended.
    pub(super) started: Condvar,
    pub(super) thread: PoolThread,
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Processes<PROCS, QUEUE, BYTES> {
    /// A pool that is not started.
    ///
    /// ```
    /// use slotted_remote::process::Processes;
    ///
    /// /// Four processes, room for 100 calls of at most 1000 bytes each way.
    /// static POOL: Processes<4, 100, 1000> = Processes::new();
    /// assert!(POOL.processes().iter().all(|process| process.pid.is_none()), "not started");
    /// ```
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it lives in a `static`")]
    pub const fn new() -> Self {
        const {
            assert!(
                PROCS > 0 && PROCS < 256,
                "slotted-remote: choose PROCS, the number of processes, from 1 to 255"
            );
            assert!(
                BYTES >= 64 && BYTES <= 65_000,
                "slotted-remote: a frame's length is a number of 16 bits, and a slot holds the \
                 future of a call: choose BYTES from 64 to 65000"
            );
        }
        Self {
            executor: Executor::new(),
            state: Mutex::new(State::new()),
            started: Condvar::new(),
            thread: PoolThread::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<PROCS, QUEUE, BYTES>> {
        // No foreign code runs inside, so nothing panics there half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool has started, or has not: tells the thread that waits for it.
    pub(super) fn tell_starter(&self) {
        self.started.notify_all();
    }

    /// Polls the calls that have ended and that no thread waits for.
    pub(super) fn poll_calls(&'static self) {
        self.executor.run_until_idle();
    }

    /// Starts the processes, and waits until all of them serve.
    ///
    /// # Blocking
    ///
    /// At most [`Command::start_timeout`], and some milliseconds at best.
    ///
    /// # Errors
    ///
    /// See [`ProcessStartError`]. No process is left then.
    ///
    /// # Python
    ///
    /// `ProcessPoolExecutor(max_workers=PROCS)`, which starts processes when they are needed.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Shutdown;
    /// use slotted_remote::process::{Command, ProcessStartError, Processes, serve};
    ///
    /// static POOL: Processes<2, 8, 64> = Processes::new();
    ///
    /// fn main() {
    ///     serve::<(Square,)>();
    ///     let missing = POOL.start(&Command::program("/no/such/worker"));
    ///     assert!(matches!(missing, Err(ProcessStartError::System(_))));
    ///     POOL.start(&Command::current_exe()).unwrap();
    ///     assert!(POOL.processes().iter().all(|process| process.pid.is_some()));
    /// #     POOL.shutdown(Shutdown::Drain).unwrap();
    /// }
    /// ```
    pub fn start(&'static self, command: &Command) -> Result<(), ProcessStartError> {
        self.begin_life(command)
    }

    /// Submits a task.
    ///
    /// # Blocking
    ///
    /// Never. The calling thread encodes the task, and writes it to a process if one is idle.
    ///
    /// # Errors
    ///
    /// The task comes back if `QUEUE` calls or results are there ([`Refusal::Full`]). It also comes
    /// back if the pool is not started or is shut down ([`Refusal::ShutDown`]), or if no process
    /// comes up any more ([`Refusal::Broken`]).
    ///
    /// A task whose argument is larger than `BYTES` is accepted, and its handle ends as
    /// [`TooLarge`](crate::RemoteError::TooLarge).
    ///
    /// # Cancellation
    ///
    /// [`JoinHandle::cancel`] takes a call back that no process has begun. A process that runs it
    /// is killed; or, with [`Command::kill_cancelled(false)`](Command::kill_cancelled), `cancel`
    /// returns false once the call is sent. It also returns false, and cancels nothing, for the
    /// moment in which another thread polls the call: once after the submit, and when it ends. Then
    /// try again.
    ///
    /// # Python
    ///
    /// `submit`, whose queue has no limit and whose running tasks cannot be cancelled.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::{Refusal, Shutdown};
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # static POOL: Processes<1, 1, 64> = Processes::new();
    /// # fn main() {
    /// # serve::<(Square,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// // Room for one call or result.
    /// let seven = POOL.submit(Square(7)).unwrap();
    /// let refused = POOL.submit(Square(8)).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::Full);
    /// assert_eq!(seven.result(), Ok(49));
    /// assert_eq!(POOL.submit(refused.into_inner()).unwrap().result(), Ok(64));
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    ///
    /// [`Refusal::Full`]: slotted::Refusal::Full
    /// [`Refusal::ShutDown`]: slotted::Refusal::ShutDown
    /// [`Refusal::Broken`]: slotted::Refusal::Broken
    pub fn submit<T>(
        &'static self,
        task: T,
    ) -> Result<JoinHandle<'static, T::Output>, SubmitError<T>>
    where
        T: Task<Output: Send + 'static> + 'static,
    {
        pool_submit::submit(self, task, Terms::default())
    }

    /// As [`submit`](Self::submit), with a limit of the task's time, from when a process begins it.
    /// A task that takes longer ends as [`TimeLimit`](crate::RemoteError::TimeLimit), and the pool
    /// kills its process.
    ///
    /// # Python
    ///
    /// There is none: a time limit of `result` leaves the task running.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Slow;
    /// # impl slotted_remote::Task for Slow {
    /// #     const NAME: &str = "slow/1";
    /// #     type Output = ();
    /// #     fn run(self) { std::thread::sleep(std::time::Duration::from_secs(10)) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # use {core::time::Duration, slotted_remote::RemoteError};
    /// # static POOL: Processes<1, 8, 64> = Processes::new();
    /// # fn main() {
    /// # serve::<(Slow,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// let slow = POOL.submit_within(Slow, Duration::from_millis(20)).unwrap();
    /// let error = slow.result().unwrap_err();
    /// assert_eq!(error.remote(), Some(RemoteError::TimeLimit));
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    pub fn submit_within<T>(
        &'static self,
        task: T,
        limit: Duration,
    ) -> Result<JoinHandle<'static, T::Output>, SubmitError<T>>
    where
        T: Task<Output: Send + 'static> + 'static,
    {
        let terms = Terms {
            limit: Some(limit),
            ..Terms::default()
        };
        pool_submit::submit(self, task, terms)
    }

    /// As [`submit`](Self::submit), and runs the task again, up to `retries` times, if its process
    /// crashes or exits under it. Not if it took too much time or memory: it would again.
    ///
    /// # Python
    ///
    /// There is none.
    ///
    /// ```standalone_crate
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # use slotted_remote::{Idempotent, Task};
    /// # static POOL: Processes<1, 8, 512> = Processes::new();
    /// #[derive(serde::Deserialize, serde::Serialize)]
    /// struct Flaky(std::path::PathBuf);
    ///
    /// impl Task for Flaky {
    ///     const NAME: &str = "flaky/1";
    ///     type Output = u8;
    ///     fn run(self) -> u8 {
    ///         if std::fs::File::create_new(self.0).is_ok() {
    ///             std::process::exit(1) // the first time
    ///         }
    ///         42
    ///     }
    /// }
    /// impl Idempotent for Flaky {}
    ///
    /// # fn main() {
    /// # serve::<(Flaky,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let mark = folder.path().join("mark");
    /// // `mark` is the path of a file that is not there yet.
    /// assert_eq!(POOL.submit_retry(Flaky(mark), 1).unwrap().result(), Ok(42));
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    pub fn submit_retry<T>(
        &'static self,
        task: T,
        retries: u32,
    ) -> Result<JoinHandle<'static, T::Output>, SubmitError<T>>
    where
        T: Idempotent<Output: Send + 'static> + 'static,
    {
        let terms = Terms {
            retries,
            ..Terms::default()
        };
        pool_submit::submit(self, task, terms)
    }

    /// The results of many tasks, in the order of the tasks, as slotted's own iterator: with
    /// `timeout`, `buffersize`, `unordered` and `detach`.
    ///
    /// Lazy: at most `QUEUE` tasks are in flight, and the input is read as they end.
    ///
    /// # Python
    ///
    /// `map`. The items of a chunk, [`chunksize::<N>()`][chunks], are one call: their
    /// arguments take at most `BYTES` together, and so do their results, also as values in memory.
    /// What ends that call ends each of its items, with the same error.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # static POOL: Processes<1, 8, 512> = Processes::new();
    /// # fn main() {
    /// # serve::<(Square,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// let squares = POOL.map((1..=100).map(Square)).chunksize::<10>(); // ten calls
    /// assert_eq!(squares.map(Result::unwrap).sum::<u64>(), 338_350);
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    ///
    /// [chunks]: slotted::map::Map::chunksize
    pub fn map<I, T>(&'static self, tasks: I) -> PoolMap<PROCS, QUEUE, BYTES, I::IntoIter, T>
    where
        I: IntoIterator<Item = T>,
        T: Task<Output: Send + 'static> + 'static,
    {
        map_over(self, tasks, ())
    }

    /// Kills all processes. The tasks that run end as [`Crashed`](crate::RemoteError::Crashed), and
    /// the pool goes on with others.
    ///
    /// # Python
    ///
    /// `kill_workers`, which ends the pool.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Slow;
    /// # impl slotted_remote::Task for Slow {
    /// #     const NAME: &str = "slow/1";
    /// #     type Output = ();
    /// #     fn run(self) { std::thread::sleep(std::time::Duration::from_secs(10)) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # use slotted_remote::RemoteError;
    /// # static POOL: Processes<1, 8, 64> = Processes::new();
    /// # fn main() {
    /// # serve::<(Slow,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// let slow = POOL.submit(Slow).unwrap();
    /// POOL.kill_all();
    /// let error = slow.result().unwrap_err();
    /// assert_eq!(error.remote(), Some(RemoteError::Crashed { signal: 9 }));
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    pub fn kill_all(&self) {
        self.lock().kill_all();
    }

    /// What the processes have done, one figure for each place.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Exit(i32);
    /// # impl slotted_remote::Task for Exit {
    /// #     const NAME: &str = "exit/1";
    /// #     type Output = ();
    /// #     fn run(self) { std::process::exit(self.0) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # use slotted_remote::RemoteError;
    /// # static POOL: Processes<1, 8, 64> = Processes::new();
    /// # fn main() {
    /// # serve::<(Exit,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// POOL.submit(Exit(3)).unwrap().wait();
    /// let [process] = POOL.processes();
    /// assert_eq!(process.last_error, Some(RemoteError::Exited { code: 3 }));
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// # }
    /// ```
    pub fn processes(&self) -> [ProcessStats; PROCS] {
        self.lock().stats()
    }

    /// What the pool's slots hold, and how many tasks came and went.
    ///
    /// ```
    /// # use slotted_remote::process::Processes;
    /// static POOL: Processes<2, 8, 64> = Processes::new();
    ///
    /// let stats = POOL.stats();
    /// assert_eq!((stats.slots_in_use, stats.completed, stats.refused), (0, 0, 0)); // so far
    /// ```
    pub fn stats(&self) -> slotted::Stats {
        self.executor.stats()
    }

    /// Ends the pool: it takes no task any more, waits for those that are left, and ends the
    /// processes. Another `start` begins anew.
    ///
    /// `Drain` runs all tasks that were accepted. `Cancel` cancels those that were not sent to a
    /// process yet. `Stop` also kills the processes that have one.
    ///
    /// # Blocking
    ///
    /// Until the tasks have ended, and then until the processes have left: at most
    /// [`Command::grace`]. Not to be called in a callback of a task of the pool: the shutdown waits
    /// for that task. In the pool's own thread that is an error, elsewhere it never returns.
    ///
    /// # Errors
    ///
    /// [`WouldDeadlock`](ShutdownError::WouldDeadlock) in the thread that waits for the processes,
    /// or in a thread that shuts this pool down already.
    ///
    /// # Python
    ///
    /// `shutdown(cancel_futures=…)`.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use slotted_remote::process::{Command, Processes, serve};
    /// # static POOL: Processes<1, 8, 64> = Processes::new();
    /// # fn main() {
    /// # serve::<(Square,)>();
    /// # POOL.start(&Command::current_exe()).unwrap();
    /// let square = POOL.submit(Square(7)).unwrap();
    /// POOL.shutdown(Shutdown::Drain).unwrap();
    /// assert_eq!(square.result(), Ok(49), "accepted before");
    /// assert!(POOL.submit(Square(8)).is_err());
    /// # }
    /// ```
    pub fn shutdown(&'static self, how: Shutdown) -> Result<(), ShutdownError> {
        self.end_life(how)
    }

    /// Starts the pool, calls `work`, and shuts the pool down, also if `work` panics.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Python
    ///
    /// The `with` block.
    ///
    /// ```standalone_crate
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted_remote::process::{Command, Processes, serve};
    ///
    /// static POOL: Processes<1, 8, 64> = Processes::new();
    ///
    /// fn main() {
    ///     serve::<(Square,)>();
    ///     let square = POOL.run(&Command::current_exe(), |pool| {
    ///         pool.submit(Square(7)).unwrap().result()
    ///     });
    ///     assert_eq!(square.unwrap(), Ok(49));
    /// }
    /// ```
    pub fn run<R>(
        &'static self,
        command: &Command,
        work: impl FnOnce(&'static Self) -> R,
    ) -> Result<R, ProcessStartError> {
        struct End<const N: usize, const QUEUE: usize, const BYTES: usize>(
            &'static Processes<N, QUEUE, BYTES>,
        );
        impl<const N: usize, const QUEUE: usize, const BYTES: usize> Drop for End<N, QUEUE, BYTES> {
            fn drop(&mut self) {
                // Only a worker of the executor would deadlock, and it has none.
                let _ = self.0.shutdown(Shutdown::Drain);
            }
        }
        self.start(command)?;
        let _end = End(self);
        Ok(work(self))
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> fmt::Debug
    for Processes<PROCS, QUEUE, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes")
            .field("processes", &PROCS)
            .finish_non_exhaustive()
    }
}
