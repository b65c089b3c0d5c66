//! Starting and stopping an executor whose worker owns something.
#![forbid(unsafe_code)]

use core::convert::Infallible;
use core::time::Duration;

use super::{Owned, OwnedWorker};
use crate::blocking::{Deadline, LifeOver, Never, Timeout, WaitFor};
use crate::completion::cancel_unowned;
#[cfg(feature = "std")]
use crate::error::WorkerStartError;
use crate::error::{ShutdownError, StartError};
use crate::executor::{Shutdown, begin_shutdown, shut_down, shut_down_async};
use crate::host::{Clock, Park};
use crate::registry::Registry;
use crate::roster::Epoch;
#[cfg(feature = "std")]
use crate::spawn::StdThreads;
use crate::start::start;
#[cfg(feature = "std")]
use crate::unwind;
use crate::waiter::Waiter;

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    /// Starts, and gives the worker to the caller: for a loop or thread of its own, an RTOS task,
    /// an interrupt handler. The life lasts until that worker has left.
    ///
    /// # Errors
    ///
    /// [`StartError::AlreadyStarted`] if an earlier worker has not left, or a shutdown has not
    /// finished.
    ///
    /// ```
    /// use slotted::{Owned, Ran};
    ///
    /// struct Uart; // a peripheral
    ///
    /// static UART: Owned<Uart, 8> = Owned::new();
    /// let (mut worker, mut uart) = (UART.worker().unwrap(), Uart);
    /// assert!(UART.worker().is_err(), "it has one owner");
    /// assert_eq!(worker.run_one(&mut uart), Ran::Nothing);
    /// ```
    pub fn worker(&self) -> Result<OwnedWorker<'_, L, H>, StartError<Infallible>> {
        let mut given = None;
        start(self.registry(), |worker| {
            given = Some(OwnedWorker::new(worker));
            Ok::<(), Infallible>(())
        })?;
        // There is one worker, and `start` gave it to the closure.
        given.ok_or(StartError::AlreadyStarted)
    }

    /// Starts on a std thread of its own, which makes the `L` by `make`, owns it, and drops it
    /// after the last task.
    ///
    /// An error of `make`, or a panic in it, makes the executor broken. Its tasks end with
    /// [`TaskError::Broken`](crate::TaskError::Broken), and it refuses later ones until the next
    /// start.
    ///
    /// # Blocking
    ///
    /// Does not wait for `make`.
    ///
    /// # Errors
    ///
    /// If it is running already, or has not finished shutting down; or if the thread cannot be
    /// made.
    ///
    /// ```
    /// use slotted::error::WorkerStartError;
    /// use slotted::{Owned, Shutdown, StdThreads, TaskError};
    ///
    /// static SOCKET: Owned<u16, 8> = Owned::new();
    /// SOCKET.start(&StdThreads::new(), || Ok(8080)).unwrap();
    /// assert_eq!(SOCKET.submit(|port| *port).unwrap().result(), Ok(8080));
    /// SOCKET.shutdown(Shutdown::Drain).unwrap();
    ///
    /// let early = Owned::<u16, 8>::new();
    /// let handle = early.submit(|port| *port).unwrap();
    /// early.run(&StdThreads::new(), || Err(WorkerStartError), |_| ()).unwrap();
    /// assert_eq!(handle.result(), Err(TaskError::Broken));
    /// ```
    #[cfg(feature = "std")]
    pub fn start(
        &'static self,
        threads: &StdThreads,
        make: impl FnOnce() -> Result<L, WorkerStartError> + Send + 'static,
    ) -> Result<(), StartError<std::io::Error>>
    where
        L: 'static,
    {
        let mut make = Some(make);
        start(self.registry(), |worker| {
            let (worker, make) = (OwnedWorker::new(worker), make.take());
            let work = move || make.map_or((), |make| worker.run_made(make));
            threads.builder(0).spawn(work).map(drop)
        })
    }

    /// Starts on a std thread, runs `body`, drains the executor and waits for the owner to leave,
    /// also when `body` panics. Works for an executor on the stack: the thread is scoped. `make`
    /// makes the `L` in that thread, as in [`start`](Self::start).
    ///
    /// # Blocking
    ///
    /// Until the owner has left.
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
    /// use slotted::{Owned, StdThreads};
    ///
    /// let log: Owned<Vec<u8>, 8> = Owned::new();
    /// let length = log.run(&StdThreads::new(), || Ok(vec![1, 2]), |log| {
    ///     log.submit(|bytes| bytes.len()).unwrap().result()
    /// });
    /// assert_eq!(length.unwrap(), Ok(2));
    /// ```
    #[cfg(feature = "std")]
    #[doc(alias = "with")]
    pub fn run<R>(
        &self,
        threads: &StdThreads,
        make: impl FnOnce() -> Result<L, WorkerStartError> + Send,
        body: impl FnOnce(&Self) -> R,
    ) -> Result<R, StartError<std::io::Error>> {
        let mut make = Some(make);
        std::thread::scope(|scope| {
            start(self.registry(), |worker| {
                let (worker, make) = (OwnedWorker::new(worker), make.take());
                let work = move || make.map_or((), |make| worker.run_made(make));
                threads.builder(0).spawn_scoped(scope, work).map(drop)
            })?;
            let shut_down = unwind::Bomb::new(|| {
                let _ = self.shutdown(Shutdown::Drain);
            });
            let result = body(self);
            drop(shut_down);
            Ok(result)
        })
    }

    /// Stops taking tasks, has the owner run those that have not started, or cancels them, and
    /// waits for the owner to leave. As [`Executor::shutdown`](crate::Executor::shutdown), but for
    /// what no owner is left for. No other thread can run it, so the caller cancels it; or the
    /// owner does, if it leaves later, and then the last of it may be dropped shortly after this
    /// returns. After a `start` what was owned is dropped before this returns.
    ///
    /// # Blocking
    ///
    /// Until the owner has left.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if the owner calls it, in a task or in the loop that calls
    /// [`run_one`](OwnedWorker::run_one): the thread that called that last. The shutdown has begun
    /// all the same.
    ///
    /// ```
    /// # use slotted::{Owned, Shutdown};
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// let handle = log.submit(|bytes| bytes.push(1)).unwrap();
    /// log.shutdown(Shutdown::Drain).unwrap();
    /// assert!(handle.cancelled(), "it had no owner");
    /// ```
    pub fn shutdown(&self, shutdown: Shutdown) -> Result<(), ShutdownError> {
        self.shut_down(shutdown, &Never::<H>::new())
    }

    /// As [`shutdown`](Self::shutdown), but waits at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown), and [`ShutdownError::TimedOut`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Owned, Shutdown, ShutdownError};
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// std::thread::scope(|s| {
    ///     let worker = log.worker().unwrap();
    ///     let limit = Duration::from_millis(1);
    ///     let late = log.shutdown_timeout(Shutdown::Drain, limit);
    ///     assert_eq!(late, Err(ShutdownError::TimedOut), "the owner is still there");
    ///     # drop(worker);
    /// });
    /// ```
    pub fn shutdown_timeout(
        &self,
        shutdown: Shutdown,
        timeout: Duration,
    ) -> Result<(), ShutdownError>
    where
        H: Clock,
    {
        self.shut_down(shutdown, &Deadline::<H>::after(timeout))
    }

    /// As [`shutdown`](Self::shutdown), but awaits the end, under any async runtime. The shutdown
    /// begins at the first poll. Dropping the future does not take it back.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if the owner polls it.
    ///
    /// ```
    /// # use slotted::{Executor, Owned, Shutdown, StdThreads};
    /// static ASYNC: Executor<0, 2, 512> = Executor::new();
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// LOG.start(&StdThreads::new(), || Ok(vec![])).unwrap();
    /// let closing = ASYNC.submit_future(LOG.shutdown_async(Shutdown::Drain)).unwrap();
    /// assert_eq!(closing.result(), Ok(Ok(())));
    /// ```
    pub async fn shutdown_async(&self, shutdown: Shutdown) -> Result<(), ShutdownError> {
        let epoch = self.begin(shutdown);
        shut_down_async(self.registry(), epoch, OwnerGone).await
    }

    /// As [`shutdown`](Self::shutdown), but does not wait.
    ///
    /// # Context
    ///
    /// Any thread. It drops the closures of tasks that it cancels: with `Drain`, if no owner is
    /// there that will run them.
    ///
    /// ```
    /// # use slotted::{Owned, Ran, Shutdown};
    /// let log: Owned<Vec<u8>, 4> = Owned::new();
    /// let mut worker = log.worker().unwrap();
    /// log.submit(|bytes| bytes.push(1)).unwrap().detach();
    /// log.begin_shutdown(Shutdown::Drain);
    /// let mut bytes = vec![];
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Task);
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Left);
    /// assert_eq!(bytes, [1]);
    /// ```
    pub fn begin_shutdown(&self, shutdown: Shutdown) {
        self.begin(shutdown);
    }

    /// Begins a shutdown, once: foreign code that it calls may begin another life.
    fn begin(&self, shutdown: Shutdown) -> Epoch {
        let epoch = begin_shutdown(self.registry(), shutdown);
        cancel_unowned(self.registry());
        epoch
    }

    fn shut_down(&self, shutdown: Shutdown, timeout: &impl Timeout) -> Result<(), ShutdownError> {
        let epoch = self.begin(shutdown);
        shut_down(self.registry(), epoch, timeout, OwnerGone)
    }
}

/// A wait for the end of a life. The thread cancels what no owner is left for.
struct OwnerGone<'e, H: Park>(LifeOver<'e, H>);

impl<H: Park> WaitFor<H> for OwnerGone<'_, H> {
    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn drives(&self, registry: Registry<'_, H>) -> bool {
        self.0.drives(registry)
    }

    fn may_have_driven(&self, registry: Registry<'_, H>) -> bool {
        self.0.may_have_driven(registry)
    }

    /// It has nothing to lend.
    fn drive_once(&self, registry: Registry<'_, H>) -> bool {
        cancel_unowned(registry)
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.0.register(waiter)
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.0.deregister(waiter)
    }
}
