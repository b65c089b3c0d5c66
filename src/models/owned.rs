//! Lent closures: an inline waiter, which has nothing to lend, against the owner, a shutdown, and
//! requests to stop.
#![forbid(unsafe_code)]

use super::*;
use crate::{Owned, OwnedWorker};

/// What the owner owns. Loom checks each access to it.
type Lone = loom::cell::Cell<usize>;
type Radio = Owned<Lone, 2, 64, Modelled>;
type Radios = OwnedWorker<'static, Lone, Modelled>;

/// Runs `body` with a leaked executor, in every interleaving with at most so many preemptions.
fn model_radio(preemptions: usize, body: fn(&'static Radio)) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(
        builder
            .preemption_bound
            .map_or(preemptions, |bound| bound.min(preemptions)),
    );
    builder.check(move || {
        let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
        body(radio);
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

/// Counts up what was lent.
fn count(own: &mut Lone) -> usize {
    own.set(own.get() + 1);
    own.get()
}

fn own(worker: Radios) -> impl FnOnce() -> usize {
    move || worker.run(Lone::new(0)).get()
}

#[test]
fn an_inline_waiter_leaves_its_task_to_the_owner() {
    model_radio(2, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let handle = radio.submit(count).unwrap();
        assert_eq!(handle.result_inline(), Ok(1));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 1);
    });
}

#[test]
fn an_inline_waiter_of_the_second_task_never_meets_the_first() {
    model_radio(2, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        radio.submit(count).unwrap().detach();
        let handle = radio.submit(count).unwrap();
        assert!(handle.result_inline().is_ok());
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 2);
    });
}

#[test]
fn a_drain_leaves_no_task_that_an_inline_waiter_took() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let handle = radio.submit(move |own| {
            drop(counted);
            count(own)
        });
        let waiter = thread::spawn(move || drop(handle.unwrap().result_inline()));
        radio.shutdown(Shutdown::Drain).unwrap();
        owner.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_cancel_leaves_no_task_that_an_inline_waiter_took() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let worker = radio.worker().unwrap();
        let handle = radio.submit(move |_| drop(counted)).unwrap();
        let waiter = thread::spawn(move || drop(handle.result_inline()));
        radio.begin_shutdown(Shutdown::Cancel);
        drop(worker);
        waiter.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_request_to_stop_meets_a_task_that_an_inline_waiter_took() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let handle = radio
            .submit_stoppable(move |own, stop| {
                drop(counted);
                assert!(!stop.requested(), "it is cancelled instead");
                count(own)
            })
            .unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.request_stop());
        let ended = handle.result_inline().unwrap_err();
        assert!(matches!(
            ended,
            TaskError::NotStarted | TaskError::Cancelled
        ));
        let asked = other.join().unwrap();
        let ran = radio.worker().unwrap().run_one(&mut Lone::new(0));
        assert_eq!(ran == Ran::Nothing, asked);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_request_to_stop_meets_a_task_that_was_set_aside() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        assert_eq!(worker.run_one(&mut lone), Ran::Nothing);
        let handle = radio
            .submit_stoppable(move |own, _| {
                drop(counted);
                count(own)
            })
            .unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || (canceller.cancel(), canceller.request_stop()));
        let told = handle.error() == Some(&TaskError::WouldDeadlock);
        let (cancelled, asked) = other.join().unwrap();
        let ran = worker.run_one(&mut lone) == Ran::Task;
        assert_eq!(ran, !cancelled && !asked);
        assert!(told || cancelled || asked);
        drop(handle);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn two_waiters_take_a_task_in_turn_and_the_owner_runs_it_once() {
    model_radio(1, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let [first, second] = [0, 1].map(|_| radio.submit(count).unwrap());
        let other = thread::spawn(move || first.result_inline());
        let ours = second.result_inline().unwrap();
        let theirs = other.join().unwrap().unwrap();
        assert_eq!(ours + theirs, 3);
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 2);
    });
}
