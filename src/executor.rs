//! The public type: capacities, submitting, starting and stopping.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::time::Duration;

use crate::blocking::{Closed, Endless, Help, Interrupted, Patience, Until, block};
use crate::completion::{attend, complete_cancelled, execute};
use crate::error::{ShutdownError, StartError, SubmitError, WorkerStartError};
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park};
use crate::intake::Intake;
use crate::job::{Fallible, Plain};
use crate::map::{Door, Each, Map};
use crate::permit::Permit;
use crate::promise::Promise;
use crate::registry::{Core, Mode, Registry, Rooms};
use crate::scope::{Scope, scope};
use crate::spawn::Spawn;
use crate::start::{lend, start};
use crate::state::Phase;
use crate::stats::Stats;
use crate::sync::{Ordering, const_fn};
use crate::waker::waker;
use crate::worker::break_down;

/// Runs closures and futures on `WORKERS` threads of the host, and keeps them and their results in
/// `QUEUE` slots of `SLOT_BYTES` bytes. Nothing is ever allocated.
///
/// - `WORKERS`: how many threads the host lends. 0: nothing runs until somebody drives the
///   executor, by [`run_one`](Self::run_one), [`run_until_idle`](Self::run_until_idle) or a
///   blocking wait.
/// - `QUEUE`: how many tasks there can be. A task holds its slot from submit until it has ended and
///   its handle is gone.
/// - `SLOT_BYTES`: how large a closure, a future (and two words more) or a result may be. Larger
///   ones are refused at compile time.
/// - `H`: the host, which knows how to sleep and wake, and perhaps the time.
///
/// All of it is inline and starts as zeroes: in a `static` it is `.bss` (unless it has a hook,
/// whose address is not zero).
///
/// # Python
///
/// `concurrent.futures.ThreadPoolExecutor`.
///
/// ```
/// use slotted::{Executor, Pending, StdThreads};
///
/// static EXECUTOR: Executor<2, 16> = Executor::new();
/// EXECUTOR.start(&StdThreads::new()).unwrap();
/// let handle = EXECUTOR.submit(|| 6 * 7).unwrap();
/// assert_eq!(handle.result().unwrap(), 42);
/// EXECUTOR.shutdown(Pending::Run).unwrap();
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

/// What a shutdown does with tasks that have not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// They are run.
    Run,
    /// They are cancelled, and so are async tasks at their next rest.
    ///
    /// # Python
    ///
    /// `cancel_futures=True`.
    Cancel,
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    const_fn! {
        /// An executor that holds no task and has no threads. Tasks may be submitted before it is started.
        #[must_use]
        pub const fn new() -> Self {
            Self { core: Core::new() }
        }
    }

    /// Has each worker call `hook` with its number before its first task. An error, or a panic,
    /// makes the executor broken: pending tasks end with
    /// [`TaskError::Broken`](crate::TaskError::Broken) and later ones are refused, until it is shut
    /// down and started again.
    ///
    /// # Python
    ///
    /// `initializer`.
    ///
    /// ```
    /// use slotted::{Executor, WorkerStartError};
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

    /// Has each worker call `hook` with its number after its last task. A panic in it is contained.
    #[must_use]
    pub const fn on_worker_exit(mut self, hook: fn(usize)) -> Self {
        self.core.shared.on_worker_exit = Some(hook);
        self
    }

    pub(crate) fn registry(&self) -> Registry<'_, H> {
        Registry::of(&self.core)
    }

    pub(crate) fn intake(&self) -> Intake<'_, SLOT_BYTES, H> {
        Intake::new(Rooms::of(&self.core))
    }

    /// Gives a closure to the workers. They start tasks in the order of submission.
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
    /// broken.
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
    /// assert_eq!(first.result().unwrap(), 1);
    /// assert_eq!(executor.submit(refused.into_inner()).unwrap().result().unwrap(), 2);
    /// ```
    pub fn submit<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.intake().submit::<F, T, Plain>(task)
    }

    /// As [`submit`](Self::submit), for a closure whose `Err` counts as a failure for
    /// [`ReturnWhen::FirstError`](crate::ReturnWhen).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_fallible<F, T, E>(
        &self,
        task: F,
    ) -> Result<JoinHandle<'_, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.intake().submit::<F, Result<T, E>, Fallible>(task)
    }

    /// As [`submit`](Self::submit), but waits for a slot as long as it takes.
    ///
    /// # Blocking
    ///
    /// Until a slot is free. In a worker that can be for ever, if every slot belongs to a task that
    /// waits for this one.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// # Errors
    ///
    /// The closure comes back if the executor is or becomes shut down or broken.
    pub fn submit_blocking<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.intake().reserve_with(&Endless::<H>::new()) {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// As [`submit`](Self::submit), but waits for a slot at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
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
        match self.intake().reserve_with(&Until::<H>::after(timeout)) {
            Ok(permit) => permit.submit(task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Gives a future to the workers, which poll it whenever its waker was called.
    ///
    /// The waker may be called from any thread or interrupt, at any time, also long after the task
    /// ended. The future needs two words of its slot for it. Only a `'static` executor takes
    /// futures: they must never move.
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
    /// use slotted::{Executor, Pending, StdThreads};
    ///
    /// static EXECUTOR: Executor<2, 8, 128> = Executor::new();
    /// EXECUTOR.start(&StdThreads::new()).unwrap();
    /// let inner = EXECUTOR.submit(|| 20).unwrap();
    /// let outer = EXECUTOR.submit_future(async { inner.await.unwrap() + 1 }).unwrap();
    /// assert_eq!(outer.result().unwrap(), 21);
    /// EXECUTOR.shutdown(Pending::Run).unwrap();
    /// ```
    pub fn submit_future<F>(
        &'static self,
        future: F,
    ) -> Result<JoinHandle<'static, F::Output, H>, SubmitError<F>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let registry = self.registry();
        let claim = match self.intake().claim() {
            Ok(claim) => claim,
            Err(reason) => {
                return Err(SubmitError {
                    task: future,
                    reason,
                });
            }
        };
        let waker = waker(&self.core, claim.slot());
        registry.shared().attend.set(attend);
        match claim.future(waker, future, |filled| registry.enqueue_future(filled)) {
            Ok(receiver) => Ok(JoinHandle::new(registry, receiver)),
            Err((claim, task, reason)) => {
                registry.release(claim.retire());
                Err(SubmitError {
                    task,
                    reason: registry.refuse(reason),
                })
            }
        }
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
    pub fn reserve(&self) -> Result<Permit<'_, SLOT_BYTES, H>, SubmitError<()>> {
        self.intake()
            .reserve()
            .map_err(|reason| SubmitError { task: (), reason })
    }

    /// A task that is completed by hand: its giving end and its handle.
    ///
    /// # Blocking, context
    ///
    /// As [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    #[allow(clippy::type_complexity, reason = "a pair says it best")]
    pub fn promise<T>(&self) -> Result<(Promise<'_, T, H>, JoinHandle<'_, T, H>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        let (registry, claim) = self.reserve()?.into_parts();
        let (promised, receiver) = claim.promise::<T>();
        Ok((
            Promise::new(registry, promised),
            JoinHandle::new(registry, receiver),
        ))
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
    /// let squares: Vec<u32> = executor.map(1.., |n: u32| n * n).map(Result::unwrap).take(5).collect();
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    /// ```
    pub fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> Map<'_, QUEUE, SLOT_BYTES, Door<'_, SLOT_BYTES, H>, I::IntoIter, Each<F>, H>
    where
        I: IntoIterator<Item: Send + 'static>,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        Map::new(
            Door(self.intake()),
            items.into_iter(),
            Each(function),
            Help::Workers,
        )
    }

    /// Runs `body` with a [`Scope`], whose tasks may borrow from the caller's stack, and returns
    /// when all of them have ended.
    ///
    /// Also when `body` or a task panics: the panic is re-raised then (that of a task if nobody
    /// took its result). Works inside a worker, with one worker and with none.
    ///
    /// # Blocking
    ///
    /// Until the last task of the scope has ended. A worker runs unstarted ones itself; other
    /// threads do so after [`Scope::inline`].
    ///
    /// # Python
    ///
    /// Has no counterpart: there everything is shared.
    ///
    /// ```
    /// use slotted::Executor;
    ///
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut numbers = [1, 2, 3, 4, 5];
    /// let sum = executor.scope(|s| {
    ///     let (left, right) = numbers.split_at(2);
    ///     let left = s.submit(|| left.iter().sum::<i32>()).unwrap();
    ///     right.iter().sum::<i32>() + left.result().unwrap()
    /// });
    /// assert_eq!(sum, 15);
    /// executor.scope(|s| s.for_each_chunk(&mut numbers, 2, |chunk| chunk.iter_mut().for_each(|n| *n *= 10))).unwrap();
    /// assert_eq!(numbers, [10, 20, 30, 40, 50]);
    /// ```
    pub fn scope<'env, R>(
        &'env self,
        body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>) -> R,
    ) -> R {
        scope(self.intake(), body)
    }

    /// Gives the host `WORKERS` workers to run.
    ///
    /// # Errors
    ///
    /// If it is running already, or has not finished shutting down; or if the host refuses a
    /// worker. Then those that had started are stopped, tasks that were submitted still wait,
    /// and `start` may be tried again.
    pub fn start<S: Spawn<H>>(&'static self, spawn: &S) -> Result<(), StartError<S::Error>> {
        start(self.registry(), spawn)
    }

    /// Starts, runs `body`, shuts down (running what is pending) and waits for the workers to be
    /// gone, also when `body` panics.
    ///
    /// Works for an executor on the stack.
    ///
    /// # Blocking
    ///
    /// Until every [`Worker`](crate::Worker) is gone. A host that keeps one for a loop of the
    /// calling thread's own keeps this call for ever: use [`start`](Self::start) there.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); `body` has not run then.
    ///
    /// # Python
    ///
    /// The `with` block.
    ///
    /// ```
    /// use slotted::{Executor, StdThreads};
    ///
    /// let executor: Executor<2, 8> = Executor::new();
    /// let sum = executor.run(&StdThreads::new(), |pool| {
    ///     let (left, right) = (pool.submit(|| 40).unwrap(), pool.submit(|| 2).unwrap());
    ///     left.result().unwrap() + right.result().unwrap()
    /// });
    /// assert_eq!(sum.unwrap(), 42);
    /// ```
    #[doc(alias = "with")]
    pub fn run<S: Spawn<H>, R>(
        &self,
        spawn: &S,
        body: impl FnOnce(&Self) -> R,
    ) -> Result<R, StartError<S::Error>> {
        // The workers' leaving is waited for by `lend`, which does not depend on how this ends.
        lend(
            self.registry(),
            spawn,
            || body(self),
            || {
                let _ = self.shutdown(Pending::Run);
            },
        )
    }

    /// Stops taking tasks, runs or cancels those that have not started, and waits for the workers
    /// to leave.
    ///
    /// Idempotent; a later `Cancel` goes further than an earlier `Run`. An executor without live
    /// workers is drained by the calling thread. Async tasks that nobody wakes are waited for;
    /// `Cancel` cancels them. Promises are not touched.
    ///
    /// # Blocking
    ///
    /// Until every worker has left.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if it is called by a worker of this executor; the shutdown
    /// has begun all the same. A super-loop that is a worker calls
    /// [`begin_shutdown`](Self::begin_shutdown), and [`Worker::run_one`](crate::Worker::run_one)
    /// until it says `Left`.
    ///
    /// # Python
    ///
    /// `Executor.shutdown(wait=True)`.
    pub fn shutdown(&self, pending: Pending) -> Result<(), ShutdownError> {
        self.shutdown_with(pending, &Endless::<H>::new())
    }

    /// As [`shutdown`](Self::shutdown), but waits at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown), and [`ShutdownError::TimedOut`].
    pub fn shutdown_timeout(&self, pending: Pending, timeout: Duration) -> Result<(), ShutdownError>
    where
        H: Clock,
    {
        self.shutdown_with(pending, &Until::<H>::after(timeout))
    }

    /// As [`shutdown`](Self::shutdown), but does not wait.
    ///
    /// # Context
    ///
    /// Any thread. With `Cancel` it drops the closures of pending tasks.
    ///
    /// # Python
    ///
    /// `Executor.shutdown(wait=False)`.
    pub fn begin_shutdown(&self, pending: Pending) {
        let registry = self.registry();
        registry.set_mode(|ready| match (ready.mode.get(), pending) {
            (Mode::Cancel, _) | (_, Pending::Cancel) => ready.mode.set(Mode::Cancel),
            (_, Pending::Run) => ready.mode.set(Mode::Run),
        });
        if pending == Pending::Cancel {
            self.cancel_all();
        }
        registry.wake_all();
    }

    fn shutdown_with(
        &self,
        pending: Pending,
        patience: &impl Patience,
    ) -> Result<(), ShutdownError> {
        self.begin_shutdown(pending);
        let registry = self.registry();
        let closed = Closed { registry };
        if registry.current_worker().is_some()
            && registry
                .shared()
                .ready
                .with(|ready| ready.issued.get() != 0)
        {
            return Err(ShutdownError::WouldDeadlock);
        }
        block(registry, &closed, patience, Help::Workers).map_err(|interrupted| match interrupted {
            Interrupted::TimedOut => ShutdownError::TimedOut,
            Interrupted::WouldDeadlock => ShutdownError::WouldDeadlock,
        })
    }

    /// Cancels whatever waits in the queue or rests. Nothing is accepted any more, so what is
    /// queued only gets less.
    fn cancel_all(&self) {
        let registry = self.registry();
        // Bound: the number of slots.
        for index in 0..registry.capacity() {
            let seen = registry.slot(index).snapshot();
            if matches!(
                seen.phase(),
                Phase::Pending | Phase::Scheduled | Phase::Suspended
            ) {
                // By its generation: the slot may have become a promise's by now.
                if let Some(cancelled) = registry.cancel(index, Some(seen.generation())) {
                    complete_cancelled(registry, cancelled);
                }
            }
        }
    }

    /// Runs the oldest ready task in the calling thread. `false` if there was none.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    pub fn run_one(&self) -> bool {
        let registry = self.registry();
        let worker = registry.current_worker();
        match registry.take_next(worker) {
            Some(running) => {
                execute(registry, running, worker);
                true
            }
            None => false,
        }
    }

    /// Runs ready tasks in the calling thread until there is none, those they submit included. Says
    /// how many it ran.
    ///
    /// # Blocking
    ///
    /// As long as the tasks take; for ever if each submits another.
    pub fn run_until_idle(&self) -> usize {
        let mut ran = 0;
        while self.run_one() {
            ran += 1;
        }
        ran
    }

    /// What the executor has done and is doing. Looks at every slot that was ever in use, without
    /// keeping anybody waiting.
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

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Drop
    for Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Cancels what has not started. No worker and no handle is left: they borrow the executor.
    fn drop(&mut self) {
        self.begin_shutdown(Pending::Cancel);
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> fmt::Debug
    for Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal = self.core.shared.ready.with(|ready| ready.refusal());
        f.debug_struct("Executor")
            .field("workers", &WORKERS)
            .field("slots", &QUEUE)
            .field("slot_bytes", &SLOT_BYTES)
            .field(
                "started",
                &(self.core.shared.alive.load(Ordering::Relaxed) != 0),
            )
            .field("refusal", &refusal)
            .field("stats", &self.stats())
            .finish()
    }
}
