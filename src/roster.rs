//! The workers that the host has, and the life the executor is in. Lives inside the lock of the
//! ready queue.
//!
//! A life begins with `start`, which raises the epoch, and ends when the last worker has left. A
//! worker, a shutdown and a refused start belong to the life they began in and change no other.
#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::error::Refusal;
use crate::host::Park;
use crate::waiter::{Waiter, WaiterCell};

/// The number of a life. 0 is before the first `start`.
pub(crate) type Epoch = u32;

/// The epoch of a worker of no life. The first `start` begins 1, and no later one begins this.
pub(crate) const STALE: Epoch = 0;

/// What a life accepts, and when its workers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Tasks are accepted.
    Open,
    /// Tasks are accepted, but the workers leave at once: the host refused one of them. Ends when
    /// no thread runs a worker.
    Abort,
    /// No task is accepted. The workers leave when the accepted tasks are done.
    Drain,
    /// As `Drain`, and the shutdown cancels what has not started, and futures when they are next
    /// suspended.
    Cancel,
}

/// The mode, the life, and the workers of it: one bit each.
pub(crate) struct Roster<H: Park> {
    mode: Cell<Mode>,
    /// True if a worker's start hook failed.
    broken: Cell<bool>,
    /// Workers that the host has.
    issued: Cell<usize>,
    /// Workers that a thread runs.
    attached: Cell<usize>,
    epoch: Cell<Epoch>,
    /// Waits for the workers to leave.
    leave_waiter: WaiterCell<H>,
}

impl<H: Park> Roster<H> {
    pub(crate) const fn new() -> Self {
        Self {
            mode: Cell::new(Mode::Open),
            broken: Cell::new(false),
            issued: Cell::new(0),
            attached: Cell::new(0),
            epoch: Cell::new(0),
            leave_waiter: WaiterCell::new(),
        }
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        self.mode.get()
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch.get()
    }

    /// Why a task is refused now, if it is.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if self.broken.get() {
            return Some(Refusal::Broken);
        }
        match self.mode.get() {
            Mode::Open | Mode::Abort => None,
            Mode::Drain | Mode::Cancel => Some(Refusal::ShutDown),
        }
    }

    /// Returns true if the host has a worker of this life, which takes tasks or will.
    pub(crate) fn has_workers(&self) -> bool {
        self.issued.get() != 0
    }

    /// Returns true if a future that is about to be suspended must end instead: the mode is
    /// `Cancel`, or the executor is broken.
    #[inline]
    pub(crate) fn ends_futures(&self) -> bool {
        self.mode.get() == Mode::Cancel || self.broken.get()
    }

    /// Begins a life with the workers of `all`. `None` if one goes on, or has not ended. `drained`
    /// is true if no accepted task is left.
    pub(crate) fn begin(&self, all: usize, drained: bool) -> Option<Epoch> {
        let is_left = self.issued.get() == 0 && self.attached.get() == 0;
        let is_over = self.mode.get() == Mode::Open || drained;
        if !is_left || !is_over || self.mode.get() == Mode::Abort {
            return None;
        }
        let epoch = next(self.epoch.get());
        self.epoch.set(epoch);
        // All bits at once, so that a worker that is quick to leave is not the last.
        self.issued.set(all);
        self.mode.set(Mode::Open);
        self.broken.set(false);
        Some(epoch)
    }

    /// Takes the life of `epoch` back, since the host refused a worker for it. Workers that no
    /// thread runs yet are stale. Returns false if another life has begun meanwhile.
    pub(crate) fn abort(&self, epoch: Epoch) -> bool {
        if self.epoch.get() != epoch {
            return false;
        }
        // A shutdown that began meanwhile stays.
        if self.mode.get() == Mode::Open && self.attached.get() != 0 {
            self.mode.set(Mode::Abort);
        }
        self.issued.set(0);
        true
    }

    /// Begins a shutdown. A later `Cancel` goes further than an earlier `Drain`.
    pub(crate) fn shut_down(&self, mode: Mode) {
        if self.mode.get() != Mode::Cancel {
            self.mode.set(mode);
        }
    }

    pub(crate) fn break_down(&self) {
        self.broken.set(true);
    }

    /// Attaches a worker to a thread. Returns false if it is stale, or another thread has it.
    pub(crate) fn attach(&self, bit: usize, epoch: Epoch) -> bool {
        let is_ours = self.epoch.get() == epoch
            && self.issued.get() & bit != 0
            && self.attached.get() & bit == 0;
        if is_ours {
            self.attached.set(self.attached.get() | bit);
        }
        is_ours
    }

    /// A worker leaves. Returns the waiter for that, if it may be the last, and true if the host
    /// has none now.
    pub(crate) fn leave(&self, bit: usize, epoch: Epoch, attached: bool) -> (Waiter<H>, bool) {
        if attached {
            self.attached.set(self.attached.get() & !bit);
        }
        if self.epoch.get() == epoch && self.attached.get() & bit == 0 {
            self.issued.set(self.issued.get() & !bit);
        }
        if self.attached.get() == 0 && self.mode.get() == Mode::Abort {
            self.mode.set(Mode::Open);
        }
        let is_last = self.issued.get() == 0;
        let waiter = if is_last || self.attached.get() == 0 {
            self.leave_waiter.take()
        } else {
            Waiter::NONE
        };
        (waiter, is_last)
    }

    /// Returns true if no worker is left of the life of `epoch`: the host has none and no thread
    /// runs one, or a later life has begun.
    pub(crate) fn is_left(&self, epoch: Epoch) -> bool {
        self.epoch.get() != epoch || self.issued.get() == 0 && self.attached.get() == 0
    }

    /// Returns true if no thread runs a worker but those of `own`, or a later life has begun.
    pub(crate) fn is_detached(&self, own: usize, epoch: Epoch) -> bool {
        self.epoch.get() != epoch || self.attached.get() & !own == 0
    }

    /// The cell of the waiter for the workers' leaving.
    pub(crate) fn leave_waiter(&self) -> &WaiterCell<H> {
        &self.leave_waiter
    }
}

/// The epoch after this one, never [`STALE`].
fn next(epoch: Epoch) -> Epoch {
    epoch.wrapping_add(1).max(STALE + 1)
}
