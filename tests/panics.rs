//! Panics of everything foreign: tasks, hosts, hooks, wakers, iterators, destructors. Each reaches
//! whoever asked for it or nobody; the executor and its workers live on, no slot is lost, nothing
//! is dropped twice.
#![cfg(feature = "std")]

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod stage;

use core::any::Any;
use core::cell::Cell;
use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::io;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, ThreadId};

use futures_core::Stream;
use slotted::{
    Executor, JoinHandle, Pending, Refusal, ReturnWhen, Spawn, Stats, StdHost, StdThreads,
    TaskError, Worker, WorkerStartError, as_completed, wait,
};

use crate::stage::{Crew, within_limit};

/// Panics as `panic!` does, but without the panic hook's message on stderr.
fn raise(message: &'static str) -> ! {
    resume_unwind(Box::new(message))
}

/// What `work` panics with.
fn caught<R>(work: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(work))
}

/// The message `work` panics with.
#[track_caller]
fn message_of<R>(work: impl FnOnce() -> R) -> &'static str {
    let Err(payload) = caught(work) else {
        panic!("it did not panic")
    };
    *payload.downcast::<&'static str>().expect("a message")
}

/// The message a task panicked with.
#[track_caller]
fn panic_of<T>(outcome: Result<T, TaskError>) -> String {
    match outcome {
        Err(TaskError::Panicked(panic)) => {
            panic.with_message(|message| message.expect("a message").to_owned())
        }
        Err(other) => panic!("not a panic: {other}"),
        Ok(_) => panic!("not an error"),
    }
}

/// The figures that count panics and what they must not cost.
fn panics_and_slots(stats: Stats) -> [usize; 4] {
    [
        stats.panicked,
        stats.callbacks_panicked,
        stats.slots_in_use,
        stats.running,
    ]
}

/// Panics when it is dropped, and counts how often that was.
#[derive(Debug)]
struct Grenade(Arc<AtomicUsize>);

impl Drop for Grenade {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        raise("dropped");
    }
}

/// Makes grenades, and counts those that went off.
#[derive(Debug, Default)]
struct Armoury(Arc<AtomicUsize>);

impl Armoury {
    fn grenade(&self) -> Grenade {
        Grenade(self.0.clone())
    }

    /// How many went off since this was last asked.
    fn exploded(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A payload that throws another of its kind when it is dropped, and that one another.
struct Chain;

impl Drop for Chain {
    fn drop(&mut self) {
        resume_unwind(Box::new(Chain));
    }
}

// ---- hosts
// ----------------------------------------------------------------------------------------------------------

/// Gives threads to the first workers, and panics at the one that has this place.
struct PanicsAt {
    place: usize,
    asked: AtomicUsize,
    crew: Crew,
}

impl PanicsAt {
    fn new(place: usize) -> Self {
        Self {
            place,
            asked: AtomicUsize::new(0),
            crew: Crew::default(),
        }
    }
}

impl Spawn<StdHost> for PanicsAt {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<StdHost>) -> io::Result<()> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == self.place {
            raise("spawn");
        }
        self.crew.spawn(worker)
    }
}

#[test]
fn host_that_panics_in_run_ends_the_loan_without_running_the_body() {
    within_limit(|| {
        for place in 0..3 {
            let executor: Executor<3, 4> = Executor::new();
            let waiting = executor.submit(|| 1).unwrap();
            let host = PanicsAt::new(place);
            assert_eq!(
                message_of(|| executor.run(&host, |_| panic!("the body has run")).is_ok()),
                "spawn"
            );
            assert_eq!(host.asked.into_inner(), place + 1);
            host.crew.join();

            let sum = executor.run(&StdThreads::new(), |pool| {
                waiting.result().unwrap() + pool.submit(|| 2).unwrap().result().unwrap()
            });
            assert_eq!(sum.unwrap(), 3);
            assert_eq!(panics_and_slots(executor.stats()), [0; 4]);
        }
    });
}

#[test]
fn host_that_panics_in_start_leaves_an_executor_that_can_be_started() {
    static POOL: Executor<3, 4> = Executor::new();
    within_limit(|| {
        for place in 0..3 {
            let host = PanicsAt::new(place);
            assert_eq!(message_of(|| POOL.start(&host).is_ok()), "spawn");
            host.crew.join();

            // Not shut down, but not running either.
            let waiting = POOL.submit(|| 1).unwrap();
            let crew = Crew::default();
            POOL.start(&crew).unwrap();
            assert_eq!(
                waiting.result().unwrap() + POOL.submit(|| 2).unwrap().result().unwrap(),
                3
            );
            POOL.shutdown(Pending::Run).unwrap();
            crew.join();
            assert_eq!(panics_and_slots(POOL.stats()), [0; 4]);
        }
    });
}

#[test]
fn executor_that_a_panicking_host_left_can_be_shut_down() {
    static POOL: Executor<2, 4> = Executor::new();
    within_limit(|| {
        let host = PanicsAt::new(1);
        assert_eq!(message_of(|| POOL.start(&host).is_ok()), "spawn");
        host.crew.join();
        let waiting = POOL.submit(|| 1).unwrap();
        POOL.shutdown(Pending::Run).unwrap();
        assert_eq!(waiting.result().unwrap(), 1);
        assert_eq!(POOL.submit(|| 1).unwrap_err().reason(), Refusal::ShutDown);
    });
}

// ---- hooks
// ----------------------------------------------------------------------------------------------------------

#[test]
fn worker_whose_start_hook_panics_breaks_the_executor_until_it_is_started_again() {
    static FAULTY: AtomicBool = AtomicBool::new(true);
    fn hook(_worker: usize) -> Result<(), WorkerStartError> {
        if FAULTY.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Chain))
        } else {
            Ok(())
        }
    }
    static POOL: Executor<2, 8, 128> = Executor::new().on_worker_start(hook);
    within_limit(|| {
        let pending = POOL.submit(|| 1).unwrap();
        let future = POOL.submit_future(async { 1 }).unwrap();
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        assert!(matches!(pending.result(), Err(TaskError::Broken)));
        assert!(matches!(future.result(), Err(TaskError::Broken)));
        // The threads have survived.
        crew.join();
        assert_eq!(POOL.submit(|| 1).unwrap_err().reason(), Refusal::Broken);
        POOL.shutdown(Pending::Run).unwrap();

        FAULTY.store(false, Ordering::Relaxed);
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
        POOL.shutdown(Pending::Run).unwrap();
        crew.join();
        assert_eq!(panics_and_slots(POOL.stats()), [0; 4]);
    });
}

#[test]
fn panic_of_an_exit_hook_is_contained() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn hook(_worker: usize) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new(Chain));
    }
    static POOL: Executor<2, 4> = Executor::new().on_worker_exit(hook);
    within_limit(|| {
        for life in 1..=2 {
            let crew = Crew::default();
            POOL.start(&crew).unwrap();
            assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
            POOL.shutdown(Pending::Run).unwrap();
            crew.join();
            // A worker that came after the shutdown never started, and never left.
            assert!((life..=2 * life).contains(&CALLS.load(Ordering::Relaxed)));
        }
    });
}

// ---- wakers
// ---------------------------------------------------------------------------------------------------------

std::thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` while wakers panic. Says whether no panic came out of it.
fn while_wakers_panic(work: impl FnOnce()) -> bool {
    ARMED.set(true);
    let outcome = caught(work);
    ARMED.set(false);
    outcome.is_ok()
}

fn explode_if_armed(_: *const ()) {
    if ARMED.get() {
        raise("waker");
    }
}

static EXPLOSIVE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &EXPLOSIVE),
    explode_if_armed,
    explode_if_armed,
    explode_if_armed,
);

/// A waker that is not the same as those of other numbers. Waking and dropping it panics while this
/// thread is armed.
fn explosive_waker(number: usize) -> Waker {
    // SAFETY: the functions may be called from any thread with any data; there is nothing to
    // release.
    unsafe {
        Waker::from_raw(RawWaker::new(
            core::ptr::without_provenance(number),
            &EXPLOSIVE,
        ))
    }
}

fn poll_handle<T>(handle: &mut JoinHandle<'_, T>, waker: &Waker) -> bool {
    pin!(handle)
        .poll(&mut Context::from_waker(waker))
        .is_ready()
}

fn poll_stream(stream: &mut (impl Stream + Unpin), waker: &Waker) -> bool {
    pin!(stream)
        .poll_next(&mut Context::from_waker(waker))
        .is_ready()
}

/// All four slots can be used, waited for, and used again.
#[track_caller]
fn assert_sound(executor: &Executor<0, 4>) {
    executor.run_until_idle();
    for _ in 0..3 {
        let mut handles = [0, 1, 2, 3].map(|number| executor.submit(move || number).unwrap());
        assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 4);
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [0, 1, 2, 3]);
    }
    assert_eq!(executor.stats().slots_in_use, 0);
}

#[test]
fn waker_of_a_handle_may_panic_when_it_is_dropped_replaced_or_woken() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let (first, second) = (explosive_waker(1), explosive_waker(2));
        let (mut dropped, mut replaced, mut woken) = (
            executor.submit(|| 1).unwrap(),
            executor.submit(|| 2).unwrap(),
            executor.submit(|| 3).unwrap(),
        );
        for handle in [&mut dropped, &mut replaced, &mut woken] {
            assert!(!poll_handle(handle, &first));
        }
        assert!(while_wakers_panic(|| drop(dropped)));
        // The poller itself may hear of the waker it left earlier; nothing is lost by that.
        assert!(while_wakers_panic(|| assert!(!poll_handle(
            &mut replaced,
            &second
        ))));
        let mut told = 0;
        assert!(while_wakers_panic(|| told = executor.run_until_idle()));
        assert_eq!(told, 3);
        assert_eq!(
            (replaced.result().unwrap(), woken.result().unwrap()),
            (2, 3)
        );
        assert_sound(&executor);
    });
}

#[test]
fn waker_of_a_stream_may_panic_whichever_executors_it_was_left_in() {
    within_limit(|| {
        let (left, right): (Executor<0, 4>, Executor<0, 4>) = (Executor::new(), Executor::new());
        let (first, second) = (explosive_waker(1), explosive_waker(2));
        let stream = || {
            let mut stream =
                as_completed([left.submit(|| 1).unwrap(), right.submit(|| 2).unwrap()]);
            assert!(!poll_stream(&mut stream, &first));
            stream
        };

        let dropped = stream();
        assert!(while_wakers_panic(|| drop(dropped)));
        assert_sound(&left);
        assert_sound(&right);

        let mut replaced = stream();
        assert!(while_wakers_panic(|| assert!(!poll_stream(
            &mut replaced,
            &second
        ))));
        drop(replaced);
        assert_sound(&left);
        assert_sound(&right);

        let woken = stream();
        assert!(while_wakers_panic(|| assert!(left.run_one())));
        assert!(while_wakers_panic(|| assert!(right.run_one())));
        assert_eq!(woken.map(|handle| handle.result().unwrap()).sum::<i32>(), 3);
        assert_sound(&left);
        assert_sound(&right);

        // Found done while the waker is still in the other executor.
        let mut popped = stream();
        assert!(left.run_one());
        assert!(while_wakers_panic(|| assert!(poll_stream(
            &mut popped,
            &second
        ))));
        drop(popped);
        assert_sound(&left);
        assert_sound(&right);
    });
}

// ---- scopes
// ---------------------------------------------------------------------------------------------------------

#[test]
fn panic_of_the_body_goes_before_that_of_a_task_whose_payload_panics_in_turn() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let body = || {
            executor.scope(|s| {
                s.submit(|| resume_unwind(Box::new(Chain)))
                    .unwrap()
                    .detach();
                s.submit(|| resume_unwind(Box::new(Chain)))
                    .unwrap()
                    .detach();
                raise("body")
            })
        };
        assert_eq!(message_of(body), "body");
        assert_eq!(panics_and_slots(executor.stats()), [2, 0, 0, 0]);
    });
}

#[test]
fn first_panic_of_a_task_leaves_the_scope_and_the_others_are_dropped() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let body = || {
            executor.scope(|s| {
                s.submit(|| raise("task")).unwrap().detach();
                s.submit(|| resume_unwind(Box::new(Chain)))
                    .unwrap()
                    .detach();
            });
        };
        assert_eq!(message_of(body), "task");
        assert_eq!(panics_and_slots(executor.stats()), [2, 0, 0, 0]);
    });
}

// ---- map ------------------------------------------------------------------------------------------------------------

#[test]
fn panic_of_the_input_reaches_the_consumer_who_may_go_on() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        for unordered in [false, true] {
            let items = (0..6).inspect(|&item| {
                if item == 3 {
                    raise("input")
                }
            });
            let map = executor.map(items, |item: i32| item);
            let mut map = if unordered { map.unordered() } else { map };
            assert_eq!(message_of(|| map.next()), "input");
            assert_eq!(executor.stats().slots_in_use, 3);
            assert_eq!(
                map.by_ref().map(Result::unwrap).collect::<Vec<_>>(),
                [0, 1, 2, 4, 5]
            );
            drop(map);
            assert_eq!(executor.stats().slots_in_use, 0);
        }
    });
}

/// A function's capture that cannot be cloned for the third item.
struct Brittle<'c>(&'c AtomicUsize);

impl Clone for Brittle<'_> {
    fn clone(&self) -> Self {
        if self.0.fetch_add(1, Ordering::Relaxed) == 2 {
            raise("clone");
        }
        Self(self.0)
    }
}

#[test]
fn panic_of_the_functions_clone_loses_one_item() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let brittle = Brittle(&CLONES);
        let counted = Arc::new(());
        let items = [0, 1, 2, 3, 4, 5].map(|item| (item, counted.clone()));
        let mut map = executor.map(items, move |(item, _counted): (i32, Arc<()>)| {
            // The whole of it, so that the closure owns it and is cloned with it.
            let Brittle(clones) = &brittle;
            assert!(clones.load(Ordering::Relaxed) > 0);
            item
        });
        assert_eq!(message_of(|| map.next()), "clone");
        assert_eq!(executor.stats().slots_in_use, 2);
        assert_eq!(
            map.by_ref().map(Result::unwrap).collect::<Vec<_>>(),
            [0, 1, 3, 4, 5]
        );
        drop(map);
        assert_eq!(executor.stats().slots_in_use, 0);
        assert_eq!(Arc::strong_count(&counted), 1);
    });
}

#[test]
fn item_that_panics_when_it_is_dropped_is_an_error_of_its_own() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let armoury = Armoury::default();
        let items = (0..5).map(|item| (item, (item == 2).then(|| armoury.grenade())));
        let mut map = executor.map(items, |(item, _grenade): (i32, Option<Grenade>)| item);
        assert_eq!(
            map.by_ref().take(2).map(Result::unwrap).collect::<Vec<_>>(),
            [0, 1]
        );
        assert_eq!(panic_of(map.next().unwrap()), "dropped");
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(armoury.exploded(), 1);
        assert_eq!(panics_and_slots(executor.stats()), [1, 0, 0, 0]);
    });
}

#[test]
fn items_that_panic_when_they_are_cancelled_harm_nobody() {
    within_limit(|| {
        let executor: Executor<0, 4> = Executor::new();
        let armoury = Armoury::default();
        let items = (0..8).map(|_| armoury.grenade());
        let mut map = executor.map(items, |grenade: Grenade| core::mem::forget(grenade));
        map.next().unwrap().unwrap();
        assert!(caught(|| drop(map)).is_ok());
        assert_eq!((armoury.exploded(), executor.stats().cancelled), (3, 3));
        assert_sound(&executor);
    });
}

// ---- destructors
// ----------------------------------------------------------------------------------------------------

/// The pool's only worker is still the thread that it was.
#[track_caller]
fn lives_on(pool: &'static Executor<1, 8, 128>, worker: ThreadId) {
    assert_eq!(
        pool.submit(|| thread::current().id())
            .unwrap()
            .result()
            .unwrap(),
        worker
    );
}

/// Starts the pool, lets `test` have its armoury and its worker's thread, and sees that nothing is
/// left.
fn with_worker(
    pool: &'static Executor<1, 8, 128>,
    [panicked, callbacks_panicked]: [usize; 2],
    test: impl FnOnce(&Armoury, ThreadId) + Send + 'static,
) {
    within_limit(move || {
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let worker = pool
            .submit(|| thread::current().id())
            .unwrap()
            .result()
            .unwrap();
        test(&Armoury::default(), worker);
        lives_on(pool, worker);
        pool.shutdown(Pending::Run).unwrap();
        crew.join();
        assert_eq!(
            panics_and_slots(pool.stats()),
            [panicked, callbacks_panicked, 0, 0]
        );
    });
}

#[test]
fn closure_that_panics_when_it_is_dropped_after_its_call_is_a_task_that_panicked() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [1, 0], |armoury, worker| {
        let grenade = armoury.grenade();
        let outcome = POOL.submit(move || drop_at_end(&grenade)).unwrap().result();
        assert_eq!(panic_of(outcome), "dropped");
        lives_on(&POOL, worker);
        assert_eq!(armoury.exploded(), 1);
    });
}

/// Leaves the destruction of the capture to the closure itself.
fn drop_at_end(grenade: &Grenade) -> usize {
    grenade.0.load(Ordering::Relaxed)
}

#[test]
fn closure_that_panics_when_it_is_cancelled_is_cancelled() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 0], |armoury, _worker| {
        let (release, released) = channel::<()>();
        let busy = POOL.submit(move || released.recv().unwrap()).unwrap();
        let grenade = armoury.grenade();
        let handle = POOL.submit(move || drop_at_end(&grenade)).unwrap();
        assert_eq!(caught(|| handle.cancel()).ok(), Some(true));
        assert_eq!(armoury.exploded(), 1);
        assert!(matches!(handle.result(), Err(TaskError::Cancelled)));
        release.send(()).unwrap();
        busy.result().unwrap();
    });
}

#[test]
fn results_that_panic_when_they_are_dropped_harm_neither_worker_nor_caller() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 0], |armoury, worker| {
        // By the worker: nobody holds the handle.
        let (release, released) = channel::<()>();
        let grenade = armoury.grenade();
        let task = move || {
            released.recv().unwrap();
            grenade
        };
        POOL.submit(task).unwrap().detach();
        release.send(()).unwrap();
        lives_on(&POOL, worker);
        assert_eq!(armoury.exploded(), 1);

        // By the caller.
        let grenade = armoury.grenade();
        let handle = POOL.submit(move || grenade).unwrap();
        assert!(handle.error().is_none());
        assert!(caught(|| drop(handle)).is_ok());
        assert_eq!(armoury.exploded(), 1);

        // A promise's, by whoever is last to let go of it.
        let (promise, handle) = POOL.promise().unwrap();
        promise.set_result(armoury.grenade()).unwrap();
        drop(promise);
        assert!(caught(|| drop(handle)).is_ok());
        assert_eq!(armoury.exploded(), 1);
        let (promise, handle) = POOL.promise().unwrap();
        promise.set_result(armoury.grenade()).unwrap();
        drop(handle);
        assert!(caught(|| drop(promise)).is_ok());
        assert_eq!(armoury.exploded(), 1);
    });
}

#[test]
fn payloads_that_panic_when_they_are_dropped_harm_neither_worker_nor_caller() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [3, 0], |_armoury, worker| {
        // By the worker: nobody holds the handle.
        let (release, released) = channel::<()>();
        let task = move || {
            released.recv().unwrap();
            resume_unwind(Box::new(Chain))
        };
        let handle: JoinHandle<'_, ()> = POOL.submit(task).unwrap();
        handle.detach();
        release.send(()).unwrap();
        lives_on(&POOL, worker);

        // By the caller, who has not taken it.
        let handle: JoinHandle<'_, ()> = POOL.submit(|| resume_unwind(Box::new(Chain))).unwrap();
        assert!(handle.error().is_some_and(TaskError::is_panicked));
        assert!(caught(|| drop(handle)).is_ok());

        // Taken, it is the caller's own.
        let handle: JoinHandle<'_, ()> = POOL.submit(|| resume_unwind(Box::new(Chain))).unwrap();
        let Err(TaskError::Panicked(panic)) = handle.result() else {
            panic!("the task has not panicked")
        };
        let payload = panic.into_payload();
        assert!(payload.is::<Chain>());
        core::mem::forget(payload);
    });
}

#[test]
fn callbacks_that_panic_or_whose_captures_do_are_counted_and_the_others_called() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [0, 5], |armoury, worker| {
        let (tell, told) = channel();
        let (release, released) = channel::<()>();
        let handle = POOL.submit(move || released.recv().unwrap()).unwrap();
        let grenade = armoury.grenade();
        let first = tell.clone();
        handle
            .add_done_callback(move |_| {
                first.send((1, thread::current().id())).unwrap();
                drop_at_end(&grenade);
            })
            .unwrap();
        handle
            .add_done_callback(|_| resume_unwind(Box::new(Chain)))
            .unwrap();
        handle.add_done_callback(|_| raise("callback")).unwrap();
        let last = tell.clone();
        handle
            .add_done_callback(move |_| last.send((2, thread::current().id())).unwrap())
            .unwrap();
        release.send(()).unwrap();
        assert!(handle.error().is_none());
        assert_eq!(
            [told.recv().unwrap(), told.recv().unwrap()],
            [(1, worker), (2, worker)]
        );
        assert_eq!(
            (armoury.exploded(), POOL.stats().callbacks_panicked),
            (1, 3)
        );

        // To a task that is done they are called by whoever adds them.
        let grenade = armoury.grenade();
        assert!(caught(|| handle.add_done_callback(move |_| drop(grenade)).is_ok()).unwrap());
        assert!(
            caught(|| handle
                .add_done_callback(|_| resume_unwind(Box::new(Chain)))
                .is_ok())
            .unwrap()
        );
        assert_eq!(armoury.exploded(), 1);
        handle.result().unwrap();
    });
}

#[test]
fn futures_that_panic_in_poll_or_when_they_are_dropped_harm_nobody() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    with_worker(&POOL, [1, 0], |armoury, worker| {
        let polled = POOL
            .submit_future(poll_fn(|_| -> Poll<()> { raise("poll") }))
            .unwrap();
        assert_eq!(panic_of(polled.result()), "poll");
        lives_on(&POOL, worker);

        // It is dropped when its output is there already.
        let grenade = armoury.grenade();
        let ended = POOL
            .submit_future(poll_fn(move |_| Poll::Ready(drop_at_end(&grenade))))
            .unwrap();
        assert_eq!(ended.result().unwrap(), 0);
        assert_eq!(armoury.exploded(), 1);
        lives_on(&POOL, worker);

        // Panics as it is cancelled at rest.
        let (tell, told) = channel();
        let grenade = armoury.grenade();
        let resting = poll_fn(move |_| {
            drop_at_end(&grenade);
            tell.send(()).unwrap();
            Poll::<()>::Pending
        });
        let resting = POOL.submit_future(resting).unwrap();
        told.recv().unwrap();
        // The worker is past the poll when it has run another task.
        lives_on(&POOL, worker);
        assert_eq!(caught(|| resting.cancel()).ok(), Some(true));
        assert_eq!(armoury.exploded(), 1);
        assert!(resting.cancelled());
    });
}
