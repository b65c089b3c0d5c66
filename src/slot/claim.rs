//! From a free slot to one that holds a task.

use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::task::Waker;

use super::{Promised, Receiver, Slot};
use crate::error::TaskError;
use crate::job::{self, ByHand, Callback, Closure, Polled, Polling, Table, Verdict};
use crate::queue::Index;
use crate::sync::Ordering;

/// A slot that belongs to nobody else (R1).
#[must_use]
pub(crate) struct Claim<'e, B: ?Sized = [MaybeUninit<u8>]> {
    slot: &'e Slot<B>,
}

/// A slot that holds a task nobody knows of yet (R1).
#[must_use]
pub(crate) struct Filled<'e> {
    slot: &'e Slot,
}

impl<'e> Filled<'e> {
    pub(crate) fn slot(&self) -> &'e Slot {
        self.slot
    }

    /// Reserved → Pending, with a handle. For whoever puts it into the queue in the same breath.
    #[inline]
    pub(crate) fn publish(self) {
        self.slot.state.publish_pending();
    }
}

/// Puts a task into the queue, or gives it back.
pub(crate) trait Commit<'e>: FnOnce(Filled<'e>) -> Result<(), Filled<'e>> {}
impl<'e, C: FnOnce(Filled<'e>) -> Result<(), Filled<'e>>> Commit<'e> for C {}

impl<'e, B: ?Sized> Claim<'e, B> {
    /// Takes a slot that was in the free list. `None` if it is not free.
    #[inline]
    pub(crate) fn new(slot: &'e Slot<B>, index: Index) -> Option<Self> {
        slot.state.claim().then(|| {
            slot.index.store(index, Ordering::Relaxed); // only ever this value
            Self { slot }
        })
    }

    pub(crate) fn index(&self) -> Index {
        self.slot.index()
    }

    /// Gives the slot back empty: its index goes to the free list.
    pub(crate) fn retire(self) -> Index {
        let index = self.slot.index();
        self.slot.state.retire();
        index
    }

    /// Sets the table and moves the job in.
    ///
    /// # Safety
    ///
    /// - `J` fits the slot.
    /// - `table` was made for `J`, and for an outcome that fits the slot.
    #[inline]
    unsafe fn fill<J>(&self, table: &'static Table, scope: *mut (), job: J) {
        self.slot.scope.store(scope, Ordering::Relaxed); // published with the task
        // SAFETY: R1.
        self.slot.table.with_mut(|place| unsafe { *place = Some(table) });
        // SAFETY: Bytes by R1; they hold nothing; the first condition.
        self.slot.bytes.with_mut(|bytes| unsafe { job::write(bytes.cast(), job) });
    }
}

/// Refuses what does not fit when the program is compiled, and names the knob.
const fn check<F, T, const BYTES: usize>() {
    assert!(size_of::<F>() <= BYTES, "slotted: the task is larger than a slot: raise SLOT_BYTES (or capture less)");
    assert!(size_of::<T>() <= BYTES, "slotted: the task's result is larger than a slot: raise SLOT_BYTES");
    assert!(
        align_of::<F>() <= job::ALIGN,
        "slotted: the task is aligned more strictly than a slot: no SLOT_BYTES helps, capture it by reference"
    );
    assert!(
        align_of::<T>() <= job::ALIGN,
        "slotted: the task's result is aligned more strictly than a slot: no SLOT_BYTES helps"
    );
}

impl<'e, const BYTES: usize> Claim<'e, [MaybeUninit<u8>; BYTES]> {
    /// Fills the slot with a closure and commits it; refused, both come back.
    #[inline]
    pub(crate) fn closure<F, T, V>(self, closure: F, commit: impl Commit<'e>) -> Result<Receiver<'e, T>, (Self, F)>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        V: Verdict<T>,
    {
        // SAFETY: `'static` outlives everything.
        unsafe { self.borrowing_closure::<F, T, V>(core::ptr::null_mut(), closure, commit) }
    }

    /// As [`closure`](Self::closure), for a closure that borrows.
    ///
    /// # Safety
    ///
    /// - What `F` and `T` borrow stays valid until the task has ended and its outcome was taken or dropped.
    #[inline]
    pub(crate) unsafe fn borrowing_closure<F, T, V>(
        self,
        scope: *mut (),
        closure: F,
        commit: impl Commit<'e>,
    ) -> Result<Receiver<'e, T>, (Self, F)>
    where
        F: FnOnce() -> T + Send,
        T: Send,
        V: Verdict<T>,
    {
        const { check::<F, T, BYTES>() };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.fill(const { &Closure::<F, T, V>::TABLE }, scope, closure) };
        match commit(Filled { slot: self.slot }) {
            Ok(()) => Ok(Receiver::new(self.slot)),
            Err(filled) => {
                assert!(core::ptr::addr_eq(filled.slot, self.slot), "commit gives back what it got");
                // SAFETY: Bytes by R1; the closure we moved in is still there, since `Filled` was not published.
                let closure = self.slot.bytes.with(|bytes| unsafe { job::read::<F>(bytes.cast()) });
                Err((self, closure))
            }
        }
    }

    /// Fills the slot with a future and commits it; refused, both come back.
    pub(crate) fn future<F>(
        self,
        waker: Waker,
        future: F,
        commit: impl Commit<'e>,
    ) -> Result<Receiver<'e, F::Output>, (Self, F)>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        const { check::<Polled<F>, F::Output, BYTES>() };
        // SAFETY: checked above; the table is that of `F`.
        unsafe { self.fill(const { &Polling::<F>::TABLE }, core::ptr::null_mut(), Polled { waker, future }) };
        match commit(Filled { slot: self.slot }) {
            Ok(()) => Ok(Receiver::new(self.slot)),
            Err(filled) => {
                assert!(core::ptr::addr_eq(filled.slot, self.slot), "commit gives back what it got");
                // SAFETY: as in `borrowing_closure`; never polled, the future may still move.
                let polled = self.slot.bytes.with(|bytes| unsafe { job::read::<Polled<F>>(bytes.cast()) });
                Err((self, polled.future))
            }
        }
    }

    /// Makes the slot one that is completed by hand.
    pub(crate) fn promise<T: Send + 'static>(self) -> (Promised<'e, T>, Receiver<'e, T>) {
        const { check::<(), T, BYTES>() };
        // SAFETY: checked above; a promise's job is `()`.
        unsafe { self.fill(const { &ByHand::<T>::TABLE }, core::ptr::null_mut(), ()) };
        self.slot.state.publish_open();
        (Promised::new(self.slot), Receiver::new(self.slot))
    }
}

/// A slot that keeps a callback nobody knows of yet (R1).
#[must_use]
pub(crate) struct FilledCallback<'e, F> {
    claim: Claim<'e>,
    callback: PhantomData<F>,
}

impl<'e> Claim<'e> {
    /// Makes the slot keep a callback for a task that returns `T`. Too large or too aligned, both come back.
    pub(super) fn callback<F, T>(self, task: *mut (), callback: F) -> Result<FilledCallback<'e, F>, (Self, F)>
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
    {
        if !job::fits::<F>(self.slot.capacity()) {
            return Err((self, callback));
        }
        // A callback has no scope: the place says whose it is, for `Running::call` to check.
        // SAFETY: checked above; the table is that of `F` and has no outcome.
        unsafe { self.fill(const { &Callback::<F, T>::TABLE }, task, callback) };
        Ok(FilledCallback { claim: self, callback: PhantomData })
    }
}

impl<'e, F> FilledCallback<'e, F> {
    /// Reserved → Pending. For whoever puts it into a task's list in the same breath.
    pub(crate) fn publish(self) -> Index {
        let index = self.claim.slot.index();
        self.claim.slot.state.publish_callback();
        index
    }

    /// Moves the callback out again.
    pub(crate) fn take_back(self) -> (Claim<'e>, F) {
        // SAFETY: Bytes by R1; the callback that `Claim::callback` moved in is still there.
        let callback = self.claim.slot.bytes.with(|bytes| unsafe { job::read::<F>(bytes.cast()) });
        (self.claim, callback)
    }
}
