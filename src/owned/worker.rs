//! The worker that owns something: it lends it to each task that it runs.
//!
//! `unsafe` here: the lending.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::completion::{cancel_unowned, put_back_aside};
#[cfg(feature = "std")]
use crate::error::WorkerStartError;
use crate::host::{DefaultHost, Park};
use crate::registry::WorkerCell;
#[cfg(feature = "std")]
use crate::unwind;
#[cfg(feature = "std")]
use crate::worker::break_down;
use crate::worker::{Ran, Ready, Worker};

/// The one worker of an [`Owned`](crate::Owned). [`Owned::worker`](crate::Owned::worker) gives it.
///
/// The thread that runs it is the owner: it brings the `L`, and keeps it. The worker itself holds
/// no `L` and may go to another thread. A worker that is dropped leaves the executor: the tasks
/// wait for another one.
#[must_use = "a worker that is dropped leaves its executor at once"]
pub struct OwnedWorker<'e, L, H: Park = DefaultHost> {
    /// Runs tasks without lending anything: it must not leave this file.
    worker: Worker<'e, H>,
    /// The worker's own, at hand for each round.
    cell: &'e WorkerCell<H>,
    owns: PhantomData<fn(L) -> L>,
}

impl<'e, L, H: Park> OwnedWorker<'e, L, H> {
    /// The worker is that of an `Owned` of the same `L`.
    pub(super) fn new(worker: Worker<'e, H>) -> Self {
        let cell = worker.cell();
        Self {
            worker,
            cell,
            owns: PhantomData,
        }
    }

    /// Puts back what was set aside. Called before the worker is bound to another thread.
    fn put_back_aside(&self) {
        put_back_aside(self.worker.registry(), self.cell);
    }

    /// Runs tasks until the executor shuts down, and lends each of them `owned`. Then leaves, and
    /// gives `owned` back.
    ///
    /// # Blocking
    ///
    /// Until shutdown. It parks only after it found the queue empty.
    ///
    /// # Context
    ///
    /// Any thread that may call [`Park::park`].
    ///
    /// ```
    /// use slotted::{Owned, Shutdown};
    ///
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// let worker = LOG.worker().unwrap();
    /// let owner = std::thread::spawn(|| worker.run(vec![1, 2]));
    /// LOG.submit(|bytes| bytes.push(7)).unwrap().detach();
    /// LOG.shutdown(Shutdown::Drain).unwrap();
    /// assert_eq!(owner.join().unwrap(), [1, 2, 7]);
    /// ```
    #[must_use = "what the worker owned comes back"]
    pub fn run(mut self, mut owned: L) -> L {
        self.serve(&mut owned);
        // The worker leaves before what it owned comes back.
        drop(self);
        owned
    }

    fn serve(&mut self, owned: &mut L) {
        let (registry, cell) = (self.worker.registry(), self.cell);
        let loan = NonNull::from(owned);
        let look_round = || put_back_aside(registry, cell);
        look_round();
        self.worker.run_with(look_round, |running| {
            // SAFETY: *All Lent*: an `Owned` of this `L` filled the slot. `owned` is ours alone
            // during this call, and the loop runs one task at a time.
            unsafe { running.lend(loan) }
        });
    }

    /// Runs the oldest task, if there is one, and lends it `owned`. For super-loops, and for
    /// drivers that live in an interrupt handler.
    ///
    /// [`Park::ready`] tells the host when there is work.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// ```
    /// use slotted::{Owned, Ran, Shutdown};
    ///
    /// static LOG: Owned<Vec<u8>, 8> = Owned::new();
    /// let (mut worker, mut bytes) = (LOG.worker().unwrap(), vec![]);
    /// LOG.submit(|bytes| bytes.push(7)).unwrap().detach();
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Task);
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Nothing);
    /// LOG.begin_shutdown(Shutdown::Drain);
    /// assert_eq!(worker.run_one(&mut bytes), Ran::Left);
    /// assert_eq!(bytes, [7]);
    /// ```
    pub fn run_one(&mut self, owned: &mut L) -> Ran {
        self.put_back_aside();
        let loan = NonNull::from(owned);
        self.worker.run_one_with(|running| {
            // SAFETY: *All Lent*: an `Owned` of this `L` filled the slot. `owned` is ours alone
            // during this call, which runs one task.
            unsafe { running.lend(loan) }
        })
    }

    /// Waits until [`run_one`](Self::run_one) has something to do: a task, or to leave. So the
    /// owner can be a task of another async executor. See [`Worker::ready`](crate::Worker::ready).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// use slotted::{OwnedWorker, Ran};
    ///
    /// async fn own(mut worker: OwnedWorker<'static, Vec<u8>>, mut bytes: Vec<u8>) -> Vec<u8> {
    ///     loop {
    ///         worker.ready().await;
    ///         if worker.run_one(&mut bytes) == Ran::Left {
    ///             return bytes;
    ///         }
    ///     }
    /// }
    /// ```
    pub fn ready(&mut self) -> Ready<'_, 'e, H> {
        self.put_back_aside();
        self.worker.ready()
    }

    /// As [`run`](Self::run), with what `make` makes in the calling thread. An error, or a panic,
    /// breaks the executor.
    #[cfg(feature = "std")]
    pub(super) fn run_made(mut self, make: impl FnOnce() -> Result<L, WorkerStartError>) {
        if self.worker.attach().is_none() {
            return;
        }
        match unwind::catch(make) {
            Ok(Ok(owned)) => unwind::discard(self.run(owned)),
            failed => {
                unwind::discard(failed);
                break_down(self.worker.registry());
            }
        }
    }
}

impl<L, H: Park> Drop for OwnedWorker<'_, L, H> {
    /// Leaves. If the executor is shut down, cancels what no thread can run any more.
    fn drop(&mut self) {
        self.put_back_aside();
        self.worker.leave();
        cancel_unowned(self.worker.registry());
    }
}

impl<L, H: Park> fmt::Debug for OwnedWorker<'_, L, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWorker").finish_non_exhaustive()
    }
}
