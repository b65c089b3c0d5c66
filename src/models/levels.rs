//! Levels: submitters against workers of which one serves the urgent level only.
#![forbid(unsafe_code)]

use super::*;
use crate::{Levels, Ordered};

type Host = Ordered<Modelled, Levels<2>>;
type Pool<const WORKERS: usize, const QUEUE: usize> = Executor<WORKERS, QUEUE, 64, Host>;

/// Worker 0 serves level 1 only, the others both.
struct Tied;

impl Spawn<Host> for Tied {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<'static, Host>) -> Result<(), Self::Error> {
        drop(thread::spawn(move || {
            if worker.index() == 0 {
                worker.serve::<1>().run();
            } else {
                worker.run();
            }
        }));
        Ok(())
    }
}

/// Runs `body` with a pool whose worker 0 is tied, with at most `preemptions` preemptions.
fn model_tied<const WORKERS: usize, const QUEUE: usize>(
    preemptions: usize,
    body: fn(&'static Pool<WORKERS, QUEUE>),
) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(
        builder
            .preemption_bound
            .map_or(preemptions, |bound| bound.min(preemptions)),
    );
    builder.check(move || {
        let pool: &'static Pool<WORKERS, QUEUE> = Box::leak(Box::new(Pool::new()));
        pool.start(&Tied).unwrap();
        body(pool);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// The tied worker falls idle, is woken, or looks, while the task comes.
#[test]
fn an_urgent_task_finds_the_tied_worker() {
    model_tied::<1, 1>(2, |pool| {
        let (counted, drops) = Counted::new();
        let handle = pool.level::<1>().submit(move || drop(counted)).unwrap();
        assert_eq!(handle.result(), Ok(()));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// No other worker relies on the tied one for the low task, and it keeps none asleep.
#[test]
fn a_low_task_beside_an_idle_tied_worker_finds_the_general_one() {
    model_tied::<2, 1>(1, |pool| {
        let handle = pool.submit(|| 7).unwrap();
        assert_eq!(handle.result(), Ok(7));
    });
}

/// A wake that meant the urgent task reaches the low one too.
#[test]
fn a_low_and_an_urgent_task_both_run_though_one_is_cancelled_meanwhile() {
    model_tied::<2, 2>(1, |pool| {
        let urgent = pool.level::<1>().submit(|| 1).unwrap();
        let low = pool.submit(|| 0).unwrap();
        urgent.cancel();
        assert_eq!(low.result(), Ok(0));
    });
}

/// Whether a raised task is taken by the tied worker, the general one or the shutdown: once.
#[test]
fn a_task_that_is_raised_while_workers_look_runs_once() {
    model_tied::<2, 1>(1, |pool| {
        let (counted, drops) = Counted::new();
        let handle = pool.submit(move || drop(counted)).unwrap();
        handle.raise::<1>();
        assert_eq!(handle.result(), Ok(()));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// Raising against cancelling: the task is in one list, and leaves it once.
#[test]
fn a_task_that_is_raised_and_cancelled_is_cancelled_once() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(|| {
        let pool: &'static Pool<0, 2> = Box::leak(Box::new(Pool::new()));
        let (counted, drops) = Counted::new();
        let handle = pool.submit(move || drop(counted)).unwrap();
        let other = pool.level::<1>().submit(|| ()).unwrap();
        let canceller = handle.canceller();
        let cancels = thread::spawn(move || canceller.cancel());
        handle.raise::<1>();
        assert!(cancels.join().unwrap());
        assert!(pool.run_one() && !pool.run_one());
        drop((handle, other));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// The tied worker sleeps, and the low task is all that is left: both workers still leave.
#[test]
fn a_drain_lets_the_tied_worker_go_while_a_low_task_waits() {
    model_tied::<2, 1>(1, |pool| {
        pool.submit(|| ()).unwrap().detach();
    });
}
