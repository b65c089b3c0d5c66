//! Tasks that borrow from the caller's stack.
//!
//! Invariant **Outlived**: [`Executor::scope`](crate::Executor::scope) returns, or unwinds, only
//! after the tally of its tasks is zero. The wait is in a function's frame, not in a value that
//! could be forgotten.
//!
//! `unsafe` here: filling a slot with a closure that borrows, which *Outlived* justifies, and the
//! borrow of the tally.

use core::fmt;
use core::marker::PhantomData;

use crate::blocking::{Awaited, Endless, Help, block};
use crate::completion::tend;
use crate::error::{Refusal, SubmitError, TaskError};
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::intake::Intake;
use crate::job::Plain;
use crate::map::{Door, Each, Gate, Map, Work};
use crate::permit::Permit;
use crate::registry::Registry;
use crate::slot::{Claim, Running};
use crate::sync::{AtomicUsize, Ordering};
use crate::tally::Tally;
use crate::unwind;
use crate::waiter::Waiter;

/// Submits tasks that borrow. See [`Executor::scope`](crate::Executor::scope).
pub struct Scope<
    'scope,
    'env: 'scope,
    const QUEUE: usize,
    const SLOT_BYTES: usize = 64,
    H: Park = DefaultHost,
> {
    intake: Intake<'env, SLOT_BYTES, H>,
    tally: Tally<H>,
    /// Not zero: the thread that waits runs unstarted tasks even if it is no worker.
    inline: AtomicUsize,
    /// Invariant in both: a scope may be neither shrunk nor stretched.
    scope: PhantomData<&'scope mut &'scope ()>,
    environment: PhantomData<&'env mut &'env ()>,
}

/// Runs `body` with a scope and returns when every task of it has ended, on every path.
pub(crate) fn scope<'env, const QUEUE: usize, const SLOT_BYTES: usize, H: Park, R>(
    intake: Intake<'env, SLOT_BYTES, H>,
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>) -> R,
) -> R {
    intake.registry().shared().tend.set(tend);
    let scope = Scope {
        intake,
        tally: Tally::new(intake.registry().current_worker()),
        inline: AtomicUsize::new(0),
        scope: PhantomData,
        environment: PhantomData,
    };
    // Runs on every path out of here, unwinding included (*Outlived*).
    let wait = unwind::Bomb::new(|| {
        scope.wait();
        // The body's own panic goes first.
        unwind::discard(scope.tally.take_panic());
    });
    let result = body(&scope);
    wait.defuse();
    scope.wait();
    if let Some(TaskError::Panicked(panic)) = scope.tally.take_panic() {
        panic.resume();
    }
    result
}

impl<'scope, 'env, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>
{
    /// Submits a closure that may borrow whatever outlives the scope. See
    /// [`Executor::submit`](crate::Executor::submit).
    ///
    /// If the task panics, whoever takes its result is told; if nobody does, the scope panics when
    /// it ends.
    ///
    /// # Errors
    ///
    /// As [`Executor::submit`](crate::Executor::submit).
    pub fn submit<F, T>(&'scope self, task: F) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.intake.claim() {
            Ok(claim) => self.submit_into(claim, task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    fn submit_into<F, T>(
        &'scope self,
        claim: Claim<'scope, SLOT_BYTES>,
        task: F,
    ) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let registry: Registry<'scope, H> = self.intake.registry();
        self.tally.add();
        // SAFETY: *Outlived*: what the closure and its result borrow outlives `'scope`, which does
        // not end before the tally is zero; the tally counts this task from above until
        // nothing of it is left but a result in the hands of a handle, which
        // `'scope` bounds.
        let submitted = unsafe {
            claim.borrowing_closure::<F, T, Plain>(self.key(), task, |filled| {
                registry.enqueue(filled)
            })
        };
        match submitted {
            Ok(receiver) => {
                self.tell_owner();
                Ok(JoinHandle::new(registry, receiver))
            }
            Err((claim, task, reason)) => {
                // The scope is there: we borrow it.
                if let Some(owner) = self.tally.take_back() {
                    H::unpark(owner);
                }
                registry.release(claim.retire());
                Err(SubmitError {
                    task,
                    reason: registry.refuse(reason),
                })
            }
        }
    }

    /// The results of `function` over `items`, which may borrow. See
    /// [`Executor::map`](crate::Executor::map).
    pub fn map<I, F, T>(
        &'scope self,
        items: I,
        function: F,
    ) -> Map<'scope, QUEUE, SLOT_BYTES, &'scope Self, I::IntoIter, Each<F>, H>
    where
        I: IntoIterator<Item: Send + 'scope>,
        F: Fn(I::Item) -> T + Clone + Send + 'scope,
        T: Send + 'scope,
    {
        Map::new(self, items.into_iter(), Each(function), self.help())
    }

    /// Calls `function` with each chunk of `size` elements, the last one perhaps shorter, in tasks
    /// of the scope. They have all ended when the scope does.
    ///
    /// # Blocking
    ///
    /// Waits for slots, if there are fewer free ones than chunks; a worker works on chunks itself
    /// instead.
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken: the chunks that are left were not
    /// touched.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[track_caller]
    pub fn for_each_chunk<T, F>(
        &'scope self,
        slice: &'scope mut [T],
        size: usize,
        function: F,
    ) -> Result<(), Refusal>
    where
        T: Send,
        F: Fn(&mut [T]) + Clone + Send + 'scope,
    {
        assert!(size > 0, "a chunk needs at least one element");
        for chunk in slice.chunks_mut(size) {
            let permit = match self.intake.try_reserve() {
                Err(Refusal::Full) if self.help() == Help::Inline || self.is_worker() => {
                    if let Err(panic) = unwind::catch(|| function(chunk)) {
                        self.tally.keep_panic(TaskError::Panicked(panic));
                    }
                    continue;
                }
                Err(Refusal::Full) => self.intake.reserve_with(&Endless::<H>::new())?,
                Err(reason) => return Err(self.intake.registry().refuse(reason)),
                Ok(permit) => permit,
            };
            let function = function.clone();
            self.submit_into(permit.into_parts().1, move || function(chunk))
                .map_err(|refused| refused.reason())?
                .detach();
        }
        Ok(())
    }

    /// From now on the thread that waits for the scope's tasks runs those that nobody has started,
    /// even if it is no worker. See [`result_inline`](JoinHandle::result_inline).
    pub fn inline(&self) -> &Self {
        self.inline.store(1, Ordering::Relaxed); // a wish, not a signal
        self
    }

    /// A task submitted by another thread than the owner's, which may be asleep and the only one
    /// that could run it.
    fn tell_owner(&self) {
        let Some(owner) = self.tally.tell_owner() else {
            return;
        };
        if let Some(worker) = self.tally.worker() {
            self.intake
                .registry()
                .waits()
                .with(|waits| waits.unstick(worker));
        } else if self.help() == Help::Workers {
            return;
        }
        H::unpark(owner);
    }

    fn help(&self) -> Help {
        if self.inline.load(Ordering::Relaxed) == 0 {
            Help::Workers
        } else {
            Help::Inline
        }
    }

    fn is_worker(&self) -> bool {
        self.intake.registry().current_worker().is_some()
    }

    /// What marks a slot's task as ours.
    fn key(&self) -> *mut () {
        core::ptr::from_ref(&self.tally).cast_mut().cast()
    }

    /// Waits until the tally is zero, and does not come back before.
    fn wait(&self) {
        // A host that panics here, or a task where panics are not caught, would end the borrow too
        // early: a panic while panicking aborts.
        let abort = unwind::Bomb::new(|| panic!("a scope cannot be left while its tasks run"));
        // Endless for a reason: the tasks decide. One round, unless a wait is interrupted, which
        // this one never is.
        while !self.tally.is_zero() {
            let _ = block(
                self.intake.registry(),
                &Ended { scope: self },
                &Endless::<H>::new(),
                self.help(),
            );
        }
        abort.defuse();
    }
}

impl<'scope, 'env, const QUEUE: usize, const SLOT_BYTES: usize, W, A, H>
    Gate<'scope, SLOT_BYTES, W, A, H> for &'scope Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>
where
    W: Work<A, Output: 'scope> + 'scope,
    A: Send + 'scope,
    H: Park,
{
    fn door(&self) -> Door<'scope, SLOT_BYTES, H> {
        Door(self.intake)
    }

    fn admit(
        &self,
        permit: Permit<'scope, SLOT_BYTES, H>,
        work: W,
        item: A,
    ) -> Result<JoinHandle<'scope, W::Output, H>, Refusal> {
        self.submit_into(permit.into_parts().1, move || work.work(item))
            .map_err(|refused| refused.reason())
    }
}

impl<const QUEUE: usize, const SLOT_BYTES: usize, H: Park> fmt::Debug
    for Scope<'_, '_, QUEUE, SLOT_BYTES, H>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("ended", &self.tally.is_zero())
            .finish_non_exhaustive()
    }
}

/// A wait for all tasks of a scope.
struct Ended<'s, 'scope, 'env, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> {
    scope: &'s Scope<'scope, 'env, QUEUE, SLOT_BYTES, H>,
}

impl<const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Awaited<H>
    for Ended<'_, '_, '_, QUEUE, SLOT_BYTES, H>
{
    fn is_ready(&self) -> bool {
        self.scope.tally.is_zero()
    }

    /// Bound: the number of slots.
    fn take_unstarted(&self, worker: Option<u16>) -> Option<Running<'_>> {
        let (registry, key) = (self.scope.intake.registry(), self.scope.key());
        (0..registry.capacity()).find_map(|index| registry.take_queued_of(index, key, worker))
    }

    /// Whoever ends the last task knows the owner without being told.
    fn register(&self, _waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        Ok(Waiter::None)
    }

    fn deregister(&self, _waiter: &Waiter<H>) -> Waiter<H> {
        Waiter::None
    }

    /// Bound: the number of slots.
    fn is_stuck(&self, on: Option<u16>) -> bool {
        let (registry, key) = (self.scope.intake.registry(), self.scope.key());
        let mut ours = (0..registry.capacity())
            .map(|index| registry.slot(index))
            .filter(|slot| slot.scope() == key);
        ours.all(|slot| {
            // A slot keeps its mark until it is filled again.
            let seen = slot.snapshot();
            let ended = seen.is_done() || seen.is_free();
            let runner = slot.worker();
            ended
                || runner.is_some_and(|runner| {
                    on.is_none_or(|worker| registry.share_a_thread(worker, runner))
                })
        })
    }

    /// What the tasks borrow is here.
    fn can_give_up(&self) -> bool {
        false
    }
}
