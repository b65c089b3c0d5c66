//! What an executor has once, whatever its capacities, and the code that is linked only if used.
//!
//! A program that never waits should not link the code that wakes waiters, but a completer must be
//! able to wake them. So the first waiter leaves that code as a function pointer, inside the lock
//! that its callers take; they call what they find. The same holds for idle threads and for the
//! line of waiters for a slot. Futures and scopes leave theirs in the slot.
#![forbid(unsafe_code)]

use super::Registry;
use super::keeping::{Advance, TaskTimers};
use super::worker_cell::Counters;
use crate::error::{Refusal, WorkerStartError};
use crate::free_slots::FreeSlots;
use crate::host::{LevelOf, Park};
use crate::idle::Idle;
use crate::ready_queue::{Front, ReadyQueue};
use crate::roster::Roster;
use crate::slot::{Ending, Last, SlotRef};
use crate::sync::{AtomicUsize, CachePadded, Lock, const_fn};
use crate::time_keeper::TimeKeeper;

/// Wakes the idle thread of a bit: a worker, or the driver.
pub(crate) type WakeIdle<H> = for<'e> fn(Registry<'e, H>, u32);

/// What the waiters for a slot, or timed tasks, must hear of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotEvent {
    /// A slot came back.
    Freed,
    /// The executor may refuse tasks now.
    Refusing,
}

/// Gives free slots to the waiters in line, or refuses them.
pub(crate) type ServeLine<H> = for<'e> fn(Registry<'e, H>, SlotEvent);

/// Something happened that listeners must hear of.
pub(crate) enum ListenerEvent<'e> {
    /// Its task completed.
    Completed(Ending<'e>),
    /// Its handle was dropped.
    HandleDropped(SlotRef<'e>),
    /// Of all slots: the host has no worker any more.
    WorkersLeft,
}

/// Serves the listeners of a slot.
pub(crate) type NotifyListeners<H> =
    for<'e> fn(Registry<'e, H>, ListenerEvent<'e>) -> Option<Last<'e>>;

/// What a worker runs first, and what breaks the executor if that fails.
pub(crate) type StartHook<H> = (
    fn(usize) -> Result<(), WorkerStartError>,
    fn(Registry<'_, H>),
);
/// What a worker runs last.
pub(crate) type ExitHook = fn(usize);

/// What the lock of the ready queue guards.
pub(crate) struct Ready<H: Park> {
    pub(super) queue: ReadyQueue<H::Order>,
    pub(super) idle: Idle<H, WakeIdle<H>>,
    pub(super) roster: Roster<H>,
}

impl<H: Park> Ready<H> {
    /// Why a task is refused now that the queue is closed.
    #[cold]
    pub(super) fn reason(&self) -> Refusal {
        self.roster.refusal().unwrap_or(Refusal::ShutDown)
    }
}

/// What an executor has once, whatever its capacities.
pub(crate) struct Shared<H: Park> {
    pub(super) free: FreeSlots<H, ServeLine<H>>,
    pub(super) ready: CachePadded<Lock<Ready<H>>>,
    pub(super) front: Front,
    /// Which worker keeps the time of timetables.
    pub(super) time: TimeKeeper<TaskTimers<H>, Advance<H>>,
    pub(crate) on_worker_start: Option<StartHook<H>>,
    pub(crate) on_worker_exit: Option<ExitHook>,
    /// What ended on threads that are no workers.
    pub(crate) outside: Counters,
    /// How often a thread was told to act: see *Notice*. Wraps.
    pub(super) notices: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) callbacks_panicked: AtomicUsize,
}

impl<H: Park> Shared<H> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                free: FreeSlots::new(),
                ready: CachePadded::new(Lock::new(Ready {
                    queue: ReadyQueue::new(),
                    idle: Idle::new(),
                    roster: Roster::new(),
                })),
                front: Front::new(),
                time: TimeKeeper::new(),
                on_worker_start: None,
                on_worker_exit: None,
                outside: Counters::new(),
                notices: AtomicUsize::new(0),
                refused: AtomicUsize::new(0),
                cancelled: AtomicUsize::new(0),
                callbacks_panicked: AtomicUsize::new(0),
            }
        }
    }

    /// Returns true if a look at the ready queue is worth its lock, for a worker that serves the
    /// levels from `floor` on.
    #[inline]
    pub(crate) fn is_worth_a_look(&self, floor: LevelOf<H>) -> bool {
        self.front.is_worth_a_look(floor)
    }
}
