//! Threads that run tasks while they wait, beside a loop that the host tells of work.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use std::thread::{self, Thread};

use slotted::{Executor, Levels, Park, StdHost};

/// Counts what it is told of the lowest level. Calls `WHEN_URGENT` once, before a thread is woken.
struct Told;

static PARKS: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicBool = AtomicBool::new(false);
static TOLD: AtomicUsize = AtomicUsize::new(0);
static WHEN_URGENT: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);
/// The tests have one host, so one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

impl Park for Told {
    type Thread = Thread;
    type Order = Levels<2>;

    fn current() -> Thread {
        StdHost::current()
    }

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        PARKS.fetch_add(1, SeqCst);
        StdHost::park();
        while HELD.load(SeqCst) {
            thread::yield_now();
        }
    }

    fn unpark(thread: &Thread) {
        StdHost::unpark(thread);
    }

    fn ready_at(level: usize) {
        if level == 0 {
            TOLD.fetch_add(1, SeqCst);
            return;
        }
        let act = WHEN_URGENT.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

/// A submitter is about to wake the driver, which meanwhile runs the task by itself, sleeps for
/// something else, and leaves once it is woken.
#[test]
fn a_host_is_told_of_a_task_after_a_driver_was_woken_late_and_left() {
    static POOL: Executor<0, 4, 64, Told> = Executor::new();
    static RAN_AFTER: AtomicUsize = AtomicUsize::new(usize::MAX);
    let _alone = ALONE.lock().unwrap();
    let parks = PARKS.load(SeqCst);
    let (first, first_over) = POOL.promise::<()>().unwrap();
    let (second, second_over) = POOL.promise::<()>().unwrap();
    let driver = thread::spawn(|| {
        assert_eq!(first_over.result(), Ok(()));
        assert_eq!(second_over.result(), Ok(()));
    });
    until(|| PARKS.load(SeqCst) > parks);
    *WHEN_URGENT.lock().unwrap() = Some(Box::new(|| {
        first.complete(Ok(())).unwrap();
        until(|| PARKS.load(SeqCst) > RAN_AFTER.load(SeqCst));
        HELD.store(true, SeqCst);
    }));
    let urgent = POOL
        .level::<1>()
        .submit(|| RAN_AFTER.store(PARKS.load(SeqCst), SeqCst));
    second.complete(Ok(())).unwrap();
    HELD.store(false, SeqCst);
    driver.join().unwrap();
    assert_eq!(urgent.unwrap().result(), Ok(()));
    TOLD.store(0, SeqCst);
    let task = POOL.submit(|| 7).unwrap();
    assert_eq!(
        TOLD.load(SeqCst),
        1,
        "no thread is left that could be woken instead"
    );
    assert!(POOL.run_one());
    assert_eq!(task.result(), Ok(7));
}

/// A driver was woken for a task, and leaves because its wait is over. Meanwhile an urgent task
/// came. The host is told of both: it may run each level in a loop of its own.
#[test]
fn a_driver_that_leaves_tells_the_host_of_each_level_that_has_a_task() {
    static POOL: Executor<0, 4, 64, Told> = Executor::new();
    let _alone = ALONE.lock().unwrap();
    let parks = PARKS.load(SeqCst);
    let (promise, over) = POOL.promise::<()>().unwrap();
    let driver = thread::spawn(|| assert_eq!(over.result(), Ok(())));
    until(|| PARKS.load(SeqCst) > parks);
    HELD.store(true, SeqCst);
    TOLD.store(0, SeqCst);
    let task = POOL.submit(|| 7).unwrap();
    let urgent = POOL.level::<1>().submit(|| 8).unwrap();
    assert_eq!(TOLD.load(SeqCst), 0, "the driver is woken for it");
    promise.complete(Ok(())).unwrap();
    HELD.store(false, SeqCst);
    driver.join().unwrap();
    assert_eq!(TOLD.load(SeqCst), 1);
    assert!(POOL.run_one() && POOL.run_one());
    assert_eq!((task.result(), urgent.result()), (Ok(7), Ok(8)));
}
