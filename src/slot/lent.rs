//! A lent closure: it gets what the worker of its executor owns.
//!
//! The worker hands over the address through the `owner` of the slot, right before it runs the job.
//! Any other thread that runs the job finds null there. Then the closure does not run: the job
//! leaves its hook in the same place, and rests. The hook decides where the task goes.
//!
//! Invariant **Lent Once**: the `owner` of a lent closure's slot is the address of an `L` only from
//! [`Running::lend`] to the next look of the job, which takes it out. The holder of `Running` makes
//! both steps (R3). So an address is used by the run that it was lent to, and by no other.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::job::{self, Classify, Ended, Entry, Plain, Table, discard, drop_outcome, end_run};
use super::{BYTES_AT, Claim, Running, Slot, SlotRef, Stop};
use crate::slot::claim::{Filled, check};
use crate::sync::{AtomicPtr, Ordering};
use crate::unwind;

/// Names the hook of closures that were run by a thread that has nothing to lend.
pub(crate) trait Keeper {
    /// The hook, as the owner of a slot.
    fn hook() -> *mut ();
}

/// The table of a closure `F` that gets an `L` and returns `T`.
struct Lent<L, F, T, V, K>(PhantomData<(L, F, T, V, K)>);

impl<L, F: FnOnce(&mut L) -> T, T, V: Classify<T>, K: Keeper> Lent<L, F, T, V, K> {
    const TABLE: Table = Table {
        entry: Entry::Run(run::<L, F, T, V, K>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// As [`Lent`], for a closure that may be asked to stop.
struct LentStoppable<L, F, T, K>(PhantomData<(L, F, T, K)>);

impl<L, F: FnOnce(&mut L, &Stop) -> T, T, K: Keeper> LentStoppable<L, F, T, K> {
    const TABLE: Table = Table {
        entry: Entry::Run(run_stoppable::<L, F, T, K>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// Takes what was lent to the job that is run with `bytes`. `None`: nothing was, and the hook of
/// `K` is the owner of the slot now.
///
/// # Safety
///
/// - `bytes` are those that a slot's job is run with (*Beside*).
/// - What was lent, if anything, is an `L`.
#[inline(always)]
unsafe fn take_loan<L, K: Keeper>(bytes: *mut u8) -> Option<NonNull<L>> {
    let slot = bytes.wrapping_sub(BYTES_AT).cast_const().cast::<Slot>();
    // SAFETY: *Beside*: the slot lies there, and the pointer may be used for it.
    let owner = unsafe { &raw const (*slot).owner };
    // SAFETY: *Beside*: it stays there during this call. It is an atomic, which all threads share.
    let owner: &AtomicPtr<()> = unsafe { &*owner };
    // Relaxed: the thread that runs the job wrote it, or the one that ran it before (*Publish*).
    let loan = NonNull::new(owner.load(Ordering::Relaxed));
    let next = if loan.is_some() {
        core::ptr::null_mut()
    } else {
        K::hook()
    };
    owner.store(next, Ordering::Relaxed); // for the holder of `Running`
    loan.map(NonNull::cast)
}

/// Runs the closure with what was lent, and leaves the bytes to its outcome. If nothing was lent,
/// the closure stays.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `F` (*Typed Bytes*); `T` and `TaskError` fit them. Afterwards
///   they hold the outcome of the kind returned, or still the closure if it rests.
/// - They are those that a slot's job is run with (*Beside*).
/// - What was lent, if anything, is an `L` that no other reference names during the call.
unsafe fn run<L, F, T, V, K>(bytes: *mut u8) -> Ended
where
    F: FnOnce(&mut L) -> T,
    V: Classify<T>,
    K: Keeper,
{
    // SAFETY: the caller's promise.
    let Some(mut owned) = (unsafe { take_loan::<L, K>(bytes) }) else {
        return Ended::Rests;
    };
    // SAFETY: a live `F`, moved out to our stack, as of any closure.
    let closure = unsafe { job::read::<F>(bytes) };
    // SAFETY: an `L` that is ours alone during the call, by the caller's promise. *Lent Once*: no
    // run inside this one gets the address.
    let result = unwind::catch(|| closure(unsafe { owned.as_mut() }));
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, V>(bytes, result) }
}

/// As [`run`], for a closure that gets the token of its own task too.
///
/// # Safety
///
/// - As [`run`].
unsafe fn run_stoppable<L, F, T, K>(bytes: *mut u8) -> Ended
where
    F: FnOnce(&mut L, &Stop) -> T,
    K: Keeper,
{
    // SAFETY: the caller's promise.
    let Some(mut owned) = (unsafe { take_loan::<L, K>(bytes) }) else {
        return Ended::Rests;
    };
    // SAFETY: *Beside*, by the caller's promise. The reference ends before this call does.
    let stop = unsafe { Stop::of(bytes) };
    // SAFETY: a live `F`, moved out to our stack, as of any closure.
    let closure = unsafe { job::read::<F>(bytes) };
    // SAFETY: as in `run`.
    let result = unwind::catch(|| closure(unsafe { owned.as_mut() }, stop));
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, Plain>(bytes, result) }
}

impl<'e, const BYTES: usize> Claim<'e, BYTES> {
    /// Fills the slot with a closure that gets an `L`, from the worker that runs it. `K` keeps it
    /// if another thread does.
    #[inline(always)]
    pub(crate) fn lent<L, F, T, V, K>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
        V: Classify<T>,
        K: Keeper,
    {
        const { check::<F, T, BYTES>() };
        let table = const { &Lent::<L, F, T, V, K>::TABLE };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.slot().fill(table, core::ptr::null_mut(), closure) };
        Filled::new(self.slot())
    }

    /// As [`lent`](Self::lent), for a closure that may be asked to stop.
    #[inline(always)]
    pub(crate) fn lent_stoppable<L, F, T, K>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
        T: Send + 'static,
        K: Keeper,
    {
        const { check::<F, T, BYTES>() };
        let table = const { &LentStoppable::<L, F, T, K>::TABLE };
        // SAFETY: checked above; the table is that of `F` and `T`.
        unsafe { self.slot().fill(table, core::ptr::null_mut(), closure) };
        Filled::new(self.slot())
    }
}

impl Running<'_> {
    /// Lends the task what the worker owns. The caller runs the task next.
    ///
    /// # Safety
    ///
    /// - The slot was filled by [`Claim::lent`] or [`Claim::lent_stoppable`] for an `L`.
    /// - `owned` is an `L` that no other reference names until the run has ended.
    #[inline(always)]
    pub(crate) unsafe fn lend<L>(&self, owned: NonNull<L>) {
        let owner = owned.as_ptr().cast();
        self.slot.owner.store(owner, Ordering::Relaxed); // for this thread
    }

    /// A lent closure that did not run forgets its hook.
    pub(crate) fn forget_hook(&self) {
        // The next transition publishes it.
        let nothing = core::ptr::null_mut();
        self.slot.owner.store(nothing, Ordering::Relaxed);
    }

    /// Running → Pending, of a lent closure that did not run. The caller links it in the same
    /// section. It comes back if it was asked to stop meanwhile: the caller cancels it.
    pub(crate) fn put_back(self) -> Result<(), Self> {
        if self.slot.state.put_back() {
            Ok(())
        } else {
            Err(self)
        }
    }

    /// Leaves a lent closure that did not run, as started. [`SlotRef::take_aside`] takes it.
    pub(crate) fn set_aside(self) {
        self.slot.state.set_aside();
    }
}

impl<'e> SlotRef<'e> {
    /// Takes a lent closure that was set aside.
    pub(crate) fn take_aside(self) -> Option<Running<'e>> {
        self.state.take_aside().then_some(Running { slot: self })
    }
}
