//! `slotted`.

use core::future::Future;
use core::marker::PhantomData;
use std::sync::Arc;
use std::thread::Thread;

use core_affinity::CoreId;
use slotted::{Executor, JoinHandle, Park, Scope, StdHost, StdThreads, as_completed};

use super::{Found, pool};
use crate::arguments::Effort;
use crate::pool::{Cancel, ForkJoin, Polls, Pool, WORKERS};
use crate::sample::Figures;
use crate::work::work;
use crate::workload::{self, CUTOFF, Workload};

/// Also the first part of the row names for the world of boards.
pub const SLOTTED: &str = "slotted";

/// It has as many slots as the workloads keep tasks outstanding.
static POOL: Executor<WORKERS, 1024> = Executor::new();

/// A host, and its pool.
trait Hosted: Park {
    fn pool() -> &'static Executor<WORKERS, 1024, 64, Self>;
}

impl Hosted for StdHost {
    fn pool() -> &'static Executor<WORKERS, 1024> {
        &POOL
    }
}

struct On<H>(PhantomData<fn() -> H>);

type Slotted = On<StdHost>;

impl<H: Hosted> Pool for On<H> {
    type Handle<T: Send + 'static> = JoinHandle<'static, T, H>;

    fn start() -> Self {
        H::pool().start(&StdThreads::new()).expect("threads");
        Self(PhantomData)
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        H::pool().submit(task).expect("there is room")
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        handle.result().expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, mut visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        let handles: Vec<_> = tasks.into_iter().map(|task| self.submit(task)).collect();
        for handle in as_completed(handles) {
            visit(self.result(handle));
        }
    }

    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], chunk: usize) {
        output.copy_from_slice(input);
        let each = |items: &mut [u64]| items.iter_mut().for_each(|item| *item = work(*item));
        H::pool()
            .scope(|scope| scope.for_each_chunk(output, chunk, each))
            .expect("open");
    }
}

impl ForkJoin for Slotted {
    fn fibonacci(&self, n: u64) -> u64 {
        self.result(self.submit(move || fork(n)))
    }
}

/// Runs in a worker. Offers one half to the other workers, and runs it here if it is still pending
/// when this worker needs it.
fn fork(n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    let other = POOL.submit(move || fork(n - 2)).expect("there is room");
    fork(n - 1) + other.result().expect("a value")
}

impl Cancel for Slotted {
    fn cancel(&self, handle: Self::Handle<()>) {
        assert!(handle.cancel());
    }
}

impl Polls for Slotted {
    fn spawn<F>(&self, future: F) -> Self::Handle<u64>
    where
        F: Future<Output = u64> + Send + 'static,
    {
        POOL.submit_future(future).expect("there is room")
    }
}

pub fn find(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Slotted>),
        Workload::Cancel => Found::Here(workload::cancel::<Slotted>),
        Workload::Wake => Found::Here(workload::wake::<Slotted>),
        other => pool::<Slotted>(other),
    }
}

/// Std threads under another name, for a pool of their own. The parameter lets them spin and yield.
struct Other<const SPINS: bool>;

type ParkAtOnce = Other<false>;
/// Each worker has a processor of its own, so the scheduler has nothing to choose.
type Pinned = Other<true>;

impl<const SPINS: bool> Park for Other<SPINS> {
    type Thread = Thread;
    type Order = slotted::Fifo;
    const FAIR: bool = StdHost::FAIR;

    fn current() -> Thread {
        StdHost::current()
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        StdHost::park();
    }

    fn unpark(thread: &Thread) {
        StdHost::unpark(thread);
    }

    fn spin(round: u32) -> bool {
        SPINS && StdHost::spin(round)
    }

    fn yield_now(round: u32) -> bool {
        SPINS && StdHost::yield_now(round)
    }
}

impl Hosted for ParkAtOnce {
    fn pool() -> &'static Executor<WORKERS, 1024, 64, Self> {
        static POOL: Executor<WORKERS, 1024, 64, ParkAtOnce> = Executor::new();
        &POOL
    }
}

pub fn find_park_at_once(workload: Workload) -> Found {
    match workload {
        // A workload without waits is the same here.
        Workload::Array | Workload::Footprint | Workload::ForkJoin => Found::Missing,
        other => pool::<On<ParkAtOnce>>(other),
    }
}

impl Hosted for Pinned {
    fn pool() -> &'static Executor<WORKERS, 1024, 64, Self> {
        static POOL: Executor<WORKERS, 1024, 64, Pinned> =
            Executor::new().on_worker_start(|worker| {
                // With fewer processors, or without permission to pin, the scheduler decides as
                // usual.
                core_affinity::set_for_current(CoreId { id: worker });
                Ok(())
            });
        &POOL
    }
}

pub fn find_pinned(workload: Workload) -> Found {
    match workload {
        Workload::Array | Workload::Footprint | Workload::ForkJoin => Found::Missing,
        other => pool::<On<Pinned>>(other),
    }
}

/// The waiter runs its task itself if the task is still pending.
struct Inline(Slotted);

impl Pool for Inline {
    type Handle<T: Send + 'static> = JoinHandle<'static, T>;

    fn start() -> Self {
        Self(Slotted::start())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.submit(task)
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        handle.result_inline().expect("a value")
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        POOL.map(tasks.into_iter().map(Once), Once::call)
            .unordered()
            .inline()
            .map(|result| result.expect("a value"))
            .for_each(visit);
    }

    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], chunk: usize) {
        output.copy_from_slice(input);
        let each = |items: &mut [u64]| items.iter_mut().for_each(|item| *item = work(*item));
        POOL.scope(|scope| scope.inline().for_each_chunk(output, chunk, each))
            .expect("open");
    }
}

/// A task as an item.
struct Once<F>(F);

impl<F: FnOnce() -> u64> Once<F> {
    fn call(self) -> u64 {
        (self.0)()
    }
}

impl ForkJoin for Inline {
    fn fibonacci(&self, n: u64) -> u64 {
        self.result(self.submit(move || fork(n)))
    }
}

pub fn find_inline(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Inline>),
        // The first has no waiter; the second measures the workers themselves.
        Workload::Latency | Workload::Footprint => Found::Missing,
        other => pool::<Inline>(other),
    }
}

/// Each slot holds the items of a chunk, and later their outcomes.
static LARGE: Executor<WORKERS, 64, 4112> = Executor::new();

/// `map`, many items in a task.
fn map(effort: Effort) -> Figures {
    LARGE.start(&StdThreads::new()).expect("threads");
    workload::array_with(effort, |input, output, _| {
        let results = LARGE
            .map(Arc::clone(input).to_vec(), work)
            .chunksize::<128>();
        for (place, result) in output.iter_mut().zip(results) {
            *place = result.expect("a value");
        }
    })
}

pub fn find_map(workload: Workload) -> Found {
    if workload == Workload::Array {
        Found::Here(map)
    } else {
        Found::Missing
    }
}

/// Borrowing closures that fork in their own scopes, or with `join`.
struct Borrowing<const JOINS: bool>(Slotted);

impl<const JOINS: bool> Pool for Borrowing<JOINS> {
    type Handle<T: Send + 'static> = JoinHandle<'static, T>;

    fn start() -> Self {
        Self(Slotted::start())
    }

    fn submit<T, F>(&self, task: F) -> Self::Handle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.submit(task)
    }

    fn result<T: Send + 'static>(&self, handle: Self::Handle<T>) -> T {
        self.0.result(handle)
    }

    fn each_completed<F>(&self, tasks: Vec<F>, visit: impl FnMut(u64))
    where
        F: FnOnce() -> u64 + Send + 'static,
    {
        self.0.each_completed(tasks, visit);
    }

    fn fill(&self, input: &Arc<[u64]>, output: &mut [u64], chunk: usize) {
        if JOINS {
            output.copy_from_slice(input);
            return POOL.scope(|scope| fill_joined(scope, output, chunk));
        }
        POOL.scope(|scope| {
            for (places, items) in output.chunks_mut(chunk).zip(input.chunks(chunk)) {
                let fill = move || {
                    places
                        .iter_mut()
                        .zip(items)
                        .for_each(|(place, &item)| *place = work(item))
                };
                scope.submit(fill).expect("there is room").detach();
            }
        });
    }
}

impl<const JOINS: bool> ForkJoin for Borrowing<JOINS> {
    fn fibonacci(&self, n: u64) -> u64 {
        if JOINS {
            return self.result(self.submit(move || POOL.scope(|scope| join(scope, n))));
        }
        fork_in_scope(n)
    }
}

fn fork_in_scope(n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    POOL.scope(|scope| {
        let other = scope
            .submit(move || fork_in_scope(n - 2))
            .expect("there is room");
        fork_in_scope(n - 1) + other.result_inline().expect("a value")
    })
}

pub fn find_scope(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Borrowing<false>>),
        Workload::Array => Found::Here(workload::array::<Borrowing<false>>),
        _ => Found::Missing,
    }
}

fn fill_joined(scope: &Scope<'_, '_, 1024>, items: &mut [u64], chunk: usize) {
    if items.len() <= chunk {
        return items.iter_mut().for_each(|item| *item = work(*item));
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    scope.join(
        || fill_joined(scope, left, chunk),
        || fill_joined(scope, right, chunk),
    );
}

fn join(scope: &Scope<'_, '_, 1024>, n: u64) -> u64 {
    if n < CUTOFF {
        return workload::fibonacci(n);
    }
    let (one, other) = scope.join(|| join(scope, n - 1), || join(scope, n - 2));
    one + other
}

pub fn find_join(workload: Workload) -> Found {
    match workload {
        Workload::ForkJoin => Found::Here(workload::fork_join::<Borrowing<true>>),
        Workload::Array => Found::Here(workload::array::<Borrowing<true>>),
        _ => Found::Missing,
    }
}

fn scale<const COUNT: usize>(workload: Workload) -> Found {
    if workload == Workload::Scale {
        Found::Here(workload::scale::<COUNT>)
    } else {
        Found::Missing
    }
}

pub fn find_one_worker(workload: Workload) -> Found {
    scale::<1>(workload)
}

pub fn find_two_workers(workload: Workload) -> Found {
    scale::<2>(workload)
}

pub fn find_four_workers(workload: Workload) -> Found {
    scale::<4>(workload)
}

pub fn find_eight_workers(workload: Workload) -> Found {
    scale::<8>(workload)
}
