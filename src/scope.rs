//! Tasks that borrow from the caller's stack.
//!
//! Invariant **Outlived**: [`Executor::scope`](crate::Executor::scope) returns, or unwinds, only
//! after the latch of its tasks is zero. The wait is in a function's frame, not in a value that
//! could be forgotten.
//!
//! `unsafe` here: filling a slot with a closure that borrows, which *Outlived* justifies.

mod join;
mod lent;

pub(crate) use lent::{LentScope, lent_scope};

use core::fmt;
use core::marker::PhantomData;

use crate::blocking::{Never, RunUnstarted, WaitFor, block, is_unstarted};
use crate::completion::{OnScopeEvent, ScopeLatch};
use crate::error::{Refusal, SubmitError, TaskError};
use crate::handle::JoinHandle;
use crate::host::{DefaultHost, Park};
use crate::list::Seat;
use crate::map::{ItemFunction, Map, SubmitItem, apply};
use crate::permit::{Permit, refuse};
use crate::registry::{Registry, Submitter};
use crate::reserve::wait_for_slot_of_workers;
use crate::slot::{Claim, FilledClosure, Plain, Running, Stop};
use crate::sync::{AtomicUsize, Ordering};
use crate::unwind;
use crate::waiter::Waiter;

/// Submits tasks that borrow. See [`Executor::scope`](crate::Executor::scope).
pub struct Scope<
    'scope,
    'env: 'scope,
    const WINDOW: usize,
    const SLOT_BYTES: usize = 64,
    H: Park = DefaultHost,
> {
    submitter: Submitter<'env, SLOT_BYTES, H>,
    latch: ScopeLatch<H>,
    /// Why the owner runs tasks that no thread has started: the bits below.
    owner_runs: AtomicUsize,
    /// How many closures of joins are on offer. A hint.
    offers: AtomicUsize,
    /// Invariant in both: a scope may be neither shrunk nor stretched.
    scope: PhantomData<&'scope mut &'scope ()>,
    environment: PhantomData<&'env mut &'env ()>,
}

/// What marks a slot's task as one that a latch counts.
#[inline(always)]
fn key_of<H: Park>(latch: &ScopeLatch<H>) -> *mut () {
    core::ptr::from_ref(latch).cast_mut().cast()
}

/// The owner is a worker, which helps where it waits.
const IS_WORKER: usize = 1;
/// The host had no worker when the scope began.
const IS_ALONE: usize = 2;
/// The user asked for it.
const IS_ASKED: usize = 4;

/// Runs `body` with a scope and returns when every task of it has ended, on every path.
pub(crate) fn scope<'env, const WINDOW: usize, const SLOT_BYTES: usize, H: Park, R>(
    submitter: Submitter<'env, SLOT_BYTES, H>,
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, WINDOW, SLOT_BYTES, H>) -> R,
) -> R {
    scope_with(submitter, |scope| scope.block(), body)
}

/// As [`scope`]. The owner waits by calls of `block`, each until something has changed.
#[inline(always)]
fn scope_with<'env, const WINDOW: usize, const SLOT_BYTES: usize, H: Park, R>(
    submitter: Submitter<'env, SLOT_BYTES, H>,
    block: impl Fn(&Scope<'_, '_, WINDOW, SLOT_BYTES, H>),
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env, WINDOW, SLOT_BYTES, H>) -> R,
) -> R {
    let registry = submitter.registry();
    let owner_runs = if registry.current_seat().is_some() {
        IS_WORKER
    } else if is_unstarted(registry) {
        IS_ALONE
    } else {
        0
    };
    let scope = Scope {
        submitter,
        latch: ScopeLatch::new(OnScopeEvent::new()),
        owner_runs: AtomicUsize::new(owner_runs),
        offers: AtomicUsize::new(0),
        scope: PhantomData,
        environment: PhantomData,
    };
    // Runs on every path out of here, unwinding included (*Outlived*).
    let wait = unwind::Bomb::new(|| {
        scope.wait(&block);
        // The body's own panic goes first.
        unwind::discard(scope.latch.take_panic());
    });
    let result = body(&scope);
    wait.defuse();
    scope.wait(&block);
    if let Some(TaskError::Panicked(panic)) = scope.latch.take_panic() {
        panic.resume();
    }
    result
}

impl<'e, const SLOT_BYTES: usize, H: Park> Submitter<'e, SLOT_BYTES, H> {
    /// Runs `body` with a [`Scope`], whose maps have a window of `WINDOW`. See
    /// [`Executor::scope`](crate::Executor::scope).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let numbers = [1, 2, 3];
    /// let sum = executor
    ///     .submitter()
    ///     .scope::<2, _>(|s| s.map(&numbers, |n| n * n).map(Result::unwrap).sum::<i32>());
    /// assert_eq!(sum, 14);
    /// ```
    pub fn scope<const WINDOW: usize, R>(
        self,
        body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'e, WINDOW, SLOT_BYTES, H>) -> R,
    ) -> R {
        scope(self, body)
    }
}

impl<'scope, 'env, const WINDOW: usize, const SLOT_BYTES: usize, H: Park>
    Scope<'scope, 'env, WINDOW, SLOT_BYTES, H>
{
    /// Submits a closure that may borrow whatever outlives the scope. See
    /// [`Executor::submit`](crate::Executor::submit).
    ///
    /// If the task panics, the handle that takes its result gets the panic. If none takes it, the
    /// scope panics when it ends.
    ///
    /// # Errors
    ///
    /// As [`Executor::submit`](crate::Executor::submit). The error holds the closure, which
    /// borrows; `?` makes it a [`Refusal`], which does not.
    ///
    /// ```
    /// use slotted::{Executor, Refusal};
    ///
    /// fn length(pool: &Executor<0, 4>, text: &str) -> Result<usize, Refusal> {
    ///     pool.scope(|s| Ok(s.submit(|| text.len())?.result().unwrap_or(0)))
    /// }
    /// assert_eq!(length(&Executor::new(), "four"), Ok(4));
    /// ```
    pub fn submit<F, T>(&'scope self, task: F) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.submitter.claim() {
            Ok(claim) => self.submit_into(claim, task),
            Err(reason) => Err(SubmitError { task, reason }),
        }
    }

    /// Submits a closure that may borrow whatever outlives the scope, and that may be asked to stop
    /// while it runs. See [`Executor::submit_stoppable`](crate::Executor::submit_stoppable).
    ///
    /// The scope itself asks none of its tasks to stop, also when its body panics: it waits for
    /// them.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    ///
    /// ```
    /// use slotted::{Executor, StdThreads};
    ///
    /// let executor: Executor<2, 4> = Executor::new();
    /// let texts = ["a", "needle", "c"];
    /// let found = executor.run(&StdThreads::new(), |pool| {
    ///     pool.scope(|s| {
    ///         let endless = s
    ///             .submit_stoppable(|stop| {
    ///                 texts.iter().cycle().take_while(|_| !stop.requested()).count()
    ///             })
    ///             .unwrap();
    ///         let place = s.submit(|| texts.iter().position(|text| *text == "needle")).unwrap();
    ///         let place = place.result();
    ///         let _ = endless.cancel_sync(); // or the scope would not end
    ///         place
    ///     })
    /// });
    /// assert_eq!(found.unwrap(), Ok(Some(1)));
    /// ```
    pub fn submit_stoppable<F, T>(
        &'scope self,
        task: F,
    ) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>>
    where
        F: FnOnce(&Stop) -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match self.submitter.claim() {
            Ok(claim) => {
                let registry: Registry<'scope, H> = self.submitter.registry();
                self.latch.add();
                // SAFETY: *Outlived*, as in `submit_into`.
                let filled = unsafe { claim.borrowing_stoppable(self.key(), task) };
                self.enqueue_counted(registry, filled)
            }
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
        let registry: Registry<'scope, H> = self.submitter.registry();
        self.latch.add();
        // SAFETY: *Outlived*: what the closure and its result borrow outlives `'scope`, which does
        // not end before the latch is zero. The latch counts this task from above until nothing of
        // it is left but a result in a handle, which `'scope` bounds.
        let filled = unsafe { claim.borrowing_closure::<F, T, Plain>(self.key(), task) };
        self.enqueue_counted(registry, filled)
    }

    /// Gives a closure to the workers that the latch counts already.
    #[inline(always)]
    fn enqueue_counted<F, T>(
        &'scope self,
        registry: Registry<'scope, H>,
        mut filled: FilledClosure<'scope, F, T, SLOT_BYTES>,
    ) -> Result<JoinHandle<'scope, T, H>, SubmitError<F>> {
        let refused = registry.enqueue(filled.ticket());
        match filled.settle() {
            Ok(receiver) => {
                self.wake_owner();
                Ok(JoinHandle::new(registry, receiver))
            }
            Err((claim, task)) => {
                // The scope is there: we borrow it.
                if let Some(owner) = self.latch.take_back() {
                    H::unpark(owner);
                }
                let reason = refuse(registry, claim.give_up(), refused);
                Err(SubmitError { task, reason })
            }
        }
    }

    /// The results of `function` over `items`, which may borrow. See
    /// [`Executor::map`](crate::Executor::map).
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let words = ["one", "three"];
    /// let lengths: Vec<usize> =
    ///     executor.scope(|s| s.map(&words, |word| word.len()).map(Result::unwrap).collect());
    /// assert_eq!(lengths, [3, 5]);
    /// ```
    pub fn map<I, F, T>(
        &'scope self,
        items: I,
        function: F,
    ) -> Map<'scope, WINDOW, SLOT_BYTES, &'scope Self, I::IntoIter, F, T, H>
    where
        I: IntoIterator<Item: Send + 'scope>,
        F: Fn(I::Item) -> T + Clone + Send + 'scope,
        T: Send + 'scope,
    {
        Map::new(self, items.into_iter(), function, self.run_unstarted())
    }

    /// Calls `function` with each chunk of `size` elements, the last one perhaps shorter, in tasks
    /// of the scope. All of them end before the scope does.
    ///
    /// # Blocking
    ///
    /// Waits for slots, if there are fewer free ones than chunks. A worker, and any thread where
    /// the host has no worker, works on chunks itself instead.
    ///
    /// # Errors
    ///
    /// If the executor is or becomes shut down or broken: the chunks that are left were not
    /// touched.
    ///
    /// A breakdown, or a shutdown that cancels, may come later, before the scope has ended. It also
    /// ends the chunks that wait in the queue. Only a count of the function's own tells that.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// let mut numbers = [1, 2, 3, 4, 5];
    /// executor
    ///     .scope(|s| s.for_each_chunk(&mut numbers, 2, |chunk| chunk.reverse()))
    ///     .unwrap();
    /// assert_eq!(numbers, [2, 1, 4, 3, 5]);
    /// ```
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
        let registry = self.submitter.registry();
        for chunk in slice.chunks_mut(size) {
            let permit = self
                .permit_for_chunk()
                .map_err(|reason| registry.count_refusal(reason))?;
            if let Some(permit) = permit {
                let function = function.clone();
                self.submit_into(permit.into_parts().1, move || function(chunk))?
                    .detach();
            } else if let Err(panic) = unwind::catch(|| function(chunk)) {
                self.latch.keep_panic(TaskError::Panicked(panic));
            }
        }
        Ok(())
    }

    /// A slot for a chunk, waiting for it. `None`: the calling thread works on the chunk itself.
    fn permit_for_chunk(&self) -> Result<Option<Permit<'scope, SLOT_BYTES, H>>, Refusal> {
        match self.submitter.try_reserve() {
            Err(Refusal::Full) => {}
            permit => return permit.map(Some),
        }
        let registry = self.submitter.registry();
        if self.run_unstarted() == RunUnstarted::Inline || registry.current_seat().is_some() {
            return Ok(None);
        }
        let slot = wait_for_slot_of_workers(registry)?;
        Ok(slot.map(|index| Permit::new(self.submitter, self.submitter.adopt(index))))
    }

    /// From now on the thread that waits for the scope's tasks runs those that no thread has
    /// started, even if it is no worker. See [`result_inline`](JoinHandle::result_inline).
    ///
    /// ```
    /// # use slotted::{Executor, TaskError};
    /// let executor: Executor<1, 4> = Executor::new();
    /// let mut number = 1;
    /// executor.scope(|s| s.inline().submit(|| number = 2).unwrap().detach());
    /// assert_eq!(number, 2);
    /// ```
    pub fn inline(&self) -> &Self {
        self.owner_runs.fetch_or(IS_ASKED, Ordering::Relaxed); // a wish, not a signal
        self
    }

    /// Wakes the owner after another thread has submitted a task. The owner may be asleep, and no
    /// other thread may be there to run the task.
    fn wake_owner(&self) {
        let Some(owner) = self.latch.owner_elsewhere() else {
            return;
        };
        // Asked after the push: a last worker that leaves later wakes the owner itself.
        if self.owner_runs.load(Ordering::Relaxed) != 0 || is_unstarted(self.submitter.registry()) {
            self.submitter.registry().notify_thread(owner);
        }
    }

    fn run_unstarted(&self) -> RunUnstarted {
        if self.owner_runs.load(Ordering::Relaxed) & (IS_ALONE | IS_ASKED) != 0 {
            RunUnstarted::Inline
        } else {
            RunUnstarted::Workers
        }
    }

    /// What marks a slot's task as ours.
    fn key(&self) -> *mut () {
        key_of(&self.latch)
    }

    /// Waits until the latch is zero, and does not come back before.
    fn wait(&self, block: impl Fn(&Self)) {
        // A host that panics here, or a task where panics are not caught, would end the borrow too
        // early: a panic while panicking aborts.
        let abort = unwind::Bomb::new(|| panic!("a scope cannot be left while its tasks run"));
        // Endless for a reason: the tasks decide. One round, since nothing interrupts the wait.
        while !self.latch.is_zero() {
            block(self);
        }
        abort.defuse();
    }

    fn block(&self) {
        let _ = block(
            self.submitter.registry(),
            &ScopeDone { scope: self },
            &Never::<H>::new(),
            self.run_unstarted(),
        );
    }
}

impl<'scope, 'env, const WINDOW: usize, const SLOT_BYTES: usize, F, A, T, H>
    SubmitItem<'scope, SLOT_BYTES, F, A, T, H>
    for &'scope Scope<'scope, 'env, WINDOW, SLOT_BYTES, H>
where
    F: ItemFunction<A, Output = T> + Send + 'scope,
    A: Send + 'scope,
    T: Send + 'scope,
    H: Park,
{
    fn submitter(&self) -> Submitter<'scope, SLOT_BYTES, H> {
        self.submitter
    }

    fn submit_item(
        &self,
        permit: Permit<'scope, SLOT_BYTES, H>,
        function: F,
        item: A,
    ) -> Result<JoinHandle<'scope, T, H>, Refusal> {
        assert!(
            permit.is_of(self.submitter.registry()),
            "slotted: a scope takes permits of its own executor"
        );
        Ok(self.submit_into(permit.into_parts().1, move || apply(function, item))?)
    }

    fn apply_here(&self) -> Option<fn(F, A) -> T> {
        Some(apply)
    }
}

impl<const WINDOW: usize, const SLOT_BYTES: usize, H: Park> fmt::Debug
    for Scope<'_, '_, WINDOW, SLOT_BYTES, H>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("ended", &self.latch.is_zero())
            .finish_non_exhaustive()
    }
}

/// A wait for all tasks of a scope.
struct ScopeDone<'s, 'scope, 'env, const WINDOW: usize, const SLOT_BYTES: usize, H: Park> {
    scope: &'s Scope<'scope, 'env, WINDOW, SLOT_BYTES, H>,
}

impl<const WINDOW: usize, const SLOT_BYTES: usize, H: Park> WaitFor<H>
    for ScopeDone<'_, '_, '_, WINDOW, SLOT_BYTES, H>
{
    fn is_over(&self) -> bool {
        self.scope.latch.is_zero()
    }

    /// Bound: the number of slots.
    fn take_unstarted(&self, runner: Option<Seat>) -> Option<Running<'_>> {
        let (registry, key) = (self.scope.submitter.registry(), self.scope.key());
        (0..registry.capacity()).find_map(|index| registry.take_queued_of(index, key, runner))
    }

    fn is_abandoned(&self) -> bool {
        is_unstarted(self.scope.submitter.registry())
    }

    /// Bound: the number of slots.
    fn needs_start(&self) -> bool {
        let (registry, key) = (self.scope.submitter.registry(), self.scope.key());
        is_unstarted(registry)
            && (0..registry.capacity()).any(|index| registry.is_queued_of(index, key))
    }

    fn take_abandoned(&self) -> Option<Running<'_>> {
        self.take_unstarted(None)
    }

    /// The completer of the last task knows the owner without being told. The last worker that
    /// leaves does not.
    fn register(&self, waiter: Waiter<H>) -> Result<Waiter<H>, Waiter<H>> {
        let registry = self.scope.submitter.registry();
        Ok(registry.with_leave_waiter(|cell| cell.put(waiter)))
    }

    fn deregister(&self, waiter: &Waiter<H>) -> Waiter<H> {
        let registry = self.scope.submitter.registry();
        registry.with_leave_waiter(|cell| cell.remove(waiter))
    }
}
