//! Wakers whose functions are points, in each place where the crate keeps a waker.

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use slotted::{
    Clock, Executor, Ran, Shutdown, SimHost, Simulation, Spawn, Stats, Submitter, TimedSubmitter,
    Timetable, Worker,
};

use crate::points::{Hit, Points, Value, Within, drop_here, within};
use crate::rig::{BYTES, Home, Place, Rig, SLOTS, TIMERS, Tasks, assert_points, each};
use crate::tasks::Task;

/// A waker that is counted. Its clone, its wake and its destructor are points.
pub(crate) fn alert(points: &Arc<Points>) -> Waker {
    // SAFETY: the functions of `ALERT` take the pointer of a boxed `Value`, which is `Send` and
    // `Sync`, and each waker has a box of its own.
    unsafe { Waker::from_raw(raw(points)) }
}

fn raw(points: &Arc<Points>) -> RawWaker {
    let value = Box::new(points.value("waker"));
    RawWaker::new(Box::into_raw(value).cast_const().cast(), &ALERT)
}

static ALERT: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the box of a waker that is there.
        let value = unsafe { &*data.cast::<Value>() };
        within(Within::Caller, || value.points().pass("waker's clone"));
        raw(value.points())
    },
    |data| {
        // SAFETY: the box of a waker that is there, and that this call ends.
        let value = unsafe { Box::from_raw(data.cast_mut().cast::<Value>()) };
        value.points().pass("waker's wake");
    },
    |data| {
        // SAFETY: the box of a waker that is there.
        let value = unsafe { &*data.cast::<Value>() };
        value.points().pass("waker's wake by reference");
    },
    |data| {
        // SAFETY: the box of a waker that is there, and that this call ends.
        drop(unsafe { Box::from_raw(data.cast_mut().cast::<Value>()) });
    },
);

/// Polls until the future is ready. Between two polls everything runs that can.
pub(crate) fn block_on<H: Clock, F: Future>(rig: &Rig<H>, waker: &Waker, future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..5 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
            return output;
        }
        rig.let_run();
    }
    panic!("the future is never ready")
}

const POINTS: &[Hit] = &[
    ("waker", Within::Caller),
    ("waker", Within::Library),
    ("waker's clone", Within::Caller),
    ("waker's wake", Within::Library),
];

/// A sleep is polled by two wakers, and dropped before its date or after it.
#[test]
fn the_waker_of_a_sleep_may_panic() {
    static HOME: Home<2, SimHost> = Home::new();
    let hits = each(&HOME, "sleeps", Tasks::Own, |rig| {
        let (one, two) = (alert(&rig.points), alert(&rig.points));
        let mut sleep = Box::pin(rig.later.sleep(Duration::from_nanos(10)).unwrap());
        let poll = |sleep: &mut Pin<Box<slotted::Sleep<_>>>, waker| {
            sleep.as_mut().poll(&mut Context::from_waker(waker))
        };
        assert!(poll(&mut sleep, &one).is_pending());
        assert!(poll(&mut sleep, &two).is_pending());
        rig.let_run();
        assert!(poll(&mut sleep, &one).is_ready());
        let mut left = Box::pin(rig.later.sleep(Duration::from_nanos(10)).unwrap());
        assert!(poll(&mut left, &one).is_pending());
        drop(left);
        drop_here((one, two));
    });
    assert_points(&hits, POINTS);
}

/// An asynchronous shutdown is polled while a future holds it up, dropped, and begun again.
fn shut_down_async<H: Clock>(place: &'static dyn Place<H>) {
    let hits = each(place, "shutdown_async", Tasks::Own, |rig| {
        let (promise, held) = rig.submitter.promise::<()>().unwrap();
        let resting = rig.submitter.submit_future(held).unwrap();
        rig.let_run();
        let (one, two) = (alert(&rig.points), alert(&rig.points));
        let mut left = rig.place.shut_down_async();
        assert!(
            left.as_mut()
                .poll(&mut Context::from_waker(&one))
                .is_pending()
        );
        assert!(
            left.as_mut()
                .poll(&mut Context::from_waker(&two))
                .is_pending()
        );
        drop(left);
        let mut shut_down = rig.place.shut_down_async();
        assert!(
            shut_down
                .as_mut()
                .poll(&mut Context::from_waker(&one))
                .is_pending()
        );
        // Another one takes its place, and gives it back.
        let mut second = rig.place.shut_down_async();
        assert!(
            second
                .as_mut()
                .poll(&mut Context::from_waker(&two))
                .is_pending()
        );
        promise.set_result(()).unwrap();
        block_on(rig, &two, second);
        block_on(rig, &one, shut_down);
        assert_eq!(resting.result(), Ok(Ok(())));
        drop_here((one, two));
    });
    assert_points(&hits, POINTS);
}

#[test]
fn the_waker_of_a_shutdown_may_panic() {
    static WITH_WORKERS: Home<2, SimHost> = Home::new();
    static WITHOUT: Home<0, SimHost> = Home::new();
    shut_down_async(&WITH_WORKERS);
    shut_down_async(&WITHOUT);
}

/// A worker that is an async task, run by hand.
struct ByHand {
    executor: Executor<1, SLOTS, BYTES, SimHost>,
    times: Timetable<TIMERS, SimHost>,
    worker: Mutex<Option<Worker<'static, SimHost>>>,
}

impl ByHand {
    /// Runs the worker until it has nothing to do, or has left. It is there again afterwards.
    fn run(&self) {
        let worker = self.worker.lock().unwrap().take();
        let Some(mut worker) = worker else { return };
        while worker.run_one() == Ran::Task {}
        *self.worker.lock().unwrap() = Some(worker);
    }
}

/// Puts the worker there, for [`ByHand::run`].
impl Spawn<SimHost> for ByHand {
    type Error = ();

    fn spawn(&self, worker: Worker<'static, SimHost>) -> Result<(), ()> {
        *self.worker.lock().unwrap() = Some(worker);
        Ok(())
    }
}

impl Place<SimHost> for ByHand {
    fn start(&'static self, _simulation: &Simulation) {
        self.executor.start(self).unwrap();
        // It is this thread's worker: waits run their tasks in place.
        self.run();
    }

    fn shutdown(&self, how: Shutdown) {
        self.executor.begin_shutdown(how);
        self.run();
        self.worker.lock().unwrap().take();
        self.executor.shutdown(how).unwrap();
    }

    fn stats(&self) -> Stats {
        self.executor.stats()
    }

    fn submitter(&'static self) -> Submitter<'static, BYTES, SimHost> {
        self.executor.submitter()
    }

    fn later(&'static self) -> TimedSubmitter<BYTES, SimHost> {
        self.times.on(&self.executor)
    }

    fn next_date(&self) -> Option<u64> {
        self.times.next_date()
    }

    fn go_on(&self, simulation: &Simulation) {
        simulation.advance(Duration::from_nanos(100));
        self.times.advance();
        self.run();
    }

    fn shut_down_async(&'static self) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async { self.executor.shutdown_async(Shutdown::Drain).await.unwrap() })
    }
}

/// The program takes the worker. If its waker panics, the worker leaves, and the life is over.
#[test]
fn the_waker_of_an_async_worker_may_panic() {
    static HOME: ByHand = ByHand {
        executor: Executor::new(),
        times: Timetable::new(),
        worker: Mutex::new(None),
    };
    let hits = each(&HOME, "Worker::ready", Tasks::Own, |rig| {
        let (one, two) = (alert(&rig.points), alert(&rig.points));
        let mut worker = HOME.worker.lock().unwrap().take().unwrap();
        {
            let mut ready = pin!(worker.ready());
            assert!(
                ready
                    .as_mut()
                    .poll(&mut Context::from_waker(&one))
                    .is_pending()
            );
            assert!(
                ready
                    .as_mut()
                    .poll(&mut Context::from_waker(&two))
                    .is_pending()
            );
            let task = Task::new(rig);
            rig.submitter.submit(|| task.run()).ok().unwrap().detach();
            assert!(
                ready
                    .as_mut()
                    .poll(&mut Context::from_waker(&one))
                    .is_ready()
            );
        }
        assert_eq!(worker.run_one(), Ran::Task);
        {
            // Dropped while it waits.
            let mut ready = pin!(worker.ready());
            assert!(
                ready
                    .as_mut()
                    .poll(&mut Context::from_waker(&two))
                    .is_pending()
            );
        }
        assert_eq!(rig.points.alive("waker"), 2, "the worker keeps none");
        assert_eq!(worker.run_one(), Ran::Nothing);
        *HOME.worker.lock().unwrap() = Some(worker);
        drop_here((one, two));
    });
    let mut expected = POINTS.to_vec();
    expected.extend([
        ("capture", Within::Task),
        ("closure", Within::Task),
        ("value", Within::Library),
    ]);
    assert_points(&hits, &expected);
}
