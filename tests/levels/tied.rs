//! Workers that serve urgent levels only.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use slotted::{Clock, Executor, Levels, Park, Ran, Shutdown, SimHost, Simulation, Spawn, Worker};

use super::{Host, Log, SimLevels, Tied, a_millisecond, leaked};

/// Keeps the workers for the test's own thread.
#[derive(Default)]
struct Kept(Mutex<Vec<Worker<'static, Host>>>);

impl Spawn<Host> for Kept {
    type Error = ();

    fn spawn(&self, worker: Worker<'static, Host>) -> Result<(), ()> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

#[test]
fn a_tied_worker_takes_no_task_below_its_level() {
    static LOG: Log = Log::new();
    static POOL: Executor<2, 8, 64, Host> = Executor::new();
    let kept = Kept::default();
    POOL.start(&kept).unwrap();
    let mut workers = kept.0.into_inner().unwrap().into_iter();
    let mut urgent = workers.next().unwrap().serve::<2>();
    let mut general = workers.next().unwrap();
    POOL.submit(LOG.noting(0)).unwrap().detach();
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    assert_eq!(urgent.run_one(), Ran::Nothing);
    POOL.level::<2>().submit(LOG.noting(2)).unwrap().detach();
    assert_eq!(urgent.run_one(), Ran::Task);
    assert_eq!(urgent.run_one(), Ran::Nothing);
    // Tied anew, by the thread that runs it.
    let mut urgent = urgent.serve::<1>();
    assert_eq!(urgent.run_one(), Ran::Task);
    assert_eq!(general.run_one(), Ran::Task);
    assert_eq!(LOG.take(), [2, 1, 0]);
    POOL.begin_shutdown(Shutdown::Drain);
    assert_eq!(
        (urgent.run_one(), general.run_one()),
        (Ran::Left, Ran::Left)
    );
}

#[test]
fn an_urgent_task_starts_at_once_though_the_general_worker_is_busy() {
    let pool = leaked::<3, 16>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap();
    for _ in 0..4 {
        pool.submit(|| SimHost::spend(Duration::from_secs(1)))
            .unwrap()
            .detach();
    }
    simulation.settle();
    let started = pool.level::<2>().submit(SimHost::now).unwrap();
    assert_eq!(started.result(), Ok(0));
    let medium = pool.level::<1>().submit(SimHost::now).unwrap();
    assert_eq!(medium.result(), Ok(0));
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(
        SimHost::now(),
        4_000_000_000,
        "one after the other, by one worker"
    );
}

#[test]
fn a_task_goes_to_the_idle_worker_that_is_tied_highest() {
    let pool = leaked::<3, 16>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap();
    simulation.settle();
    /// The last digit of the name of the worker's thread.
    fn worker() -> char {
        std::thread::current()
            .name()
            .unwrap()
            .chars()
            .last()
            .unwrap()
    }
    let by = |level: usize| {
        let handle = match level {
            0 => pool.submit(worker),
            1 => pool.level::<1>().submit(worker),
            _ => pool.level::<2>().submit(worker),
        };
        let by = handle.unwrap().result().unwrap();
        simulation.settle();
        by
    };
    assert_eq!(
        [by(2), by(1), by(0), by(2), by(0)],
        ['0', '1', '2', '0', '2']
    );
    // The most urgent worker is busy: the next that serves the level takes it.
    let busy = pool.level::<2>().submit(a_millisecond).unwrap();
    simulation.settle();
    assert_eq!(by(2), '1');
    busy.result().unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_drain_ends_though_tied_workers_are_idle_while_low_tasks_run() {
    for seed in 0..20 {
        static LOG: Log = Log::new();
        let pool = leaked::<3, 16>();
        let simulation = Simulation::new().seed(seed);
        pool.start(&Tied(&simulation)).unwrap();
        simulation.settle();
        for number in 0..5 {
            let task = move || {
                a_millisecond();
                LOG.note(number);
            };
            pool.submit(task).unwrap().detach();
        }
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(LOG.take(), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn a_drain_waits_for_futures_of_urgent_levels() {
    static LOG: Log = Log::new();
    static POOL: Executor<3, 16, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&Tied(&simulation)).unwrap();
    let (promise, value) = POOL.promise::<u32>().unwrap();
    let waits = async move { LOG.note(value.await.unwrap()) };
    POOL.level::<2>().submit_future(waits).unwrap().detach();
    simulation.settle();
    POOL.begin_shutdown(Shutdown::Drain);
    simulation.settle();
    promise.complete(Ok(7)).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(LOG.take(), [7]);
}

#[test]
fn low_tasks_that_no_worker_serves_run_in_the_shutdown() {
    static LOG: Log = Log::new();
    let pool = leaked::<2, 8>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap(); // levels 2 and 1 only
    pool.submit(LOG.noting(0)).unwrap().detach();
    pool.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    simulation.settle();
    assert_eq!(LOG.take(), [1]);
    pool.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(LOG.take(), [0]);
}

#[test]
fn a_restart_may_tie_its_workers_otherwise() {
    static LOG: Log = Log::new();
    let pool = leaked::<3, 8>();
    for tied in [true, false, true] {
        let simulation = Simulation::new();
        match tied {
            true => pool.start(&Tied(&simulation)).unwrap(),
            false => pool.start(&simulation).unwrap(),
        }
        simulation.settle();
        let tasks = [0, 0, 0].map(|_| pool.submit(a_millisecond).unwrap());
        for task in tasks {
            task.result().unwrap();
        }
        let expected = if tied { 3_000_000 } else { 1_000_000 };
        assert_eq!(SimHost::now(), expected, "tied: {tied}");
        pool.shutdown(Shutdown::Drain).unwrap();
        LOG.take();
    }
}

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_worker_that_is_tied_after_its_first_run_is_not_woken_for_low_tasks() {
    static POOL: Executor<1, 8, 64, Host> = Executor::new();
    let kept = Kept::default();
    POOL.start(&kept).unwrap();
    let mut worker = kept.0.into_inner().unwrap().pop().unwrap();
    assert_eq!(worker.run_one(), Ran::Nothing);
    let mut worker = worker.serve::<1>();
    let wakes = Arc::new(Wakes::default());
    {
        let waker = Waker::from(wakes.clone());
        let mut ready = pin!(worker.ready());
        let poll = ready.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(poll, Poll::Pending);
        POOL.submit(|| ()).unwrap().detach();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        POOL.level::<1>().submit(|| ()).unwrap().detach();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    }
    assert_eq!(worker.run_one(), Ran::Task);
    assert_eq!(worker.run_one(), Ran::Nothing);
}

/// The host has a worker in an interrupt, which is never asleep. The push wakes the other worker.
#[test]
fn the_host_is_told_of_an_urgent_task_although_a_parked_worker_was_woken() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    struct Told;
    impl Park for Told {
        type Thread = <SimHost as Park>::Thread;
        type Order = Levels<2>;
        fn current() -> Self::Thread {
            SimHost::current()
        }
        fn current_id() -> usize {
            SimHost::current_id()
        }
        fn park() {
            SimHost::park();
        }
        fn unpark(thread: &Self::Thread) {
            SimHost::unpark(thread);
        }
        fn ready_at(level: usize) {
            TOLD.fetch_add(1 << (4 * level), Ordering::Relaxed);
        }
    }
    struct Threads<'s>(&'s Simulation);
    impl Spawn<Told> for Threads<'_> {
        type Error = std::io::Error;
        fn spawn(&self, worker: Worker<'static, Told>) -> Result<(), Self::Error> {
            self.0.spawn("worker", move || worker.run())
        }
    }
    static POOL: Executor<1, 8, 64, Told> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&Threads(&simulation)).unwrap();
    simulation.settle();
    POOL.submit(|| ()).unwrap().result().unwrap();
    simulation.settle();
    assert_eq!(TOLD.load(Ordering::Relaxed), 0, "a worker was woken");
    POOL.level::<1>().submit(|| ()).unwrap().result().unwrap();
    assert_eq!(TOLD.load(Ordering::Relaxed), 0x10, "and the interrupt");
    POOL.shutdown(Shutdown::Drain).unwrap();
}
