//! What lies in a slot's bytes, erased: a closure, a future or a callback, and later its outcome.
//!
//! One static [`Table`] per type tells the rest of the crate how to treat the bytes without naming
//! the type. This file knows types and bytes. `slot` decides which thread may touch the bytes, and
//! when.
//!
//! Invariants:
//!
//! - **Typed Bytes.** A table is only ever applied to bytes that hold what the table was made for.
//!   `run`, `poll`, `poll_outcome`, `call` and `discard` are applied to the job itself,
//!   `drop_outcome` to the outcome that the kind names.
//! - **Fits.** `const { assert! }` checks size and alignment where the types are known.
//!
//! Every function here takes a `bytes` pointer under the same condition, named **Bytes** in the
//! safety comments. It points to [`Aligned`] storage of a slot that the caller owns for the length
//! of the call.

use core::future::Future;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, align_of, size_of};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::state::OutcomeKind;
use super::stop::Stop;
use crate::error::TaskError;
use crate::unwind;

/// Storage for what a slot holds: 8-byte aligned on 32-bit targets, 16 on 64-bit ones.
#[cfg_attr(target_pointer_width = "64", repr(C, align(16)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(C, align(8)))]
pub(crate) struct Aligned<B>(B);

/// The strictest alignment a slot can give.
pub(crate) const ALIGN: usize = align_of::<Aligned<[u8; 0]>>();

impl<const BYTES: usize> Aligned<[MaybeUninit<u8>; BYTES]> {
    pub(crate) const fn new() -> Self {
        Self([MaybeUninit::uninit(); BYTES])
    }
}

/// How a run or a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The bytes hold the value.
    Value,
    /// The bytes hold a value that counts as a failure.
    Failed,
    /// The bytes hold the panic, as a [`TaskError`].
    Panicked(unwind::Caught),
    /// The bytes still hold the future.
    Rests,
}

/// How the crate sets a slot's job going.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// A closure, run once; or a future, polled until it is ready.
    Run(unsafe fn(*mut u8) -> Ended),
    /// A lent closure, run once, or a lent task, polled until it is ready; with the address of what
    /// its worker owns.
    Lend(unsafe fn(*mut u8, *mut ()) -> Ended),
    /// A callback, called with another slot's outcome. Returns true if the callback returned.
    Call(unsafe fn(*mut u8, *const u8, OutcomeKind) -> bool),
    /// Nothing: the holder of the promise completes it by hand.
    Hand,
}

/// How to treat a slot's bytes.
pub(crate) struct Table {
    pub(crate) entry: Entry,
    /// Drops the job, which has not run (or is a future between polls).
    pub(crate) discard: unsafe fn(*mut u8),
    /// Drops the outcome.
    pub(crate) drop_outcome: unsafe fn(*mut u8, OutcomeKind),
}

impl Table {
    /// The address of a function whose symbol names the type of the job.
    pub(crate) fn kind(&self) -> usize {
        let function = match self.entry {
            Entry::Run(run) => run as *const (),
            Entry::Lend(run) => run as *const (),
            Entry::Call(call) => call as *const (),
            // No function runs a promise.
            Entry::Hand => self.drop_outcome as *const (),
        };
        function.addr()
    }
}

/// A future and the waker that reschedules it. The submitter makes the waker, once.
pub(crate) struct Polled<F> {
    pub(crate) waker: Waker,
    pub(crate) future: F,
}

/// Tells if a value counts as a failure for `FirstError`.
pub(crate) trait Classify<T> {
    fn of(value: &T) -> Ended;
}

/// Every value is a success.
pub(crate) struct Plain;

impl<T> Classify<T> for Plain {
    #[inline(always)]
    fn of(_: &T) -> Ended {
        Ended::Value
    }
}

/// `Err` is a failure.
pub(crate) struct Fallible;

impl<T, E> Classify<Result<T, E>> for Fallible {
    fn of(value: &Result<T, E>) -> Ended {
        if value.is_ok() {
            Ended::Value
        } else {
            Ended::Failed
        }
    }
}

/// The table of a closure `F` that returns `T`.
pub(crate) struct Closure<F, T, V>(PhantomData<(F, T, V)>);

impl<F: FnOnce() -> T, T, V: Classify<T>> Closure<F, T, V> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Run(run::<F, T, V>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// The table of a closure `F` that returns `T` and may be asked to stop.
pub(crate) struct Stoppable<F, T, V>(PhantomData<(F, T, V)>);

impl<F: FnOnce(&Stop) -> T, T, V: Classify<T>> Stoppable<F, T, V> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Run(run_stoppable::<F, T, V>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// The table of a future `F`.
pub(crate) struct Polling<F>(PhantomData<F>);

impl<F: Future> Polling<F> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Run(poll::<F>),
        discard: discard::<Polled<F>>,
        drop_outcome: drop_outcome::<F::Output>,
    };
}

/// The table of a future `F` whose output is the outcome of a task that returns `T`. Running it
/// leaves all to its hook, which polls it.
pub(crate) struct PollingOutcome<F, T>(PhantomData<(F, T)>);

impl<F: Future<Output = Result<T, TaskError>>, T> PollingOutcome<F, T> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Run(|_| Ended::Rests),
        discard: discard::<Polled<F>>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// The table of a promise of a `T`.
pub(crate) struct ByHand<T>(PhantomData<T>);

impl<T> ByHand<T> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Hand,
        discard: discard::<()>,
        drop_outcome: drop_outcome::<T>,
    };
}

/// The table of a callback `F` on a task that returns `T`.
pub(crate) struct Callback<F, T>(PhantomData<(F, T)>);

impl<F: FnOnce(Result<&T, &TaskError>), T> Callback<F, T> {
    pub(crate) const TABLE: Table = Table {
        entry: Entry::Call(call::<F, T>),
        discard: discard::<F>,
        drop_outcome: drop_outcome::<()>,
    };
}

/// Returns true if a `V` fits storage of `len` bytes.
pub(crate) const fn fits<V>(len: usize) -> bool {
    size_of::<V>() <= len && align_of::<V>() <= ALIGN
}

/// # Safety
///
/// - **Bytes**, and they hold no live value.
/// - `V` fits them.
pub(crate) unsafe fn write<V>(bytes: *mut u8, value: V) {
    // SAFETY: Bytes and Fits make the pointer writable and aligned for a `V`.
    unsafe { bytes.cast::<V>().write(value) }
}

/// # Safety
///
/// - **Bytes**, and they hold a live `V`, which they no longer do afterwards.
pub(crate) unsafe fn read<V>(bytes: *const u8) -> V {
    // SAFETY: a live `V` lies there; the caller forgets it.
    unsafe { bytes.cast::<V>().read() }
}

/// Writes an outcome, and returns its kind. An error of a wait says nothing of how a task ended:
/// the caller has replaced it.
///
/// # Safety
///
/// - **Bytes**, and they hold no live value; `T` and `TaskError` fit them. Afterwards they hold the
///   outcome of the kind returned.
#[inline]
pub(crate) unsafe fn write_outcome<T>(
    bytes: *mut u8,
    outcome: Result<T, TaskError>,
) -> OutcomeKind {
    match outcome {
        Ok(value) => {
            // SAFETY: Bytes; nothing lives there; the caller's promise that `T` fits.
            unsafe { write::<T>(bytes, value) };
            OutcomeKind::Value
        }
        Err(TaskError::Cancelled) => OutcomeKind::Cancelled,
        Err(error) => {
            // SAFETY: as above; `SlotStorage::new` checks that a `TaskError` fits.
            unsafe { write(bytes, error) };
            OutcomeKind::Error
        }
    }
}

/// Runs the closure, which leaves the bytes to its outcome.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `F` (*Typed Bytes*); `T` and `TaskError` fit them. Afterwards
///   they hold the outcome of the kind returned.
unsafe fn run<F: FnOnce() -> T, T, V: Classify<T>>(bytes: *mut u8) -> Ended {
    // SAFETY: a live `F`, moved out to our stack. If it unwinds (no `std`), the bytes hold nothing,
    // as `OutcomeKind::Empty`.
    let closure = unsafe { read::<F>(bytes) };
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, V>(bytes, unwind::catch(closure)) }
}

/// Leaves the bytes to what a closure or a poll returned, or to its panic.
///
/// # Safety
///
/// - **Bytes**, and they hold no live value; `T` and `TaskError` fit them. Afterwards they hold the
///   outcome of the kind returned.
#[inline(always)]
pub(super) unsafe fn end_run<T, V: Classify<T>>(
    bytes: *mut u8,
    result: Result<T, unwind::Panic>,
) -> Ended {
    match result {
        Ok(value) => {
            let ended = V::of(&value);
            // SAFETY: the caller's promise: nothing lives there, and `T` fits.
            unsafe { write::<T>(bytes, value) };
            ended
        }
        Err(panic) => {
            let caught = panic.caught();
            // SAFETY: as above; `SlotStorage::new` checks that a `TaskError` fits.
            unsafe { write(bytes, TaskError::Panicked(panic)) };
            Ended::Panicked(caught)
        }
    }
}

/// As [`run`], for a closure that gets the token of its own task.
///
/// # Safety
///
/// - As [`run`]; and the bytes are those that a slot's job is run with (*Beside*).
unsafe fn run_stoppable<F: FnOnce(&Stop) -> T, T, V: Classify<T>>(bytes: *mut u8) -> Ended {
    // SAFETY: *Beside*, by the caller's promise. The reference ends before this call does.
    let stop = unsafe { Stop::of(bytes) };
    // SAFETY: a live `F`, moved out to our stack, as in `run`.
    let closure = unsafe { read::<F>(bytes) };
    // SAFETY: the closure was moved out; the caller's promise.
    unsafe { end_run::<T, V>(bytes, unwind::catch(|| closure(stop))) }
}

/// Polls the future once. If it is ready, or panics, drops it where it lies and returns its output,
/// or the panic.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `Polled<F>` (*Typed Bytes*) that never moves. They hold it
///   afterwards too if nothing is returned, and else nothing.
#[inline(always)]
unsafe fn poll_once<F: Future>(bytes: *mut u8) -> Option<Result<F::Output, unwind::Panic>> {
    let poll = |polled: &mut Polled<F>| {
        // SAFETY: futures live only in `'static` executors and are dropped where they lie: never
        // moved.
        let future = unsafe { Pin::new_unchecked(&mut polled.future) };
        future.poll(&mut Context::from_waker(&polled.waker))
    };
    // SAFETY: the caller's promise.
    unsafe { poll_once_with(bytes, poll) }
}

/// As [`poll_once`], for an `F` that `poll` polls.
///
/// # Safety
///
/// - As [`poll_once`].
#[inline(always)]
pub(super) unsafe fn poll_once_with<F, T>(
    bytes: *mut u8,
    poll: impl FnOnce(&mut Polled<F>) -> Poll<T>,
) -> Option<Result<T, unwind::Panic>> {
    let polled = bytes.cast::<Polled<F>>();
    // Without `std` a panic passes by here. The pinned future must be dropped all the same before
    // its bytes are reused.
    let bomb = unwind::Bomb::new(|| {
        // SAFETY: a live `Polled<F>`, dropped once: nothing below runs after an unwind.
        unsafe { discard::<Polled<F>>(bytes) };
    });
    let ready = unwind::catch(|| {
        // SAFETY: a live `Polled<F>` that only we may touch.
        poll(unsafe { &mut *polled })
    });
    bomb.defuse();
    let outcome = match ready {
        Ok(Poll::Pending) => return None,
        Ok(Poll::Ready(value)) => Ok(value),
        Err(panic) => Err(panic),
    };
    // SAFETY: still a live `Polled<F>`, dropped once, here.
    unsafe { discard::<Polled<F>>(bytes) };
    Some(outcome)
}

/// Polls the future once. If it is ready, or panics, leaves the bytes to its outcome.
///
/// # Safety
///
/// - As [`poll_once`], and the outcome fits the bytes. Afterwards they hold the outcome of the kind
///   returned, or still the future if it is not ready.
unsafe fn poll<F: Future>(bytes: *mut u8) -> Ended {
    // SAFETY: the caller's promise.
    let Some(outcome) = (unsafe { poll_once::<F>(bytes) }) else {
        return Ended::Rests;
    };
    // SAFETY: the future was dropped, so nothing lives there; the submitter checked that the output
    // fits.
    unsafe { end_run::<F::Output, Plain>(bytes, outcome) }
}

/// As [`poll`], for a future whose output is the outcome of a task that returns `T`. An error of a
/// wait, which no task ends with, breaks the task. Returns the kind of the outcome that the bytes
/// hold, or `None` if they still hold the future.
///
/// # Safety
///
/// - As [`poll`].
pub(crate) unsafe fn poll_outcome<F, T>(bytes: *mut u8) -> Option<OutcomeKind>
where
    F: Future<Output = Result<T, TaskError>>,
{
    // SAFETY: the caller's promise.
    let outcome = unsafe { poll_once::<F>(bytes) }?;
    let outcome = match outcome {
        Ok(Err(error)) if error.is_of_the_wait() => Err(TaskError::Broken),
        Ok(outcome) => outcome,
        Err(panic) => Err(TaskError::Panicked(panic)),
    };
    // SAFETY: the future was dropped, so nothing lives there; the submitter checked that `T` fits.
    Some(unsafe { write_outcome(bytes, outcome) })
}

/// Calls the callback with an outcome. Returns true if the callback returned.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `F` (*Typed Bytes*), which they no longer do afterwards.
/// - `outcome` points to bytes that hold the outcome of `kind` of a task that returns `T`, which
///   no thread changes or moves during the call.
unsafe fn call<F: FnOnce(Result<&T, &TaskError>), T>(
    bytes: *mut u8,
    outcome: *const u8,
    kind: OutcomeKind,
) -> bool {
    // SAFETY: a live `F`, moved out to our stack.
    let callback = unsafe { read::<F>(bytes) };
    unwind::contain(|| {
        // SAFETY: the second condition.
        let outcome = unsafe { look::<T>(outcome, kind) };
        callback(outcome);
    })
}

/// The outcome, by reference.
///
/// # Safety
///
/// - `outcome` points to bytes that hold the outcome of `kind` of a task that returns `T`, which
///   no thread changes or moves during `'o`.
pub(crate) unsafe fn look<'o, T>(
    outcome: *const u8,
    kind: OutcomeKind,
) -> Result<&'o T, &'o TaskError> {
    match kind {
        OutcomeKind::Value | OutcomeKind::Failed => {
            // SAFETY: these kinds mean a live `T`.
            Ok(unsafe { &*outcome.cast::<T>() })
        }
        OutcomeKind::Error => {
            // SAFETY: this kind means a live `TaskError`.
            Err(unsafe { &*outcome.cast::<TaskError>() })
        }
        OutcomeKind::Cancelled => Err(&const { TaskError::Cancelled }),
        OutcomeKind::Empty => Err(&const { TaskError::AlreadyTaken }),
    }
}

/// Drops a job that has not run.
///
/// # Safety
///
/// - **Bytes**, and they hold a live `J` (*Typed Bytes*), which they no longer do afterwards.
pub(super) unsafe fn discard<J>(bytes: *mut u8) {
    unwind::contain(|| {
        // SAFETY: a live `J`, dropped once: a panic in its destructor leaves it dropped.
        unsafe { bytes.cast::<J>().drop_in_place() }
    });
}

/// Drops an outcome.
///
/// # Safety
///
/// - **Bytes**, and they hold the outcome of `kind` of a task that returns `T`, which they no
///   longer do afterwards.
pub(super) unsafe fn drop_outcome<T>(bytes: *mut u8, kind: OutcomeKind) {
    match kind {
        // SAFETY: these kinds mean a live `T`.
        OutcomeKind::Value | OutcomeKind::Failed => unsafe { discard::<T>(bytes) },
        // SAFETY: this kind means a live `TaskError`.
        OutcomeKind::Error => unsafe { discard::<TaskError>(bytes) },
        OutcomeKind::Cancelled | OutcomeKind::Empty => {}
    }
}
