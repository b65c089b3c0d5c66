//! The worker that owns something: it lends it to each task that it runs.
//!
//! What it owns lies with the caller, or on the stack of the worker's thread. The worker passes a
//! `&mut` to it down to the one closure that it runs, as an argument: so there are never two.
//!
//! `unsafe` here: that the closure was made for this type (*All Lent*).

use core::fmt;
use core::marker::PhantomData;

use crate::completion::{cancel_unowned, execute_lent};
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
/// no `L` and may go to another thread, which brings its own. A worker that is dropped leaves the
/// executor: the tasks wait for another one, or end as cancelled if a shutdown has begun. A worker
/// that is forgotten never leaves.
#[must_use = "a worker that is dropped leaves its executor at once"]
pub struct OwnedWorker<'e, L, H: Park = DefaultHost> {
    /// Runs tasks without lending anything: it must not leave this file.
    worker: Worker<'e, H>,
    owns: PhantomData<fn(L) -> L>,
}

/// The calling thread is inside the worker until this is dropped. Before the worker leaves.
struct Inside<'e, H: Park>(&'e WorkerCell<H>);

impl<'e, H: Park> Inside<'e, H> {
    #[inline(always)]
    fn enter(cell: &'e WorkerCell<H>) -> Self {
        cell.enter();
        Self(cell)
    }
}

impl<H: Park> Drop for Inside<'_, H> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.exit();
    }
}

impl<'e, L, H: Park> OwnedWorker<'e, L, H> {
    /// The worker is that of an `Owned` of the same `L`.
    pub(super) fn new(worker: Worker<'e, H>) -> Self {
        Self {
            worker,
            owns: PhantomData,
        }
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
        if self.worker.attach().is_none() {
            return;
        }
        let _inside = Inside::enter(self.worker.cell());
        self.worker.run_with(|registry, running, seat| {
            // SAFETY: *All Lent*: what this worker finds was made by an `Owned` of this `L`.
            unsafe { execute_lent(registry, running, seat, owned) }
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
        self.worker.run_one_with(|registry, running, seat| {
            let _inside = Inside::enter(&registry.workers()[0]);
            // SAFETY: *All Lent*: what this worker finds was made by an `Owned` of this `L`.
            unsafe { execute_lent(registry, running, seat, owned) }
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
        self.worker.ready()
    }

    /// As [`run`](Self::run), with what `make` makes in the calling thread, and drops it before the
    /// worker leaves. An error, or a panic, breaks the executor.
    #[cfg(feature = "std")]
    pub(super) fn run_made(mut self, make: impl FnOnce() -> Result<L, WorkerStartError>) {
        if self.worker.attach().is_none() {
            return;
        }
        let inside = Inside::enter(self.worker.cell());
        match unwind::catch(make) {
            Ok(Ok(mut owned)) => {
                self.serve(&mut owned);
                unwind::discard(owned);
            }
            failed => {
                unwind::discard(failed);
                break_down(self.worker.registry());
            }
        }
        drop(inside);
    }
}

impl<L, H: Park> Drop for OwnedWorker<'_, L, H> {
    /// Leaves. If the executor is shut down, cancels what no thread can run any more.
    fn drop(&mut self) {
        self.worker.leave();
        cancel_unowned(self.worker.registry());
    }
}

impl<L, H: Park> fmt::Debug for OwnedWorker<'_, L, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWorker").finish_non_exhaustive()
    }
}
