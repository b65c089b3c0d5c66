//! One run: its state before the operation, the interrupt's actions, and the checks at the end.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Waker};

use cortex_m::interrupt::{Mutex, free};
use slotted::{
    Canceller, Executor, JoinHandle, Promise, Ran, Refusal, Shutdown, Stats, TaskError, TaskState,
};

use crate::host::{INTERRUPT, PERMIT, Swept, THREAD, WORKERS};
use crate::ledger::{
    self, CANCELS, FILLED, RELEASED, ROLES, Resting, Role, SHUT, Value, account, add,
    check_outcome, closure, get,
};
use crate::operations::Operation;
use crate::shot::{self, Hit};

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
}

impl Action {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("submit", Self::Submit),
        ("cancel", Self::Cancel),
        ("complete", Self::Complete),
        ("wake", Self::Wake),
        ("run_one", Self::Run),
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
    match EXECUTOR.submit(closure(role)) {
        Ok(handle) => Some(handle),
        Err(refused) => {
            let excuse = match refused.reason() {
                Refusal::Full => FILLED.load(Ordering::Relaxed),
                Refusal::ShutDown => SHUT.load(Ordering::Relaxed),
                _ => false,
            };
            assert!(excuse, "refused without a reason: {refused:?}");
            add(&account(role).refused);
            None
        }
    }
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
    CANCELS.store(pending == Shutdown::Cancel, Ordering::Relaxed);
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

impl Scene {
    /// Does one run. The executor is open and idle before and after it.
    pub(crate) fn run(operation: &Operation, action: Action, instruction: u32) -> Hit {
        ledger::reset();
        let before = EXECUTOR.stats();
        if operation.in_worker {
            assert!(
                WORKERS.run_one(THREAD) == Ran::Nothing,
                "there is work before anything was submitted"
            );
        }
        let (scene, handles) = Self::new(action, instruction);
        (operation.perform)(&scene, handles);
        scene.settle(before)
    }

    fn new(action: Action, instruction: u32) -> (Self, Handles) {
        WAKER_WANTED.store(true, Ordering::Relaxed);
        let future = EXECUTOR
            .submit_future(Resting::new(Role::Future, keep_waker))
            .expect("there is room");
        work();
        let waker = free(|section| WAKER.borrow(section).take()).expect("the future was polled");
        let (promise, promised) = EXECUTOR.promise().expect("there is room");
        let task = submit(Role::Task).expect("there is room");
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
        let pended = || {
            let Sleep::Until(due, end) = sleep else {
                panic!("the operation sleeps")
            };
            // The order matters: the interrupt may come in between, and does its whole action or
            // nothing.
            let due = due();
            if PERMIT.load(Ordering::Relaxed) {
                return;
            }
            assert!(
                !due,
                "what the thread waits for is there, and no wake-up came"
            );
            shared.end(end);
            assert!(
                PERMIT.load(Ordering::Relaxed),
                "PendSV did what the thread waits for, and no wake-up came"
            );
        };
        PERMIT.store(false, Ordering::Relaxed);
        let (result, hit) = shot::fire(self.instruction, &action, &pended, operation);
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
    ledger::reset();
    let handles = [(); SLOTS].map(|()| submit(Role::Filler).expect("every slot is free"));
    FILLED.store(true, Ordering::Relaxed);
    assert!(submit(Role::Filler).is_none(), "there is one slot too many");
    work();
    // In the order of their addresses, so that the free list is the same before each run.
    let mut handles = handles.map(|handle| (address(&handle), handle));
    handles.sort_unstable_by_key(|(address, _)| core::cmp::Reverse(*address));
    assert!(
        handles.windows(2).all(|pair| pair[0].0 != pair[1].0),
        "two tasks have one slot"
    );
    for (_, mut handle) in handles {
        let outcome = handle.try_result().expect("it has run");
        assert!(
            matches!(
                outcome,
                Ok(Value {
                    role: Role::Filler,
                    ..
                })
            ),
            "a slot has {outcome:?}"
        );
    }
    assert!(
        get(&account(Role::Filler).ran) == SLOTS,
        "not every slot's task has run"
    );
    assert!(
        EXECUTOR.stats().slots_in_use == 0,
        "a slot was not given back"
    );
}

/// The address of the value of a task that has run.
fn address(handle: &Handle) -> usize {
    static ADDRESS: AtomicUsize = AtomicUsize::new(0);
    let looked = handle.add_done_callback(|outcome| {
        ADDRESS.store(
            outcome.map_or(0, |value| core::ptr::from_ref(value).addr()),
            Ordering::Relaxed,
        );
    });
    assert!(
        looked.is_ok() && get(&ADDRESS) != 0,
        "a task of a full executor has no value: {handle:?}"
    );
    ADDRESS.swap(0, Ordering::Relaxed)
}
