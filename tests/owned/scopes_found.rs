//! Scopes across lives, hand-overs, slots that are used again, and orders of threads.
//!
//! A simulated wait that nothing can end panics.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use slotted::{JoinHandle, Owned, OwnedWorker, Ran, Shutdown, SimHost, Simulation, TaskError};

use crate::connection::{Counted, drops};

type Radio = Owned<Vec<u32>, 4, 128, SimHost>;

fn leak() -> &'static Radio {
    Box::leak(Box::new(Owned::new()))
}

fn seeds(count: u64) -> core::ops::Range<u64> {
    0..if cfg!(miri) { 2 } else { count }
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Has a scope with one task, whose closure counts its drop. Returns true if the task ran.
fn scope_once(radio: &Radio, count: &Arc<AtomicUsize>) -> bool {
    let mut ran = false;
    radio.scope(|scope| {
        let counted = Counted::new(count);
        let task = |own: &mut Vec<u32>| {
            drop(counted);
            own.push(1);
            ran = true;
        };
        scope.submit(task).unwrap().detach();
    });
    ran
}

#[test]
fn an_owner_that_leaves_wakes_a_scope_that_sleeps() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let worker = radio.worker().unwrap();
        let counts = Arc::clone(&count);
        let work = move || assert!(!scope_once(radio, &counts));
        simulation.spawn("caller", work).unwrap();
        simulation.settle();
        assert_eq!(
            (simulation.running_threads(), drops(&count)),
            (1, 0),
            "it sleeps"
        );
        drop(worker);
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn an_owner_that_leaves_wakes_every_scope_that_sleeps() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let worker = radio.worker().unwrap();
        for _ in 0..3 {
            let counts = Arc::clone(&count);
            let work = move || assert!(!scope_once(radio, &counts));
            simulation.spawn("caller", work).unwrap();
        }
        simulation.settle();
        drop(worker);
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 3));
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn an_owner_that_leaves_at_any_time_leaves_no_scope_behind() {
    Simulation::check_seeds(seeds(300), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let mut worker = radio.worker().unwrap();
        let counts = Arc::clone(&count);
        let caller = simulation.spawn("caller", move || _ = scope_once(radio, &counts));
        caller.unwrap();
        simulation
            .spawn("owner", move || _ = worker.run_one(&mut vec![]))
            .unwrap();
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
        assert!(radio.worker().is_ok());
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn a_shutdown_at_any_time_leaves_no_scope_behind() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        Simulation::check_seeds(seeds(200), |simulation| {
            let (radio, count) = (leak(), Arc::<AtomicUsize>::default());
            let worker = radio.worker().unwrap();
            simulation
                .spawn("owner", move || drop(worker.run(vec![])))
                .unwrap();
            let counts = Arc::clone(&count);
            let work = move || {
                radio.scope(|scope| {
                    let counted = Counted::new(&counts);
                    // Refused, it is dropped here.
                    let task = scope.submit(move |own| {
                        drop(counted);
                        own.push(1);
                    });
                    drop(task.map(JoinHandle::detach));
                });
                assert_eq!(drops(&counts), 1);
            };
            simulation.spawn("caller", work).unwrap();
            radio.shutdown(shutdown).unwrap();
            simulation.settle();
            assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
            assert!(radio.worker().is_ok(), "nothing is left of the life");
        });
    }
}

#[test]
fn a_shutdown_and_an_owner_that_leaves_leave_no_scope_behind() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        Simulation::check_seeds(seeds(200), |simulation| {
            let (radio, count) = (leak(), Arc::default());
            let worker = radio.worker().unwrap();
            let counts = Arc::clone(&count);
            let work = move || {
                radio.scope(|scope| {
                    let counted = Counted::new(&counts);
                    drop(scope.submit(move |_| drop(counted)).map(JoinHandle::detach));
                });
                assert_eq!(drops(&counts), 1);
            };
            simulation.spawn("caller", work).unwrap();
            simulation.spawn("owner", move || drop(worker)).unwrap();
            radio.shutdown(shutdown).unwrap(); // it waits in the cell where the scope waits
            simulation.settle();
            assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
            assert!(radio.worker().is_ok(), "nothing is left of the life");
        });
    }
}

#[test]
fn an_owner_that_follows_another_runs_the_tasks_of_a_scope_or_finds_none() {
    Simulation::check_seeds(seeds(300), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let worker = radio.worker().unwrap();
        let (counts, ran) = (Arc::clone(&count), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&ran);
        let work = move || seen.store(scope_once(radio, &counts).into(), Ordering::Relaxed);
        simulation.spawn("caller", work).unwrap();
        let owner = move || {
            drop(worker);
            let (mut next, mut numbers) = (radio.worker().unwrap(), vec![]);
            let _ = next.run_one(&mut numbers);
            drop(next);
            numbers.len()
        };
        let (give, take) = std::sync::mpsc::channel();
        simulation
            .spawn("owner", move || give.send(owner()).unwrap())
            .unwrap();
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
        assert_eq!(take.recv().unwrap(), ran.load(Ordering::Relaxed));
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn a_worker_that_is_handed_over_while_the_scope_sleeps_runs_its_tasks() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let mut worker = radio.worker().unwrap();
        assert_eq!(worker.run_one(&mut vec![]), Ran::Nothing);
        let counts = Arc::clone(&count);
        simulation
            .spawn("caller", move || assert!(scope_once(radio, &counts)))
            .unwrap();
        simulation.settle();
        let work = move || assert_eq!(worker.run_one(&mut vec![]), Ran::Task);
        simulation.spawn("owner", work).unwrap();
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
    });
}

#[test]
fn a_loop_that_gave_its_worker_away_has_a_scope() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let mut worker = radio.worker().unwrap();
        assert_eq!(worker.run_one(&mut vec![]), Ran::Nothing);
        simulation
            .spawn("owner", move || drop(worker.run(vec![])))
            .unwrap();
        assert!(scope_once(radio, &count));
        radio.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_next_owner_that_comes_in_time_runs_what_the_earlier_one_left() {
    let (radio, mut ran) = (Owned::<Vec<u32>, 2>::new(), false);
    let (first, mut numbers) = (radio.worker().unwrap(), vec![]);
    radio.scope(|scope| {
        let handle = scope.submit(|own| {
            own.push(1);
            ran = true;
        });
        drop(first);
        assert_eq!(handle.unwrap().error(), Some(&TaskError::NotStarted));
        assert_eq!(radio.worker().unwrap().run_one(&mut numbers), Ran::Task);
    });
    assert!(ran);
    assert_eq!(numbers, [1]);
}

#[test]
fn a_scope_cancels_only_its_own_tasks_and_of_slots_that_earlier_scopes_used() {
    let radio: Owned<Vec<u32>, 3> = Owned::new();
    let kept = radio.submit(|own| own.push(1)).unwrap();
    for round in 0..5 {
        let local = round;
        let outer = radio.scope(|scope| {
            let outer = scope.submit(|own| own.push(local)).unwrap();
            radio.scope(|scope| {
                scope.submit(|own| own.push(local)).unwrap().detach();
                assert_eq!(radio.stats().queued, 3);
            });
            assert_eq!(radio.stats().queued, 2, "the outer scope's task waits");
            outer.cancelled()
        });
        assert!(!outer);
        assert_eq!(radio.stats().queued, 1, "what is no scope's waits");
    }
    let mut numbers = vec![];
    assert_eq!(radio.worker().unwrap().run_one(&mut numbers), Ran::Task);
    assert_eq!((kept.result(), numbers), (Ok(()), vec![1]));
    assert_eq!(radio.stats().cancelled, 10);
}

#[test]
fn a_destructor_that_submits_to_its_own_scope_leaves_no_task() {
    let radio: Owned<Vec<u32>, 4, 128> = Owned::new();
    let count = Arc::default();
    radio.scope(|scope| {
        let counted = Counted::new(&count);
        let counts = &count;
        let submits = OnDrop(move || {
            let counted = Counted::new(counts);
            scope.submit(move |_| drop(counted)).unwrap().detach();
        });
        let task = move |_: &mut Vec<u32>| drop((counted, submits));
        scope.submit(task).unwrap().detach();
    });
    assert_eq!(drops(&count), 2);
    assert_eq!(
        (radio.stats().cancelled, radio.stats().slots_in_use),
        (2, 0)
    );
}

#[test]
fn a_destructor_that_panics_in_a_cancelled_task_leaves_no_scope_behind() {
    let radio: Owned<Vec<u32>, 2, 128> = Owned::new();
    let count = Arc::default();
    let local = 7;
    radio.scope(|scope| {
        let counted = Counted::new(&count);
        let panics = OnDrop(|| assert!(local != 7, "of a destructor"));
        let task = move |_: &mut Vec<u32>| drop((counted, panics));
        scope.submit(task).unwrap().detach();
    });
    assert_eq!((drops(&count), radio.stats().slots_in_use), (1, 0));
}

#[test]
fn a_thread_of_an_owner_that_panics_leaves_no_scope_behind() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (radio, count) = (leak(), Arc::default());
        let mut worker = radio.worker().unwrap();
        let counts = Arc::clone(&count);
        simulation
            .spawn("caller", move || _ = scope_once(radio, &counts))
            .unwrap();
        let owner = move || {
            let unwinds = core::panic::AssertUnwindSafe(move || {
                let _ = worker.run_one(&mut vec![]);
                std::panic::resume_unwind(Box::new("of the loop")); // the worker is dropped
            });
            assert!(std::panic::catch_unwind(unwinds).is_err());
        };
        simulation.spawn("owner", owner).unwrap();
        simulation.settle();
        assert_eq!((simulation.running_threads(), drops(&count)), (0, 1));
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

#[test]
fn a_maker_that_fails_breaks_the_tasks_of_a_scope() {
    let (radio, count) = (Owned::<Vec<u32>, 2>::new(), Arc::default());
    let failed = || Err(slotted::error::WorkerStartError);
    let ended = radio.scope(|scope| {
        let counted = Counted::new(&count);
        let handle = scope.submit(move |_| drop(counted)).unwrap();
        radio
            .run(&slotted::StdThreads::new(), failed, |_| ())
            .unwrap();
        handle.result()
    });
    assert_eq!((ended, drops(&count)), (Err(TaskError::Broken), 1));
    assert_eq!(radio.stats().slots_in_use, 0);
}

#[test]
fn a_maker_has_a_scope_of_its_own_owner_and_is_told() {
    let radio: &'static Owned<u32, 2, 128> = Box::leak(Box::new(Owned::new()));
    let (give, told) = std::sync::mpsc::channel();
    let make = move || {
        let local = 7;
        let inner = radio.scope(|scope| scope.submit(|own| *own + local).unwrap().result());
        give.send(inner).unwrap();
        Ok(1)
    };
    let told = radio.run(&slotted::StdThreads::new(), make, |_| told.recv().unwrap());
    assert_eq!(told.unwrap(), Err(TaskError::WouldDeadlock));
    assert_eq!(
        (radio.stats().completed, radio.stats().slots_in_use),
        (0, 0)
    );
}

#[test]
fn a_task_that_lends_on_to_another_owner_has_a_scope_there() {
    let (outer, inner): (Owned<u32, 2, 128>, Owned<u32, 2>) = (Owned::new(), Owned::new());
    let inner: &'static Owned<u32, 2> = Box::leak(Box::new(inner));
    let mut worker: OwnedWorker<'static, u32> = inner.worker().unwrap();
    let handle = outer.submit(move |number| {
        let by = 1;
        inner.scope(|scope| {
            let changed = scope.submit(|number| *number += by).unwrap();
            assert_eq!(worker.run_one(number), Ran::Task); // lends on what was lent
            changed.result()
        })?;
        Ok::<_, TaskError>(*number)
    });
    assert_eq!(outer.worker().unwrap().run_one(&mut 6), Ran::Task);
    assert_eq!(handle.unwrap().result(), Ok(Ok(7)));
}

#[test]
fn two_owners_whose_tasks_have_scopes_of_each_other_do_not_run_in_place() {
    Simulation::check_seeds(seeds(50), |simulation| {
        let (one, other) = (leak(), leak());
        for radio in [one, other] {
            let worker = radio.worker().unwrap();
            simulation
                .spawn("owner", move || drop(worker.run(vec![])))
                .unwrap();
        }
        let sent = Arc::new(Mutex::new(vec![]));
        let note = Arc::clone(&sent);
        let outer = one.submit(move |own| {
            own.push(1);
            let local = own.len() as u32;
            let inner =
                other.scope(|scope| scope.submit(|own| own.push(local + 1)).unwrap().result());
            note.lock().unwrap().push(inner);
        });
        outer.unwrap().result().unwrap();
        assert_eq!(*sent.lock().unwrap(), [Ok(())]);
        for radio in [one, other] {
            radio.shutdown(Shutdown::Drain).unwrap();
        }
    });
}

#[test]
fn callers_of_many_scopes_share_an_owner() {
    let rounds = if cfg!(miri) { 3 } else { 300 };
    let (owned, total) = (Owned::<u32, 2>::new(), AtomicUsize::new(0));
    let done = owned.run(
        &slotted::StdThreads::new(),
        || Ok(0),
        |owned| {
            std::thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        for _ in 0..rounds {
                            let mut taken = false;
                            while !taken {
                                owned.scope(|scope| {
                                    let task = scope.submit(|own| {
                                        *own += 1;
                                        taken = true;
                                    });
                                    drop(task.map(JoinHandle::detach));
                                });
                            }
                            total.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            owned.submit(|own| *own).unwrap().result()
        },
    );
    assert_eq!(done.unwrap(), Ok(3 * rounds));
    assert_eq!(total.load(Ordering::Relaxed) as u32, 3 * rounds);
}
