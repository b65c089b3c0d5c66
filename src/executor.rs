//! The public type: capacities, hooks, and the calls that take tasks.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::time::Duration;

use crate::blocking::RunUnstarted;
use crate::error::{Refusal, SubmitError, TaskError, WorkerStartError};
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park};
use crate::map::Map;
use crate::permit::Permit;
use crate::promise::Promise;
use crate::registry::{Core, Registry, Submitter};
use crate::scope::{Scope, scope};
use crate::stats::Stats;
use crate::sync::const_fn;
use crate::worker::break_down;

mod driving;
mod life;
mod stoppable;

pub use life::Shutdown;
pub(crate) use life::{begin_shutdown, shut_down, shut_down_async};

/// Runs closures and futures on `WORKERS` threads of the host, and keeps them and their results in
/// `QUEUE` slots of `SLOT_BYTES` bytes. It never allocates.
///
/// - `WORKERS`: how many threads the host lends, at most 63 on 64-bit targets and 31 on 32-bit
///   ones. With 0 nothing runs until a thread drives the executor: by [`run_one`](Self::run_one),
///   [`run_until_idle`](Self::run_until_idle) or a blocking wait.
/// - `QUEUE`: how many tasks there can be. A task holds its slot from submit until it has ended and
///   its handle is gone.
/// - `SLOT_BYTES`: how large a closure, a future (and two words more) or a result may be. The
///   compiler refuses larger ones, with both sizes.
/// - `H`: the host, which knows how to sleep and wake, and perhaps the time.
///
/// All of it is inline and starts as zeroes. So a `static` executor is `.bss`, unless it has a
/// hook, whose address is not zero.
///
/// # Python
///
/// `concurrent.futures.ThreadPoolExecutor`.
///
/// ```
/// use slotted::{Executor, Shutdown, StdThreads};
///
/// static EXECUTOR: Executor<2, 16> = Executor::new();
/// EXECUTOR.start(&StdThreads::new()).unwrap();
/// let handle = EXECUTOR.submit(|| 6 * 7).unwrap();
/// assert_eq!(handle.result(), Ok(42));
/// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
/// ```
#[doc(alias = "ThreadPoolExecutor")]
pub struct Executor<
    const WORKERS: usize,
    const QUEUE: usize,
    const SLOT_BYTES: usize = 64,
    H: Park = DefaultHost,
> {
    core: Core<WORKERS, QUEUE, SLOT_BYTES, H>,
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    const_fn! {
        /// An executor that holds no task and has no threads. Callers may submit tasks before it is
        /// started: they wait.
        ///
        /// ```
        /// use slotted::Executor;
        ///
        /// static EXECUTOR: Executor<2, 16> = Executor::new();
        /// assert_eq!(EXECUTOR.stats().slots_in_use, 0);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { core: Core::new() }
        }
    }

    /// Has each worker call `hook` with its number before its first task. An error, or a panic,
    /// makes the executor broken. Pending tasks end with
    /// [`TaskError::Broken`](crate::TaskError::Broken). The executor refuses later ones until it is
    /// shut down and started again.
    ///
    /// # Python
    ///
    /// `initializer`.
    ///
    /// ```
    /// use slotted::Executor;
    /// use slotted::error::WorkerStartError;
    ///
    /// fn claim_peripheral(worker: usize) -> Result<(), WorkerStartError> {
    ///     if worker < 4 { Ok(()) } else { Err(WorkerStartError) }
    /// }
    /// static EXECUTOR: Executor<2, 8> = Executor::new().on_worker_start(claim_peripheral);
    /// ```
    #[doc(alias = "initializer")]
    #[must_use]
    pub const fn on_worker_start(
        mut self,
        hook: fn(usize) -> Result<(), WorkerStartError>,
    ) -> Self {
        self.core.shared.on_worker_start = Some((hook, break_down));
        self
    }

    /// Has each worker call `hook` with its number after its last task. The worker contains a panic
    /// in it.
    ///
    /// ```
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<2, 8> =
    ///     Executor::new().on_worker_exit(|worker| println!("worker {worker} leaves"));
    /// ```
    #[must_use]
    pub const fn on_worker_exit(mut self, hook: fn(usize)) -> Self {
        self.core.shared.on_worker_exit = Some(hook);
        self
    }

    pub(crate) fn registry(&self) -> Registry<'_, H> {
        Registry::of(&self.core)
    }

    /// Everything that takes tasks, without the numbers of workers and slots in its type: what a
    /// library takes as an argument.
    ///
    /// ```
    /// use slotted::{Executor, Submitter};
    ///
    /// fn answer(pool: Submitter<'_>) -> u32 {
    ///     pool.submit(|| 42).unwrap().result().unwrap()
    /// }
    /// let executor: Executor<0, 4> = Executor::new();
    /// assert_eq!(answer(executor.submitter()), 42);
    /// ```
    #[inline(always)]
    pub const fn submitter(&self) -> Submitter<'_, SLOT_BYTES, H> {
        Submitter::of(&self.core)
    }

    /// Gives a closure to the workers. They start tasks in the order of submission, or by
    /// [levels](Self::level) where the host has some.
    ///
    /// # Blocking
    ///
    /// Never. Two lock-bounded operations and a move of the closure.
    ///
    /// # Context
    ///
    /// Any, interrupts included.
    ///
    /// # Errors
    ///
    /// The closure comes back, unrun, if every slot is taken, or the executor is shut down or
    /// broken. `?` makes the error a [`Refusal`], also where the closure borrows.
    ///
    /// # Python
    ///
    /// `Executor.submit`; it is never full there.
    ///
    /// ```
    /// use slotted::{Executor, Refusal};
    ///
    /// let executor: Executor<0, 1> = Executor::new();
    /// let first = executor.submit(|| 1).unwrap();
    /// let refused = executor.submit(|| 2).unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::Full);
    /// assert_eq!(first.result(), Ok(1));
    /// assert_eq!(executor.submit(refused.into_inner()).unwrap().result(), Ok(2));
    /// ```
    pub fn submit<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit(task)
    }

    /// As [`submit`](Self::submit), for a closure whose `Err` counts as a failure for
    /// [`ReturnWhen::FirstError`](crate::ReturnWhen). The handle's `error` is still `None`: the
    /// task has a value, which is an `Err`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// use slotted::{Executor, ReturnWhen, wait};
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// let parse = |text: &'static str| executor.submit_fallible(|| text.parse::<u8>()).unwrap();
    /// let mut handles = [parse("no"), parse("7")];
    /// assert_eq!(wait(&mut handles, ReturnWhen::FirstError).done.len(), 1);
    /// ```
    pub fn submit_fallible<F, T, E>(
        &self,
        task: F,
    ) -> Result<JoinHandle<'_, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submitter().submit_fallible(task)
    }

    /// As [`submit`](Self::submit), but waits for a slot as long as it takes.
    ///
    /// # Blocking
    ///
    /// Until a slot is free, first come, first served. That can be for ever: if the caller itself
    /// holds the handles of all slots; if no worker was ever started and no other thread frees one;
    /// or, in a worker, if every slot belongs to a task that waits for this one.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach(); // the only slot; the wait runs the task
    /// assert_eq!(executor.submit_blocking(|| 6 * 7).unwrap().result(), Ok(42));
    /// ```
    pub fn submit_blocking<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit_blocking(task)
    }

    /// As [`submit`](Self::submit), but waits for a slot at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// assert!(executor.submit_timeout(|| 1, Duration::from_millis(1)).is_err());
    /// # drop(permit);
    /// ```
    pub fn submit_timeout<F, T>(
        &self,
        task: F,
        timeout: Duration,
    ) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        H: Clock,
    {
        self.submitter().submit_timeout(task, timeout)
    }

    /// Gives a future to the workers, which poll it after each call of its waker.
    ///
    /// Any thread or interrupt may call the waker, at any time, also long after the task ended. It
    /// takes two words of the slot. Only a `'static` executor takes futures: they must never move.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// The future comes back, never polled, as from [`submit`](Self::submit).
    ///
    /// ```
    /// use slotted::{Executor, Shutdown, StdThreads};
    ///
    /// static EXECUTOR: Executor<2, 8, 128> = Executor::new();
    /// EXECUTOR.start(&StdThreads::new()).unwrap();
    /// let inner = EXECUTOR.submit(|| 20).unwrap();
    /// let outer = EXECUTOR.submit_future(async { inner.await.unwrap() + 1 }).unwrap();
    /// assert_eq!(outer.result(), Ok(21));
    /// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn submit_future<F>(
        &'static self,
        future: F,
    ) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.submitter().submit_future(future)
    }

    /// As [`submit_future`](Self::submit_future), for a future whose `Err` is the task's error, as
    /// if the task itself had ended with it. `result` returns it, and callbacks and
    /// [`ReturnWhen::FirstError`](crate::ReturnWhen) see it.
    ///
    /// The outcome is taken, and counted in [`stats`](Self::stats), as
    /// [`Promise::complete`] does: `Err(Cancelled)` makes the task a cancelled one, an error
    /// [of a wait](crate::TaskError::is_of_the_wait) makes it `Broken`.
    ///
    /// # Errors
    ///
    /// As [`submit_future`](Self::submit_future).
    ///
    /// ```
    /// use slotted::{Executor, TaskError};
    ///
    /// static EXECUTOR: Executor<0, 2, 128> = Executor::new();
    /// let inner = EXECUTOR.submit(|| 20).unwrap();
    /// inner.cancel();
    /// let outer = EXECUTOR.submit_future_outcome(async { Ok(inner.await? + 1) }).unwrap();
    /// assert_eq!(outer.result(), Err(TaskError::Cancelled)); // not `Ok(Err(…))`
    /// ```
    pub fn submit_future_outcome<F, T>(
        &'static self,
        future: F,
    ) -> Result<JoinHandle<'static, T, H>, SubmitError<F>>
    where
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit_future_outcome(future)
    }

    /// Holds a slot, for a submit that cannot fail for lack of room.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// If every slot is taken, or the executor is shut down or broken.
    ///
    /// ```
    /// # use slotted::{Executor, Refusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// assert_eq!(executor.reserve().unwrap_err(), Refusal::Full);
    /// assert_eq!(permit.submit(|| 2).unwrap().result(), Ok(2));
    /// ```
    pub fn reserve(&self) -> Result<Permit<'_, SLOT_BYTES, H>, Refusal> {
        self.submitter().reserve()
    }

    /// Holds a slot, waiting for it as long as it takes. Blocks, and fails, as
    /// [`submit_blocking`](Self::submit_blocking).
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach(); // the only slot; the wait runs the task
    /// assert!(executor.reserve_blocking().is_ok());
    /// ```
    pub fn reserve_blocking(&self) -> Result<Permit<'_, SLOT_BYTES, H>, Refusal> {
        self.submitter().reserve_blocking()
    }

    /// Holds a slot, waiting for it at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, Refusal};
    /// let executor: Executor<0, 1> = Executor::new();
    /// let permit = executor.reserve().unwrap();
    /// let late = executor.reserve_timeout(Duration::from_millis(1));
    /// assert_eq!(late.unwrap_err(), Refusal::Full);
    /// # drop(permit);
    /// ```
    pub fn reserve_timeout(&self, timeout: Duration) -> Result<Permit<'_, SLOT_BYTES, H>, Refusal>
    where
        H: Clock,
    {
        self.submitter().reserve_timeout(timeout)
    }

    /// Holds a slot, awaiting it under any async runtime. Waiters, tasks and threads alike, get
    /// slots first come, first served. Dropping the future leaves the line.
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::Executor;
    /// static EXECUTOR: Executor<0, 2, 512> = Executor::new();
    /// let caller = async {
    ///     let permit = EXECUTOR.reserve_async().await.unwrap();
    ///     permit.submit(|| 6 * 7).unwrap().await
    /// };
    /// assert_eq!(EXECUTOR.submit_future(caller).unwrap().result(), Ok(Ok(42)));
    /// ```
    pub async fn reserve_async(&self) -> Result<Permit<'_, SLOT_BYTES, H>, Refusal> {
        self.submitter().reserve_async().await
    }

    /// Makes a task that is completed by hand: its [`Promise`] and its handle.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 1> = Executor::new();
    /// let (promise, handle) = executor.promise::<u32>().unwrap();
    /// promise.set_result(7).unwrap(); // from an interrupt, say
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    #[expect(clippy::type_complexity, reason = "a pair says it best")]
    pub fn promise<T>(&self) -> Result<(Promise<'_, T, H>, JoinHandle<'_, T, H>), Refusal>
    where
        T: Send + 'static,
    {
        self.submitter().promise()
    }

    /// The results of `function` over `items`, in their order, lazily, with at most `QUEUE` tasks
    /// in flight.
    ///
    /// The input may be endless. An error is one item's; the iteration goes on. Dropping the
    /// iterator cancels what has not started.
    ///
    /// # Blocking
    ///
    /// Not here. Each `next` as [`JoinHandle::result`]; if all slots belong to other tasks, it
    /// waits for one, and a worker does the work itself.
    ///
    /// # Python
    ///
    /// `Executor.map` with `buffersize`; there the first error ends the iteration (to 3.14), and
    /// dropping it unstarted cancels nothing.
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// let squares = executor.map(1.., |n: u32| n * n);
    /// let squares: Vec<u32> = squares.map(Result::unwrap).take(5).collect();
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    /// ```
    pub fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> Map<'_, QUEUE, SLOT_BYTES, Submitter<'_, SLOT_BYTES, H>, I::IntoIter, F, T, H>
    where
        I: IntoIterator<Item: Send + 'static>,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        let items = items.into_iter();
        Map::new(self.submitter(), items, function, RunUnstarted::Workers)
    }

    /// Runs `body` with a [`Scope`], whose tasks may borrow from the caller's stack, and returns
    /// when all of them have ended.
    ///
    /// Also when `body` or a task panics: the panic is raised again then (that of a task if no
    /// handle took its result). Works inside a worker, with one worker and with none.
    ///
    /// # Blocking
    ///
    /// Until the last task of the scope has ended. A worker, and any thread where the host has no
    /// worker, runs unstarted tasks itself; other threads do so after [`Scope::inline`].
    ///
    /// # Python
    ///
    /// Has no counterpart: there everything is shared.
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// let numbers = [1, 2, 3, 4, 5];
    /// let sum = executor.scope(|s| {
    ///     let (left, right) = numbers.split_at(2);
    ///     let left = s.submit(|| left.iter().sum::<i32>()).unwrap();
    ///     right.iter().sum::<i32>() + left.result().unwrap()
    /// });
    /// assert_eq!(sum, 15);
    /// ```
    pub fn scope<'env, R>(
        &'env self,
        body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>) -> R,
    ) -> R {
        scope(self.submitter(), body)
    }

    /// What the executor has done and is doing. Looks at every slot that was ever in use, and keeps
    /// no thread waiting.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| ()).unwrap();
    /// assert_eq!((executor.stats().queued, executor.stats().slots_in_use), (1, 1));
    /// # drop(handle);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(self.registry())
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Default
    for Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> fmt::Debug
    for Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (started, refusal) = self
            .registry()
            .roster(|roster| (roster.has_workers(), roster.refusal()));
        f.debug_struct("Executor")
            .field("workers", &WORKERS)
            .field("slots", &QUEUE)
            .field("slot_bytes", &SLOT_BYTES)
            .field("started", &started)
            .field("refusal", &refusal)
            .field("stats", &self.stats())
            .finish()
    }
}
