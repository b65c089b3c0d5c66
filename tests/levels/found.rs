//! What a review found: hangs, hints that were not given, figures.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Mutex;

use slotted::{
    Clock, Executor, Levels, Ordered, Park, Ran, Shutdown, SimHost, Simulation, Spawn, StdHost,
    Worker,
};

use super::{Host, Log, SimLevels, Tied, a_millisecond};

/// The urgent future ends while low closures wait. A tied worker sleeps for it, and is not told.
#[test]
fn a_drain_ends_though_the_last_future_ends_before_low_closures_start() {
    static POOL: Executor<3, 16, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&Tied(&simulation)).unwrap();
    let (promise, value) = POOL.promise::<u32>().unwrap();
    let waits = async move { value.await.unwrap() };
    POOL.level::<2>().submit_future(waits).unwrap().detach();
    for _ in 0..5 {
        POOL.submit(a_millisecond).unwrap().detach();
    }
    let completes = move || {
        SimHost::spend(Duration::from_micros(500));
        promise.complete(Ok(7)).unwrap();
    };
    simulation.spawn("completer", completes).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// As above, and the future is cancelled.
#[test]
fn a_drain_ends_though_the_last_future_is_cancelled_before_low_closures_start() {
    static POOL: Executor<3, 16, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&Tied(&simulation)).unwrap();
    let rests = core::future::pending::<()>();
    let future = POOL.submit_future(rests).unwrap();
    for _ in 0..5 {
        POOL.submit(a_millisecond).unwrap().detach();
    }
    let cancels = move || {
        SimHost::spend(Duration::from_micros(500));
        assert!(future.cancel());
    };
    simulation.spawn("canceller", cancels).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The tied workers stay for the future, which none of them polls.
#[test]
fn low_futures_that_no_worker_serves_run_in_the_shutdown() {
    static POOL: Executor<2, 8, 128, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&Tied(&simulation)).unwrap(); // levels 2 and 1 only
    let low = POOL.submit_future(async { 7 }).unwrap();
    simulation.settle();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(low.result(), Ok(7));
}

/// A host whose general worker lives in a loop that sleeps until `ready`, and that counts hints.
struct Loops;

static HINTS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
static FINISHES: AtomicUsize = AtomicUsize::new(0);

impl Park for Loops {
    type Thread = std::thread::Thread;
    type Order = Levels<2>;
    fn current() -> Self::Thread {
        StdHost::current()
    }
    fn current_id() -> usize {
        StdHost::current_id()
    }
    fn park() {
        StdHost::park();
    }
    fn unpark(thread: &Self::Thread) {
        StdHost::unpark(thread);
    }
    fn ready() {
        FINISHES.fetch_add(1, Ordering::Relaxed);
    }
    fn ready_at(level: usize) {
        HINTS[level].fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps the workers for the test's own thread.
struct Kept<H: Park>(Mutex<Vec<Worker<'static, H>>>);

impl<H: Park> Spawn<H> for Kept<H> {
    type Error = ();

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), ()> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}

/// An urgent task waits for the worker that was woken for it. The low one wakes another tied
/// worker, so the loop of the general worker is not told: it sleeps beside a task.
#[test]
fn the_host_is_told_of_a_low_task_while_an_urgent_one_waits_for_its_worker() {
    static POOL: Executor<3, 8, 128, Loops> = Executor::new();
    let kept = Kept(Mutex::default());
    POOL.start(&kept).unwrap();
    let mut workers = kept.0.into_inner().unwrap().into_iter();
    let mut first = workers.next().unwrap().serve::<1>();
    let mut second = workers.next().unwrap().serve::<1>();
    let general = workers.next().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let (mut first, mut second) = (pin!(first.ready()), pin!(second.ready()));
    assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
    let hints = || HINTS.each_ref().map(|hints| hints.load(Ordering::Relaxed));
    POOL.level::<1>().submit(|| ()).unwrap().detach(); // wakes the first
    assert_eq!(hints(), [0, 1]);
    POOL.submit_future(async {}).unwrap().detach(); // wakes the second, in vain
    assert_eq!(hints(), [1, 1], "only the general worker takes it");
    drop(general);
}

#[test]
fn tasks_that_a_shutdown_cancels_overtake_none() {
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    let urgent = [(); 3].map(|()| pool.level::<2>().submit(|| ()).unwrap());
    let low = pool.submit(|| ()).unwrap();
    pool.shutdown(Shutdown::Cancel).unwrap();
    assert!(low.cancelled() && urgent.iter().all(|urgent| urgent.cancelled()));
    assert_eq!(pool.level_stats()[0].longest_wait, 0);
}

/// On desktops a task lies in the inbox until the lists are empty: what overtakes it there counts.
#[test]
fn the_longest_wait_counts_what_overtakes_a_task_in_the_inbox() {
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    for _ in 0..5 {
        pool.level::<2>().submit(|| ()).unwrap().detach();
    }
    pool.submit(|| ()).unwrap().detach();
    assert_eq!(pool.run_until_idle(), 6);
    assert_eq!(pool.level_stats()[0].longest_wait, 5);
}

/// It is a figure of the level, which nothing served, whatever became of its first task.
#[test]
fn the_longest_wait_of_a_level_goes_on_when_its_first_task_is_cancelled() {
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    let first = pool.level::<1>().submit(|| ()).unwrap();
    for _ in 0..5 {
        pool.level::<2>().submit(|| ()).unwrap().detach();
        assert!(pool.run_one());
    }
    let second = pool.level::<1>().submit(|| ()).unwrap();
    assert!(first.cancel());
    assert!(pool.run_one() && second.done());
    assert_eq!(pool.level_stats()[1].longest_wait, 5);
}

#[test]
fn the_cost_of_a_level_is_what_the_docs_say() {
    const fn size<const N: usize>() -> usize {
        size_of::<Executor<1, 8, 64, Ordered<StdHost, Levels<N>>>>()
    }
    // On a desktop, rounded up to a cache line.
    let expected = 30 * (12 + size_of::<usize>());
    let line = 128;
    assert!((expected - line..=expected + line).contains(&(size::<31>() - size::<1>())));
}

#[test]
fn a_host_with_one_level_is_told_without_it() {
    struct One;
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    impl Park for One {
        type Thread = ();
        type Order = Levels<1>;
        fn current() {}
        fn current_id() -> usize {
            1
        }
        fn park() {}
        fn unpark((): &()) {}
        fn ready() {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
        fn ready_at(_level: usize) {
            unreachable!("there is one level");
        }
    }
    let pool: Executor<0, 2, 64, One> = Executor::new();
    pool.submit(|| ()).unwrap().detach();
    assert_eq!(TOLD.load(Ordering::Relaxed), 1);
    pool.run_until_idle();
}

/// The promise's slot was that of an urgent task of the worker. It is on no stack.
#[test]
fn a_running_promise_in_a_used_slot_is_on_no_stack() {
    static LOG: Log = Log::new();
    static POOL: Executor<1, 8, 64, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    POOL.start(&simulation).unwrap();
    POOL.level::<2>().submit(|| ()).unwrap().result().unwrap();
    let (promise, _value) = POOL.level::<2>().promise::<()>().unwrap();
    let Ok(_promise) = promise.set_running_or_notify_cancel() else {
        unreachable!()
    };
    POOL.submit(a_millisecond).unwrap().detach();
    simulation.settle();
    let mut awaited = POOL.submit(LOG.noting(0)).unwrap();
    let waits = move || {
        assert!(awaited.result_timeout(Duration::from_millis(1)).is_err());
    };
    let waiting = POOL.submit(waits).unwrap();
    // It stands behind what it waits for, and is to start first.
    assert!(waiting.raise::<1>());
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(
        LOG.take(),
        [1, 0],
        "both are of level 1 by now, in this order"
    );
}

/// Workers 0 and 1 are tied to level 1 and stay with the test, number 2 runs in a thread.
struct TwoKept<'s>(&'s Simulation, Mutex<Vec<Worker<'static, SimLevels>>>);

impl Spawn<SimLevels> for TwoKept<'_> {
    type Error = std::io::Error;

    fn spawn(&self, worker: Worker<'static, SimLevels>) -> Result<(), Self::Error> {
        if worker.index() < 2 {
            self.1.lock().unwrap().push(worker.serve::<1>());
            return Ok(());
        }
        self.0.spawn("general", move || worker.run())
    }
}

/// Two urgent workers are tasks of one async executor, whose thread blocks for a low task. The
/// general worker sleeps: it is left, so the wait is to end.
#[test]
fn a_low_task_wakes_the_general_worker_though_an_urgent_one_waits_for_an_async_worker() {
    static POOL: Executor<3, 8, 64, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    let host = TwoKept(&simulation, Mutex::default());
    POOL.start(&host).unwrap();
    simulation.settle();
    let mut workers = host.1.into_inner().unwrap().into_iter();
    let (mut one, mut other) = (workers.next().unwrap(), workers.next().unwrap());
    {
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(one.ready()), pin!(other.ready()));
        assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
        POOL.level::<1>().submit(|| ()).unwrap().detach(); // wakes the first
        let low = POOL.submit(|| 7).unwrap();
        assert_eq!(low.result(), Ok(7));
    }
    drop((one, other));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_shutdown_tells_the_host_of_each_level() {
    struct Interrupts;
    static PENDED: AtomicUsize = AtomicUsize::new(0);
    impl Park for Interrupts {
        type Thread = ();
        type Order = Levels<2>;
        fn current() {}
        fn current_id() -> usize {
            1
        }
        fn park() {}
        fn unpark((): &()) {}
        fn ready_at(level: usize) {
            PENDED.fetch_or(1 << level, Ordering::Relaxed);
        }
    }
    static POOL: Executor<1, 2, 64, Interrupts> = Executor::new();
    let kept = Kept(Mutex::default());
    POOL.start(&kept).unwrap();
    let mut worker = kept.0.into_inner().unwrap().pop().unwrap().serve::<1>();
    assert_eq!(worker.run_one(), Ran::Nothing);
    POOL.begin_shutdown(Shutdown::Drain);
    assert_ne!(
        PENDED.load(Ordering::Relaxed) & 0b10,
        0,
        "its worker is to leave"
    );
    assert_eq!(worker.run_one(), Ran::Left);
}

/// The low task's push wakes a tied worker for the urgent one, which is cancelled meanwhile.
#[test]
fn a_tied_worker_that_finds_nothing_passes_its_wake_on() {
    let pool = super::leaked::<3, 8>();
    Simulation::check_seeds(0..100, |simulation| {
        pool.start(&Tied(simulation)).unwrap();
        simulation.settle();
        let urgent = pool.level::<2>().submit(|| ()).unwrap();
        let low = pool.submit(|| 7).unwrap();
        urgent.cancel();
        assert_eq!(low.result(), Ok(7));
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// As above, with tied workers that are async tasks.
#[test]
fn a_tied_async_worker_that_finds_nothing_passes_its_wake_on() {
    static POOL: Executor<3, 8, 64, SimLevels> = Executor::new();
    let simulation = Simulation::new();
    let host = TwoKept(&simulation, Mutex::default());
    POOL.start(&host).unwrap();
    simulation.settle();
    let mut workers = host.1.into_inner().unwrap().into_iter();
    let (mut one, mut other) = (workers.next().unwrap(), workers.next().unwrap());
    {
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(one.ready()), pin!(other.ready()));
        assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
        let urgent = POOL.level::<1>().submit(|| ()).unwrap();
        let low = POOL.submit(|| 7).unwrap();
        assert!(urgent.cancel());
        assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(low.result(), Ok(7));
    }
    drop((one, other));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The thread runs two workers by hand. The urgent task is on the stack of the second.
#[test]
fn a_wait_raises_though_its_thread_runs_another_worker_too() {
    static LOG: Log = Log::new();
    static POOL: Executor<2, 8, 64, Host> = Executor::new();
    let kept = Kept(Mutex::default());
    POOL.start(&kept).unwrap();
    let mut workers = kept.0.into_inner().unwrap().into_iter();
    let (mut first, mut second) = (workers.next().unwrap(), workers.next().unwrap());
    assert_eq!(first.run_one(), Ran::Nothing); // this thread runs both
    let mut low = POOL.submit(LOG.noting(0)).unwrap();
    POOL.level::<1>().submit(LOG.noting(1)).unwrap().detach();
    let waits = move || assert!(low.result_timeout(Duration::from_millis(1)).is_err());
    POOL.level::<2>().submit(waits).unwrap().detach();
    for _ in 0..3 {
        assert_eq!(second.run_one(), Ran::Task);
    }
    assert_eq!(
        LOG.take(),
        [0, 1],
        "the low one was raised above the medium one"
    );
    drop(first);
}

#[test]
fn a_raw_worker_keeps_its_level() {
    static POOL: Executor<1, 8, 64, Host> = Executor::new();
    let kept = Kept(Mutex::default());
    POOL.start(&kept).unwrap();
    let worker = kept.0.into_inner().unwrap().pop().unwrap().serve::<1>();
    POOL.submit(|| ()).unwrap().detach();
    // SAFETY: `into_raw` made the pointer of a worker with the same host.
    let mut worker: Worker<'static, Host> = unsafe { Worker::from_raw(worker.into_raw()) };
    assert_eq!(worker.run_one(), Ran::Nothing);
}

#[test]
fn a_map_of_a_level_overtakes_what_is_below_it() {
    static LOG: Log = Log::new();
    let pool: Executor<0, 8, 64, Host> = Executor::new();
    pool.submit(LOG.noting(9)).unwrap().detach();
    let doubled: Vec<u32> = pool
        .level::<1>()
        .map::<2, _, _, _>([1, 2], |number| {
            LOG.note(number);
            2 * number
        })
        .map(Result::unwrap)
        .collect();
    assert_eq!((doubled, LOG.take()), (vec![2, 4], vec![1, 2]));
}

#[test]
fn a_raised_task_wakes_the_worker_of_its_new_level() {
    let pool = super::leaked::<3, 8>();
    let simulation = Simulation::new();
    pool.start(&Tied(&simulation)).unwrap();
    let busy = pool
        .submit(|| SimHost::spend(Duration::from_secs(1)))
        .unwrap();
    simulation.settle();
    let low = pool.submit(SimHost::now).unwrap();
    assert!(low.raise::<2>());
    assert_eq!(low.result(), Ok(0), "the general worker is busy");
    busy.result().unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
}
