//! The pool of nodes, as submitters see it.

use core::fmt;
use core::task::Waker;
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use slotted::error::{ShutdownError, SubmitError};
use slotted::map::map_over;
use slotted::{Executor, JoinHandle, Shutdown};

use super::map::NodesMap;
use super::place::NodeStats;
use super::state::{Life, State};
use super::transport::{NodesEvents, NodesInbox, NodesStartError, Transport};
use crate::calls::Timing;
use crate::pool_submit::{self, Terms};
use crate::pool_thread::PoolThread;
use crate::task::{Idempotent, Task};

/// A pool of up to `NODES` machines, with room for `QUEUE` calls. Their arguments and results take
/// at most `BYTES` each.
///
/// It lives in a `static`. A call waits in its slot until a node has room, and goes to the node
/// with the most. Each node may have 32 calls of the pool under way, or as many as it allows. The
/// pool's memory is a constant of its type: about `(QUEUE + 32 * NODES) * BYTES`.
///
/// A node that is gone ends the calls under way to it as [`Lost`](crate::RemoteError::Lost), and
/// nothing else. A task runs at most once, unless it asked for [more](Self::submit_retry).
///
/// # Callbacks and async tasks
///
/// Callbacks, and the wakers of tasks that await a handle, run in the pool's own thread, if no
/// other thread waits for the task. A callback that blocks keeps all calls back.
///
/// # Python
///
/// There is none. The calls are those of `concurrent.futures.Executor`.
pub struct Nodes<const NODES: usize, const QUEUE: usize, const BYTES: usize> {
    /// Its futures are the calls.
    pub(super) executor: Executor<0, QUEUE, BYTES>,
    state: Mutex<State<NODES, QUEUE, BYTES>>,
    /// The driver has something to do, or the nodes are others.
    pub(super) changed: Condvar,
    pub(super) thread: PoolThread,
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> Nodes<NODES, QUEUE, BYTES> {
    /// A pool that is not started.
    ///
    /// ```
    /// use slotted_remote::nodes::Nodes;
    ///
    /// /// Up to eight nodes, room for 100 calls of at most 1000 bytes each way.
    /// static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// assert!(POOL.nodes().is_empty());
    /// ```
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it lives in a `static`")]
    pub const fn new() -> Self {
        const {
            assert!(
                NODES > 0 && NODES < 256,
                "slotted-remote: choose NODES, the number of nodes, from 1 to 255"
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
            changed: Condvar::new(),
            thread: PoolThread::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<NODES, QUEUE, BYTES>> {
        // No foreign code runs inside, so nothing panics there half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` inside the lock, tells the driver if something has changed, and wakes what waits
    /// for calls that have ended.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut State<NODES, QUEUE, BYTES>) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state);
        let (wakers, changed) = (state.take_wakers(), state.changed);
        let ended = core::mem::take(&mut state.ended);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        // Not before: what is polled must have been woken.
        if ended {
            let mut state = self.lock();
            (state.polls, state.changed) = (true, true);
            let is_broken = state.life == Life::Broken;
            drop(state);
            // There is no driver that would.
            if is_broken {
                self.poll_calls();
            }
        }
        if ended || changed {
            self.changed.notify_all();
        }
        result
    }

    /// Calls `act` inside the lock, if the transport that tells it is that of this life.
    fn hear(&self, life: u32, act: impl FnOnce(&mut State<NODES, QUEUE, BYTES>)) {
        self.act(|state| {
            if state.hears(life) {
                act(state);
            }
        });
    }

    /// Waits until something has changed, or for a time. Returns false if the driver is to leave.
    pub(super) fn wait_for_change(&self, now: impl Fn() -> u64) -> bool {
        let mut state = self.lock();
        // Endless for a reason: it waits for what others do.
        while !state.changed && state.life != Life::Stopping {
            let left = state.next_at().map(|at| at.saturating_sub(now()));
            state = match left {
                Some(0) => break,
                Some(left) => {
                    let left = Duration::from_millis(left);
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.changed = false;
        state.life != Life::Stopping
    }

    /// Polls the calls that have ended and that no thread waits for.
    pub(super) fn poll_calls(&self) {
        if core::mem::take(&mut self.lock().polls) {
            self.executor.run_until_idle();
        }
    }

    /// The driver leaves: no call will be answered any more.
    pub(super) fn close(&self) {
        let now = super::driver::now();
        self.act(|state| {
            state.close(now);
            if matches!(state.life, Life::Starting | Life::Running) {
                state.break_down();
            }
        });
        self.poll_calls();
    }

    /// Starts the pool over a transport, which `connect` opens. From then on, nodes are found.
    ///
    /// `timing` says when a frame is sent again that was not answered, in milliseconds: some
    /// seconds over a transport that loses nothing. Its limit of silence has no meaning here: the
    /// transport says when a node is gone.
    ///
    /// Tasks may be submitted at once. They wait until there is a node.
    ///
    /// # Blocking
    ///
    /// As long as `connect` does. It does not wait for nodes: see [`wait_for`](Self::wait_for).
    ///
    /// # Errors
    ///
    /// See [`NodesStartError`].
    ///
    /// ```
    /// # use slotted::Shutdown;
    /// use std::convert::Infallible;
    /// use slotted_remote::Timing;
    /// use slotted_remote::nodes::{Nodes, Transport};
    ///
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// static POOL: Nodes<8, 100, 1000> = Nodes::new();
    ///
    /// POOL.start(Timing::resend_after(1000), |inbox| {
    ///     inbox.appeared("the first"); // what the transport finds
    ///     Ok::<_, Infallible>(Nowhere)
    /// })
    /// .unwrap();
    /// assert_eq!(POOL.nodes()[0].name, "the first");
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn start<T: Transport, E>(
        &'static self,
        timing: Timing,
        connect: impl FnOnce(NodesInbox) -> Result<T, E>,
    ) -> Result<(), NodesStartError<E>> {
        self.begin_life(timing, connect)
    }

    /// Waits until so many nodes serve, at most for `timeout`. Returns true if they do.
    ///
    /// # Blocking
    ///
    /// Until then. The pool may be used meanwhile.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted_remote::nodes::Nodes;
    ///
    /// fn wait_for_two(pool: &'static Nodes<8, 100, 1000>) {
    ///     if !pool.wait_for(2, Duration::from_secs(5)) {
    ///         eprintln!("only some of {:?} serve", pool.nodes());
    ///     }
    /// }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// # assert!(!POOL.wait_for(1, Duration::ZERO));
    /// # let _ = wait_for_two;
    /// ```
    pub fn wait_for(&self, nodes: usize, timeout: Duration) -> bool {
        let began = Instant::now();
        let mut state = self.lock();
        // Bound: the time.
        while state.serving() < nodes {
            let Some(left) = timeout.checked_sub(began.elapsed()) else {
                return false;
            };
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// What the nodes have done.
    ///
    /// ```
    /// use slotted_remote::nodes::Nodes;
    ///
    /// fn print(pool: &'static Nodes<8, 100, 1000>) {
    ///     for node in pool.nodes() {
    ///         println!("{}: {} calls are under way", node.name, node.under_way);
    ///     }
    /// }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// # print(&POOL);
    /// ```
    pub fn nodes(&self) -> Vec<NodeStats> {
        self.lock().stats().collect()
    }

    /// What the pool's slots hold, and how many tasks came and went.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Shutdown;
    /// # use std::convert::Infallible;
    /// # use slotted_remote::Timing;
    /// # use slotted_remote::nodes::{Nodes, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// # let connect = |_| Ok::<_, Infallible>(Nowhere);
    /// # POOL.start(Timing::resend_after(1000), connect).unwrap();
    /// let square = POOL.submit(Square(7)).unwrap(); // waits: there is no node
    /// assert_eq!(POOL.stats().slots_in_use, 1);
    /// # POOL.shutdown(Shutdown::Cancel).unwrap();
    /// # drop(square);
    /// ```
    pub fn stats(&self) -> slotted::Stats {
        self.executor.stats()
    }

    /// Submits a task.
    ///
    /// # Blocking
    ///
    /// Never. The calling thread encodes the task; the pool's own thread sends it.
    ///
    /// # Errors
    ///
    /// The task comes back if `QUEUE` calls or results are there ([`Refusal::Full`]), or if the
    /// pool is not started or is shut down ([`Refusal::ShutDown`]), or if its transport panicked
    /// ([`Refusal::Broken`]). Without any node the task waits.
    ///
    /// A task whose argument is larger than `BYTES` is accepted, and its handle ends as
    /// [`TooLarge`](crate::RemoteError::TooLarge).
    ///
    /// # Cancellation
    ///
    /// [`JoinHandle::cancel`] takes back a call that no node has begun. A node that runs it is
    /// told, and ends it if its backend can: a pool of processes kills the process. The caller
    /// waits for none of this. As with `Processes::submit`, it returns false for the moment in
    /// which another thread polls the call.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted::{Refusal, TaskError};
    /// use slotted_remote::nodes::Nodes;
    ///
    /// fn square(pool: &'static Nodes<8, 100, 1000>, number: u32) -> Result<u64, TaskError> {
    ///     match pool.submit(Square(number)) {
    ///         Ok(handle) => handle.result(), // of a node
    ///         Err(refused) => Ok(slotted_remote::Task::run(refused.into_inner())), // here
    ///     }
    /// }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// assert_eq!(POOL.submit(Square(7)).unwrap_err().reason(), Refusal::ShutDown); // not started
    /// assert_eq!(square(&POOL, 7), Ok(49));
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

    /// As [`submit`](Self::submit), with a limit of the time that a node may take, from when the
    /// pool gives it the task. A task that takes longer ends as
    /// [`TimeLimit`](crate::RemoteError::TimeLimit). The node is told, and ends the task as if it
    /// was cancelled.
    ///
    /// The pool keeps the time, so a node that is frozen or cut off cannot hold the task. The time
    /// counts the way to the node and back, and what the task waits there. It does not count what
    /// the task waits in the pool, and begins anew if a node refuses the task. The limit is in
    /// whole milliseconds, rounded up. It is kept as soon as the transport lets the pool's thread
    /// go on, if it waits there for room.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use core::time::Duration;
    /// use slotted::TaskError;
    /// use slotted_remote::RemoteError;
    /// use slotted_remote::nodes::Nodes;
    ///
    /// /// Half a second for a node, and no more.
    /// fn square(pool: &'static Nodes<8, 100, 1000>, number: u32) -> Option<u64> {
    ///     let handle = pool.submit_within(Square(number), Duration::from_millis(500)).ok()?;
    ///     match handle.result() {
    ///         Err(TaskError::Remote(RemoteError::TimeLimit)) => None, // too slow, or frozen
    ///         other => other.ok(),
    ///     }
    /// }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// assert_eq!(square(&POOL, 7), None); // not started
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

    /// As [`submit`](Self::submit), and runs the task again, up to `retries` times, on any node, if
    /// its node is lost or a process crashes or exits under it.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted::TaskError;
    /// use slotted_remote::Idempotent;
    /// use slotted_remote::nodes::Nodes;
    ///
    /// impl Idempotent for Square {}
    ///
    /// /// Fails if three nodes in a row are lost under the task.
    /// fn square(pool: &'static Nodes<8, 100, 1000>, number: u32) -> Result<u64, TaskError> {
    ///     let handle = pool.submit_retry(Square(number), 2).expect("the pool has room");
    ///     handle.result()
    /// }
    /// # let _ = square;
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
    /// The items of a chunk, [`chunksize::<N>()`][chunks], are one call: their arguments
    /// take at most `BYTES` together, and so do their results, also as values in memory. What ends
    /// that call ends each of its items, with the same error. A node of a board knows no chunks:
    /// each item is an [`Unknown`](crate::RemoteError::Unknown) task to it.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted::TaskError;
    /// use slotted_remote::nodes::Nodes;
    ///
    /// fn sum_of_squares(pool: &'static Nodes<8, 100, 1000>) -> Result<u64, TaskError> {
    ///     pool.map((1..=100).map(Square)).chunksize::<10>().sum() // ten calls
    /// }
    /// # let _ = sum_of_squares;
    /// ```
    ///
    /// [chunks]: slotted::map::Map::chunksize
    pub fn map<I, T>(&'static self, tasks: I) -> NodesMap<NODES, QUEUE, BYTES, I::IntoIter, T>
    where
        I: IntoIterator<Item = T>,
        T: Task<Output: Send + 'static> + 'static,
    {
        map_over(self, tasks, ())
    }

    /// Ends the pool: it takes no task any more, waits for those that are left, and closes the
    /// transport. Another `start` begins anew.
    ///
    /// `Drain` runs all tasks that were accepted: without a node it waits for one. `Cancel` cancels
    /// those that no node has got. `Stop` also cancels those that are under way, and the nodes are
    /// told.
    ///
    /// # Blocking
    ///
    /// Until the tasks have ended. Not to be called in a callback of a task of the pool: in the
    /// pool's own thread that is an error, elsewhere it never returns.
    ///
    /// # Errors
    ///
    /// [`WouldDeadlock`](ShutdownError::WouldDeadlock) in the pool's own thread, or in a thread
    /// that shuts this pool down already.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::{Shutdown, TaskError};
    /// # use std::convert::Infallible;
    /// # use slotted_remote::Timing;
    /// # use slotted_remote::nodes::{Nodes, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// # let connect = |_| Ok::<_, Infallible>(Nowhere);
    /// # POOL.start(Timing::resend_after(1000), connect).unwrap();
    /// let square = POOL.submit(Square(7)).unwrap(); // waits: there is no node
    /// POOL.shutdown(Shutdown::Cancel).unwrap();
    /// assert_eq!(square.result(), Err(TaskError::Cancelled));
    /// ```
    pub fn shutdown(&'static self, how: Shutdown) -> Result<(), ShutdownError> {
        self.end_life(how)
    }
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> NodesEvents
    for Nodes<NODES, QUEUE, BYTES>
{
    fn appeared(&self, life: u32, node: &str) {
        self.hear(life, |state| state.appeared(node));
    }

    fn vanished(&self, life: u32, node: &str) {
        let now = super::driver::now();
        self.hear(life, |state| state.vanished(node, now));
    }

    fn receive(&self, life: u32, node: &str, frame: &[u8]) {
        let now = super::driver::now();
        self.hear(life, |state| state.receive(node, frame, now));
    }
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> fmt::Debug
    for Nodes<NODES, QUEUE, BYTES>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes")
            .field("nodes", &NODES)
            .finish_non_exhaustive()
    }
}
