//! Threads that displace each other where they wait, under many schedules.

use std::sync::Arc;

use slotted::{Executor, Shutdown, Timetable};

use crate::host::{BYTES, Crew};
use crate::program::Driven;
use crate::schedules::runs;
use crate::world::{Scheduled, thread};

type Host = Scheduled<false>;

/// How many schedules of each kind.
const SCHEDULES: usize = 3_000;

fn explore(body: fn()) {
    for depth in [4, 5, 6] {
        runs(Some(depth), SCHEDULES, 7, body);
    }
    runs(None, SCHEDULES, 7, body);
}

/// One driver displaces another and leaves, while the other one sleeps.
#[test]
fn a_driver_that_was_displaced_runs_what_is_submitted_later() {
    explore(|| {
        let pool: &'static Executor<0, 8, BYTES, Host> = Box::leak(Box::new(Executor::new()));
        let promises = [(); 3].map(|()| pool.promise::<u32>().expect("a slot is free"));
        let [(first, for_first), (second, for_second), (third, for_third)] = promises;
        let one = thread::spawn(move || assert!(for_second.result().is_ok()));
        let other = thread::spawn(move || {
            assert!(for_first.result().is_ok());
            assert!(for_third.result().is_ok());
        });
        assert!(first.complete(Ok(1)).is_ok());
        assert!(second.complete(Ok(2)).is_ok());
        let task = pool.submit(move || assert!(third.complete(Ok(3)).is_ok()));
        task.expect("a slot is free").detach();
        one.join().expect("it does not panic");
        other.join().expect("it does not panic");
    });
}

/// Each task ends the wait of one driver, and submits the next.
#[test]
fn three_drivers_do_not_keep_each_other_awake() {
    explore(|| {
        let pool: &'static Executor<0, 8, BYTES, Host> = Box::leak(Box::new(Executor::new()));
        let promises = [(); 3].map(|()| pool.promise::<u32>().expect("a slot is free"));
        let [(first, one), (second, two), (third, three)] = promises;
        let drivers =
            [one, two, three].map(|handle| thread::spawn(move || assert!(handle.result().is_ok())));
        let last = move || assert!(third.complete(Ok(3)).is_ok());
        let middle = move || {
            assert!(second.complete(Ok(2)).is_ok());
            pool.submit(last).expect("a slot is free").detach();
        };
        let task = pool.submit(move || {
            assert!(first.complete(Ok(1)).is_ok());
            pool.submit(middle).expect("a slot is free").detach();
        });
        task.expect("a slot is free").detach();
        for driver in drivers {
            driver.join().expect("it does not panic");
        }
    });
}

/// The owner of a scope leaves the place where a shutdown waits, which it had displaced.
#[test]
fn a_shutdown_that_the_owner_of_a_scope_displaced_ends() {
    explore(|| {
        let pool: &'static Executor<1, 8, BYTES, Host> = Box::leak(Box::new(Executor::new()));
        let crew = Crew::new(Driven::Run, Arc::new(|| ()));
        pool.start(&crew).expect("it is new");
        let owner = thread::spawn(move || {
            pool.scope(|scope| _ = scope.submit(|| ()).map(|handle| handle.detach()));
        });
        let closer = thread::spawn(move || _ = pool.shutdown(Shutdown::Drain));
        let submitter = thread::spawn(move || _ = pool.submit(|| ()).map(|task| task.result()));
        for thread in [owner, closer, submitter] {
            thread.join().expect("it does not panic");
        }
        crew.join();
    });
}

/// A timed task is published. Before its timer is armed a shutdown frees the timer, which becomes
/// the budget of another task.
#[test]
fn a_budget_keeps_a_timer_that_a_shutdown_took_from_a_task_in_the_making() {
    explore(|| {
        let [pool, others]: [&'static Executor<0, 2, BYTES, Host>; 2] =
            [(); 2].map(|()| &*Box::leak(Box::new(Executor::new())));
        let times: &'static Timetable<1, Host> = Box::leak(Box::new(Timetable::new()));
        // The generation of the next task in the slot is 1, as the number of the first claim.
        drop(others.promise::<u32>().expect("a slot is free"));
        let (promise, rests) = others.promise::<u32>().expect("a slot is free");
        let submitter = thread::spawn(move || {
            let task = times.on(pool).submit_at(u64::MAX - 1, || ());
            drop(task);
        });
        assert!(pool.shutdown(Shutdown::Cancel).is_ok());
        let is_set = times.cancel_at(&rests, u64::MAX - 2).is_ok();
        submitter.join().expect("it does not panic");
        if is_set {
            assert_eq!(times.next_date(), Some(u64::MAX - 2));
            times.cancel_never(&rests);
        }
        assert_eq!(times.next_date(), None);
        drop(promise);
    });
}
