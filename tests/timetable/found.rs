//! What a review found in the first version, one test for each.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::Ordering::SeqCst;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread::{self, Thread};

use slotted::{
    Clock, Executor, Park, ReturnWhen, Shutdown, Sleep, StdHost, StdThreads, Step, Timetable, wait,
};

const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any machine takes: a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Runs `test` in a thread of its own. Panics if it does not end.
fn must_end<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(test()));
    told.recv_timeout(PATIENCE).expect("it ends")
}

/// What hosts on std threads have in common.
macro_rules! std_threads {
    () => {
        type Thread = Thread;
        type Order = slotted::Fifo;
        fn current_id() -> usize {
            StdHost::current_id()
        }
        fn park() {
            thread::park();
        }
    };
}

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static COMPARE: Cell<Option<u64>> = const { Cell::new(None) };
    static PENDING: Cell<bool> = const { Cell::new(false) };
}

/// A board whose alarm fires once, and cannot be set for the next two ticks.
struct Board;

impl Park for Board {
    std_threads!();
    fn current() -> Thread {
        thread::current()
    }
    fn unpark(thread: &Thread) {
        thread.unpark();
    }
}

impl Clock for Board {
    const TICKS_PER_SECOND: u64 = 1000;
    fn now() -> u64 {
        NOW.get()
    }
    fn park_until(_: u64) {}
    fn set_alarm(date: Option<u64>) {
        let at_once = date.is_some_and(|date| date <= NOW.get() + 2);
        COMPARE.set(date.filter(|_| !at_once));
        PENDING.set(PENDING.get() || at_once);
    }
}

/// The interrupt comes when it is pending, and at the tick of the compare register.
fn let_time_pass(ticks: u64, interrupt: impl Fn()) {
    for _ in 0..ticks {
        if PENDING.take() {
            interrupt();
        }
        NOW.set(NOW.get() + 1);
        if COMPARE.get() == Some(NOW.get()) {
            COMPARE.set(None);
            PENDING.set(true);
        }
    }
}

#[test]
fn a_date_that_is_too_near_for_the_alarm_is_not_lost() {
    let pool: &'static Executor<0, 4, 256, Board> = leak(Executor::new());
    let times: &'static Timetable<4, Board> = leak(Timetable::new());
    let handle = times.on(pool).submit_at(2, || 7).unwrap();
    let_time_pass(9, || {
        times.advance();
    });
    assert_eq!(pool.run_until_idle(), 1);
    assert_eq!(handle.result(), Ok(7));
}

#[test]
fn an_alarm_that_moves_one_of_several_equal_dates_fires_again() {
    let pool: &'static Executor<0, 4, 256, Board> = leak(Executor::new());
    let times: &'static Timetable<4, Board> = leak(Timetable::new());
    let handles = [5; 3].map(|date| times.on(pool).submit_at(date, || 7).unwrap());
    let_time_pass(20, || {
        times.advance_at_most(1);
    });
    assert_eq!(pool.run_until_idle(), 3);
    assert_eq!(handles.map(|handle| handle.result().unwrap()), [7; 3]);
}

/// A sleep that an async task polled in a slot, and handed on when it ended.
fn sleep_of_an_earlier_task(
    pool: &'static Executor<0, 1, 256, Board>,
    times: &'static Timetable<2, Board>,
) -> Pin<Box<Sleep<Board>>> {
    let (give, take) = sync_channel(1);
    let task = pool.submit_future(async move {
        let mut sleep = Box::pin(times.on(pool).sleep_until(50).unwrap());
        poll_fn(|context| {
            assert!(sleep.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        give.send(sleep).unwrap();
    });
    assert_eq!(task.unwrap().result(), Ok(()));
    take.recv().unwrap()
}

#[test]
fn a_move_moves_no_sleep_that_has_the_waker_of_the_slot() {
    let pool: &'static Executor<0, 1, 256, Board> = leak(Executor::new());
    let times: &'static Timetable<2, Board> = leak(Timetable::new());
    let sleep = sleep_of_an_earlier_task(pool, times);
    // Its link stays as it is.
    assert!(times.on(pool).submit_at(60, || ()).unwrap().cancel());
    let (promise, handle) = pool.promise::<()>().unwrap();
    assert!(!times.move_to(&handle, 1));
    drop((promise, handle));
    let plain = pool.submit(|| ()).unwrap();
    assert!(!times.move_to(&plain, 1));
    assert!(plain.cancel());
    drop(plain);
    // The number of its timer is the sleep's in the other timetable.
    let other: &'static Timetable<2, Board> = leak(Timetable::new());
    let elsewhere = other.on(pool).submit_at(60, || ()).unwrap();
    assert!(!times.move_to(&elsewhere, 1));
    assert_eq!(times.next_date(), Some(50));
    drop((sleep, elsewhere.cancel()));
}

#[test]
fn a_stale_waker_does_not_make_a_waiting_task_running() {
    let pool: &'static Executor<0, 1, 256, Board> = leak(Executor::new());
    let times: &'static Timetable<2, Board> = leak(Timetable::new());
    let (give, take) = sync_channel::<Waker>(1);
    let task = pool.submit_future(poll_fn(move |context| {
        give.send(context.waker().clone()).unwrap();
        Poll::Ready(())
    }));
    assert_eq!(task.unwrap().result(), Ok(()));
    let timed = times.on(pool).submit_at(60, || 7).unwrap();
    take.recv().unwrap().wake();
    assert_eq!(pool.run_until_idle(), 1);
    assert!(!timed.running());
    assert!(timed.cancel());
}

#[test]
fn a_worker_that_waits_over_several_executors_keeps_the_time_of_those_it_drives() {
    must_end(|| {
        let own: &'static Executor<1, 8, 256> = leak(Executor::new());
        let driven: &'static Executor<0, 8, 256> = leak(Executor::new());
        let [own_times, driven_times] = [(); 2].map(|()| leak(Timetable::<4>::new()));
        own.start(&StdThreads::new()).unwrap();
        let nested = own.submit(move || {
            let mut handles = [
                own_times.on(own).submit_after(HOUR, || 1).unwrap(),
                driven_times.on(driven).submit_after(MOMENT, || 2).unwrap(),
            ];
            let done = wait(&mut handles, ReturnWhen::FirstCompleted).done.len();
            (
                done,
                handles.iter().filter(|handle| handle.cancel()).count(),
            )
        });
        assert_eq!(nested.unwrap().result(), Ok((1, 1)));
        own.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_drain_runs_what_is_due_though_every_worker_was_busy() {
    let pool: &'static Executor<1, 8, 256> = leak(Executor::new());
    let times: &'static Timetable<4> = leak(Timetable::new());
    pool.start(&StdThreads::new()).unwrap();
    let (go, gone) = channel::<()>();
    let busy = pool.submit(move || gone.recv().is_ok()).unwrap();
    let date = StdHost::now() + 1000;
    let due = times.on(pool).submit_at(date, || 7).unwrap();
    while !busy.running() || StdHost::now() < date {
        thread::yield_now();
    }
    pool.begin_shutdown(Shutdown::Drain);
    go.send(()).unwrap();
    assert_eq!((busy.result(), due.result()), (Ok(true), Ok(7)));
}

/// A thread that drains an executor whose workers were never started.
#[test]
fn a_thread_that_drains_hears_of_an_earlier_date() {
    must_end(|| {
        for _ in 0..50 {
            let pool: &'static Executor<1, 8, 256> = leak(Executor::new());
            let times: &'static Timetable<4> = leak(Timetable::new());
            let (wakes, woken) = sync_channel::<()>(1);
            let sleeps = pool.submit_future(async move {
                times.on(pool).sleep(HOUR).unwrap().await;
            });
            let drains = thread::spawn(|| pool.shutdown(Shutdown::Drain));
            while pool.reserve().is_ok() {
                thread::yield_now();
            }
            struct Tells(std::sync::mpsc::SyncSender<()>);
            impl Wake for Tells {
                fn wake(self: Arc<Self>) {
                    let _ = self.0.try_send(());
                }
            }
            let mut nap = pin!(times.on(pool).sleep(MOMENT).unwrap());
            let waker = Waker::from(Arc::new(Tells(wakes)));
            let mut context = Context::from_waker(&waker);
            while nap.as_mut().poll(&mut context).is_pending() {
                woken.recv().unwrap();
            }
            assert!(sleeps.unwrap().cancel());
            drains.join().unwrap().unwrap();
        }
    });
}

static BREAKS: AtomicBool = AtomicBool::new(true);

/// A host whose first sleep until a date breaks off.
struct Fragile;

impl Park for Fragile {
    std_threads!();
    const KEEPS_TIME: bool = true;
    fn current() -> Thread {
        thread::current()
    }
    fn unpark(thread: &Thread) {
        thread.unpark();
    }
}

impl Clock for Fragile {
    const TICKS_PER_SECOND: u64 = StdHost::TICKS_PER_SECOND;
    fn now() -> u64 {
        StdHost::now()
    }
    fn park_until(date: u64) {
        assert!(!BREAKS.swap(false, SeqCst), "the host breaks");
        StdHost::park_until(date);
    }
}

#[test]
fn a_keeper_that_breaks_off_leaves_the_time_to_another_worker() {
    must_end(|| {
        let pool: &'static Executor<2, 8, 256, Fragile> = leak(Executor::new());
        let times: &'static Timetable<4, Fragile> = leak(Timetable::new());
        pool.start(&StdThreads::new()).unwrap();
        let hour = times.on(pool).submit_after(HOUR, || 0).unwrap();
        while BREAKS.load(SeqCst) {
            thread::yield_now();
        }
        for _ in 0..5 {
            let timed = times.on(pool).submit_after(MOMENT, || 7).unwrap();
            assert_eq!(timed.result(), Ok(7));
        }
        pool.shutdown(Shutdown::Drain).unwrap();
        assert!(hour.cancelled());
    });
}

static UNPARKS: AtomicUsize = AtomicUsize::new(0);
static IDLE: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Counts unparks, and which workers are idle.
struct Counts;

impl Park for Counts {
    std_threads!();
    const KEEPS_TIME: bool = true;
    fn current() -> Thread {
        thread::current()
    }
    fn unpark(thread: &Thread) {
        UNPARKS.fetch_add(1, SeqCst);
        thread.unpark();
    }
    fn note(step: impl FnOnce() -> Step) {
        match step() {
            Step::Idle { .. } => IDLE.fetch_add(1, SeqCst),
            Step::Busy { .. } => BUSY.fetch_add(1, SeqCst),
            _ => 0,
        };
    }
}

#[test]
fn without_a_timetable_one_task_wakes_one_worker() {
    let pool: &'static Executor<2, 8, 256, Counts> = leak(Executor::new());
    let all_idle = || IDLE.load(SeqCst) == BUSY.load(SeqCst) + 2;
    pool.start(&StdThreads::new()).unwrap();
    for _ in 0..20 {
        while !all_idle() {
            thread::yield_now();
        }
        let before = UNPARKS.load(SeqCst);
        let handle = pool.submit(|| ()).unwrap();
        while !handle.done() || !all_idle() {
            thread::yield_now();
        }
        assert_eq!(UNPARKS.load(SeqCst) - before, 1);
    }
    pool.shutdown(Shutdown::Drain).unwrap();
}

static TICK: AtomicU64 = AtomicU64::new(0);
static JUMPS: AtomicBool = AtomicBool::new(false);

/// A host whose clock jumps when a thread is about to park.
struct Jumps;

impl Park for Jumps {
    std_threads!();
    const KEEPS_TIME: bool = true;
    fn current() -> Thread {
        thread::current()
    }
    fn unpark(thread: &Thread) {
        thread.unpark();
    }
    fn yield_now(_: u32) -> bool {
        if JUMPS.swap(false, SeqCst) {
            TICK.store(10, SeqCst);
        }
        false
    }
}

impl Clock for Jumps {
    const TICKS_PER_SECOND: u64 = 1000;
    fn now() -> u64 {
        TICK.load(SeqCst)
    }
    fn park_until(_: u64) {
        thread::park();
    }
}

/// A waker that uses up the permit of the thread that calls it, as a wait in it would.
struct Thief;

impl Wake for Thief {
    fn wake(self: Arc<Self>) {
        thread::park_timeout(Duration::ZERO);
    }
}

/// First a driver, then a worker: one test, since both have the same clock.
#[test]
fn a_waker_that_uses_up_the_permit_of_a_thread_loses_no_wake() {
    fn check<const WORKERS: usize>() {
        TICK.store(0, SeqCst);
        let pool: &'static Executor<WORKERS, 4, 256, Jumps> = leak(Executor::new());
        let times: &'static Timetable<4, Jumps> = leak(Timetable::new());
        let handle = times.on(pool).submit_at(5, || 7).unwrap();
        let mut sleep = pin!(times.on(pool).sleep_until(5).unwrap());
        let waker = Waker::from(Arc::new(Thief));
        let mut context = Context::from_waker(&waker);
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        JUMPS.store(true, SeqCst);
        pool.start(&StdThreads::new()).unwrap();
        while WORKERS > 0 && !handle.done() {
            thread::yield_now(); // it wakes none
        }
        assert_eq!(handle.result(), Ok(7));
        pool.shutdown(Shutdown::Drain).unwrap();
    }
    must_end(|| {
        check::<0>();
        check::<1>();
    });
}

#[test]
fn a_destructor_may_use_the_timetable_again() {
    struct Again(
        &'static Executor<0, 4, 256, Board>,
        &'static Timetable<1, Board>,
        Arc<Mutex<bool>>,
    );
    impl Drop for Again {
        fn drop(&mut self) {
            let again = self.1.on(self.0).submit_at(7, || 1).unwrap();
            *self.2.lock().unwrap() = again.cancel();
            self.1.advance();
        }
    }
    let pool: &'static Executor<0, 4, 256, Board> = leak(Executor::new());
    let times: &'static Timetable<1, Board> = leak(Timetable::new());
    let cancelled = Arc::default();
    let again = Again(pool, times, Arc::clone(&cancelled));
    let handle = times.on(pool).submit_at(50, move || drop(again)).unwrap();
    assert!(handle.cancel());
    assert!(*cancelled.lock().unwrap());
    assert_eq!(times.next_date(), None);
}
