//! `map_over`: maps over a pool of another crate, which makes its own tasks of the items.

use core::future::pending;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;

use slotted::error::RemoteError;
use slotted::map::{Map, SubmitItem, map_over};
use slotted::{Executor, JoinHandle, Permit, Refusal, Shutdown, StdHost, Submitter, TaskError};

use crate::stage::{forever, with_crew, within_limit};

/// Runs functions of numbers elsewhere, here: as futures. It loses what is `lost`, and counts what
/// it was given.
#[derive(Debug)]
struct Pool {
    submitter: Submitter<'static, 256>,
    lost: u32,
    given: AtomicUsize,
}

type Squares<I, F> = Map<'static, 3, 256, &'static Pool, I, F, u32, StdHost>;

impl Pool {
    fn over<const WORKERS: usize, const SLOTS: usize>(
        executor: &'static Executor<WORKERS, SLOTS, 256>,
    ) -> &'static Self {
        forever(Self {
            submitter: executor.submitter(),
            lost: 13,
            given: AtomicUsize::new(0),
        })
    }

    /// A map as the pool's crate would lend it: with a window of three.
    fn map<I, F>(&'static self, items: I, function: F) -> Squares<I::IntoIter, F>
    where
        I: IntoIterator<Item = u32>,
        F: Fn(u32) -> u32 + Clone + Send + 'static,
    {
        map_over(self, items, function)
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

impl<F> SubmitItem<'static, 256, F, u32, u32, StdHost> for &'static Pool
where
    F: Fn(u32) -> u32 + Send + 'static,
{
    fn submitter(&self) -> Submitter<'static, 256> {
        self.submitter
    }

    fn submit_item(
        &self,
        permit: Permit<'static, 256>,
        function: F,
        item: u32,
    ) -> Result<JoinHandle<'static, u32>, Refusal> {
        self.given.fetch_add(1, Ordering::Relaxed);
        let lost = item == self.lost;
        Ok(permit.submit_future_outcome(async move {
            if lost {
                return Err(TaskError::Remote(RemoteError::Lost));
            }
            if item == u32::MAX {
                return pending().await;
            }
            Ok(function(item))
        })?)
    }
}

fn square(n: u32) -> u32 {
    n * n
}

#[test]
fn results_come_in_the_order_of_the_input() {
    let executor: &Executor<0, 4, 256> = forever(Executor::new());
    let squares = Pool::over(executor).map(1.., square).take(5);
    let squares: Vec<u32> = squares.map(Result::unwrap).collect();
    assert_eq!(squares, [1, 4, 9, 16, 25]);
    assert_eq!(executor.stats().slots_in_use, 0);
}

/// The error is one item's, and the iteration goes on.
#[test]
fn error_of_an_item_is_that_of_its_task() {
    let executor: &Executor<0, 4, 256> = forever(Executor::new());
    let squares: Vec<_> = Pool::over(executor).map([12, 13, 14], square).collect();
    let lost = Err(TaskError::Remote(RemoteError::Lost));
    assert_eq!(squares, [Ok(144), lost, Ok(196)]);
}

#[test]
fn window_and_buffersize_bound_what_the_pool_is_given() {
    let executor: &Executor<0, 8, 256> = forever(Executor::new());
    let pool = Pool::over(executor);
    let mut squares = pool.map(1.., square);
    assert_eq!((squares.next(), pool.given()), (Some(Ok(1)), 3));
    drop(squares);
    assert_eq!(executor.stats().cancelled, 2);
    let mut squares = pool.map(1.., square).buffersize(2);
    assert_eq!((squares.next(), pool.given()), (Some(Ok(1)), 5));
}

#[test]
fn unordered_yields_what_is_done_first() {
    let executor: &Executor<0, 4, 256> = forever(Executor::new());
    let mut squares = Pool::over(executor)
        .map([u32::MAX, 2, 3, 4], square)
        .unordered();
    let mut done: Vec<_> = (0..3).map(|_| squares.next().unwrap().unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, [4, 9, 16]);
    drop(squares);
    assert_eq!(executor.stats().slots_in_use, 0);
}

#[test]
fn timeout_ends_the_map_and_cancels_what_is_in_flight() {
    let executor: &Executor<0, 4, 256> = forever(Executor::new());
    let mut squares = Pool::over(executor)
        .map([u32::MAX, u32::MAX], square)
        .timeout(Duration::ZERO);
    assert_eq!(squares.next(), Some(Err(TaskError::TimedOut)));
    assert_eq!(squares.next(), None);
    assert_eq!(executor.stats().cancelled, 2);
}

/// The caller polls the futures itself.
#[test]
fn inline_needs_no_worker() {
    let unstarted: &Executor<1, 4, 256> = forever(Executor::new());
    let squares = Pool::over(unstarted).map([1, 2, 3], square).inline();
    assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
}

/// The pool does not say how the calling thread could do its work: an inline map waits for a slot.
#[test]
fn inline_map_waits_for_a_slot_where_the_pool_applies_nothing_here() {
    let executor: &Executor<0, 1, 256> = forever(Executor::new());
    let pool = Pool::over(executor);
    executor.submit(|| ()).unwrap().detach();
    let mut squares = pool.map([2], square).inline();
    assert_eq!((squares.next(), pool.given()), (Some(Ok(4)), 1));
    assert_eq!(executor.stats().completed, 2);
}

#[test]
fn detached_items_run_on() {
    let executor: &Executor<0, 4, 256> = forever(Executor::new());
    let mut squares = Pool::over(executor).map([1, 2, 3], square);
    assert_eq!(squares.next(), Some(Ok(1)));
    squares.detach();
    assert_eq!(executor.run_until_idle(), 2);
    assert_eq!(executor.stats().completed, 3);
}

#[test]
fn full_executor_takes_no_item_from_the_input() {
    let executor: &Executor<0, 1, 256> = forever(Executor::new());
    let permit = executor.reserve().unwrap();
    let mut items = [1, 2].into_iter();
    let squares = Pool::over(executor).map(items.by_ref(), square);
    let mut squares = squares.timeout(Duration::ZERO);
    assert_eq!(squares.next(), Some(Err(TaskError::TimedOut)));
    drop((squares, permit));
    assert_eq!(items.next(), Some(1));
}

#[test]
fn shutdown_ends_the_map_after_what_is_in_flight() {
    let executor: &Executor<0, 2, 256> = forever(Executor::new());
    let mut squares = Pool::over(executor).map(1.., square);
    assert_eq!(squares.next(), Some(Ok(1)));
    executor.begin_shutdown(Shutdown::Drain);
    assert_eq!(squares.next(), Some(Ok(4)));
    assert_eq!(squares.next(), Some(Err(TaskError::Cancelled)));
    assert_eq!(squares.next(), None);
}

#[test]
fn workers_serve_several_maps_at_once() {
    static POOL: Executor<2, 4, 256> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            let pool = Pool::over(&POOL);
            let (left, right) = (pool.map(1..=20, square), pool.map(1..=20, |n| n));
            let pairs = left.zip(right.unordered());
            let sums = pairs.fold((0, 0), |(left, right), (l, r)| {
                (left + l.unwrap_or(0), right + r.unwrap_or(0))
            });
            assert_eq!(sums, (2870 - 169, 210 - 13));
        });
    });
}

/// It would count the task of another executor. The slot is given back.
#[test]
fn scope_takes_no_permit_of_another_executor() {
    let (one, other): (Executor<0, 1>, Executor<0, 1>) = (Executor::new(), Executor::new());
    let raised = catch_unwind(AssertUnwindSafe(|| {
        one.scope(|s| {
            let permit = other.reserve().unwrap();
            let _ = SubmitItem::submit_item(&s, permit, square, 1);
        });
    }));
    assert!(raised.is_err());
    assert!(other.reserve().is_ok());
    let squared = one.scope(|s| {
        let permit = SubmitItem::<64, fn(u32) -> u32, u32, _, _>::submitter(&s).reserve();
        let handle = SubmitItem::submit_item(&s, permit.unwrap(), square, 3);
        handle.unwrap().result()
    });
    assert_eq!(squared, Ok(9));
}
