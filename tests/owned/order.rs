//! Tasks run one at a time, in the order of submission, with what the worker owns.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use slotted::{Owned, Ran, Refusal, Shutdown, StdThreads, TaskError};

use crate::connection::Connection;

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn tasks_start_in_the_order_of_submission() {
    let owned: Owned<Connection, 8> = Owned::new();
    let handles: Vec<_> = (0..8)
        .map(|number| owned.submit(move |own| own.send(number)).unwrap())
        .collect();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    for _ in 0..8 {
        assert_eq!(worker.run_one(&mut connection), Ran::Task);
    }
    assert_eq!(worker.run_one(&mut connection), Ran::Nothing);
    assert_eq!(connection.sent(), [0, 1, 2, 3, 4, 5, 6, 7]);
    let counts: Vec<_> = handles.into_iter().map(|handle| handle.result()).collect();
    assert_eq!(counts, (1..=8).map(Ok).collect::<Vec<_>>());
}

#[test]
fn what_the_worker_owns_stays_in_its_thread() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    for number in 0..100 {
        let handle = OWNED.submit_blocking(move |own| own.send(number)).unwrap();
        assert_eq!(handle.result(), Ok(number as usize + 1));
    }
    OWNED.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn many_submitters_share_it_without_a_lock() {
    let owned: Owned<Connection, 4> = Owned::new();
    let per_thread = if cfg!(miri) { 5 } else { 500 };
    let sent = owned.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| {
            std::thread::scope(|s| {
                for thread in 0..3 {
                    s.spawn(move || {
                        for number in 0..per_thread {
                            let task = move |own: &mut Connection| own.send(thread * 1000 + number);
                            owned.submit_blocking(task).unwrap().detach();
                        }
                    });
                }
            });
            owned.submit_blocking(|own| own.sent()).unwrap().result()
        },
    );
    let sent = sent.unwrap().unwrap();
    assert_eq!(sent.len() as u32, 3 * per_thread);
    for thread in 0..3 {
        let of_thread: Vec<_> = sent.iter().filter(|sent| **sent / 1000 == thread).collect();
        assert!(
            of_thread.is_sorted(),
            "each submitter's tasks keep their order"
        );
    }
}

#[test]
fn closures_and_results_are_dropped_once() {
    let (drops, owned) = (Arc::default(), Owned::<Connection, 4>::new());
    let submit = |keep: bool| {
        let counted = Counted(Arc::clone(&drops));
        owned.submit(move |_| keep.then_some(counted)).unwrap()
    };
    let (kept, gone, cancelled, detached) =
        (submit(true), submit(false), submit(true), submit(true));
    detached.detach();
    assert!(cancelled.cancel());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(
        drops.load(Ordering::Relaxed),
        3,
        "the detached and the empty one"
    );
    assert!(gone.result().unwrap().is_none());
    drop(kept.result());
    assert_eq!(drops.load(Ordering::Relaxed), 4);
    assert_eq!(owned.stats().slots_in_use, 1, "the cancelled handle's");
}

#[test]
fn a_panic_is_the_tasks_and_the_owner_goes_on_with_what_it_left() {
    let owned: Owned<Vec<u32>, 4> = Owned::new();
    let panicked = owned.submit(|own| {
        own.push(1);
        panic!("half done");
    });
    let panicked = panicked.unwrap();
    let seen = owned.submit(|own| own.len()).unwrap();
    let (mut worker, mut numbers) = (owned.worker().unwrap(), vec![]);
    while worker.run_one(&mut numbers) == Ran::Task {}
    let Err(TaskError::Panicked(panic)) = panicked.result() else {
        panic!("the panic is told");
    };
    assert_eq!(panic.message(), Some("half done"));
    assert_eq!(seen.result(), Ok(1), "nothing is poisoned");
    assert_eq!((owned.stats().completed, owned.stats().panicked), (2, 1));
}

#[test]
fn a_full_or_closed_executor_gives_the_closure_back() {
    let owned: Owned<Connection, 1> = Owned::new();
    let permit = owned.reserve().unwrap();
    let refused = owned.submit(|own| own.send(1)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    let late = owned.reserve_timeout(Duration::ZERO);
    assert_eq!(late.unwrap_err(), Refusal::Full);
    let handle = permit.submit(refused.into_inner()).unwrap();
    owned.begin_shutdown(Shutdown::Drain);
    assert_eq!(
        handle.error(),
        Some(&TaskError::Cancelled),
        "no owner will come"
    );
    drop(handle);
    let refused = owned.submit_blocking(|own| own.send(1)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(owned.reserve().unwrap_err(), Refusal::ShutDown);
}

#[test]
fn tasks_that_no_handle_names_move_with_their_executor() {
    let owned: Owned<Connection, 2> = Owned::new();
    owned.submit(|own| own.send(7)).unwrap().detach();
    let moved = Box::new(owned);
    let mut connection = Connection::new();
    assert_eq!(moved.worker().unwrap().run_one(&mut connection), Ran::Task);
    assert_eq!(connection.sent(), [7]);
}

#[test]
fn an_owned_that_is_dropped_drops_its_tasks() {
    let drops = Arc::default();
    let owned: Owned<Connection, 2> = Owned::new();
    let counted = Counted(Arc::clone(&drops));
    owned.submit(move |_| drop(counted)).unwrap().detach();
    drop(owned);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_value_without_size_can_be_owned() {
    let owned: Owned<(), 2> = Owned::new();
    let handle = owned.submit(|()| 7).unwrap();
    assert_eq!(owned.worker().unwrap().run_one(&mut ()), Ran::Task);
    assert_eq!(handle.result(), Ok(7));
}
