//! Every way to submit a task, times every way in which its outcome ends.

use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeSet;

use slotted::{
    Clock, Every, JoinHandle, Levels, Ordered, ReturnWhen, Shutdown, SimHost, SubmitError,
    TaskError, as_completed, wait,
};

use crate::points::{Hit, Value, Within, drop_here, within};
use crate::rig::{Home, Place, Rig, Tasks, assert_points, each};
use crate::wakers::{alert, block_on};

pub(crate) type Output = Result<Value, Value>;
type Handle<H> = JoinHandle<'static, Output, H>;

/// What a closure or a future captures, and what it does.
pub(crate) struct Task {
    capture: Value,
    fails: bool,
}

impl Task {
    pub(crate) fn new<H: Clock>(rig: &Rig<H>) -> Self {
        Self {
            capture: rig.value("capture"),
            fails: false,
        }
    }

    fn failing<H: Clock>(rig: &Rig<H>) -> Self {
        Self {
            fails: true,
            ..Self::new(rig)
        }
    }

    pub(crate) fn run(self) -> Output {
        within(Within::Task, || {
            let points = self.capture.points().clone();
            points.pass("closure");
            let value = points.value("value");
            let fails = self.fails;
            drop(self);
            if fails { Err(value) } else { Ok(value) }
        })
    }
}

/// A future that its first poll suspends, if it rests.
struct Polled {
    task: Option<Task>,
    rests: bool,
}

impl Polled {
    fn new<H: Clock>(rig: &Rig<H>, rests: bool) -> Self {
        Self {
            task: Some(Task::new(rig)),
            rests,
        }
    }
}

impl Future for Polled {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Output> {
        within(Within::Task, || {
            let task = self.task.as_ref().unwrap();
            task.capture.points().pass("poll");
            if core::mem::take(&mut self.rests) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.task.take().unwrap().run())
        })
    }
}

/// A way to submit a task.
struct Way<H: Clock + 'static> {
    name: &'static str,
    submit: fn(&Rig<H>) -> Handle<H>,
    /// How many tasks it submits. All of them end as completed or cancelled, unless a promise ends
    /// one.
    tasks: Option<usize>,
}

fn given<T, F>(submitted: Result<T, SubmitError<F>>) -> T {
    match submitted {
        Ok(given) => given,
        Err(error) => panic!("refused: {:?}", error.reason()),
    }
}

/// A promise that a task keeps. A task that panics breaks it.
fn promised<H: Clock>(rig: &Rig<H>, promise: slotted::Promise<'static, Output, H>) {
    let task = Task::new(rig);
    let keep = move || {
        // A cancelled promise gives the value back.
        let unwanted = promise.set_result(task.run());
        within(Within::Task, || drop(unwanted));
    };
    given(rig.submitter.submit(keep)).detach();
}

fn ways<H: Clock>() -> Vec<Way<H>> {
    let mut ways: Vec<Way<H>> = Vec::new();
    let mut way = |name, submit: fn(&Rig<H>) -> Handle<H>| {
        ways.push(Way {
            name,
            submit,
            tasks: Some(1),
        });
    };
    way("submit", |rig| {
        let task = Task::new(rig);
        given(rig.submitter.submit(|| task.run()))
    });
    way("submit_blocking", |rig| {
        let task = Task::new(rig);
        given(rig.submitter.submit_blocking(|| task.run()))
    });
    way("submit_timeout", |rig| {
        let task = Task::new(rig);
        given(rig.submitter.submit_timeout(|| task.run(), Duration::ZERO))
    });
    way("submit_fallible", |rig| {
        let task = Task::failing(rig);
        given(rig.submitter.submit_fallible(|| task.run()))
    });
    way("submit_stoppable", |rig| {
        let task = Task::new(rig);
        given(rig.submitter.submit_stoppable(move |_| task.run()))
    });
    way("Permit::submit", |rig| {
        let (permit, task) = (rig.submitter.reserve().unwrap(), Task::new(rig));
        given(permit.submit(|| task.run()))
    });
    way("Permit::submit_fallible", |rig| {
        let (permit, task) = (rig.submitter.reserve().unwrap(), Task::failing(rig));
        given(permit.submit_fallible(|| task.run()))
    });
    way("Permit::submit_stoppable", |rig| {
        let (permit, task) = (rig.submitter.reserve().unwrap(), Task::new(rig));
        given(permit.submit_stoppable(move |_| task.run()))
    });
    way("submit_future", |rig| {
        given(rig.submitter.submit_future(Polled::new(rig, false)))
    });
    way("submit_future, rests", |rig| {
        given(rig.submitter.submit_future(Polled::new(rig, true)))
    });
    way("Permit::submit_future", |rig| {
        let permit = rig.submitter.reserve().unwrap();
        given(permit.submit_future(Polled::new(rig, true)))
    });
    way("submit_future_outcome", |rig| {
        let future = Polled::new(rig, false);
        given(
            rig.submitter
                .submit_future_outcome(async { Ok(future.await) }),
        )
    });
    way("submit_future_outcome, rests", |rig| {
        let future = Polled::new(rig, true);
        given(
            rig.submitter
                .submit_future_outcome(async { Ok(future.await) }),
        )
    });
    way("Permit::submit_future_outcome", |rig| {
        let (permit, future) = (rig.submitter.reserve().unwrap(), Polled::new(rig, true));
        given(permit.submit_future_outcome(async { Ok(future.await) }))
    });
    way("submit_after", |rig| {
        let task = Task::new(rig);
        let soon = Duration::from_nanos(10);
        given(rig.later.submit_after(soon, || task.run()))
    });
    way("submit_at, past", |rig| {
        let task = Task::new(rig);
        given(rig.later.submit_at(0, || task.run()))
    });
    way("submit_every", |rig| {
        let mut task = Some(Task::new(rig));
        let series = move |release: slotted::Release| {
            within(Within::Task, || {
                task.as_ref().unwrap().capture.points().pass("release");
            });
            if release.date < 20 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(task.take().unwrap().run())
            }
        };
        given(
            rig.later
                .submit_every(Every::ticks(10).first_at(10), series),
        )
    });
    let mut promise = |name, submit: fn(&Rig<H>) -> Handle<H>| {
        ways.push(Way {
            name,
            submit,
            tasks: None,
        });
    };
    promise("promise", |rig| {
        let (promise, handle) = rig.submitter.promise().unwrap();
        promised(rig, promise);
        handle
    });
    promise("Permit::promise", |rig| {
        let (promise, handle) = rig.submitter.reserve().unwrap().promise();
        promised(rig, promise);
        handle
    });
    promise("Promise::complete", |rig| {
        let (promise, handle) = rig.submitter.promise().unwrap();
        let task = Task::new(rig);
        let keep = move || {
            let unwanted = promise.complete(Ok(task.run()));
            within(Within::Task, || drop(unwanted));
        };
        given(rig.submitter.submit(keep)).detach();
        handle
    });
    ways
}

/// A way in which an outcome ends.
struct End<H: Clock + 'static> {
    name: &'static str,
    end: fn(&Rig<H>, Handle<H>),
}

/// Takes an outcome, as the caller does: its task ended, unless a point has panicked.
fn take<H: Clock>(rig: &Rig<H>, outcome: Result<Output, TaskError>) {
    if !rig.points.hit_a_task() {
        assert!(outcome.is_ok());
    }
    drop_here(outcome);
}

fn add_callback<H: Clock>(rig: &Rig<H>, handle: &Handle<H>) {
    let capture = rig.value("callback's capture");
    let callback = move |_: Result<&Output, &TaskError>| {
        within(Within::Callback, || {
            capture.points().pass("callback");
            drop(capture);
        });
    };
    handle.add_done_callback(callback).unwrap();
}

fn ends<H: Clock>() -> Vec<End<H>> {
    let mut ends: Vec<End<H>> = Vec::new();
    let mut end = |name, end: fn(&Rig<H>, Handle<H>)| ends.push(End { name, end });
    end("result", |rig, handle| take(rig, handle.result()));
    end("result_inline", |rig, handle| {
        take(rig, handle.result_inline())
    });
    end("result_timeout", |rig, mut handle| {
        take(rig, handle.result_timeout(Duration::from_secs(1)));
    });
    end("try_result", |rig, mut handle| {
        rig.let_run();
        take(rig, handle.try_result().expect("it has ended"));
    });
    end("wait, then dropped", |rig, mut handle| {
        let outcome = handle.wait();
        assert!(outcome.is_ok() || rig.points.hit_a_task());
        drop(handle);
    });
    end("error, then dropped", |_, handle| {
        let _ = handle.error();
        drop(handle);
    });
    end("detached", |rig, handle| {
        handle.detach();
        rig.let_run();
    });
    end("cancelled", |_, handle| {
        // A promise may be kept already, and a future may be polled for the last time.
        if handle.cancel() {
            assert_eq!(handle.error(), Some(&TaskError::Cancelled));
        }
    });
    end("cancelled twice, by its token", |_, handle| {
        let canceller = handle.canceller();
        assert!(canceller.cancel());
        assert!(canceller.cancel());
    });
    end("cancel_on_drop", |_, handle| drop(handle.cancel_on_drop()));
    end("cancel_sync", |_, handle| drop_here(handle.cancel_sync()));
    end("stop requested", |rig, handle| {
        handle.request_stop();
        rig.let_run();
        drop_here(handle.result());
    });
    end("shutdown that cancels", |rig, handle| {
        rig.place.shutdown(Shutdown::Cancel);
        drop_here(handle.result());
    });
    end("shutdown that drains", |rig, handle| {
        rig.place.shutdown(Shutdown::Drain);
        drop_here(handle.result());
    });
    end("shutdown after the handle", |rig, handle| {
        handle.detach();
        rig.place.shutdown(Shutdown::Stop);
    });
    end("callback before", |rig, handle| {
        add_callback(rig, &handle);
        take(rig, handle.result());
    });
    end("callback of a cancelled task", |rig, handle| {
        add_callback(rig, &handle);
        handle.cancel();
    });
    end("callback after", |rig, mut handle| {
        rig.let_run();
        add_callback(rig, &handle);
        take(rig, handle.try_result().expect("it has ended"));
    });
    end("callback, and no handle", |rig, handle| {
        add_callback(rig, &handle);
        handle.detach();
        rig.let_run();
    });
    end("as_completed", |rig, handle| {
        for handle in as_completed([handle]) {
            take(rig, handle.result());
        }
    });
    end("as_completed, left early", |_, handle| {
        drop(as_completed([handle]));
    });
    end("wait for several", |_, handle| {
        let mut handles = [handle];
        let waited = wait(&mut handles, ReturnWhen::FirstError);
        assert_eq!(waited.done.len(), 1);
    });
    end("awaited", |rig, mut handle| {
        let waker = alert(&rig.points);
        let outcome = block_on(rig, &waker, Pin::new(&mut handle));
        drop_here(waker);
        take(rig, outcome);
    });
    end("awaited and dropped", |rig, mut handle| {
        let waker = alert(&rig.points);
        let mut context = Context::from_waker(&waker);
        let _ = Pin::new(&mut handle).poll(&mut context);
        let _ = Pin::new(&mut handle).poll(&mut context);
        drop(handle);
        drop_here(waker);
    });
    end("a stream", |rig, handle| {
        let waker = alert(&rig.points);
        let mut stream = as_completed([handle]).stream();
        let handle = block_on(
            rig,
            &waker,
            core::future::poll_fn(|context| {
                futures_core::Stream::poll_next(Pin::new(&mut stream), context)
            }),
        );
        drop(stream);
        drop_here(waker);
        drop(handle);
    });
    ends
}

fn each_way_and_end<H: Clock>(place: &'static dyn Place<H>) {
    let mut hits = BTreeSet::new();
    for (way_number, way) in ways::<H>().into_iter().enumerate() {
        for (end_number, end) in ends::<H>().into_iter().enumerate() {
            // Miri has time for each way with one end, and for most ends.
            if cfg!(miri) && end_number != (3 * way_number) % 25 {
                continue;
            }
            let name = format!("{}, {}", way.name, end.name);
            let program = |rig: &Rig<H>| {
                let before = rig.place.stats();
                (end.end)(rig, (way.submit)(rig));
                let Some(tasks) = way.tasks else { return };
                rig.let_run();
                let after = rig.place.stats();
                let ended =
                    (after.completed + after.cancelled) - (before.completed + before.cancelled);
                assert_eq!(ended, tasks, "{name}: completed and cancelled tasks");
            };
            hits.append(&mut each(place, &name, Tasks::Own, program));
        }
    }
    assert_points(&hits, POINTS);
}

/// Where a closure, what it captures and what it returns, a callback and a waker can panic.
const POINTS: &[Hit] = &[
    ("callback", Within::Callback),
    ("callback's capture", Within::Callback),
    ("capture", Within::Library),
    ("capture", Within::Task),
    ("closure", Within::Task),
    ("poll", Within::Task),
    ("release", Within::Task),
    ("value", Within::Library),
    ("value", Within::Task),
    ("value", Within::Caller),
    ("waker", Within::Library),
    ("waker", Within::Caller),
    ("waker's clone", Within::Caller),
    ("waker's wake", Within::Library),
];

#[test]
fn a_panic_anywhere_in_a_task_lands_where_it_belongs() {
    static HOME: Home<2, SimHost> = Home::new();
    each_way_and_end(&HOME);
}

#[test]
fn so_it_does_where_the_caller_drives() {
    static HOME: Home<0, SimHost> = Home::new();
    each_way_and_end(&HOME);
}

#[test]
fn so_it_does_at_an_urgent_level() {
    static HOME: Home<1, Ordered<SimHost, Levels<2>>, 1> = Home::new();
    each_way_and_end(&HOME);
}
