//! `run_link` and `run_worker`, under an executor of the test with a clock of its own.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use slotted_remote::{LineWorker, Link, PortError, Timing, frame_bytes, run_link, run_worker};

use super::pipe::{Pipe, PipeError, Rx, Tx};
use super::{BYTES, RESEND, Square};

type TestLink = Link<4, BYTES>;
type Worker = LineWorker<(Square,), 4, BYTES>;

/// A clock that goes on when nothing else is to do.
#[derive(Default)]
struct Clock {
    now: Cell<u64>,
    sleepers: RefCell<Vec<(u64, Waker)>>,
}

impl Clock {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn sleep_until(&self, at: u64) -> impl Future<Output = ()> {
        poll_fn(move |context| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            let sleeper = (at, context.waker().clone());
            self.sleepers.borrow_mut().push(sleeper);
            Poll::Pending
        })
    }

    /// Goes on to the next tick at which a future is to be woken.
    fn advance(&self) -> bool {
        let Some(at) = self.sleepers.borrow().iter().map(|&(at, _)| at).min() else {
            return false;
        };
        self.now.set(self.now().max(at));
        let due = |(at, waker): &(u64, Waker)| {
            let is_due = *at <= self.now();
            if is_due {
                waker.wake_by_ref();
            }
            !is_due
        };
        self.sleepers.borrow_mut().retain(due);
        true
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task of the executor.
struct Spawned<'t> {
    future: Pin<Box<dyn Future<Output = ()> + 't>>,
    is_woken: Arc<Flag>,
    is_done: bool,
}

/// An executor that polls only the tasks that were woken, in order.
#[derive(Default)]
struct Tasks<'t>(Vec<Spawned<'t>>);

impl<'t> Tasks<'t> {
    fn spawn<T>(&mut self, future: impl Future<Output = T> + 't) -> usize {
        self.0.push(Spawned {
            future: Box::pin(async {
                let _ = future.await;
            }),
            is_woken: Arc::new(Flag(AtomicBool::new(true))),
            is_done: false,
        });
        self.0.len() - 1
    }

    /// Polls tasks until none is woken.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut has_polled = false;
            for task in self.0.iter_mut().filter(|task| !task.is_done) {
                if task.is_woken.0.swap(false, Ordering::Relaxed) {
                    has_polled = true;
                    let waker = Waker::from(task.is_woken.clone());
                    let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
                    task.is_done = polled.is_ready();
                }
            }
            if !has_polled {
                return;
            }
        }
        panic!("the tasks never rest");
    }

    /// Lets time go on until a task is done.
    fn run(&mut self, task: usize, clock: &Clock) {
        for _ in 0..10_000 {
            self.settle();
            if self.0[task].is_done {
                return;
            }
            assert!(clock.advance(), "the task waits for ever");
        }
        panic!("the task is never done");
    }
}

fn open_link() -> TestLink {
    let link = Link::new();
    link.open(1, Timing::resend_after(RESEND));
    link
}

/// Drives the link until its port fails.
async fn drive(
    link: &TestLink,
    clock: &Clock,
    rx: impl embedded_io_async::Read<Error = PipeError>,
    tx: impl embedded_io_async::Write<Error = PipeError>,
) -> PortError<PipeError> {
    let mut frame = [0; frame_bytes(BYTES)];
    let sleep_until = |at| clock.sleep_until(at);
    run_link(link, rx, tx, &mut frame, || clock.now(), sleep_until).await
}

async fn work(
    mut worker: Worker,
    rx: impl embedded_io_async::Read<Error = PipeError>,
    tx: impl embedded_io_async::Write<Error = PipeError>,
) -> PortError<PipeError> {
    let mut frame = [0; frame_bytes(BYTES)];
    run_worker(&mut worker, rx, tx, &mut frame).await
}

async fn square(link: &TestLink, number: u32) -> u64 {
    let call = link.call(Square(number)).expect("a call is free");
    call.await.expect("the other end is there")
}

#[test]
fn calls_return_and_no_read_is_given_up() {
    for room in [1, 2, 7, 84, 1000] {
        let (link, clock) = (open_link(), Clock::default());
        let (out, back) = (Pipe::new(room), Pipe::new(room));
        let mut tasks = Tasks::default();
        tasks.spawn(drive(&link, &clock, Rx(back.clone()), Tx(out.clone())));
        let worker = work(Worker::new(2), Rx(out.clone()), Tx(back.clone()));
        tasks.spawn(worker);
        let submitters = [0, 1, 2, 3].map(|first| {
            let link = &link;
            tasks.spawn(async move {
                for number in first..first + 20 {
                    assert_eq!(square(link, number).await, u64::from(number).pow(2));
                }
            })
        });
        for submitter in submitters {
            tasks.run(submitter, &clock);
        }
        assert_eq!((link.dropped(), out.torn(), back.torn()), (0, 0, 0));
        assert_eq!(clock.now(), 0, "nothing waited for the clock");
    }
}

/// A worker that is not there: the greeting is sent at once, and after one, two, four … times
/// `RESEND`.
#[test]
fn frames_are_sent_again_by_the_callers_clock() {
    let (link, clock) = (open_link(), Clock::default());
    let (out, back) = (Pipe::new(10_000), Pipe::new(10_000));
    let mut tasks = Tasks::default();
    tasks.spawn(drive(&link, &clock, Rx(back.clone()), Tx(out.clone())));
    tasks.settle();
    let greetings = || {
        let frames = out.written();
        frames[1..].iter().filter(|&&byte| byte == 0).count()
    };
    assert!(!clock.advance(), "without a call nothing is to be sent");
    assert_eq!(greetings(), 0);

    let _call = link.call(Square(7)).ok().unwrap();
    tasks.settle();
    assert_eq!(
        (clock.now(), greetings()),
        (0, 1),
        "a call wakes the driver"
    );
    let mut times = Vec::new();
    while times.len() < 5 {
        let before = greetings();
        assert!(clock.advance());
        tasks.settle();
        assert!(greetings() <= before + 1);
        if greetings() > before {
            times.push(clock.now() / RESEND);
        }
    }
    assert_eq!(times, [1, 3, 7, 15, 31]);
}

#[test]
fn a_call_that_begins_while_the_driver_sleeps_is_sent_at_once() {
    let (link, clock) = (open_link(), Clock::default());
    let (out, back) = (Pipe::new(10_000), Pipe::new(10_000));
    let mut tasks = Tasks::default();
    tasks.spawn(drive(&link, &clock, Rx(back.clone()), Tx(out.clone())));
    let worker = work(Worker::new(2), Rx(out.clone()), Tx(back.clone()));
    tasks.spawn(worker);
    let first = tasks.spawn(async { assert_eq!(square(&link, 1).await, 1) });
    tasks.run(first, &clock);

    out.lose(4); // so the driver sleeps until the resend date
    let second = tasks.spawn(async { assert_eq!(square(&link, 2).await, 4) });
    tasks.settle();
    let third = tasks.spawn(async { assert_eq!(square(&link, 3).await, 9) });
    tasks.settle();
    assert!(tasks.0[third].is_done);
    tasks.run(second, &clock);
    assert_eq!(
        clock.now(),
        0,
        "a call that was overtaken is sent again at once"
    );
}

/// Both ends read on while their writes wait, so full pipes do not stop the line.
#[test]
fn a_write_that_waits_stops_no_read() {
    let (link, clock) = (open_link(), Clock::default());
    let (out, back) = (Pipe::new(1000), Pipe::new(1000));
    let mut tasks = Tasks::default();
    tasks.spawn(drive(&link, &clock, Rx(back.clone()), Tx(out.clone())));
    let worker = work(Worker::new(2), Rx(out.clone()), Tx(back.clone()));
    tasks.spawn(worker);
    let first = tasks.spawn(async { assert_eq!(square(&link, 1).await, 1) });
    tasks.run(first, &clock);
    let second = tasks.spawn(async { assert_eq!(square(&link, 2).await, 4) });
    tasks.settle();
    assert!(tasks.0[second].is_done);

    // Nothing goes out any more, and a frame waits. What is on its way back still arrives.
    let third = tasks.spawn(async { assert_eq!(square(&link, 3).await, 9) });
    back.widen(0);
    tasks.settle();
    assert!(!tasks.0[third].is_done, "the worker's write waits");
    let fourth = tasks.spawn(async { assert_eq!(square(&link, 4).await, 16) });
    out.widen(0);
    tasks.settle();
    back.widen(1000);
    tasks.settle();
    assert!(
        tasks.0[third].is_done,
        "the link's write waits, and it reads"
    );
    assert!(!tasks.0[fourth].is_done);
    out.widen(1000);
    tasks.run(fourth, &clock);
}

#[test]
fn after_an_error_of_the_port_another_run_goes_on() {
    let (link, clock) = (open_link(), Clock::default());
    let (out, back) = (Pipe::new(1000), Pipe::new(1000));
    let errors = RefCell::new(Vec::new());
    let mut tasks = Tasks::default();
    let driver = tasks.spawn(async {
        while !matches!(errors.borrow().last(), Some(PortError::Closed)) {
            let error = drive(&link, &clock, Rx(back.clone()), Tx(out.clone())).await;
            errors.borrow_mut().push(error);
        }
    });
    let worker = tasks.spawn(async {
        let (rx, tx) = (Rx(out.clone()), Tx(back.clone()));
        assert_eq!(work(Worker::new(2), rx, tx).await, PortError::Closed);
    });
    for number in 0..10 {
        back.overrun();
        let link = &link;
        let submitter = tasks.spawn(async move {
            assert_eq!(square(link, number).await, u64::from(number).pow(2));
        });
        tasks.run(submitter, &clock);
    }
    out.close();
    back.close();
    tasks.settle();
    assert!(tasks.0[driver].is_done && tasks.0[worker].is_done);
    let errors = errors.borrow();
    assert_eq!(errors.len(), 11);
    assert_eq!(errors[9], PortError::Port(PipeError::Overrun));
}

#[test]
#[should_panic(expected = "the buffer is shorter than `frame_bytes(BYTES)`")]
fn a_buffer_that_is_too_short_is_told_at_once() {
    let (link, clock) = (open_link(), Clock::default());
    let mut tasks = Tasks::default();
    tasks.spawn(async {
        let (rx, tx) = (Rx(Pipe::new(1)), Tx(Pipe::new(1)));
        let mut frame = [0; frame_bytes(BYTES) - 1];
        let sleep_until = |at| clock.sleep_until(at);
        run_link(&link, rx, tx, &mut frame, || clock.now(), sleep_until).await;
    });
    tasks.settle();
}
