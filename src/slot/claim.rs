//! How a free slot gets its task.

use core::future::Future;
use core::marker::PhantomData;
use core::mem::{align_of, size_of};
use core::task::Waker;

use super::job::{
    self, ByHand, Callback, Classify, Closure, Plain, Polled, Polling, PollingOutcome, Stoppable,
    Table,
};
use super::{Last, Promised, Receiver, SlotRef, Stop};
use crate::error::TaskError;
use crate::list::Index;
use crate::slot::state::TaskKind;
use crate::sync::Ordering;

/// A slot of `BYTES` bytes that only the holder may touch (R1).
#[must_use]
pub(crate) struct Claim<'e, const BYTES: usize> {
    slot: SlotRef<'e>,
}

/// A slot of a size known only at run time, which only the holder may touch (R1).
#[must_use]
pub(crate) struct ErasedClaim<'e> {
    slot: SlotRef<'e>,
    capacity: usize,
}

/// A slot that holds a task, until it is published (R1).
///
/// The ready queue publishes it through `&mut`, and so cannot give it to two tasks. What the
/// submitter may do next depends on `published`, not on the answer of the queue.
#[must_use]
pub(crate) struct Unpublished<'e> {
    slot: SlotRef<'e>,
    published: bool,
}

impl<'e> Unpublished<'e> {
    #[inline(always)]
    fn new(slot: SlotRef<'e>) -> Self {
        Self {
            slot,
            published: false,
        }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Reserved → Pending, with a handle. The caller puts the slot into the ready queue in the same
    /// section, or next. Only the first call publishes.
    #[inline(always)]
    pub(crate) fn publish(&mut self, kind: TaskKind) -> SlotRef<'e> {
        if !self.published {
            self.slot.state.publish_pending(kind);
            self.published = true;
        }
        self.slot
    }

    /// Reserved → Suspended, with a handle: a timed task, which waits for its date. The caller is
    /// inside the lock of the ready queue. Only the first call publishes.
    pub(crate) fn publish_resting(&mut self) -> SlotRef<'e> {
        if !self.published {
            self.slot.state.publish_resting();
            self.published = true;
        }
        self.slot
    }

    /// Pending → Reserved: the queue refused the slot, and no other thread has met it.
    pub(crate) fn withdraw(&mut self) {
        if self.published {
            self.published = !self.slot.state.withdraw();
        }
    }
}

/// A slot that holds a task of type `J` with an outcome of type `T`.
#[must_use]
pub(crate) struct Filled<'e, J, T, const BYTES: usize> {
    ticket: Unpublished<'e>,
    types: PhantomData<(J, T)>,
}

impl<'e, J, T, const BYTES: usize> Filled<'e, J, T, BYTES> {
    #[inline(always)]
    pub(super) fn new(slot: SlotRef<'e>) -> Self {
        Self {
            ticket: Unpublished::new(slot),
            types: PhantomData,
        }
    }

    /// The part that the ready queue publishes.
    #[inline(always)]
    pub(crate) fn ticket(&mut self) -> &mut Unpublished<'e> {
        &mut self.ticket
    }

    /// The right to the outcome, if the task was published; otherwise the slot and the job.
    #[inline(always)]
    pub(crate) fn settle(self) -> Result<Receiver<'e, T>, (Claim<'e, BYTES>, J)> {
        let slot = self.ticket.slot;
        if self.ticket.published {
            return Ok(Receiver::new(slot));
        }
        // SAFETY: R1: not published; the job that was moved in is still there.
        let job = unsafe { slot.empty::<J>() };
        Err((Claim { slot }, job))
    }
}

/// A slot that holds a closure, of a task that returns `T`.
pub(crate) type FilledClosure<'e, F, T, const BYTES: usize> = Filled<'e, F, T, BYTES>;

/// A slot that holds a future, of a task that returns `T`.
pub(crate) type FilledFuture<F, T, const BYTES: usize> = Filled<'static, Polled<F>, T, BYTES>;

impl SlotRef<'_> {
    /// Takes a slot that was in the free list. Returns false if it is not free.
    #[inline]
    fn claim(self, index: Index) -> bool {
        let claimed = self.state.claim();
        if claimed {
            self.index.store(index, Ordering::Relaxed); // only ever this value
        }
        claimed
    }

    /// Sets the table and moves the job in.
    ///
    /// # Safety
    ///
    /// - The slot is the caller's by R1, and `J` fits it.
    /// - `table` was made for `J`, and for an outcome that fits the slot.
    #[inline]
    pub(super) unsafe fn fill<J>(self, table: &'static Table, owner: *mut (), job: J) {
        self.owner.store(owner, Ordering::Relaxed); // published with the task
        // SAFETY: R1.
        self.table.with_mut(|place| unsafe { *place = Some(table) });
        // SAFETY: Bytes by R1; they hold nothing; the first condition.
        self.with_mut(|bytes| unsafe { job::write(bytes, job) });
    }

    /// Moves a job out again.
    ///
    /// # Safety
    ///
    /// - The slot is the caller's by R1, and was filled with a `J`.
    unsafe fn empty<J>(self) -> J {
        // SAFETY: Bytes by R1; a `J` lies there.
        self.with(|bytes| unsafe { job::read::<J>(bytes) })
    }
}

/// The text of a compile error: two words with two numbers.
struct Text {
    bytes: [u8; 192],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self {
            bytes: [0; 192],
            length: 0,
        }
    }

    /// Bound: the length of the words, and 20 digits.
    const fn words(mut self, words: &str) -> Self {
        let words = words.as_bytes();
        let mut at = 0;
        while at < words.len() {
            self.bytes[self.length] = words[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    const fn number(mut self, number: usize) -> Self {
        let mut scale = 1;
        while number / scale >= 10 {
            scale *= 10;
        }
        while scale > 0 {
            self.bytes[self.length] = b'0' + (number / scale % 10) as u8;
            self.length += 1;
            scale /= 10;
        }
        self
    }

    const fn fail(&self) -> ! {
        let (text, _) = self.bytes.split_at(self.length);
        match core::str::from_utf8(text) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("slotted: too large for a slot"),
        }
    }
}

/// Refuses at compile time what does not fit. The message names the sizes and the knob.
pub(super) const fn check<F, T, const BYTES: usize>() {
    if size_of::<F>() > BYTES {
        Text::new()
            .words("slotted: the task takes ")
            .number(size_of::<F>())
            .words(" bytes, a slot has ")
            .number(BYTES)
            .words(": raise SLOT_BYTES (or capture less)")
            .fail();
    }
    if size_of::<T>() > BYTES {
        Text::new()
            .words("slotted: the task's result takes ")
            .number(size_of::<T>())
            .words(" bytes, a slot has ")
            .number(BYTES)
            .words(": raise SLOT_BYTES")
            .fail();
    }
    if align_of::<F>() > job::ALIGN {
        Text::new()
            .words("slotted: the task needs an alignment of ")
            .number(align_of::<F>())
            .words(", a slot has ")
            .number(job::ALIGN)
            .words(": no SLOT_BYTES helps, capture the value by reference")
            .fail();
    }
    if align_of::<T>() > job::ALIGN {
        Text::new()
            .words("slotted: the task's result needs an alignment of ")
            .number(align_of::<T>())
            .words(", a slot has ")
            .number(job::ALIGN)
            .words(": no SLOT_BYTES helps, return a reference or a box")
            .fail();
    }
}

impl<'e, const BYTES: usize> Claim<'e, BYTES> {
    /// Takes a slot that was in the free list. Calls `not_free` if it is not free.
    ///
    /// # Safety
    ///
    /// - The slot has `BYTES` bytes.
    #[inline]
    pub(crate) unsafe fn new(slot: SlotRef<'e>, index: Index, not_free: fn() -> !) -> Self {
        if !slot.claim(index) {
            not_free()
        }
        Self { slot }
    }

    /// Gives the slot up empty: it is retired as after the end of a task.
    pub(crate) fn give_up(self) -> Last<'e> {
        Last::empty(self.slot)
    }

    /// The slot, for a waker.
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Fills the slot with a closure.
    #[inline(always)]
    pub(crate) fn closure<F, T, V>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        V: Classify<T>,
    {
        // SAFETY: `'static` outlives everything.
        unsafe { self.borrowing_closure::<F, T, V>(core::ptr::null_mut(), closure) }
    }

    /// As [`closure`](Self::closure), for a closure that borrows.
    ///
    /// # Safety
    ///
    /// - What `F` and `T` borrow stays valid until the task has ended and its outcome was taken or
    ///   dropped.
    #[inline(always)]
    pub(crate) unsafe fn borrowing_closure<F, T, V>(
        self,
        scope: *mut (),
        closure: F,
    ) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce() -> T + Send,
        T: Send,
        V: Classify<T>,
    {
        const { check::<F, T, BYTES>() };
        let table = const { &Closure::<F, T, V>::TABLE };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.slot.fill(table, scope, closure) };
        Filled::new(self.slot)
    }

    /// Fills the slot with a closure that may be asked to stop.
    #[inline(always)]
    pub(crate) fn stoppable<F, T>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: `'static` outlives everything.
        unsafe { self.borrowing_stoppable(core::ptr::null_mut(), closure) }
    }

    /// As [`stoppable`](Self::stoppable), for a closure that borrows.
    ///
    /// # Safety
    ///
    /// - As [`borrowing_closure`](Self::borrowing_closure).
    #[inline(always)]
    pub(crate) unsafe fn borrowing_stoppable<F, T>(
        self,
        scope: *mut (),
        closure: F,
    ) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&Stop) -> T + Send,
        T: Send,
    {
        const { check::<F, T, BYTES>() };
        let table = const { &Stoppable::<F, T, Plain>::TABLE };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.slot.fill(table, scope, closure) };
        Filled::new(self.slot)
    }

    /// Fills the slot with a future.
    ///
    /// # Safety
    ///
    /// - `hook` is what the completer of the task may take for the owner of a future.
    pub(crate) unsafe fn future<F>(
        self,
        waker: Waker,
        hook: *mut (),
        future: F,
    ) -> Filled<'e, Polled<F>, F::Output, BYTES>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        const { check::<Polled<F>, F::Output, BYTES>() };
        let table = const { &Polling::<F>::TABLE };
        // SAFETY: checked above; the table is that of `F`.
        unsafe { self.slot.fill(table, hook, Polled { waker, future }) };
        Filled::new(self.slot)
    }

    /// Fills the slot with a future whose output is the task's outcome.
    ///
    /// # Safety
    ///
    /// - `hook` is what the completer of the task may take for the owner of such a future: it polls
    ///   an `F`, of a task that returns `T`.
    pub(crate) unsafe fn future_outcome<F, T>(
        self,
        waker: Waker,
        hook: *mut (),
        future: F,
    ) -> Filled<'e, Polled<F>, T, BYTES>
    where
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Send + 'static,
    {
        const { check::<Polled<F>, T, BYTES>() };
        let table = const { &PollingOutcome::<F, T>::TABLE };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.slot.fill(table, hook, Polled { waker, future }) };
        Filled::new(self.slot)
    }

    /// Makes the slot a promise, whose holder completes it by hand.
    pub(crate) fn promise<T: Send + 'static>(self) -> (Promised<'e, T>, Receiver<'e, T>) {
        const { check::<(), T, BYTES>() };
        let table = const { &ByHand::<T>::TABLE };
        // SAFETY: checked above; a promise's job is `()`.
        unsafe { self.slot.fill(table, core::ptr::null_mut(), ()) };
        // No worker starts a promise: the link forgets the runner of an earlier task.
        self.slot.link.set_runner(None);
        self.slot.state.publish_open();
        (Promised::new(self.slot), Receiver::new(self.slot))
    }
}

/// A slot with a callback that is in no list yet (R1).
#[must_use]
pub(crate) struct FilledCallback<'e, F> {
    claim: ErasedClaim<'e>,
    callback: PhantomData<F>,
}

impl<'e> ErasedClaim<'e> {
    /// Takes a slot that was in the free list. `None` if it is not free.
    ///
    /// # Safety
    ///
    /// - The slot has `capacity` bytes.
    pub(crate) unsafe fn new(slot: SlotRef<'e>, index: Index, capacity: usize) -> Option<Self> {
        slot.claim(index).then_some(Self { slot, capacity })
    }

    /// As [`Claim::give_up`].
    pub(crate) fn give_up(self) -> Last<'e> {
        Last::empty(self.slot)
    }

    /// Fills the slot with a callback for a task that returns `T`. A callback that does not fit
    /// comes back with the slot.
    pub(super) fn callback<F, T>(
        self,
        task: *mut (),
        callback: F,
    ) -> Result<FilledCallback<'e, F>, (Self, F)>
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
    {
        if !job::fits::<F>(self.capacity) {
            return Err((self, callback));
        }
        let table = const { &Callback::<F, T>::TABLE };
        // A callback has no owner: the field holds its task's tag, which `Running::call` checks.
        // SAFETY: R1; checked above; the table is that of `F` and has no outcome.
        unsafe { self.slot.fill(table, task, callback) };
        Ok(FilledCallback {
            claim: self,
            callback: PhantomData,
        })
    }
}

impl<'e, F> FilledCallback<'e, F> {
    /// Reserved → Pending. The caller puts it into a task's list in the same section.
    pub(crate) fn publish(self) -> SlotRef<'e> {
        self.claim.slot.state.publish_callback();
        self.claim.slot
    }

    /// Moves the callback out again.
    pub(crate) fn take_back(self) -> (ErasedClaim<'e>, F) {
        // SAFETY: R1; the callback that `ErasedClaim::callback` moved in is still there.
        let callback = unsafe { self.claim.slot.empty::<F>() };
        (self.claim, callback)
    }
}
