//! Random programs over the whole API, on an executor without workers, against a slow and obvious
//! model of it.
//!
//! Whatever can be seen must agree after each step: what calls return, in which order tasks,
//! callbacks and destructors run, the figures of `stats`, and what each handle and each canceller
//! say, also of tasks that are long gone.
//!
//! A step that would wait for ever, because nothing that is ready would end the wait, is left out.
#![cfg(feature = "std")]

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use slotted::{
    CallbackRefusal, Canceller, Executor, JoinHandle, Pending, Permit, Promise, Refusal,
    ReturnWhen, StdThreads, TaskError, TaskState, as_completed, as_completed_timeout, wait,
    wait_timeout,
};

const SLOTS: usize = 5;
/// What a panic that the program asks for begins with.
const EXPECTED: &str = "expected:";

type Pool = Executor<0, SLOTS, 96>;
/// A value tells whose it is.
type Value = Result<(usize, u8), (usize, u8)>;
type Handle = JoinHandle<'static, Value>;

// ---- programs
// -------------------------------------------------------------------------------------------------------

/// What a task does.
#[derive(Clone, Copy, Debug)]
enum Body {
    Returns(u8),
    Fails(u8),
    Panics(u8),
    /// Submits a task and detaches it.
    Submits,
    /// Cancels one of all the tasks there ever were.
    Cancels(u8),
}

/// A future that is not ready so many times.
#[derive(Clone, Copy, Debug)]
struct Rests {
    times: u8,
    wakes_itself: bool,
}

#[derive(Clone, Copy, Debug)]
enum Patience {
    Endless,
    Zero,
}

/// One step. Numbers choose among what there is, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Submit(Body),
    SubmitFallible(Body),
    SubmitFuture(Rests, Body),
    Promise,
    Reserve,
    SubmitPermit(Body),
    DropPermit,
    RunOne,
    RunUntilIdle,
    Cancel(u8),
    CancelThrough(u8),
    CancelOnDrop(u8),
    Drop(u8),
    Forget(u8),
    TryResult(u8),
    Result(u8, Patience),
    Error(u8, Patience),
    Await(u8),
    Callback(u8, bool),
    SetRunning(u8),
    Keep(u8, u8),
    Break(u8, bool),
    DropPromise(u8),
    Wake(u8),
    Wait(u8, ReturnWhen, Patience),
    AsCompleted(u8, u8, Patience),
    Map {
        items: u8,
        size: u8,
        unordered: bool,
        take: u8,
        detach: bool,
    },
    BeginShutdown(Pending),
    Shutdown(Pending),
    Start,
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        4 => any::<u8>().prop_map(Body::Returns),
        2 => any::<u8>().prop_map(Body::Fails),
        2 => any::<u8>().prop_map(Body::Panics),
        1 => Just(Body::Submits),
        1 => any::<u8>().prop_map(Body::Cancels),
    ]
}

fn patience() -> impl Strategy<Value = Patience> + Clone {
    prop_oneof![Just(Patience::Endless), Just(Patience::Zero)]
}

fn pending() -> impl Strategy<Value = Pending> + Clone {
    prop_oneof![Just(Pending::Run), Just(Pending::Cancel)]
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<u8>();
    let when = prop_oneof![
        Just(ReturnWhen::FirstCompleted),
        Just(ReturnWhen::FirstError),
        Just(ReturnWhen::AllCompleted)
    ];
    let rests = (0..3_u8, any::<bool>()).prop_map(|(times, wakes_itself)| Rests {
        times,
        wakes_itself,
    });
    let map = (0..8_u8, 1..7_u8, any::<bool>(), 0..9_u8, any::<bool>()).prop_map(
        |(items, size, unordered, take, detach)| Step::Map {
            items,
            size,
            unordered,
            take,
            detach,
        },
    );
    let tasks = prop_oneof![
        8 => body().prop_map(Step::Submit),
        4 => body().prop_map(Step::SubmitFallible),
        4 => (rests, body()).prop_map(|(rests, body)| Step::SubmitFuture(rests, body)),
        4 => Just(Step::Promise),
        2 => Just(Step::Reserve),
        2 => body().prop_map(Step::SubmitPermit),
        1 => Just(Step::DropPermit),
        8 => Just(Step::RunOne),
        1 => Just(Step::RunUntilIdle),
        3 => which.prop_map(Step::Wake),
        2 => which.prop_map(Step::SetRunning),
        3 => (which, any::<u8>()).prop_map(|(which, value)| Step::Keep(which, value)),
        2 => (which, any::<bool>()).prop_map(|(which, cancelled)| Step::Break(which, cancelled)),
        2 => which.prop_map(Step::DropPromise),
    ];
    let handles = prop_oneof![
        3 => which.prop_map(Step::Cancel),
        3 => which.prop_map(Step::CancelThrough),
        1 => which.prop_map(Step::CancelOnDrop),
        3 => which.prop_map(Step::Drop),
        4 => which.prop_map(Step::TryResult),
        3 => (which, patience()).prop_map(|(which, patience)| Step::Result(which, patience)),
        2 => (which, patience()).prop_map(|(which, patience)| Step::Error(which, patience)),
        3 => which.prop_map(Step::Await),
        5 => (which, any::<bool>()).prop_map(|(which, panics)| Step::Callback(which, panics)),
        2 => (which, when, patience()).prop_map(|(count, when, patience)| Step::Wait(count, when, patience)),
        2 => (which, which, patience()).prop_map(|(count, take, patience)| Step::AsCompleted(count, take, patience)),
        2 => map,
    ];
    let life = prop_oneof![
        2 => pending().prop_map(Step::BeginShutdown),
        1 => pending().prop_map(Step::Shutdown),
        6 => Just(Step::Start),
        1 => which.prop_map(Step::Forget),
    ];
    prop_oneof![12 => tasks, 10 => handles, 1 => life]
}

// ---- what can be seen
// -----------------------------------------------------------------------------------------------

/// What somebody is told of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Value(usize, u8),
    Failure(usize, u8),
    Panicked(usize, u8),
    Cancelled,
    Broken,
    TimedOut,
    AlreadyTaken,
}

impl Told {
    fn of(outcome: Result<&Value, &TaskError>) -> Self {
        match outcome {
            Ok(Ok((task, value))) => Self::Value(*task, *value),
            Ok(Err((task, value))) => Self::Failure(*task, *value),
            Err(TaskError::Panicked(panic)) => panic.with_message(|message| {
                let message = message
                    .and_then(|message| message.strip_prefix(EXPECTED))
                    .expect("an expected panic");
                let (task, value) = message.split_once(' ').expect("two numbers");
                Self::Panicked(
                    task.parse().expect("a number"),
                    value.parse().expect("a number"),
                )
            }),
            Err(TaskError::Cancelled) => Self::Cancelled,
            Err(TaskError::Broken) => Self::Broken,
            Err(TaskError::TimedOut) => Self::TimedOut,
            Err(TaskError::AlreadyTaken) => Self::AlreadyTaken,
            Err(other) => panic!("cannot happen without workers: {other:?}"),
        }
    }

    fn is_failure(self, fallible: bool) -> bool {
        match self {
            Self::Failure(..) => fallible,
            Self::Panicked(..) | Self::Broken | Self::TimedOut => true,
            Self::Value(..) | Self::Cancelled | Self::AlreadyTaken => false,
        }
    }
}

/// What tasks do, in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A closure started, or a future was polled, or an item of a map was worked on.
    Ran(usize),
    /// The closure or the future was dropped.
    Gone(usize),
    Called(usize, Told),
    /// What a task's own submit or cancel gave.
    Did(bool),
}

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Yes(bool),
    Count(usize),
    Refused(Refusal),
    CallbackRefused(CallbackRefusal),
    /// Who was told what. (`None`: no answer yet.)
    Told(Vec<Option<Told>>),
    /// The outcomes of those that are done, sorted, and how many are not.
    Waited(Vec<Told>, usize),
    /// What was yielded, and of a timeout how many of how many were left.
    Yielded(Vec<Told>, Option<(usize, usize)>),
}

// ---- the oracle
// -----------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Rests,
    Open,
    Held,
    Done(Told),
}

#[derive(Clone, Debug)]
struct Task {
    phase: Phase,
    body: Body,
    rests: Option<Rests>,
    polled: u8,
    fallible: bool,
    /// Items of a map have no canceller in the table, and nobody logs their drop.
    mapped: bool,
    handle: bool,
    promise: bool,
    callbacks: Vec<(usize, bool)>,
    /// When it was done, as a count of tasks done before.
    place: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Figures {
    in_use: usize,
    high_water: usize,
    completed: usize,
    cancelled: usize,
    panicked: usize,
    refused: usize,
    callbacks_panicked: usize,
}

#[derive(Clone, Debug, Default)]
struct Oracle {
    closed: bool,
    ready: VecDeque<usize>,
    tasks: Vec<Task>,
    log: Vec<Event>,
    figures: Figures,
    done: usize,
}

impl Oracle {
    fn claim(&mut self) -> Result<(), Refusal> {
        if self.figures.in_use == SLOTS {
            return Err(if self.closed {
                Refusal::ShutDown
            } else {
                Refusal::Full
            });
        }
        self.figures.in_use += 1;
        self.figures.high_water = self.figures.high_water.max(self.figures.in_use);
        Ok(())
    }

    fn refuse(&mut self, reason: Refusal) -> Result<(), Refusal> {
        self.figures.refused += 1;
        Err(reason)
    }

    /// A slot, and then a place in the queue.
    fn submit(&mut self, body: Body, rests: Option<Rests>, fallible: bool) -> Result<(), Refusal> {
        if let Err(reason) = self.claim() {
            self.log.push(Event::Gone(self.tasks.len()));
            return self.refuse(reason);
        }
        self.submit_claimed(body, rests, fallible)
    }

    fn submit_claimed(
        &mut self,
        body: Body,
        rests: Option<Rests>,
        fallible: bool,
    ) -> Result<(), Refusal> {
        if self.closed {
            self.figures.in_use -= 1;
            self.log.push(Event::Gone(self.tasks.len()));
            return self.refuse(Refusal::ShutDown);
        }
        self.ready.push_back(self.tasks.len());
        self.add(Phase::Ready, body, rests, fallible);
        Ok(())
    }

    fn add(&mut self, phase: Phase, body: Body, rests: Option<Rests>, fallible: bool) {
        let promise = phase == Phase::Open;
        let (callbacks, place) = (Vec::new(), 0);
        let task = Task {
            phase,
            body,
            rests,
            polled: 0,
            fallible,
            mapped: false,
            handle: true,
            promise,
            callbacks,
            place,
        };
        self.tasks.push(task);
    }

    fn reserve(&mut self) -> Result<(), Refusal> {
        let reserved = if self.closed {
            Err(Refusal::ShutDown)
        } else {
            self.claim()
        };
        reserved.or_else(|reason| self.refuse(reason))
    }

    fn is_done(&self, id: usize) -> bool {
        matches!(self.tasks[id].phase, Phase::Done(_))
    }

    fn is_gone(&self, id: usize) -> bool {
        self.is_done(id) && !self.tasks[id].handle && !self.tasks[id].promise
    }

    fn told(&self, id: usize) -> Option<Told> {
        match self.tasks[id].phase {
            Phase::Done(told) => Some(told),
            _ => None,
        }
    }

    /// Everything that the end of a task sets off.
    fn end(&mut self, id: usize, told: Told) {
        if !self.tasks[id].promise && !self.tasks[id].mapped {
            self.log.push(Event::Gone(id));
        }
        self.tasks[id].phase = Phase::Done(told);
        self.tasks[id].place = self.done;
        self.done += 1;
        match told {
            Told::Cancelled => self.figures.cancelled += 1,
            Told::Panicked(..) => self.figures.panicked += 1,
            _ => {}
        }
        self.figures.completed += usize::from(!matches!(told, Told::Cancelled | Told::Broken));
        for (callback, panics) in core::mem::take(&mut self.tasks[id].callbacks) {
            self.call(callback, panics, told);
            self.figures.in_use -= 1;
        }
        self.free_if_gone(id);
    }

    fn call(&mut self, callback: usize, panics: bool, told: Told) {
        self.log.push(Event::Called(callback, told));
        self.figures.callbacks_panicked += usize::from(panics);
    }

    fn free_if_gone(&mut self, id: usize) {
        self.figures.in_use -= usize::from(self.is_gone(id));
    }

    fn drop_handle(&mut self, id: usize) {
        if self.tasks[id].handle {
            self.tasks[id].handle = false;
            self.free_if_gone(id);
        }
    }

    fn cancel(&mut self, id: usize) -> bool {
        match self.tasks[id].phase {
            Phase::Ready | Phase::Rests | Phase::Open => {
                self.ready.retain(|ready| *ready != id);
                self.end(id, Told::Cancelled);
                true
            }
            Phase::Held => false,
            Phase::Done(told) => told == Told::Cancelled,
        }
    }

    fn cancel_through(&mut self, id: usize) -> bool {
        !self.is_gone(id) && !self.tasks[id].mapped && self.cancel(id)
    }

    fn run_one(&mut self) -> bool {
        let Some(id) = self.ready.pop_front() else {
            return false;
        };
        self.log.push(Event::Ran(id));
        let Task {
            body,
            rests,
            polled,
            ..
        } = self.tasks[id];
        if let Some(rests) = rests.filter(|rests| polled < rests.times) {
            self.tasks[id].polled += 1;
            self.tasks[id].phase = Phase::Rests;
            if rests.wakes_itself {
                self.wake(id);
            }
            return true;
        }
        // While it runs it can be neither started nor cancelled.
        self.tasks[id].phase = Phase::Held;
        let told = match body {
            Body::Returns(value) => Told::Value(id, value),
            Body::Fails(value) => Told::Failure(id, value),
            Body::Panics(value) => Told::Panicked(id, value),
            Body::Submits => {
                let child = self.tasks.len();
                let submitted = self.submit(Body::Returns(0), None, false).is_ok();
                if submitted {
                    self.drop_handle(child);
                }
                self.log.push(Event::Did(submitted));
                Told::Value(id, 0)
            }
            Body::Cancels(which) => {
                let cancelled = self.cancel_through(usize::from(which) % self.tasks.len());
                self.log.push(Event::Did(cancelled));
                Told::Value(id, 0)
            }
        };
        self.end(id, told);
        true
    }

    /// Runs ready tasks until something is so. `false`: it never will be.
    fn drive(&mut self, is_so: impl Fn(&Self) -> bool) -> bool {
        while !is_so(self) {
            if !self.run_one() {
                return false;
            }
        }
        true
    }

    /// As [`drive`](Self::drive), for a wait that may only look.
    fn wait(&mut self, patience: Patience, is_so: impl Fn(&Self) -> bool) -> Option<bool> {
        match patience {
            Patience::Zero => Some(is_so(self)),
            Patience::Endless => self.drive(is_so).then_some(true),
        }
    }

    fn wake(&mut self, id: usize) {
        if self.tasks[id].phase == Phase::Rests {
            self.tasks[id].phase = Phase::Ready;
            self.ready.push_back(id);
        }
    }

    fn begin_shutdown(&mut self, pending: Pending) {
        self.closed = true;
        if pending == Pending::Cancel {
            for id in 0..self.tasks.len() {
                if matches!(self.tasks[id].phase, Phase::Ready | Phase::Rests) {
                    self.cancel(id);
                }
            }
        }
    }

    /// Whether nothing that was accepted still needs somebody to run it.
    fn is_drained(&self) -> bool {
        self.tasks
            .iter()
            .all(|task| !matches!(task.phase, Phase::Ready | Phase::Rests))
    }

    fn complete(&mut self, id: usize, told: Told) -> bool {
        let open = matches!(self.tasks[id].phase, Phase::Open | Phase::Held);
        if open {
            self.end(id, told);
        }
        open
    }

    fn drop_promise(&mut self, id: usize) {
        self.complete(id, Told::Broken);
        self.tasks[id].promise = false;
        self.free_if_gone(id);
    }

    fn is_waited(&self, ids: &[usize], when: ReturnWhen, taken: &[bool]) -> bool {
        let done = |at: usize| taken[at] || self.is_done(ids[at]);
        let failed = |at: usize| {
            let task = &self.tasks[ids[at]];
            !taken[at] && matches!(task.phase, Phase::Done(told) if told.is_failure(task.fallible))
        };
        let all = (0..ids.len()).all(done);
        all || match when {
            ReturnWhen::FirstCompleted => (0..ids.len()).any(done),
            ReturnWhen::FirstError => (0..ids.len()).any(failed),
            ReturnWhen::AllCompleted => false,
        }
    }

    /// A map, from its making until it is dropped. `None`: it would wait for ever.
    fn map(
        &mut self,
        mut items: u8,
        size: u8,
        unordered: bool,
        take: u8,
        detach: bool,
    ) -> Option<Seen> {
        let size = usize::from(size).min(SLOTS);
        let (mut flight, mut yielded): (Vec<usize>, Vec<Option<Told>>) = (Vec::new(), Vec::new());
        let (mut refused, mut over) = (false, false);
        for _ in 0..take {
            let mut admit = |oracle: &mut Self, flight: &mut Vec<usize>| {
                oracle.claim().expect("there is a slot");
                if items == 0 {
                    oracle.figures.in_use -= 1;
                    return false;
                }
                items -= 1;
                flight.push(oracle.tasks.len());
                let body = map_body(oracle.tasks.len());
                oracle
                    .submit_claimed(body, None, false)
                    .expect("it is open");
                oracle.tasks.last_mut().expect("just added").mapped = true;
                true
            };
            let mut exhausted = false;
            while !refused && !over && !exhausted && flight.len() < size {
                refused = self.closed;
                if refused || self.figures.in_use == SLOTS {
                    break;
                }
                exhausted = !admit(self, &mut flight);
            }
            if flight.is_empty() && !refused && !over && !exhausted {
                if !self.drive(|oracle| oracle.figures.in_use < SLOTS) {
                    return None;
                }
                admit(self, &mut flight);
            }
            let next = if unordered {
                if !flight.is_empty()
                    && !self.drive(|oracle| flight.iter().any(|&id| oracle.is_done(id)))
                {
                    return None;
                }
                flight
                    .iter()
                    .copied()
                    .filter(|&id| self.is_done(id))
                    .min_by_key(|&id| self.tasks[id].place)
            } else {
                flight.first().copied()
            };
            yielded.push(match next {
                Some(id) => {
                    if !self.drive(|oracle| oracle.is_done(id)) {
                        return None;
                    }
                    flight.retain(|flying| *flying != id);
                    let told = self.told(id);
                    self.drop_handle(id);
                    told
                }
                None if refused && !over => {
                    over = true;
                    // Whoever has no items is refused nothing.
                    (items > 0).then_some(Told::Cancelled)
                }
                None => None,
            });
        }
        for &id in flight.iter().filter(|_| !detach) {
            self.cancel(id);
        }
        flight.into_iter().for_each(|id| self.drop_handle(id));
        Some(Seen::Told(yielded))
    }

    fn state(&self, id: usize) -> TaskState {
        match self.tasks[id].phase {
            _ if self.is_gone(id) => TaskState::Gone,
            Phase::Done(Told::Cancelled) => TaskState::Cancelled,
            Phase::Done(_) => TaskState::Finished,
            Phase::Open => TaskState::Pending,
            Phase::Ready if self.tasks[id].polled == 0 => TaskState::Pending,
            Phase::Ready | Phase::Rests | Phase::Held => TaskState::Running,
        }
    }
}

/// Some items of a map panic.
fn map_body(id: usize) -> Body {
    if id % 4 == 3 {
        Body::Panics(0)
    } else {
        Body::Returns(0)
    }
}

// ---- the real thing
// -------------------------------------------------------------------------------------------------

/// What the tasks of one program share.
struct Shared {
    executor: &'static Pool,
    log: Mutex<Vec<Event>>,
    /// One for each task that was accepted, in order; none for a map's.
    cancellers: Mutex<Vec<Option<Canceller<'static>>>>,
    wakers: Mutex<HashMap<usize, Waker>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn log(&self, event: Event) {
        lock(&self.log).push(event);
    }

    fn register(&self, canceller: Option<Canceller<'static>>) -> usize {
        let mut cancellers = lock(&self.cancellers);
        cancellers.push(canceller);
        cancellers.len() - 1
    }

    /// Does what a body says.
    fn perform(self: &Arc<Self>, id: usize, body: Body) -> Value {
        match body {
            Body::Returns(value) => Ok((id, value)),
            Body::Fails(value) => Err((id, value)),
            Body::Panics(value) => panic!("{EXPECTED}{id} {value}"),
            Body::Submits => {
                let submitted = self
                    .executor
                    .submit(Mission::new(self, Body::Returns(0)).closure());
                let submitted = submitted.map_err(|refused| refused.reason());
                let submitted = submitted.map(|handle| self.register(Some(handle.canceller())));
                self.log(Event::Did(submitted.is_ok()));
                Ok((id, 0))
            }
            Body::Cancels(which) => {
                let cancellers = lock(&self.cancellers);
                let canceller = cancellers[usize::from(which) % cancellers.len()];
                drop(cancellers);
                self.log(Event::Did(
                    canceller.is_some_and(|canceller| canceller.cancel()),
                ));
                Ok((id, 0))
            }
        }
    }
}

/// A task; its drop is logged.
struct Mission {
    shared: Arc<Shared>,
    id: usize,
    body: Body,
    rests: Rests,
}

impl Mission {
    fn new(shared: &Arc<Shared>, body: Body) -> Self {
        let id = lock(&shared.cancellers).len();
        Self {
            shared: Arc::clone(shared),
            id,
            body,
            rests: Rests {
                times: 0,
                wakes_itself: false,
            },
        }
    }

    fn perform(&self) -> Value {
        self.shared.log(Event::Ran(self.id));
        self.shared.perform(self.id, self.body)
    }

    fn closure(self) -> impl FnOnce() -> Value + Send + 'static {
        move || self.perform()
    }
}

impl Drop for Mission {
    fn drop(&mut self) {
        self.shared.log(Event::Gone(self.id));
    }
}

impl Future for Mission {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Value> {
        if self.rests.times == 0 {
            return Poll::Ready(self.perform());
        }
        self.rests.times -= 1;
        self.shared.log(Event::Ran(self.id));
        lock(&self.shared.wakers).insert(self.id, context.waker().clone());
        if self.rests.wakes_itself {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// The real executor and the oracle, side by side.
struct Pair {
    shared: Arc<Shared>,
    oracle: Oracle,
    /// What the program holds, with the number of the task. A handle whose result was taken stays.
    handles: Vec<(usize, Handle)>,
    taken: Vec<bool>,
    promises: Vec<(usize, Promise<'static, Value>)>,
    permits: Vec<Permit<'static, 96>>,
    callbacks: usize,
    forgotten: usize,
}

/// Which of `count` things a number chooses.
fn choose(which: u8, count: usize) -> Option<usize> {
    usize::from(which).checked_rem(count)
}

fn refused<T>(result: Result<T, Refusal>) -> Seen {
    result.map_or_else(Seen::Refused, |_| Seen::Nothing)
}

impl Pair {
    fn new() -> Self {
        // Wakers may be kept for ever, so it has to be there for ever.
        let executor: &'static Pool = Box::leak(Box::new(Pool::new()));
        let shared = Shared {
            executor,
            log: Mutex::default(),
            cancellers: Mutex::default(),
            wakers: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            oracle: Oracle::default(),
            handles: Vec::new(),
            taken: Vec::new(),
            promises: Vec::new(),
            permits: Vec::new(),
            callbacks: 0,
            forgotten: 0,
        }
    }

    /// A handle, out of our hands.
    fn remove(&mut self, at: usize) -> (usize, Handle, bool) {
        let (id, handle) = self.handles.remove(at);
        (id, handle, self.taken.remove(at))
    }

    fn keep(&mut self, handle: Handle) {
        let id = self.shared.register(Some(handle.canceller()));
        self.handles.push((id, handle));
        self.taken.push(false);
    }

    /// What the oracle says of the handle at `at`, whose task is done or not. A taken handle
    /// belongs to no task any more.
    fn tell(&mut self, at: usize) -> Option<Told> {
        let id = self.handles[at].0;
        if self.taken[at] {
            return Some(Told::AlreadyTaken);
        }
        let told = self.oracle.told(id)?;
        self.taken[at] = true;
        self.oracle.drop_handle(id);
        Some(told)
    }

    /// Takes a step on both sides: what the oracle expects, and what was seen. `None`: there is
    /// nothing to do it with.
    fn step(&mut self, step: &Step) -> Option<(Seen, Seen)> {
        let executor = self.shared.executor;
        Some(match *step {
            Step::Submit(body) => {
                let expected = refused(self.oracle.submit(body, None, false));
                let seen = executor.submit(Mission::new(&self.shared, body).closure());
                (
                    expected,
                    refused(
                        seen.map(|handle| self.keep(handle))
                            .map_err(|refused| refused.reason()),
                    ),
                )
            }
            Step::SubmitFallible(body) => {
                let expected = refused(self.oracle.submit(body, None, true));
                let seen = executor.submit_fallible(Mission::new(&self.shared, body).closure());
                (
                    expected,
                    refused(
                        seen.map(|handle| self.keep(handle))
                            .map_err(|refused| refused.reason()),
                    ),
                )
            }
            Step::SubmitFuture(rests, body) => {
                let expected = refused(self.oracle.submit(body, Some(rests), false));
                let mut mission = Mission::new(&self.shared, body);
                mission.rests = rests;
                let seen = executor.submit_future(mission);
                (
                    expected,
                    refused(
                        seen.map(|handle| self.keep(handle))
                            .map_err(|refused| refused.reason()),
                    ),
                )
            }
            Step::Promise => {
                let expected = self.oracle.reserve();
                if expected.is_ok() {
                    self.oracle.add(Phase::Open, Body::Returns(0), None, false);
                }
                let seen = executor.promise().map_err(|refused| refused.reason()).map(
                    |(promise, handle)| {
                        self.keep(handle);
                        self.promises
                            .push((self.handles[self.handles.len() - 1].0, promise));
                    },
                );
                (refused(expected), refused(seen))
            }
            Step::Reserve => {
                let expected = refused(self.oracle.reserve());
                let seen = executor.reserve().map_err(|refused| refused.reason());
                (
                    expected,
                    refused(seen.map(|permit| self.permits.push(permit))),
                )
            }
            Step::SubmitPermit(body) => {
                let permit = self.permits.pop()?;
                let expected = refused(self.oracle.submit_claimed(body, None, false));
                let seen = permit.submit(Mission::new(&self.shared, body).closure());
                (
                    expected,
                    refused(
                        seen.map(|handle| self.keep(handle))
                            .map_err(|refused| refused.reason()),
                    ),
                )
            }
            Step::DropPermit => {
                drop(self.permits.pop()?);
                self.oracle.figures.in_use -= 1;
                (Seen::Nothing, Seen::Nothing)
            }
            Step::RunOne => (
                Seen::Yes(self.oracle.run_one()),
                Seen::Yes(executor.run_one()),
            ),
            Step::RunUntilIdle => {
                let mut ran = 0;
                while self.oracle.run_one() {
                    ran += 1;
                }
                (Seen::Count(ran), Seen::Count(executor.run_until_idle()))
            }
            Step::Wake(which) => {
                let mut ids: Vec<usize> = lock(&self.shared.wakers).keys().copied().collect();
                ids.sort_unstable();
                let id = ids[choose(which, ids.len())?];
                // A waker that outlives its task and handle may poll another task in vain.
                if self.oracle.is_gone(id) {
                    return None;
                }
                self.oracle.wake(id);
                let waker = lock(&self.shared.wakers)[&id].clone();
                waker.wake();
                (Seen::Nothing, Seen::Nothing)
            }
            Step::SetRunning(which) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let expected = match self.oracle.tasks[*id].phase {
                    Phase::Open => {
                        self.oracle.tasks[*id].phase = Phase::Held;
                        Seen::Yes(true)
                    }
                    Phase::Done(Told::Cancelled) => Seen::Yes(false),
                    _ => Seen::Nothing,
                };
                (
                    expected,
                    promise
                        .set_running_or_notify_cancel()
                        .map_or(Seen::Nothing, Seen::Yes),
                )
            }
            Step::Keep(which, value) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let expected = self.oracle.complete(*id, Told::Value(*id, value));
                (
                    Seen::Yes(expected),
                    Seen::Yes(promise.set_result(Ok((*id, value))).is_ok()),
                )
            }
            Step::Break(which, cancelled) => {
                let (id, promise) = &self.promises[choose(which, self.promises.len())?];
                let (told, error) = match cancelled {
                    true => (Told::Cancelled, TaskError::Cancelled),
                    false => (Told::TimedOut, TaskError::TimedOut),
                };
                let expected = self.oracle.complete(*id, told);
                (
                    Seen::Yes(expected),
                    Seen::Yes(promise.set_error(error).is_ok()),
                )
            }
            Step::DropPromise(which) => {
                let (id, promise) = self.promises.remove(choose(which, self.promises.len())?);
                self.oracle.drop_promise(id);
                drop(promise);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::CancelThrough(which) => {
                let cancellers = lock(&self.shared.cancellers).clone();
                let id = choose(which, cancellers.len())?;
                let expected = self.oracle.cancel_through(id);
                (
                    Seen::Yes(expected),
                    Seen::Yes(cancellers[id].is_some_and(|canceller| canceller.cancel())),
                )
            }
            Step::Cancel(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = !self.taken[at] && self.oracle.cancel(self.handles[at].0);
                (Seen::Yes(expected), Seen::Yes(self.handles[at].1.cancel()))
            }
            Step::CancelOnDrop(which) => {
                let (id, handle, taken) = self.remove(choose(which, self.handles.len())?);
                if !taken {
                    self.oracle.cancel(id);
                    self.oracle.drop_handle(id);
                }
                drop(handle.cancel_on_drop());
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Drop(which) => {
                let (id, handle, _) = self.remove(choose(which, self.handles.len())?);
                self.oracle.drop_handle(id);
                drop(handle);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Forget(which) => {
                let (_, handle, taken) = self.remove(choose(which, self.handles.len())?);
                self.forgotten += usize::from(!taken);
                core::mem::forget(handle);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::TryResult(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = self.tell(at);
                let seen = self.handles[at]
                    .1
                    .try_result()
                    .map(|outcome| Told::of(outcome.as_ref()));
                (Seen::Told(vec![expected]), Seen::Told(vec![seen]))
            }
            Step::Await(which) => {
                let at = choose(which, self.handles.len())?;
                let expected = self.tell(at);
                let seen = match Pin::new(&mut self.handles[at].1)
                    .poll(&mut Context::from_waker(Waker::noop()))
                {
                    Poll::Ready(outcome) => Some(Told::of(outcome.as_ref())),
                    Poll::Pending => None,
                };
                (Seen::Told(vec![expected]), Seen::Told(vec![seen]))
            }
            Step::Result(which, patience) => {
                let at = choose(which, self.handles.len())?;
                let (id, taken) = (self.handles[at].0, self.taken[at]);
                self.oracle
                    .wait(patience, |oracle| taken || oracle.is_done(id))?;
                let expected = self.tell(at).unwrap_or(Told::TimedOut);
                let outcome = match patience {
                    Patience::Zero => self.handles[at].1.result_timeout(Duration::ZERO),
                    Patience::Endless => self.remove(at).1.result(),
                };
                (
                    Seen::Told(vec![Some(expected)]),
                    Seen::Told(vec![Some(Told::of(outcome.as_ref()))]),
                )
            }
            Step::Error(which, patience) => {
                let at = choose(which, self.handles.len())?;
                let (id, taken) = (self.handles[at].0, self.taken[at]);
                let done = self
                    .oracle
                    .wait(patience, |oracle| taken || oracle.is_done(id))?;
                let expected = match self.oracle.told(id) {
                    _ if taken => Some(Told::AlreadyTaken),
                    _ if !done => Some(Told::TimedOut),
                    Some(Told::Value(..) | Told::Failure(..)) => None,
                    told => told,
                };
                let error = match patience {
                    Patience::Zero => self.handles[at].1.error_timeout(Duration::ZERO),
                    Patience::Endless => self.handles[at].1.error(),
                };
                (
                    Seen::Told(vec![expected]),
                    Seen::Told(vec![error.map(|error| Told::of(Err(error)))]),
                )
            }
            Step::Callback(which, panics) => {
                let at = choose(which, self.handles.len())?;
                let (id, callback) = (self.handles[at].0, self.callbacks);
                self.callbacks += 1;
                let expected = match self.oracle.told(id) {
                    _ if self.taken[at] => Seen::CallbackRefused(CallbackRefusal::AlreadyTaken),
                    Some(told) => {
                        self.oracle.call(callback, panics, told);
                        Seen::Nothing
                    }
                    None if self.oracle.claim().is_err() => {
                        Seen::CallbackRefused(CallbackRefusal::Full)
                    }
                    None => {
                        self.oracle.tasks[id].callbacks.push((callback, panics));
                        Seen::Nothing
                    }
                };
                let shared = Arc::clone(&self.shared);
                let added = self.handles[at].1.add_done_callback(move |outcome| {
                    shared.log(Event::Called(callback, Told::of(outcome)));
                    assert!(!panics, "{EXPECTED} a callback panics");
                });
                (
                    expected,
                    added.map_or_else(
                        |refused| Seen::CallbackRefused(refused.reason()),
                        |()| Seen::Nothing,
                    ),
                )
            }
            Step::Wait(count, when, patience) => {
                let count = choose(count, self.handles.len() + 1)?;
                let ids: Vec<usize> = self.handles.iter().take(count).map(|(id, _)| *id).collect();
                let taken: Vec<bool> = self.taken[..count].to_vec();
                self.oracle
                    .wait(patience, |oracle| oracle.is_waited(&ids, when, &taken))?;
                let mut handles: Vec<Handle> = (0..count).map(|_| self.remove(0).1).collect();
                let mut expected: Vec<Told> = Vec::new();
                for (&id, &taken) in ids.iter().zip(&taken) {
                    let told = if taken {
                        Some(Told::AlreadyTaken)
                    } else {
                        self.oracle.told(id)
                    };
                    expected.extend(told);
                    self.oracle.drop_handle(id);
                }
                expected.sort_unstable();
                let waited = match patience {
                    Patience::Zero => wait_timeout(&mut handles, Duration::ZERO, when),
                    Patience::Endless => wait(&mut handles, when),
                };
                let not_done = waited.not_done.len();
                let mut told: Vec<Told> = Vec::new();
                for handle in waited.done {
                    told.extend(
                        handle
                            .try_result()
                            .map(|outcome| Told::of(outcome.as_ref())),
                    );
                }
                told.sort_unstable();
                (
                    Seen::Waited(expected.clone(), count - expected.len()),
                    Seen::Waited(told, not_done),
                )
            }
            Step::AsCompleted(count, take, patience) => {
                let count = choose(count, self.handles.len() + 1)?;
                self.as_completed(count, choose(take, count + 1)?, patience)?
            }
            Step::Map {
                items,
                size,
                unordered,
                take,
                detach,
            } => {
                let expected = self.oracle.map(items, size, unordered, take, detach)?;
                let (shared, worker) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
                let numbers = (0..items).map(|_| shared.register(None));
                let work = move |id| {
                    worker.log(Event::Ran(id));
                    worker.perform(id, map_body(id))
                };
                let map = executor.map(numbers, work).buffersize(usize::from(size));
                let mut map = if unordered { map.unordered() } else { map };
                let next = |_| map.next().map(|outcome| Told::of(outcome.as_ref()));
                let seen = (0..take).map(next).collect();
                if detach {
                    map.detach();
                } else {
                    drop(map);
                }
                (expected, Seen::Told(seen))
            }
            Step::BeginShutdown(pending) => {
                self.oracle.begin_shutdown(pending);
                executor.begin_shutdown(pending);
                (Seen::Nothing, Seen::Nothing)
            }
            Step::Shutdown(pending) => {
                self.oracle.begin_shutdown(pending);
                if !self.oracle.drive(Oracle::is_drained) {
                    return None;
                }
                (
                    Seen::Yes(true),
                    Seen::Yes(executor.shutdown(pending).is_ok()),
                )
            }
            Step::Start => {
                let expected = !self.oracle.closed || self.oracle.is_drained();
                self.oracle.closed &= !expected;
                (
                    Seen::Yes(expected),
                    Seen::Yes(executor.start(&StdThreads::new()).is_ok()),
                )
            }
        })
    }

    /// Yields `take` of `count` handles. Those that are left come back.
    fn as_completed(
        &mut self,
        count: usize,
        take: usize,
        patience: Patience,
    ) -> Option<(Seen, Seen)> {
        // Those that were taken come first, then those that are done, then in the order of
        // completion.
        let mut left: Vec<usize> = (0..count).collect();
        let rank = |oracle: &Oracle, at: usize| match oracle.told(self.handles[at].0) {
            _ if self.taken[at] => Some((0, at)),
            Some(_) => Some((1, at)),
            None => None,
        };
        let done_before: Vec<Option<(usize, usize)>> =
            (0..count).map(|at| rank(&self.oracle, at)).collect();
        let rank = |oracle: &Oracle, at: usize| {
            let id = self.handles[at].0;
            done_before[at].or_else(|| oracle.is_done(id).then(|| (2, oracle.tasks[id].place)))
        };
        let (mut expected, mut timeout) = (Vec::new(), None);
        for _ in 0..take {
            let found = self.oracle.wait(patience, |oracle| {
                left.iter().any(|&at| rank(oracle, at).is_some())
            })?;
            if !found {
                timeout = Some((left.len(), count));
                break;
            }
            let ready = left
                .iter()
                .copied()
                .filter_map(|at| Some((rank(&self.oracle, at)?, at)));
            let (_, at) = ready.min().expect("one was found");
            left.retain(|other| *other != at);
            if self.taken[at] {
                expected.push(Told::AlreadyTaken);
            } else {
                expected.extend(self.oracle.told(self.handles[at].0));
                self.oracle.drop_handle(self.handles[at].0);
            }
        }

        let given: Vec<(usize, Handle, bool)> = (0..count).map(|_| self.remove(0)).collect();
        let names: Vec<(usize, bool)> = given.iter().map(|(id, _, taken)| (*id, *taken)).collect();
        let handles: Vec<Handle> = given.into_iter().map(|(_, handle, _)| handle).collect();
        let (mut seen, mut timed_out) = (Vec::new(), None);
        let rest: Vec<Handle> = match patience {
            Patience::Endless => {
                let mut completed = as_completed(handles);
                seen.extend(
                    completed
                        .by_ref()
                        .take(take)
                        .map(|handle| Told::of(handle.result().as_ref())),
                );
                completed.into_handles().collect()
            }
            Patience::Zero => {
                let mut completed = as_completed_timeout(handles, Duration::ZERO);
                let mut rest = Vec::new();
                for _ in 0..take {
                    match completed.next() {
                        Some(Ok(handle)) => seen.push(Told::of(handle.result().as_ref())),
                        Some(Err(timeout)) => {
                            timed_out = Some((timeout.unfinished(), timeout.total()));
                            rest = timeout.into_handles().collect();
                            assert!(completed.next().is_none());
                            break;
                        }
                        None => break,
                    }
                }
                rest
            }
        };
        if rest.is_empty() {
            left.drain(..)
                .for_each(|at| self.oracle.drop_handle(names[at].0));
        }
        assert_eq!(rest.len(), left.len(), "those that are left come back");
        for (handle, at) in rest.into_iter().zip(left) {
            self.handles.push((names[at].0, handle));
            self.taken.push(names[at].1);
        }
        Some((
            Seen::Yielded(expected, timeout),
            Seen::Yielded(seen, timed_out),
        ))
    }

    /// Compares everything that can be seen.
    fn compare(&mut self, cancels_all: bool) -> Result<(), TestCaseError> {
        let (mut expected, mut seen) = (
            core::mem::take(&mut self.oracle.log),
            core::mem::take(&mut *lock(&self.shared.log)),
        );
        if cancels_all {
            // In which order a shutdown cancels is nobody's business.
            (expected, seen) = (sort_groups(expected), sort_groups(seen));
        }
        prop_assert_eq!(seen, expected, "what tasks did");
        let (stats, figures) = (self.shared.executor.stats(), &self.oracle.figures);
        let seen = Figures {
            in_use: stats.slots_in_use,
            high_water: stats.slots_high_water,
            completed: stats.completed,
            cancelled: stats.cancelled,
            panicked: stats.panicked,
            refused: stats.refused,
            callbacks_panicked: stats.callbacks_panicked,
        };
        prop_assert_eq!(&seen, figures);
        prop_assert_eq!((stats.queued, stats.running), (self.oracle.ready.len(), 0));
        for (id, canceller) in lock(&self.shared.cancellers).iter().enumerate() {
            if let Some(canceller) = canceller {
                prop_assert_eq!(
                    canceller.state(),
                    self.oracle.state(id),
                    "canceller of task {}",
                    id
                );
            }
        }
        for ((id, handle), taken) in self.handles.iter().zip(&self.taken) {
            let state = if *taken {
                TaskState::Finished
            } else {
                self.oracle.state(*id)
            };
            let expected = match state {
                TaskState::Cancelled => (true, false, true),
                TaskState::Finished => (false, false, true),
                TaskState::Running => (false, true, false),
                _ => (false, false, false),
            };
            prop_assert_eq!(
                (handle.cancelled(), handle.running(), handle.done()),
                expected,
                "task {}",
                id
            );
        }
        Ok(())
    }

    fn take_step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let before = self.oracle.clone();
        let taken = self.taken.clone();
        match self.step(step) {
            Some((expected, seen)) => prop_assert_eq!(seen, expected, "{:?}", step),
            // Left out: as if it had not been.
            None => (self.oracle, self.taken) = (before, taken),
        }
        self.compare(matches!(
            step,
            Step::BeginShutdown(Pending::Cancel) | Step::Shutdown(Pending::Cancel)
        ))
    }

    /// Lets go of everything. Only what was forgotten still costs a slot.
    fn finish(mut self) -> Result<(), TestCaseError> {
        while !self.handles.is_empty() {
            self.take_step(&Step::Drop(0))?;
        }
        while !self.promises.is_empty() {
            self.take_step(&Step::DropPromise(0))?;
        }
        while !self.permits.is_empty() {
            self.take_step(&Step::DropPermit)?;
        }
        self.take_step(&Step::Shutdown(Pending::Cancel))?;
        prop_assert_eq!(self.shared.executor.stats().slots_in_use, self.forgotten);
        Ok(())
    }
}

/// The events of each cancelled task stay together.
fn sort_groups(events: Vec<Event>) -> Vec<Event> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    for event in events {
        match (&event, groups.last_mut()) {
            (Event::Called(..), Some(group)) => group.push(event),
            _ => groups.push(vec![event]),
        }
    }
    groups.sort_unstable();
    groups.concat()
}

/// Keeps the expected panics out of the output.
fn quiet_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload().downcast_ref::<String>();
            if !message.is_some_and(|message| message.starts_with(EXPECTED)) {
                loud(info);
            }
        }));
    });
}

#[test]
fn random_programs_do_what_the_oracle_says() {
    quiet_expected_panics();
    let config = Config {
        cases: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let programs = proptest::collection::vec(step(), 1..80);
    let result = runner.run(&programs, |program| {
        let mut pair = Pair::new();
        for step in &program {
            pair.take_step(step)?;
        }
        pair.finish()
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
