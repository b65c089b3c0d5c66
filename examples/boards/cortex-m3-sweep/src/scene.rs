//! One run: its state before the operation, the interrupt's actions, and the checks at the end.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};

use cortex_m::interrupt::{Mutex, free};
use slotted::{
    Canceller, Executor, JoinHandle, Promise, Ran, Shutdown, Stats, Stop, TaskError, TaskState,
};

use crate::host::{INTERRUPT, Swept, THREAD, WORKERS};
use crate::ledger::{
    self, CANCELS, Events, FILLED, RELEASED, ROLES, Resting, Role, SHUT, Value, accepted, account,
    add, check_outcome, closure, get,
};
use crate::operations::{OPERATIONS, Operation};
use crate::part::{Part, check_slots};
use crate::shot::{self, Hit};
use crate::sleep;

pub(crate) const SLOTS: usize = 8;
pub(crate) static EXECUTOR: Executor<2, SLOTS, 64, Swept> = Executor::new();

pub(crate) type Handle = JoinHandle<'static, Value, Swept>;
pub(crate) type Token = Canceller<'static, Swept>;

/// More turns than a worker ever needs to empty the queue.
const TURNS: usize = 4 * SLOTS;

/// What the interrupt does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Submit,
    Cancel,
    Complete,
    Wake,
    Run,
    Stop,
}

impl Action {
    const ALL: &'static [(&'static str, Self)] = &[
        ("submit", Self::Submit),
        ("cancel", Self::Cancel),
        ("complete", Self::Complete),
        ("wake", Self::Wake),
        ("run_one", Self::Run),
        ("stop", Self::Stop),
    ];
}

/// How long the operation may sleep.
#[derive(Clone, Copy)]
pub(crate) enum Sleep<'s> {
    Never,
    /// Until the function returns true. PendSV can do the `End` that makes it so.
    Until(&'s (dyn Fn() -> bool + Sync), End),
}

/// What PendSV does to end the thread's sleep, if the interrupt has not ended it.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// Runs the oldest task.
    Run,
    /// Runs the oldest task, which gives its slot back. The interrupt may submit before the slot is
    /// given to the thread, and take it. Then the next task gives its own.
    FreeSlot,
    /// Keeps the promise.
    Complete,
    /// Wakes the future and runs all queued tasks.
    Wake,
    /// Shuts down and wakes the future. The workers wait for it before they leave.
    ShutDown,
}

/// What the thread and the interrupts share.
pub(crate) struct Shared {
    action: Action,
    pub(crate) promise: Promise<'static, Value, Swept>,
    /// The suspended future's waker.
    pub(crate) waker: Waker,
    newcomer: Mutex<Cell<Option<Handle>>>,
}

/// The handles of the tasks that exist before the operation.
pub(crate) struct Handles {
    pub(crate) task: Handle,
    pub(crate) promise: Handle,
    pub(crate) future: Handle,
}

/// One run. It keeps the handles that the operation leaves, by role.
pub(crate) struct Scene {
    pub(crate) shared: Shared,
    instruction: u32,
    hit: Cell<Option<Hit>>,
    handles: RefCell<[Option<Handle>; ROLES.len()]>,
    outcomes: RefCell<[Option<Result<Value, TaskError>>; ROLES.len()]>,
    finished: Cell<bool>,
}

/// Submits a closure that counts itself. Returns `None` if the executor refuses it with a good
/// reason.
pub(crate) fn submit(role: Role) -> Option<Handle> {
    accepted(role, EXECUTOR.submit(closure(role)))
}

/// Takes all remaining slots, with tasks whose handles are detached.
pub(crate) fn fill() {
    for _ in EXECUTOR.stats().slots_in_use..SLOTS {
        submit(Role::Filler).expect("there is room").detach();
    }
    FILLED.store(true, Ordering::Relaxed);
}

/// Cancels a task and records the call's answer.
pub(crate) fn cancel(role: Role, cancel: impl FnOnce() -> bool) {
    if cancel() {
        account(role).cancelled.store(true, Ordering::Relaxed);
    }
}

/// True once a closure that runs was asked to stop.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Asks a task to stop: a closure that runs is asked, everything else is cancelled.
pub(crate) fn stop((role, token): (Role, Token)) {
    let runs = token.state() == TaskState::Running && role == Role::Task;
    match token.request_stop() {
        true if runs => ASKED.store(true, Ordering::Relaxed),
        true => account(role).cancelled.store(true, Ordering::Relaxed),
        false => assert!(
            token.state() != TaskState::Pending,
            "{role:?} has not started and cannot be stopped"
        ),
    }
}

/// A closure that looks twice whether it is asked to stop.
fn stoppable(role: Role) -> impl FnOnce(&Stop) -> Value + Send + 'static {
    let body = closure(role);
    move |stop| {
        let asked = stop.requested();
        let value = body();
        assert!(!asked || stop.requested(), "a request to stop is gone");
        value
    }
}

/// Returns true if a task's outcome is there.
pub(crate) fn is_over(token: Token) -> bool {
    matches!(
        token.state(),
        TaskState::Finished | TaskState::Cancelled | TaskState::Gone
    )
}

/// Runs all queued tasks on the interrupts' worker. An interrupt calls it.
fn run_all() {
    for _ in 0..TURNS {
        if WORKERS.run_one(INTERRUPT) != Ran::Task {
            return;
        }
    }
    panic!("the queue does not become empty");
}

/// As [`run_all`], for the thread: PendSV does it.
pub(crate) fn work() {
    shot::lower(&run_all);
}

pub(crate) fn begin_shutdown(pending: Shutdown) {
    CANCELS.store(pending != Shutdown::Drain, Ordering::Relaxed);
    SHUT.store(true, Ordering::Relaxed);
    EXECUTOR.begin_shutdown(pending);
}

/// The suspended future's waker, on its way to the scene. The flag makes the next poll leave it
/// there.
static WAKER: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));
static WAKER_WANTED: AtomicBool = AtomicBool::new(false);

fn keep_waker(context: &Context<'_>) {
    if WAKER_WANTED.swap(false, Ordering::Relaxed) {
        let waker = context.waker().clone();
        drop(free(|section| WAKER.borrow(section).replace(Some(waker))));
    }
}

impl Handles {
    /// The task that the interrupt is to cancel.
    pub(crate) fn aim(&self, role: Role) -> (Role, Token) {
        let handle = match role {
            Role::Promise => &self.promise,
            Role::Future => &self.future,
            _ => &self.task,
        };
        (role, handle.canceller())
    }

    /// Leaves all handles to the scene.
    pub(crate) fn keep(self, scene: &Scene) {
        scene.keep(Role::Task, self.task);
        scene.keep(Role::Promise, self.promise);
        scene.keep(Role::Future, self.future);
    }
}

impl Shared {
    /// What the interrupt does.
    fn act(&self, aim: (Role, Token)) {
        match self.action {
            Action::Submit => {
                let handle = submit(Role::Newcomer);
                free(|section| self.newcomer.borrow(section).set(handle));
            }
            Action::Cancel => {
                cancel(aim.0, || aim.1.cancel());
                assert!(
                    aim.1.state() != TaskState::Pending,
                    "{:?} has not started and cannot be cancelled",
                    aim.0
                );
            }
            Action::Complete => self.complete(),
            Action::Wake => self.wake(),
            Action::Run => {
                let _ = WORKERS.run_one(INTERRUPT);
            }
            Action::Stop => stop(aim),
        }
    }

    /// Keeps the promise, unless it is kept or cancelled.
    pub(crate) fn complete(&self) {
        match self.promise.set_result(Value::new(Role::Promise)) {
            Ok(()) => add(&account(Role::Promise).ran),
            Err(late) => drop(late.into_inner()),
        }
    }

    /// Makes the future's next poll its last, and wakes it.
    pub(crate) fn wake(&self) {
        RELEASED.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }

    /// Does what ends the sleep. An interrupt calls it.
    fn end(&self, end: End) {
        match end {
            End::Run => drop(WORKERS.run_one(INTERRUPT)),
            // Bound: the interrupt submits once.
            End::FreeSlot => {
                while EXECUTOR.stats().slots_in_use == SLOTS
                    && WORKERS.run_one(INTERRUPT) == Ran::Task
                {}
            }
            End::Complete => self.complete(),
            End::Wake => {
                self.wake();
                run_all();
            }
            End::ShutDown => {
                begin_shutdown(Shutdown::Drain);
                self.wake();
            }
        }
    }
}

impl Part for Scene {
    type Operation = Operation;
    type Action = Action;

    const OPERATIONS: &'static [(&'static str, Operation)] = OPERATIONS;
    const ACTIONS: &'static [(&'static str, Action)] = Action::ALL;

    fn open() {
        open();
    }

    /// The executor is open and idle before and after it. The checks of the run look at all that
    /// happened, so it returns no events.
    fn run(operation: &Operation, action: &Action, instruction: u32) -> (Hit, Events) {
        ledger::reset();
        let before = EXECUTOR.stats();
        if operation.in_worker {
            assert!(
                WORKERS.run_one(THREAD) == Ran::Nothing,
                "there is work before anything was submitted"
            );
        }
        let (scene, handles) = Self::new(*action, instruction);
        (operation.perform)(&scene, handles);
        (scene.settle(before), Events::default())
    }

    fn close() {
        close();
    }
}

impl Scene {
    fn new(action: Action, instruction: u32) -> (Self, Handles) {
        WAKER_WANTED.store(true, Ordering::Relaxed);
        let future = EXECUTOR
            .submit_future(Resting::new(Role::Future, keep_waker))
            .expect("there is room");
        work();
        let waker = free(|section| WAKER.borrow(section).take()).expect("the future was polled");
        let (promise, promised) = EXECUTOR.promise().expect("there is room");
        ASKED.store(false, Ordering::Relaxed);
        let task = accepted(Role::Task, EXECUTOR.submit_stoppable(stoppable(Role::Task)))
            .expect("there is room");
        let shared = Shared {
            action,
            promise,
            waker,
            newcomer: Mutex::new(Cell::new(None)),
        };
        let scene = Self {
            shared,
            instruction,
            hit: Cell::new(None),
            handles: RefCell::default(),
            outcomes: RefCell::default(),
            finished: Cell::new(false),
        };
        (
            scene,
            Handles {
                task,
                promise: promised,
                future,
            },
        )
    }

    /// Does the operation, with the interrupt at its instruction. `aim` is the task that the
    /// interrupt may cancel.
    pub(crate) fn under_fire<R>(
        &self,
        aim: (Role, Token),
        sleep: Sleep<'_>,
        operation: impl FnOnce() -> R,
    ) -> R {
        let shared = &self.shared;
        let action = || shared.act(aim);
        let end = || {
            if let Sleep::Until(_, end) = sleep {
                shared.end(end);
            }
        };
        let until = match sleep {
            Sleep::Never => sleep::Sleep::Never,
            Sleep::Until(due, _) => sleep::Sleep::Until(due, &end),
        };
        let (result, hit) = sleep::under_fire(self.instruction, &action, until, operation);
        self.hit.set(Some(hit));
        result
    }

    pub(crate) fn keep(&self, role: Role, handle: Handle) {
        self.handles.borrow_mut()[role as usize] = Some(handle);
    }

    pub(crate) fn keep_outcome(&self, role: Role, outcome: Result<Value, TaskError>) {
        self.outcomes.borrow_mut()[role as usize] = Some(outcome);
    }

    pub(crate) fn has_outcome(&self, role: Role) -> bool {
        self.outcomes.borrow()[role as usize].is_some()
    }

    /// Waits for a task under fire.
    pub(crate) fn wait(&self, role: Role, handle: Handle, end: End) {
        let token = handle.canceller();
        let due = || is_over(token);
        self.keep_outcome(
            role,
            self.under_fire((role, token), Sleep::Until(&due, end), || handle.result()),
        );
    }

    /// Runs everything that can run, checks that the interrupt's wake-up had its effect, and
    /// completes the rest.
    pub(crate) fn finish(&self) {
        if self.finished.replace(true) {
            return;
        }
        work();
        let future = account(Role::Future);
        let heard = get(&future.ran) == 1
            || ledger::is_cancelled(Role::Future) && get(&future.dropped) == 1;
        assert!(
            self.shared.action != Action::Wake || heard,
            "a future was woken and not polled"
        );
        let shared = &self.shared;
        shot::lower(&|| {
            shared.complete();
            shared.wake();
            run_all();
        });
    }

    fn settle(self, before: Stats) -> Hit {
        self.finish();
        let Self {
            shared,
            hit,
            handles,
            outcomes,
            ..
        } = self;
        let Shared {
            promise, newcomer, ..
        } = shared;
        let mut handles = handles.into_inner();
        handles[Role::Newcomer as usize] = free(|section| newcomer.borrow(section).take());
        for (role, (handle, outcome)) in ROLES
            .into_iter()
            .zip(handles.into_iter().zip(outcomes.into_inner()))
        {
            let taken = handle.map(|mut handle| {
                assert!(handle.done(), "{role:?} is not done: {handle:?}");
                let asked = role == Role::Task && ASKED.load(Ordering::Relaxed);
                assert!(
                    !asked || handle.stop_requested(),
                    "a request to stop is lost"
                );
                handle.try_result().expect("it is done")
            });
            if let Some(outcome) = taken.or(outcome) {
                check_outcome(role, &outcome);
            }
        }
        drop(promise);
        ledger::check(before, EXECUTOR.stats());
        close();
        open();
        hit.get().expect("there was a shot")
    }
}

/// Shuts down. Every worker must leave at once.
pub(crate) fn close() {
    begin_shutdown(Shutdown::Drain);
    assert!(
        WORKERS.run_one(THREAD) == Ran::Left,
        "the thread's worker stays"
    );
    shot::lower(&|| {
        assert!(
            WORKERS.run_one(INTERRUPT) == Ran::Left,
            "the interrupts' worker stays"
        )
    });
    EXECUTOR
        .shutdown(Shutdown::Drain)
        .expect("no worker calls it");
}

/// Starts the executor, and checks that it has every slot and that each works.
pub(crate) fn open() {
    EXECUTOR.start(&WORKERS).expect("it has stopped");
    check_slots::<SLOTS, _>(|| submit(Role::Filler), work);
    assert!(
        EXECUTOR.stats().slots_in_use == 0,
        "a slot was not given back"
    );
}
