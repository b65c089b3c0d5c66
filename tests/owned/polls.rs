//! Tasks that are polled: they wait in between, and get what the worker owns in each poll.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::{
    Owned, OwnedWorker, Ran, Refusal, ReturnWhen, Shutdown, StdThreads, TaskError, TaskState,
    as_completed, wait,
};

use crate::connection::Connection;

pub(crate) type Line = Owned<Connection, 4, 128>;

pub(crate) fn leak() -> &'static Line {
    Box::leak(Box::new(Line::new()))
}

/// Lets a poll through when the test says so, and keeps the waker of the last poll.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    /// Passes, or keeps the waker.
    pub(crate) fn pass(&self, context: &Context<'_>) -> bool {
        let mut inside = self.0.lock().unwrap();
        inside.1 = Some(context.waker().clone());
        inside.0
    }

    /// The waker of the last poll.
    pub(crate) fn waker(&self) -> Waker {
        self.0.lock().unwrap().1.clone().unwrap()
    }

    pub(crate) fn open(&self) {
        self.0.lock().unwrap().0 = true;
    }

    /// Opens, and wakes the task.
    pub(crate) fn open_and_wake(&self) {
        self.open();
        self.waker().wake();
    }
}

/// Counts its drops.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn counted() -> (Counted, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Counted(Arc::clone(&drops)), drops)
}

/// Sends `number` in each poll, and is ready with what was sent when the gate is open.
pub(crate) fn sends(
    number: u32,
    gate: &Gate,
    counted: Counted,
) -> impl FnMut(&mut Connection, &mut Context<'_>) -> Poll<usize> + Send + 'static {
    let gate = gate.clone();
    move |own, context| {
        let _ = &counted;
        let sent = own.send(number);
        if gate.pass(context) {
            Poll::Ready(sent)
        } else {
            Poll::Pending
        }
    }
}

/// Runs what is queued. Returns how many tasks were run or polled. More than fifty are too many.
pub(crate) fn run_all(
    worker: &mut OwnedWorker<'static, Connection>,
    own: &mut Connection,
) -> usize {
    let mut ran = 0;
    while worker.run_one(own) == Ran::Task {
        ran += 1;
        assert!(ran < 50, "it never comes to rest");
    }
    ran
}

#[test]
fn a_task_rests_between_its_polls_and_others_have_the_owned_meanwhile() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let mut polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    assert_eq!(polled.canceller().state(), TaskState::Pending);
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert!(polled.running() && !polled.done());
    owned.submit(|own| own.send(2)).unwrap().detach();
    assert_eq!(run_all(&mut worker, &mut own), 1, "nothing woke it");
    gate.open();
    assert_eq!(run_all(&mut worker, &mut own), 0, "nothing woke it");
    gate.waker().wake();
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(polled.try_result(), Some(Ok(3)));
    assert_eq!(own.sent(), [1, 2, 1]);
    drop(polled);
    let stats = owned.stats();
    assert_eq!((stats.completed, stats.slots_in_use), (2, 0));
}

#[test]
fn a_woken_task_stands_behind_what_is_in_the_queue() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let gate = Gate::default();
    let polled = owned.submit_poll(sends(1, &gate, counted().0)).unwrap();
    run_all(&mut worker, &mut own);
    owned.submit(|own| own.send(2)).unwrap().detach();
    gate.open_and_wake();
    gate.waker().wake();
    owned.submit(|own| own.send(3)).unwrap().detach();
    assert_eq!(run_all(&mut worker, &mut own), 3);
    assert_eq!(own.sent(), [1, 2, 1, 3]);
    assert_eq!(polled.result(), Ok(3));
}

#[test]
fn a_wake_during_a_poll_brings_the_next_one() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let mut polls = 0;
    let polled = owned.submit_poll(move |own, context| {
        own.send(1);
        context.waker().wake_by_ref();
        polls += 1;
        if polls == 3 {
            Poll::Ready("third")
        } else {
            Poll::Pending
        }
    });
    let mut polled = polled.unwrap();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(polled.canceller().state(), TaskState::Running);
    owned.submit(|own| own.send(2)).unwrap().detach();
    assert_eq!(run_all(&mut worker, &mut own), 3);
    assert_eq!(polled.try_result(), Some(Ok("third")));
    assert_eq!(own.sent(), [1, 1, 2, 1]);
}

#[test]
fn a_panic_in_a_poll_ends_the_task_and_the_owner_goes_on() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let passes = gate.clone();
    let polled = owned.submit_poll(move |own, context| -> Poll<()> {
        let _ = &counted;
        own.send(1);
        assert!(!passes.pass(context), "the gate is open");
        Poll::Pending
    });
    let polled = polled.unwrap();
    run_all(&mut worker, &mut own);
    gate.open_and_wake();
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert!(polled.error().is_some_and(TaskError::is_panicked));
    drop(polled);
    gate.waker().wake();
    let mut next = owned.submit(|own| own.sent()).unwrap();
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(next.try_result(), Some(Ok(vec![1, 1])));
    assert_eq!(owned.stats().panicked, 1);
}

#[test]
fn the_owners_thread_polls_what_another_thread_wakes() {
    let owned = leak();
    owned
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    let rounds = if cfg!(miri) { 5 } else { 500 };
    for round in 0..rounds {
        let gate = Gate::default();
        let (tell, told) = channel();
        let passes = gate.clone();
        let polled = owned.submit_poll(move |own, context| {
            own.send(round);
            let through = passes.pass(context);
            let _ = tell.send(());
            if through {
                Poll::Ready(thread::current().id())
            } else {
                Poll::Pending
            }
        });
        told.recv().unwrap();
        // The owner may be in the poll still, or have gone to sleep.
        gate.open_and_wake();
        let there = polled.unwrap().result_inline().unwrap();
        assert_ne!(there, thread::current().id());
    }
    owned.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn a_resting_or_woken_task_is_cancelled_in_the_calling_thread_and_dropped_once() {
    for is_woken in [false, true] {
        let owned = leak();
        let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
        let ((counted, drops), gate) = (counted(), Gate::default());
        let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
        run_all(&mut worker, &mut own);
        if is_woken {
            gate.waker().wake();
        }
        assert!(polled.cancel());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        gate.open_and_wake();
        assert_eq!(run_all(&mut worker, &mut own), 0);
        assert_eq!(polled.result(), Err(TaskError::Cancelled));
        assert_eq!(own.sent(), [1]);
        assert_eq!(owned.stats().slots_in_use, 0);
    }
}

#[test]
fn a_dropped_handle_lets_the_task_go_on_and_cancel_on_drop_ends_it() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted_1, drops_1), gate_1) = (counted(), Gate::default());
    let ((counted_2, drops_2), gate_2) = (counted(), Gate::default());
    let goes_on = owned.submit_poll(sends(1, &gate_1, counted_1)).unwrap();
    let ends = owned.submit_poll(sends(2, &gate_2, counted_2)).unwrap();
    run_all(&mut worker, &mut own);
    goes_on.detach();
    drop(ends.cancel_on_drop());
    assert_eq!(drops_2.load(Ordering::Relaxed), 1);
    assert_eq!(owned.stats().slots_in_use, 1);
    gate_1.open_and_wake();
    gate_2.open_and_wake();
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(drops_1.load(Ordering::Relaxed), 1);
    assert_eq!(owned.stats().slots_in_use, 0);
}

/// A waker that is older than the task brings a poll for no reason, never more.
#[test]
fn an_old_waker_brings_a_later_task_of_its_slot_at_most_a_poll() {
    let owned: &'static Owned<Connection, 1, 128> = Box::leak(Box::new(Owned::new()));
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let old = Gate::default();
    let first = owned.submit_poll(sends(1, &old, counted().0)).unwrap();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert!(first.cancel());
    drop(first);
    let ((counted, drops), gate) = (counted(), Gate::default());
    let mut later = owned.submit_poll(sends(2, &gate, counted)).unwrap();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    old.waker().wake();
    old.waker().wake();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(worker.run_one(&mut own), Ran::Nothing);
    gate.open_and_wake();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(later.try_result(), Some(Ok(4)));
    drop(later);
    let mut closure = owned.submit(|own| own.send(3)).unwrap();
    old.waker().wake();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    old.waker().wake();
    assert_eq!(worker.run_one(&mut own), Ran::Nothing);
    assert_eq!(closure.try_result(), Some(Ok(5)));
}

/// Runs `outer` as a task of the owner while a polled task rests, or is queued again.
fn nested<R: Send + 'static>(
    is_woken: bool,
    outer: impl FnOnce(slotted::JoinHandle<'static, usize>) -> R + Send + 'static,
) -> R {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    assert_eq!(run_all(&mut worker, &mut own), 1);
    let outer = owned.submit(move |own| own.alone(|_| outer(polled)));
    if is_woken {
        gate.open_and_wake();
    }
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(own.sent(), [1], "it was polled in no other place");
    if !is_woken {
        gate.open_and_wake();
    }
    run_all(&mut worker, &mut own);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(owned.stats().slots_in_use, 1);
    outer.unwrap().result().unwrap()
}

#[test]
fn the_owner_cannot_wait_for_a_task_that_it_would_have_to_poll() {
    for is_woken in [false, true] {
        let told = nested(is_woken, |polled| polled.result());
        assert_eq!(told, Err(TaskError::WouldDeadlock));
        let told = nested(is_woken, |polled| polled.result_inline());
        assert_eq!(told, Err(TaskError::WouldDeadlock));
        let told = nested(is_woken, |polled| {
            wait(&mut [polled], ReturnWhen::AllCompleted).not_done.len()
        });
        assert_eq!(told, 1);
        let told = nested(is_woken, |polled| {
            as_completed([polled]).next().map(|handle| handle.result())
        });
        assert!(matches!(told, None | Some(Err(_))), "{told:?}");
        let told = nested(is_woken, |mut polled| {
            polled.result_timeout(core::time::Duration::from_millis(1))
        });
        assert_eq!(told, Err(TaskError::TimedOut));
        let told = nested(is_woken, |polled| polled.cancel_sync());
        assert_eq!(told, Err(TaskError::Cancelled));
    }
}

#[test]
fn a_refused_closure_comes_back() {
    let owned: &'static Owned<Connection, 1, 128> = Box::leak(Box::new(Owned::new()));
    let ready = |own: &mut Connection, _: &mut Context<'_>| Poll::Ready(own.send(1));
    let (counted, drops) = counted();
    let gate = Gate::default();
    let permit = owned.reserve().unwrap();
    let full = owned
        .submit_poll(sends(1, &gate, counted))
        .expect_err("a permit has the slot");
    assert_eq!(full.reason(), Refusal::Full);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    let closure = full.into_inner();
    let polled = permit.submit_poll(ready).unwrap();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(polled.result(), Ok(1));

    let permit = owned.reserve().unwrap();
    owned.begin_shutdown(Shutdown::Drain);
    let refused = permit.submit_poll(closure).expect_err("it is shut down");
    assert_eq!(refused.reason(), Refusal::ShutDown);
    let refused = owned
        .submit_poll(refused.into_inner())
        .expect_err("it is shut down");
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(refused);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(own.sent(), [1]);
    assert_eq!(owned.stats().slots_in_use, 0);
    // The slot that had its mark serves a closure.
    assert_eq!(worker.run_one(&mut own), Ran::Left);
    let mut worker = owned.worker().unwrap();
    let mut next = owned.submit(|own| own.send(2)).unwrap();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(next.try_result(), Some(Ok(2)));
}
