//! One packed word per slot: where its task is in its life.
//!
//! ```text
//!  bit  0      BUSY       the slot is not free
//!       1      TASK       it holds a task, or a callback; not just reserved
//!       2      QUEUED     in the ready queue; a callback: in the list of its task
//!       3      RESTING    a suspended future; an open promise
//!              TAKEN      with ENDED: the outcome was moved out
//!       4..=5  task kind   closure, by hand, future, future that was polled
//!       6      ENDED      the outcome is known
//!       7..=8  outcome kind
//!       7      LENT       not with ENDED: a lent task that no thread has now
//!       9      OVER       the outcome is takeable, unless there is a listener
//!              SET_RUNNING  not with ENDED: a future that no canceller can cancel
//!      10      HANDLE     the JoinHandle exists
//!      11      LISTENER   the slot's wait cell is not empty
//!      12      NOTIFIED   a running future: a waker woke it during its poll
//!              COMPLETING a promise: its holder writes the outcome, or has written it
//!              STOP       a closure: a canceller asked it to stop while it ran
//!      13..    generation how many tasks the slot has had
//! ```
//!
//! | bit | set by | cleared by (and all by `retire`) | never with |
//! | --- | --- | --- | --- |
//! | `BUSY` | `claim` | | |
//! | `TASK` | `publish_*` | | |
//! | `QUEUED` | `publish_*`, `suspend`, `schedule` | `start`, `cancel` | `RESTING`, `ENDED` |
//! | `RESTING` | `publish_*`, `suspend` | all that leave `Open`, `Suspended` | `QUEUED` |
//! | `TAKEN` | `take` | | |
//! | by hand | `publish_*` | `drop_promise`, `finish_promise` | |
//! | polled | `suspend` | | |
//! | `ENDED` | `cancel`, `finish`, `finish_promise` | | `QUEUED` |
//! | `OVER` | `finish`, `finish_promise` | | |
//! | `HANDLE` | `publish_*` | `take`, `drop_handle` | |
//! | `LISTENER` | `listen` | `finish_heard` | what is `Done` |
//! | `NOTIFIED` | `wake` | `suspend` | `QUEUED`, `RESTING` |
//! | `COMPLETING` | `complete_promise` | | `RESTING` |
//! | `STOP` | `ask_to_stop` | | `QUEUED`, `RESTING` |
//! | `LENT` | `mark_lent`, `suspend_lent` | `start`; `cancel`, as an outcome kind | `ENDED` |
//! | `SET_RUNNING` | `set_running` | `cancel`, `cancel_resting`; `finish`, as `OVER` | `ENDED` |
//!
//! `publish_pending` and `publish_callback` set `QUEUED`, `publish_open` and `publish_resting` set
//! `RESTING`. Only `publish_callback` sets no `HANDLE`. `publish_open` and `publish_callback` set
//! *by hand*. `withdraw` clears what `publish_pending` set. `suspend_unstarted` is a `suspend` that
//! does not set *polled*. `suspend_lent` and `suspend_lent_unstarted` are those of a lent task. A
//! promise that has ended and was given up has the kind of a closure, and `COMPLETING`: only the
//! slot's table tells it from a closure with `STOP`.
//!
//! Every task goes through `claim`, `start` and `finish`. Each is one unconditional
//! read-modify-write, thanks to the layout of the bits. `claim` changes nothing where it is not
//! due. A `start` that is not due would clear a bit of an outcome (`LENT`). So its caller takes the
//! slot out of its list first, and no other thread can win (*Queued Means Linked*). [`Phase`] is
//! what the bits mean together.
//!
//! Invariants:
//!
//! - **One Winner.** Of all threads that want to start, cancel or complete a task, exactly one sees
//!   its transition succeed. Each transition takes away, in one step, the bit it needs (`QUEUED`,
//!   `RESTING`), or sets one that was still clear.
//! - **Forward Only.** Phases follow the arrows of `architecture.md`. Only `retire` leads back, and
//!   it raises the generation; and `withdraw`, for a task that no other thread has met.
//! - **Publish.** Each transition releases what its thread wrote before and acquires what the
//!   thread of the previous one wrote. Hence one pair of orderings, [`BOTH`], for all of them, with
//!   two exceptions. `claim` has nothing to release, and the stores of a slot's owner have nothing
//!   to acquire. A declined transition orders nothing.
//!
//! Generations wrap: after 2^51 tasks in one slot on 64-bit targets, 2^19 on 32-bit ones. Memory
//! safety does not rest on them: handles, promises and permits pin their slot, and only
//! `Canceller`s and time budgets keep a generation. One that is kept while its slot serves an exact
//! multiple of that many tasks takes the later task for its own.
#![forbid(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering, const_fn};

mod snapshot;

pub(crate) use snapshot::{OutcomeKind, Phase, Snapshot};

/// Releases what the caller wrote into the slot, acquires what the previous owner wrote.
const BOTH: Ordering = Ordering::AcqRel;
/// Acquires what the previous owner released.
const SEE: Ordering = Ordering::Acquire;

const BUSY: usize = 1 << 0;
const TASK: usize = 1 << 1;
const QUEUED: usize = 1 << 2;
const RESTING: usize = 1 << 3;
/// The same bit with `ENDED`.
const TAKEN: usize = RESTING;
const TASK_KIND: usize = 3 << 4;
const BY_HAND: usize = 1 << 4;
const FUTURE: usize = 2 << 4;
/// With `FUTURE`: a worker has polled it.
const POLLED: usize = 1 << 4;
const ENDED: usize = 1 << 6;
const KIND_SHIFT: u32 = 7;
/// The lower bit of the outcome kind, while there is no outcome.
const LENT: usize = 1 << KIND_SHIFT;
const OVER: usize = 1 << 9;
/// The same bit of a future, while there is no outcome.
const SET_RUNNING: usize = OVER;
const HANDLE: usize = 1 << 10;
const LISTENER: usize = 1 << 11;
const NOTIFIED: usize = 1 << 12;
/// The same bit of a promise.
const COMPLETING: usize = NOTIFIED;
/// The same bit of a closure.
const STOP: usize = NOTIFIED;
const GENERATION_SHIFT: u32 = 13;

/// The word, shared by all threads.
pub(crate) struct State(AtomicUsize);

/// What a submitted task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskKind {
    Closure = 0,
    Future = FUTURE as isize,
}

/// Where a task is when it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelFrom {
    /// A suspended future, or an open promise.
    Rest = RESTING as isize,
    /// A task that the canceller has just taken out of the ready queue.
    Queue = QUEUED as isize,
}

/// What `start` found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Start {
    /// The caller owns the bytes and runs the task.
    Yours,
    /// Another thread was faster.
    Lost,
}

/// What `wake` found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wake {
    /// The future is suspended: the caller must queue it. With the word as it was.
    Rests(Snapshot),
    /// The next poll sees what came before the wake.
    Noted,
    /// There is nothing to wake.
    Ignored,
}

/// What a request to stop found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Asked {
    /// A closure runs that was not asked before. It sees the request when it looks next.
    First,
    /// No thread has the task of this generation: the caller cancels it.
    AtRest { generation: usize },
    /// A closure that was asked before; a future that is being polled or was set running, or a
    /// promise that runs; or the task has ended, or is gone. The word is as it was.
    Refused,
}

/// Which holders a slot has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum SlotUse {
    /// Another holder still needs the slot.
    Shared,
    /// The caller is the last holder: it drops the outcome and retires the slot.
    Last,
}

impl State {
    const_fn! {
        /// Free, generation 0: all bits zero, so that a static executor is `.bss`.
        pub(crate) const fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    /// The word now.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load(SEE))
    }

    /// The one loop. `step` makes the next word from the present one, or declines. Returns the word
    /// as it was.
    ///
    /// A declined transition orders nothing.
    ///
    /// Bound: each further round means that another thread's transition succeeded. A task has a
    /// dozen of them, beside its wakes.
    #[inline]
    fn transition(
        &self,
        step: impl Fn(Snapshot) -> Option<Snapshot>,
    ) -> Result<Snapshot, Snapshot> {
        let mut seen = Snapshot(self.0.load(Ordering::Relaxed));
        loop {
            let Some(next) = step(seen) else {
                return Err(seen);
            };
            match self
                .0
                .compare_exchange_weak(seen.0, next.0, BOTH, Ordering::Relaxed)
            {
                Ok(_) => return Ok(seen),
                Err(now) => seen = Snapshot(now),
            }
        }
    }

    /// Free → Reserved. Returns false if the slot is not free.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        self.0.fetch_or(BUSY, SEE) & BUSY == 0
    }

    /// Reserved → Reserved: the task in the slot runs only with what its worker owns. The
    /// publishing that comes next keeps the mark.
    #[inline]
    pub(crate) fn mark_lent(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0.store(seen | LENT, Ordering::Relaxed); // published with the task
    }

    /// Reserved → Pending with a handle. The caller owns the slot, so no other thread writes the
    /// word: stale cancellers and wakers leave a reserved slot alone.
    #[inline]
    pub(crate) fn publish_pending(&self, kind: TaskKind) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0.store(
            seen | TASK | QUEUED | HANDLE | kind as usize,
            Ordering::Release,
        ); // publishes the task
    }

    /// Pending → Reserved: takes back what [`publish_pending`](Self::publish_pending) did. The
    /// submitter knows that no other thread has met the task. Returns false if one has.
    pub(crate) fn withdraw(&self) -> bool {
        self.transition(|seen| {
            (seen.phase() == Phase::Pending)
                .then(|| seen.without(TASK | QUEUED | HANDLE | TASK_KIND))
        })
        .is_ok()
    }

    /// Reserved → Open with a handle and a promise. As [`publish_pending`](Self::publish_pending).
    pub(crate) fn publish_open(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        let next = seen | TASK | RESTING | HANDLE | BY_HAND;
        self.0.store(next, Ordering::Release); // publishes the table
    }

    /// Reserved → Suspended with a handle: a future that no worker has polled, and that its timer
    /// wakes. As [`publish_pending`](Self::publish_pending).
    pub(crate) fn publish_resting(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        let next = seen | TASK | RESTING | HANDLE | FUTURE;
        self.0.store(next, Ordering::Release); // publishes the timed task
    }

    /// Reserved → Pending without a handle: a callback, which only the completer of its task
    /// starts. As [`publish_pending`](Self::publish_pending).
    pub(crate) fn publish_callback(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0
            .store(seen | TASK | QUEUED | BY_HAND, Ordering::Release); // publishes the callback
    }

    /// Pending or Scheduled → Running.
    #[inline]
    pub(crate) fn start(&self) -> Start {
        if self.0.fetch_and(!(QUEUED | LENT), BOTH) & QUEUED != 0 {
            Start::Yours
        } else {
            Start::Lost
        }
    }

    /// Open → Running: from now on no thread can cancel the promise. The error is the word as it
    /// was, if the promise is not open.
    pub(crate) fn open_to_running(&self) -> Result<(), Snapshot> {
        self.transition(|seen| (seen.phase() == Phase::Open).then(|| seen.without(RESTING)))
            .map(drop)
    }

    /// Open or Running → Completing, by the promise. Returns false if it is completed or cancelled.
    pub(crate) fn complete_promise(&self) -> bool {
        self.transition(|seen| {
            seen.is_unkept_promise()
                .then(|| seen.without(RESTING).with(COMPLETING))
        })
        .is_ok()
    }

    /// Running → Suspended. If a waker woke the future meanwhile: → Scheduled, and returns true;
    /// the caller must queue it. The caller owns the slot.
    pub(crate) fn suspend(&self) -> bool {
        self.suspend_with(POLLED)
    }

    /// As [`suspend`](Self::suspend), for a future whose poll did nothing: it counts as never
    /// started.
    pub(crate) fn suspend_unstarted(&self) -> bool {
        self.suspend_with(0)
    }

    /// As [`suspend`](Self::suspend), for a lent task: only its owner's worker polls it again.
    pub(crate) fn suspend_lent(&self) -> bool {
        self.suspend_with(POLLED | LENT)
    }

    /// As [`suspend_unstarted`](Self::suspend_unstarted), for a lent task.
    pub(crate) fn suspend_lent_unstarted(&self) -> bool {
        self.suspend_with(LENT)
    }

    #[inline(always)]
    fn suspend_with(&self, marks: usize) -> bool {
        let was = self.transition(|seen| {
            let next = if seen.has(NOTIFIED) { QUEUED } else { RESTING };
            seen.is_polled_now()
                .then(|| seen.without(NOTIFIED).with(marks | next))
        });
        matches!(was, Ok(was) if was.has(NOTIFIED))
    }

    /// Suspended → Scheduled. Returns false if the future is not suspended any more.
    pub(crate) fn schedule(&self) -> bool {
        self.transition(|seen| {
            seen.is_suspended()
                .then(|| seen.without(RESTING).with(QUEUED))
        })
        .is_ok()
    }

    /// Notes a wake of a future that is being polled. Returns what else the caller must do.
    ///
    /// It writes the word of a queued future too, with the same value. A plain load could be old,
    /// and the next poll must see what happened before this wake.
    pub(crate) fn wake(&self) -> Wake {
        // A waker that is older than the task may meet anything.
        let noted = self.transition(|seen| {
            if seen.is_polled_now() {
                Some(seen.with(NOTIFIED))
            } else {
                seen.is_queued_future().then_some(seen)
            }
        });
        match noted {
            Ok(_) => Wake::Noted,
            Err(seen) if seen.is_suspended() => Wake::Rests(seen),
            Err(_) => Wake::Ignored,
        }
    }

    /// A future that has not ended: from now on no canceller can cancel it. It changes no phase.
    /// The error is the word as it was, if there is no such future of this generation, or if it was
    /// set running before.
    ///
    /// The caller is inside the lock of the ready queue. So a thread that has unlinked a future
    /// there can cancel it.
    pub(crate) fn set_running(&self, generation: usize) -> Result<(), Snapshot> {
        self.transition(|seen| {
            let takes_it = seen.has(TASK | FUTURE) && seen.has_none(ENDED | SET_RUNNING);
            (takes_it && generation == seen.generation()).then(|| seen.with(SET_RUNNING))
        })
        .map(drop)
    }

    /// Pending, Scheduled, Suspended or Open → Settling as cancelled. Returns false if the task is
    /// not where `from` says, or has another generation than a given one; or if it rests, and was
    /// set running. Of a task in the queue a canceller looks before it unlinks it.
    pub(crate) fn cancel(&self, generation: Option<usize>, from: CancelFrom) -> bool {
        let place = from as usize;
        let without = match from {
            CancelFrom::Rest => ENDED | SET_RUNNING,
            CancelFrom::Queue => ENDED,
        };
        self.transition(|seen| {
            let there = seen.has(place) && seen.has_none(without);
            (there && generation.is_none_or(|meant| meant == seen.generation())).then(|| {
                seen.without(place | SET_RUNNING)
                    .with(ENDED | (OutcomeKind::Cancelled as usize) << KIND_SHIFT)
            })
        })
        .is_ok()
    }

    /// Asks a closure that runs to stop. Returns what the caller must do otherwise. A given
    /// generation must also be the task's.
    ///
    /// It changes no phase. The first request publishes what its thread wrote before.
    #[inline]
    pub(crate) fn ask_to_stop(&self, generation: Option<usize>) -> Asked {
        let is_meant = |seen: Snapshot| generation.is_none_or(|meant| meant == seen.generation());
        let asked = self.transition(|seen| {
            let takes_it = seen.is_running_closure() && seen.has_none(STOP);
            (takes_it && is_meant(seen)).then(|| seen.with(STOP))
        });
        match asked {
            Ok(_) => Asked::First,
            Err(seen) if seen.is_at_rest() && is_meant(seen) => Asked::AtRest {
                generation: seen.generation(),
            },
            Err(_) => Asked::Refused,
        }
    }

    /// Returns true if a canceller asked the closure to stop. Sees what the first canceller wrote
    /// before.
    #[inline(always)]
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        Snapshot(self.0.load(SEE)).has(STOP)
    }

    /// Suspended → Settling as cancelled: a future between two polls, whatever its generation, and
    /// also if it was set running.
    pub(crate) fn cancel_resting(&self) -> bool {
        self.transition(|seen| {
            (seen.has(RESTING | FUTURE) && seen.has_none(ENDED)).then(|| {
                seen.without(RESTING | SET_RUNNING)
                    .with(ENDED | (OutcomeKind::Cancelled as usize) << KIND_SHIFT)
            })
        })
        .is_ok()
    }

    /// → Done. With a listener: → Settling, and callbacks may look at the outcome, but no thread
    /// takes it. Returns the word as it was.
    ///
    /// The caller owns the slot, and still owns it if there was a listener.
    #[inline]
    pub(crate) fn finish(&self, kind: OutcomeKind) -> Snapshot {
        Snapshot(
            self.0
                .fetch_or(ENDED | OVER | (kind as usize) << KIND_SHIFT, BOTH),
        )
    }

    /// Settling → Done: no listener is left. The caller is inside the lock of the wait table.
    pub(crate) fn finish_heard(&self) -> SlotUse {
        Snapshot(self.0.fetch_and(!LISTENER, BOTH)).slot_use()
    }

    /// Notes for the completer that the wait cell is in use. Returns false if it is too late: the
    /// outcome is takeable.
    pub(crate) fn listen(&self) -> bool {
        self.transition(|seen| (!seen.is_takeable()).then(|| seen.with(LISTENER)))
            .is_ok()
    }

    /// Completing → Done, or → Settling if the task has a listener. Gives up the promise in the
    /// same step. Returns the word as it was, without the promise.
    pub(crate) fn finish_promise(&self, kind: OutcomeKind) -> Snapshot {
        // All of these bits are 0 but `BY_HAND`, which is 1 until here: the promise owns the slot.
        let change = ENDED | OVER | (kind as usize) << KIND_SHIFT | BY_HAND;
        Snapshot(self.0.fetch_xor(change, BOTH)).without(BY_HAND)
    }

    /// Gives up the handle of a done task whose outcome the receiver has moved out.
    pub(crate) fn take(&self) -> SlotUse {
        match self.transition(|seen| Some(seen.with(TAKEN).without(HANDLE))) {
            Ok(seen) | Err(seen) => Self::use_after(seen, HANDLE),
        }
    }

    /// Gives up the handle.
    pub(crate) fn drop_handle(&self) -> SlotUse {
        Self::use_after(Snapshot(self.0.fetch_and(!HANDLE, BOTH)), HANDLE)
    }

    /// Gives up the promise.
    pub(crate) fn drop_promise(&self) -> SlotUse {
        Self::use_after(Snapshot(self.0.fetch_and(!BY_HAND, BOTH)), BY_HAND)
    }

    fn use_after(seen: Snapshot, gone: usize) -> SlotUse {
        if seen.is_takeable() {
            seen.without(gone).slot_use()
        } else {
            SlotUse::Shared
        }
    }

    /// Done or Reserved → Free, one generation on; also the end of a callback that was called. The
    /// caller owns the slot and no other holder pins it, so no other thread writes the word.
    #[inline]
    pub(crate) fn retire(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own transition wrote it
        let next = (seen >> GENERATION_SHIFT).wrapping_add(1) << GENERATION_SHIFT;
        // Release: the next claim comes after our last look at the bytes.
        self.0.store(next, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod models;
