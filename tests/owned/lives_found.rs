//! What a review of lives, hand-overs and foreign code found, or could not break.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use slotted::error::{ShutdownError, WorkerStartError};
use slotted::{
    Executor, JoinHandle, Levels, Ordered, Owned, OwnedWorker, Park, Ran, Refusal, Shutdown,
    SimHost, Simulation, StdHost, StdThreads, Stop, TaskError,
};

fn leak<L, const QUEUE: usize, H: Park>() -> &'static Owned<L, QUEUE, 128, H> {
    Box::leak(Box::new(Owned::new()))
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

type Slot = Arc<Mutex<Option<OwnedWorker<'static, u32>>>>;

/// "It ends the life in which it was called, and waits for no later one."
#[test]
fn a_shutdown_ends_no_later_life_that_a_destructor_begins() {
    let owned: &'static Owned<u32, 4, 128> = leak();
    let place = Slot::default();
    let give = Arc::clone(&place);
    let begins = OnDrop(move || {
        *give.lock().unwrap() = Some(owned.worker().unwrap());
    });
    owned.submit(move |_| drop(begins)).unwrap().detach();
    let ended = owned.shutdown_timeout(Shutdown::Drain, Duration::from_millis(1));
    assert!(place.lock().unwrap().is_some(), "a new life has begun");
    assert_eq!(ended, Ok(()), "the earlier life is over");
    assert!(owned.submit(|_| ()).is_ok(), "the later life goes on");
}

/// The same of an `Executor`, for comparison.
#[test]
fn a_shutdown_of_an_executor_ends_no_later_life() {
    static POOL: Executor<1, 4, 128> = Executor::new();
    let begins = OnDrop(move || POOL.start(&StdThreads::new()).unwrap());
    POOL.submit(move || drop(begins)).unwrap().detach();
    let ended = POOL.shutdown_timeout(Shutdown::Cancel, Duration::from_millis(1));
    assert_eq!(ended, Ok(()), "the earlier life is over");
    assert!(POOL.submit(|| ()).is_ok(), "the later life goes on");
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The same, without foreign code in between: the owner begins its next life itself.
#[test]
fn a_shutdown_ends_no_later_life_that_the_owner_begins() {
    let seeds = if cfg!(miri) { 2 } else { 3000 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let owned: &'static Owned<u32, 4, 128, SimHost> = leak();
        let worker = owned.worker().unwrap();
        let work = move || {
            assert_eq!(worker.run(0), 0);
            let again = owned.worker();
            if again.is_ok() {
                assert!(owned.submit(|_| ()).is_ok(), "the later life goes on");
            }
        };
        simulation.spawn("owner", work).unwrap();
        owned.shutdown(Shutdown::Drain).unwrap();
        simulation.settle();
    });
}

/// The same, awaited.
#[test]
fn an_awaited_shutdown_ends_no_later_life() {
    static ASYNC: Executor<0, 2, 512> = Executor::new();
    let owned: &'static Owned<u32, 4, 128> = leak();
    let place = Slot::default();
    let give = Arc::clone(&place);
    let begins = OnDrop(move || {
        *give.lock().unwrap() = Some(owned.worker().unwrap());
    });
    owned.submit(move |_| drop(begins)).unwrap().detach();
    let closing = ASYNC
        .submit_future(owned.shutdown_async(Shutdown::Drain))
        .unwrap();
    let ended = closing.result_timeout_of();
    assert_eq!(ended, Some(()), "the earlier life is over");
    assert!(owned.submit(|_| ()).is_ok(), "the later life goes on");
}

trait Limited {
    fn result_timeout_of(self) -> Option<()>;
}

impl Limited for JoinHandle<'static, Result<(), ShutdownError>> {
    fn result_timeout_of(mut self) -> Option<()> {
        match self.result_timeout(Duration::from_secs(1)) {
            Ok(Ok(())) => Some(()),
            _ => None,
        }
    }
}

/// A slot whose lent closure was refused serves a later life.
#[test]
fn a_refused_permit_leaves_its_slot_clean() {
    let owned: &'static Owned<u32, 1, 128> = leak();
    for round in 0..3 {
        let mut worker = owned.worker().unwrap();
        let permit = owned.reserve().unwrap();
        owned.begin_shutdown(Shutdown::Drain);
        let refused = permit.submit(move |n| *n + round).unwrap_err();
        assert_eq!(refused.reason(), Refusal::ShutDown);
        assert_eq!(worker.run_one(&mut 0), Ran::Left);
        drop(worker);
        let mut worker = owned.worker().unwrap();
        let mut handle = owned.submit(|n| *n).unwrap();
        assert_eq!(worker.run_one(&mut 5), Ran::Task);
        assert_eq!(handle.try_result(), Some(Ok(5)));
        drop(worker);
        owned.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owned.stats().slots_in_use, 0);
    }
}

/// What the destructor of the `L` may do.
#[test]
fn the_destructor_of_what_is_owned_meets_its_own_executor() {
    struct Nosy(&'static Owned<Nosy, 4, 128>, std::sync::mpsc::Sender<bool>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            let told = self.0.shutdown(Shutdown::Drain) == Err(ShutdownError::WouldDeadlock)
                && self.0.submit(|_| ()).is_err()
                && self.0.reserve_blocking().is_err()
                && self.0.worker().is_err();
            self.1.send(told).unwrap();
            panic!("in the destructor");
        }
    }
    let owned: &'static Owned<Nosy, 4, 128> = leak();
    let (tell, told) = channel();
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        let tell = tell.clone();
        owned
            .start(&StdThreads::new(), move || Ok(Nosy(owned, tell)))
            .unwrap();
        owned.submit(|_| panic!("in the task")).unwrap().detach();
        owned.shutdown(shutdown).unwrap();
        assert!(told.recv().unwrap());
        assert_eq!(owned.stats().slots_in_use, 0);
    }
}

/// The maker shuts down its own executor, or fails after it did.
#[test]
fn a_maker_that_shuts_down_ends_every_task() {
    for fails in [false, true] {
        let owned: &'static Owned<u32, 4, 128> = leak();
        let handle = owned.submit(|n| *n).unwrap();
        let make = move || {
            let told = owned.shutdown(Shutdown::Drain);
            assert_eq!(told, Err(ShutdownError::WouldDeadlock));
            if fails { Err(WorkerStartError) } else { Ok(3) }
        };
        owned.start(&StdThreads::new(), make).unwrap();
        let expected = if fails { Err(TaskError::Broken) } else { Ok(3) };
        assert_eq!(handle.result(), expected);
        owned.shutdown(Shutdown::Drain).unwrap();
        assert!(owned.worker().is_ok());
    }
}

/// With levels: a wait of the owner leaves the queue as it was.
#[test]
fn with_levels_an_owner_is_told_too() {
    type Host = Ordered<StdHost, Levels<2>>;
    let owned: &'static Owned<Vec<u32>, 4, 128, Host> = leak();
    let (give, take) = channel::<JoinHandle<'static, (), Host>>();
    let outer = owned
        .submit(move |_| take.recv().unwrap().result())
        .unwrap();
    owned.submit(|numbers| numbers.push(1)).unwrap().detach();
    give.send(owned.submit(|numbers| numbers.push(2)).unwrap())
        .unwrap();
    let (mut worker, mut numbers) = (owned.worker().unwrap(), vec![]);
    while worker.run_one(&mut numbers) == Ran::Task {}
    assert_eq!(outer.result(), Ok(Err(TaskError::WouldDeadlock)));
    assert_eq!(numbers, [1, 2]);
    owned.submit(|numbers| numbers.push(3)).unwrap().detach();
    drop(worker);
    owned.begin_shutdown(Shutdown::Drain);
    assert_eq!(owned.stats().slots_in_use, 0);
}

/// Two threads shut down and each starts again, while a third submits.
#[test]
fn lives_follow_each_other_and_lose_nothing() {
    let seeds = if cfg!(miri) { 1 } else { 1500 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let owned: &'static Owned<u32, 2, 128, SimHost> = leak();
        let drops = Arc::new(AtomicUsize::new(0));
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let work = move || {
                for _ in 0..2 {
                    if let Ok(mut worker) = owned.worker() {
                        let mut number = 0;
                        let _ = worker.run_one(&mut number);
                        owned.begin_shutdown(Shutdown::Drain);
                        let _ = worker.run(number);
                    } else {
                        let _ = owned.shutdown(Shutdown::Cancel);
                    }
                }
            };
            simulation.spawn("owner", work).unwrap();
        }
        let mut accepted = 0;
        for round in 0..6 {
            let (count, ended) = (Arc::clone(&ran), Arc::clone(&drops));
            let counted = OnDrop(move || {
                ended.fetch_add(1, Ordering::Relaxed);
            });
            let task = move |number: &mut u32, _: &Stop| {
                let _keep = &counted;
                *number += 1;
                count.fetch_add(1, Ordering::Relaxed);
            };
            if let Ok(permit) = owned.reserve() {
                if let Ok(mut handle) = permit.submit_stoppable(task) {
                    accepted += 1;
                    match round % 3 {
                        0 => drop(handle),
                        1 => {
                            let canceller = handle.canceller();
                            let _ = canceller.request_stop();
                        }
                        _ => drop(handle.result_timeout(Duration::from_millis(1))),
                    }
                } else {
                    accepted += 1; // dropped by us
                }
            } else {
                accepted += 1; // dropped by us
            }
        }
        simulation.settle();
        owned.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), accepted);
        assert_eq!(owned.stats().slots_in_use, 0);
        assert!(owned.worker().is_ok());
    });
}

/// A worker goes round between threads that wait for its tasks.
#[test]
fn a_worker_goes_round_among_threads_that_wait() {
    let seeds = if cfg!(miri) { 1 } else { 1500 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let owned: &'static Owned<u32, 4, 128, SimHost> = leak();
        let desk: &'static Mutex<Option<OwnedWorker<'static, u32, SimHost>>> =
            Box::leak(Box::new(Mutex::new(Some(owned.worker().unwrap()))));
        let first = owned.submit(|n| *n += 1).unwrap();
        for _ in 0..3 {
            let work = move || {
                let taken = desk.lock().unwrap().take();
                if let Some(mut worker) = taken {
                    let mut number = 0;
                    let _ = worker.run_one(&mut number);
                    *desk.lock().unwrap() = Some(worker);
                }
                // Another thread may have the worker, or none: `run` is yet to come.
                let handle = owned.submit_blocking(|n| *n += 1).unwrap();
                assert_eq!(handle.result(), Ok(()));
            };
            simulation.spawn("thread", work).unwrap();
        }
        let work = move || {
            // Bound: the others give it back.
            loop {
                let taken = desk.lock().unwrap().take();
                if let Some(worker) = taken {
                    let _ = worker.run(0);
                    return;
                }
                SimHost::park_until_soon();
            }
        };
        simulation.spawn("owner", work).unwrap();
        assert_eq!(first.result(), Ok(()));
        simulation.settle();
        owned.shutdown(Shutdown::Drain).unwrap();
        simulation.settle();
        assert_eq!(owned.stats().slots_in_use, 0);
    });
}

trait Soon {
    fn park_until_soon();
}

impl Soon for SimHost {
    fn park_until_soon() {
        use slotted::Clock;
        Self::park_until(Self::now() + 1);
    }
}

/// A group over an owner and a pool: what can end does end, then the wait is told.
#[test]
fn a_mixed_group_inside_the_owner_yields_the_pools_first() {
    static POOL: Executor<1, 4, 128> = Executor::new();
    let owned: &'static Owned<u32, 4, 128> = leak();
    POOL.start(&StdThreads::new()).unwrap();
    let (give, take) = channel::<[JoinHandle<'static, u32>; 2]>();
    let outer = owned
        .submit(move |_| {
            let mut completed = slotted::as_completed(take.recv().unwrap());
            let first = completed.next().map(|handle| handle.result());
            let second = completed.next().map(|handle| handle.result());
            (first, second)
        })
        .unwrap();
    let queued = owned.submit(|n| *n).unwrap();
    give.send([queued, POOL.submit(|| 4).unwrap()]).unwrap();
    let mut worker = owned.worker().unwrap();
    while worker.run_one(&mut 9) == Ran::Task {}
    let told = Some(Err(TaskError::WouldDeadlock));
    assert_eq!(outer.result(), Ok((Some(Ok(4)), told)));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A forgotten worker: the wait has a limit, and a dropped executor drops its tasks.
#[test]
fn a_forgotten_worker_costs_only_its_life() {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let owned: Owned<u32, 4, 128> = Owned::new();
    let mut worker = owned.worker().unwrap();
    let _ = worker.run_one(&mut 0);
    core::mem::forget(worker);
    let noted = OnDrop(move || flag.store(true, Ordering::Relaxed));
    core::mem::forget(owned.submit(move |_| drop(noted)).unwrap());
    core::mem::forget(owned.reserve().unwrap());
    assert!(owned.worker().is_err());
    drop(owned);
    assert!(dropped.load(Ordering::Relaxed));
}

/// Lives follow each other on real threads: every wait ends, and no slot is lost.
#[test]
fn on_real_threads_every_wait_ends() {
    let rounds = if cfg!(miri) { 2 } else { 1500 };
    let owned: &'static Owned<u32, 3, 128> = leak();
    let ended: &'static AtomicUsize = Box::leak(Box::default());
    for round in 0..rounds {
        owned.start(&StdThreads::new(), || Ok(0)).unwrap();
        std::thread::scope(|scope| {
            for submitter in 0..3 {
                scope.spawn(move || {
                    for number in 0..8 {
                        let task = move |own: &mut u32, stop: &Stop| {
                            *own += 1;
                            // A task of the owner submits, waits and cancels.
                            let nested = owned.submit(|own| *own += 1);
                            if let Ok(nested) = nested {
                                match number % 3 {
                                    0 => assert!(nested.cancel()),
                                    1 => {
                                        let told =
                                            nested.error() == Some(&TaskError::WouldDeadlock);
                                        assert!(told || nested.cancelled());
                                    }
                                    _ => nested.detach(),
                                }
                            }
                            stop.requested()
                        };
                        let Ok(permit) = owned.reserve_blocking() else {
                            break;
                        };
                        let Ok(handle) = permit.submit_stoppable(task) else {
                            break;
                        };
                        if number == 5 {
                            let _ = handle.canceller().request_stop();
                        }
                        let result = if submitter == 0 {
                            handle.result_inline()
                        } else {
                            handle.result()
                        };
                        assert!(
                            matches!(result, Ok(_) | Err(TaskError::Cancelled)),
                            "{result:?}"
                        );
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for shutdown in [Shutdown::Drain, Shutdown::Stop] {
                scope.spawn(move || {
                    while round % 2 == 0 && owned.stats().completed < round {
                        std::thread::yield_now();
                    }
                    owned.shutdown(shutdown).unwrap();
                });
            }
        });
        assert_eq!(owned.stats().slots_in_use, 0);
    }
}

/// What may cross threads: everything but the `L`.
#[test]
fn all_but_what_is_owned_crosses_threads() {
    type Lone = std::rc::Rc<core::cell::Cell<u32>>;
    fn crosses<T: Send>(_: &T) {}
    fn shared<T: Sync>(_: &T) {}
    let owned: Owned<Lone, 2> = Owned::new();
    let permit = owned.reserve().unwrap();
    let handle = owned.submit(|lone| lone.get()).unwrap();
    let worker = owned.worker().unwrap();
    crosses(&owned);
    shared(&owned);
    crosses(&permit);
    crosses(&handle);
    crosses(&worker);
}
