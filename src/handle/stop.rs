//! Stopping a task that runs: asking it to end, and waiting until it has.
#![forbid(unsafe_code)]

use core::time::Duration;

use super::JoinHandle;
use crate::blocking::{Deadline, Never, RunUnstarted, TaskDone, Timeout, WaitFor, block};
use crate::canceller::request_stop;
use crate::error::TaskError;
use crate::host::{Clock, Park};
use crate::list::{Index, Seat};
use crate::slot::{Running, SlotRef, Wake};
use crate::unwind::Bomb;
use crate::waiter::Waiter;

impl<T, H: Park> JoinHandle<'_, T, H> {
    /// Cancels the task if no thread has it, or asks the closure that runs to stop. Returns true if
    /// this call was the first to do so.
    ///
    /// A closure sees the request if [`submit_stoppable`](crate::Executor::submit_stoppable) took
    /// it, at its next look. What it returns is an ordinary value.
    ///
    /// - It cancels a queued task, an async task between two polls, and an open promise, as
    ///   [`cancel`](Self::cancel) does, and returns true.
    /// - A closure that runs is asked: true the first time, then false. A closure from plain
    ///   [`submit`](crate::Executor::submit) cannot see that, and runs on.
    /// - It does nothing, and returns false, in the middle of a poll of an async task or of a run
    ///   of a timed task, and to a promise set running: these have no room for a request.
    /// - The same if the task has ended or was cancelled.
    ///
    /// A task of a scope is as any other. Handles of `slotted-remote` belong to async tasks, which
    /// wait for another process, chip or machine: the call cancels them, unless they were set
    /// running (`Command::kill_cancelled`).
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block. Where it cancels, the calling thread drops the
    /// closure or future, calls the callbacks and wakes the waiters.
    ///
    /// # Cost
    ///
    /// A compare-and-swap, if the closure runs.
    ///
    /// # Python
    ///
    /// None. Programs there set a `threading.Event`.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit_stoppable(|stop| stop.requested()).unwrap();
    /// assert!(handle.request_stop(), "it was queued");
    /// assert!(handle.cancelled());
    /// assert!(!handle.request_stop(), "it has ended");
    /// ```
    #[doc(alias = "stop")]
    pub fn request_stop(&self) -> bool {
        let receiver = self.receiver.as_ref();
        receiver.is_some_and(|receiver| request_stop(self.registry, receiver.slot(), None))
    }

    /// Returns true if the closure was asked to stop while it ran, whether it has ended since or
    /// not. Returns false if a request cancelled it: see [`cancelled`](Self::cancelled).
    ///
    /// ```
    /// use slotted::{Executor, StdThreads};
    ///
    /// let executor: Executor<1, 1> = Executor::new();
    /// let asked = executor.run(&StdThreads::new(), |pool| {
    ///     let mut handle =
    ///         pool.submit_stoppable(|stop| while !stop.requested() {}).unwrap();
    ///     while !handle.running() {
    ///         std::thread::yield_now();
    ///     }
    ///     assert!(!handle.stop_requested());
    ///     handle.request_stop();
    ///     assert_eq!(handle.wait(), Ok(&()), "a value, and not cancelled");
    ///     handle.stop_requested()
    /// });
    /// assert!(asked.unwrap());
    /// ```
    #[must_use]
    pub fn stop_requested(&self) -> bool {
        let receiver = self.receiver.as_ref();
        receiver.is_some_and(|receiver| receiver.was_asked_to_stop())
    }

    /// Cancels the task; or asks it to stop, and waits until it has ended. When it returns, no
    /// thread runs the task any more.
    ///
    /// So it ends soon only if the closure looks at its [`Stop`](crate::Stop). A task that cannot
    /// be asked is waited for: a closure from plain `submit`, and a promise or an async task that
    /// was set running. Another async task in the middle of a poll is woken, and cancelled when
    /// that poll, or a later one, has ended.
    ///
    /// Only a handle waits, since only a handle keeps the slot. Several threads share one, and each
    /// calls [`cancel_and_wait`](Self::cancel_and_wait).
    ///
    /// # Blocking
    ///
    /// Until the task has ended. With `WORKERS = 0` the calling thread runs other ready tasks
    /// meanwhile. A caller that holds what the task needs in order to end waits for itself:
    /// [`cancel_sync_timeout`](Self::cancel_sync_timeout) has a limit.
    ///
    /// # Context
    ///
    /// Any thread that may park; not an interrupt handler.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`] if the task was cancelled. Otherwise as [`result`](Self::result):
    /// a task that ended with a value has that value. [`TaskError::WouldDeadlock`] in the task
    /// itself; the request stays.
    ///
    /// # Python
    ///
    /// None; Zephyr's `k_work_cancel_sync`.
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<0, 4> = Executor::new();
    /// let handle = executor.submit_stoppable(|stop| stop.requested()).unwrap();
    /// assert_eq!(handle.cancel_sync(), Err(TaskError::Cancelled));
    /// ```
    pub fn cancel_sync(self) -> Result<T, TaskError> {
        self.stop_and_wait(&Never::<H>::new())?;
        self.wait_and_consume()
    }

    /// As [`cancel_sync`](Self::cancel_sync), but waits at most `timeout`; zero asks, and looks.
    /// The handle stays good if it times out, and so does the request.
    ///
    /// # Errors
    ///
    /// As [`cancel_sync`](Self::cancel_sync), and [`TaskError::TimedOut`];
    /// [`TaskError::AlreadyTaken`] if an earlier call took the value.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::{Executor, StdThreads, TaskError};
    /// # use std::sync::mpsc::channel;
    /// let executor: Executor<1, 1> = Executor::new();
    /// executor.run(&StdThreads::new(), |pool| {
    ///     let (go, wait) = channel();
    ///     // Deaf: it does not look at its token.
    ///     let mut deaf = pool.submit_stoppable(move |_| wait.recv().is_ok()).unwrap();
    ///     while !deaf.running() {
    ///         std::thread::yield_now();
    ///     }
    ///     assert_eq!(deaf.cancel_sync_timeout(Duration::ZERO), Err(TaskError::TimedOut));
    ///     go.send(()).unwrap();
    ///     assert_eq!(deaf.cancel_sync_timeout(Duration::from_secs(60)), Ok(true));
    /// })
    /// # .unwrap();
    /// ```
    pub fn cancel_sync_timeout(&mut self, timeout: Duration) -> Result<T, TaskError>
    where
        H: Clock,
    {
        self.stop_and_wait(&Deadline::<H>::after(timeout))?;
        self.take().unwrap_or(Err(TaskError::AlreadyTaken))
    }

    /// As [`cancel_sync`](Self::cancel_sync), for several threads at once: it takes no value.
    /// Returns why the task has none; `None` if it has one.
    ///
    /// Each of the threads returns when the task has ended, whichever of them cancelled it.
    ///
    /// # Blocking, context
    ///
    /// As [`cancel_sync`](Self::cancel_sync).
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let handle = executor.submit(|| 6 * 7).unwrap();
    /// std::thread::scope(|s| {
    ///     for _ in 0..2 {
    ///         s.spawn(|| assert_eq!(handle.cancel_and_wait(), Some(&TaskError::Cancelled)));
    ///     }
    /// });
    /// ```
    pub fn cancel_and_wait(&self) -> Option<&TaskError> {
        match self.stop_and_wait(&Never::<H>::new()) {
            Ok(()) => self.receiver.as_ref()?.look()?.err(),
            Err(error) => Some(error.lend()),
        }
    }

    /// Cancels the task or asks it to stop, and waits until its outcome is takeable.
    fn stop_and_wait(&self, timeout: &impl Timeout) -> Result<(), TaskError> {
        let Some(receiver) = &self.receiver else {
            return Err(TaskError::AlreadyTaken);
        };
        let (registry, slot) = (self.registry, receiver.slot());
        // Bound: one round for each poll that a worker began between the look and the cancelling.
        loop {
            request_stop(registry, slot, None);
            if slot.snapshot().is_takeable() {
                return Ok(());
            }
            // From here on a future that is queued again wakes its waiters.
            registry.waits().with(|waits| waits.worker_sleeps());
            // Also if the host panics in the wait.
            let awake = Bomb::new(|| registry.waits().with(|waits| waits.worker_woke()));
            let index = slot.index();
            let over = Stopping(TaskDone { registry, index });
            let waited = block(registry, &over, timeout, RunUnstarted::Workers);
            drop(awake);
            waited?;
        }
    }
}

/// A wait for the end of a task, or for the moment at which it can be cancelled.
struct Stopping<'e, H: Park>(TaskDone<'e, H>);

impl<H: Park> Stopping<'_, H> {
    fn slot(&self) -> SlotRef<'_> {
        self.0.registry.slot(self.0.index)
    }
}

impl<H: Park> WaitFor<H> for Stopping<'_, H> {
    /// Each look wakes a future that is being polled. So the end of that poll puts it into the
    /// queue, and the waiter is told.
    fn is_over(&self) -> bool {
        let slot = self.slot();
        // It will not be cancelled, wherever it is: no further poll is asked for.
        if slot.snapshot().is_set_running() {
            return false;
        }
        let rests = matches!(slot.wake(), Wake::Rests(_));
        let seen = slot.snapshot();
        if seen.is_set_running() {
            return false;
        }
        rests || seen.is_takeable() || seen.is_at_rest()
    }

    /// A future in the queue is cancelled, unless it was set running. That one is polled.
    fn take_unstarted(&self, runner: Option<Seat>) -> Option<Running<'_>> {
        if self.slot().snapshot().is_set_running() {
            self.0.take_unstarted(runner)
        } else {
            None
        }
    }

    fn needs_start(&self) -> bool {
        self.slot().snapshot().is_set_running() && self.0.needs_start()
    }

    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        self.0.register(waiter)
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        self.0.deregister(waiter)
    }

    fn single_task(&self) -> Option<Index> {
        self.0.single_task()
    }

    fn lies_beneath(&self, thread: usize) -> bool {
        self.0.lies_beneath(thread)
    }
}
