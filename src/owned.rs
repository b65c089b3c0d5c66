//! An executor with one worker that owns something, and lends it to each task.
//!
//! The executor inside takes lent tasks only, and never leaves this room. So whatever runs on its
//! worker was made for the `L` that the worker lends (*All Lent*). Only that worker can run such a
//! task: no other thread has anything to call it with (`slot::lent`).

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use crate::error::{Refusal, SubmitError};
use crate::executor::Executor;
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park};
use crate::permit::enqueue_closure;
use crate::promise::Promise;
use crate::registry::Registry;
use crate::slot::{Claim, Classify, Stop};
use crate::stats::Stats;
use crate::sync::const_fn;

mod levels;
mod life;
mod permit;
mod poll;
mod scope;
mod submitter;
mod worker;

pub use permit::OwnedPermit;
pub use scope::OwnedScope;
pub use submitter::OwnedSubmitter;
pub use worker::OwnedWorker;

/// An executor with one worker that owns an `L`: a peripheral, a connection. Each task gets a
/// `&mut L`.
///
/// The closures are `Send`, the `L` need not be. It stays in the thread, loop or interrupt handler
/// that runs the worker, and comes back when the worker leaves. Tasks run one at a time, in the
/// order of submission, so no lock guards the `L`.
///
/// - `L`: what the worker owns.
/// - `QUEUE`, `SLOT_BYTES`, `H`: as of an [`Executor`].
///
/// The owner is the thread that runs the worker: `start` makes one on a desktop,
/// [`worker`](Self::worker) gives the worker to a thread or loop of the caller's own. Callers may
/// submit before that: the tasks wait.
///
/// Handles are those of any executor: limits, callbacks, [`wait`](crate::wait()),
/// [`as_completed`](crate::as_completed()), `.await`, cancelling and stopping. Handles of both
/// kinds of executor mix.
///
/// # Waits
///
/// Only the owner runs a task. A thread that would run one in place elsewhere waits here:
/// [`result_inline`](JoinHandle::result_inline) is as [`result`](JoinHandle::result). A task, or
/// its callback, cannot wait for another task of its owner: that one would start after it. A wait
/// without a limit gets [`TaskError::WouldDeadlock`](crate::TaskError::WouldDeadlock) at once, and
/// the other task stays where it is. `add_done_callback` waits without blocking.
///
/// [`scope`](Self::scope) waits for all tasks of it, and cancels those that would never end so.
///
/// A loop that calls [`run_one`](OwnedWorker::run_one) is different between two calls: another
/// thread or an interrupt may have the worker by then. A wait there sleeps, and if the worker is
/// still the loop's own, it sleeps for ever. Such a loop looks with
/// [`try_result`](JoinHandle::try_result), or waits with a limit.
///
/// # Panics in tasks
///
/// With `std` the handle says [`Panicked`](crate::TaskError::Panicked), and the owner goes on.
/// Later tasks see the `L` as the panic left it: nothing is poisoned. A task whose steps belong
/// together restores the `L` in a destructor. Or a later task looks whether all is well.
///
/// # Tasks that wait, and dates
///
/// [`submit_poll`](Self::submit_poll) takes a task that waits between its polls, while the owner
/// runs others. [`Timetable::on_owned`](crate::Timetable::on_owned) takes tasks with dates, and
/// series.
///
/// # What it does not have
///
/// Futures, because no `&mut L` can be kept across an await. A task that is polled takes their
/// place, or a task of an async executor awaits the handle. A `map`: a queue of handles does it,
/// with as many tasks in flight as it holds.
///
/// # Cost
///
/// A program that names none pays nothing. A slot holds nothing more than in an [`Executor`]. The
/// page on costs has the instructions.
///
/// # Python
///
/// None. `ThreadPoolExecutor(max_workers=1, initializer=…)`, whose tasks share a global, is the
/// nearest.
///
/// ```
/// use slotted::{Owned, Shutdown, StdThreads};
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// /// Not `Send`: it never leaves the thread that made it.
/// struct Connection(Rc<Cell<u32>>);
///
/// impl Connection {
///     fn send(&mut self, bytes: u32) -> u32 {
///         self.0.set(self.0.get() + bytes);
///         self.0.get()
///     }
/// }
///
/// static CONNECTION: Owned<Connection, 8> = Owned::new();
/// CONNECTION.start(&StdThreads::new(), || Ok(Connection(Rc::default()))).unwrap();
/// let first = CONNECTION.submit(|connection| connection.send(20)).unwrap();
/// let second = CONNECTION.submit(|connection| connection.send(22)).unwrap();
/// assert_eq!((first.result(), second.result()), (Ok(20), Ok(42)));
/// CONNECTION.shutdown(Shutdown::Drain).unwrap();
/// ```
pub struct Owned<L, const QUEUE: usize, const SLOT_BYTES: usize = 64, H: Park = DefaultHost> {
    executor: Executor<1, QUEUE, SLOT_BYTES, H>,
    /// Invariant in `L`: what closures expect is what the worker lends. No `L` is in here.
    owns: PhantomData<fn(L) -> L>,
}

/// Fills a slot with a closure that gets an `L`, and gives it to the worker.
fn submit_into<'e, L, F, T, V, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'e, H>,
    claim: Claim<'e, SLOT_BYTES>,
    task: F,
) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
where
    F: FnOnce(&mut L) -> T + Send + 'static,
    T: Send + 'static,
    V: Classify<T>,
{
    enqueue_closure(registry, claim.lent::<L, F, T, V>(task))
}

/// As [`submit_into`], for a closure that may be asked to stop.
fn submit_stoppable_into<'e, L, F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'e, H>,
    claim: Claim<'e, SLOT_BYTES>,
    task: F,
) -> Result<JoinHandle<'e, T, H>, SubmitError<F>>
where
    F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
    T: Send + 'static,
{
    enqueue_closure(registry, claim.lent_stoppable::<L, F, T>(task))
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    const_fn! {
        /// An executor that holds no task and has no owner.
        ///
        /// Every byte of it is zero, so a `static` lies in `.bss`.
        ///
        /// ```
        /// use slotted::Owned;
        ///
        /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
        /// assert_eq!(LOG.stats().slots_in_use, 0);
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self { executor: Executor::new(), owns: PhantomData }
        }
    }

    /// Everything that takes tasks, without the number of slots in its type. `Copy`.
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// let submitter = log.submitter();
    /// assert!(submitter.submit(|bytes| bytes.push(1)).is_ok());
    /// ```
    pub const fn submitter(&self) -> OwnedSubmitter<'_, L, SLOT_BYTES, H> {
        OwnedSubmitter::new(self.executor.submitter())
    }

    fn registry(&self) -> Registry<'_, H> {
        self.executor.registry()
    }

    /// Gives a closure to the owner. Tasks start in the order of submission.
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
    /// ```
    /// use slotted::{Owned, Ran, Shutdown};
    ///
    /// let log: Owned<Vec<u8>, 8> = Owned::new();
    /// let mut worker = log.worker().unwrap();
    /// let mut length = log.submit(|bytes: &mut Vec<u8>| { bytes.push(7); bytes.len() }).unwrap();
    /// let mut bytes = vec![1, 2];
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Task);
    /// assert_eq!(length.try_result(), Some(Ok(3)));
    /// assert_eq!(bytes, [1, 2, 7]);
    /// ```
    pub fn submit<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit(task)
    }

    /// As [`submit`](Self::submit), for a closure whose `Err` counts as a failure for
    /// [`ReturnWhen::FirstError`](crate::ReturnWhen::FirstError).
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let radio: Owned<u8, 4> = Owned::new();
    /// let mut sent = radio.submit_fallible(|radio| radio.checked_sub(1).ok_or("off")).unwrap();
    /// let _ = radio.worker().unwrap().run_one(&mut 0);
    /// assert_eq!(sent.try_result(), Some(Ok(Err("off"))));
    /// ```
    pub fn submit_fallible<F, T, E>(
        &self,
        task: F,
    ) -> Result<JoinHandle<'_, Result<T, E>, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.submitter().submit_fallible(task)
    }

    /// As [`submit`](Self::submit), for a closure that may be asked to stop while it runs. It gets
    /// a [`Stop`] too. See [`Executor::submit_stoppable`].
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// # use slotted::{Owned, Stop};
    /// let radio: Owned<u8, 4> = Owned::new();
    /// let listen = |radio: &mut u8, stop: &Stop| stop.check().map(|()| *radio);
    /// let mut heard = radio.submit_stoppable(listen).unwrap();
    /// let _ = radio.worker().unwrap().run_one(&mut 7);
    /// assert_eq!(heard.try_result(), Some(Ok(Ok(7))));
    /// ```
    pub fn submit_stoppable<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submitter().submit_stoppable(task)
    }

    /// As [`submit`](Self::submit), but waits for a slot as long as it takes.
    ///
    /// # Blocking
    ///
    /// Until a slot is free, first come, first served. That can be for ever, as in
    /// [`Executor::submit_blocking`]: in the owner, if every slot belongs to a task that waits for
    /// it.
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
    /// # use slotted::{Owned, Shutdown, StdThreads};
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let length = log.run(&StdThreads::new(), || Ok(vec![]), |log| {
    ///     log.submit(|bytes| bytes.push(1)).unwrap().detach();
    ///     log.submit_blocking(|bytes| bytes.len()).unwrap().result()
    /// });
    /// assert_eq!(length.unwrap(), Ok(1));
    /// ```
    pub fn submit_blocking<F, T>(&self, task: F) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
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
    /// # use slotted::{Owned, Refusal};
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let permit = log.reserve().unwrap();
    /// let refused = log.submit_timeout(|bytes| bytes.push(1), Duration::from_millis(1));
    /// assert_eq!(refused.unwrap_err().reason(), Refusal::Full);
    /// # drop(permit);
    /// ```
    pub fn submit_timeout<F, T>(
        &self,
        task: F,
        timeout: Duration,
    ) -> Result<JoinHandle<'_, T, H>, SubmitError<F>>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
        H: Clock,
    {
        self.submitter().submit_timeout(task, timeout)
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
    /// # use slotted::{Owned, Refusal};
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let permit = log.reserve().unwrap();
    /// assert_eq!(log.reserve().unwrap_err(), Refusal::Full);
    /// permit.submit(|bytes| bytes.push(1)).unwrap().detach();
    /// ```
    pub fn reserve(&self) -> Result<OwnedPermit<'_, L, SLOT_BYTES, H>, Refusal> {
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
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// assert!(log.reserve_blocking().is_ok());
    /// ```
    pub fn reserve_blocking(&self) -> Result<OwnedPermit<'_, L, SLOT_BYTES, H>, Refusal> {
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
    /// # use slotted::{Owned, Refusal};
    /// let log: Owned<Vec<u8>, 1> = Owned::new();
    /// let permit = log.reserve().unwrap();
    /// let late = log.reserve_timeout(Duration::from_millis(1));
    /// assert_eq!(late.unwrap_err(), Refusal::Full);
    /// # drop(permit);
    /// ```
    pub fn reserve_timeout(
        &self,
        timeout: Duration,
    ) -> Result<OwnedPermit<'_, L, SLOT_BYTES, H>, Refusal>
    where
        H: Clock,
    {
        self.submitter().reserve_timeout(timeout)
    }

    /// Holds a slot, awaiting it under any async runtime, first come, first served. Dropping the
    /// future leaves the line.
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken.
    ///
    /// ```
    /// # use slotted::{Executor, Owned, StdThreads};
    /// static ASYNC: Executor<0, 2, 512> = Executor::new();
    /// static LOG: Owned<Vec<u8>, 1> = Owned::new();
    /// let length = LOG.run(&StdThreads::new(), || Ok(vec![7]), |_| {
    ///     let caller = async {
    ///         let permit = LOG.reserve_async().await.unwrap();
    ///         permit.submit(|bytes| bytes.len()).unwrap().await
    ///     };
    ///     ASYNC.submit_future(caller).unwrap().result()
    /// });
    /// assert_eq!(length.unwrap(), Ok(Ok(1)));
    /// ```
    pub async fn reserve_async(&self) -> Result<OwnedPermit<'_, L, SLOT_BYTES, H>, Refusal> {
        self.submitter().reserve_async().await
    }

    /// Makes a task that is completed by hand, from any context. The owner has no part in it. See
    /// [`Executor::promise`].
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    ///
    /// ```
    /// # use slotted::Owned;
    /// let radio: Owned<u8, 4> = Owned::new();
    /// let (promise, handle) = radio.promise::<u32>().unwrap();
    /// promise.set_result(7).unwrap(); // from the radio's interrupt, say
    /// assert_eq!(handle.result(), Ok(7));
    /// ```
    #[expect(clippy::type_complexity, reason = "a pair says it best")]
    pub fn promise<T>(&self) -> Result<(Promise<'_, T, H>, JoinHandle<'_, T, H>), Refusal>
    where
        T: Send + 'static,
    {
        self.submitter().promise()
    }

    /// What the executor has done and is doing. See [`Executor::stats`].
    ///
    /// ```
    /// # use slotted::Owned;
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// let handle = log.submit(|bytes| bytes.push(1)).unwrap();
    /// assert_eq!((log.stats().queued, log.stats().slots_in_use), (1, 1));
    /// # drop(handle);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.executor.stats()
    }
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Default
    for Owned<L, QUEUE, SLOT_BYTES, H>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> fmt::Debug
    for Owned<L, QUEUE, SLOT_BYTES, H>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned")
            .field("owns", &core::any::type_name::<L>())
            .field("executor", &self.executor)
            .finish()
    }
}
