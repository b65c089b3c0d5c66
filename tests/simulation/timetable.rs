//! Timetables in virtual time: each date to the tick, whichever worker keeps the time.

use core::future::Future;
use core::ops::ControlFlow;
use core::task::{Context, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use slotted::{
    Clock, Every, Executor, Park, Ran, Release, ReturnWhen, Shutdown, SimHost, Simulation, Sleep,
    Spawn, TimedSubmitter, Timetable, Worker, wait,
};

use crate::{millis, now_millis};

/// A pool and a timetable of the test's own, for ever.
fn timed<const WORKERS: usize>() -> (
    &'static Executor<WORKERS, 8, 256, SimHost>,
    &'static Timetable<8, SimHost>,
) {
    (
        Box::leak(Box::default()),
        Box::leak(Box::new(Timetable::new())),
    )
}

#[test]
fn workers_keep_the_time_to_the_tick_under_every_seed() {
    Simulation::check_seeds(0..100, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let later = |delay: u64| {
            let seen = seen.clone();
            let note = move || seen.lock().unwrap().push(now_millis());
            times.on(pool).submit_after(millis(delay), note).unwrap()
        };
        let handles = [30, 10, 20, 1000].map(later);
        simulation.run_until(25_000_000);
        assert_eq!(*seen.lock().unwrap(), [10, 20]);
        assert!(handles[3].cancel());
        simulation.run_until(100_000_000);
        assert_eq!(*seen.lock().unwrap(), [10, 20, 30]);
        pool.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(now_millis(), 100);
    });
}

/// The time of a thread that waits goes to the date, and stops there.
#[test]
fn a_series_of_six_minutes_does_not_drift() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<0>();
    let mut runs = 0_u64;
    let step = move |run: Release| {
        let now = SimHost::now();
        assert_eq!(now % 10_000_000, 0, "{now} ns");
        assert_eq!(run.missed, 0);
        runs += 1;
        if runs < 36_000 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(now)
        }
    };
    let series = times
        .on(pool)
        .submit_every(Every::new(millis(10)), step)
        .unwrap();
    let end = series.result().unwrap();
    assert_eq!((SimHost::now(), end), (360_000_000_000, 360_000_000_000));
    drop(simulation);
}

/// The time goes to the date of the budget, whichever of the workers runs the task. One that is
/// queued meanwhile is cancelled at its date, and one in the middle of a poll soon after.
#[test]
fn budgets_are_spent_to_the_tick_under_every_seed() {
    Simulation::check_seeds(0..100, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let runs = pool.submit_stoppable(|stop| {
            while !stop.requested() {
                SimHost::spend(millis(1));
            }
            now_millis()
        });
        let runs = runs.unwrap();
        let rests = pool.submit_future(core::future::pending::<()>()).unwrap();
        let brief = pool.submit(|| 7).unwrap();
        times.cancel_after(&runs, millis(20)).unwrap();
        times.cancel_after(&rests, millis(10)).unwrap();
        times.cancel_after(&brief, millis(3_600_000)).unwrap();
        assert_eq!(rests.result().err(), Some(slotted::TaskError::Cancelled));
        assert!((10..=11).contains(&now_millis()), "{}", now_millis());
        assert_eq!(brief.result(), Ok(7));
        let asked_at = runs.result().unwrap();
        assert!((20..=21).contains(&asked_at), "{asked_at}");
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// The workers sleep past the date when it is set.
#[test]
fn a_worker_that_sleeps_hears_of_a_budget() {
    Simulation::check_seeds(0..20, |simulation| {
        let (pool, times) = timed::<2>();
        pool.start(simulation).unwrap();
        let late = times
            .on(pool)
            .submit_after(millis(3_600_000), || ())
            .unwrap();
        simulation.settle();
        times.cancel_after(&late, millis(10)).unwrap();
        assert_eq!(late.result().err(), Some(slotted::TaskError::Cancelled));
        assert_eq!(now_millis(), 10);
        pool.shutdown(Shutdown::Drain).unwrap();
    });
}

/// A waker that calls a function.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// Has `act` called at the date of a sleep, by the thread that keeps the time.
fn call_when_it_is_over(sleep: Sleep<SimHost>, act: impl Fn() + Send + Sync + 'static) {
    let mut sleep = Box::pin(sleep);
    let waker = Waker::from(Arc::new(Calls(act)));
    let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    // It holds its timer.
    core::mem::forget(sleep);
}

/// Has `act` called by a worker that is about to park, 14 ms from now. A worker looks at the time
/// twice before that. Each time it comes upon a waker that takes so long that more is due.
fn call_before_the_worker_parks(
    later: TimedSubmitter<256, SimHost>,
    act: impl Fn() + Send + Sync + 'static,
) {
    for date in [10, 11] {
        let sleep = later.sleep(millis(date)).unwrap();
        call_when_it_is_over(sleep, || SimHost::spend(millis(2)));
    }
    call_when_it_is_over(later.sleep(millis(13)).unwrap(), act);
}

/// The waker of a sleep waits, in the only worker, for a task that is due later.
#[test]
fn a_waker_that_waits_in_the_thread_that_keeps_the_time_still_keeps_it() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<1>();
    pool.start(&simulation).unwrap();
    let (promise, over) = pool.promise().unwrap();
    let later = times.on(pool).submit_after(millis(20), now_millis);
    let owned = Mutex::new(Some((promise, later.unwrap())));
    call_before_the_worker_parks(times.on(pool), move || {
        let (promise, later) = owned.lock().unwrap().take().unwrap();
        promise.complete(Ok(later.result())).unwrap();
    });
    assert_eq!(over.result(), Ok(Ok(20)));
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// The waker of one timetable sets a date in the other, and uses up the permit of that date.
#[test]
fn a_date_that_a_waker_of_another_timetable_sets_is_kept() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<1>();
    let (_, others) = timed::<1>();
    pool.start(&simulation).unwrap();
    let hour = times
        .on(pool)
        .submit_after(millis(3_600_000), || 0)
        .unwrap();
    let (promise, over) = pool.promise().unwrap();
    let promise = Mutex::new(Some(promise));
    call_before_the_worker_parks(others.on(pool), move || {
        let later = times.on(pool).submit_after(millis(10), now_millis);
        SimHost::park();
        let promise = promise.lock().unwrap().take().unwrap();
        promise.complete(Ok(later.unwrap())).unwrap();
    });
    let later = over.result().unwrap();
    assert_eq!(later.result(), Ok(24));
    assert!(hour.cancel());
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// The shutdown took the place of the thread that drives the executor.
#[test]
fn a_driver_that_an_async_shutdown_displaced_hears_of_an_earlier_date() {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    let simulation = Simulation::new();
    let (pool, times) = timed::<0>();
    let rests = pool.submit_future(core::future::pending::<()>()).unwrap();
    let late = times.cancel_after(&rests, millis(3_600_000));
    assert_eq!(late, Ok(()));
    let (promise, over) = pool.promise().unwrap();
    let drive = move || assert_eq!(over.result(), Ok(7));
    simulation.spawn("driver", drive).unwrap();
    simulation.settle();
    let waker = Waker::from(Arc::new(Nothing));
    let mut context = Context::from_waker(&waker);
    let mut closing = Box::pin(pool.shutdown_async(Shutdown::Drain));
    assert!(closing.as_mut().poll(&mut context).is_pending());
    // The driver was told of the shutdown, and came back.
    simulation.settle();
    assert!(closing.as_mut().poll(&mut context).is_pending());
    times.cancel_after(&rests, millis(10)).unwrap();
    assert!(closing.as_mut().poll(&mut context).is_pending());
    simulation.run_until(20_000_000);
    assert!(rests.cancelled());
    assert!(closing.as_mut().poll(&mut context).is_ready());
    promise.complete(Ok(7)).unwrap();
    simulation.settle();
    assert_eq!(simulation.running_threads(), 0);
}

/// A waker waits on a second executor, in the thread that drives the first. A thread that drives
/// both displaces it twice, and leaves.
#[test]
fn a_driver_that_waits_twice_is_woken_for_both_executors() {
    let simulation = Simulation::new();
    let (outer, times) = timed::<0>();
    let (inner, _) = timed::<0>();
    let promise = || {
        (
            outer.promise::<u8>().unwrap(),
            inner.promise::<u8>().unwrap(),
        )
    };
    let ((of_outer, outer_over), (of_inner, inner_over)) = promise();
    let ((other_outer, one), (other_inner, other)) = promise();
    let inner_over = Mutex::new(Some(inner_over));
    call_when_it_is_over(times.on(outer).sleep(millis(10)).unwrap(), move || {
        let inner_over = inner_over.lock().unwrap().take().unwrap();
        assert_eq!(inner_over.result(), Ok(1));
    });
    let drive = move || assert_eq!(outer_over.result(), Ok(2));
    simulation.spawn("waits twice", drive).unwrap();
    simulation.run_until(12_000_000);
    let both = move || {
        let mut handles = [one, other];
        let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
        assert_eq!(waited.done.len(), 1);
    };
    simulation.spawn("drives both", both).unwrap();
    simulation.run_until(14_000_000);
    other_outer.complete(Ok(0)).unwrap();
    simulation.run_until(16_000_000);
    assert_eq!(
        simulation.running_threads(),
        1,
        "the second thread has left"
    );
    let task = inner
        .submit(move || of_inner.complete(Ok(1)).unwrap())
        .unwrap();
    simulation.run_until(18_000_000);
    assert!(task.done(), "no thread drives the inner executor");
    of_outer.complete(Ok(2)).unwrap();
    simulation.settle();
    assert_eq!(simulation.running_threads(), 0);
    drop(other_inner);
}

/// A thread waits as a worker that it has handed to another thread.
#[test]
fn a_worker_that_was_handed_over_hears_of_an_earlier_date() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<1>();
    let keeps = Keeps::default();
    pool.start(&keeps).unwrap();
    let mut worker = keeps.0.lock().unwrap().take().unwrap();
    let hour = times
        .on(pool)
        .submit_after(millis(3_600_000), || 0)
        .unwrap();
    let (promise, over) = pool.promise::<u8>().unwrap();
    let handed = Arc::new(Mutex::new(None));
    let hand = handed.clone();
    let first = move || {
        pool.submit(|| ()).unwrap().detach();
        assert_eq!(worker.run_one(), Ran::Task);
        *hand.lock().unwrap() = Some(worker);
        assert_eq!(over.result(), Ok(1));
    };
    simulation.spawn("first", first).unwrap();
    simulation.settle();
    let second = move || {
        let worker = handed.lock().unwrap().take().unwrap();
        worker.run();
    };
    simulation.spawn("second", second).unwrap();
    simulation.settle();
    // The first thread goes on with something else.
    promise.complete(Ok(1)).unwrap();
    simulation.settle();
    let early = times.on(pool).submit_after(millis(10), now_millis).unwrap();
    simulation.run_until(20_000_000);
    assert!(early.done(), "the worker sleeps past the date");
    assert!(hour.cancel());
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// A thread waits as a worker that leaves in another thread. The worker that is left sleeps.
#[test]
fn a_worker_that_leaves_elsewhere_keeps_the_time_no_more() {
    let simulation = Simulation::new();
    let (pool, times) = timed::<2>();
    let keeps = Keeps::default();
    pool.start(&keeps).unwrap();
    let mut leaves = keeps.0.lock().unwrap().take().unwrap();
    let stays = keeps.1.lock().unwrap().take().unwrap();
    let (promise, over) = pool.promise::<u8>().unwrap();
    let handed = Arc::new(Mutex::new(None));
    let hand = handed.clone();
    let first = move || {
        pool.submit(|| ()).unwrap().detach();
        assert_eq!(leaves.run_one(), Ran::Task);
        *hand.lock().unwrap() = Some(leaves);
        assert_eq!(over.result(), Ok(1));
    };
    simulation.spawn("first", first).unwrap();
    simulation.settle();
    simulation.spawn("second", move || stays.run()).unwrap();
    simulation.settle();
    let before = times.on(pool).submit_after(millis(10), now_millis).unwrap();
    drop(handed.lock().unwrap().take());
    let after = times.on(pool).submit_after(millis(20), now_millis).unwrap();
    simulation.run_until(30_000_000);
    assert!(
        before.done() && after.done(),
        "the worker sleeps past both dates"
    );
    assert_eq!((before.result(), after.result()), (Ok(10), Ok(20)));
    promise.complete(Ok(1)).unwrap();
    pool.shutdown(Shutdown::Drain).unwrap();
}

/// Keeps the first two workers for threads of the test's.
#[derive(Default)]
struct Keeps(
    Mutex<Option<Worker<'static, SimHost>>>,
    Mutex<Option<Worker<'static, SimHost>>>,
);

impl Spawn<SimHost> for Keeps {
    type Error = ();
    fn spawn(&self, worker: Worker<'static, SimHost>) -> Result<(), ()> {
        let place = if worker.index() == 0 {
            &self.0
        } else {
            &self.1
        };
        *place.lock().unwrap() = Some(worker);
        Ok(())
    }
}
