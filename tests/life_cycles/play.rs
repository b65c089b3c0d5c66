//! Plays one life cycle.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::{Executor, Ran, Shutdown, TaskError, error::WorkerStartError};

use crate::books::check_books;
use crate::case::{Body, Cancel, Case, Fate, Item, Outcome, Wait, When};
use crate::foreign::lock;
use crate::keep::keep;
use crate::ledger::{Tracked, drop_ours};
use crate::script::{Held, Outside, Script};

/// One slot for the task, one for a callback, and two that must stay unused.
const SLOTS: usize = 4;

type Pool<const WORKERS: usize> = Executor<WORKERS, SLOTS, 96>;

/// A hand-written future, so that its drop is no part of its poll.
struct Task {
    script: Arc<Script>,
    _capture: Tracked,
    polled: bool,
}

impl Future for Task {
    type Output = Tracked;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Tracked> {
        let body = self.script.case.body;
        if body.is_suspended() && !self.polled {
            self.polled = true;
            *lock(&self.script.waker) = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !body.is_suspended() {
            self.script.act(When::Running);
        }
        match body {
            Body::AsyncReady | Body::AsyncAfterWake => Poll::Ready(self.script.track(Item::Value)),
            _ => self.script.throw(),
        }
    }
}

fn refuse_to_start(_worker: usize) -> Result<(), WorkerStartError> {
    Err(WorkerStartError)
}

/// The thread of a waiter that blocks.
type Blocked = thread::JoinHandle<Option<Held>>;

/// Starts the waiter's thread, if the case's waiter blocks.
fn block(script: &Arc<Script>) -> Option<Blocked> {
    if !script.case.wait.blocks() {
        return None;
    }
    let handle = lock(&script.outside)
        .handle
        .take()
        .expect("no fate took it yet");
    let script = Arc::clone(script);
    Some(thread::spawn(move || match (script.case.wait, handle) {
        (Wait::Result, Held::Plain(handle)) => {
            script.take(handle.result());
            None
        }
        (_, handle) => {
            let error = handle.error().map(|error| Outcome::of(Err(error)));
            script.see(error.unwrap_or(Outcome::Value));
            Some(handle)
        }
    }))
}

/// Plays one life cycle and checks it at each stage.
pub(crate) fn play<const WORKERS: usize>(case: Case) {
    let executor = Pool::<WORKERS>::new();
    let executor = if case.body.breaks_the_executor() {
        executor.on_worker_start(refuse_to_start)
    } else {
        executor
    };
    // Wakers may live for ever, so the executor must too.
    let executor: &'static Pool<WORKERS> = Box::leak(Box::new(executor));
    let (keep, kept) = keep();
    executor.start(&keep).expect("the executor is new");
    let mut worker = kept.try_recv().ok();

    let script = Arc::new(Script {
        case,
        ledger: Arc::default(),
        stats: Box::new(|| executor.stats()),
        outside: Mutex::default(),
        waker: Mutex::default(),
        seen: Mutex::default(),
        wakes: Arc::default(),
    });

    // Submitted.
    let mut promise = None;
    let handle = if case.body.is_promise() {
        let (given, handle) = executor.promise().expect("a slot is free");
        promise = Some(given);
        handle
    } else if matches!(
        case.body,
        Body::Returns | Body::Panics | Body::ShutDown | Body::Broken
    ) {
        let (script, capture) = (Arc::clone(&script), script.track(Item::Capture));
        let task = move || {
            script.act(When::Running);
            if script.case.body == Body::Panics {
                script.throw();
            }
            drop(capture);
            script.track(Item::Value)
        };
        executor.submit(task).expect("a slot is free")
    } else {
        let (_capture, script) = (script.track(Item::Capture), Arc::clone(&script));
        executor
            .submit_future(Task {
                script,
                _capture,
                polled: false,
            })
            .expect("a slot is free")
    };
    let canceller = handle.canceller();
    let held = match case.fate {
        Fate::CancelOnDrop(_) => Held::Cancelling(handle.cancel_on_drop()),
        _ => Held::Plain(handle),
    };
    *lock(&script.outside) = Outside {
        handle: Some(held),
        canceller: Some(canceller),
        promise_is_there: promise.is_some(),
    };

    // Before the start. With a worker the waiter blocks from the beginning. Without one a blocked
    // waiter runs the task.
    let blocked;
    if WORKERS > 0 {
        blocked = block(&script);
        act_unless_blocked(&script, blocked.as_ref(), When::BeforeStart);
    } else {
        script.act(When::BeforeStart);
        blocked = block(&script);
    }

    // Running, and to the end.
    let drives_itself = WORKERS == 0 && blocked.is_some();
    let mut step = || match &mut worker {
        Some(worker) => worker.run_one() == Ran::Task,
        None => executor.run_one(),
    };
    let starts = case.reaches_running();
    match case.body {
        Body::Returns | Body::Panics | Body::AsyncReady | Body::AsyncPanics => {
            if !drives_itself {
                assert_eq!(step(), starts, "a cancelled task is not in the ready queue");
            }
        }
        Body::ShutDown => executor.begin_shutdown(Shutdown::Cancel),
        Body::Broken => assert!(!step(), "the worker leaves"),
        Body::AsyncAfterWake
        | Body::AsyncPanicsAfterWake
        | Body::AsyncShutDown
        | Body::AsyncBroken => {
            if case.body == Body::AsyncBroken {
                // The worker would break before it polls.
                assert_eq!(executor.run_one(), starts);
            } else {
                assert_eq!(step(), starts);
            }
            if starts {
                act_unless_blocked(&script, blocked.as_ref(), When::Running);
            }
            match case.body {
                Body::AsyncShutDown => executor.begin_shutdown(Shutdown::Cancel),
                Body::AsyncBroken => assert!(!step(), "the worker leaves"),
                _ => {
                    let waker = lock(&script.waker).clone();
                    assert_eq!(waker.is_some(), starts);
                    waker.inspect(Waker::wake_by_ref);
                    assert_eq!(
                        step(),
                        starts && !case.ended_by(When::Running),
                        "a woken future is polled again unless it was cancelled"
                    );
                }
            }
        }
        Body::PromiseKept | Body::PromiseDropped | Body::PromiseError => {
            let given = promise.as_ref().expect("not dropped yet");
            assert_eq!(
                given.set_running_or_notify_cancel().expect("first time"),
                starts
            );
            if starts {
                act_unless_blocked(&script, blocked.as_ref(), When::Running);
            }
            match case.body {
                Body::PromiseKept => {
                    let kept = given.set_result(script.track(Item::Value));
                    assert_eq!(
                        kept.is_ok(),
                        starts,
                        "a cancelled promise returns the value"
                    );
                    drop_ours(kept);
                }
                Body::PromiseError => {
                    assert_eq!(given.set_error(TaskError::Broken).is_ok(), starts);
                }
                _ => {}
            }
            // A promise with an error of its own stays until after the end, and pins the slot.
            if case.body != Body::PromiseError {
                promise = None;
                lock(&script.outside).promise_is_there = false;
            }
        }
    }

    // The end.
    if let Some(blocked) = blocked {
        let handle = blocked.join().expect("the waiter does not panic");
        lock(&script.outside).handle = handle;
    }
    script.act(When::Ended);
    drop(promise);
    if let Some(waker) = lock(&script.waker).take() {
        waker.wake();
        assert_eq!(
            executor.stats().queued,
            0,
            "the waker of an ended task wakes nothing"
        );
    }
    executor.begin_shutdown(Shutdown::Drain);
    if let Some(mut worker) = worker {
        assert_eq!(worker.run_one(), Ran::Left);
    }
    check_books(&script);
}

/// Acts at one stage. A blocked waiter has the handle and leaves only the canceller to the outer
/// world.
fn act_unless_blocked(script: &Arc<Script>, blocked: Option<&Blocked>, when: When) {
    match blocked {
        None => script.act(when),
        Some(_) => script.cancel_blocked(when),
    }
}

impl Script {
    fn cancel_blocked(&self, when: When) {
        let (Cancel::Once(at, _) | Cancel::Twice(at, _)) = self.case.cancel else {
            return;
        };
        if at == when {
            let canceller = lock(&self.outside).canceller.expect("always there");
            assert_eq!(canceller.cancel(), self.case.ended_by(when), "at {when:?}");
        }
    }
}
