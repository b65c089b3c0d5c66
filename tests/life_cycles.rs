//! Every way a task can live, once each.
//!
//! A [`Case`] fixes what the task would do if left alone, when it is cancelled and through what,
//! when its handle goes and how, who waits for it in which way, and whose destructor panics. All
//! combinations that mean something are played, with no thread but the ones that wait: on `WORKERS
//! = 0` by stepping the executor, on `WORKERS = 1` by stepping a worker that the test holds.
//!
//! "Cancelled while pending" is any [`Body`] cancelled before its start; "cancelled between polls"
//! is a body that rests, cancelled while running.
//!
//! Each case counts what was made and dropped: the task's capture (its closure or future), its
//! value, its callback, its panic payload. Each goes exactly once. Only a forgotten handle leaks:
//! its slot, and the value or the error (with the payload) that lies in it.
#![cfg(feature = "std")]

use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::panic::{self, catch_unwind, panic_any};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::Wake;
use std::thread;

use slotted::{
    CancelOnDrop, Canceller, Executor, JoinHandle, Pending, Ran, Spawn, Stats, StdHost, TaskError,
    TaskState, Worker, WorkerStartError,
};

/// One for the task, one for a callback, and two to see that no more are used.
const SLOTS: usize = 4;

type Pool<const WORKERS: usize> = Executor<WORKERS, SLOTS, 96>;
type Handle = JoinHandle<'static, Tracked>;

// ---- the dimensions
// -------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    BeforeStart,
    /// Inside the closure or the poll; for a body that rests, between two polls; for a promise,
    /// after it was marked as running.
    Running,
    Ended,
}

/// What the task does if nobody cancels it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Returns,
    Panics,
    /// Still pending when the executor shuts down with `Cancel`.
    ShutDown,
    /// Still pending when the executor breaks.
    Broken,
    PromiseKept,
    PromiseDropped,
    PromiseError,
    AsyncReady,
    AsyncPanics,
    AsyncAfterWake,
    AsyncPanicsAfterWake,
    /// Between two polls when the executor shuts down with `Cancel`.
    AsyncShutDown,
    /// Between two polls when the executor breaks.
    AsyncBroken,
}

const BODIES: [Body; 13] = [
    Body::Returns,
    Body::Panics,
    Body::ShutDown,
    Body::Broken,
    Body::PromiseKept,
    Body::PromiseDropped,
    Body::PromiseError,
    Body::AsyncReady,
    Body::AsyncPanics,
    Body::AsyncAfterWake,
    Body::AsyncPanicsAfterWake,
    Body::AsyncShutDown,
    Body::AsyncBroken,
];

impl Body {
    fn is_promise(self) -> bool {
        matches!(
            self,
            Self::PromiseKept | Self::PromiseDropped | Self::PromiseError
        )
    }

    /// Whether it is a future that is not ready at its first poll.
    fn rests(self) -> bool {
        matches!(
            self,
            Self::AsyncAfterWake
                | Self::AsyncPanicsAfterWake
                | Self::AsyncShutDown
                | Self::AsyncBroken
        )
    }

    /// Whether it ends by being run, with no help from outside.
    fn ends_by_itself(self) -> bool {
        matches!(
            self,
            Self::Returns | Self::Panics | Self::AsyncReady | Self::AsyncPanics
        )
    }

    fn starts(self) -> bool {
        !matches!(self, Self::ShutDown | Self::Broken)
    }

    fn breaks_the_executor(self) -> bool {
        matches!(self, Self::Broken | Self::AsyncBroken)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Handle,
    Canceller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Never,
    Once(When, Through),
    Twice(When, Through),
}

impl Cancel {
    fn when(self) -> Option<When> {
        match self {
            Self::Never => None,
            Self::Once(when, _) | Self::Twice(when, _) => Some(when),
        }
    }

    fn needs_handle(self) -> bool {
        matches!(
            self,
            Self::Once(_, Through::Handle) | Self::Twice(_, Through::Handle)
        )
    }
}

fn cancels() -> impl Iterator<Item = Cancel> {
    let places = [When::BeforeStart, When::Running, When::Ended]
        .into_iter()
        .flat_map(|when| [Through::Handle, Through::Canceller].map(|through| (when, through)));
    [Cancel::Never].into_iter().chain(
        places.flat_map(|(when, through)| {
            [Cancel::Once(when, through), Cancel::Twice(when, through)]
        }),
    )
}

/// How and when the handle goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// By `result`, or by `.await` where that is how one waits.
    Result,
    TryResult,
    Dropped(When),
    Detached,
    Forgotten,
    CancelOnDrop(When),
}

const FATES: [Fate; 10] = [
    Fate::Result,
    Fate::TryResult,
    Fate::Dropped(When::BeforeStart),
    Fate::Dropped(When::Running),
    Fate::Dropped(When::Ended),
    Fate::Detached,
    Fate::Forgotten,
    Fate::CancelOnDrop(When::BeforeStart),
    Fate::CancelOnDrop(When::Running),
    Fate::CancelOnDrop(When::Ended),
];

impl Fate {
    fn when(self) -> When {
        match self {
            Self::Result | Self::TryResult => When::Ended,
            Self::Detached | Self::Forgotten => When::BeforeStart,
            Self::Dropped(when) | Self::CancelOnDrop(when) => when,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Nobody,
    /// Looks at each stage.
    TryResult,
    /// Blocks in another thread.
    Result,
    /// Polls at each stage.
    Await,
    /// A callback added before the start.
    Callback,
    /// A callback added after the end.
    LateCallback,
    /// Blocks in `error()` in another thread.
    Error,
}

const WAITS: [Wait; 7] = [
    Wait::Nobody,
    Wait::TryResult,
    Wait::Result,
    Wait::Await,
    Wait::Callback,
    Wait::LateCallback,
    Wait::Error,
];

impl Wait {
    fn blocks(self) -> bool {
        matches!(self, Self::Result | Self::Error)
    }

    fn calls_back(self) -> bool {
        matches!(self, Self::Callback | Self::LateCallback)
    }
}

/// What a test item is; its number is its place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Capture,
    Value,
    Callback,
    Payload,
}

const DROP_PANICS: [Option<Item>; 5] = [
    None,
    Some(Item::Capture),
    Some(Item::Value),
    Some(Item::Callback),
    Some(Item::Payload),
];

#[derive(Clone, Copy, Debug)]
struct Case {
    workers: usize,
    body: Body,
    cancel: Cancel,
    fate: Fate,
    wait: Wait,
    drop_panics: Option<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Value,
    Panicked,
    Cancelled,
    Broken,
    /// What the test's promises are broken with on purpose.
    TimedOut,
}

impl Outcome {
    fn of(outcome: Result<&Tracked, &TaskError>) -> Self {
        match outcome {
            Ok(_) => Self::Value,
            Err(TaskError::Panicked(_)) => Self::Panicked,
            Err(TaskError::Cancelled) => Self::Cancelled,
            Err(TaskError::Broken) => Self::Broken,
            Err(TaskError::TimedOut) => Self::TimedOut,
            Err(other) => panic!("no task ends in {other:?}"),
        }
    }
}

impl Case {
    /// Whether something cancels the task at this stage: somebody, or the drop of a handle that
    /// does so.
    fn cancelled_at(&self, when: When) -> bool {
        self.cancel.when() == Some(when) || self.fate == Fate::CancelOnDrop(when)
    }

    fn reaches_running(&self) -> bool {
        self.body.starts() && !self.cancelled_at(When::BeforeStart)
    }

    /// How the task ends.
    fn outcome(&self) -> Outcome {
        if self.cancelled_at(When::BeforeStart)
            || (self.body.rests() && self.cancelled_at(When::Running))
        {
            return Outcome::Cancelled;
        }
        match self.body {
            Body::Returns if self.drop_panics == Some(Item::Capture) => Outcome::Panicked,
            Body::Returns | Body::PromiseKept | Body::AsyncReady | Body::AsyncAfterWake => {
                Outcome::Value
            }
            Body::Panics | Body::AsyncPanics | Body::AsyncPanicsAfterWake => Outcome::Panicked,
            Body::ShutDown | Body::AsyncShutDown => Outcome::Cancelled,
            Body::Broken | Body::AsyncBroken | Body::PromiseDropped => Outcome::Broken,
            Body::PromiseError => Outcome::TimedOut,
        }
    }

    /// Whether the task had ended by the end of this stage.
    fn ended_by(&self, when: When) -> bool {
        match when {
            When::BeforeStart => self.cancelled_at(When::BeforeStart),
            When::Running => self.body.rests() && self.cancelled_at(When::Running),
            When::Ended => true,
        }
    }

    /// The stage at whose end the task had ended.
    fn end(&self) -> When {
        [When::BeforeStart, When::Running]
            .into_iter()
            .find(|when| {
                (*when == When::BeforeStart || self.reaches_running()) && self.ended_by(*when)
            })
            .unwrap_or(When::Ended)
    }

    /// Whether the handle was still there when the task ended. (At one stage the cancel comes
    /// before the handle goes, and so does that of a handle which cancels; what a body does by
    /// itself comes before `Ended`.)
    fn heard_the_end(&self) -> bool {
        self.fate == Fate::Forgotten || self.fate.when() >= self.end()
    }

    /// Whether the combination means anything.
    fn is_possible(&self) -> bool {
        let Self {
            workers,
            body,
            cancel,
            fate,
            wait,
            drop_panics,
        } = *self;
        // Only a worker's hook can break an executor.
        if body.breaks_the_executor() && workers == 0 {
            return false;
        }
        let happens_while_running =
            cancel.when() == Some(When::Running) || fate.when() == When::Running;
        if happens_while_running && !self.reaches_running() {
            return false;
        }
        // Cancelling through the handle needs the handle, in this thread.
        if cancel.needs_handle() {
            let lent = wait.blocks() && cancel.when() < Some(When::Ended);
            let consumed = wait == Wait::Result;
            if lent || consumed || cancel.when() > Some(fate.when()) {
                return false;
            }
        }
        // The blocked thread has the handle until the end.
        if wait == Wait::Result && fate != Fate::Result
            || wait == Wait::Error && fate.when() != When::Ended
        {
            return false;
        }
        // Where there are no workers a blocked thread runs what is ready, at a moment of its own.
        if workers == 0 && wait.blocks() && !body.ends_by_itself() && !body.is_promise() {
            return false;
        }
        if wait == Wait::LateCallback && fate.when() != When::Ended {
            return false;
        }
        match drop_panics {
            None => true,
            // A destructor that panics while a closure unwinds aborts the program, as everywhere.
            Some(Item::Capture) => {
                !(body.is_promise() || body == Body::Panics && self.reaches_running())
            }
            Some(Item::Value) => self.outcome() == Outcome::Value,
            Some(Item::Callback) => wait.calls_back(),
            Some(Item::Payload) => self.outcome() == Outcome::Panicked,
        }
    }
}

// ---- what is counted
// ------------------------------------------------------------------------------------------------

/// How many of each item were made and dropped.
#[derive(Debug, Default)]
struct Ledger {
    made: [AtomicUsize; 4],
    dropped: [AtomicUsize; 4],
}

impl Ledger {
    fn of(counts: &[AtomicUsize; 4], item: Item) -> usize {
        counts[item as usize].load(Ordering::SeqCst)
    }

    fn alive(&self, item: Item) -> usize {
        Self::of(&self.made, item) - Self::of(&self.dropped, item)
    }
}

/// An item whose drop is counted, and may panic.
struct Tracked {
    ledger: Arc<Ledger>,
    item: Item,
    drop_panics: bool,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let before = self.ledger.dropped[self.item as usize].fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "{:?} dropped twice", self.item);
        if self.drop_panics {
            panic_any(Expected);
        }
    }
}

/// Thrown by destructors that panic.
struct Expected;

/// Thrown by tasks that panic.
struct Payload(#[expect(dead_code, reason = "kept for its drop")] Tracked);

/// Keeps the expected panics out of the output.
fn quiet_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Expected>() && !info.payload().is::<Payload>() {
                loud(info);
            }
        }));
    });
}

/// Drops what is ours now, and may panic when it goes.
fn drop_ours<T>(ours: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(ours))) {
        assert!(payload.is::<Expected>(), "only expected panics");
    }
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// ---- the play
// -------------------------------------------------------------------------------------------------------

enum Held {
    Plain(Handle),
    Cancelling(CancelOnDrop<'static, Tracked>),
}

impl Deref for Held {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        match self {
            Self::Plain(handle) => handle,
            Self::Cancelling(handle) => handle,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Handle {
        match self {
            Self::Plain(handle) => handle,
            Self::Cancelling(handle) => handle,
        }
    }
}

/// What the test and the task share.
struct Script {
    case: Case,
    ledger: Arc<Ledger>,
    stats: Box<dyn Fn() -> Stats + Send + Sync>,
    /// What the outer world holds of the task.
    outside: Mutex<Outside>,
    /// The future's waker, once it was polled.
    waker: Mutex<Option<Waker>>,
    /// What was learnt of the outcome: by callbacks, waiters and takers, in this order.
    heard: Mutex<Vec<Outcome>>,
    /// The one who awaits.
    wakes: Arc<CountWakes>,
}

#[derive(Default)]
struct Outside {
    handle: Option<Held>,
    canceller: Option<Canceller<'static>>,
    promise_is_there: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    fn track(&self, item: Item) -> Tracked {
        self.ledger.made[item as usize].fetch_add(1, Ordering::SeqCst);
        Tracked {
            ledger: Arc::clone(&self.ledger),
            item,
            drop_panics: self.case.drop_panics == Some(item),
        }
    }

    fn throw(&self) -> ! {
        panic_any(Payload(self.track(Item::Payload)))
    }

    fn hear(&self, outcome: Outcome) {
        assert_eq!(outcome, self.case.outcome());
        lock(&self.heard).push(outcome);
    }

    /// Everything that the outer world does with the task at one stage.
    fn act(self: &Arc<Self>, when: When) {
        let mut outside = lock(&self.outside);
        let outside = &mut *outside;
        self.wait(outside, when);
        self.check(outside, when, when == When::Ended);
        self.cancel(outside, when);
        self.check(
            outside,
            when,
            self.case.ended_by(when) && self.case.cancel.when() == Some(when)
                || when == When::Ended,
        );
        if self.case.fate.when() == when {
            self.let_go(outside);
        }
        self.check(outside, when, self.case.ended_by(when));
    }

    /// Whether somebody pins the slot.
    fn is_pinned(&self, outside: &Outside) -> bool {
        outside.handle.is_some()
            || outside.promise_is_there
            || (self.case.fate == Fate::Forgotten && outside.handle.is_none())
    }

    /// The truth table of the states, and the slots in use.
    fn check(&self, outside: &Outside, when: When, ended: bool) {
        let outcome = self.case.outcome();
        let expected = match (ended, when) {
            (true, _) if outcome == Outcome::Cancelled => TaskState::Cancelled,
            (true, _) => TaskState::Finished,
            (false, When::Running) => TaskState::Running,
            (false, _) => TaskState::Pending,
        };
        if let Some(handle) = &outside.handle {
            let state = (handle.cancelled(), handle.running(), handle.done());
            let truth = match expected {
                TaskState::Cancelled => (true, false, true),
                TaskState::Finished => (false, false, true),
                TaskState::Running => (false, true, false),
                _ => (false, false, false),
            };
            assert_eq!(state, truth, "(cancelled, running, done) at {when:?}");
        }
        let pinned = self.is_pinned(outside);
        let gone = ended && !pinned;
        let Some(canceller) = outside.canceller else {
            return;
        };
        assert_eq!(
            canceller.state(),
            if gone { TaskState::Gone } else { expected },
            "at {when:?}"
        );
        let waiting_callback = self.case.wait == Wait::Callback && !ended;
        let slots = usize::from(!gone) + usize::from(waiting_callback);
        assert_eq!(
            (self.stats)().slots_in_use,
            slots,
            "slots in use at {when:?}"
        );
        if ended {
            assert_eq!(
                self.ledger.alive(Item::Capture),
                0,
                "an ended task has no closure"
            );
        }
    }

    /// Looks, without waiting, in the way of the case.
    fn wait(self: &Arc<Self>, outside: &mut Outside, when: When) {
        let Some(handle) = &mut outside.handle else {
            return;
        };
        match self.case.wait {
            Wait::TryResult if when != When::Ended => {
                assert_eq!(
                    handle.try_result().map(|taken| Outcome::of(taken.as_ref())),
                    None,
                    "nothing yet at {when:?}"
                );
            }
            Wait::Await if when != When::Ended => {
                let waker = Waker::from(Arc::clone(&self.wakes));
                let polled = Pin::new(&mut **handle).poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending(), "nothing yet at {when:?}");
            }
            Wait::Callback if when == When::BeforeStart => self.add_callback(handle),
            Wait::LateCallback if when == When::Ended => {
                self.add_callback(handle);
                assert_eq!(lock(&self.heard).len(), 1, "called at once");
            }
            _ => {}
        }
    }

    fn add_callback(self: &Arc<Self>, handle: &Handle) {
        let (script, capture, canceller) = (
            Arc::clone(self),
            self.track(Item::Callback),
            handle.canceller(),
        );
        let added = handle.add_done_callback(move |outcome| {
            script.hear(Outcome::of(outcome));
            let cancelled = script.case.outcome() == Outcome::Cancelled;
            let done = if cancelled {
                TaskState::Cancelled
            } else {
                TaskState::Finished
            };
            assert_eq!(
                canceller.state(),
                done,
                "while its callbacks run the task is done"
            );
            drop(capture);
        });
        added.expect("there is room for a callback");
    }

    fn cancel(&self, outside: &Outside, when: When) {
        let (through, times) = match self.case.cancel {
            Cancel::Once(at, through) if at == when => (through, 1),
            Cancel::Twice(at, through) if at == when => (through, 2),
            _ => return,
        };
        let pinned = self.is_pinned(outside);
        for time in 1..=times {
            let cancelled = match through {
                Through::Handle => outside.handle.as_ref().expect("still there").cancel(),
                Through::Canceller => outside.canceller.expect("always there").cancel(),
            };
            let was_gone = !pinned && (time == 2 || when == When::Ended);
            let expected =
                !was_gone && self.case.ended_by(when) && self.case.outcome() == Outcome::Cancelled;
            assert_eq!(cancelled, expected, "cancel number {time} at {when:?}");
        }
    }

    fn let_go(&self, outside: &mut Outside) {
        let Some(mut handle) = outside.handle.take() else {
            return;
        };
        match self.case.fate {
            Fate::Result if self.case.wait == Wait::Await => {
                let waker = Waker::from(Arc::clone(&self.wakes));
                match Pin::new(&mut *handle).poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(taken) => self.take(taken),
                    Poll::Pending => panic!("woken for nothing"),
                }
            }
            Fate::Result => match handle {
                Held::Plain(handle) => self.take(handle.result()),
                Held::Cancelling(_) => unreachable!("its fate is another"),
            },
            Fate::TryResult => {
                self.take(handle.try_result().expect("the task has ended"));
                assert!(matches!(
                    handle.try_result(),
                    Some(Err(TaskError::AlreadyTaken))
                ));
            }
            Fate::Dropped(_) | Fate::CancelOnDrop(_) => drop(handle),
            Fate::Detached => match handle {
                Held::Plain(handle) => handle.detach(),
                Held::Cancelling(_) => unreachable!("its fate is another"),
            },
            Fate::Forgotten => core::mem::forget(handle),
        }
    }

    fn take(&self, taken: Result<Tracked, TaskError>) {
        self.hear(Outcome::of(taken.as_ref()));
        match taken {
            Err(TaskError::Panicked(panic)) => drop_ours(panic.into_payload()),
            taken => drop_ours(taken),
        }
    }
}

/// A future by hand, so that its drop is not part of its poll.
struct Task {
    script: Arc<Script>,
    _capture: Tracked,
    polled: bool,
}

impl Future for Task {
    type Output = Tracked;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Tracked> {
        let body = self.script.case.body;
        if body.rests() && !self.polled {
            self.polled = true;
            *lock(&self.script.waker) = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !body.rests() {
            self.script.act(When::Running);
        }
        match body {
            Body::AsyncReady | Body::AsyncAfterWake => Poll::Ready(self.script.track(Item::Value)),
            _ => self.script.throw(),
        }
    }
}

/// A host that leaves its worker lying about for the test to pick up.
#[derive(Default)]
struct InHand(Mutex<Option<Worker<StdHost>>>);

impl Spawn<StdHost> for InHand {
    type Error = core::convert::Infallible;

    fn spawn(&self, worker: Worker<StdHost>) -> Result<(), Self::Error> {
        *lock(&self.0) = Some(worker);
        Ok(())
    }
}

fn refuse_to_start(_worker: usize) -> Result<(), WorkerStartError> {
    Err(WorkerStartError)
}

/// The blocked thread, if the case has one.
type Blocked = thread::JoinHandle<Option<Held>>;

fn block(script: &Arc<Script>) -> Option<Blocked> {
    if !script.case.wait.blocks() {
        return None;
    }
    let handle = lock(&script.outside)
        .handle
        .take()
        .expect("nobody took it yet");
    let script = Arc::clone(script);
    Some(thread::spawn(move || match (script.case.wait, handle) {
        (Wait::Result, Held::Plain(handle)) => {
            script.take(handle.result());
            None
        }
        (_, handle) => {
            let error = handle.error().map(|error| Outcome::of(Err(error)));
            script.hear(error.unwrap_or(Outcome::Value));
            Some(handle)
        }
    }))
}

fn play<const WORKERS: usize>(case: Case) {
    let executor = Pool::<WORKERS>::new();
    let executor = if case.body.breaks_the_executor() {
        executor.on_worker_start(refuse_to_start)
    } else {
        executor
    };
    // Wakers may be kept for ever, so it has to be there for ever.
    let executor: &'static Pool<WORKERS> = Box::leak(Box::new(executor));
    let in_hand = InHand::default();
    executor.start(&in_hand).expect("it is new");
    let mut worker = lock(&in_hand.0).take();

    let script = Arc::new(Script {
        case,
        ledger: Arc::default(),
        stats: Box::new(|| executor.stats()),
        outside: Mutex::default(),
        waker: Mutex::default(),
        heard: Mutex::default(),
        wakes: Arc::default(),
    });

    // Submitted.
    let mut promise = None;
    let handle = if case.body.is_promise() {
        let (giving, handle) = executor.promise().expect("there is room");
        promise = Some(giving);
        handle
    } else if matches!(
        case.body,
        Body::Returns | Body::Panics | Body::ShutDown | Body::Broken
    ) {
        let (script, capture) = (Arc::clone(&script), script.track(Item::Capture));
        let task = move || {
            script.act(When::Running);
            if script.case.body == Body::Panics {
                script.throw();
            }
            drop(capture);
            script.track(Item::Value)
        };
        executor.submit(task).expect("there is room")
    } else {
        let (_capture, script) = (script.track(Item::Capture), Arc::clone(&script));
        executor
            .submit_future(Task {
                script,
                _capture,
                polled: false,
            })
            .expect("there is room")
    };
    let canceller = handle.canceller();
    let held = match case.fate {
        Fate::CancelOnDrop(_) => Held::Cancelling(handle.cancel_on_drop()),
        _ => Held::Plain(handle),
    };
    *lock(&script.outside) = Outside {
        handle: Some(held),
        canceller: Some(canceller),
        promise_is_there: promise.is_some(),
    };

    // Before the start. Where there is a worker, who blocks does so from the beginning; where there
    // is none, who blocks runs the task.
    let blocked;
    if WORKERS > 0 {
        blocked = block(&script);
        act_unless_blocked(&script, blocked.as_ref(), When::BeforeStart);
    } else {
        script.act(When::BeforeStart);
        blocked = block(&script);
    }

    // Running, and to the end.
    let drives_itself = WORKERS == 0 && blocked.is_some();
    let mut step = || match &mut worker {
        Some(worker) => worker.run_one() == Ran::Task,
        None => executor.run_one(),
    };
    let starts = case.reaches_running();
    match case.body {
        Body::Returns | Body::Panics | Body::AsyncReady | Body::AsyncPanics => {
            if !drives_itself {
                assert_eq!(step(), starts, "a cancelled task is not in the queue");
            }
        }
        Body::ShutDown => executor.begin_shutdown(Pending::Cancel),
        Body::Broken => assert!(!step(), "the worker leaves"),
        Body::AsyncAfterWake
        | Body::AsyncPanicsAfterWake
        | Body::AsyncShutDown
        | Body::AsyncBroken => {
            if case.body == Body::AsyncBroken {
                // The worker would break before it polls.
                assert_eq!(executor.run_one(), starts);
            } else {
                assert_eq!(step(), starts);
            }
            if starts {
                act_unless_blocked(&script, blocked.as_ref(), When::Running);
            }
            match case.body {
                Body::AsyncShutDown => executor.begin_shutdown(Pending::Cancel),
                Body::AsyncBroken => assert!(!step(), "the worker leaves"),
                _ => {
                    let waker = lock(&script.waker).clone();
                    assert_eq!(waker.is_some(), starts);
                    waker.inspect(Waker::wake_by_ref);
                    assert_eq!(
                        step(),
                        starts && !case.ended_by(When::Running),
                        "polled again unless cancelled"
                    );
                }
            }
        }
        Body::PromiseKept | Body::PromiseDropped | Body::PromiseError => {
            let given = promise.as_ref().expect("not dropped yet");
            assert_eq!(
                given.set_running_or_notify_cancel().expect("first time"),
                starts
            );
            if starts {
                act_unless_blocked(&script, blocked.as_ref(), When::Running);
            }
            match case.body {
                Body::PromiseKept => {
                    let kept = given.set_result(script.track(Item::Value));
                    assert_eq!(
                        kept.is_ok(),
                        starts,
                        "a cancelled promise gives the value back"
                    );
                    drop_ours(kept);
                }
                Body::PromiseError => {
                    assert_eq!(given.set_error(TaskError::TimedOut).is_ok(), starts);
                }
                _ => {}
            }
            // A promise that was broken on purpose is kept until after the end: it pins the slot.
            if case.body != Body::PromiseError {
                promise = None;
                lock(&script.outside).promise_is_there = false;
            }
        }
    }

    // The end.
    if let Some(blocked) = blocked {
        let handle = blocked.join().expect("who waits does not panic");
        lock(&script.outside).handle = handle;
    }
    script.act(When::Ended);
    drop(promise);
    if let Some(waker) = lock(&script.waker).take() {
        waker.wake();
        assert_eq!(
            executor.stats().queued,
            0,
            "a waker of an ended task wakes nothing"
        );
    }
    executor.begin_shutdown(Pending::Run);
    if let Some(mut worker) = worker {
        assert_eq!(worker.run_one(), Ran::Left);
    }
    check_books(&script);
}

/// A blocked thread has the handle and the outside world only the canceller; the figures are still
/// right but for what that thread does.
fn act_unless_blocked(script: &Arc<Script>, blocked: Option<&Blocked>, when: When) {
    match blocked {
        None => script.act(when),
        Some(_) => script.cancel_blocked(when),
    }
}

impl Script {
    fn cancel_blocked(&self, when: When) {
        let (Cancel::Once(at, _) | Cancel::Twice(at, _)) = self.case.cancel else {
            return;
        };
        if at == when {
            let canceller = lock(&self.outside).canceller.expect("always there");
            assert_eq!(canceller.cancel(), self.case.ended_by(when), "at {when:?}");
        }
    }
}

/// Each item went once, each listener heard once, and the figures say so.
fn check_books(script: &Script) {
    let case = script.case;
    let outcome = case.outcome();
    let made = |item| Ledger::of(&script.ledger.made, item);
    let forgotten = case.fate == Fate::Forgotten;

    let given_back = case.body == Body::PromiseKept && outcome == Outcome::Cancelled;
    let throws = matches!(
        case.body,
        Body::Panics | Body::AsyncPanics | Body::AsyncPanicsAfterWake
    );
    assert_eq!(made(Item::Capture), usize::from(!case.body.is_promise()));
    assert_eq!(
        made(Item::Value),
        usize::from(outcome == Outcome::Value || given_back)
    );
    assert_eq!(made(Item::Callback), usize::from(case.wait.calls_back()));
    assert_eq!(
        made(Item::Payload),
        usize::from(outcome == Outcome::Panicked && throws)
    );

    assert_eq!(script.ledger.alive(Item::Capture), 0, "captures alive");
    assert_eq!(script.ledger.alive(Item::Callback), 0, "callbacks alive");
    // Forgotten: what lies in the slot is leaked with it.
    assert_eq!(
        script.ledger.alive(Item::Value),
        usize::from(forgotten && outcome == Outcome::Value),
        "values alive"
    );
    let payloads = usize::from(forgotten && outcome == Outcome::Panicked && throws);
    assert_eq!(
        script.ledger.alive(Item::Payload),
        payloads,
        "payloads alive"
    );

    let taken = matches!(case.fate, Fate::Result | Fate::TryResult);
    let listened = case.wait.calls_back() || case.wait == Wait::Error;
    assert_eq!(
        lock(&script.heard).len(),
        usize::from(taken) + usize::from(listened),
        "each hears the outcome once"
    );

    let polled = case.wait == Wait::Await;
    let wakes = script.wakes.0.load(Ordering::SeqCst);
    assert_eq!(
        wakes,
        usize::from(polled && case.heard_the_end()),
        "who awaits is woken once"
    );
    assert_eq!(
        Arc::strong_count(&script.wakes),
        1,
        "no waker is left behind"
    );

    let stats = (script.stats)();
    let ran = matches!(outcome, Outcome::Value | Outcome::Panicked)
        || (case.body == Body::PromiseError && case.reaches_running());
    assert_eq!(stats.slots_in_use, usize::from(forgotten), "slots in use");
    assert_eq!(
        stats.slots_high_water,
        1 + usize::from(case.wait == Wait::Callback),
        "slots in use at most"
    );
    assert_eq!((stats.queued, stats.running, stats.refused), (0, 0, 0));
    assert_eq!(stats.completed, usize::from(ran), "completed");
    assert_eq!(
        stats.cancelled,
        usize::from(outcome == Outcome::Cancelled),
        "cancelled"
    );
    assert_eq!(
        stats.panicked,
        usize::from(outcome == Outcome::Panicked),
        "panicked"
    );
    assert_eq!(
        stats.callbacks_panicked,
        usize::from(case.drop_panics == Some(Item::Callback)),
        "callbacks panicked"
    );
}

fn play_all<const WORKERS: usize>() -> usize {
    quiet_expected_panics();
    let mut played = 0;
    for body in BODIES {
        for cancel in cancels() {
            for fate in FATES {
                for wait in WAITS {
                    for drop_panics in DROP_PANICS {
                        let case = Case {
                            workers: WORKERS,
                            body,
                            cancel,
                            fate,
                            wait,
                            drop_panics,
                        };
                        if case.is_possible() {
                            if let Err(panic) =
                                catch_unwind(AssertUnwindSafe(|| play::<WORKERS>(case)))
                            {
                                eprintln!("failed: {case:?}");
                                panic::resume_unwind(panic);
                            }
                            played += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{played} lives with {WORKERS} workers");
    played
}

#[test]
fn every_life_without_workers() {
    assert_eq!(play_all::<0>(), 11_973);
}

#[test]
fn every_life_with_a_worker() {
    assert_eq!(play_all::<1>(), 14_235);
}
