//! Several simulations in one process, and threads that belong to none.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::thread;

use slotted::{Clock, Park, Shutdown, SimHost, Simulation};

use crate::{Pool, millis, now_millis, pool};

/// What `work` panics with.
fn panic_of<R>(work: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).err().unwrap();
    let text = panic.downcast_ref::<&str>().map(|text| String::from(*text));
    text.or(panic.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn simulations_in_several_threads_do_not_see_each_other() {
    let play = || {
        let pool = pool::<2, 8>();
        let simulation = Simulation::new().seed(7);
        pool.start(&simulation).unwrap();
        let spend = |number| SimHost::spend(millis(number));
        pool.map(0..20, spend).for_each(Result::unwrap);
        let end = now_millis();
        pool.shutdown(Shutdown::Drain).unwrap();
        (end, simulation.trace().hash())
    };
    let alone = play();
    let threads: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || [play(), play()]))
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), [alone; 2]);
    }
}

#[test]
fn a_thread_of_no_simulation_is_told_what_to_do() {
    let calls: [fn(); 6] = [
        || drop(SimHost::current()),
        || assert_eq!(SimHost::now(), 0),
        || SimHost::park(),
        || SimHost::spend(millis(1)),
        || SimHost::let_others_run(),
        || {
            assert_eq!(
                Pool::<0>::new()
                    .submit(|| ())
                    .unwrap()
                    .wait_timeout(millis(1)),
                Ok(&())
            )
        },
    ];
    for call in calls {
        let panic = panic_of(call);
        assert!(
            panic.starts_with("slotted: this thread belongs to no simulation"),
            "{panic}"
        );
        assert!(
            panic.contains("make a `Simulation` in this thread"),
            "{panic}"
        );
    }
}

#[test]
fn an_executor_may_outlive_its_simulation() {
    let executor: Pool<0> = Pool::new();
    let simulation = Simulation::new();
    executor.submit(|| ()).unwrap().detach();
    drop(simulation);
    assert!(executor.run_one());
    executor.submit(|| ()).unwrap().detach();
}

#[test]
fn a_thread_drives_one_simulation_at_a_time() {
    let first = Simulation::new();
    let panic = panic_of(Simulation::new);
    assert!(panic.contains("belongs to a simulation already"), "{panic}");
    drop(first);
    drop(Simulation::new());
}

#[test]
fn an_executor_of_two_simulations_is_refused() {
    let simulation = Simulation::new();
    let foreign = thread::spawn(|| {
        let simulation = Simulation::new();
        let token = SimHost::current();
        (
            simulation.advance(millis(1)),
            token,
            simulation.running_threads(),
        )
            .1
    });
    // That simulation has ended, and a late waker is harmless.
    SimHost::unpark(&foreign.join().unwrap());

    let mine = SimHost::current();
    let panic = thread::spawn(move || {
        let simulation = Simulation::new();
        let panic = panic_of(|| SimHost::unpark(&mine));
        drop(simulation);
        panic
    });
    let panic = panic.join().unwrap();
    assert!(
        panic.contains("two simulations use one executor"),
        "{panic}"
    );
    drop(simulation);
}

#[test]
fn each_thread_has_an_identity_of_its_own() {
    let simulation = Simulation::new();
    let (tell, ids) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let tell = tell.clone();
        simulation
            .spawn("one", move || tell.send(SimHost::current_id()).unwrap())
            .unwrap();
    }
    simulation.settle();
    let mut ids: Vec<usize> = ids.try_iter().chain([SimHost::current_id()]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert!(!ids.contains(&0));
}
