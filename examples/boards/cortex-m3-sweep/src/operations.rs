//! What the thread does when the interrupt comes.

use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use slotted::{Ran, Shutdown, TaskError, as_completed};

use crate::host::{THREAD, WORKERS};
use crate::ledger::{CALLBACKS_ADDED, CALLBACKS_CALLED, Role, Value, add, closure, future, get};
use crate::scene::{
    EXECUTOR, End, Handle, Handles, SLOTS, Scene, Sleep, Token, begin_shutdown, cancel, fill,
    is_over, stop, submit, work,
};

/// An operation of the thread.
pub(crate) struct Operation {
    /// True if the thread is a worker of the executor.
    pub(crate) in_worker: bool,
    pub(crate) perform: fn(&Scene, Handles),
}

type Named = (&'static str, Operation);

const fn outside(name: &'static str, perform: fn(&Scene, Handles)) -> Named {
    let in_worker = false;
    (name, Operation { in_worker, perform })
}

const fn in_worker(name: &'static str, perform: fn(&Scene, Handles)) -> Named {
    let in_worker = true;
    (name, Operation { in_worker, perform })
}

pub(crate) const OPERATIONS: &[Named] = &[
    outside("submit a closure", submit_closure),
    outside("submit a future", submit_future),
    outside("wait for a slot", wait_for_slot),
    in_worker("take and run, worker", run_in_worker),
    outside("take and run, executor", run_outside),
    in_worker("run a task with listeners", run_with_listeners),
    in_worker("poll a future that rests", poll_resting),
    in_worker("run and park, worker", park),
    outside("cancel a task", cancel_task),
    outside("cancel a promise", cancel_promise),
    outside("cancel a future at rest", cancel_future),
    outside("keep a promise with listeners", keep_promise),
    outside("break a promise", break_promise),
    outside("wake a future", wake),
    outside("wait for a task", wait_for_task),
    outside("wait for a promise", wait_for_promise),
    outside("wait for a future", wait_for_future),
    in_worker("wait for a task, worker", wait_for_task),
    in_worker("wait for a promise, worker", wait_for_promise),
    in_worker("wait for a future, worker", wait_for_future),
    outside("await a promise", poll_promise),
    outside("add a callback", add_callback),
    outside("take a result", take_result),
    outside("drop the handle of a task", drop_pending),
    outside("drop the handle of a done task", drop_done),
    outside("drop the handle of a promise", drop_promise),
    outside("drop the handle of a future", drop_future),
    outside("step of as_completed", step),
    in_worker("step of as_completed, worker", step),
    outside("begin to shut down, run", |scene, handles| {
        shut_down(scene, handles, Shutdown::Drain)
    }),
    outside("begin to shut down, cancel", |scene, handles| {
        shut_down(scene, handles, Shutdown::Cancel)
    }),
    outside("begin to shut down, stop", |scene, handles| {
        shut_down(scene, handles, Shutdown::Stop)
    }),
    outside("stop a task", stop_task),
    outside("cancel a running promise and wait", cancel_and_wait),
];

fn submit_closure(scene: &Scene, handles: Handles) {
    let submitted = scene.under_fire(handles.aim(Role::Task), Sleep::Never, || {
        submit(Role::Submitted)
    });
    scene.keep(Role::Submitted, submitted.expect("there is room"));
    handles.keep(scene);
}

fn submit_future(scene: &Scene, handles: Handles) {
    let submit = || EXECUTOR.submit_future(future(Role::Submitted));
    let submitted = scene.under_fire(handles.aim(Role::Task), Sleep::Never, submit);
    scene.keep(Role::Submitted, submitted.expect("there is room"));
    handles.keep(scene);
}

fn wait_for_slot(scene: &Scene, handles: Handles) {
    fill();
    let due = || EXECUTOR.stats().slots_in_use < SLOTS;
    let (
        aim,
        Handles {
            task,
            promise,
            future,
        },
    ) = (handles.aim(Role::Task), handles);
    // The first filler to give its slot back.
    task.detach();
    let submit = || EXECUTOR.submit_blocking(closure(Role::Submitted));
    let submitted = scene.under_fire(aim, Sleep::Until(&due, End::FreeSlot), submit);
    scene.keep(Role::Submitted, submitted.expect("a slot becomes free"));
    scene.keep(Role::Promise, promise);
    scene.keep(Role::Future, future);
}

/// Makes the thread's worker run one task, or poll one future, under fire.
fn run_one(scene: &Scene, aim: (Role, Token)) {
    let mut worker = WORKERS.take(THREAD).expect("it has not left");
    let ran = scene.under_fire(aim, Sleep::Never, || worker.run_one());
    assert!(ran != Ran::Left, "the thread's worker left");
    WORKERS.put(THREAD, worker, ran);
}

fn run_in_worker(scene: &Scene, handles: Handles) {
    run_one(scene, handles.aim(Role::Task));
    handles.keep(scene);
}

fn run_outside(scene: &Scene, handles: Handles) {
    scene.under_fire(handles.aim(Role::Task), Sleep::Never, || EXECUTOR.run_one());
    handles.keep(scene);
}

fn run_with_listeners(scene: &Scene, mut handles: Handles) {
    listen(Role::Task, &mut handles.task);
    run_one(scene, handles.aim(Role::Task));
    handles.keep(scene);
    check_woken(scene);
}

fn poll_resting(scene: &Scene, handles: Handles) {
    work();
    scene.shared.waker.wake_by_ref();
    run_one(scene, handles.aim(Role::Future));
    handles.keep(scene);
}

fn park(scene: &Scene, handles: Handles) {
    let worker = WORKERS.take(THREAD).expect("it has not left");
    let due = || EXECUTOR.stats().queued != 0;
    scene.under_fire(
        handles.aim(Role::Task),
        Sleep::Until(&due, End::ShutDown),
        || worker.run(),
    );
    handles.keep(scene);
}

fn cancel_task(scene: &Scene, handles: Handles) {
    scene.under_fire(handles.aim(Role::Task), Sleep::Never, || {
        cancel(Role::Task, || handles.task.cancel())
    });
    handles.keep(scene);
}

fn stop_task(scene: &Scene, handles: Handles) {
    let aim = handles.aim(Role::Task);
    scene.under_fire(aim, Sleep::Never, || stop(aim));
    handles.keep(scene);
}

/// A running promise cannot be cancelled: the thread waits until it is kept.
fn cancel_and_wait(scene: &Scene, handles: Handles) {
    let Handles {
        task,
        promise,
        future,
    } = handles;
    let runs = scene.shared.promise.set_running_or_notify_cancel();
    assert!(matches!(runs, Ok(true)), "it is open");
    let token = promise.canceller();
    let due = || is_over(token);
    scene.keep_outcome(
        Role::Promise,
        scene.under_fire(
            (Role::Promise, token),
            Sleep::Until(&due, End::Complete),
            || promise.cancel_sync(),
        ),
    );
    scene.keep(Role::Task, task);
    scene.keep(Role::Future, future);
}

fn cancel_promise(scene: &Scene, handles: Handles) {
    scene.under_fire(handles.aim(Role::Promise), Sleep::Never, || {
        cancel(Role::Promise, || handles.promise.cancel())
    });
    handles.keep(scene);
}

fn cancel_future(scene: &Scene, handles: Handles) {
    scene.under_fire(handles.aim(Role::Future), Sleep::Never, || {
        cancel(Role::Future, || handles.future.cancel())
    });
    handles.keep(scene);
}

fn keep_promise(scene: &Scene, mut handles: Handles) {
    listen(Role::Promise, &mut handles.promise);
    scene.under_fire(handles.aim(Role::Promise), Sleep::Never, || {
        scene.shared.complete()
    });
    handles.keep(scene);
    check_woken(scene);
}

fn break_promise(scene: &Scene, handles: Handles) {
    let (promise, mut handle) = EXECUTOR.promise::<Value>().expect("there is room");
    listen(Role::Broken, &mut handle);
    scene.under_fire((Role::Broken, handle.canceller()), Sleep::Never, || {
        drop(promise)
    });
    scene.keep(Role::Broken, handle);
    handles.keep(scene);
    check_woken(scene);
}

fn wake(scene: &Scene, handles: Handles) {
    scene.under_fire(handles.aim(Role::Future), Sleep::Never, || {
        scene.shared.wake()
    });
    work();
    let token = handles.future.canceller();
    assert!(
        is_over(token),
        "the thread woke a future and no worker polled it"
    );
    handles.keep(scene);
}

fn wait_for_task(scene: &Scene, handles: Handles) {
    let Handles {
        task,
        promise,
        future,
    } = handles;
    scene.wait(Role::Task, task, End::Run);
    scene.keep(Role::Promise, promise);
    scene.keep(Role::Future, future);
}

fn wait_for_promise(scene: &Scene, handles: Handles) {
    let Handles {
        task,
        promise,
        future,
    } = handles;
    scene.wait(Role::Promise, promise, End::Complete);
    scene.keep(Role::Task, task);
    scene.keep(Role::Future, future);
}

fn wait_for_future(scene: &Scene, handles: Handles) {
    let Handles {
        task,
        promise,
        future,
    } = handles;
    scene.wait(Role::Future, future, End::Wake);
    scene.keep(Role::Task, task);
    scene.keep(Role::Promise, promise);
}

fn poll_promise(scene: &Scene, mut handles: Handles) {
    let aim = handles.aim(Role::Promise);
    let waker = counting_waker();
    let polled = scene.under_fire(aim, Sleep::Never, || {
        Pin::new(&mut handles.promise).poll(&mut Context::from_waker(&waker))
    });
    let Handles {
        task,
        promise,
        future,
    } = handles;
    match polled {
        Poll::Ready(outcome) => scene.keep_outcome(Role::Promise, outcome),
        Poll::Pending => {
            scene.keep(Role::Promise, promise);
            check_woken(scene);
        }
    }
    scene.keep(Role::Task, task);
    scene.keep(Role::Future, future);
}

fn add_callback(scene: &Scene, handles: Handles) {
    let aim = handles.aim(Role::Task);
    scene.under_fire(aim, Sleep::Never, || call_back(Role::Task, &handles.task));
    handles.keep(scene);
}

fn take_result(scene: &Scene, handles: Handles) {
    work();
    wait_for_task(scene, handles);
}

fn drop_pending(scene: &Scene, handles: Handles) {
    let (
        aim,
        Handles {
            task,
            promise,
            future,
        },
    ) = (handles.aim(Role::Task), handles);
    scene.under_fire(aim, Sleep::Never, || drop(task));
    scene.keep(Role::Promise, promise);
    scene.keep(Role::Future, future);
}

fn drop_done(scene: &Scene, handles: Handles) {
    work();
    drop_pending(scene, handles);
}

fn drop_promise(scene: &Scene, handles: Handles) {
    let (
        aim,
        Handles {
            task,
            promise,
            future,
        },
    ) = (handles.aim(Role::Promise), handles);
    scene.under_fire(aim, Sleep::Never, || drop(promise));
    scene.keep(Role::Task, task);
    scene.keep(Role::Future, future);
}

fn drop_future(scene: &Scene, handles: Handles) {
    let (
        aim,
        Handles {
            task,
            promise,
            future,
        },
    ) = (handles.aim(Role::Future), handles);
    scene.under_fire(aim, Sleep::Never, || drop(future));
    scene.keep(Role::Task, task);
    scene.keep(Role::Promise, promise);
}

fn step(scene: &Scene, handles: Handles) {
    let tokens = [Role::Task, Role::Promise, Role::Future].map(|role| handles.aim(role).1);
    let due = || tokens.into_iter().any(is_over);
    let aim = handles.aim(Role::Task);
    let Handles {
        task,
        promise,
        future,
    } = handles;
    let (first, rest) = scene.under_fire(aim, Sleep::Until(&due, End::Complete), || {
        let mut rest = as_completed([task, promise, future]);
        (rest.next(), rest)
    });
    scene.finish();
    for mut handle in first.into_iter().chain(rest) {
        let outcome = handle.try_result().expect("what is yielded is done");
        // Only the task can be cancelled here.
        let role = outcome.as_ref().map_or(Role::Task, |value| value.role);
        scene.keep_outcome(role, outcome);
    }
    for role in [Role::Task, Role::Promise, Role::Future] {
        assert!(scene.has_outcome(role), "{role:?} was not yielded");
    }
}

fn shut_down(scene: &Scene, handles: Handles, pending: Shutdown) {
    scene.under_fire(handles.aim(Role::Task), Sleep::Never, || {
        begin_shutdown(pending)
    });
    handles.keep(scene);
}

/// Adds a callback and a waker that wait for the task's end.
fn listen(role: Role, handle: &mut Handle) {
    call_back(role, handle);
    let polled = Pin::new(handle).poll(&mut Context::from_waker(&counting_waker()));
    assert!(polled.is_pending(), "{role:?} ended early");
}

fn call_back(role: Role, handle: &Handle) {
    add(&CALLBACKS_ADDED);
    let added = handle.add_done_callback(move |outcome| {
        add(&CALLBACKS_CALLED);
        match outcome {
            Ok(value) => assert!(
                value.role == role,
                "the callback of {role:?} has the value of {:?}",
                value.role
            ),
            Err(TaskError::Broken) => assert!(role == Role::Broken, "{role:?} is broken"),
            Err(error) => assert!(error.is_cancelled(), "{role:?} ends with {error:?}"),
        }
    });
    assert!(added.is_ok(), "there is no room for a callback");
}

pub(crate) static WAKES: AtomicUsize = AtomicUsize::new(0);

/// At the end of the run, checks that the waker of [`counting_waker`] was called.
fn check_woken(scene: &Scene) {
    scene.finish();
    assert!(
        get(&WAKES) != 0,
        "a task ended and the waker was not called"
    );
}

/// A waker that counts its calls, from 0.
pub(crate) fn counting_waker() -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new(ptr::null(), &TABLE),
        |_| add(&WAKES),
        |_| add(&WAKES),
        |_| {},
    );
    WAKES.store(0, Ordering::Relaxed);
    // SAFETY: the functions use no pointer and any context may call them.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) }
}
