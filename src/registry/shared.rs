//! What an executor has once, whatever its capacities, and what its locks guard.

use core::cell::Cell;

use super::Registry;
use crate::error::{Refusal, WorkerStartError};
use crate::host::Park;
use crate::queue::{List, READY, Stack};
use crate::sync::{AtomicU16, AtomicUsize, Lock, Ordering, const_fn};
use crate::waiter::{Place, Waiter};

/// What a worker runs first. An error makes the executor broken.
pub(crate) type StartHook = fn(usize) -> Result<(), WorkerStartError>;
/// What a worker runs last.
pub(crate) type ExitHook = fn(usize);

/// Whether tasks come in and workers stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Tasks are accepted.
    Open,
    /// Tasks are accepted, but the workers leave at once: the host refused one of them.
    Stop,
    /// No task is accepted; the workers leave when the accepted ones are done.
    Run,
    /// As `Run`, and a future that rests is cancelled.
    Cancel,
}

/// The free list and who waits for a slot.
pub(crate) struct Free<H: Park> {
    pub(super) stack: Stack,
    pub(super) in_use: Cell<u16>,
    pub(super) high_water: Cell<u16>,
    pub(crate) room: Place<H>,
}

/// The ready queue and who works on it.
pub(crate) struct Ready<H: Park> {
    pub(super) queue: List<READY>,
    pub(super) queued: Cell<u16>,
    pub(crate) mode: Cell<Mode>,
    /// A worker could not start.
    pub(crate) broken: Cell<bool>,
    /// Workers given to the host, attached to a thread, and parked: one bit each.
    pub(crate) issued: Cell<usize>,
    pub(crate) attached: Cell<usize>,
    pub(super) idle: Cell<usize>,
    /// Workers that look for work without holding the lock.
    pub(super) searching: Cell<u16>,
    /// Raised by each `start`: workers of an earlier one are stale.
    pub(crate) epoch: Cell<u32>,
    /// Somebody is inside `run`, and waits for every `Worker` to be gone.
    pub(crate) lent: Cell<bool>,
    /// Futures that are not done.
    pub(super) futures: Cell<u16>,
    /// Who waits for the workers to leave.
    pub(crate) closer: Place<H>,
    /// Who runs tasks while it waits, where there are no workers.
    pub(super) driver: Place<H>,
}

/// What an executor has once, whatever its capacities.
pub(crate) struct Shared<H: Park> {
    pub(crate) free: Lock<Free<H>>,
    pub(crate) ready: Lock<Ready<H>>,
    /// Not zero when a look at the queue is worth its lock. Relaxed: whoever parks looks under the lock first.
    pub(super) hint: AtomicUsize,
    /// `Worker` values that exist. The last thing a worker touches.
    pub(crate) alive: AtomicUsize,
    /// The thread inside `run`, which waits for `alive` to become 0.
    pub(crate) owner: Lock<Cell<Option<H::Thread>>>,
    pub(crate) on_worker_start: Option<StartHook>,
    pub(crate) on_worker_exit: Option<ExitHook>,
    /// What threads that are no workers did.
    pub(crate) outside: Counters,
    pub(crate) refused: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) callbacks_panicked: AtomicUsize,
}

/// What was run. All relaxed: figures, not signals; what a task's end publishes includes its count.
pub(crate) struct Counters {
    pub(crate) running: AtomicUsize,
    pub(crate) completed: AtomicUsize,
    pub(crate) panicked: AtomicUsize,
}

impl Counters {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { running: AtomicUsize::new(0), completed: AtomicUsize::new(0), panicked: AtomicUsize::new(0) }
        }
    }
}

/// One worker, as others see it.
pub(crate) struct WorkerCell<H: Park> {
    /// The number of the thread that runs the worker; 0 while none does.
    pub(crate) id: AtomicUsize,
    /// The slot whose task the worker is stuck on, plus one; 0 if it is not stuck, or on several. Inside the lock of the wait cells.
    pub(crate) stuck_on: AtomicU16,
    pub(crate) desk: Lock<Desk<H>>,
    pub(crate) counters: Counters,
}

/// What a worker's thread and its `Worker` value must find.
pub(crate) struct Desk<H: Park> {
    pub(crate) thread: Cell<Option<H::Thread>>,
    pub(crate) home: Cell<Option<&'static dyn Registry<H>>>,
    /// What the `Worker` that `into_raw` made a pointer of knew: its `start` (0: there is none), and whether it was attached.
    pub(crate) raw_epoch: Cell<u32>,
    pub(crate) raw_attached: Cell<bool>,
}

impl<H: Park> WorkerCell<H> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                id: AtomicUsize::new(0),
                stuck_on: AtomicU16::new(0),
                desk: Lock::new(Desk { thread: Cell::new(None), home: Cell::new(None), raw_epoch: Cell::new(0), raw_attached: Cell::new(false) }),
                counters: Counters::new(),
            }
        }
    }
}

impl<H: Park> Shared<H> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                free: Lock::new(Free {
                    stack: Stack::new(),
                    in_use: Cell::new(0),
                    high_water: Cell::new(0),
                    room: Place::new(),
                }),
                ready: Lock::new(Ready {
                    queue: List::new(),
                    queued: Cell::new(0),
                    mode: Cell::new(Mode::Open),
                    broken: Cell::new(false),
                    issued: Cell::new(0),
                    attached: Cell::new(0),
                    idle: Cell::new(0),
                    searching: Cell::new(0),
                    epoch: Cell::new(0),
                    lent: Cell::new(false),
                    futures: Cell::new(0),
                    closer: Place::new(),
                    driver: Place::new(),
                }),
                hint: AtomicUsize::new(0),
                alive: AtomicUsize::new(0),
                owner: Lock::new(Cell::new(None)),
                on_worker_start: None,
                on_worker_exit: None,
                outside: Counters::new(),
                refused: AtomicUsize::new(0),
                cancelled: AtomicUsize::new(0),
                callbacks_panicked: AtomicUsize::new(0),
            }
        }
    }

    /// Whether a look at the queue is worth its lock.
    #[inline]
    pub(crate) fn is_worth_a_look(&self) -> bool {
        self.hint.load(Ordering::Relaxed) != 0
    }
}

impl<H: Park> Ready<H> {
    /// Why a task is refused now, if it is.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if self.broken.get() {
            return Some(Refusal::Broken);
        }
        match self.mode.get() {
            Mode::Open | Mode::Stop => None,
            Mode::Run | Mode::Cancel => Some(Refusal::ShutDown),
        }
    }

    /// Whether no accepted task can still need a worker.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.futures.get() == 0
    }

    pub(crate) fn queued(&self) -> u16 {
        self.queued.get()
    }

    /// Whom to wake because there is work: nobody if somebody is looking already.
    pub(super) fn whom_to_wake(&self) -> Waiter<H> {
        if self.searching.get() > 0 || self.queue.is_empty() {
            return Waiter::None;
        }
        let idle = self.idle.get();
        if idle == 0 {
            return self.driver.take();
        }
        self.idle.set(idle & (idle - 1)); // clears the lowest bit
        Waiter::Worker(idle.trailing_zeros() as u16) // below the width of a word
    }

    /// Takes out one that sleeps, until nobody does.
    pub(crate) fn any_sleeper(&self) -> Waiter<H> {
        let idle = self.idle.get();
        if idle == 0 {
            return self.driver.take();
        }
        self.idle.set(idle & (idle - 1)); // clears the lowest bit
        Waiter::Worker(idle.trailing_zeros() as u16) // below the width of a word
    }
}

impl<H: Park> Free<H> {
    pub(crate) fn in_use(&self) -> u16 {
        self.in_use.get()
    }

    pub(crate) fn high_water(&self) -> u16 {
        self.high_water.get()
    }
}
