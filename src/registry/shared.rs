//! What an executor has once, whatever its capacities, and what its locks guard.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::{Attend, Late, Registry, Serve, Tend};
use crate::error::{Refusal, WorkerStartError};
use crate::host::Park;
use crate::queue::{Arrivals, List, Pile, READY, Stack};
use crate::sync::{Apart, AtomicU16, AtomicUsize, LOCKLESS_WAYS, Lock, Ordering, const_fn};
use crate::waiter::Place;

/// What a worker runs first, and what makes the executor broken if that fails.
pub(crate) type StartHook<H> = (
    fn(usize) -> Result<(), WorkerStartError>,
    fn(Registry<'_, H>),
);
/// What a worker runs last.
pub(crate) type ExitHook = fn(usize);

/// Wakes the sleeper of a number: a worker, or [`DRIVER`].
pub(crate) type Rouse<H> = for<'e> fn(Registry<'e, H>, u32);

/// Wakes who waits for a slot.
pub(crate) type RouseRoom<H> = for<'e> fn(Registry<'e, H>);

/// The number of the thread that runs tasks while it waits, among the sleepers.
pub(crate) const DRIVER: u32 = usize::BITS - 1;

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
    pub(super) room: Place<H>,
    /// Wakes who waits for a slot; there if somebody ever did.
    pub(super) rouse: Cell<Option<RouseRoom<H>>>,
}

/// The ready queue and who works on it.
pub(crate) struct Ready<H: Park> {
    pub(super) queue: List<READY>,
    /// Whether tasks are refused: what `mode` and `broken` say.
    pub(super) closed: Cell<bool>,
    pub(crate) mode: Cell<Mode>,
    /// A worker could not start.
    pub(crate) broken: Cell<bool>,
    /// Who sleeps and can be woken because there is work: one bit for each worker, and
    /// [`DRIVER`]'s.
    pub(super) idle: Cell<usize>,
    /// Wakes one of them; there if somebody ever slept.
    pub(super) rouse: Cell<Option<Rouse<H>>>,
    /// Workers given to the host, and attached to a thread: one bit each.
    pub(crate) issued: Cell<usize>,
    pub(crate) attached: Cell<usize>,
    /// Workers that were woken because there is work and have not looked since: one bit each.
    /// Where that keeps others from being woken.
    coming: [Cell<usize>; LOCKLESS_WAYS],
    /// Workers that look for work without holding the lock.
    pub(super) searching: Cell<u16>,
    /// Whether those who push without the lock are told that somebody sleeps and nobody searches.
    awaits: [Cell<bool>; LOCKLESS_WAYS],
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
    pub(super) free: Apart<Lock<Free<H>>>,
    /// Slots that came back and were not yet put into the free list.
    pub(super) returned: Pile,
    pub(crate) ready: Apart<Lock<Ready<H>>>,
    /// Tasks on their way into the queue.
    pub(super) arrivals: Apart<Arrivals>,
    /// Not zero while the queue is not empty. Relaxed: whoever parks looks under the lock first.
    pub(super) hint: Apart<AtomicUsize>,
    /// `Worker` values that exist. The last thing a worker touches.
    pub(crate) alive: AtomicUsize,
    /// The thread inside `run`, which waits for `alive` to become 0.
    pub(crate) owner: Lock<Cell<Option<H::Thread>>>,
    pub(crate) on_worker_start: Option<StartHook<H>>,
    pub(crate) on_worker_exit: Option<ExitHook>,
    pub(crate) serve: Late<Serve<H>>,
    pub(crate) attend: Late<Attend<H>>,
    pub(crate) tend: Late<Tend<H>>,
    /// What threads that are no workers did.
    pub(crate) outside: Counters,
    pub(crate) refused: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) callbacks_panicked: AtomicUsize,
}

/// What was run. All relaxed: figures, not signals; what a task's end publishes includes its count.
pub(crate) struct Counters {
    pub(crate) completed: AtomicUsize,
    pub(crate) panicked: AtomicUsize,
}

impl Counters {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { completed: AtomicUsize::new(0), panicked: AtomicUsize::new(0) }
        }
    }
}

/// One more. For figures that only the calling thread writes: no read-modify-write.
#[inline]
pub(crate) fn count(figure: &AtomicUsize) {
    figure.store(
        figure.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

/// One worker, as others see it.
pub(crate) struct WorkerCell<H: Park> {
    /// The number of the thread that runs the worker; 0 while none does.
    pub(crate) id: AtomicUsize,
    /// The slot whose task the worker is stuck on, plus one; 0 if it is not stuck, or on several.
    /// Inside the lock of the wait cells.
    pub(crate) stuck_on: AtomicU16,
    pub(crate) desk: Lock<Desk<H>>,
    pub(crate) counters: Counters,
}

/// What a worker's thread and its `Worker` value must find.
pub(crate) struct Desk<H: Park> {
    pub(crate) thread: Cell<Option<H::Thread>>,
    pub(crate) home: Cell<Option<Registry<'static, H>>>,
    /// What the `Worker` that `into_raw` made a pointer of knew: its `start` (0: there is none),
    /// and whether it was attached.
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
                free: Apart::new(Lock::new(Free { stack: Stack::new(), room: Place::new(), rouse: Cell::new(None) })),
                returned: Pile::new(),
                ready: Apart::new(Lock::new(Ready {
                    queue: List::new(),
                    closed: Cell::new(false),
                    mode: Cell::new(Mode::Open),
                    broken: Cell::new(false),
                    idle: Cell::new(0),
                    rouse: Cell::new(None),
                    issued: Cell::new(0),
                    attached: Cell::new(0),
                    coming: [const { Cell::new(0) }; LOCKLESS_WAYS],
                    searching: Cell::new(0),
                    awaits: [const { Cell::new(false) }; LOCKLESS_WAYS],
                    epoch: Cell::new(0),
                    lent: Cell::new(false),
                    futures: Cell::new(0),
                    closer: Place::new(),
                    driver: Place::new(),
                })),
                arrivals: Apart::new(Arrivals::new()),
                hint: Apart::new(AtomicUsize::new(0)),
                alive: AtomicUsize::new(0),
                owner: Lock::new(Cell::new(None)),
                on_worker_start: None,
                on_worker_exit: None,
                serve: Late::new(),
                attend: Late::new(),
                tend: Late::new(),
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
        self.hint.load(Ordering::Relaxed) != 0 || !self.arrivals.is_empty()
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

    /// As `refusal`, while `closed`.
    #[cold]
    pub(super) fn reason(&self) -> Refusal {
        self.refusal().unwrap_or(Refusal::ShutDown)
    }

    /// Takes out one that sleeps.
    pub(super) fn next_sleeper(&self) -> Option<(Rouse<H>, u32)> {
        let idle = self.idle.get();
        let rouse = self.rouse.get()?;
        self.idle.set(idle & (idle - 1)); // clears the lowest bit
        let sleeper = idle.trailing_zeros();
        if let Some(coming) = self.coming.first().filter(|_| H::FAIR && sleeper != DRIVER) {
            coming.set(coming.get() | 1 << sleeper);
        }
        Some((rouse, sleeper))
    }

    /// Whether somebody looks for work, or was woken to do so.
    #[inline]
    pub(super) fn is_looked_after(&self) -> bool {
        self.searching.get() > 0 || self.coming.first().is_some_and(|coming| coming.get() != 0)
    }

    /// Notes whether those who push without the lock are to be told. Says whether that was so
    /// before.
    #[inline]
    pub(super) fn notes_already(&self, awaits: bool) -> bool {
        self.awaits
            .first()
            .is_none_or(|cell| cell.replace(awaits) == awaits)
    }

    /// A worker has come; or it never will.
    #[inline]
    pub(super) fn has_come(&self, bit: usize) {
        if let Some(coming) = self.coming.first() {
            coming.set(coming.get() & !bit);
        }
    }

    /// Takes out one that sleeps, until nobody does.
    pub(super) fn any_sleeper(&self) -> Option<(Rouse<H>, u32)> {
        let idle = self.idle.get();
        self.idle.set(idle & idle.saturating_sub(1)); // clears the lowest bit
        self.rouse
            .get()
            .filter(|_| idle != 0)
            .map(|rouse| (rouse, idle.trailing_zeros()))
    }
}
