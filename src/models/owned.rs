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
fn two_inline_waiters_keep_the_order_of_their_tasks() {
    model_radio(1, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let [first, second] = [0, 1].map(|_| radio.submit(count).unwrap());
        let other = thread::spawn(move || second.result_inline());
        assert_eq!(first.result_inline(), Ok(1));
        assert_eq!(other.join().unwrap(), Ok(2));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 2);
    });
}

#[test]
fn a_drain_with_an_owner_runs_what_an_inline_waiter_waits_for() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let handle = radio.submit(move |own| {
            drop(counted);
            count(own)
        });
        let waiter = thread::spawn(move || assert_eq!(handle.unwrap().result_inline(), Ok(1)));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 1);
        waiter.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_worker_that_leaves_and_a_drain_that_waits_leave_no_task() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let worker = radio.worker().unwrap();
        let handle = radio.submit(move |_| drop(counted)).unwrap();
        let leaver = thread::spawn(move || drop(worker));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        leaver.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_worker_that_leaves_and_a_drain_that_begins_leave_no_task() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let worker = radio.worker().unwrap();
        radio.submit(move |_| drop(counted)).unwrap().detach();
        let leaver = thread::spawn(move || drop(worker));
        radio.begin_shutdown(Shutdown::Drain);
        leaver.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1, "no thread waits for it");
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_cancel_and_an_inline_waiter_leave_no_task() {
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
fn a_cancel_meets_the_owner_and_an_inline_waiter() {
    model_radio(2, |radio| {
        let (counted, drops) = Counted::new();
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let handle = radio
            .submit_stoppable(move |own, _| {
                drop(counted);
                count(own)
            })
            .unwrap();
        let canceller = handle.canceller();
        let other = thread::spawn(move || canceller.cancel());
        let ended = handle.result_inline();
        let cancelled = other.join().unwrap();
        assert_eq!(ended == Err(TaskError::Cancelled), cancelled);
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), usize::from(!cancelled));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_thread_that_gave_its_worker_away_waits_for_the_new_owner() {
    model_radio(2, |radio| {
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        assert_eq!(worker.run_one(&mut lone), Ran::Nothing);
        let handle = radio.submit(count).unwrap();
        let owner = thread::spawn(own(worker));
        assert_eq!(handle.result(), Ok(1));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 1);
        assert_eq!(lone.get(), 0);
    });
}

#[test]
fn a_stale_worker_touches_nothing_of_a_later_owner() {
    model_radio(2, |radio| {
        let mut stale = radio.worker().unwrap();
        radio.begin_shutdown(Shutdown::Drain);
        assert_eq!(stale.run_one(&mut Lone::new(0)), Ran::Left);
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        let kept = Arc::new(Mutex::new(None));
        let taken = kept.clone();
        let outer = radio.submit(move |_| {
            let inner: crate::JoinHandle<'static, usize, Modelled> =
                taken.lock().unwrap().take().unwrap();
            usize::from(inner.error() == Some(&TaskError::WouldDeadlock))
        });
        *kept.lock().unwrap() = Some(radio.submit(count).unwrap());
        let other = thread::spawn(move || drop(stale));
        assert_eq!(worker.run_one(&mut lone), Ran::Task);
        assert_eq!(worker.run_one(&mut lone), Ran::Task);
        other.join().unwrap();
        assert_eq!(outer.unwrap().result(), Ok(1));
        assert_eq!(lone.get(), 1);
    });
}

/// Has a scope with one task, which changes `local`, and counts the drop of its closure. Returns
/// false if it was refused.
fn scope_once(radio: &Radio, local: &mut Lone) -> bool {
    let (counted, drops) = Counted::new();
    let accepted = radio.scope(|scope| {
        let task = move |own: &mut Lone| {
            drop(counted);
            local.set(count(own));
        };
        scope.submit(task).map(crate::JoinHandle::detach).is_ok()
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1, "nothing has it any more");
    accepted
}

#[test]
fn a_scope_sees_what_the_owner_wrote() {
    model_radio(2, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let mut local = Lone::new(0);
        assert!(scope_once(radio, &mut local));
        assert_eq!(local.get(), 1);
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 1);
    });
}

#[test]
fn a_worker_that_leaves_and_a_scope_that_waits_leave_no_task() {
    model_radio(3, |radio| {
        let worker = radio.worker().unwrap();
        let leaver = thread::spawn(move || drop(worker));
        let mut local = Lone::new(0);
        assert!(scope_once(radio, &mut local));
        assert_eq!(local.get(), 0);
        leaver.join().unwrap();
        assert!(radio.worker().is_ok());
    });
}

#[test]
fn an_owner_that_runs_a_task_and_leaves_wakes_a_scope() {
    model_radio(2, |radio| {
        let mut worker = radio.worker().unwrap();
        let owner = thread::spawn(move || {
            let mut lone = Lone::new(0);
            let _ = worker.run_one(&mut lone);
            drop(worker);
            lone.get()
        });
        let mut local = Lone::new(0);
        assert!(scope_once(radio, &mut local));
        assert_eq!(
            owner.join().unwrap(),
            local.get(),
            "it ran, or was cancelled"
        );
    });
}

#[test]
fn an_owner_that_begins_while_a_scope_ends_runs_its_task_or_none() {
    model_radio(2, |radio| {
        let owner = thread::spawn(move || {
            let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
            let _ = worker.run_one(&mut lone);
            drop(worker);
            lone.get()
        });
        let mut local = Lone::new(0);
        assert!(scope_once(radio, &mut local));
        assert_eq!(owner.join().unwrap(), local.get());
    });
}

#[test]
fn a_drain_and_a_scope_leave_no_task() {
    model_radio(2, |radio| {
        let owner = thread::spawn(own(radio.worker().unwrap()));
        let other = thread::spawn(move || radio.begin_shutdown(Shutdown::Drain));
        let mut local = Lone::new(0);
        let accepted = scope_once(radio, &mut local);
        assert_eq!(local.get(), usize::from(accepted));
        other.join().unwrap();
        assert_eq!(owner.join().unwrap(), usize::from(accepted));
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_cancel_a_worker_that_leaves_and_a_scope_leave_no_task() {
    model_radio(2, |radio| {
        let worker = radio.worker().unwrap();
        let other = thread::spawn(move || radio.begin_shutdown(Shutdown::Cancel));
        let leaver = thread::spawn(move || drop(worker));
        let mut local = Lone::new(0);
        let _ = scope_once(radio, &mut local);
        assert_eq!(local.get(), 0);
        other.join().unwrap();
        leaver.join().unwrap();
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

#[test]
fn a_task_that_submits_to_its_scope_before_its_owner_leaves_wakes_the_scope() {
    model_radio(2, |radio| {
        let mut worker = radio.worker().unwrap();
        let owner = thread::spawn(move || {
            let _ = worker.run_one(&mut Lone::new(0));
        });
        let (counted, drops) = Counted::new();
        radio.scope(|scope| {
            let task = move |_: &mut Lone| {
                let nested = move |_: &mut Lone| drop(counted);
                scope.submit(nested).unwrap().detach();
            };
            scope.submit(task).unwrap().detach();
        });
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        owner.join().unwrap();
        assert!(radio.worker().is_ok());
    });
}
