//! Starting and stopping.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;

use super::Executor;
use crate::blocking::{
    Deadline, Interrupted, LifeOver, Never, RunUnstarted, Timeout, WaitFor, block,
};
use crate::completion::complete_cancelled;
use crate::error::{ShutdownError, StartError};
use crate::host::{Clock, Park};
use crate::registry::Registry;
use crate::roster::{Epoch, Mode};
use crate::spawn::Spawn;
#[cfg(feature = "std")]
use crate::spawn::StdThreads;
use crate::start::start;
use crate::unwind;
use crate::waiter::Waiter;

/// What a shutdown does with tasks that have not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Shutdown {
    /// The workers run them. Tasks that wait for a date of a [`Timetable`](crate::Timetable), and
    /// its series, are cancelled.
    Drain,
    /// The shutdown cancels them, and async tasks when they are next suspended.
    ///
    /// # Python
    ///
    /// `cancel_futures=True`.
    Cancel,
    /// As `Cancel`, and the shutdown asks each closure that runs to stop. One that
    /// [`submit_stoppable`](Executor::submit_stoppable) took sees the request when it looks.
    Stop,
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Gives the host `WORKERS` workers to run.
    ///
    /// Tasks that were submitted before begin now. A blocking wait for them before the start is
    /// [`TaskError::NotStarted`](crate::TaskError::NotStarted).
    ///
    /// # Errors
    ///
    /// If it is running already, or has not finished shutting down; or if the host refuses a
    /// worker. Then the workers that had started leave, submitted tasks still wait, and the caller
    /// may try `start` again.
    ///
    /// ```
    /// # use slotted::{Executor, Shutdown, StdThreads};
    /// static EXECUTOR: Executor<2, 8> = Executor::new();
    /// let early = EXECUTOR.submit(|| 6 * 7).unwrap();
    /// EXECUTOR.start(&StdThreads::new()).unwrap();
    /// assert_eq!(early.result(), Ok(42));
    /// EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    /// EXECUTOR.start(&StdThreads::new()).unwrap(); // and once more
    /// # EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn start<S: Spawn<H>>(&'static self, spawn: &S) -> Result<(), StartError<S::Error>> {
        start(self.registry(), |worker| spawn.spawn(worker))
    }

    /// Starts on std's threads, runs `body`, drains the executor and waits for the workers to
    /// leave, also when `body` panics. Works for an executor on the stack: the threads are scoped.
    ///
    /// # Blocking
    ///
    /// Until every worker has left.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); `body` has not run then.
    ///
    /// # Python
    ///
    /// The `with` block. What `body` submits through its argument cannot leave it; use the executor
    /// itself for handles that are read after the block.
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
    #[cfg(feature = "std")]
    #[doc(alias = "with")]
    pub fn run<R>(
        &self,
        threads: &StdThreads,
        body: impl FnOnce(&Self) -> R,
    ) -> Result<R, StartError<std::io::Error>> {
        std::thread::scope(|scope| {
            start(self.registry(), |worker| {
                let builder = threads.builder(worker.index());
                builder.spawn_scoped(scope, move || worker.run()).map(drop)
            })?;
            let shut_down = unwind::Bomb::new(|| {
                let _ = self.shutdown(Shutdown::Drain);
            });
            let result = body(self);
            drop(shut_down);
            Ok(result)
        })
    }

    /// As `run` on std's threads, for a `static` executor and any host: starts, runs `body`, drains
    /// the executor and waits for the workers to leave, also when `body` panics.
    ///
    /// # Blocking
    ///
    /// Until every worker has left. A host that keeps one for a loop of the calling thread's own
    /// keeps this call for ever: use [`start`](Self::start) there.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); `body` has not run then.
    ///
    /// ```
    /// # use slotted::{Executor, StdThreads};
    /// static EXECUTOR: Executor<2, 8> = Executor::new();
    /// let answer = EXECUTOR.run_on(&StdThreads::new(), |pool| pool.submit(|| 6 * 7).unwrap());
    /// assert_eq!(answer.unwrap().result(), Ok(42));
    /// ```
    #[doc(alias = "with")]
    pub fn run_on<S: Spawn<H>, R>(
        &'static self,
        spawn: &S,
        body: impl FnOnce(&'static Self) -> R,
    ) -> Result<R, StartError<S::Error>> {
        self.start(spawn)?;
        let shut_down = unwind::Bomb::new(|| {
            let _ = self.shutdown(Shutdown::Drain);
        });
        let result = body(self);
        drop(shut_down);
        Ok(result)
    }

    /// Stops taking tasks, runs or cancels those that have not started, and waits for the workers
    /// to leave.
    ///
    /// Idempotent; a later `Cancel` goes further than an earlier `Drain`, and a `Stop` further than
    /// both. It ends the life in which it was called, and waits for no later one. Without live
    /// workers the calling thread drains the executor. `Drain` waits for async tasks that no waker
    /// wakes, `Cancel` and `Stop` cancel them. All three leave promises alone.
    ///
    /// # Blocking
    ///
    /// Until every worker has left, no task is queued and every future is done. A future that shuts
    /// its own executor down without workers would wait for itself: it calls
    /// [`begin_shutdown`](Self::begin_shutdown).
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a worker of this executor calls it; the shutdown has
    /// begun all the same. A super-loop that is a worker calls
    /// [`begin_shutdown`](Self::begin_shutdown), and
    /// [`Worker::run_one`](crate::Worker::run_one) until that says `Left`.
    ///
    /// # Python
    ///
    /// `Executor.shutdown(wait=True)`.
    ///
    /// ```
    /// # use slotted::{Executor, Refusal, Shutdown};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// executor.shutdown(Shutdown::Cancel).unwrap();
    /// assert!(handle.cancelled());
    /// assert_eq!(executor.submit(|| 1).unwrap_err().reason(), Refusal::ShutDown);
    /// ```
    pub fn shutdown(&self, shutdown: Shutdown) -> Result<(), ShutdownError> {
        let never = Never::<H>::new();
        let epoch = begin_shutdown(self.registry(), shutdown);
        shut_down(self.registry(), epoch, &never, |life_over| life_over)
    }

    /// As [`shutdown`](Self::shutdown), but waits at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown), and [`ShutdownError::TimedOut`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, Shutdown};
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.shutdown_timeout(Shutdown::Drain, Duration::from_secs(1)).unwrap();
    /// ```
    pub fn shutdown_timeout(
        &self,
        shutdown: Shutdown,
        timeout: Duration,
    ) -> Result<(), ShutdownError>
    where
        H: Clock,
    {
        let deadline = Deadline::<H>::after(timeout);
        let epoch = begin_shutdown(self.registry(), shutdown);
        shut_down(self.registry(), epoch, &deadline, |life_over| life_over)
    }

    /// As [`shutdown`](Self::shutdown), but awaits the end, under any async runtime. The shutdown
    /// begins at the first poll. Dropping the future does not take it back.
    ///
    /// Where no worker lives, each poll runs what is ready, and a future that is woken later wakes
    /// the awaiting task.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a worker of this executor polls it: an async task cannot
    /// await the end of its own executor. Without workers that is not seen, and such a task waits
    /// for itself.
    ///
    /// ```
    /// # use slotted::{Executor, Shutdown, StdThreads};
    /// static RUNTIME: Executor<0, 2, 512> = Executor::new();
    /// static POOL: Executor<2, 8> = Executor::new();
    /// POOL.start(&StdThreads::new()).unwrap();
    /// let closing = RUNTIME.submit_future(POOL.shutdown_async(Shutdown::Drain)).unwrap();
    /// assert_eq!(closing.result(), Ok(Ok(())));
    /// ```
    pub async fn shutdown_async(&self, shutdown: Shutdown) -> Result<(), ShutdownError> {
        let epoch = begin_shutdown(self.registry(), shutdown);
        shut_down_async(self.registry(), epoch, |life_over| life_over).await
    }

    /// As [`shutdown`](Self::shutdown), but does not wait.
    ///
    /// # Context
    ///
    /// Any thread. With `Cancel` and `Stop` it drops the closures of pending tasks.
    ///
    /// # Python
    ///
    /// `Executor.shutdown(wait=False)`.
    ///
    /// ```
    /// # use slotted::{Executor, Shutdown};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// executor.begin_shutdown(Shutdown::Drain);
    /// assert_eq!(handle.result(), Ok(42));
    /// ```
    pub fn begin_shutdown(&self, shutdown: Shutdown) {
        begin_shutdown(self.registry(), shutdown);
    }
}

/// Waits for the end of the life of `epoch`, which is shut down, by what `wait` makes of that.
pub(crate) fn shut_down<'e, H: Park, W: WaitFor<H>>(
    registry: Registry<'e, H>,
    epoch: Epoch,
    timeout: &impl Timeout,
    wait: impl FnOnce(LifeOver<'e, H>) -> W,
) -> Result<(), ShutdownError> {
    refuse_own_worker(registry, epoch)?;
    let life_over = wait(LifeOver { registry, epoch });
    block(registry, &life_over, timeout, RunUnstarted::Workers).map_err(|interrupted| {
        match interrupted {
            Interrupted::TimedOut => ShutdownError::TimedOut,
            Interrupted::WouldDeadlock | Interrupted::NotStarted => ShutdownError::WouldDeadlock,
        }
    })
}

/// As [`shut_down`], but awaits the end.
pub(crate) async fn shut_down_async<'e, H: Park, W: WaitFor<H>>(
    registry: Registry<'e, H>,
    epoch: Epoch,
    wait: impl FnOnce(LifeOver<'e, H>) -> W,
) -> Result<(), ShutdownError> {
    refuse_own_worker(registry, epoch)?;
    let mut wait = AsyncLifeOver {
        registry,
        life_over: wait(LifeOver { registry, epoch }),
        registered: None,
        displaced: Waiter::NONE,
        displaced_driver: Waiter::NONE,
        drove: false,
        was_taken: [false; 2],
    };
    poll_fn(move |context| {
        let there = wait.take_waiters();
        // Bound: the tasks that were accepted, and each future's polls.
        loop {
            while wait.life_over.drives(registry) && wait.life_over.drive_once(registry) {}
            if wait.life_over.is_over() {
                there.into_iter().for_each(|waiter| registry.notify(waiter));
                return Poll::Ready(Ok(()));
            }
            if wait.register(context.waker()) {
                // Another wait of the same task is woken by the same waker.
                there.into_iter().for_each(unwind::discard);
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Begins a shutdown of the life that goes on. Returns its epoch.
pub(crate) fn begin_shutdown<H: Park>(registry: Registry<'_, H>, shutdown: Shutdown) -> Epoch {
    let mode = match shutdown {
        Shutdown::Drain => Mode::Drain,
        Shutdown::Cancel | Shutdown::Stop => Mode::Cancel,
    };
    if mode == Mode::Drain {
        // What is due runs.
        registry.advance_time();
    }
    let epoch = registry.change_roster(|roster| {
        roster.shut_down(mode);
        roster.epoch()
    });
    if mode == Mode::Cancel {
        cancel_all(registry, epoch);
    }
    if shutdown == Shutdown::Stop {
        stop_all(registry, epoch);
    }
    registry.wake_all();
    epoch
}

/// Refuses a wait for the end of a life in a worker of it, which would wait for itself.
fn refuse_own_worker<H: Park>(
    registry: Registry<'_, H>,
    epoch: Epoch,
) -> Result<(), ShutdownError> {
    if registry.current_seat().is_some() && !registry.roster(|roster| roster.is_left(epoch)) {
        return Err(ShutdownError::WouldDeadlock);
    }
    Ok(())
}

/// Cancels what waits in the queue, oldest first, and the suspended futures.
fn cancel_all<H: Park>(registry: Registry<'_, H>, epoch: Epoch) {
    // Bound: what was accepted before; nothing is now.
    while let Some(cancelled) = registry.cancel_next(epoch) {
        complete_cancelled(registry, cancelled);
    }
    // Bound: the number of slots.
    for index in 0..registry.capacity() {
        if let Some(cancelled) = registry.cancel_resting(index, epoch) {
            complete_cancelled(registry, cancelled);
        }
    }
    // What a waker put into the queue meanwhile.
    while let Some(cancelled) = registry.cancel_next(epoch) {
        complete_cancelled(registry, cancelled);
    }
}

/// Asks the closures that run to stop. Nothing is left to start: what was queued is cancelled.
fn stop_all<H: Park>(registry: Registry<'_, H>, epoch: Epoch) {
    // Bound: the number of slots.
    for index in 0..registry.capacity() {
        registry.stop_running(index, epoch);
    }
}

/// An async task that waits for a life to be over. It keeps a waiter that it displaced (*Baton*).
struct AsyncLifeOver<'e, H: Park, W: WaitFor<H>> {
    registry: Registry<'e, H>,
    life_over: W,
    registered: Option<Waker>,
    displaced: Waiter<H>,
    /// A waiter that it displaced as the driver.
    displaced_driver: Waiter<H>,
    /// It was the driver: it may have been woken for a task, perhaps of the next life.
    drove: bool,
    /// Whether the waker was gone from each of the two places when the task last looked.
    was_taken: [bool; 2],
}

impl<H: Park, W: WaitFor<H>> AsyncLifeOver<'_, H, W> {
    /// Has the end of the life wake `waker`, and each task that comes, where the life has no
    /// worker. Returns false if the caller is to look again.
    fn register(&mut self, waker: &Waker) -> bool {
        let registry = self.registry;
        let [was_taken, driver_was_taken] = core::mem::take(&mut self.was_taken);
        self.registered = Some(waker.clone());
        if let Ok(displaced) = self.life_over.register(Waiter::Waker(waker.clone())) {
            keep(registry, &mut self.displaced, displaced, was_taken);
        }
        if self.life_over.drives(registry) {
            match registry.become_driver(Waiter::Waker(waker.clone())) {
                Ok(displaced) => {
                    self.drove = true;
                    let kept = &mut self.displaced_driver;
                    keep(registry, kept, displaced, driver_was_taken);
                }
                Err(waiter) => {
                    unwind::discard(waiter);
                    self.was_taken[1] = driver_was_taken;
                    return false;
                }
            }
        } else {
            keep(
                registry,
                &mut self.displaced_driver,
                Waiter::NONE,
                driver_was_taken,
            );
        }
        !self.life_over.is_over()
    }

    /// Takes the waker away. Returns what was there, which may be that of another wait of the same
    /// task. It is gone if another waiter displaced it, or if it was woken: see [`keep`].
    fn take_waiters(&mut self) -> [Waiter<H>; 2] {
        let Some(waker) = self.registered.take() else {
            return [Waiter::NONE, Waiter::NONE];
        };
        let waiter = Waiter::Waker(waker);
        let there = [
            self.life_over.deregister(&waiter),
            self.registry.stop_driving(&waiter),
        ];
        unwind::discard(waiter);
        self.was_taken = there.each_ref().map(Waiter::is_none);
        there
    }
}

/// Keeps a displaced waiter until the end. Another one that was kept before is woken, and registers
/// again. So is the one that was kept, if what took the waker (`was_taken`) was meant for it too.
fn keep<H: Park>(
    registry: Registry<'_, H>,
    kept: &mut Waiter<H>,
    displaced: Waiter<H>,
    was_taken: bool,
) {
    if kept.is(&displaced) {
        unwind::discard(displaced);
    } else if was_taken || !displaced.is_none() {
        registry.notify(core::mem::replace(kept, displaced));
    }
}

impl<H: Park, W: WaitFor<H>> Drop for AsyncLifeOver<'_, H, W> {
    /// Wakes what it displaced, and what may be another wait of the same task. Another thread runs
    /// the tasks that this one was woken for.
    fn drop(&mut self) {
        let registry = self.registry;
        let [waiter, driver] = self.take_waiters();
        let displaced = core::mem::replace(&mut self.displaced, Waiter::NONE);
        let displaced_driver = core::mem::replace(&mut self.displaced_driver, Waiter::NONE);
        for waiter in [waiter, driver, displaced, displaced_driver] {
            registry.notify(waiter);
        }
        if self.drove {
            registry.pass_work_on();
        }
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Drop
    for Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Cancels what has not started. No worker and no handle is left: they borrow the executor.
    fn drop(&mut self) {
        self.begin_shutdown(Shutdown::Cancel);
    }
}
