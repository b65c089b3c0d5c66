//! A worker: the loop that takes tasks and runs them, and its life from attaching to leaving.
//!
//! Invariants:
//!
//! - **One Attached.** At most one thread at a time runs the worker of a given number: attaching
//!   checks and sets its bit in one section.
//! - **Lent.** A [`Worker`] refers to its executor as if that lived for ever. `start` makes that
//!   true; here, dropping a `Worker` touches the executor last by lowering `alive`.
//!
//! `unsafe` here: the pointer to the worker's cell, and the raw one for C entry points.

use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;

use crate::completion::{complete, execute};
use crate::host::Park;
use crate::registry::{Look, Registry, WorkerCell};
use crate::sync::Ordering;
use crate::unwind;
use crate::waiter::Waiter;

/// The epoch of no `start`: they begin with 1, and 2^32 starts later this one is skipped.
pub(crate) const STALE: u32 = 0;

/// One thread's worth of an executor: what a host runs.
///
/// [`start`](crate::Executor::start) gives one to the host for each worker; the host calls
/// [`run`](Self::run) on a thread of its own, or [`run_one`](Self::run_one) from a loop of its own.
/// Dropping it makes the worker leave.
#[must_use = "a worker that is dropped leaves its executor at once"]
pub struct Worker<H: Park> {
    /// Not a reference: one that came into a function with its argument would have to stay good
    /// until that returns, and the executor may be gone as soon as the worker is dropped in
    /// there.
    cell: NonNull<WorkerCell<H>>,
    epoch: u32,
    /// Whether this value set the worker's bit in `attached`.
    attached: bool,
}

// SAFETY: it is a `&WorkerCell`, and that is `Sync`: `cell` says so to the compiler.
unsafe impl<H: Park> Send for Worker<H> {}
// SAFETY: as above.
unsafe impl<H: Park> Sync for Worker<H> {}

impl<H: Park> Worker<H> {
    /// The worker of a cell that knows its executor, which counts it in `alive`.
    pub(crate) fn new(cell: &'static WorkerCell<H>, epoch: u32) -> Self {
        Self {
            cell: NonNull::from(cell),
            epoch,
            attached: false,
        }
    }

    fn cell(&self) -> &WorkerCell<H> {
        fn shared<T: Sync>(cell: &T) -> &T {
            cell
        }
        // SAFETY: *Lent*: the cell is there as long as the worker is.
        shared(unsafe { self.cell.as_ref() })
    }

    /// Runs tasks until the executor shuts down: runs the start hook, takes tasks, parks when there
    /// is nothing to do.
    ///
    /// # Blocking
    ///
    /// Until shutdown. It parks only after it found the queue empty.
    ///
    /// # Context
    ///
    /// Any thread that may call [`Park::park`].
    pub fn run(mut self) {
        let Some((registry, worker)) = self.attach() else {
            return;
        };
        let (searching, mut tired) = (Cell::new(false), false);
        let mut round = 0;
        let broken_off = unwind::Bomb::new(|| registry.lose(worker, searching.get()));
        // Endless for a reason: ends with the executor.
        loop {
            match registry.look(worker, searching.take(), tired) {
                Look::Task(running) => {
                    execute(registry, running, Some(worker));
                    (tired, round) = (false, 0);
                }
                Look::Nothing => {
                    searching.set(true);
                    tired = true;
                    // Goes on where it was when the last look found that somebody else had been
                    // faster.
                    while H::relax(round) {
                        round = round.saturating_add(1);
                        if registry.shared().is_worth_a_look() {
                            tired = false;
                            break;
                        }
                    }
                }
                Look::Idle => {
                    let mut lingered = 0;
                    while !registry.shared().is_worth_a_look() && H::linger(lingered) {
                        lingered = lingered.saturating_add(1);
                    }
                    if !registry.shared().is_worth_a_look() {
                        H::park();
                    }
                    (tired, round) = (false, 0);
                }
                Look::Leave => break,
            }
        }
        broken_off.defuse();
    }

    /// Runs the oldest ready task, if there is one. For super-loops, and for workers that live in
    /// an interrupt handler.
    ///
    /// Nobody unparks a worker that is driven this way: whoever finds [`Ran::Nothing`] looks again
    /// when its loop, or the interrupt it lives in, comes round. A thread that wants to sleep
    /// until there is a task calls [`run`](Self::run).
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    pub fn run_one(&mut self) -> Ran {
        let Some((registry, worker)) = self.attach() else {
            return Ran::Left;
        };
        match registry.look_once(worker) {
            Look::Task(running) => {
                execute(registry, running, Some(worker));
                Ran::Task
            }
            // A loop of the host's own does not park: nobody needs to wake it.
            Look::Nothing | Look::Idle => Ran::Nothing,
            Look::Leave => {
                self.leave();
                Ran::Left
            }
        }
    }

    /// The worker's number: from 0 to `WORKERS - 1`.
    #[must_use]
    pub fn index(&self) -> usize {
        self.home().map_or(0, |(_, worker)| usize::from(worker))
    }

    /// The worker as one pointer, for an entry point that takes a `void *`. Get it back with
    /// [`from_raw`](Self::from_raw).
    #[must_use = "a worker that is never run keeps its executor from shutting down"]
    pub fn into_raw(self) -> *mut () {
        self.cell().desk.with(|desk| {
            desk.raw_epoch.set(self.epoch);
            desk.raw_attached.set(self.attached);
        });
        let pointer = self.cell.as_ptr().cast::<()>();
        core::mem::forget(self);
        pointer
    }

    /// The worker that [`into_raw`](Self::into_raw) made a pointer of.
    ///
    /// # Safety
    ///
    /// - `pointer` comes from `Worker::<H>::into_raw`, for the same `H`, and is used at most once.
    pub unsafe fn from_raw(pointer: *mut ()) -> Self {
        // SAFETY: it was a `&'static WorkerCell<H>`, and by *Lent* the cell is there as long as the
        // worker is.
        let cell = unsafe { &*pointer.cast_const().cast::<WorkerCell<H>>() };
        // Of several pointers to one cell, left over from starts that were refused, one finds the
        // note.
        let (epoch, attached) = cell.desk.with(|desk| {
            (
                desk.raw_epoch.replace(STALE),
                desk.raw_attached.replace(false),
            )
        });
        Self {
            cell: NonNull::from(cell),
            epoch,
            attached,
        }
    }

    /// The executor and our number in it. Told by the address of our cell.
    fn home(&self) -> Option<(Registry<'static, H>, u16)> {
        let registry = self.cell().desk.with(|desk| desk.home.get())?;
        let place = registry
            .workers()
            .iter()
            .position(|cell| core::ptr::eq(cell, self.cell.as_ptr()))?;
        Some((registry, place as u16)) // at most as many workers as bits in a word
    }

    /// Binds the worker to the calling thread. `None`: it is stale, or another value has it, or its
    /// hook failed.
    fn attach(&mut self) -> Option<(Registry<'static, H>, u16)> {
        let (registry, worker) = self.home()?;
        if self.attached {
            self.sit_down();
            return Some((registry, worker));
        }
        let bit = 1_usize << worker;
        self.attached = registry.shared().ready.with(|ready| {
            let ours = ready.epoch.get() == self.epoch
                && ready.issued.get() & bit != 0
                && ready.attached.get() & bit == 0;
            if ours {
                ready.attached.set(ready.attached.get() | bit);
            }
            ours
        });
        if !self.attached {
            return None;
        }
        self.sit_down();
        if let Some((hook, break_down)) = registry.shared().on_worker_start {
            let started = unwind::catch(|| hook(usize::from(worker)));
            if !matches!(started, Ok(Ok(()))) {
                unwind::discard(started);
                break_down(registry);
                self.leave();
                return None;
            }
        }
        Some((registry, worker))
    }

    /// Makes the calling thread the one that others wake and that knows itself as the worker.
    fn sit_down(&self) {
        let id = H::current_id();
        // Relaxed: other threads only compare it with their own numbers.
        if self.cell().id.load(Ordering::Relaxed) != id {
            let thread = H::current();
            drop(
                self.cell()
                    .desk
                    .with(|desk| desk.thread.replace(Some(thread))),
            );
            self.cell().id.store(id, Ordering::Relaxed); // as above
        }
    }

    /// Unbinds the worker and takes it off the executor's books. Does nothing the second time.
    fn leave(&mut self) {
        let Some((registry, worker)) = self.home() else {
            return;
        };
        let bit = 1_usize << worker;
        let attached = core::mem::replace(&mut self.attached, false);
        if attached {
            if let Some(hook) = registry.shared().on_worker_exit {
                unwind::contain(|| hook(usize::from(worker)));
            }
            self.cell().id.store(0, Ordering::Relaxed); // as in `sit_down`
            drop(self.cell().desk.with(|desk| desk.thread.take()));
        }
        let closer = registry.shared().ready.with(|ready| {
            if attached {
                ready.attached.set(ready.attached.get() & !bit);
            }
            if ready.epoch.get() == self.epoch && ready.attached.get() & bit == 0 {
                ready.issued.set(ready.issued.get() & !bit);
            }
            if ready.issued.get() == 0 || ready.attached.get() == 0 {
                ready.closer.take()
            } else {
                Waiter::None
            }
        });
        registry.notify(closer);
    }
}

impl<H: Park> Drop for Worker<H> {
    fn drop(&mut self) {
        let Some((registry, _)) = self.home() else {
            return;
        };
        self.leave();
        let shared = registry.shared();
        let owner = shared.owner.with(|owner| {
            let thread = owner.take();
            owner.set(thread.clone());
            thread
        });
        // Release: the owner sees all that this worker did. The last touch (*Lent*): `owner` is
        // ours.
        shared.alive.fetch_sub(1, Ordering::Release);
        if let Some(owner) = owner {
            H::unpark(&owner);
        }
    }
}

impl<H: Park> fmt::Debug for Worker<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index())
            .finish_non_exhaustive()
    }
}

/// What [`Worker::run_one`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "`Left` means that the worker is not to be called again"]
pub enum Ran {
    /// A task was run, or a future polled.
    Task,
    /// There was nothing to run.
    Nothing,
    /// The executor has shut down, or was never this worker's: it has left.
    Left,
}

/// Ends every accepted task as broken and refuses all others.
pub(crate) fn break_down<H: Park>(registry: Registry<'_, H>) {
    registry.set_mode(|ready| ready.broken.set(true));
    // Bound: what was accepted before; nothing is now.
    while let Some(running) = registry.take_next(None) {
        complete(registry, running.abandon());
    }
    for index in 0..registry.capacity() {
        let slot = registry.slot(index);
        // Resting, it is in no list, and scheduled by us, nobody else puts it into one.
        if let Some(running) = if slot.schedule() { slot.start() } else { None } {
            complete(registry, running.abandon());
        }
    }
    // What a waker put into the queue meanwhile.
    while let Some(running) = registry.take_next(None) {
        complete(registry, running.abandon());
    }
    registry.wake_all();
}
