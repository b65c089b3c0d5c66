//! Joins whose second closure a worker, a shutdown and its own thread may take.
#![forbid(unsafe_code)]

use super::lives::start_and_keep;
use super::*;

/// Joins, and checks that each closure ran once.
fn join_once<const QUEUE: usize>(pool: &'static Pool<1, QUEUE>) {
    let runs = AtomicUsize::new(0);
    let both = pool.scope(|s| s.join(|| 1, || runs.fetch_add(1, Ordering::Relaxed)));
    assert_eq!((both, runs.into_inner()), ((1, 0), 1));
}

#[test]
fn a_closure_on_offer_runs_once_whether_a_worker_takes_it_or_its_owner() {
    model_leaked::<1, 1>(|pool| {
        pool.start(&Modelled).unwrap();
        join_once(pool);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn a_shutdown_that_cancels_an_offer_leaves_the_closure_to_its_owner() {
    model_leaked::<1, 1>(|pool| {
        pool.start(&Modelled).unwrap();
        let other = thread::spawn(move || pool.begin_shutdown(Shutdown::Cancel));
        join_once(pool);
        other.join().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

#[test]
fn the_last_worker_that_leaves_leaves_the_closure_to_its_owner() {
    model_leaked::<1, 1>(|pool| {
        let worker = start_and_keep(pool);
        let host = thread::spawn(move || drop(worker));
        join_once(pool);
        host.join().unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}

/// The worker may take either closure, and the inner join ends while the outer one is on offer.
#[test]
fn closures_of_joins_in_joins_run_once_each() {
    model_leaked::<1, 2>(|pool| {
        pool.start(&Modelled).unwrap();
        let runs = AtomicUsize::new(0);
        let run = || _ = runs.fetch_add(1, Ordering::Relaxed);
        pool.scope(|s| s.join(|| s.join(run, run), run));
        assert_eq!(runs.into_inner(), 3);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(pool.stats().slots_in_use, 0);
    });
}
