//! The executors, and what the soak knows of each.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::Thread;

use slotted::{Executor, Stats, Submitter};

use crate::ledger::Ledger;
use crate::posts;

/// Room for the largest task: four items of a map, or their results.
pub(crate) const SLOT_BYTES: usize = 256;
/// The window of maps.
pub(crate) const WINDOW: usize = 8;

pub(crate) const SMALL_WORKERS: usize = 1;
pub(crate) const MIDDLE_WORKERS: usize = 2;
pub(crate) const LARGE_WORKERS: usize = 3;

pub(crate) static SMALL: Executor<SMALL_WORKERS, 4, SLOT_BYTES> = Executor::new()
    .on_worker_start(|number| POOLS[0].enter_worker(number))
    .on_worker_exit(|_| POOLS[0].leave_worker());
pub(crate) static MIDDLE: Executor<MIDDLE_WORKERS, 16, SLOT_BYTES> = Executor::new()
    .on_worker_start(|number| POOLS[1].enter_worker(number))
    .on_worker_exit(|_| POOLS[1].leave_worker());
pub(crate) static LARGE: Executor<LARGE_WORKERS, 128, SLOT_BYTES> = Executor::new()
    .on_worker_start(|number| POOLS[2].enter_worker(number))
    .on_worker_exit(|_| POOLS[2].leave_worker());

pub(crate) static POOLS: [Pool; 3] = [
    Pool::new("small", || SMALL.submitter(), || SMALL.stats()),
    Pool::new("middle", || MIDDLE.submitter(), || MIDDLE.stats()),
    Pool::new("large", || LARGE.submitter(), || LARGE.stats()),
];

/// An executor without its numbers of workers and slots.
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    pub(crate) ledger: Ledger,
    submitter: fn() -> Submitter<'static, SLOT_BYTES>,
    stats: fn() -> Stats,
    /// Submitters hold it for reading while they have anything of the executor.
    gate: RwLock<()>,
    /// It has started, and no shutdown has begun.
    is_steady: AtomicBool,
    is_strict: AtomicBool,
    keeper: OnceLock<Thread>,
    workers_entered: AtomicUsize,
    workers_left: AtomicUsize,
}

impl Pool {
    const fn new(
        name: &'static str,
        submitter: fn() -> Submitter<'static, SLOT_BYTES>,
        stats: fn() -> Stats,
    ) -> Self {
        Self {
            name,
            ledger: Ledger::new(name),
            submitter,
            stats,
            gate: RwLock::new(()),
            is_steady: AtomicBool::new(false),
            is_strict: AtomicBool::new(false),
            keeper: OnceLock::new(),
            workers_entered: AtomicUsize::new(0),
            workers_left: AtomicUsize::new(0),
        }
    }

    pub(crate) fn submitter(&self) -> Submitter<'static, SLOT_BYTES> {
        (self.submitter)()
    }

    pub(crate) fn stats(&self) -> Stats {
        (self.stats)()
    }

    /// Lets a submitter in, if no life is being closed.
    pub(crate) fn try_enter(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.gate.try_read().ok()
    }

    /// Lets a submitter in when the next life begins.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no submitter has anything of the executor, and keeps them out.
    pub(crate) fn close(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the executor has started and no shutdown has begun. A submitter that is in
    /// and finds this true twice knows that it was true in between.
    pub(crate) fn is_steady(&self) -> bool {
        self.is_steady.load(Ordering::Acquire)
    }

    pub(crate) fn set_steady(&self, is_steady: bool) {
        self.is_steady.store(is_steady, Ordering::Release);
    }

    /// Returns true if the life has no loose items, so that the figures must agree exactly.
    pub(crate) fn is_strict(&self) -> bool {
        self.is_strict.load(Ordering::Relaxed)
    }

    /// Only while the gate is closed.
    pub(crate) fn set_strict(&self, is_strict: bool) {
        self.is_strict.store(is_strict, Ordering::Relaxed);
    }

    /// Names the thread that ends the lives: the caller.
    pub(crate) fn be_kept_by_this_thread(&self) {
        self.keeper.get_or_init(std::thread::current);
    }

    /// Asks for the end of the life.
    pub(crate) fn ask_for_end(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }

    /// How many workers have come and gone since the last call.
    pub(crate) fn take_worker_counts(&self) -> [usize; 2] {
        [&self.workers_entered, &self.workers_left].map(|count| count.swap(0, Ordering::Relaxed))
    }

    fn enter_worker(&self, number: usize) -> Result<(), slotted::error::WorkerStartError> {
        self.workers_entered.fetch_add(1, Ordering::Relaxed);
        posts::take(self.name, number);
        Ok(())
    }

    fn leave_worker(&self) {
        self.workers_left.fetch_add(1, Ordering::Relaxed);
        posts::note("left");
    }
}
