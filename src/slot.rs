//! A slot: the state word, the bytes it guards, and the tickets that give access to them.
//!
//! Who may touch `table` and `bytes`, and when:
//!
//! - **R1** `Reserved`: the holder of the [`Claim`], or of the `Filled` made from it.
//! - **R2** `Open`, `Pending`, `Scheduled`, `Suspended`: nobody.
//! - **R3** `Running`: the holder of the [`Running`] ticket. A promise that runs has none: nobody.
//! - **R4** `Completing`: the promise, inside [`Promised::complete`].
//! - **R5** `Settling`: the holder of the [`Cancelled`] or [`Ending`] ticket, which lends the outcome for reading to
//!   the callbacks it calls.
//! - **R6** `Done`: the holder of the [`Receiver`]; once handle and promise are gone, the holder of [`Last`].
//!
//! Invariants:
//!
//! - **Typed Ticket.** A ticket exists only because the transition that grants it succeeded (*One Winner* in `state`), is
//!   neither `Copy` nor `Clone`, and is consumed by the transition that ends it. What the rest of the
//!   crate does with indices and lists can therefore lose or delay a task, never give two threads the same bytes.
//! - **Same Type.** The table in the slot and the `T` of its `Receiver` and `Promised` are set together, and the handle or
//!   promise pins the slot until it is gone.
//! - **Retire Once.** `Last` is unique: `state` gives `Rest::Yours` to exactly one caller per life.
//! - **Hands Off.** After the transition that lets somebody else free the slot, the ticket is gone, and with it the access.

use core::mem::MaybeUninit;

use crate::error::TaskError;
use crate::job::{self, Aligned, Entry, Table};
use crate::queue::{Index, Link};
use crate::state::{Kind, Outside, Phase, Rest, Snapshot, Start, State};
use crate::sync::{AtomicPtr, AtomicU16, Ordering, UnsafeCell, const_fn};
use crate::unwind::Bomb;

mod claim;
mod receiver;

pub(crate) use claim::{Claim, Filled, FilledCallback};
pub(crate) use receiver::{Promised, Receiver};

/// Room for one task. The last field is unsized so that one copy of the code serves every `SLOT_BYTES`.
pub(crate) struct Slot<B: ?Sized = [MaybeUninit<u8>]> {
    state: State,
    link: Link,
    index: AtomicU16,
    /// The scope the task belongs to, or null; the mark of the task a callback was added to. Set with the table.
    scope: AtomicPtr<()>,
    /// How to treat `bytes`. R1 to write, R3 to R6 to read.
    table: UnsafeCell<Option<&'static Table>>,
    /// The job, then the outcome. R1 to R6.
    bytes: UnsafeCell<Aligned<B>>,
}

// SAFETY: `bytes` and `table` are touched under R1 to R6 only, which name one thread at a time, or several that only
// read (R5, R6) and then only where the `T` they read is `Sync` (`Receiver`'s auto traits) or they are the same thread;
// the transitions of `state` order one holder before the next (*Publish*). What is put into `bytes` is `Send`:
// every constructor of `Filled` and `Promised` asks for it.
unsafe impl<B: ?Sized> Sync for Slot<B> {}

impl<const BYTES: usize> Slot<[MaybeUninit<u8>; BYTES]> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            const {
                assert!(
                    job::fits::<TaskError>(BYTES),
                    "slotted: a slot must hold at least a `TaskError`: raise SLOT_BYTES"
                );
            }
            Self {
                state: State::new(),
                link: Link::new(),
                index: AtomicU16::new(0),
                scope: AtomicPtr::new(core::ptr::null_mut()),
                table: UnsafeCell::new(None),
                bytes: UnsafeCell::new(Aligned::new()),
            }
        }
    }
}

impl<B: ?Sized> Slot<B> {
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state.snapshot()
    }

    #[inline]
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The slot's place in its executor. Right as soon as it was claimed once.
    #[inline]
    pub(crate) fn index(&self) -> Index {
        self.index.load(Ordering::Relaxed) // only ever one value
    }

    /// The scope the task belongs to, or null.
    #[inline]
    pub(crate) fn scope(&self) -> *mut () {
        self.scope.load(Ordering::Relaxed) // set before the task was published
    }

    /// Notes that somebody waits in the slot's wait cell. `false`: the outcome can be taken, do not wait.
    pub(crate) fn listen(&self) -> bool {
        self.state.listen()
    }

    /// Wakes the future; says what is left to do.
    pub(crate) fn wake(&self) -> crate::state::Wake {
        self.state.wake()
    }

    /// Notes that a pending task is out of the queue.
    pub(crate) fn mark_taken(&self) {
        self.state.mark_taken();
    }

    /// Suspended → Scheduled, for whoever is about to queue it.
    pub(crate) fn schedule(&self) -> bool {
        self.state.schedule()
    }
}

impl Slot {
    /// What tells the slot from others of its executor, wherever that is moved to: not an address.
    fn mark(&self) -> *mut () {
        core::ptr::without_provenance_mut(usize::from(self.index()) + 1)
    }

    /// How large a job may be.
    pub(crate) fn capacity(&self) -> usize {
        // SAFETY: only the length is read, which is in the pointer, not behind it.
        self.bytes.with(|bytes| unsafe { &*bytes }.len())
    }

    /// The worker on whose stack the task is, if it is on one.
    pub(crate) fn worker(&self) -> Option<u16> {
        let seen = self.snapshot();
        if !seen.runs_on_worker() {
            return None;
        }
        // Written before the start that the snapshot saw.
        self.link.worker()
    }

    /// Takes a task that left the queue to run it: on a worker's stack, or outside.
    #[inline]
    pub(crate) fn start(&self, worker: Option<u16>) -> Option<Running<'_>> {
        let outside = match worker {
            Some(worker) => {
                self.link.set_worker(worker);
                Outside::No
            }
            None => Outside::Yes,
        };
        match self.state.start(outside) {
            Start::Yours => Some(Running { slot: self }),
            Start::Lost => None,
        }
    }

    /// Cancels the task if its phase is one of `phases` and its generation, if given, the one meant.
    pub(crate) fn cancel(&self, generation: Option<usize>, phases: &[Phase]) -> Option<Cancelled<'_>> {
        self.state.cancel(generation, phases).then_some(Cancelled { slot: self })
    }

    /// The table, for the holder of a ticket.
    ///
    /// # Safety
    ///
    /// - The caller holds a ticket that R3 to R6 name, and the slot was filled since it was claimed.
    #[inline]
    unsafe fn table(&self) -> &'static Table {
        // SAFETY: R3 to R6: nobody writes it now.
        let table = self.table.with(|table| unsafe { *table });
        match table {
            Some(table) => table,
            // No slot leaves `Reserved` before its table is set.
            None => unreachable!("a slot in use has a table"),
        }
    }
}

/// A task whose bytes belong to whoever runs it (R3).
#[must_use]
pub(crate) struct Running<'e> {
    slot: &'e Slot,
}

/// What one go at a task led to.
pub(crate) enum Advanced<'e> {
    /// It ended; in a panic or not.
    Ended { ending: Ending<'e>, panicked: bool },
    /// A future that is not ready.
    Rests(Running<'e>),
}

impl<'e> Running<'e> {
    pub(crate) fn slot(&self) -> &'e Slot {
        self.slot
    }

    /// Runs the closure, or polls the future once. If that unwinds (no `std`), `unwound` gets the broken task.
    #[inline]
    pub(crate) fn advance(self, unwound: impl FnOnce(Ending<'e>)) -> Advanced<'e> {
        let slot = self.slot;
        // SAFETY: we hold `Running`.
        let table = unsafe { slot.table() };
        let bomb = Bomb::new(|| unwound(Ending::broken(slot)));
        let ended = slot.bytes.with_mut(|bytes| match table.entry {
            // SAFETY: Bytes by R3; *Typed Bytes*: the table was set with the job; its types were checked to fit.
            Entry::Run(run) => Some(unsafe { run(bytes.cast()) }),
            // SAFETY: as above; a future never moves, since only a `'static` executor takes one.
            Entry::Poll(poll) => unsafe { poll(bytes.cast()) },
            // Callbacks are started by `call` alone, and promises are never queued.
            Entry::Call(_) | Entry::Hand => unreachable!("only closures and futures are queued"),
        });
        bomb.defuse();
        match ended {
            Some(ended) => Advanced::Ended { ending: Ending { slot, kind: ended.kind }, panicked: ended.panicked },
            None => Advanced::Rests(self),
        }
    }

    /// Running → Suspended; or → Scheduled and `true`, if it was woken meanwhile and must be queued.
    pub(crate) fn suspend(self) -> bool {
        self.slot.state.suspend()
    }

    /// Drops the task without running it: it ends as broken.
    pub(crate) fn abandon(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending::broken(self.slot)
    }

    /// Drops the future between two polls: it ends as cancelled.
    pub(crate) fn cancel(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending { slot: self.slot, kind: Kind::Cancelled }
    }

    /// Calls the callback that lies in this slot with an outcome, and frees the slot. Says whether it returned.
    ///
    /// # Safety
    ///
    /// - The callback was made by [`Receiver::fill_callback`] for the very task that `ending` ends.
    pub(crate) unsafe fn call(self, ending: &Ending<'_>) -> (Index, bool) {
        assert!(self.slot.scope() == ending.slot.mark(), "a callback meets its own task");
        // SAFETY: we hold `Running`.
        let table = unsafe { self.slot.table() };
        let Entry::Call(call) = table.entry else { unreachable!("only callbacks are called") };
        let returned = ending.slot.bytes.with(|outcome| {
            self.slot.bytes.with_mut(|bytes| {
                // SAFETY: Bytes by R3; *Typed Bytes* for the callback; by this function's contract the outcome is of
                // the callback's `T`, and by R5 it stays as it is while we hold `ending`.
                unsafe { call(bytes.cast(), outcome.cast(), ending.kind) }
            })
        });
        let index = self.slot.index();
        self.slot.state.retire();
        (index, returned)
    }
}

impl Slot {
    /// Drops the job. For the holders of `Running` and `Cancelled`, who say so by calling it at all: private to this file.
    fn discard_job(&self) {
        // SAFETY: our callers hold a ticket of R3 or R5.
        let table = unsafe { self.table() };
        self.bytes.with_mut(|bytes| {
            // SAFETY: Bytes by R3 or R5; *Typed Bytes*: a job that has not run, or a future between polls.
            unsafe { (table.discard)(bytes.cast()) }
        });
    }
}

/// A task that was cancelled, whose closure or future is still there (R5).
#[must_use]
pub(crate) struct Cancelled<'e> {
    slot: &'e Slot,
}

impl<'e> Cancelled<'e> {
    /// Drops the closure or the future.
    pub(crate) fn discard(self) -> Ending<'e> {
        self.slot.discard_job();
        Ending { slot: self.slot, kind: Kind::Cancelled }
    }
}

/// A task whose outcome is written and not yet to be taken (R3, R4, R5).
#[must_use]
pub(crate) struct Ending<'e> {
    slot: &'e Slot,
    kind: Kind,
}

impl<'e> Ending<'e> {
    /// Ends a task whose bytes hold nothing as broken. Only for owners of the bytes.
    fn broken(slot: &'e Slot) -> Self {
        slot.bytes.with_mut(|bytes| {
            // SAFETY: Bytes: our callers own them and have moved out or dropped what was there; `Slot::new`
            // checks that a `TaskError` fits.
            unsafe { job::write(bytes.cast(), TaskError::Broken) }
        });
        Self { slot, kind: Kind::Error }
    }

    pub(crate) fn slot(&self) -> &'e Slot {
        self.slot
    }

    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.kind, Kind::Failed | Kind::Error)
    }

    /// Whether the task was a future.
    #[inline]
    pub(crate) fn is_future(&self) -> bool {
        // SAFETY: we hold `Ending`.
        let table = unsafe { self.slot.table() };
        matches!(table.entry, Entry::Poll(_))
    }

    /// → Done at once, unless somebody listens.
    #[inline]
    pub(crate) fn finish_unheard(self) -> Result<Option<Last<'e>>, Self> {
        match self.slot.state.finish_unheard(self.kind) {
            Some(rest) => Ok(Last::of(rest, self.slot, self.kind)),
            None => Err(self),
        }
    }

    /// → Settling: done as the user sees it, while callbacks look at the outcome.
    pub(crate) fn settle(&self) {
        self.slot.state.settle(self.kind);
    }

    /// → Done. For callers inside the lock of the wait cells.
    pub(crate) fn finish(self) -> Option<Last<'e>> {
        Last::of(self.slot.state.finish(self.kind), self.slot, self.kind)
    }
}

/// A done task that neither handle nor promise refers to any more (R6): only its outcome is left to drop.
#[must_use]
pub(crate) struct Last<'e> {
    slot: &'e Slot,
    kind: Kind,
}

impl<'e> Last<'e> {
    fn of(rest: Rest, slot: &'e Slot, kind: Kind) -> Option<Self> {
        match rest {
            Rest::Yours => Some(Self { slot, kind }),
            Rest::Needed => None,
        }
    }

    pub(crate) fn slot(&self) -> &'e Slot {
        self.slot
    }

    /// Takes the error out, if the task ended in one, so that it can be told to somebody else.
    pub(crate) fn take_error(&mut self) -> Option<TaskError> {
        (self.kind == Kind::Error).then(|| {
            self.kind = Kind::Empty;
            // SAFETY: Bytes by R6; the kind said that a live `TaskError` lies there; now it says that nothing does.
            self.slot.bytes.with(|bytes| unsafe { job::read(bytes.cast()) })
        })
    }

    /// Drops the outcome and makes the slot free for the next claim: its index goes to the free list.
    #[inline]
    pub(crate) fn retire(self) -> Index {
        if !matches!(self.kind, Kind::Cancelled | Kind::Empty) {
            // SAFETY: we hold `Last`.
            let table = unsafe { self.slot.table() };
            self.slot.bytes.with_mut(|bytes| {
                // SAFETY: Bytes by R6; *Typed Bytes*: the outcome of this kind.
                unsafe { (table.drop_outcome)(bytes.cast(), self.kind) }
            });
        }
        let index = self.slot.index();
        self.slot.state.retire();
        index
    }
}
