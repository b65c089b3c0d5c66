//! The pool, as submitters see it.

use core::fmt;
use core::task::Waker;
use core::time::Duration;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use heapless::Vec;
use slotted::error::{Refusal, ShutdownError, SubmitError};
use slotted::map::{EachOf, Map, SubmitItem, map_over};
use slotted::{Executor, JoinHandle, Permit, Shutdown, StdHost, StdThreads, Submitter};

use super::command::Command;
use super::error::ProcessStartError;
use super::reader::Reader;
use super::serve::is_worker;
use super::state::{Life, State};
use super::worker_process::ProcessStats;
use crate::chunk::Outcomes;
use crate::entries::{Entries, Outcome};
use crate::pool_call::CallPool;
#[cfg(feature = "nodes")]
use crate::pool_call::PoolCall;
use crate::pool_submit::{self, SubmitPool, Terms};
use crate::pool_thread::{InControl, PoolThread};
#[cfg(feature = "nodes")]
use crate::task::TaskId;
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
/// ```no_run
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
    executor: Executor<0, QUEUE, BYTES>,
    state: Mutex<State<PROCS, QUEUE, BYTES>>,
    /// The pool has started, or has not; or a call of a node has ended.
    started: Condvar,
    thread: PoolThread,
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Processes<PROCS, QUEUE, BYTES> {
    /// A pool that is not started.
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
    pub fn start(&'static self, command: &Command) -> Result<(), ProcessStartError> {
        if is_worker() {
            return Err(ProcessStartError::InWorker);
        }
        let Some(mut control) = self.thread.enter() else {
            return Err(ProcessStartError::WouldDeadlock);
        };
        if !matches!(self.lock().life, Life::Off | Life::Broken) {
            return Err(ProcessStartError::AlreadyStarted);
        }
        self.join_reader(&mut control);
        // The calls of an earlier life have ended, and are polled here at the latest. No worker of
        // the executor would deadlock: it has none.
        let _ = self.executor.shutdown(Shutdown::Drain);
        let (wake, woken) = UnixStream::pair().map_err(ProcessStartError::System)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true)
                .map_err(ProcessStartError::System)?;
        }
        let command = Arc::new(command.clone());
        self.lock().begin(command.clone(), wake);
        let reader = Reader::new(self, command, woken);
        if let Err(error) = control.spawn("slotted-processes", || reader.run()) {
            let mut state = self.lock();
            (state.life, state.wake) = (Life::Off, None);
            return Err(ProcessStartError::System(error));
        }
        let mut state = self.lock();
        // Bound: the reader ends each start, at the latest when its time is up.
        while state.life == Life::Starting {
            state = { self.started.wait(state) }.unwrap_or_else(PoisonError::into_inner);
        }
        let error = state.start_error.take();
        drop(state);
        if let Some(error) = error {
            self.join_reader(&mut control);
            return Err(error);
        }
        match self.executor.start(&StdThreads::new()) {
            Ok(()) => Ok(()),
            Err(_) => unreachable!("it has ended, and no worker is spawned"),
        }
    }

    /// Waits for the reader to leave.
    fn join_reader(&self, control: &mut InControl) {
        if control.join() {
            let mut state = self.lock();
            (state.life, state.wake) = (Life::Off, None);
        }
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
    /// is killed, unless [`Command::kill_cancelled`] says otherwise. It returns false, and cancels
    /// nothing, for the moment in which another thread polls the call: once after the submit, and
    /// when it ends. Then try again.
    ///
    /// # Python
    ///
    /// `submit`, whose queue has no limit and whose running tasks cannot be cancelled.
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

    /// A call whose types this program need not know. Its future waits for room, and holds a slot
    /// from then on. Dropping the future cancels the call.
    #[cfg(feature = "nodes")]
    pub(crate) async fn call_encoded(
        &'static self,
        id: TaskId,
        argument: &[u8],
    ) -> Result<crate::nodes::Reply, Refusal> {
        let _permit = self.executor.submitter().reserve_async().await?;
        let (index, ticket) = {
            let mut state = self.lock();
            state.accepts()?;
            let begun = state.entries.begin(id, Some(argument), Terms::default());
            let begun = begun.ok_or(Refusal::Full)?;
            state.encoded += 1;
            begun
        };
        let _counted = Counted(self);
        let call = PoolCall::new(self, index, crate::nodes::Encoded);
        self.send(index, ticket);
        Ok(call.await)
    }

    /// Wakes the reader if it sleeps longer than it may, or if a socket did not take all.
    fn wake_reader(&self, state: &mut State<PROCS, QUEUE, BYTES>) {
        let deadline = state.deadline();
        let is_late = match (deadline, state.reader_wakes) {
            (Some(deadline), Some(wakes)) => deadline < wakes,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let is_pending = (0..PROCS).any(|place| state.is_pending(place));
        if is_late || is_pending {
            state.reader_wakes = deadline;
            state.wake_reader();
        }
    }

    /// The results of many tasks, in the order of the tasks, as slotted's own iterator: with
    /// `timeout`, `buffersize`, `unordered` and `detach`.
    ///
    /// Lazy: at most `QUEUE` tasks are in flight, and the input is read as they end.
    ///
    /// # Python
    ///
    /// `map`. The items of a chunk, [`chunksize::<N>()`](Map::chunksize), are one call: their
    /// arguments take at most `BYTES` together, and so do their results. What ends that call ends
    /// each of its items, with the same error.
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
    pub fn kill_all(&self) {
        self.lock().kill_all();
    }

    /// What the processes have done, one figure for each place.
    pub fn processes(&self) -> [ProcessStats; PROCS] {
        self.lock().stats()
    }

    /// What the pool's slots hold, and how many tasks came and went.
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
    pub fn shutdown(&'static self, how: Shutdown) -> Result<(), ShutdownError> {
        let Some(mut control) = self.thread.enter() else {
            return Err(ShutdownError::WouldDeadlock);
        };
        self.executor.begin_shutdown(Shutdown::Drain);
        self.lock().is_closing = true;
        if !matches!(how, Shutdown::Drain) {
            self.lock().cancels = true;
            // Bound: the calls that wait; none follows.
            loop {
                let ended = self.lock().end_queued(Outcome::Cancelled);
                let Some(waker) = ended else { break };
                waker.into_iter().for_each(Waker::wake);
            }
        }
        let how = match how {
            Shutdown::Stop => how,
            _ => Shutdown::Drain,
        };
        self.executor.shutdown(how)?;
        {
            let mut state = self.lock();
            // Bound: the calls of nodes that are there; none is accepted any more.
            while state.encoded > 0 && state.life == Life::Running && how != Shutdown::Stop {
                state = { self.started.wait(state) }.unwrap_or_else(PoisonError::into_inner);
            }
            if state.life == Life::Running {
                if state.encoded > 0 {
                    state.kill_all(); // `Stop`
                }
                state.life = Life::Stopping;
                state.wake_reader();
            }
        }
        self.join_reader(&mut control);
        Ok(())
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

/// A call of a node, which a shutdown waits for.
#[cfg(feature = "nodes")]
struct Counted<const PROCS: usize, const QUEUE: usize, const BYTES: usize>(
    &'static Processes<PROCS, QUEUE, BYTES>,
);

#[cfg(feature = "nodes")]
impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Drop
    for Counted<PROCS, QUEUE, BYTES>
{
    fn drop(&mut self) {
        self.0.lock().encoded -= 1;
        self.0.started.notify_all();
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> CallPool<QUEUE, BYTES>
    for Processes<PROCS, QUEUE, BYTES>
{
    fn with_entries<R>(&self, act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R) -> R {
        act(&mut self.lock().entries)
    }

    fn abandon(&self, index: u16) -> Option<Waker> {
        self.lock().abandon(index)
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> SubmitPool<QUEUE, BYTES>
    for Processes<PROCS, QUEUE, BYTES>
{
    fn executor(&self) -> &Executor<0, QUEUE, BYTES> {
        &self.executor
    }

    fn with_open<R>(
        &self,
        act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R,
    ) -> Result<R, Refusal> {
        let mut state = self.lock();
        state.accepts()?;
        Ok(act(&mut state.entries))
    }

    fn send(&'static self, index: u16, ticket: u64) {
        let mut state = self.lock();
        let is_begun = state.entries.is_begun(index, ticket);
        let is_running = state.life == Life::Running;
        if is_begun && is_running && !state.cancels {
            state.entries.enqueue(index);
            state.dispatch();
            self.wake_reader(&mut state);
            return;
        }
        // It has ended already; or the pool cancels what was not sent; or it broke meanwhile, and
        // has no reader.
        let mut waker = None;
        if is_begun {
            let outcome = if is_running {
                Outcome::Cancelled
            } else {
                Outcome::Broken
            };
            waker = state.end_call(index, outcome);
        }
        drop(state);
        // Another thread may have polled the future, which rests.
        waker.into_iter().for_each(Waker::wake);
        let mut state = self.lock();
        if state.life == Life::Running {
            state.polls = true;
            state.wake_reader();
        } else {
            drop(state);
            self.poll_calls();
        }
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

/// What [`Processes::map`] returns.
pub type PoolMap<const PROCS: usize, const QUEUE: usize, const BYTES: usize, I, T> = Map<
    'static,
    QUEUE,
    BYTES,
    &'static Processes<PROCS, QUEUE, BYTES>,
    I,
    (),
    <T as Task>::Output,
    StdHost,
>;

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize, T>
    SubmitItem<'static, BYTES, (), T, T::Output, StdHost>
    for &'static Processes<PROCS, QUEUE, BYTES>
where
    T: Task<Output: Send + 'static> + 'static,
{
    fn submitter(&self) -> Submitter<'static, BYTES> {
        self.executor.submitter()
    }

    fn submit_item(
        &self,
        permit: Permit<'static, BYTES>,
        (): (),
        task: T,
    ) -> Result<JoinHandle<'static, T::Output>, Refusal> {
        pool_submit::submit_into(*self, permit, &task, Terms::default())
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize, const N: usize, T>
    SubmitItem<'static, BYTES, EachOf<(), N>, Vec<T, N>, Outcomes<T, N>, StdHost>
    for &'static Processes<PROCS, QUEUE, BYTES>
where
    T: Task<Output: Send + 'static> + 'static,
{
    fn submitter(&self) -> Submitter<'static, BYTES> {
        self.executor.submitter()
    }

    fn submit_item(
        &self,
        permit: Permit<'static, BYTES>,
        _: EachOf<(), N>,
        tasks: Vec<T, N>,
    ) -> Result<JoinHandle<'static, Outcomes<T, N>>, Refusal> {
        pool_submit::submit_chunk(*self, permit, &tasks)
    }
}
