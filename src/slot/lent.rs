//! A lent task: it gets what the worker of its executor owns. A closure that runs once; or a task
//! that is polled, and gets it in each poll.
//!
//! Its table has an entry of its own kind, which takes the address of that thing. So no thread runs
//! such a task unless it has something to lend: [`Running::advance`] knows no way to it. And its
//! word says `LENT` while it is queued or rests, so that a waiting thread leaves it where it is.

use core::marker::PhantomData;
use core::task::{Context, Poll, Waker};

use super::job::{
    self, Classify, Ended, Entry, Plain, Polled, Table, discard, drop_outcome, end_run,
};
use super::state::OutcomeKind;
use super::{Advanced, Claim, Ending, Running, Stop};
use crate::slot::claim::{Filled, check};
use crate::unwind::{self, Bomb};

/// A task that may rest between its polls, and gets an `L` in each of them. Nothing pins it.
pub(crate) trait LentFuture<L> {
    /// What it returns when it is ready.
    type Output;

    /// Goes on with what is lent. Once it is ready, it is dropped.
    fn poll(&mut self, owned: &mut L, context: &mut Context<'_>) -> Poll<Self::Output>;
}

/// The table of a closure `F` that gets an `L` and returns `T`.
struct Lent<L, F, T, V>(PhantomData<(L, F, T, V)>);

impl<L, F: FnOnce(&mut L) -> T, T, V: Classify<T>> Lent<L, F, T, V> {
    const TABLE: Table = Table {
        entry: Entry::Lend(run::<L, F, T, V>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// As [`Lent`], for a closure that may be asked to stop.
struct LentStoppable<L, F, T>(PhantomData<(L, F, T)>);

impl<L, F: FnOnce(&mut L, &Stop) -> T, T> LentStoppable<L, F, T> {
    const TABLE: Table = Table {
        entry: Entry::Lend(run_stoppable::<L, F, T>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// The table of a task `F` that gets an `L` in each poll.
struct LentPolling<L, F>(PhantomData<(L, F)>);

impl<L, F: LentFuture<L>> LentPolling<L, F> {
    const TABLE: Table = Table {
        entry: Entry::Lend(poll::<L, F>),
        discard: discard::<Polled<F>>,
        drop_outcome: drop_outcome::<F::Output>,
    };
}

/// Runs the closure with what is lent, and leaves the bytes to its outcome.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `F` (*Typed Bytes*); `T` and `TaskError` fit them. Afterwards
///   they hold the outcome of the kind returned.
/// - `owned` points to an `L` that no other reference names during the call.
unsafe fn run<L, F: FnOnce(&mut L) -> T, T, V: Classify<T>>(
    bytes: *mut u8,
    owned: *mut (),
) -> Ended {
    // SAFETY: a live `F`, moved out to our stack, as of any closure.
    let closure = unsafe { job::read::<F>(bytes) };
    // SAFETY: the second condition.
    let owned = unsafe { &mut *owned.cast::<L>() };
    let result = unwind::catch(|| closure(owned));
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, V>(bytes, result) }
}

/// As [`run`], for a closure that gets the token of its own task too.
///
/// # Safety
///
/// - As [`run`]; and the bytes are those that a slot's job is run with (*Beside*).
unsafe fn run_stoppable<L, F: FnOnce(&mut L, &Stop) -> T, T>(
    bytes: *mut u8,
    owned: *mut (),
) -> Ended {
    // SAFETY: *Beside*, by the caller's promise. The reference ends before this call does.
    let stop = unsafe { Stop::of(bytes) };
    // SAFETY: a live `F`, moved out to our stack, as of any closure.
    let closure = unsafe { job::read::<F>(bytes) };
    // SAFETY: as in `run`.
    let owned = unsafe { &mut *owned.cast::<L>() };
    let result = unwind::catch(|| closure(owned, stop));
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, Plain>(bytes, result) }
}

/// Polls the task once with what is lent. If it is ready, or panics, leaves the bytes to its
/// outcome.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `Polled<F>` (*Typed Bytes*); its output and `TaskError` fit
///   them. Afterwards they hold the outcome of the kind returned, or still the task if it rests.
/// - `owned` points to an `L` that no other reference names during the call.
unsafe fn poll<L, F: LentFuture<L>>(bytes: *mut u8, owned: *mut ()) -> Ended {
    // SAFETY: the second condition.
    let owned = unsafe { &mut *owned.cast::<L>() };
    let poll = |polled: &mut Polled<F>| {
        let context = &mut Context::from_waker(&polled.waker);
        polled.future.poll(owned, context)
    };
    // SAFETY: the first condition.
    let Some(outcome) = (unsafe { job::poll_once_with(bytes, poll) }) else {
        return Ended::Rests;
    };
    // SAFETY: the task was dropped, so nothing lives there; the caller's promise.
    unsafe { end_run::<F::Output, Plain>(bytes, outcome) }
}

impl<'e, const BYTES: usize> Claim<'e, BYTES> {
    /// Fills the slot with a closure that gets an `L`, from the worker that runs it.
    #[inline(always)]
    pub(crate) fn lent<L, F, T, V>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L) -> T + Send + 'static,
        T: Send + 'static,
        V: Classify<T>,
    {
        // SAFETY: `'static` outlives everything.
        unsafe { self.borrowing_lent::<L, F, T, V>(core::ptr::null_mut(), closure) }
    }

    /// As [`lent`](Self::lent), for a closure that borrows.
    ///
    /// # Safety
    ///
    /// - As [`borrowing_closure`](Self::borrowing_closure).
    #[inline(always)]
    pub(crate) unsafe fn borrowing_lent<L, F, T, V>(
        self,
        scope: *mut (),
        closure: F,
    ) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L) -> T + Send,
        T: Send,
        V: Classify<T>,
    {
        const { check::<F, T, BYTES>() };
        self.fill_lent(const { &Lent::<L, F, T, V>::TABLE }, scope, closure)
    }

    /// As [`lent`](Self::lent), for a closure that may be asked to stop.
    #[inline(always)]
    pub(crate) fn lent_stoppable<L, F, T>(self, closure: F) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: `'static` outlives everything.
        unsafe { self.borrowing_lent_stoppable::<L, F, T>(core::ptr::null_mut(), closure) }
    }

    /// As [`lent_stoppable`](Self::lent_stoppable), for a closure that borrows.
    ///
    /// # Safety
    ///
    /// - As [`borrowing_closure`](Self::borrowing_closure).
    #[inline(always)]
    pub(crate) unsafe fn borrowing_lent_stoppable<L, F, T>(
        self,
        scope: *mut (),
        closure: F,
    ) -> Filled<'e, F, T, BYTES>
    where
        F: FnOnce(&mut L, &Stop) -> T + Send,
        T: Send,
    {
        const { check::<F, T, BYTES>() };
        self.fill_lent(const { &LentStoppable::<L, F, T>::TABLE }, scope, closure)
    }

    /// Fills the slot with a task that gets an `L` in each poll, from the worker that polls it.
    ///
    /// # Safety
    ///
    /// - `hook` is what the completer of the task may take for the owner of such a task.
    pub(crate) unsafe fn lent_future<L, F>(
        self,
        waker: Waker,
        hook: *mut (),
        future: F,
    ) -> Filled<'e, Polled<F>, F::Output, BYTES>
    where
        F: LentFuture<L, Output: Send + 'static> + Send + 'static,
    {
        const { check::<Polled<F>, F::Output, BYTES>() };
        let table = const { &LentPolling::<L, F>::TABLE };
        self.fill_lent(table, hook, Polled { waker, future })
    }

    /// The table is that of the job `J` and of `T`, and both fit.
    #[inline(always)]
    fn fill_lent<J, T>(
        self,
        table: &'static Table,
        owner: *mut (),
        job: J,
    ) -> Filled<'e, J, T, BYTES> {
        let slot = self.slot();
        // SAFETY: R1, by the claim. Our callers checked that the types fit, and the table is
        // theirs.
        unsafe { slot.fill(table, owner, job) };
        slot.state.mark_lent();
        Filled::new(slot)
    }
}

impl<'e> Running<'e> {
    /// Runs a lent closure to its end, or polls a lent task once. If that unwinds (no `std`),
    /// `unwound` gets the broken task.
    ///
    /// # Safety
    ///
    /// - The slot was filled by [`Claim::lent`], or one of its relatives here, for this `L`.
    #[inline]
    pub(crate) unsafe fn advance_lent<L>(
        self,
        owned: &mut L,
        unwound: impl FnOnce(Ending<'e>),
    ) -> Advanced<'e> {
        let slot = self.slot;
        // SAFETY: we hold `Running`.
        let table = unsafe { slot.table() };
        let Entry::Lend(run) = table.entry else {
            unreachable!("an owner takes lent tasks only")
        };
        let owned = core::ptr::from_mut(owned).cast();
        let bomb = Bomb::new(|| unwound(Ending::broken(slot)));
        // SAFETY: Bytes by R3; *Typed Bytes*: the table was set with the job. The submitter checked
        // that its types fit. `owned` is an `L`, the one that the task expects, and ours alone.
        let ended = slot.with_mut(|bytes| unsafe { run(bytes, owned) });
        bomb.defuse();
        let (kind, panicked) = match ended {
            Ended::Value => (OutcomeKind::Value, None),
            Ended::Failed => (OutcomeKind::Failed, None),
            Ended::Panicked(caught) => (OutcomeKind::Error, Some(caught)),
            Ended::Rests => return Advanced::Rests(self),
        };
        let ending = Ending { slot, kind };
        Advanced::Ended { ending, panicked }
    }
}
