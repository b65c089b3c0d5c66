//! Running a task to its end, and everything that its end sets off.
//!
//! The order is always the same. The completer writes the outcome, callbacks look at it, the state
//! word makes it takeable, waiters wake, the scope's count falls. Foreign code runs outside all
//! locks.
//!
//! `unsafe` here, for two invariants:
//!
//! - **Right Callback.** A callback is applied to the outcome of the task it was added to. The list
//!   in a slot's wait cell only gets callbacks that the slot's own receiver made, and it is emptied
//!   before the slot is retired.
//! - **Right Owner.** The owner of a future's slot is a `FutureHook` of the executor's host. That
//!   of a future whose output is the task's outcome polls just this type of future. That of a timed
//!   task looks at just this type of it. The owner of a
//!   closure's slot is null or the latch of its scope, which is there while it counts
//!   the task (*Counted First*). A promise has none.

use core::future::Future;

use crate::count_latch::CountLatch;
use crate::error::{CallbackError, CallbackRefusal, TaskError};
use crate::host::Park;
use crate::list::{Index, Seat};
use crate::registry::{ListenerEvent, Registry};
use crate::roster::Mode;
use crate::slot::{
    Advanced, Cancelled, Claim, Ending, ErasedReceiver, FilledFuture, Finished, Last, Receiver,
    Running,
};
use crate::step::Outcome;
use crate::sync::{Ordering, SMALL};
use crate::unwind;
use crate::waiter::Waiter;
use crate::waker::waker;

mod lent;
pub(crate) mod listeners;
mod timed;

pub(crate) use lent::{cancel_stranded, cancel_unowned, execute_lent, fill_lent, fill_lent_timed};
use listeners::notify;
pub(crate) use listeners::{listen, listen_alone};
use timed::poll_timed;
pub(crate) use timed::{TimedTask, fill_timed, serve_timed};

/// Runs a task that was taken out of the queue and started: to its end, or a future to the end of
/// its poll.
///
/// Recursion: a task that waits for a task of its own executor gets here again, once for each level
/// of waiting that its author wrote.
pub(crate) fn execute<H: Park>(
    registry: Registry<'_, H>,
    running: Running<'_>,
    runner: Option<Seat>,
) {
    registry.note_started(&running, runner);
    match running.advance(|ending| complete(registry, ending)) {
        Advanced::Ended { ending, panicked } => {
            registry.count_completed(runner, panicked.is_some());
            if SMALL {
                complete(registry, ending);
            } else {
                complete_here(registry, ending);
            }
        }
        Advanced::Rests(running) => {
            let owner = running.slot().owner();
            // SAFETY: *Right Owner*: only futures rest.
            unsafe { FutureHook::call(registry, owner, Polled::Pending(running)) }
        }
    }
}

/// What a poll of a future led to.
enum Polled<'e> {
    /// It is not ready; if only the hook polls it, not polled yet.
    Pending(Running<'e>),
    /// It is done.
    Done,
}

/// Does what a poll of a future led to. Each future's slot holds the address of a hook of its host,
/// so that a program without futures does not link the code.
struct FutureHook<H: Park>(for<'e> fn(Registry<'e, H>, Polled<'_>));

impl<H: Park> FutureHook<H> {
    /// The hook of futures that return a value.
    fn of_values() -> *mut () {
        Self::address(const { &Self(after_poll) })
    }

    /// As [`of_outcomes`](Self::of_outcomes), for a task that a timer wakes.
    fn of_timed<F, T>() -> *mut ()
    where
        F: Future<Output = Result<T, TaskError>> + TimedTask,
    {
        Self::address(const { &Self(poll_timed::<F, T, H>) })
    }

    /// The hook of an `F` whose output is the outcome of a task that returns `T`. It polls the
    /// future too, so that other futures need no code for it.
    fn of_outcomes<F, T>() -> *mut ()
    where
        F: Future<Output = Result<T, TaskError>>,
    {
        Self::address(const { &Self(poll_outcome::<F, T, H>) })
    }

    #[inline(always)]
    fn address(hook: &'static Self) -> *mut () {
        core::ptr::from_ref(hook).cast_mut().cast()
    }

    /// Calls the hook.
    ///
    /// # Safety
    ///
    /// - `owner` is the owner of a future's slot (*Right Owner*).
    unsafe fn call(registry: Registry<'_, H>, owner: *mut (), polled: Polled<'_>) {
        // SAFETY: *Right Owner*: the address of a constant of this type.
        let hook = unsafe { &*owner.cast_const().cast::<Self>() };
        hook.0(registry, polled);
    }
}

/// Fills a slot with a future whose completer finds its hook.
pub(crate) fn fill_future<F, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    future: F,
) -> FilledFuture<F, F::Output, SLOT_BYTES>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let waker = waker(registry, claim.slot());
    // SAFETY: *Right Owner*: the hook is that of the host whose executor holds the slot.
    unsafe { claim.future(waker, FutureHook::<H>::of_values(), future) }
}

/// As [`fill_future`], for a future whose output is the task's outcome.
pub(crate) fn fill_future_outcome<F, T, const SLOT_BYTES: usize, H: Park>(
    registry: Registry<'static, H>,
    claim: Claim<'static, SLOT_BYTES>,
    future: F,
) -> FilledFuture<F, T, SLOT_BYTES>
where
    F: Future<Output = Result<T, TaskError>> + Send + 'static,
    T: Send + 'static,
{
    let waker = waker(registry, claim.slot());
    let hook = FutureHook::<H>::of_outcomes::<F, T>();
    // SAFETY: *Right Owner*: the hook of the host whose executor holds the slot, for `F` and `T`.
    unsafe { claim.future_outcome(waker, hook, future) }
}

/// Does what a poll of a future led to.
fn after_poll<H: Park>(registry: Registry<'_, H>, polled: Polled<'_>) {
    match polled {
        Polled::Done => registry.future_ended(),
        Polled::Pending(running) => {
            registry.note_rested(&running);
            if let Err((running, mode)) = registry.rest(running) {
                end_unready(registry, running, mode);
            }
        }
    }
}

/// Ends a future that is not ready, and that a shutdown or a breakdown does not let rest.
fn end_unready<H: Park>(registry: Registry<'_, H>, running: Running<'_>, mode: Mode) {
    if mode == Mode::Cancel {
        registry.shared().cancelled.fetch_add(1, Ordering::Relaxed);
        complete(registry, running.cancel());
    } else {
        complete(registry, running.abandon());
    }
}

/// The hook of an `F`: polls it after each start, and does what the poll led to.
fn poll_outcome<F, T, H: Park>(registry: Registry<'_, H>, polled: Polled<'_>)
where
    F: Future<Output = Result<T, TaskError>>,
{
    let Polled::Pending(running) = polled else {
        return after_poll(registry, polled);
    };
    // SAFETY: *Right Owner*: the slot holds an `F`, of a task that returns `T`.
    let ended = unsafe { running.poll_outcome::<F, T>(|ending| complete(registry, ending)) };
    after_poll_of_outcome(registry, ended);
}

/// Does what a poll led to of a future whose output is the task's outcome.
fn after_poll_of_outcome<'e, H: Park>(
    registry: Registry<'_, H>,
    ended: Result<Ending<'e>, Running<'e>>,
) {
    match ended {
        Ok(ending) => {
            Count::of(ending.error()).add(registry);
            complete(registry, ending);
        }
        Err(running) => after_poll(registry, Polled::Pending(running)),
    }
}

/// How an outcome that was given, by a promise or a future, counts in the figures.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Completed,
    Panicked,
    Cancelled,
    Broken,
}

impl Count {
    pub(crate) fn of(error: Option<&TaskError>) -> Self {
        match error {
            None => Self::Completed,
            Some(error) if error.is_cancelled() => Self::Cancelled,
            Some(error) if error.is_panicked() => Self::Panicked,
            Some(TaskError::Broken) => Self::Broken,
            // The other end is done with the task.
            Some(_) => Self::Completed,
        }
    }

    pub(crate) fn add<H: Park>(self, registry: Registry<'_, H>) {
        let shared = registry.shared();
        match self {
            Self::Completed => shared.outside.count_shared(false),
            Self::Panicked => shared.outside.count_shared(true),
            Self::Cancelled => {
                shared.cancelled.fetch_add(1, Ordering::Relaxed);
            }
            Self::Broken => {}
        }
    }
}

/// Drops a cancelled task in the calling thread and completes it.
pub(crate) fn complete_cancelled<H: Park>(registry: Registry<'_, H>, cancelled: Cancelled<'_>) {
    registry.shared().cancelled.fetch_add(1, Ordering::Relaxed);
    complete(registry, cancelled.discard());
}

/// Completes a task whose outcome is written.
pub(crate) fn complete<H: Park>(registry: Registry<'_, H>, ending: Ending<'_>) {
    complete_here(registry, ending);
}

/// As [`complete`], a copy of the code.
#[inline(always)]
fn complete_here<H: Park>(registry: Registry<'_, H>, ending: Ending<'_>) {
    let owner = ending.slot().owner();
    note_ended(registry, &ending);
    completed(registry, owner, ending.finish());
}

/// Completes a task whose outcome is written and whose promise ends in the same step.
pub(crate) fn complete_promise<H: Park>(registry: Registry<'_, H>, ending: Ending<'_>) {
    note_ended(registry, &ending);
    completed(registry, core::ptr::null_mut(), ending.finish_promise());
}

/// Tells the host how a task ends, before its outcome can be taken.
#[inline(always)]
fn note_ended<H: Park>(registry: Registry<'_, H>, ending: &Ending<'_>) {
    registry.note_ended(ending.slot(), || match ending.error() {
        None if ending.is_failure() => Some(Outcome::Failed),
        None => Some(Outcome::Value),
        Some(error) if error.is_cancelled() => None,
        Some(error) if error.is_panicked() => Some(Outcome::Panicked),
        Some(TaskError::Broken) => Some(Outcome::Broken),
        Some(_) => Some(Outcome::Error),
    });
}

#[inline(always)]
fn completed<H: Park>(registry: Registry<'_, H>, owner: *mut (), finished: Finished<'_>) {
    let (last, future) = match finished {
        Ok((last, seen)) => (last, seen.is_future()),
        Err(ending) => {
            let future = ending.is_future();
            (notify(registry, ListenerEvent::Completed(ending)), future)
        }
    };
    if let Some(last) = last {
        retire(registry, last);
    }
    if owner.is_null() {
        return;
    }
    if future {
        // SAFETY: *Right Owner*.
        unsafe { FutureHook::call(registry, owner, Polled::Done) }
    } else {
        let latch = owner.cast_const().cast::<ScopeLatch<H>>();
        // SAFETY: *Right Owner*, *Counted First*: the latch counts this task, so its owner keeps it
        // until the count falls in there.
        let on_event = unsafe { CountLatch::on_event(latch) };
        // SAFETY: as above.
        unsafe { on_event.0(latch, ScopeEvent::TaskEnded) }
    }
}

/// The latch of a scope.
pub(crate) type ScopeLatch<H> = CountLatch<H, OnScopeEvent<H>>;

/// What becomes of a task of a scope.
pub(crate) enum ScopeEvent<'l, 'e> {
    /// It has ended, and no thread touches any more what it borrowed.
    TaskEnded,
    /// Its outcome, an error, is about to be dropped.
    Failed(&'l mut Last<'e>),
}

/// Serves an event of a scope. It lies in the scope's latch, so that only scopes link the code.
///
/// # Safety
///
/// - The pointer is that of a latch that is there; if the task has ended, it still counts it.
pub(crate) struct OnScopeEvent<H: Park>(
    for<'l, 'e> unsafe fn(*const ScopeLatch<H>, ScopeEvent<'l, 'e>),
);

impl<H: Park> Clone for OnScopeEvent<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Park> Copy for OnScopeEvent<H> {}

impl<H: Park> OnScopeEvent<H> {
    pub(crate) fn new() -> Self {
        Self(on_scope_event)
    }
}

/// # Safety
///
/// - `latch` is there; if the task has ended, it still counts it (*Counted First*).
unsafe fn on_scope_event<H: Park>(latch: *const ScopeLatch<H>, event: ScopeEvent<'_, '_>) {
    match event {
        ScopeEvent::TaskEnded => {
            // SAFETY: the caller's promise; nothing of the latch is touched after it (*Last
            // Touch*).
            if let Some(owner) = unsafe { CountLatch::end(latch) } {
                H::unpark(&owner);
            }
        }
        ScopeEvent::Failed(last) => {
            if let Some(error) = last.take_error().filter(TaskError::is_panicked) {
                // SAFETY: the caller's promise.
                unsafe { &*latch }.keep_panic(error);
            }
        }
    }
}

/// Completes a task that has listeners.
///
/// Bound: one round for each callback, those that callbacks add to their own task included.
#[cold]
fn complete_with_listeners<'e, H: Park>(
    registry: Registry<'e, H>,
    mut ending: Ending<'e>,
) -> Option<Last<'e>> {
    enum Next<'e, H: Park> {
        Call(Index, Ending<'e>),
        Wake(Option<Last<'e>>, Waiter<H>, Waiter<H>),
    }
    let slot = ending.slot();
    let index = slot.index();
    loop {
        let next = registry.waits().with(|waits| {
            let cell = waits.cell(index);
            if let Some(callback) = cell.pop_callback(&registry) {
                return Next::Call(callback, ending);
            }
            let failure = ending.is_failure();
            let last = ending.finish_heard();
            let watcher = waits.complete_member(&registry, slot.link(), index, failure);
            Next::Wake(last, cell.waiter().take(), watcher)
        });
        match next {
            Next::Call(callback, still) => {
                ending = still;
                call(registry, callback, &ending);
            }
            Next::Wake(last, waiter, watcher) => {
                registry.notify(waiter);
                registry.notify(watcher);
                return last;
            }
        }
    }
}

fn call<H: Park>(registry: Registry<'_, H>, callback: Index, ending: &Ending<'_>) {
    let Some(running) = registry.slot(callback).start() else {
        // A callback's slot is in one list only, and we took it out.
        debug_assert!(false, "a callback that left its list can be called");
        return;
    };
    // SAFETY: *Right Callback*: it came from the list in this very slot's cell.
    let (slot, returned) = unsafe { running.call(ending) };
    if !returned {
        count_panicked_callback(registry);
    }
    registry.release(slot);
}

fn count_panicked_callback<H: Park>(registry: Registry<'_, H>) {
    let count = &registry.shared().callbacks_panicked;
    count.fetch_add(1, Ordering::Relaxed);
}

/// Drops what is left of a task and frees its slot. A panic that no handle took goes to the scope.
#[inline]
pub(crate) fn retire<H: Park>(registry: Registry<'_, H>, mut last: Last<'_>) {
    if !last.is_empty() {
        drop_outcome::<H>(&mut last);
    }
    if SMALL {
        free(registry, last);
    } else {
        registry.release(last.retire());
    }
}

/// Kept out of line: one copy of the code.
#[inline(never)]
pub(crate) fn free<H: Park>(registry: Registry<'_, H>, last: Last<'_>) {
    registry.release(last.retire());
}

#[inline(never)]
fn drop_outcome<H: Park>(last: &mut Last<'_>) {
    let owner = last.slot().owner();
    if last.is_error() && !owner.is_null() && !last.slot().snapshot().is_future() {
        let latch = owner.cast_const().cast::<ScopeLatch<H>>();
        // SAFETY: *Right Owner*; the caller is either completing the task, which the latch counts,
        // or dropping a handle, which cannot outlive the scope (`'scope` in its type).
        let on_event = unsafe { CountLatch::on_event(latch) };
        // SAFETY: as above.
        unsafe { on_event.0(latch, ScopeEvent::Failed(last)) }
    }
    last.drop_outcome();
}

/// Gives up the right to an outcome: the task goes on without a handle.
#[inline(never)]
pub(crate) fn detach<H: Park>(registry: Registry<'_, H>, receiver: ErasedReceiver<'_>) {
    let last = match receiver.release_done() {
        Ok(last) => Some(last),
        Err((receiver, has_listener)) => {
            if has_listener {
                let nothing = notify(registry, ListenerEvent::HandleDropped(receiver.slot()));
                debug_assert!(nothing.is_none(), "the handle still pins the slot");
            }
            receiver.release()
        }
    };
    if let Some(last) = last {
        retire(registry, last);
    }
}

/// Adds a callback to a task, or calls it now if the task is done.
pub(crate) fn add_callback<H, T, F>(
    registry: Registry<'_, H>,
    receiver: &Receiver<'_, T>,
    callback: F,
) -> Result<(), CallbackError<F>>
where
    H: Park,
    F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
{
    let call_now = |callback: F| {
        if let Some(outcome) = receiver.look() {
            if !unwind::contain(|| callback(outcome)) {
                count_panicked_callback(registry);
            }
        }
    };
    if receiver.snapshot().is_takeable() {
        call_now(callback);
        return Ok(());
    }
    let refused = |callback, reason| Err(CallbackError { callback, reason });
    let Some(claim) = registry
        .claim()
        .and_then(|index| registry.erased_claim(index))
    else {
        return refused(callback, CallbackRefusal::Full);
    };
    let filled = match receiver.fill_callback(claim, callback) {
        Ok(filled) => filled,
        Err((claim, callback)) => {
            free(registry, claim.give_up());
            return refused(callback, CallbackRefusal::DoesNotFit);
        }
    };
    let slot = receiver.slot();
    let late = registry.waits().with(|waits| {
        if listen(waits, slot) {
            let callback = filled.publish();
            waits
                .cell(slot.index())
                .push_callback(&registry, callback.link(), callback.index());
            None
        } else {
            Some(filled)
        }
    });
    if let Some(filled) = late {
        let (claim, callback) = filled.take_back();
        free(registry, claim.give_up());
        call_now(callback);
    }
    Ok(())
}
