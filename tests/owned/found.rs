//! What a review of an earlier design asked for. Each test says what is promised.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::Wake;

use slotted::{
    JoinHandle, Owned, Park, Ran, ReturnWhen, Shutdown, SimHost, Simulation, StdHost, StdThreads,
    Step, TaskError, wait,
};

fn leak<L, const QUEUE: usize, H: Park>() -> &'static Owned<L, QUEUE, 128, H> {
    Box::leak(Box::new(Owned::new()))
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// `OwnedWorker::ready`: "Waits until `run_one` has something to do."
#[test]
fn a_wait_between_ready_and_its_poll_takes_no_task_away() {
    let owned: &'static Owned<u32, 4, 128> = leak();
    let (mut worker, mut number) = (owned.worker().unwrap(), 0);
    assert_eq!(worker.run_one(&mut number), Ran::Nothing);
    let mut handle = owned.submit(|number| *number += 1).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let polled = {
        let mut ready = pin!(worker.ready());
        // Another future of the same task, say, that is polled first.
        let limit = Duration::from_millis(1);
        assert_eq!(handle.result_timeout(limit), Err(TaskError::TimedOut));
        ready.as_mut().poll(&mut Context::from_waker(&waker))
    };
    assert!(polled.is_ready(), "there is work, and `ready` sleeps");
    assert_eq!(worker.run_one(&mut number), Ran::Task);
}

/// The thread has no worker any more: its wait is no deadlock.
#[test]
fn a_thread_that_gave_its_worker_away_can_wait() {
    let seeds = if cfg!(miri) { 2 } else { 200 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let owned: &'static Owned<u32, 4, 128, SimHost> = leak();
        let (mut worker, mut number) = (owned.worker().unwrap(), 0);
        owned.submit(|number| *number += 1).unwrap().detach();
        assert_eq!(worker.run_one(&mut number), Ran::Task);
        let handle = owned.submit(|number| *number += 1).unwrap();
        simulation
            .spawn("owner", move || assert_eq!(worker.run(0), 1))
            .unwrap();
        assert_eq!(handle.result(), Ok(()));
        owned.shutdown(Shutdown::Drain).unwrap();
    });
}

thread_local! {
    static STARTS: Cell<usize> = const { Cell::new(0) };
}

/// The standard host. Counts what each thread starts.
struct Counting;

impl Park for Counting {
    type Thread = <StdHost as Park>::Thread;
    type Order = slotted::Fifo;
    fn current() -> Self::Thread {
        StdHost::current()
    }
    fn current_id() -> usize {
        StdHost::current_id()
    }
    fn park() {
        StdHost::park();
    }
    fn unpark(thread: &Self::Thread) {
        StdHost::unpark(thread);
    }
    fn note(step: impl FnOnce() -> Step) {
        if let Step::Started { .. } = step() {
            STARTS.with(|starts| starts.set(starts.get() + 1));
        }
    }
}

/// `Owned::shutdown`: "has the owner run those that have not started".
#[test]
fn a_drain_with_an_owner_cancels_no_task_that_an_inline_waiter_waits_for() {
    let seeds = if cfg!(miri) { 2 } else { 300 };
    Simulation::check_seeds(0..seeds, |simulation| {
        let owned: &'static Owned<u32, 4, 128, SimHost> = leak();
        let worker = owned.worker().unwrap();
        let handle = owned.submit(|number| *number + 1).unwrap();
        let waiter = move || assert_eq!(handle.result_inline(), Ok(7));
        simulation.spawn("waiter", waiter).unwrap();
        let owner = move || assert_eq!(worker.run(6), 6);
        simulation.spawn("owner", owner).unwrap();
        owned.shutdown(Shutdown::Drain).unwrap();
    });
}

/// `Step`: "A closure starts at most once."
#[test]
fn a_closure_is_told_as_started_at_most_once() {
    let owned: &'static Owned<u32, 4, 128, Counting> = leak();
    let handle = owned.submit(|number| *number += 1).unwrap();
    assert_eq!(handle.result_inline(), Err(TaskError::NotStarted));
    let handle = owned.submit(|number| *number += 1).unwrap();
    let (mut worker, mut number) = (owned.worker().unwrap(), 0);
    assert_eq!(worker.run_one(&mut number), Ran::Task);
    assert_eq!(worker.run_one(&mut number), Ran::Task);
    drop(handle);
    assert_eq!(STARTS.with(Cell::get), 2, "two closures ran");
}

/// A worker that leaves leaves no task behind that no thread has.
#[test]
fn a_wait_while_the_worker_leaves_leaves_no_task_behind() {
    let owned: &'static Owned<u32, 4, 128> = leak();
    let (mut worker, mut number) = (owned.worker().unwrap(), 0);
    assert_eq!(worker.run_one(&mut number), Ran::Nothing);
    let first = owned.submit(|number| *number += 1).unwrap();
    let second: JoinHandle<'static, ()> = owned.submit(|number| *number += 1).unwrap();
    let (tell, told) = channel();
    // Runs in the thread that cancels `first`: the owner, while its worker leaves.
    let callback = move |_: Result<&(), &TaskError>| {
        let not_started = second.error() == Some(&TaskError::NotStarted);
        tell.send((not_started, second)).unwrap();
    };
    first.add_done_callback(callback).unwrap();
    owned.begin_shutdown(Shutdown::Drain);
    drop(worker);
    assert!(first.cancelled());
    owned.shutdown(Shutdown::Drain).unwrap();
    let (not_started, second) = told.recv().unwrap();
    assert!(not_started, "no owner is left, and the wait does not hang");
    assert!(second.cancelled());
}

/// Tells when it is gone, and takes its time.
struct Slow(Arc<AtomicBool>);

impl Drop for Slow {
    fn drop(&mut self) {
        let (_keep, never) = channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(200));
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `Owned::start`: a thread "which makes the `L`, owns it, and drops it after the last task". The
/// next life makes another `L`, of the same peripheral.
#[test]
fn after_a_shutdown_the_owned_is_gone() {
    static OWNED: Owned<Slow, 4> = Owned::new();
    let gone = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&gone);
    OWNED
        .start(&StdThreads::new(), move || Ok(Slow(flag)))
        .unwrap();
    OWNED.submit(|_| ()).unwrap().result().unwrap();
    OWNED.shutdown(Shutdown::Drain).unwrap();
    assert!(
        gone.load(Ordering::Relaxed),
        "the peripheral is still taken"
    );
}

/// "Tasks start in the order of submission", also if their owner waited for them.
#[test]
fn what_the_owner_waited_for_keeps_its_order() {
    let owned: &'static Owned<Vec<u32>, 4, 128> = leak();
    let (give, take) = channel::<[JoinHandle<'static, ()>; 2]>();
    let outer = owned.submit(move |_| {
        let mut handles = take.recv().unwrap();
        handles.reverse();
        wait(&mut handles, ReturnWhen::FirstCompleted).done.len()
    });
    // The slot that was used last is used next.
    let [one, two] = [0, 1].map(|_| owned.reserve().unwrap());
    drop(one);
    drop(two);
    let handles = [1, 2].map(|number| {
        let task = move |numbers: &mut Vec<u32>| numbers.push(number);
        owned.submit(task).unwrap()
    });
    give.send(handles).unwrap();
    let (mut worker, mut numbers) = (owned.worker().unwrap(), vec![]);
    while worker.run_one(&mut numbers) == Ran::Task {}
    assert_eq!(outer.unwrap().result(), Ok(0));
    assert_eq!(numbers, [1, 2]);
}

thread_local! {
    /// What the thread of the test keeps for a task that it runs itself.
    static KEPT: RefCell<Option<Box<dyn FnOnce() -> usize>>> = const { RefCell::new(None) };
}

/// A task cannot wait for another task of its owner, or of the owner beneath: "a wait without a
/// limit gets `WouldDeadlock` at once".
#[test]
fn a_thread_inside_two_owners_is_told_of_a_deadlock_over_both() {
    let simulation = Simulation::new();
    let owners: [&'static Owned<u32, 4, 128, SimHost>; 2] = [leak(), leak()];
    let [mut lower, mut upper] = owners.map(|owned| owned.worker().unwrap());
    let innermost = owners[1].submit(|_| KEPT.take().unwrap()()).unwrap();
    let outermost = owners[0].submit(move |number| {
        assert_eq!(upper.run_one(number), Ran::Task);
        upper
    });
    let mut handles = owners.map(|owned| owned.submit(|number| *number += 1).unwrap());
    KEPT.set(Some(Box::new(move || {
        wait(&mut handles, ReturnWhen::FirstCompleted).done.len()
    })));
    assert_eq!(lower.run_one(&mut 0), Ran::Task);
    assert_eq!(innermost.result(), Ok(0));
    drop(outermost);
    drop(simulation);
}
