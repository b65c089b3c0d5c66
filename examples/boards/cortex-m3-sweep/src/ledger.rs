//! The ledger: the tasks themselves count what was accepted, run, cancelled and dropped.

use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use core::task::{Context, Poll};

use slotted::{JoinHandle, Park, Refusal, Release, Stats, SubmitError, TaskError};

/// A task's part in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The closure that is queued before the operation.
    Task,
    /// The promise that is open before the operation.
    Promise,
    /// The future that is suspended before the operation.
    Future,
    /// A second closure that is queued before the operation.
    Second,
    /// A closure whose date is to come.
    Waiting,
    /// A series whose first date has passed.
    Series,
    /// A task that the operation submits.
    Submitted,
    /// A task that the interrupt submits.
    Newcomer,
    /// A promise that the operation drops.
    Broken,
    /// A task that fills a remaining slot.
    Filler,
}

pub(crate) const ROLES: [Role; 10] = [
    Role::Task,
    Role::Promise,
    Role::Future,
    Role::Second,
    Role::Waiting,
    Role::Series,
    Role::Submitted,
    Role::Newcomer,
    Role::Broken,
    Role::Filler,
];

/// The figures of one role in this run.
#[derive(Default)]
pub(crate) struct Account {
    /// Bodies made.
    pub(crate) made: AtomicUsize,
    /// Bodies and values dropped.
    pub(crate) dropped: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    /// Tasks that ran to their end, and promises kept.
    pub(crate) ran: AtomicUsize,
    /// True if a call or an outcome reported the task as cancelled.
    pub(crate) cancelled: AtomicBool,
    pub(crate) values_made: AtomicUsize,
    pub(crate) values_dropped: AtomicUsize,
}

static ACCOUNTS: [Account; ROLES.len()] = [const {
    Account {
        made: AtomicUsize::new(0),
        dropped: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        ran: AtomicUsize::new(0),
        cancelled: AtomicBool::new(false),
        values_made: AtomicUsize::new(0),
        values_dropped: AtomicUsize::new(0),
    }
}; ROLES.len()];

/// Callbacks added and called.
pub(crate) static CALLBACKS_ADDED: AtomicUsize = AtomicUsize::new(0);
pub(crate) static CALLBACKS_CALLED: AtomicUsize = AtomicUsize::new(0);
/// True once all slots were taken. Only then may the executor refuse a task as full.
pub(crate) static FILLED: AtomicBool = AtomicBool::new(false);
/// True once a shutdown has begun, and true if it cancels.
pub(crate) static SHUT: AtomicBool = AtomicBool::new(false);
pub(crate) static CANCELS: AtomicBool = AtomicBool::new(false);
/// Makes the future's next poll its last.
pub(crate) static RELEASED: AtomicBool = AtomicBool::new(false);
/// What happened in this run, in order: each start of a task, and what a part notes.
static EVENTS: [AtomicU8; EVENTS_KEPT] = [const { AtomicU8::new(0) }; EVENTS_KEPT];
static EVENT_COUNT: AtomicUsize = AtomicUsize::new(0);
const EVENTS_KEPT: usize = 32;

/// All events of a run.
pub(crate) type Events = [u8; EVENTS_KEPT];

/// The number of the run. It tells a value of an earlier run from one of this run.
static RUN: AtomicU32 = AtomicU32::new(0);

pub(crate) fn account(role: Role) -> &'static Account {
    &ACCOUNTS[role as usize]
}

pub(crate) fn add(figure: &AtomicUsize) {
    figure.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn get(figure: &AtomicUsize) -> usize {
    figure.load(Ordering::Relaxed)
}

/// Begins a new run.
pub(crate) fn reset() {
    for account in &ACCOUNTS {
        let Account {
            made,
            dropped,
            refused,
            ran,
            cancelled,
            values_made,
            values_dropped,
        } = account;
        for figure in [made, dropped, refused, ran, values_made, values_dropped] {
            figure.store(0, Ordering::Relaxed);
        }
        cancelled.store(false, Ordering::Relaxed);
    }
    for figure in [&CALLBACKS_ADDED, &CALLBACKS_CALLED] {
        figure.store(0, Ordering::Relaxed);
    }
    for flag in [&FILLED, &SHUT, &CANCELS, &RELEASED] {
        flag.store(false, Ordering::Relaxed);
    }
    let count = EVENT_COUNT.swap(0, Ordering::Relaxed);
    for event in &EVENTS[..count] {
        event.store(0, Ordering::Relaxed);
    }
    RUN.fetch_add(1, Ordering::Relaxed);
}

/// Adds an event that is not the start of a task.
pub(crate) fn note(event: u8) {
    let place = EVENT_COUNT.fetch_add(1, Ordering::Relaxed);
    EVENTS[place].store(event, Ordering::Relaxed);
}

/// The event of a task's start. No other event is as small.
const fn start_of(role: Role) -> u8 {
    role as u8 + 1
}

/// The events so far.
pub(crate) fn events() -> Events {
    core::array::from_fn(|place| EVENTS[place].load(Ordering::Relaxed))
}

/// The task that an event is the start of.
pub(crate) fn started(event: u8) -> Option<Role> {
    ROLES.into_iter().find(|role| start_of(*role) == event)
}

/// A task's value, which counts its own drop.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) role: Role,
    run: u32,
}

impl Value {
    pub(crate) fn new(role: Role) -> Self {
        add(&account(role).values_made);
        Self {
            role,
            run: RUN.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        add(&account(self.role).values_dropped);
    }
}

/// Carried by a closure or a future, to count it.
pub(crate) struct Body(Role);

impl Body {
    fn new(role: Role) -> Self {
        add(&account(role).made);
        Self(role)
    }

    fn start(&self) {
        note(start_of(self.0));
    }

    fn end(&self) -> Value {
        self.start();
        add(&account(self.0).ran);
        Value::new(self.0)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        add(&account(self.0).dropped);
    }
}

/// A closure that ends at once.
pub(crate) fn closure(role: Role) -> impl FnOnce() -> Value + Send + 'static {
    let body = Body::new(role);
    move || body.end()
}

/// A series that ends with the first run after [`RELEASED`] is set.
pub(crate) fn series(role: Role) -> impl FnMut(Release) -> ControlFlow<Value> + Send + 'static {
    let body = Body::new(role);
    move |_| {
        if RELEASED.load(Ordering::Relaxed) {
            return ControlFlow::Break(body.end());
        }
        body.start();
        ControlFlow::Continue(())
    }
}

/// Counts a submission. Returns `None` if it was refused with a good reason.
pub(crate) fn accepted<H: Park, F>(
    role: Role,
    submitted: Result<JoinHandle<'static, Value, H>, SubmitError<F>>,
) -> Option<JoinHandle<'static, Value, H>> {
    match submitted {
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

/// A future that ends in its first poll.
pub(crate) fn future(role: Role) -> impl Future<Output = Value> + Send + 'static {
    let body = Body::new(role);
    async move { body.end() }
}

/// A future that ends in the first poll after [`RELEASED`] is set. It shows its waker to `keep`.
pub(crate) struct Resting {
    body: Body,
    keep: fn(&Context<'_>),
}

impl Resting {
    pub(crate) fn new(role: Role, keep: fn(&Context<'_>)) -> Self {
        Self {
            body: Body::new(role),
            keep,
        }
    }
}

impl Future for Resting {
    type Output = Value;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Value> {
        if RELEASED.load(Ordering::Relaxed) {
            return Poll::Ready(self.body.end());
        }
        (self.keep)(context);
        Poll::Pending
    }
}

/// Compares a task's outcome with the task's own count.
pub(crate) fn check_outcome(role: Role, outcome: &Result<Value, TaskError>) {
    let account = account(role);
    let (ran, cancelled) = (get(&account.ran), is_cancelled(role));
    match outcome {
        Ok(value) => {
            assert!(
                value.role == role,
                "{role:?} has the value of {:?}",
                value.role
            );
            assert!(
                value.run == RUN.load(Ordering::Relaxed),
                "{role:?} has the value of an earlier run"
            );
            assert!(
                ran == 1 && !cancelled,
                "{role:?} has a value, ran {ran} times, cancelled: {cancelled}"
            );
        }
        Err(TaskError::Cancelled) => {
            assert!(
                ran == 0 && cancelled,
                "{role:?} is cancelled, and ran {ran} times"
            )
        }
        Err(TaskError::Broken) => assert!(role == Role::Broken && !cancelled, "{role:?} is broken"),
        Err(error) => panic!("{role:?} ends with {error:?}"),
    }
}

/// Returns true if a task was cancelled, by its own count.
pub(crate) fn is_cancelled(role: Role) -> bool {
    let account = account(role);
    match role {
        Role::Promise | Role::Broken => account.cancelled.load(Ordering::Relaxed),
        _ => get(&account.made) > get(&account.refused) + get(&account.ran),
    }
}

/// At the end of a run, checks every role's figures, and the executor's against them.
pub(crate) fn check(before: Stats, after: Stats) {
    let (mut ran, mut cancelled, mut refused) = (0, 0, 0);
    for role in ROLES {
        let account = account(role);
        let told = account.cancelled.load(Ordering::Relaxed);
        let [made, dropped, refusals, ended, values_made, values_dropped] = [
            &account.made,
            &account.dropped,
            &account.refused,
            &account.ran,
            &account.values_made,
            &account.values_dropped,
        ]
        .map(get);
        assert!(
            made == dropped,
            "{role:?}: {made} bodies were made and {dropped} dropped"
        );
        assert!(
            values_made == values_dropped,
            "{role:?}: {values_made} values were made and {values_dropped} dropped"
        );
        let cancellations = match role {
            Role::Promise | Role::Broken => usize::from(told),
            _ => {
                let accepted = made - refusals;
                assert!(
                    ended <= accepted,
                    "{role:?}: {accepted} were accepted and {ended} ran"
                );
                accepted - ended
            }
        };
        assert!(
            role != Role::Promise || values_made == 0 || ended + cancellations == 1,
            "{role:?}: kept {ended} times, cancelled: {told}"
        );
        assert!(
            !told || cancellations == 1,
            "{role:?}: said to be cancelled, and ran"
        );
        let expected = told || (CANCELS.load(Ordering::Relaxed) && role != Role::Promise);
        assert!(cancellations == 0 || expected, "{role:?}: never ran");
        ran += ended;
        cancelled += cancellations;
        refused += refusals;
    }
    let (added, called) = (get(&CALLBACKS_ADDED), get(&CALLBACKS_CALLED));
    assert!(
        added == called,
        "{added} callbacks were added and {called} called"
    );
    assert!(
        after.slots_in_use == 0 && after.queued == 0 && after.running == 0,
        "not at rest: {after}"
    );
    let completed = after.completed.wrapping_sub(before.completed);
    assert!(
        completed == ran,
        "{ran} ran, and the executor counted {completed}"
    );
    let counted = after.cancelled.wrapping_sub(before.cancelled);
    assert!(
        counted == cancelled,
        "{cancelled} were cancelled, and the executor counted {counted}"
    );
    let counted = after.refused.wrapping_sub(before.refused);
    assert!(
        counted == refused,
        "{refused} were refused, and the executor counted {counted}"
    );
    assert!(
        after.panicked == 0 && after.callbacks_panicked == 0,
        "there were panics: {after}"
    );
}
