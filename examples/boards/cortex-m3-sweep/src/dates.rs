//! Tasks with dates and time budgets: the thread and the interrupt share a timetable.

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Context;

use cortex_m::interrupt::{Mutex, free};
use slotted::{Every, Executor, JoinHandle, Refusal, Shutdown, Sleep, TaskError, Timetable};

use crate::host::{Swept, WORKERS, alarm, set_clock};
use crate::ledger::{
    self, CANCELS, Events, RELEASED, ROLES, Role, SHUT, Value, accepted, account, check_outcome,
    closure, get, series,
};
use crate::operations::{WAKES, counting_waker};
use crate::part::{Part, check_slots};
use crate::shot::{self, Hit};

const SLOTS: usize = 8;
const TIMERS: usize = 7;

static POOL: Executor<0, SLOTS, 128, Swept> = Executor::new();
static TIMES: Timetable<TIMERS, Swept> = Timetable::new();

type Handle = JoinHandle<'static, Value, Swept>;

/// The clock during the operation.
const NOW: u32 = 100;
/// When the waiting closure is due, and when its budget would be spent.
const WAITING: u64 = 1000;
const AFTER_WAITING: u32 = 1500;
const BUDGET: u64 = 2000;
/// When all is due.
const LATE: u32 = 5000;

/// One run. The thread and the interrupt share it.
pub(crate) struct Dates {
    /// A closure in the ready queue, which has a time budget.
    task: Handle,
    /// A closure whose date has passed.
    due: Handle,
    waiting: Handle,
    series: Handle,
    /// What the operation and the action leave.
    submitted: Mutex<Cell<Option<Handle>>>,
    newcomer: Mutex<Cell<Option<Handle>>>,
    sleep: Mutex<Cell<Option<Sleep<Swept>>>>,
    /// The sleep was not over when it was polled.
    polled: AtomicBool,
    /// The task that the interrupt cancels, moves, or gives a budget.
    aim: Role,
    marks: [Marks; ROLES.len()],
}

/// What calls said of a task.
#[derive(Default)]
struct Marks {
    /// It was moved to a date that has passed, or to one that is to come.
    hurried: AtomicBool,
    delayed: AtomicBool,
    /// It was given a budget that is spent: it may have been cancelled since.
    short: AtomicBool,
}

/// An operation of the thread: what comes before it, and the operation. It returns an answer.
pub(crate) struct Operation {
    aim: Role,
    prepare: fn(&Dates),
    perform: fn(&Dates) -> bool,
}

const fn on(aim: Role, perform: fn(&Dates) -> bool) -> Operation {
    Operation {
        aim,
        prepare: |_| {},
        perform,
    }
}

/// Runs `prepare` first.
const fn after(aim: Role, prepare: fn(&Dates), perform: fn(&Dates) -> bool) -> Operation {
    Operation {
        aim,
        prepare,
        perform,
    }
}

impl Dates {
    fn new(aim: Role) -> Self {
        let budgeted = accepted(Role::Task, POOL.submit(closure(Role::Task)));
        let task = budgeted.expect("there is room");
        TIMES.cancel_at(&task, BUDGET).expect("there is a timer");
        Self {
            task,
            due: submit_at(40, Role::Second).expect("there is room"),
            waiting: submit_at(WAITING, Role::Waiting).expect("there is room"),
            series: submit_every(50, Role::Series).expect("there is room"),
            submitted: Mutex::new(Cell::new(None)),
            newcomer: Mutex::new(Cell::new(None)),
            sleep: Mutex::new(Cell::new(None)),
            polled: AtomicBool::new(false),
            aim,
            marks: Default::default(),
        }
    }

    fn handle(&self, role: Role) -> &Handle {
        match role {
            Role::Task => &self.task,
            Role::Second => &self.due,
            Role::Waiting => &self.waiting,
            Role::Series => &self.series,
            _ => unreachable!("no other task can be aimed at"),
        }
    }

    fn marks(&self, role: Role) -> &Marks {
        &self.marks[role as usize]
    }

    /// Keeps what the thread submitted. Returns true if it was accepted.
    fn keep(&self, handle: Option<Handle>) -> bool {
        let accepted = handle.is_some();
        free(|section| self.submitted.borrow(section).set(handle));
        accepted
    }

    fn keep_newcomer(&self, handle: Option<Handle>) -> bool {
        let accepted = handle.is_some();
        free(|section| self.newcomer.borrow(section).set(handle));
        accepted
    }

    fn move_to(&self, role: Role, tick: u64) -> bool {
        let moved = TIMES.move_to(self.handle(role), tick);
        let (set, cleared) = match self.marks(role) {
            marks if tick <= NOW.into() => (&marks.hurried, &marks.delayed),
            marks => (&marks.delayed, &marks.hurried),
        };
        if moved {
            cleared.store(false, Ordering::Relaxed);
            set.store(true, Ordering::Relaxed);
        }
        moved
    }

    fn cancel(&self, role: Role) -> bool {
        let cancelled = self.handle(role).cancel();
        if cancelled {
            account(role).cancelled.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    /// Gives a task a budget that is spent. The next `advance` acts.
    fn limit(&self, role: Role) -> bool {
        self.marks(role).short.store(true, Ordering::Relaxed);
        let limited = TIMES.cancel_at(self.handle(role), 45);
        assert!(limited.is_ok(), "there is a timer for each budget");
        true
    }

    /// Checks the run, and ends it.
    fn settle(self, before: slotted::Stats) -> Events {
        check_alarm();
        TIMES.advance();
        POOL.run_until_idle();
        check_alarm();
        self.check_dates();
        ledger::note(
            TIMES
                .next_date()
                .map_or(0x80, |date| 0x81 + (date / 100) as u8),
        );
        ledger::note(0xff);
        for clock in [AFTER_WAITING, LATE] {
            set_clock(clock);
            RELEASED.store(clock == LATE, Ordering::Relaxed);
            TIMES.advance();
            POOL.run_until_idle();
        }
        check_alarm();
        let Self {
            task,
            due,
            waiting,
            series,
            submitted,
            newcomer,
            sleep,
            marks,
            ..
        } = self;
        let [submitted, newcomer] =
            [submitted, newcomer].map(|kept| free(|section| kept.borrow(section).take()));
        drop(free(|section| sleep.borrow(section).take()));
        let handles = [
            (Role::Task, Some(task)),
            (Role::Second, Some(due)),
            (Role::Waiting, Some(waiting)),
            (Role::Series, Some(series)),
            (Role::Submitted, submitted),
            (Role::Newcomer, newcomer),
        ];
        for (role, handle) in handles {
            let Some(mut handle) = handle else { continue };
            assert!(handle.done(), "{role:?} is not done: {handle:?}");
            let outcome = handle.try_result().expect("it is done");
            let cancelled = matches!(outcome, Err(TaskError::Cancelled));
            if cancelled && marks[role as usize].short.load(Ordering::Relaxed) {
                account(role).cancelled.store(true, Ordering::Relaxed);
            }
            ledger::note(0xf0 | u8::from(cancelled));
            check_outcome(role, &outcome);
        }
        ledger::check(before, POOL.stats());
        let events = ledger::events();
        // It ends only if every future is accounted for.
        POOL.shutdown(Shutdown::Drain).expect("no worker calls it");
        POOL.start(&WORKERS).expect("it has stopped");
        check_timers();
        check_pool();
        events
    }

    /// After all that is due has run: what was due has run, and nothing else.
    fn check_dates(&self) {
        let is_set = |mark: &AtomicBool| mark.load(Ordering::Relaxed);
        let [due, waiting] = [Role::Second, Role::Waiting].map(|role| self.marks(role));
        assert!(
            self.due.done() || is_set(&due.delayed),
            "a task is due and does not run"
        );
        let ran = get(&account(Role::Waiting).ran) != 0;
        assert!(
            !ran || is_set(&waiting.hurried),
            "a task runs before its date"
        );
        assert!(
            self.waiting.done() || !is_set(&waiting.hurried),
            "a task was moved to a date that has passed, and does not run"
        );
        assert!(self.task.done(), "a queued task does not run");
        let over = self.due.done() && self.waiting.done() && self.series.done();
        assert!(
            over || !is_set(&SHUT),
            "a task waits for its date after a shutdown"
        );
        assert!(
            !is_set(&self.polled) || get(&WAKES) != 0,
            "a sleep is over and its waker was not called"
        );
    }
}

/// The alarm is set to the earliest date.
fn check_alarm() {
    let date = TIMES.next_date();
    assert!(
        alarm() == date,
        "the next date is {date:?}, the alarm's {:?}",
        alarm()
    );
}

/// Every timer is free.
fn check_timers() {
    assert!(TIMES.next_date().is_none(), "a date is left: {TIMES:?}");
    let sleeps = [(); TIMERS].map(|()| TIMES.on(&POOL).sleep_until(7).expect("a timer is free"));
    let more = TIMES.on(&POOL).sleep_until(7);
    assert!(
        matches!(more, Err(Refusal::NoTimer)),
        "there is one timer too many"
    );
    drop(sleeps);
    sort_timers();
    check_alarm();
}

/// Gives the timers back in the order of their numbers, so that the next claims are the same before
/// each run: the claim that finds none releases the budgets of all tasks that are over.
fn sort_timers() {
    for _ in 0..TIMERS {
        let handle = accepted(Role::Filler, POOL.submit(closure(Role::Filler)));
        let budget = TIMES.cancel_at(&handle.expect("there is room"), BUDGET);
        assert!(budget.is_ok(), "a timer is free");
    }
    POOL.run_until_idle();
    let sleep = TIMES.on(&POOL).sleep_until(7);
    assert!(sleep.is_ok(), "the budgets of tasks that are over stay");
}

/// Every slot is free.
fn check_pool() {
    check_slots::<SLOTS, _>(
        || accepted(Role::Filler, POOL.submit(closure(Role::Filler))),
        || _ = POOL.run_until_idle(),
    );
    assert!(POOL.stats().slots_in_use == 0, "a slot was not given back");
}

fn submit_at(tick: u64, role: Role) -> Option<Handle> {
    accepted(role, TIMES.on(&POOL).submit_at(tick, closure(role)))
}

fn submit_every(first: u64, role: Role) -> Option<Handle> {
    let every = Every::ticks(100).first_at(first);
    accepted(role, TIMES.on(&POOL).submit_every(every, series(role)))
}

fn advance(_: &Dates) -> bool {
    TIMES.advance() == Some(WAITING)
}

/// Until a date that has passed.
fn begin_sleep(dates: &Dates) {
    let sleep = TIMES.on(&POOL).sleep_until(30);
    free(|section| dates.sleep.borrow(section).set(sleep.ok()));
}

/// Everything that is due, and what is queued before.
fn run_all(dates: &Dates) {
    advance(dates);
    POOL.run_until_idle();
}

fn shut_down(_: &Dates, pending: Shutdown) -> bool {
    // Either ends the tasks that wait for their dates.
    CANCELS.store(true, Ordering::Relaxed);
    SHUT.store(true, Ordering::Relaxed);
    POOL.begin_shutdown(pending);
    true
}

impl Part for Dates {
    type Operation = Operation;
    type Action = fn(&Dates) -> bool;

    const OPERATIONS: &'static [(&'static str, Operation)] = &[
        (
            "submit at a date to come",
            on(Role::Waiting, |dates| {
                dates.keep(submit_at(500, Role::Submitted))
            }),
        ),
        (
            "submit at a date that has passed",
            on(Role::Second, |dates| {
                dates.keep(submit_at(20, Role::Submitted))
            }),
        ),
        (
            "submit a series",
            on(Role::Series, |dates| {
                dates.keep(submit_every(60, Role::Submitted))
            }),
        ),
        (
            "move a date to the front",
            on(Role::Waiting, |dates| dates.move_to(Role::Waiting, 5)),
        ),
        (
            "move a date to the end",
            on(Role::Second, |dates| dates.move_to(Role::Second, 4000)),
        ),
        (
            "cancel a task that waits for its date",
            on(Role::Waiting, |dates| dates.cancel(Role::Waiting)),
        ),
        (
            "cancel a series",
            on(Role::Series, |dates| dates.cancel(Role::Series)),
        ),
        ("advance", on(Role::Second, advance)),
        (
            "advance by one",
            on(Role::Series, |_| TIMES.advance_at_most(1).is_some()),
        ),
        (
            "run a task that was due",
            after(
                Role::Second,
                |dates| {
                    advance(dates);
                    POOL.run_one(); // the task with the budget
                },
                |_| POOL.run_one(),
            ),
        ),
        (
            "run a series",
            after(
                Role::Series,
                |dates| {
                    advance(dates);
                    POOL.run_one();
                    POOL.run_one();
                },
                |_| POOL.run_one(),
            ),
        ),
        (
            "set a budget",
            on(Role::Waiting, |dates| {
                TIMES.cancel_at(&dates.waiting, BUDGET).is_ok()
            }),
        ),
        (
            "move a budget",
            on(Role::Task, |dates| dates.limit(Role::Task)),
        ),
        (
            "take a budget away",
            on(Role::Task, |dates| TIMES.cancel_never(&dates.task)),
        ),
        (
            "advance, a budget is spent",
            after(Role::Task, |dates| _ = dates.limit(Role::Task), advance),
        ),
        (
            "begin to sleep",
            on(Role::Waiting, |dates| {
                begin_sleep(dates);
                true
            }),
        ),
        (
            "poll a sleep",
            after(Role::Waiting, begin_sleep, |dates| {
                let sleep = free(|section| dates.sleep.borrow(section).take());
                let mut sleep = sleep.expect("it has begun");
                let waker = counting_waker();
                let polled = Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker));
                if polled.is_pending() {
                    dates.polled.store(true, Ordering::Relaxed);
                }
                free(|section| dates.sleep.borrow(section).set(Some(sleep)));
                true
            }),
        ),
        (
            "give up a sleep",
            after(Role::Waiting, begin_sleep, |dates| {
                free(|section| dates.sleep.borrow(section).take()).is_some()
            }),
        ),
        (
            "begin to shut down, dates, run",
            on(Role::Waiting, |dates| shut_down(dates, Shutdown::Drain)),
        ),
        (
            "begin to shut down, dates, cancel",
            on(Role::Waiting, |dates| shut_down(dates, Shutdown::Cancel)),
        ),
    ];

    const ACTIONS: &'static [(&'static str, fn(&Dates) -> bool)] = &[
        ("submit to come", |dates| {
            dates.keep_newcomer(submit_at(400, Role::Newcomer))
        }),
        ("submit due", |dates| {
            dates.keep_newcomer(submit_at(30, Role::Newcomer))
        }),
        ("move", |dates| dates.move_to(dates.aim, 10)),
        ("cancel", |dates| dates.cancel(dates.aim)),
        ("limit", |dates| dates.limit(dates.aim)),
        ("advance", advance),
        ("advance and run", |dates| {
            run_all(dates);
            true
        }),
        ("shut down", |dates| shut_down(dates, Shutdown::Drain)),
    ];

    fn open() {
        set_clock(0);
        check_timers();
        check_pool();
    }

    fn run(operation: &Operation, action: &fn(&Self) -> bool, instruction: u32) -> (Hit, Events) {
        ledger::reset();
        let before = POOL.stats();
        set_clock(NOW);
        let dates = Self::new(operation.aim);
        (operation.prepare)(&dates);
        let answer = AtomicBool::new(false);
        let (answered, hit) = shot::fire(
            instruction,
            &|| answer.store(action(&dates), Ordering::Relaxed),
            &|| panic!("the operation sleeps"),
            || (operation.perform)(&dates),
        );
        ledger::note(0xe0 | u8::from(answered) << 1 | u8::from(answer.into_inner()));
        (hit, dates.settle(before))
    }

    fn close() {
        SHUT.store(true, Ordering::Relaxed);
        POOL.shutdown(Shutdown::Drain).expect("no worker calls it");
    }
}
