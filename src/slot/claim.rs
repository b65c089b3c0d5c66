//! From a free slot to one that holds a task.

use core::future::Future;
use core::marker::PhantomData;
use core::task::Waker;

use super::{Promised, Receiver, SlotRef};
use crate::error::{Refusal, TaskError};
use crate::job::{self, ByHand, Callback, Closure, Polled, Polling, Table, Verdict};
use crate::queue::Index;
use crate::state::Sort;
use crate::sync::Ordering;

/// A slot of `BYTES` bytes that belongs to nobody else (R1).
#[must_use]
pub(crate) struct Claim<'e, const BYTES: usize> {
    slot: SlotRef<'e>,
}

/// A slot of a size that only the running program knows, and that belongs to nobody else (R1).
#[must_use]
pub(crate) struct Vacancy<'e> {
    slot: SlotRef<'e>,
    capacity: usize,
}

/// A slot that holds a task nobody knows of yet (R1).
#[must_use]
pub(crate) struct Filled<'e> {
    slot: SlotRef<'e>,
}

impl<'e> Filled<'e> {
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }

    /// Reserved → Pending, with a handle. For whoever puts it into the queue in the same breath.
    #[inline]
    pub(crate) fn publish(self, sort: Sort) {
        self.slot.state.publish_pending(sort);
    }

    /// As [`publish`](Self::publish), and back if `push` then finds that the queue does not take
    /// it.
    #[inline]
    pub(crate) fn publish_if(
        self,
        sort: Sort,
        push: impl FnOnce(SlotRef<'e>) -> bool,
    ) -> Result<(), Self> {
        self.slot.state.publish_pending(sort);
        if push(self.slot) {
            return Ok(());
        }
        assert!(
            self.slot.state.withdraw(),
            "what was not pushed is not taken"
        );
        Err(self)
    }
}

/// A task that was not accepted, and why.
pub(crate) type Refused<'e> = (Filled<'e>, Refusal);

/// Puts a task into the queue, or gives it back.
pub(crate) trait Commit<'e>: FnOnce(Filled<'e>) -> Result<(), Refused<'e>> {}
impl<'e, C: FnOnce(Filled<'e>) -> Result<(), Refused<'e>>> Commit<'e> for C {}

impl<'e> SlotRef<'e> {
    /// Takes a slot that was in the free list. `false` if it is not free.
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
    unsafe fn fill<J>(self, table: &'static Table, scope: *mut (), job: J) {
        self.scope.store(scope, Ordering::Relaxed); // published with the task
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

impl<'e, const BYTES: usize> Claim<'e, BYTES> {
    /// Takes a slot that was in the free list. `None` if it is not free.
    ///
    /// # Safety
    ///
    /// - The slot has `BYTES` bytes.
    #[inline]
    pub(crate) unsafe fn new(slot: SlotRef<'e>, index: Index) -> Option<Self> {
        slot.claim(index).then_some(Self { slot })
    }

    /// Gives the slot back empty: it goes to the free list.
    pub(crate) fn retire(self) -> SlotRef<'e> {
        self.slot.state.retire();
        self.slot
    }

    /// The slot, for a waker.
    pub(crate) fn slot(&self) -> SlotRef<'e> {
        self.slot
    }
}

/// Refuses what does not fit when the program is compiled, and names the knob.
const fn check<F, T, const BYTES: usize>() {
    assert!(
        size_of::<F>() <= BYTES,
        "slotted: the task is larger than a slot: raise SLOT_BYTES (or capture less)"
    );
    assert!(
        size_of::<T>() <= BYTES,
        "slotted: the task's result is larger than a slot: raise SLOT_BYTES"
    );
    assert!(
        align_of::<F>() <= job::ALIGN,
        "slotted: the task is aligned more strictly than a slot: no SLOT_BYTES helps, capture it by reference"
    );
    assert!(
        align_of::<T>() <= job::ALIGN,
        "slotted: the task's result is aligned more strictly than a slot: no SLOT_BYTES helps"
    );
}

impl<'e, const BYTES: usize> Claim<'e, BYTES> {
    /// Fills the slot with a closure and commits it; refused, both come back.
    #[inline]
    pub(crate) fn closure<F, T, V>(
        self,
        closure: F,
        commit: impl Commit<'e>,
    ) -> Result<Receiver<'e, T>, (Self, F, Refusal)>
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
    /// - What `F` and `T` borrow stays valid until the task has ended and its outcome was taken or
    ///   dropped.
    #[inline]
    pub(crate) unsafe fn borrowing_closure<F, T, V>(
        self,
        scope: *mut (),
        closure: F,
        commit: impl Commit<'e>,
    ) -> Result<Receiver<'e, T>, (Self, F, Refusal)>
    where
        F: FnOnce() -> T + Send,
        T: Send,
        V: Verdict<T>,
    {
        const { check::<F, T, BYTES>() };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe {
            self.slot
                .fill(const { &Closure::<F, T, V>::TABLE }, scope, closure)
        };
        match commit(Filled { slot: self.slot }) {
            Ok(()) => Ok(Receiver::new(self.slot)),
            Err((filled, reason)) => {
                assert!(
                    filled.slot.as_ptr() == self.slot.as_ptr(),
                    "commit gives back what it got"
                );
                // SAFETY: R1; the closure we moved in is still there, since `Filled` was not
                // published.
                let closure = unsafe { self.slot.empty::<F>() };
                Err((self, closure, reason))
            }
        }
    }

    /// Fills the slot with a future and commits it; refused, both come back.
    pub(crate) fn future<F>(
        self,
        waker: Waker,
        future: F,
        commit: impl Commit<'e>,
    ) -> Result<Receiver<'e, F::Output>, (Self, F, Refusal)>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        const { check::<Polled<F>, F::Output, BYTES>() };
        // SAFETY: checked above; the table is that of `F`.
        unsafe {
            self.slot.fill(
                const { &Polling::<F>::TABLE },
                core::ptr::null_mut(),
                Polled { waker, future },
            )
        };
        match commit(Filled { slot: self.slot }) {
            Ok(()) => Ok(Receiver::new(self.slot)),
            Err((filled, reason)) => {
                assert!(
                    filled.slot.as_ptr() == self.slot.as_ptr(),
                    "commit gives back what it got"
                );
                // SAFETY: as in `borrowing_closure`; never polled, the future may still move.
                let polled = unsafe { self.slot.empty::<Polled<F>>() };
                Err((self, polled.future, reason))
            }
        }
    }

    /// Makes the slot one that is completed by hand.
    pub(crate) fn promise<T: Send + 'static>(self) -> (Promised<'e, T>, Receiver<'e, T>) {
        const { check::<(), T, BYTES>() };
        // SAFETY: checked above; a promise's job is `()`.
        unsafe {
            self.slot
                .fill(const { &ByHand::<T>::TABLE }, core::ptr::null_mut(), ())
        };
        // Nobody starts it: what an earlier task noted there would be taken for who does.
        self.slot.link.set_worker(None);
        self.slot.state.publish_open();
        (Promised::new(self.slot), Receiver::new(self.slot))
    }
}

/// A slot that keeps a callback nobody knows of yet (R1).
#[must_use]
pub(crate) struct FilledCallback<'e, F> {
    vacancy: Vacancy<'e>,
    callback: PhantomData<F>,
}

impl<'e> Vacancy<'e> {
    /// Takes a slot that was in the free list. `None` if it is not free.
    ///
    /// # Safety
    ///
    /// - The slot has `capacity` bytes.
    pub(crate) unsafe fn new(slot: SlotRef<'e>, index: Index, capacity: usize) -> Option<Self> {
        slot.claim(index).then_some(Self { slot, capacity })
    }

    /// Gives the slot back empty: it goes to the free list.
    pub(crate) fn retire(self) -> SlotRef<'e> {
        self.slot.state.retire();
        self.slot
    }

    /// Makes the slot keep a callback for a task that returns `T`. Too large or too aligned, both
    /// come back.
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
        // A callback has no scope: the place says whose it is, for `Running::call` to check.
        // SAFETY: R1; checked above; the table is that of `F` and has no outcome.
        unsafe {
            self.slot
                .fill(const { &Callback::<F, T>::TABLE }, task, callback)
        };
        Ok(FilledCallback {
            vacancy: self,
            callback: PhantomData,
        })
    }
}

impl<'e, F> FilledCallback<'e, F> {
    /// Reserved → Pending. For whoever puts it into a task's list in the same breath.
    pub(crate) fn publish(self) -> SlotRef<'e> {
        self.vacancy.slot.state.publish_callback();
        self.vacancy.slot
    }

    /// Moves the callback out again.
    pub(crate) fn take_back(self) -> (Vacancy<'e>, F) {
        // SAFETY: R1; the callback that `Vacancy::callback` moved in is still there.
        let callback = unsafe { self.vacancy.slot.empty::<F>() };
        (self.vacancy, callback)
    }
}
