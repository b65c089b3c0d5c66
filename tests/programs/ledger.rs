//! The account of each task: what was made, run, dropped and told.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use slotted::TaskError;

/// What a task returns: `Err` is a failure of its own.
pub(crate) type Output = Result<Value, Failure>;

/// One task's account. Its counters are no steps of a schedule.
#[derive(Debug, Default)]
pub(crate) struct Account {
    number: usize,
    /// How many lives had begun before it was submitted.
    life: usize,
    /// The host has workers in each life. A wait for the task never lacks a start.
    is_served: bool,
    /// How the task came to be, for the reader of a failure.
    origin: String,
    /// A closure that started, or a future that ended by itself.
    ran: AtomicUsize,
    is_future: AtomicBool,
    /// Its promise may be dropped.
    is_promise: AtomicBool,
    accepted: AtomicBool,
    /// A canceller was told that it cancelled the task.
    cancelled: AtomicBool,
    /// Requests that are about to be made, and those that were the first. A shutdown that stops
    /// makes one of neither.
    asked: AtomicUsize,
    first_asked: AtomicUsize,
    /// The closure saw a request.
    saw_request: AtomicBool,
    /// The task may have been cancelled: a handle that cancels was dropped.
    perhaps_cancelled: AtomicBool,
    has_capture: AtomicBool,
    captures_dropped: AtomicUsize,
    values_made: AtomicUsize,
    values_dropped: AtomicUsize,
    callbacks_added: AtomicUsize,
    callbacks_called: AtomicUsize,
    forgotten: AtomicBool,
    /// The limit of a wait for it passed.
    outlived_a_limit: AtomicBool,
    seen: Mutex<Option<Seen>>,
    faults: Mutex<Vec<String>>,
}

/// How a task ended, as an observer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Value,
    Failure,
    Panicked,
    Cancelled,
    Broken,
}

/// The value of a task. Counts its drop.
#[derive(Debug)]
pub(crate) struct Value(Arc<Account>);

/// The failure of a task.
#[derive(Debug)]
pub(crate) struct Failure(Value);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.values_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a task captures. Counts its drop.
#[derive(Debug)]
pub(crate) struct Capture(pub(crate) Arc<Account>);

impl Drop for Capture {
    fn drop(&mut self) {
        self.0.captures_dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Account {
    pub(crate) fn new(number: usize, life: usize, is_served: bool, origin: String) -> Arc<Self> {
        Arc::new(Self {
            number,
            life,
            is_served,
            origin,
            ..Self::default()
        })
    }

    pub(crate) fn life(&self) -> usize {
        self.life
    }

    pub(crate) fn capture(self: &Arc<Self>) -> Capture {
        self.has_capture.store(true, Ordering::Relaxed);
        Capture(self.clone())
    }

    pub(crate) fn value(self: &Arc<Self>) -> Value {
        self.values_made.fetch_add(1, Ordering::Relaxed);
        Value(self.clone())
    }

    pub(crate) fn failure(self: &Arc<Self>) -> Failure {
        Failure(self.value())
    }

    pub(crate) fn is_future(&self) {
        self.is_future.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_promise(&self) {
        self.is_promise.store(true, Ordering::Relaxed);
    }

    /// It has a date: it is a future, and a drain may cancel it.
    pub(crate) fn is_dated(&self) {
        self.is_future();
        self.perhaps_cancelled();
    }

    pub(crate) fn accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// It came back to its submitter.
    pub(crate) fn refused(&self) {
        self.accepted.store(false, Ordering::Relaxed);
    }

    /// Checks that the task has ended by now: its closure is gone.
    pub(crate) fn check_ended(&self) {
        let dropped = self.captures_dropped.load(Ordering::Relaxed);
        self.expect(dropped == 1, "a scope ended before its task");
    }

    pub(crate) fn ran(&self) {
        self.ran.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cancelled(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// A thread is about to ask the task to stop.
    pub(crate) fn asks(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was the first: it cancelled the task, or a closure ran.
    pub(crate) fn first_asked(&self) {
        self.first_asked.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn saw_request(&self) {
        self.saw_request.store(true, Ordering::Relaxed);
    }

    /// Returns true if the task is a closure: it takes requests while it runs.
    pub(crate) fn takes_requests(&self) -> bool {
        self.has_capture.load(Ordering::Relaxed) && !self.is_future.load(Ordering::Relaxed)
    }

    pub(crate) fn perhaps_cancelled(&self) {
        self.perhaps_cancelled.store(true, Ordering::Relaxed);
    }

    /// It gets a time budget: at the date it is asked to stop, or cancelled.
    pub(crate) fn has_budget(&self) {
        self.asks();
        self.perhaps_cancelled();
    }

    pub(crate) fn forgotten(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
    }

    pub(crate) fn callback_added(&self) {
        self.callbacks_added.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn callback_refused(&self) {
        self.callbacks_added.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn callback_called(&self) {
        self.callbacks_called.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a fault. An assertion in a task would become the task's own panic.
    pub(crate) fn fault(&self, fault: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(fault);
    }

    pub(crate) fn expect(&self, is_so: bool, fault: &str) {
        if !is_so {
            self.fault(fault.to_string());
        }
    }

    /// An observer of the task sees its outcome.
    pub(crate) fn see(&self, outcome: Result<&Output, &TaskError>) {
        let seen = match outcome {
            Ok(Ok(value) | Err(Failure(value))) => {
                self.expect(
                    core::ptr::eq(&raw const *value.0, self),
                    "the value is another task's",
                );
                if outcome.is_ok_and(Result::is_ok) {
                    Seen::Value
                } else {
                    Seen::Failure
                }
            }
            Err(TaskError::Panicked(_)) => Seen::Panicked,
            Err(TaskError::Cancelled) => Seen::Cancelled,
            Err(TaskError::Broken) => Seen::Broken,
            // Of a wait, not of the task.
            Err(TaskError::NotStarted) => {
                return self.expect(!self.is_served, "a wait lacks a start");
            }
            Err(error) => return self.fault(format!("a wait says {error:?}")),
        };
        let mut earlier = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let agrees = earlier.is_none_or(|earlier| earlier == seen);
        *earlier = Some(seen);
        drop(earlier);
        self.expect(agrees, "two observers see different outcomes");
    }

    /// As `see`, after a wait with a time limit. Returns false if the limit passed.
    pub(crate) fn see_within(&self, outcome: Result<&Output, &TaskError>) -> bool {
        match outcome {
            Err(TaskError::TimedOut) => {
                self.outlived_a_limit.store(true, Ordering::Relaxed);
                return false;
            }
            // A start may come before the limit.
            Err(TaskError::NotStarted) => {
                self.fault("a wait with a limit does not wait for the start".into());
            }
            outcome => self.see(outcome),
        }
        true
    }

    /// Returns true if the limit of a wait passed. The outcome is still to come.
    pub(crate) fn outlived_a_limit(&self) -> bool {
        self.outlived_a_limit.load(Ordering::Relaxed)
    }

    /// Returns true if the value is of one of these tasks, and takes that one out.
    pub(crate) fn take_of(accounts: &mut Vec<Arc<Self>>, output: &Output) -> bool {
        let (Ok(value) | Err(Failure(value))) = output;
        let place = { accounts.iter() }.position(|account| Arc::ptr_eq(account, &value.0));
        place.is_some_and(|place| {
            accounts.swap_remove(place).see(Ok(output));
            true
        })
    }

    /// Returns true if the task was accepted and did not run, and no known canceller kept it from
    /// its run.
    pub(crate) fn is_lost(&self) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let was_let_run = !is(&self.cancelled)
            && !is(&self.perhaps_cancelled)
            && self.first_asked.load(Ordering::Relaxed) != 1;
        let has_run = self.ran.load(Ordering::Relaxed) > 0;
        is(&self.accepted) && is(&self.has_capture) && !has_run && was_let_run
    }

    /// Checks the account when all threads have ended. `must_run` is true if nothing but a
    /// canceller can have kept an accepted task from its run. `stops`: a shutdown may have asked
    /// it to stop. `breaks`: it may have ended as broken.
    pub(crate) fn check(&self, must_run: bool, stops: bool, breaks: bool) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let ran = count(&self.ran);
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.expect(ran <= 1, "it ran more than once");
        self.expect(
            is(&self.accepted) || ran == 0,
            "it ran though it was refused",
        );
        self.expect(
            count(&self.captures_dropped) == usize::from(is(&self.has_capture)),
            "its closure was not dropped once",
        );
        let (made, dropped) = (count(&self.values_made), count(&self.values_dropped));
        self.expect(dropped <= made, "its value was dropped twice");
        let kept = usize::from(is(&self.forgotten));
        self.expect(dropped + kept >= made, "its value was not dropped");
        self.expect(
            count(&self.callbacks_called) == count(&self.callbacks_added),
            "its callbacks were not called once each",
        );
        if is(&self.cancelled) {
            self.expect(ran == 0, "it ran though it was cancelled");
            self.expect(
                seen.is_none_or(|seen| seen == Seen::Cancelled),
                "it was cancelled, and an observer sees something else",
            );
        }
        if seen == Some(Seen::Cancelled) {
            self.expect(
                ran == 0,
                "it ran, and an observer sees that it was cancelled",
            );
        }
        let firsts = count(&self.first_asked);
        self.expect(firsts <= 1, "two requests were the first");
        if firsts == 1 && !self.takes_requests() {
            self.expect(ran == 0, "it ran though a request cancelled it");
        }
        if firsts == 1 && ran == 0 {
            // A breakdown may have taken it out of the queue before, to end it.
            self.expect(
                seen.is_none_or(|seen| seen == Seen::Cancelled || breaks && seen == Seen::Broken),
                "a request cancelled it, and an observer sees something else",
            );
        }
        self.expect(
            stops || !is(&self.saw_request) || count(&self.asked) > 0,
            "it saw a request that was not made",
        );
        if seen == Some(Seen::Broken) && !is(&self.is_promise) {
            self.expect(breaks, "nothing broke, and an observer sees that it did");
            self.expect(ran == 0, "it ran, and an observer sees that it is broken");
        }
        self.expect(
            !(must_run && self.is_lost()),
            "it was accepted, and neither ran nor was cancelled",
        );
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            faults.is_empty(),
            "task {} ({}): {}",
            self.number,
            self.origin,
            faults.join("; ")
        );
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Relaxed)
    }
}
