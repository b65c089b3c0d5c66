//! Lent tasks that are polled, or have dates: a wake against the owner's rest, a cancel, a drain,
//! and a worker that leaves. Only the owner polls, whichever thread wakes or waits.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use super::dates::{KeepsTime, Times, advance_elsewhere};
use super::*;
use crate::{Every, Owned, OwnedWorker, Timetable};

/// What the owner owns. Loom checks each access to it.
type Lone = loom::cell::Cell<usize>;
type Radio<H = Modelled> = Owned<Lone, 2, 128, H>;
type Radios = OwnedWorker<'static, Lone, Modelled>;

fn model_lent(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(
        builder
            .preemption_bound
            .map_or(preemptions, |bound| bound.min(preemptions)),
    );
    builder.check(body);
}

/// Runs `body` with a leaked owner, in every interleaving with at most so many preemptions.
fn model_radio(preemptions: usize, body: fn(&'static Radio)) {
    model_lent(preemptions, move || {
        let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
        body(radio);
        assert_eq!(radio.stats().slots_in_use, 0);
        assert!(radio.worker().is_ok(), "nothing is left of the life");
    });
}

/// As `model_radio`, with a timetable. At the end no date is left, and both timers are free.
fn model_dates(preemptions: usize, body: fn(&'static Radio, &'static Times)) {
    model_lent(preemptions, move || {
        let radio: &'static Radio = Box::leak(Box::new(Radio::new()));
        let times: &'static Times = Box::leak(Box::new(Times::new()));
        body(radio, times);
        assert_eq!(times.next_date(), None);
        let sleeps = [0, 0].map(|date| times.on_owned(radio).sleep_until(date).is_ok());
        assert_eq!(sleeps, [true; 2]);
        assert_eq!(radio.stats().slots_in_use, 0);
    });
}

/// Counts up what was lent.
fn count(own: &mut Lone) -> usize {
    own.set(own.get() + 1);
    own.get()
}

/// Lets a poll through once it is open.
#[derive(Clone)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((false, None))))
    }

    fn pass(&self, context: &Context<'_>) -> bool {
        let mut inside = self.0.lock().unwrap();
        if !inside.0 {
            inside.1 = Some(context.waker().clone());
        }
        inside.0
    }

    /// Opens, and wakes the task if it has been polled.
    fn open(&self) {
        let waker = {
            let mut inside = self.0.lock().unwrap();
            inside.0 = true;
            inside.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn opens_elsewhere(&self) -> thread::JoinHandle<()> {
        let gate = self.clone();
        thread::spawn(move || gate.open())
    }
}

/// Is ready once the gate is open, with the number of its poll among all uses of what is lent.
fn passes(
    gate: &Gate,
    counted: Counted,
) -> impl FnMut(&mut Lone, &mut Context<'_>) -> Poll<usize> + Send + 'static {
    let gate = gate.clone();
    move |own, context| {
        let _ = &counted;
        let number = count(own);
        if gate.pass(context) {
            Poll::Ready(number)
        } else {
            Poll::Pending
        }
    }
}

/// Has the owner poll once, in a thread of its own, which gives the worker back.
fn poll_once_elsewhere(mut worker: Radios) -> Radios {
    let owner = thread::spawn(move || {
        assert_eq!(worker.run_one(&mut Lone::new(0)), Ran::Task);
        worker
    });
    owner.join().unwrap()
}

fn run_all(worker: &mut Radios, lone: &mut Lone) {
    while worker.run_one(lone) == Ran::Task {}
}

/// The wake comes before the poll, during it, or when the task rests.
#[test]
fn a_wake_and_an_inline_waiter_leave_the_poll_to_the_owner() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        let worker = radio.worker().unwrap();
        let owner = thread::spawn(move || worker.run(Lone::new(0)).get());
        let opener = gate.opens_elsewhere();
        let number = polled.result_inline().unwrap();
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), number);
        opener.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_drain_waits_for_the_wake_of_a_task_that_rests() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        let worker = poll_once_elsewhere(radio.worker().unwrap());
        let opener = gate.opens_elsewhere();
        let owner = thread::spawn(move || worker.run(Lone::new(0)).get());
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(polled.result(), Ok(1), "with what the new owner owns");
        assert_eq!(owner.join().unwrap(), 1);
        opener.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_cancel_meets_a_wake_and_the_end_of_a_poll() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        let canceller = polled.canceller();
        let opener = gate.opens_elsewhere();
        let other = thread::spawn(move || canceller.cancel());
        run_all(&mut worker, &mut lone);
        opener.join().unwrap();
        let cancelled = other.join().unwrap();
        run_all(&mut worker, &mut lone);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(polled.result().is_ok(), !cancelled);
    });
}

/// The wake may move the task between the two lists that the shutdown and the worker look at.
#[test]
fn a_worker_that_leaves_and_a_wake_leave_a_drain_no_task() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        let worker = poll_once_elsewhere(radio.worker().unwrap());
        let opener = gate.opens_elsewhere();
        let leaver = thread::spawn(move || drop(worker));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(polled.result(), Err(TaskError::Cancelled));
        leaver.join().unwrap();
        opener.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// As above, and no thread waits for the end of the life.
#[test]
fn a_worker_that_leaves_and_a_drain_that_begins_leave_no_task_that_rests() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        polled.detach();
        let worker = poll_once_elsewhere(radio.worker().unwrap());
        let opener = gate.opens_elsewhere();
        let leaver = thread::spawn(move || drop(worker));
        radio.begin_shutdown(Shutdown::Drain);
        leaver.join().unwrap();
        opener.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_shutdown_that_cancels_meets_a_wake_and_the_end_of_a_poll() {
    model_radio(2, |radio| {
        let ((counted, drops), gate) = (Counted::new(), Gate::new());
        let polled = radio.submit_poll(passes(&gate, counted)).unwrap();
        let worker = radio.worker().unwrap();
        let owner = thread::spawn(move || worker.run(Lone::new(0)).get());
        let opener = gate.opens_elsewhere();
        radio.shutdown(Shutdown::Cancel).unwrap();
        assert!(matches!(
            polled.result(),
            Ok(1 | 2) | Err(TaskError::Cancelled)
        ));
        owner.join().unwrap();
        opener.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_date_of_an_owner_that_becomes_due_while_it_is_cancelled_runs_or_is_dropped_once() {
    model_dates(2, |radio, times| {
        let (counted, drops) = Counted::new();
        let task = move |own: &mut Lone| {
            drop(counted);
            count(own)
        };
        let handle = times.on_owned(radio).submit_at(0, task).unwrap();
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        let mover = advance_elsewhere(times);
        let cancelled = handle.cancel();
        mover.join().unwrap();
        run_all(&mut worker, &mut lone);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(lone.get(), usize::from(!cancelled));
        assert_eq!(handle.result().is_ok(), !cancelled);
    });
}

#[test]
fn a_date_that_becomes_due_while_the_worker_leaves_ends_in_a_drain() {
    model_dates(2, |radio, times| {
        let (counted, drops) = Counted::new();
        let task = move |_: &mut Lone| drop(counted);
        let handle = times.on_owned(radio).submit_at(0, task).unwrap();
        let worker = radio.worker().unwrap();
        let mover = advance_elsewhere(times);
        let leaver = thread::spawn(move || drop(worker));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        mover.join().unwrap();
        leaver.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_series_of_an_owner_that_becomes_due_while_it_runs_runs_again() {
    model_dates(2, |radio, times| {
        let every = Every::ticks(1).first_at(0);
        let series = times.on_owned(radio).submit_every(every, |own, _| {
            if count(own) == 2 {
                ControlFlow::Break(own.get())
            } else {
                ControlFlow::Continue(())
            }
        });
        let series = series.unwrap();
        let (mut worker, mut lone) = (radio.worker().unwrap(), Lone::new(0));
        times.advance();
        let mover = advance_elsewhere(times);
        run_all(&mut worker, &mut lone);
        mover.join().unwrap();
        times.advance();
        run_all(&mut worker, &mut lone);
        assert_eq!(series.result(), Ok(2));
    });
}

/// The only worker is an owner's: it keeps the time, and may be about to sleep without a date.
#[test]
fn an_owner_that_falls_asleep_hears_of_a_first_date() {
    model_lent(2, || {
        let radio: &'static Radio<KeepsTime> = Box::leak(Box::new(Radio::new()));
        let times: &'static Timetable<2, KeepsTime> = Box::leak(Box::new(Timetable::new()));
        let worker = radio.worker().unwrap();
        let owner = thread::spawn(move || worker.run(Lone::new(0)).get());
        let handle = times.on_owned(radio).submit_at(0, count).unwrap();
        assert_eq!(handle.result(), Ok(1));
        radio.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(owner.join().unwrap(), 1);
        assert_eq!(times.next_date(), None);
    });
}
