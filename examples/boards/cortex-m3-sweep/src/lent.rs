//! Tasks of an executor whose worker, the thread, owns something and lends it to each.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::interrupt::{Mutex, free};
use slotted::{JoinHandle, Owned, OwnedWorker, Ran, Shutdown, TaskError};

use crate::host::Swept;
use crate::ledger::{
    self, CANCELS, Events, ROLES, Role, SHUT, Value, accepted, account, check_outcome, closure, get,
};
use crate::part::{Part, check_slots};
use crate::shot::Hit;
use crate::sleep::{Sleep, under_fire};

const SLOTS: usize = 8;

/// What the thread owns. It counts the tasks that had it.
struct Gauge {
    uses: usize,
    lent: bool,
}

static OWNER: Owned<Gauge, SLOTS, 64, Swept> = Owned::new();

type Handle = JoinHandle<'static, Value, Swept>;
type Worker = OwnedWorker<'static, Gauge, Swept>;

/// What the thread keeps for itself.
pub(crate) struct Own {
    /// `None` once it has left.
    worker: Option<Worker>,
    gauge: Gauge,
}

/// One run. The thread and the interrupt share it.
pub(crate) struct Lent {
    /// Closures in the queue.
    task: Handle,
    second: Handle,
    submitted: Mutex<Cell<Option<Handle>>>,
    newcomer: Mutex<Cell<Option<Handle>>>,
}

/// An operation of the thread. It returns an answer.
pub(crate) struct Operation {
    perform: fn(&Lent, &mut Own) -> bool,
    /// It sleeps until there is a task.
    sleeps: bool,
}

const fn on(perform: fn(&Lent, &mut Own) -> bool) -> Operation {
    Operation {
        perform,
        sleeps: false,
    }
}

fn submit(role: Role) -> Option<Handle> {
    let body = closure(role);
    let submitted = OWNER.submit(move |gauge: &mut Gauge| {
        assert!(!gauge.lent, "the gauge is lent twice");
        gauge.lent = true;
        gauge.uses += 1;
        let value = body();
        gauge.lent = false;
        value
    });
    accepted(role, submitted)
}

impl Lent {
    fn new() -> Self {
        Self {
            task: submit(Role::Task).expect("there is room"),
            second: submit(Role::Second).expect("there is room"),
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

    /// Cancels the first closure.
    fn cancel(&self) -> bool {
        let cancelled = self.task.cancel();
        if cancelled {
            account(Role::Task).cancelled.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    fn stop(&self) -> bool {
        let asked = self.task.request_stop();
        if asked && self.task.cancelled() {
            account(Role::Task).cancelled.store(true, Ordering::Relaxed);
        }
        asked
    }

    /// Runs what is left, checks the run, and ends it.
    fn settle(self, mut own: Own, before: slotted::Stats) -> Events {
        ledger::note(0xff);
        if let Some(worker) = &mut own.worker {
            // Bound: nothing is submitted any more.
            while worker.run_one(&mut own.gauge) == Ran::Task {}
        }
        let shut = SHUT.load(Ordering::Relaxed);
        if own.worker.is_none() && !shut {
            // The worker was dropped. The tasks wait for the next, or end with the executor.
            begin_shutdown(Shutdown::Drain);
        }
        let Self {
            task,
            second,
            submitted,
            newcomer,
        } = self;
        let [submitted, newcomer] =
            [submitted, newcomer].map(|kept| free(|section| kept.borrow(section).take()));
        let handles = [
            (Role::Task, Some(task)),
            (Role::Second, Some(second)),
            (Role::Submitted, submitted),
            (Role::Newcomer, newcomer),
        ];
        for (role, handle) in handles {
            let Some(mut handle) = handle else { continue };
            assert!(handle.done(), "{role:?} is not done: {handle:?}");
            let outcome = handle.try_result().expect("it is done");
            ledger::note(0xf0 | u8::from(matches!(outcome, Err(TaskError::Cancelled))));
            check_outcome(role, &outcome);
        }
        ledger::check(before, OWNER.stats());
        let ran: usize = ROLES.map(|role| get(&account(role).ran)).into_iter().sum();
        assert!(
            own.gauge.uses == ran,
            "{} tasks had what the worker owns",
            own.gauge.uses
        );
        let events = ledger::events();
        drop(own);
        OWNER.shutdown(Shutdown::Drain).expect("no task calls it");
        check_owner();
        events
    }
}

fn begin_shutdown(pending: Shutdown) -> bool {
    if pending == Shutdown::Cancel {
        CANCELS.store(true, Ordering::Relaxed);
    }
    SHUT.store(true, Ordering::Relaxed);
    OWNER.begin_shutdown(pending);
    true
}

fn worker() -> Worker {
    OWNER.worker().expect("there is none")
}

const GAUGE: Gauge = Gauge {
    uses: 0,
    lent: false,
};

/// Checks that the executor has all its slots. It leaves it stopped.
fn check_owner() {
    let (mut worker, mut gauge) = (worker(), GAUGE);
    check_slots::<SLOTS, _>(
        || submit(Role::Filler),
        || while worker.run_one(&mut gauge) == Ran::Task {},
    );
    drop(worker);
    assert!(gauge.uses == SLOTS, "a task had nothing of the owner's");
    assert!(OWNER.stats().slots_in_use == 0, "a slot was not given back");
    OWNER.shutdown(Shutdown::Drain).expect("no task calls it");
}

/// The worker runs all tasks, and sleeps in between, until it leaves.
fn run(own: &mut Own) -> bool {
    let worker = own.worker.take().expect("it has not left");
    let gauge = core::mem::replace(&mut own.gauge, GAUGE);
    own.gauge = worker.run(gauge);
    true
}

impl Part for Lent {
    type Operation = Operation;
    type Action = fn(&Lent) -> bool;

    const OPERATIONS: &'static [(&'static str, Operation)] = &[
        (
            "submit to the owner",
            on(|scene, _| scene.submit(Role::Submitted)),
        ),
        ("cancel a lent task", on(|scene, _| scene.cancel())),
        (
            "the owner runs a task",
            on(|_, own| {
                let worker = own.worker.as_mut().expect("it has not left");
                worker.run_one(&mut own.gauge) == Ran::Task
            }),
        ),
        (
            "the owner runs and parks",
            Operation {
                perform: |_, own| run(own),
                sleeps: true,
            },
        ),
        (
            "the owner leaves",
            on(|_, own| {
                // Its tasks end with the executor.
                CANCELS.store(true, Ordering::Relaxed);
                own.worker.take().is_some()
            }),
        ),
        (
            "begin to shut down the owner, cancel",
            on(|_, _| begin_shutdown(Shutdown::Cancel)),
        ),
    ];

    const ACTIONS: &'static [(&'static str, fn(&Lent) -> bool)] = &[
        ("submit", |scene| scene.submit(Role::Newcomer)),
        ("cancel", Lent::cancel),
        ("stop", Lent::stop),
        ("shut down, run", |_| begin_shutdown(Shutdown::Drain)),
        ("shut down, cancel", |_| begin_shutdown(Shutdown::Cancel)),
    ];

    fn open() {
        check_owner();
    }

    fn run(operation: &Operation, action: &fn(&Self) -> bool, instruction: u32) -> (Hit, Events) {
        ledger::reset();
        let before = OWNER.stats();
        let own = RefCell::new(Own {
            worker: Some(worker()),
            gauge: GAUGE,
        });
        let scene = Self::new();
        let answer = AtomicBool::new(false);
        let due = || OWNER.stats().queued != 0;
        let end = || _ = begin_shutdown(Shutdown::Drain);
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
