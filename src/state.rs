//! One packed word per slot: where its task is in its life.
//!
//! ```text
//!  bit  0..=3  phase
//!       4..=6  kind of the outcome, once there is one
//!       7      HANDLE     somebody holds the JoinHandle
//!       8      PROMISE    somebody holds the Promise
//!       9      LISTENER   the slot's wait cell is not empty
//!      10      NOTIFIED   Running: the future was woken while it was polled
//!              TAKEN      Pending: out of the queue, and somebody was told so
//!      11      OUTSIDE    what runs is not on a worker's stack
//!      12..    generation: how many tasks the slot has had
//! ```
//!
//! | bit | set by | cleared by | never with |
//! | --- | --- | --- | --- |
//! | `HANDLE` | `publish` | `take`, `drop_handle`, `retire` | `Free` |
//! | `PROMISE` | `publish` | `drop_promise`, `retire` | `Free`, `Pending`, `Scheduled`, `Suspended` |
//! | `LISTENER` | `listen` | `retire` | `Free`, `Reserved` |
//! | `TAKEN` | `mark_taken` | `start` | any phase but `Pending` |
//! | `NOTIFIED` | `wake` | `start`, `suspend`, `retire` | any phase but `Running` until the outcome is there |
//! | `OUTSIDE` | `start`, `open_to_running` | `suspend`, `retire` | `Pending`, `Open` |
//!
//! Invariants:
//!
//! - **One Winner.** Of all that want to start, cancel or complete a task exactly one sees its
//!   transition succeed, because each is a compare-and-swap from the phase it needs.
//! - **Forward Only.** Phases follow the arrows of `ARCHITECTURE.md`; only `retire` leads back, and it
//!   raises the generation.
//! - **Publish.** Each transition releases what its thread wrote before and acquires what the thread
//!   of the previous one wrote. Hence one pair of orderings, [`BOTH`], for all of them.
//!
//! Generations wrap: after 2^52 tasks in one slot on 64-bit targets, 2^20 on 32-bit ones. Memory safety does
//! not rest on them: handles, promises and permits pin their slot, and only `Canceller`s look at the generation. One that
//! is kept while its slot serves exactly a multiple of that many tasks would mistake the newcomer for its own.
#![forbid(unsafe_code)]

use core::fmt;

use crate::sync::{AtomicUsize, Ordering, const_fn};

/// Releases what the caller wrote into the slot, acquires what the previous owner wrote.
const BOTH: Ordering = Ordering::AcqRel;
/// Sees what the previous owner released.
const SEE: Ordering = Ordering::Acquire;

const KIND_SHIFT: u32 = 4;
const HANDLE: usize = 1 << 7;
const PROMISE: usize = 1 << 8;
const LISTENER: usize = 1 << 9;
const NOTIFIED: usize = 1 << 10;
/// The same bit in a `Pending` word.
const TAKEN: usize = NOTIFIED;
const OUTSIDE: usize = 1 << 11;
const GENERATION_SHIFT: u32 = 12;

/// Where in its life a slot's task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No task; the slot is in the free list, or on its way there or from there.
    Free = 0,
    /// Claimed: being filled, held by a permit, or keeping a callback.
    Reserved = 1,
    /// A promise that nobody has marked as running.
    Open = 2,
    /// In the ready queue, never started.
    Pending = 3,
    /// A future between two polls.
    Suspended = 4,
    /// A future in the ready queue again.
    Scheduled = 5,
    /// Running: on a thread's stack, or (a promise) in somebody's hands.
    Running = 6,
    /// A promise whose value is being written.
    Completing = 7,
    /// The outcome is known; closures are being dropped or callbacks run, and nobody may take it yet.
    Settling = 8,
    /// The outcome can be taken.
    Done = 9,
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The slot's bytes hold a `T`.
    Value = 0,
    /// The slot's bytes hold a `T` that its submitter counts as a failure.
    Failed = 1,
    /// The slot's bytes hold a `TaskError`.
    Error = 2,
    /// Cancelled; the bytes hold nothing.
    Cancelled = 3,
    /// The outcome was taken; the bytes hold nothing.
    Empty = 4,
}

/// The word, shared by all threads.
pub(crate) struct State(AtomicUsize);

/// The word at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(usize);

/// What `start` found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Start {
    /// The caller owns the bytes and runs the task.
    Yours,
    /// Somebody else was faster.
    Lost,
}

/// What `wake` found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wake {
    /// The future rests: it must be put into the queue.
    Rests,
    /// It will be polled, or polled again, and sees what came before the wake.
    Noted,
    /// There is nothing to wake.
    Ignored,
}

/// What `finish` or a drop of one end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Rest {
    /// Somebody else still needs the slot.
    Needed,
    /// The caller is the last: it drops the outcome and retires the slot.
    Yours,
}

impl Snapshot {
    pub(crate) fn phase(self) -> Phase {
        match self.0 & 15 {
            0 => Phase::Free,
            1 => Phase::Reserved,
            2 => Phase::Open,
            3 => Phase::Pending,
            4 => Phase::Suspended,
            5 => Phase::Scheduled,
            6 => Phase::Running,
            7 => Phase::Completing,
            8 => Phase::Settling,
            // 10 to 15 are never written.
            _ => Phase::Done,
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match (self.0 >> KIND_SHIFT) & 7 {
            0 => Kind::Value,
            1 => Kind::Failed,
            2 => Kind::Error,
            3 => Kind::Cancelled,
            // 5 to 7 are never written.
            _ => Kind::Empty,
        }
    }

    /// How many tasks the slot had before this one, modulo the width of the field.
    pub(crate) fn generation(self) -> usize {
        self.0 >> GENERATION_SHIFT
    }

    pub(crate) fn has_listener(self) -> bool {
        self.0 & LISTENER != 0
    }

    pub(crate) fn has_promise(self) -> bool {
        self.0 & PROMISE != 0
    }

    /// Whether the outcome can be taken.
    #[inline]
    pub(crate) fn is_done(self) -> bool {
        self.phase() == Phase::Done
    }

    /// Whether the slot has no task, or not yet.
    pub(crate) fn is_free(self) -> bool {
        matches!(self.phase(), Phase::Free | Phase::Reserved)
    }

    /// Whether the outcome is known, as the user sees it: a cancelled task is done for everybody at once.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self.phase(), Phase::Settling | Phase::Done)
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.is_settled() && self.kind() == Kind::Cancelled
    }

    /// Whether the task has started and not ended, as the user sees it. Out of the queue it may still look as if it had not
    /// started; but once a cancel has failed for that reason it does not look so any more.
    pub(crate) fn is_running(self) -> bool {
        match self.phase() {
            Phase::Running | Phase::Completing | Phase::Suspended | Phase::Scheduled => true,
            Phase::Pending => self.0 & TAKEN != 0,
            _ => false,
        }
    }

    /// Whether the task waits in the ready queue, or is about to leave it.
    pub(crate) fn is_queued(self) -> bool {
        matches!(self.phase(), Phase::Pending | Phase::Scheduled)
    }

    /// Whether the task is on the stack of a worker: it runs there, or its callbacks do.
    pub(crate) fn runs_on_worker(self) -> bool {
        let there = match self.phase() {
            Phase::Running => true,
            // Cancelled by whomever.
            Phase::Settling => self.kind() != Kind::Cancelled,
            _ => false,
        };
        there && self.0 & OUTSIDE == 0
    }

    /// Whether the task ended in a panic, an abandonment, or a failure by its submitter's word.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self.kind(), Kind::Failed | Kind::Error)
    }

    fn to(self, phase: Phase) -> Self {
        Self(self.0 & !15 | phase as usize)
    }

    fn of_kind(self, kind: Kind) -> Self {
        Self(self.0 & !(7 << KIND_SHIFT) | (kind as usize) << KIND_SHIFT)
    }

    fn with(self, bits: usize) -> Self {
        Self(self.0 | bits)
    }

    fn without(self, bits: usize) -> Self {
        Self(self.0 & !bits)
    }

    /// Whether neither a handle nor a promise pins the slot.
    fn is_abandoned(self) -> bool {
        self.0 & (HANDLE | PROMISE) == 0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?}", self.generation(), self.phase())?;
        if self.is_settled() {
            write!(f, "({:?})", self.kind())?;
        }
        for (bit, name) in [
            (HANDLE, "handle"),
            (PROMISE, "promise"),
            (LISTENER, "listener"),
            (NOTIFIED, if self.phase() == Phase::Pending { "taken" } else { "notified" }),
            (OUTSIDE, "outside"),
        ] {
            if self.0 & bit != 0 {
                write!(f, " {name}")?;
            }
        }
        Ok(())
    }
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

    /// The one loop. `step` says where to go from what is there, or declines; the result is what was there.
    ///
    /// Bound: each further round means that another thread's transition succeeded, and a task has a dozen of them.
    #[inline]
    fn transition(&self, step: impl Fn(Snapshot) -> Option<Snapshot>) -> Result<Snapshot, Snapshot> {
        let mut seen = self.snapshot();
        loop {
            let Some(next) = step(seen) else { return Err(seen) };
            match self.0.compare_exchange_weak(seen.0, next.0, BOTH, SEE) {
                Ok(_) => return Ok(seen),
                Err(now) => seen = Snapshot(now),
            }
        }
    }

    /// Free → Reserved. Fails only if the slot was not free.
    pub(crate) fn claim(&self) -> bool {
        self.transition(|seen| (seen.phase() == Phase::Free).then(|| seen.to(Phase::Reserved))).is_ok()
    }

    /// Reserved → Pending with a handle. The caller owns the slot, so nobody else writes the word: stale
    /// cancellers and wakers leave a reserved slot alone.
    #[inline]
    pub(crate) fn publish_pending(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0.store(Snapshot(seen).to(Phase::Pending).with(HANDLE).0, Ordering::Release); // publishes the task
    }

    /// Reserved → Open with a handle and a promise. As [`publish_pending`](Self::publish_pending).
    pub(crate) fn publish_open(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0.store(Snapshot(seen).to(Phase::Open).with(HANDLE | PROMISE).0, Ordering::Release); // publishes the table
    }

    /// Reserved → Pending without a handle: a callback, which only the completer of its task starts. As above.
    pub(crate) fn publish_callback(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own claim wrote it
        self.0.store(Snapshot(seen).to(Phase::Pending).0, Ordering::Release); // publishes the callback
    }

    /// Pending or Scheduled → Running.
    #[inline]
    pub(crate) fn start(&self, outside: Outside) -> Start {
        let bits = match outside {
            Outside::Yes => OUTSIDE,
            Outside::No => 0,
        };
        let started = self.transition(|seen| {
            seen.is_queued().then(|| seen.to(Phase::Running).without(OUTSIDE | NOTIFIED).with(bits))
        });
        if started.is_ok() { Start::Yours } else { Start::Lost }
    }

    /// Notes that a pending task is out of the queue: who could not cancel it for that reason must not find it pending.
    pub(crate) fn mark_taken(&self) {
        // Declined: it has started.
        let _ = self.transition(|seen| (seen.phase() == Phase::Pending).then(|| seen.with(TAKEN)));
    }

    /// Open → Running: a promise that can no longer be cancelled. What was there, if it could not.
    pub(crate) fn open_to_running(&self) -> Result<(), Snapshot> {
        self.transition(|seen| (seen.phase() == Phase::Open).then(|| seen.to(Phase::Running).with(OUTSIDE))).map(drop)
    }

    /// Open or Running → Completing, by the promise. Fails if it is completed or cancelled.
    pub(crate) fn complete_promise(&self) -> bool {
        self.transition(|seen| {
            matches!(seen.phase(), Phase::Open | Phase::Running).then(|| seen.to(Phase::Completing).with(OUTSIDE))
        })
        .is_ok()
    }

    /// Running → Suspended, or → Scheduled if it was woken meanwhile (`true`: it must be queued). The caller owns the slot.
    pub(crate) fn suspend(&self) -> bool {
        let was = self.transition(|seen| {
            let next = if seen.0 & NOTIFIED == 0 { Phase::Suspended } else { Phase::Scheduled };
            (seen.phase() == Phase::Running).then(|| seen.to(next).without(OUTSIDE | NOTIFIED))
        });
        matches!(was, Ok(was) if was.0 & NOTIFIED != 0)
    }

    /// Suspended → Scheduled. `false` if it does not rest any more.
    pub(crate) fn schedule(&self) -> bool {
        self.transition(|seen| (seen.phase() == Phase::Suspended).then(|| seen.to(Phase::Scheduled))).is_ok()
    }

    /// Notes a wake-up of a future that is being polled; says what else must be done.
    ///
    /// A future that is queued already is written to as well, with what was there: a plain load could be old, and the poll
    /// to come must see what happened before this wake.
    pub(crate) fn wake(&self) -> Wake {
        let noted = self.transition(|seen| match seen.phase() {
            Phase::Running => Some(seen.with(NOTIFIED)),
            Phase::Pending | Phase::Scheduled => Some(seen),
            _ => None,
        });
        match noted {
            Ok(_) => Wake::Noted,
            Err(seen) if seen.phase() == Phase::Suspended => Wake::Rests,
            Err(_) => Wake::Ignored,
        }
    }

    /// Pending, Scheduled, Suspended or Open → Settling as cancelled, if the generation is still the one meant and the
    /// phase is one of `phases`.
    pub(crate) fn cancel(&self, generation: Option<usize>, phases: &[Phase]) -> bool {
        self.transition(|seen| {
            (phases.contains(&seen.phase()) && generation.is_none_or(|meant| meant == seen.generation()))
                .then(|| seen.to(Phase::Settling).of_kind(Kind::Cancelled))
        })
        .is_ok()
    }

    /// → Settling with an outcome that may be looked at but not taken. The caller owns the slot.
    pub(crate) fn settle(&self, kind: Kind) {
        // The owner cannot lose, only the bits around the phase can change under it: it declines nothing.
        let _ = self.transition(|seen| Some(seen.to(Phase::Settling).of_kind(kind)));
    }

    /// → Done, if nobody listens. The caller owns the slot until this succeeds.
    #[inline]
    pub(crate) fn finish_unheard(&self, kind: Kind) -> Option<Rest> {
        self.transition(|seen| (seen.0 & LISTENER == 0).then(|| seen.to(Phase::Done).of_kind(kind).without(NOTIFIED)))
            .ok()
            .map(Self::rest)
    }

    /// → Done, listeners or not: for callers inside the lock that guards the slot's wait cell.
    pub(crate) fn finish(&self, kind: Kind) -> Rest {
        match self.transition(|seen| Some(seen.to(Phase::Done).of_kind(kind).without(NOTIFIED))) {
            Ok(seen) | Err(seen) => Self::rest(seen),
        }
    }

    fn rest(seen: Snapshot) -> Rest {
        if seen.is_abandoned() { Rest::Yours } else { Rest::Needed }
    }

    /// Notes that the wait cell is in use, for whoever completes the task. `false`: too late, the outcome can be taken.
    pub(crate) fn listen(&self) -> bool {
        self.transition(|seen| (!seen.is_done()).then(|| seen.with(LISTENER))).is_ok()
    }

    /// Gives up the handle of a done task whose outcome was moved out. That it was cancelled stays to be seen.
    pub(crate) fn take(&self) -> Rest {
        let rest = |seen: Snapshot| if seen.is_cancelled() { Kind::Cancelled } else { Kind::Empty };
        match self.transition(|seen| Some(seen.of_kind(rest(seen)).without(HANDLE))) {
            Ok(seen) | Err(seen) => Self::rest_after(seen, HANDLE),
        }
    }

    /// Gives up the handle.
    pub(crate) fn drop_handle(&self) -> Rest {
        match self.transition(|seen| Some(seen.without(HANDLE))) {
            Ok(seen) | Err(seen) => Self::rest_after(seen, HANDLE),
        }
    }

    /// Gives up the promise.
    pub(crate) fn drop_promise(&self) -> Rest {
        match self.transition(|seen| Some(seen.without(PROMISE))) {
            Ok(seen) | Err(seen) => Self::rest_after(seen, PROMISE),
        }
    }

    fn rest_after(seen: Snapshot, gone: usize) -> Rest {
        if seen.is_done() && seen.without(gone).is_abandoned() { Rest::Yours } else { Rest::Needed }
    }

    /// Done or Reserved → Free, one generation on. The caller owns the slot and nobody pins it, so nobody else writes the word.
    #[inline]
    pub(crate) fn retire(&self) {
        let seen = self.0.load(Ordering::Relaxed); // our own transition wrote it
        let next = (seen >> GENERATION_SHIFT).wrapping_add(1) << GENERATION_SHIFT;
        self.0.store(next, Ordering::Release); // orders our last look at the bytes before the next claim
    }
}

/// Whose stack a task runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// A worker's.
    No,
    /// A caller's that is no worker.
    Yes,
}

#[cfg(all(test, loom))]
mod models;
