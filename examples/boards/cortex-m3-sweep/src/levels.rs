//! Tasks of three levels: the thread and the interrupt submit, raise, cancel and run them.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::task::{Context, Waker};

use cortex_m::interrupt::{Mutex, free};
use slotted::{Executor, JoinHandle, Ran, Shutdown, TaskError};

use crate::host::{LEVEL_WORKERS, SweptLevels, THREAD};
use crate::ledger::{
    self, Events, RELEASED, ROLES, Resting, Role, SHUT, Value, accepted, account, check_outcome,
    closure,
};
use crate::part::{Part, check_slots};
use crate::shot::Hit;
use crate::sleep::{Sleep, under_fire};

const SLOTS: usize = 8;

/// One worker, the thread's, tied to the upper levels. Everything else is run from outside.
static POOL: Executor<1, SLOTS, 64, SweptLevels> = Executor::new();

type Handle = JoinHandle<'static, Value, SweptLevels>;

/// One run. The thread and the interrupt share it.
pub(crate) struct Urgent {
    /// Closures of level 0 in the ready queue, the first and the second.
    low: Handle,
    second: Handle,
    /// A future of level 2 at rest, and its waker.
    future: Handle,
    waker: Waker,
    submitted: Mutex<Cell<Option<Handle>>>,
    newcomer: Mutex<Cell<Option<Handle>>>,
    /// The level of each task, as far as calls said.
    levels: [AtomicU8; ROLES.len()],
}

/// An operation of the thread: what comes before it, and the operation. It returns an answer.
pub(crate) struct Operation {
    prepare: fn(&Urgent),
    perform: fn(&Urgent) -> bool,
    /// It sleeps until there is a task of an upper level.
    sleeps: bool,
}

const fn on(perform: fn(&Urgent) -> bool) -> Operation {
    Operation {
        prepare: |_| {},
        perform,
        sleeps: false,
    }
}

static WAKER: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));

fn keep_waker(context: &Context<'_>) {
    let waker = context.waker().clone();
    drop(free(|section| WAKER.borrow(section).replace(Some(waker))));
}

impl Urgent {
    fn new() -> Self {
        let submitted = POOL
            .level::<2>()
            .submit_future(Resting::new(Role::Future, keep_waker));
        let future = submitted.expect("there is room");
        assert!(POOL.run_one(), "a future is polled");
        let waker = free(|section| WAKER.borrow(section).take());
        let scene = Self {
            low: submit::<0>(Role::Task).expect("there is room"),
            second: submit::<0>(Role::Second).expect("there is room"),
            future,
            waker: waker.expect("the future was polled"),
            submitted: Mutex::new(Cell::new(None)),
            newcomer: Mutex::new(Cell::new(None)),
            levels: Default::default(),
        };
        scene.set_level(Role::Future, 2);
        scene
    }

    fn set_level(&self, role: Role, level: u8) {
        self.levels[role as usize].store(level, Ordering::Relaxed);
    }

    fn level(&self, role: Role) -> u8 {
        self.levels[role as usize].load(Ordering::Relaxed)
    }

    fn submit<const LEVEL: usize>(&self, role: Role) -> bool {
        self.set_level(role, LEVEL as u8);
        let handle = submit::<LEVEL>(role);
        let accepted = handle.is_some();
        let place = match role {
            Role::Submitted => &self.submitted,
            _ => &self.newcomer,
        };
        free(|section| place.borrow(section).set(handle));
        accepted
    }

    /// Raises the second closure.
    fn raise<const LEVEL: usize>(&self) -> bool {
        let raised = self.second.raise::<LEVEL>();
        if raised {
            self.set_level(Role::Second, LEVEL as u8);
        }
        raised
    }

    fn cancel(&self) -> bool {
        let cancelled = self.second.cancel();
        if cancelled {
            account(Role::Second)
                .cancelled
                .store(true, Ordering::Relaxed);
        }
        cancelled
    }

    fn wake(&self) -> bool {
        RELEASED.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
        true
    }

    /// Checks the run, and ends it.
    fn settle(self, before: slotted::Stats) -> Events {
        ledger::note(0xff);
        POOL.run_until_idle();
        self.wake();
        POOL.run_until_idle();
        let mut events = ledger::events().into_iter();
        // From the mark on nothing was submitted but the future's last poll.
        events.find(|event| *event == 0xff);
        let mut floor = u8::MAX;
        for role in events
            .map_while(ledger::started)
            .filter(|role| *role != Role::Future)
        {
            let level = self.level(role);
            assert!(
                level <= floor,
                "{role:?} of level {level} starts after one of {floor}"
            );
            floor = level;
        }
        let Self {
            low,
            second,
            future,
            waker,
            submitted,
            newcomer,
            ..
        } = self;
        drop(waker);
        let [submitted, newcomer] =
            [submitted, newcomer].map(|kept| free(|section| kept.borrow(section).take()));
        let handles = [
            (Role::Task, Some(low)),
            (Role::Second, Some(second)),
            (Role::Future, Some(future)),
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
        ledger::check(before, POOL.stats());
        let events = ledger::events();
        close();
        open();
        events
    }
}

fn submit<const LEVEL: usize>(role: Role) -> Option<Handle> {
    accepted(role, POOL.level::<LEVEL>().submit(closure(role)))
}

/// The thread's worker, which serves the levels from 1 on, runs until it leaves.
fn run_tied(_: &Urgent) -> bool {
    let worker = LEVEL_WORKERS.take(THREAD).expect("it has not left");
    worker.serve::<1>().run();
    true
}

fn open() {
    POOL.start(&LEVEL_WORKERS).expect("it has stopped");
    check_slots::<SLOTS, _>(|| submit::<0>(Role::Filler), || _ = POOL.run_until_idle());
    assert!(POOL.stats().slots_in_use == 0, "a slot was not given back");
}

fn close() {
    POOL.begin_shutdown(Shutdown::Drain);
    if let Some(mut worker) = LEVEL_WORKERS.take(THREAD) {
        assert!(worker.run_one() == Ran::Left, "the thread's worker stays");
    }
    POOL.shutdown(Shutdown::Drain).expect("no worker calls it");
}

impl Part for Urgent {
    type Operation = Operation;
    type Action = fn(&Urgent) -> bool;

    const OPERATIONS: &'static [(&'static str, Operation)] = &[
        (
            "submit at level 0",
            on(|scene| scene.submit::<0>(Role::Submitted)),
        ),
        (
            "submit at level 2",
            on(|scene| scene.submit::<2>(Role::Submitted)),
        ),
        ("raise to level 1", on(Urgent::raise::<1>)),
        ("cancel at level 0", on(Urgent::cancel)),
        ("take and run, levels", on(|_| POOL.run_one())),
        (
            "take and run from level 1 on",
            on(|_| POOL.run_one_at::<1>()),
        ),
        ("wake a future of level 2", on(Urgent::wake)),
        (
            "poll a future of level 2",
            Operation {
                prepare: |scene| scene.waker.wake_by_ref(),
                perform: |_| POOL.run_one(),
                sleeps: false,
            },
        ),
        (
            "run and park, tied worker",
            Operation {
                prepare: |_| {},
                perform: run_tied,
                sleeps: true,
            },
        ),
    ];

    const ACTIONS: &'static [(&'static str, fn(&Urgent) -> bool)] = &[
        ("submit at level 0", |scene| {
            scene.submit::<0>(Role::Newcomer)
        }),
        ("submit at level 2", |scene| {
            scene.submit::<2>(Role::Newcomer)
        }),
        ("raise to level 2", Urgent::raise::<2>),
        ("cancel", Urgent::cancel),
        ("run_one", |_| POOL.run_one()),
        ("wake", Urgent::wake),
    ];

    fn open() {
        open();
    }

    fn run(operation: &Operation, action: &fn(&Self) -> bool, instruction: u32) -> (Hit, Events) {
        ledger::reset();
        let before = POOL.stats();
        let scene = Self::new();
        (operation.prepare)(&scene);
        let answer = AtomicBool::new(false);
        // The worker takes all tasks of its levels before it sleeps. So what is there came since.
        let due = || {
            let urgent = |role: Role| scene.level(role) != 0;
            let waits = |kept: &Mutex<Cell<Option<Handle>>>| {
                free(|section| {
                    let handle = kept.borrow(section).take();
                    let waits = handle.as_ref().is_some_and(|handle| !handle.done());
                    kept.borrow(section).set(handle);
                    waits
                })
            };
            urgent(Role::Newcomer) && waits(&scene.newcomer)
                || urgent(Role::Second) && !scene.second.done()
                || RELEASED.load(Ordering::Relaxed) && !scene.future.done()
        };
        // The last tasks, of level 0, are run from outside, and the worker leaves.
        let end = || {
            scene.wake();
            POOL.run_until_idle();
            SHUT.store(true, Ordering::Relaxed);
            POOL.begin_shutdown(Shutdown::Drain);
        };
        let sleep = match operation.sleeps {
            true => Sleep::Until(&due, &end),
            false => Sleep::Never,
        };
        let (answered, hit) = under_fire(
            instruction,
            &|| answer.store(action(&scene), Ordering::Relaxed),
            sleep,
            || (operation.perform)(&scene),
        );
        let answer = answer.load(Ordering::Relaxed);
        ledger::note(0xe0 | u8::from(answered) << 1 | u8::from(answer));
        (hit, scene.settle(before))
    }

    fn close() {
        close();
    }
}
