//! A slot: the state word, the bytes it guards, and the tickets that give access to them.
//!
//! Which thread may touch `table` and `bytes`, and when:
//!
//! - **R1** `Reserved`: the holder of the [`Claim`] or [`ErasedClaim`], or of the `Filled` or
//!   [`FilledCallback`] made from it.
//! - **R2** `Open`, `Pending`, `Scheduled`, `Suspended`: no thread.
//! - **R3** `Running`: the holder of the [`Running`] ticket. A promise that runs has none: no
//!   thread.
//! - **R4** `Completing`: the promise, inside [`Promised::complete`].
//! - **R5** `Settling`: the holder of the [`Cancelled`] or [`Ending`] ticket. It lends the outcome
//!   for reading to the callbacks it calls.
//! - **R6** `Done`: the holder of the [`Receiver`]; once handle and promise are gone, the holder of
//!   [`Last`].
//!
//! The [`Receiver`] pins the slot, so its holder may read `table` in every phase.
//!
//! Invariants:
//!
//! - **Typed Ticket.** A ticket exists only because the transition that grants it succeeded (*One
//!   Winner* in `state`). It is neither `Copy` nor `Clone`, and the transition that ends it
//!   consumes it. So indices and lists, in the rest of the crate, can lose or delay a task, never
//!   give two threads the same bytes.
//! - **Same Type.** The submitter sets the table in the slot and the `T` of its `Receiver` and
//!   `Promised` together. The handle or promise pins the slot until it is gone.
//! - **Retire Once.** `Last` is unique: `state` gives `SlotUse::Last` to exactly one caller per
//!   life.
//! - **Hands Off.** After the transition that lets another thread free the slot, the ticket is
//!   gone, and with it the access.

use core::marker::PhantomData;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;
use core::ptr::NonNull;

use crate::error::TaskError;
use crate::list::{Index, Link, Seat};
use crate::sync::{AtomicPtr, AtomicU16, CacheAligned, Ordering, UnsafeCell, const_fn};
use crate::unwind::{Bomb, Caught};

mod state;
mod job;
mod claim;
mod ends;
mod kind;
mod lent;
mod polling;
mod stop;

pub(crate) use claim::{
    Claim, ErasedClaim, FilledCallback, FilledClosure, FilledFuture, Unpublished,
};
pub(crate) use ends::{ErasedReceiver, Promised, Receiver};
pub(crate) use job::{Classify, Fallible, Plain};
pub(crate) use lent::LentFuture;
pub(crate) use state::{Asked, CancelFrom, Phase, Snapshot, TaskKind, Wake};
pub use stop::Stop;

use job::{Aligned, Ended, Entry, Table};
use state::{OutcomeKind, SlotUse, Start, State};

/// The part of a slot that is the same for every size.
pub(crate) struct Slot {
    state: State,
    link: Link,
    index: AtomicU16,
    /// The latch of the task's scope, the hook of a future, or null; the tag of the task that a
    /// callback was added to. Set with the table.
    owner: AtomicPtr<()>,
    /// What tells the executor's layout, if the slot ever held a future. Only ever one value.
    home: AtomicPtr<()>,
    /// How to treat the bytes. R1 to write. To read: R3 to R6, and the `Receiver`, which pins it.
    table: UnsafeCell<Option<&'static Table>>,
    /// Stands for the bytes: here loom checks each access to them. R1 to R6.
    access: UnsafeCell<()>,
}

/// A slot and its bytes: the job, then the outcome.
#[repr(C)]
pub(crate) struct SlotStorage<const BYTES: usize> {
    /// On a desktop begins a cache line: the slot and its first bytes share it.
    start: [CacheAligned; 0],
    slot: Slot,
    bytes: core::cell::UnsafeCell<Aligned<[MaybeUninit<u8>; BYTES]>>,
}

/// The distance of the bytes from the start of the slot: the same for every size.
const BYTES_AT: usize = offset_of!(SlotStorage<0>, bytes);

// SAFETY: threads touch `bytes` and `table` under R1 to R6 only. These name one thread at a time,
// or several that only read (R5, R6). Several threads read only a `T` that is `Sync` (`Receiver`'s
// auto traits); of any other `T` all readers are the same thread. The transitions of `state` order
// one holder before the next (*Publish*). What goes into `bytes` is `Send`: every constructor of
// `Filled`, `FilledCallback` and `Promised` asks for it.
unsafe impl Sync for Slot {}
// SAFETY: as above: the bytes belong to the slot.
unsafe impl<const BYTES: usize> Sync for SlotStorage<BYTES> {}

impl<const BYTES: usize> SlotStorage<BYTES> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(
                    job::fits::<TaskError>(BYTES),
                    "slotted: a slot must hold at least a `TaskError`: raise SLOT_BYTES"
                );
                assert!(offset_of!(Self, bytes) == BYTES_AT);
            }
            let slot = Slot {
                state: State::new(),
                link: Link::new(),
                index: AtomicU16::new(0),
                owner: AtomicPtr::new(core::ptr::null_mut()),
                home: AtomicPtr::new(core::ptr::null_mut()),
                table: UnsafeCell::new(None),
                access: UnsafeCell::new(()),
            };
            Self { start: [], slot, bytes: core::cell::UnsafeCell::new(Aligned::new()) }
        }
    }
}

impl Slot {
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state.snapshot()
    }

    #[inline]
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The slot's index in its executor. Valid once a submitter has claimed the slot.
    #[inline]
    pub(crate) fn index(&self) -> Index {
        self.index.load(Ordering::Relaxed) // every store writes the same value
    }

    /// The latch of the task's scope, the hook of a future, or null.
    #[inline]
    pub(crate) fn owner(&self) -> *mut () {
        self.owner.load(Ordering::Relaxed) // set before the task was published
    }

    /// The executor's layout, which [`set_home`](Self::set_home) stored.
    pub(crate) fn home(&self) -> *mut () {
        self.home.load(Ordering::Relaxed) // written before the first waker was made
    }

    /// Stores the executor's layout. The submitter calls it before it makes the slot's first waker.
    pub(crate) fn set_home(&self, home: *mut ()) {
        self.home.store(home, Ordering::Relaxed); // published with the task
    }

    /// Notes in the word that the slot's wait cell has a listener. Returns false if the outcome is
    /// takeable: the caller must not wait.
    pub(crate) fn listen(&self) -> bool {
        self.state.listen()
    }

    /// Wakes the future. Returns what the caller must do next.
    pub(crate) fn wake(&self) -> Wake {
        self.state.wake()
    }

    /// Suspended → Scheduled. The caller queues or starts the future in the same section. Returns
    /// false if it is not suspended any more.
    pub(crate) fn schedule(&self) -> bool {
        self.state.schedule()
    }

    /// Tells the slot from the others of its executor. Not an address: the executor may move.
    fn tag(&self) -> *mut () {
        core::ptr::without_provenance_mut(usize::from(self.index()) + 1)
    }

    /// The seat of the worker whose stack holds the task, if one does.
    pub(crate) fn runner(&self) -> Option<Seat> {
        if !self.snapshot().is_where_it_started() {
            return None;
        }
        // The worker wrote it before the start that the snapshot saw.
        self.link.runner()
    }

    /// The table, for the holder of a ticket.
    ///
    /// # Safety
    ///
    /// - The caller holds a ticket that R1 or R3 to R6 name, or the `Receiver`, and the slot was
    ///   filled since it was claimed.
    #[inline]
    unsafe fn table(&self) -> &'static Table {
        // SAFETY: R1, R3 to R6, or the slot is pinned: no thread writes it now.
        let table = self.table.with(|table| unsafe { *table });
        match table {
            Some(table) => table,
            // No slot leaves `Reserved` before its table is set.
            None => unreachable!("a slot in use has a table"),
        }
    }
}

/// A slot of any size, by a pointer to its start.
///
/// Invariant **Whole**: the pointer is that of a [`SlotStorage`] which is there, shared, for `'e`.
/// It may be used for the bytes too, and for all of the executor that holds the slot.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef<'e> {
    slot: NonNull<Slot>,
    life: PhantomData<&'e Slot>,
}

// SAFETY: it is a `&SlotStorage`, and that is `Sync`.
unsafe impl Send for SlotRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for SlotRef<'_> {}

impl Deref for SlotRef<'_> {
    type Target = Slot;

    #[inline(always)]
    fn deref(&self) -> &Slot {
        self.get()
    }
}

impl<'e> SlotRef<'e> {
    /// # Safety
    ///
    /// - `slot` is the start of a `SlotStorage` that is there, shared, for `'e`, and was derived
    ///   from a pointer to all of its executor (*Whole*).
    #[inline(always)]
    pub(crate) unsafe fn new(slot: NonNull<Slot>) -> Self {
        Self {
            slot,
            life: PhantomData,
        }
    }

    /// The part that is the same for every size, for as long as the slot is there.
    #[inline(always)]
    pub(crate) fn get(self) -> &'e Slot {
        // SAFETY: *Whole*.
        unsafe { self.slot.as_ref() }
    }

    /// The slot as one pointer.
    pub(crate) fn as_ptr(self) -> *const () {
        self.slot.as_ptr().cast_const().cast()
    }

    /// Lends the bytes for reading.
    #[inline(always)]
    fn with<R>(self, read: impl FnOnce(*const u8) -> R) -> R {
        self.access
            .with(|_| read(self.slot.as_ptr().cast::<u8>().wrapping_add(BYTES_AT)))
    }

    /// Lends the bytes for writing.
    #[inline(always)]
    fn with_mut<R>(self, write: impl FnOnce(*mut u8) -> R) -> R {
        self.access
            .with_mut(|_| write(self.slot.as_ptr().cast::<u8>().wrapping_add(BYTES_AT)))
    }

    /// Starts a task that has left its list. The link names the seat that runs it.
    #[inline]
    pub(crate) fn start(self) -> Option<Running<'e>> {
        match self.state.start() {
            Start::Yours => Some(Running { slot: self }),
            Start::Lost => None,
        }
    }

    /// From now on no canceller can cancel the future of a generation. The caller is inside the
    /// lock of the ready queue. The error is the word as it was, if there is no such future.
    pub(crate) fn set_running(self, generation: usize) -> Result<(), Snapshot> {
        self.state.set_running(generation)
    }

    /// Cancels a future between two polls.
    pub(crate) fn cancel_resting(self) -> Option<Cancelled<'e>> {
        self.state
            .cancel_resting()
            .then_some(Cancelled { slot: self })
    }

    /// Cancels the task if it is where `from` says. A given generation must also be the task's.
    pub(crate) fn cancel(
        self,
        generation: Option<usize>,
        from: CancelFrom,
    ) -> Option<Cancelled<'e>> {
        self.state
            .cancel(generation, from)
            .then_some(Cancelled { slot: self })
    }
}

/// A started task: the holder owns the bytes (R3).
#[must_use]
pub(crate) struct Running<'e> {
    slot: SlotRef<'e>,
}

/// What one run or poll of a task led to.
pub(crate) enum Advanced<'e> {
    /// The task ended, with or without a panic.
    Ended {
        ending: Ending<'e>,
        panicked: Option<Caught>,
    },
    /// The future is not ready; or only its hook polls it, and has not yet.
    Rests(Running<'e>),
}

impl<'e> Running<'e> {
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Runs the closure, or polls the future once. If that unwinds (no `std`), `unwound` gets the
    /// broken task.
    #[inline]
    pub(crate) fn advance(self, unwound: impl FnOnce(Ending<'e>)) -> Advanced<'e> {
        let slot = self.slot;
        // SAFETY: we hold `Running`.
        let table = unsafe { slot.table() };
        // Callbacks go through `call`, and no promise is ever queued.
        let Entry::Run(run) = table.entry else {
            unreachable!("only an owner takes lent tasks")
        };
        let bomb = Bomb::new(|| unwound(Ending::broken(slot)));
        // SAFETY: Bytes by R3; *Typed Bytes*: the table was set with the job. The submitter checked
        // that its types fit. A future never moves, since only a `'static` executor takes one.
        let ended = slot.with_mut(|bytes| unsafe { run(bytes) });
        bomb.defuse();
        let end = |kind, panicked| Advanced::Ended {
            ending: Ending { slot, kind },
            panicked,
        };
        match ended {
            Ended::Rests => Advanced::Rests(self),
            Ended::Value => end(OutcomeKind::Value, None),
            Ended::Failed => end(OutcomeKind::Failed, None),
            Ended::Panicked(caught) => end(OutcomeKind::Error, Some(caught)),
        }
    }

    /// Drops the job without a further run. The task ends as broken.
    pub(crate) fn abandon(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending::broken(self.slot)
    }

    /// Drops the future between two polls. The task ends as cancelled.
    pub(crate) fn cancel(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending {
            slot: self.slot,
            kind: OutcomeKind::Cancelled,
        }
    }

    /// Calls the callback in this slot with an outcome, and retires the slot. Returns true if the
    /// callback returned.
    ///
    /// # Safety
    ///
    /// - The callback was made by [`Receiver::fill_callback`] for the very task that `ending` ends.
    pub(crate) unsafe fn call(self, ending: &Ending<'_>) -> (SlotRef<'e>, bool) {
        assert!(
            self.slot.owner() == ending.slot.tag(),
            "a callback meets its own task"
        );
        // SAFETY: we hold `Running`.
        let table = unsafe { self.slot.table() };
        let Entry::Call(call) = table.entry else {
            unreachable!("only callbacks are called")
        };
        let returned = ending.slot.with(|outcome| {
            self.slot.with_mut(|bytes| {
                // SAFETY: Bytes by R3; *Typed Bytes* for the callback. By this function's contract
                // the outcome is of the callback's `T`. By R5 it stays as it is while we hold
                // `ending`.
                unsafe { call(bytes, outcome, ending.kind) }
            })
        });
        self.slot.state.retire();
        (self.slot, returned)
    }
}

impl SlotRef<'_> {
    /// Drops the job. Private to this file: only `Running` and `Cancelled` call it, for their
    /// holders.
    fn discard_job(self) {
        // SAFETY: our callers hold a ticket of R3 or R5.
        let table = unsafe { self.table() };
        self.with_mut(|bytes| {
            // SAFETY: Bytes by R3 or R5; *Typed Bytes*: a job that has not run, or a future between
            // polls.
            unsafe { (table.discard)(bytes) }
        });
    }
}

/// A cancelled task whose closure or future is still there (R5).
#[must_use]
pub(crate) struct Cancelled<'e> {
    slot: SlotRef<'e>,
}

impl<'e> Cancelled<'e> {
    /// Drops the closure or the future.
    pub(crate) fn discard(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending {
            slot: self.slot,
            kind: OutcomeKind::Cancelled,
        }
    }
}

/// What finishing a task returns. `Ok`: the right to retire it, if the caller is the last holder,
/// and the word as it was. `Err`: the task has listeners, and the ticket lends them the outcome.
pub(crate) type Finished<'e> = Result<(Option<Last<'e>>, Snapshot), Ending<'e>>;

/// A task whose outcome is written and not yet takeable (R3, R4, R5).
#[must_use]
pub(crate) struct Ending<'e> {
    slot: SlotRef<'e>,
    kind: OutcomeKind,
}

impl<'e> Ending<'e> {
    /// Ends a task as broken. The caller owns the bytes, and they hold nothing.
    fn broken(slot: SlotRef<'e>) -> Self {
        slot.with_mut(|bytes| {
            // SAFETY: Bytes: our callers own them and have moved out or dropped what was there;
            // `SlotStorage::new` checks that a `TaskError` fits.
            unsafe { job::write(bytes, TaskError::Broken) }
        });
        Self {
            slot,
            kind: OutcomeKind::Error,
        }
    }

    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.kind, OutcomeKind::Failed | OutcomeKind::Error)
    }

    /// The error that the task ends with, if it ends with one.
    pub(crate) fn error(&self) -> Option<&TaskError> {
        match self.kind {
            OutcomeKind::Error => Some(self.slot.with(|bytes| {
                // SAFETY: R3 to R5: this kind means a live `TaskError`, which stays as it is while
                // we are borrowed.
                unsafe { &*bytes.cast::<TaskError>() }
            })),
            OutcomeKind::Cancelled => Some(&const { TaskError::Cancelled }),
            _ => None,
        }
    }

    /// Returns true if the task is a future.
    #[inline]
    pub(crate) fn is_future(&self) -> bool {
        self.slot.snapshot().is_future()
    }

    /// → Done. With a listener: → Settling, ended for the user, while callbacks look at the
    /// outcome. Also returns the word as it was.
    #[inline]
    pub(crate) fn finish(self) -> Finished<'e> {
        let seen = self.slot.state.finish(self.kind);
        if seen.has_listener() {
            Err(self)
        } else {
            Ok((Last::of(seen.slot_use(), self.slot, self.kind), seen))
        }
    }

    /// As [`finish`](Self::finish), and gives up the promise in the same step.
    pub(crate) fn finish_promise(self) -> Finished<'e> {
        let seen = self.slot.state.finish_promise(self.kind);
        if seen.has_listener() {
            Err(self)
        } else {
            Ok((Last::of(seen.slot_use(), self.slot, self.kind), seen))
        }
    }

    /// Settling → Done, after [`finish`](Self::finish) found a listener. The caller is inside the
    /// lock of the wait table.
    pub(crate) fn finish_heard(self) -> Option<Last<'e>> {
        Last::of(self.slot.state.finish_heard(), self.slot, self.kind)
    }
}

/// A done task without handle and promise (R6): only its outcome is left to drop. Or a claimed slot
/// without a task (R1): nothing is left to drop.
#[must_use]
pub(crate) struct Last<'e> {
    slot: SlotRef<'e>,
    kind: OutcomeKind,
}

impl<'e> Last<'e> {
    /// A slot whose bytes hold nothing and that is the caller's alone, by R1.
    fn empty(slot: SlotRef<'e>) -> Self {
        Self {
            slot,
            kind: OutcomeKind::Empty,
        }
    }

    fn of(slot_use: SlotUse, slot: SlotRef<'e>, kind: OutcomeKind) -> Option<Self> {
        match slot_use {
            SlotUse::Last => Some(Self { slot, kind }),
            SlotUse::Shared => None,
        }
    }

    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Returns true if the task ended in an error that is still there.
    #[inline]
    pub(crate) fn is_error(&self) -> bool {
        self.kind == OutcomeKind::Error
    }

    /// Takes the error out, if the task ended in one. The caller hands it to the scope.
    pub(crate) fn take_error(&mut self) -> Option<TaskError> {
        self.is_error().then(|| {
            self.kind = OutcomeKind::Empty;
            // SAFETY: Bytes by R6; the kind said that a live `TaskError` lies there; now it says
            // that nothing does.
            self.slot.with(|bytes| unsafe { job::read(bytes) })
        })
    }

    /// Returns true if nothing is left to drop.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.kind, OutcomeKind::Cancelled | OutcomeKind::Empty)
    }

    /// Drops the outcome, if one is left.
    pub(crate) fn drop_outcome(&mut self) {
        let kind = core::mem::replace(&mut self.kind, OutcomeKind::Empty);
        // SAFETY: we hold `Last`.
        let table = unsafe { self.slot.table() };
        self.slot.with_mut(|bytes| {
            // SAFETY: Bytes by R6; *Typed Bytes*: the outcome of this kind, which is `Empty` from
            // now on.
            unsafe { (table.drop_outcome)(bytes, kind) }
        });
    }

    /// Frees the slot. The caller puts it into the free list. An outcome that is still there leaks.
    #[inline]
    pub(crate) fn retire(self) -> SlotRef<'e> {
        debug_assert!(
            self.is_empty(),
            "the outcome is dropped before its slot is freed"
        );
        self.slot.state.retire();
        self.slot
    }
}

#[cfg(all(test, loom))]
mod models;
