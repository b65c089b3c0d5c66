//! Tasks of an owner that wait: one that is polled and rests, and one with a date. The worker is
//! the thread.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use cortex_m::interrupt::{Mutex, free};
use slotted::{JoinHandle, Owned, OwnedWorker, Ran, Shutdown, TaskError, Timetable};

use crate::host::{Swept, set_clock};
use crate::ledger::{
    self, CANCELS, Events, RELEASED, Resting, Role, SHUT, Value, accepted, account, check_outcome,
    closure,
};
use crate::part::{Part, check_slots};
use crate::shot::Hit;
use crate::sleep::{Sleep, under_fire};

const SLOTS: usize = 8;

/// What the thread owns: true while a task has it.
struct Gauge(bool);

static OWNER: Owned<Gauge, SLOTS, 128, Swept> = Owned::new();
static TIMES: Timetable<1, Swept> = Timetable::new();
/// What the last poll that rests was given.
static WAKER: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));

/// The clock, and a date that has passed. The next `advance` moves its task.
const NOW: u32 = 100;
const DATE: u64 = 50;

type Handle = JoinHandle<'static, Value, Swept>;

/// What the thread keeps for itself.
pub(crate) struct Own {
    /// `None` once it has left.
    worker: Option<OwnedWorker<'static, Gauge, Swept>>,
    gauge: Gauge,
}

impl Own {
    fn new() -> Self {
        Self {
            worker: Some(OWNER.worker().expect("there is none")),
            gauge: Gauge(false),
        }
    }

    fn run_one(&mut self) -> bool {
        let worker = self.worker.as_mut().expect("it has not left");
        worker.run_one(&mut self.gauge) == Ran::Task
    }
}

/// One run. The thread and the interrupt share it.
pub(crate) struct Rests {
    /// It was polled once, and rests.
    resting: Handle,
    waker: Waker,
    dated: Handle,
    submitted: Mutex<Cell<Option<Handle>>>,
    newcomer: Mutex<Cell<Option<Handle>>>,
}

/// An operation of the thread. It returns an answer.
pub(crate) struct Operation {
    perform: fn(&Rests, &mut Own) -> bool,
    /// It sleeps until there is a task.
    sleeps: bool,
}

const fn on(perform: fn(&Rests, &mut Own) -> bool) -> Operation {
    Operation {
        perform,
        sleeps: false,
    }
}

/// Has what the thread owns while `run` runs.
fn lent<R>(gauge: &mut Gauge, run: impl FnOnce() -> R) -> R {
    assert!(!gauge.0, "the gauge is lent twice");
    gauge.0 = true;
    let result = run();
    gauge.0 = false;
    result
}

/// Submits a task that is ready in its first poll.
fn submit(role: Role) -> Option<Handle> {
    let mut body = Some(closure(role));
    let submitted = OWNER.submit_poll(move |gauge, _| {
        let body = body.take().expect("it is polled once");
        Poll::Ready(lent(gauge, body))
    });
    accepted(role, submitted)
}

/// Submits a task that rests until [`RELEASED`] is set.
fn submit_resting(role: Role) -> Option<Handle> {
    let keep = |context: &Context<'_>| {
        let waker = context.waker().clone();
        drop(free(|section| WAKER.borrow(section).replace(Some(waker))));
    };
    let mut body = Resting::new(role, keep);
    let submitted =
        OWNER.submit_poll(move |gauge, context| lent(gauge, || Pin::new(&mut body).poll(context)));
    accepted(role, submitted)
}

fn submit_dated(role: Role) -> Option<Handle> {
    let body = closure(role);
    let task = move |gauge: &mut Gauge| lent(gauge, body);
    accepted(role, TIMES.on_owned(&OWNER).submit_at(DATE, task))
}

impl Rests {
    fn new(own: &mut Own) -> Self {
        set_clock(NOW);
        let resting = submit_resting(Role::Future).expect("there is room");
        assert!(own.run_one(), "it is polled once");
        let waker = free(|section| WAKER.borrow(section).take());
        Self {
            resting,
            waker: waker.expect("it was polled"),
            dated: submit_dated(Role::Waiting).expect("there is room"),
            submitted: Mutex::new(Cell::new(None)),
            newcomer: Mutex::new(Cell::new(None)),
        }
    }

    fn submit(&self, role: Role) -> bool {
        let handle = submit(role);
        let accepted = handle.is_some();
        let place = match role {
            Role::Submitted => &self.submitted,
            _ => &self.newcomer,
        };
        free(|section| place.borrow(section).set(handle));
        accepted
    }

    fn wake(&self) -> bool {
        self.waker.wake_by_ref();
        true
    }

    /// Cancels the task that rests.
    fn cancel(&self) -> bool {
        let cancelled = self.resting.cancel();
        if cancelled {
            account(Role::Future)
                .cancelled
                .store(true, Ordering::Relaxed);
        }
        cancelled
    }

    /// Runs what is left, checks the run, and ends it.
    fn settle(self, mut own: Own, before: slotted::Stats) -> Events {
        ledger::note(0xff);
        RELEASED.store(true, Ordering::Relaxed);
        self.wake();
        advance();
        if let Some(worker) = &mut own.worker {
            // Bound: nothing is submitted any more.
            while worker.run_one(&mut own.gauge) == Ran::Task {}
        } else if !SHUT.load(Ordering::Relaxed) {
            // The worker was dropped. The tasks wait for the next, or end with the executor.
            begin_shutdown(Shutdown::Drain);
        }
        let Self {
            resting,
            dated,
            submitted,
            newcomer,
            ..
        } = self;
        let [submitted, newcomer] =
            [submitted, newcomer].map(|kept| free(|section| kept.borrow(section).take()));
        let handles = [
            (Role::Future, Some(resting)),
            (Role::Waiting, Some(dated)),
            (Role::Submitted, submitted),
            (Role::Newcomer, newcomer),
        ];
        for (role, handle) in handles {
            let Some(mut handle) = handle else { continue };
            assert!(handle.done(), "{role:?} is not done: {handle:?}");
            let outcome = handle.try_result().expect("it is done");
            let cancelled = matches!(outcome, Err(TaskError::Cancelled));
            if cancelled && role == Role::Waiting && SHUT.load(Ordering::Relaxed) {
                // Any shutdown cancels what waits for its date.
                account(role).cancelled.store(true, Ordering::Relaxed);
            }
            ledger::note(0xf0 | u8::from(cancelled));
            check_outcome(role, &outcome);
        }
        ledger::check(before, OWNER.stats());
        assert!(TIMES.next_date().is_none(), "a timer was not given back");
        let events = ledger::events();
        drop(free(|section| WAKER.borrow(section).take()));
        drop(own);
        OWNER.shutdown(Shutdown::Drain).expect("no task calls it");
        check_owner();
        events
    }
}

fn advance() -> bool {
    TIMES.advance().is_some()
}

fn begin_shutdown(pending: Shutdown) -> bool {
    if pending == Shutdown::Cancel {
        CANCELS.store(true, Ordering::Relaxed);
    }
    SHUT.store(true, Ordering::Relaxed);
    OWNER.begin_shutdown(pending);
    true
}

/// Checks that the executor has all its slots. It leaves it stopped.
fn check_owner() {
    let mut own = Own::new();
    check_slots::<SLOTS, _>(|| submit(Role::Filler), || while own.run_one() {});
    drop(own);
    assert!(OWNER.stats().slots_in_use == 0, "a slot was not given back");
    OWNER.shutdown(Shutdown::Drain).expect("no task calls it");
}

/// The worker runs all tasks, and sleeps in between, until it leaves.
fn run(own: &mut Own) -> bool {
    let worker = own.worker.take().expect("it has not left");
    own.gauge = worker.run(Gauge(false));
    true
}

impl Part for Rests {
    type Operation = Operation;
    type Action = fn(&Rests) -> bool;

    const OPERATIONS: &'static [(&'static str, Operation)] = &[
        (
            "submit a polled task",
            on(|scene, _| scene.submit(Role::Submitted)),
        ),
        ("wake a polled task", on(|scene, _| scene.wake())),
        ("cancel a polled task", on(|scene, _| scene.cancel())),
        (
            "the owner polls a task that rests again",
            on(|scene, own| scene.wake() && own.run_one()),
        ),
        (
            "the owner polls a task that ends",
            on(|scene, own| {
                RELEASED.store(true, Ordering::Relaxed);
                scene.wake() && own.run_one()
            }),
        ),
        ("advance the owner's dates", on(|_, _| advance())),
        (
            "the owner runs what was due",
            on(|_, own| {
                advance();
                own.run_one()
            }),
        ),
        (
            "the owner of what rests runs and parks",
            Operation {
                perform: |_, own| run(own),
                sleeps: true,
            },
        ),
        (
            "the owner of what rests leaves",
            on(|_, own| {
                // Its tasks end with the executor.
                CANCELS.store(true, Ordering::Relaxed);
                own.worker.take().is_some()
            }),
        ),
        (
            "begin to shut down the owner of what rests, cancel",
            on(|_, _| begin_shutdown(Shutdown::Cancel)),
        ),
    ];

    const ACTIONS: &'static [(&'static str, fn(&Rests) -> bool)] = &[
        ("submit", |scene| scene.submit(Role::Newcomer)),
        ("wake", Rests::wake),
        ("cancel", Rests::cancel),
        ("advance", |_| advance()),
        ("shut down, run", |_| begin_shutdown(Shutdown::Drain)),
        ("shut down, cancel", |_| begin_shutdown(Shutdown::Cancel)),
    ];

    fn open() {
        check_owner();
    }

    fn run(operation: &Operation, action: &fn(&Self) -> bool, instruction: u32) -> (Hit, Events) {
        ledger::reset();
        let before = OWNER.stats();
        let mut own = Own::new();
        let scene = Self::new(&mut own);
        let own = RefCell::new(own);
        let answer = AtomicBool::new(false);
        let due = || OWNER.stats().queued != 0;
        let end = || {
            RELEASED.store(true, Ordering::Relaxed);
            scene.wake();
            begin_shutdown(Shutdown::Drain);
        };
        let sleep = match operation.sleeps {
            true => Sleep::Until(&due, &end),
            false => Sleep::Never,
        };
        let (answered, hit) = under_fire(
            instruction,
            &|| answer.store(action(&scene), Ordering::Relaxed),
            sleep,
            || (operation.perform)(&scene, &mut own.borrow_mut()),
        );
        ledger::note(0xe0 | u8::from(answered) << 1 | u8::from(answer.load(Ordering::Relaxed)));
        (hit, scene.settle(own.into_inner(), before))
    }

    fn close() {}
}
