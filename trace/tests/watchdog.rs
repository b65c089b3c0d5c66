//! When all is well, and which task is named if it is not.
#![cfg(feature = "std")]

mod stage;

use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::Mutex;
use std::thread;

use slotted::{Executor, Ran, Shutdown, Step, Timetable};
use slotted_trace::{Limits, Watchdog};

use self::stage::{Desktop, Keep, Stage, StageOf, pass, set_now, watch};

type Pool<const WORKERS: usize = 0> = Executor<WORKERS, 4, 128, Stage>;
type Dog = Watchdog<4, Stage>;

const RUNNING: Duration = Duration::from_micros(50);
const QUEUED: Duration = Duration::from_micros(200);
const LIMITS: Limits = Limits {
    running: RUNNING,
    queued: QUEUED,
};

const ANY: Duration = Duration::ZERO;

#[test]
fn a_task_is_overdue_one_tick_after_its_limit() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    set_now(1000);
    assert!(DOG.all_well());
    let task = POOL.submit(|| {
        pass(50);
        assert!(DOG.all_well());
        assert_eq!(DOG.overdue(RUNNING), None);
        pass(1);
        assert!(!DOG.all_well());
        DOG.overdue(RUNNING).unwrap()
    });
    pass(100);
    assert!(DOG.all_well());
    assert!(POOL.run_one());
    assert!(DOG.all_well(), "it has ended");
    let overdue = task.unwrap().result().unwrap();
    assert_eq!((overdue.task.slot, overdue.task.generation), (0, 0));
    assert_eq!((overdue.since, overdue.worker), (1100, None));
}

#[test]
fn a_task_that_no_worker_starts_is_overdue_in_the_queue() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    let first = POOL.submit(|| ()).unwrap();
    pass(200);
    let second = POOL.submit(|| ()).unwrap();
    assert!(DOG.all_well());
    pass(1);
    assert!(!DOG.all_well());
    assert_eq!(DOG.overdue(ANY), None, "none runs");
    let overdue = DOG.overdue_in_queue(QUEUED).unwrap();
    assert_eq!((overdue.task.slot, overdue.since), (0, 0));
    assert!(first.cancel());
    assert!(DOG.all_well(), "a cancelled task waits no more");
    pass(200);
    assert_eq!(DOG.overdue_in_queue(QUEUED).unwrap().task.slot, 1);
    POOL.run_until_idle();
    assert_eq!(DOG.overdue_in_queue(ANY), None);
    drop((first, second));
}

#[test]
fn a_task_that_waits_for_another_runs_all_the_while() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    set_now(10);
    let outer = POOL.submit(|| {
        pass(30);
        let inner = POOL.submit(|| {
            let innermost = POOL.submit(|| {
                pass(20);
                assert!(DOG.all_well());
                assert_eq!(DOG.overdue(ANY).unwrap().since, 10, "the oldest");
                pass(1);
                DOG.overdue(RUNNING).unwrap()
            });
            innermost.unwrap().result().unwrap()
        });
        let seen = inner.unwrap().result().unwrap();
        assert_eq!(
            DOG.overdue(RUNNING),
            Some(seen),
            "the inner ones have ended"
        );
        seen
    });
    let seen = outer.unwrap().result().unwrap();
    assert_eq!((seen.task.slot, seen.since), (0, 10));
    assert!(DOG.all_well() && DOG.overdue(ANY).is_none());
}

#[test]
fn a_worker_is_named_and_so_is_the_kind_of_task() {
    static POOL: Pool<2> = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    static KIND: AtomicUsize = AtomicUsize::new(0);
    watch(&POOL, &|tick, step| {
        DOG.note(tick, step);
        if let Step::Submitted { kind, .. } = step {
            KIND.store(kind, Ordering::Relaxed);
        }
    });
    let mut workers = Keep::start(&POOL);
    let task = POOL.submit(|| {
        pass(51);
        DOG.overdue(RUNNING).unwrap()
    });
    let number = workers[1].index();
    assert_eq!(workers[1].run_one(), Ran::Task);
    let overdue = task.unwrap().result().unwrap();
    assert_eq!(overdue.worker.map(usize::from), Some(number));
    assert_eq!(overdue.kind, KIND.load(Ordering::Relaxed));
    POOL.begin_shutdown(Shutdown::Drain);
    for worker in &mut workers {
        assert_eq!(worker.run_one(), Ran::Left);
    }
}

#[test]
fn what_waits_for_no_worker_has_no_limit() {
    static POOL: Pool = Executor::new();
    static TIMES: Timetable<1, Stage> = Timetable::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    let (promise, handle) = POOL.promise::<u8>().unwrap();
    let dated = TIMES.on(&POOL).submit_at(10_000, || ()).unwrap();
    let mut polled = false;
    let resting = POOL.submit_future(poll_fn(move |context| {
        *WAKER.lock().unwrap() = Some(context.waker().clone());
        if core::mem::replace(&mut polled, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    POOL.run_until_idle();
    pass(10_000);
    assert!(DOG.all_well());
    // From here on they do.
    WAKER.lock().unwrap().take().unwrap().wake();
    pass(201);
    assert_eq!(DOG.overdue_in_queue(QUEUED).unwrap().task.slot, 2);
    POOL.run_until_idle();
    assert!(DOG.all_well());
    TIMES.advance();
    assert!(DOG.all_well());
    pass(201);
    let overdue = DOG.overdue_in_queue(QUEUED).unwrap();
    assert_eq!((overdue.task.slot, overdue.since), (1, 10_201));
    POOL.run_until_idle();
    assert!(DOG.all_well());
    promise.set_result(1).unwrap();
    drop((handle, dated, resting));
}

#[test]
fn a_refused_task_is_gone() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    let permit = POOL.reserve().unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert!(permit.submit(|| ()).is_err());
    pass(1000);
    assert!(DOG.all_well());
}

#[test]
fn other_executors_are_not_watched() {
    static POOL: Pool = Executor::new();
    static OTHER: Executor<0, 8, 128, Stage> = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&OTHER, &|tick, step| DOG.note(tick, step));
    let tasks = [(); 8].map(|()| OTHER.submit(|| ()).unwrap());
    pass(1000);
    assert!(DOG.all_well() && DOG.overdue_in_queue(ANY).is_none());
    OTHER.run_until_idle();
    drop(tasks);
}

#[test]
fn the_clock_may_wrap_in_the_bits_that_are_kept() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    for begin in [
        (1 << 29) - 25,
        (1 << 30) - 25,
        (1 << 32) - 25,
        (1 << 61) - 25,
        (1 << 62) - 25,
    ] {
        set_now(begin);
        let task = POOL.submit(move || {
            pass(50);
            assert!(DOG.all_well());
            pass(1);
            assert!(!DOG.all_well());
            assert_eq!(DOG.overdue(RUNNING).unwrap().since, begin);
        });
        task.unwrap().result().unwrap();
        assert!(DOG.all_well());
    }
}

/// On 32-bit targets, whose words have not enough bits for so many ticks, ages are rounded.
#[test]
fn a_fast_clock_raises_no_alarm_before_the_limit_and_one_soon_after() {
    type Fast = StageOf<25_000_000>;
    static POOL: Executor<0, 4, 128, Fast> = Executor::new();
    static DOG: Watchdog<4, Fast> = Watchdog::new(
        &POOL,
        Limits {
            running: Duration::from_secs(200),
            queued: Duration::from_secs(200),
        },
    );
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    const LIMIT: u64 = 200 * 25_000_000;
    for begin in 0..70 {
        set_now(begin);
        let task = POOL.submit(move || {
            pass(LIMIT);
            assert!(DOG.all_well());
            pass(64);
            assert!(!DOG.all_well());
            let overdue = DOG.overdue(Duration::from_secs(200)).unwrap();
            assert!(overdue.since.abs_diff(begin) < 64);
        });
        task.unwrap().result().unwrap();
    }
}

/// A step of a thread that was preempted may be younger than the look's tick.
#[test]
fn a_start_that_comes_during_the_look_is_young() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    set_now(1000);
    let task = POOL.submit(|| {
        set_now(900);
        assert!(DOG.all_well() && DOG.overdue(ANY).is_none());
    });
    task.unwrap().result().unwrap();
}

#[test]
#[should_panic(expected = "a limit of the watchdog is too long")]
fn a_limit_that_ages_cannot_reach_is_refused() {
    static POOL: Pool = Executor::new();
    let _ = Dog::new(
        &POOL,
        Limits {
            running: Duration::MAX,
            queued: QUEUED,
        },
    );
}

/// Workers, submitters, wakers and cancellers at once, and a thread that looks all the while. No
/// task is ever as old as the limit; in the end no task is left in the table.
#[test]
fn threads_leave_nothing_behind_and_raise_no_false_alarm() {
    static POOL: Executor<3, 8, 128, Desktop> = Executor::new();
    const MINUTES: Duration = Duration::from_secs(200);
    static DOG: Watchdog<8, Desktop> = Watchdog::new(
        &POOL,
        Limits {
            running: MINUTES,
            queued: MINUTES,
        },
    );
    static DONE: AtomicBool = AtomicBool::new(false);
    const ROUNDS: usize = if cfg!(miri) { 4 } else { 2000 };
    watch(&POOL, &|tick, step| DOG.note(tick, step));
    let looks = thread::scope(|threads| {
        let workers = Keep::start(&POOL);
        for worker in workers {
            threads.spawn(|| worker.run());
        }
        let looker = threads.spawn(|| {
            let mut looks = 0;
            while !DONE.load(Ordering::Acquire) {
                assert!(DOG.all_well());
                let oldest = [DOG.overdue(ANY), DOG.overdue_in_queue(ANY)];
                for overdue in oldest.into_iter().flatten() {
                    assert!(overdue.task.slot < 8 && overdue.kind != 0);
                    assert!(overdue.worker.is_none_or(|worker| worker < 3));
                    looks += 1;
                }
                thread::yield_now();
            }
            looks
        });
        let submitters = [0, 1].map(|submitter| {
            threads.spawn(move || {
                for round in 0..ROUNDS {
                    let mut again = round % 3;
                    let future = POOL.submit_future(poll_fn(move |context| {
                        if again == 0 {
                            return Poll::Ready(());
                        }
                        again -= 1;
                        let waker = context.waker().clone();
                        if let Ok(wakes) = POOL.submit(move || waker.wake()) {
                            wakes.detach();
                        } else {
                            context.waker().wake_by_ref();
                        }
                        Poll::Pending
                    }));
                    let closure = POOL.submit(move || round);
                    if (round + submitter) % 5 == 0 {
                        future.as_ref().ok().map(|future| future.cancel());
                    }
                    let _ = closure.map(|closure| closure.result());
                    let _ = future.map(|future| future.result());
                }
            })
        });
        for submitter in submitters {
            submitter.join().unwrap();
        }
        DONE.store(true, Ordering::Release);
        let looks = looker.join().unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        looks
    });
    assert!(cfg!(miri) || looks > 0, "the looker saw tasks");
    assert_eq!((DOG.overdue(ANY), DOG.overdue_in_queue(ANY)), (None, None));
}

/// The debug form says what a person asks first.
#[test]
fn its_debug_form_says_whether_all_is_well() {
    static POOL: Pool = Executor::new();
    static DOG: Dog = Watchdog::new(&POOL, LIMITS);
    let text = format!("{DOG:?}");
    assert!(text.contains("all_well: true"));
}
