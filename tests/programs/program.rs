//! What a program is: threads that use one executor.

use proptest::prelude::*;
use proptest::sample::select;
use slotted::{ReturnWhen, Shutdown};

use crate::one_of::one_of;

/// A program. It ends by itself: each of its waits has a way out.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) shape: Shape,
    /// The host's threads are scheduled fairly. Those of the machine are.
    #[cfg_attr(not(shuttle), expect(dead_code, reason = "StdHost is fair"))]
    pub(crate) fair: bool,
    pub(crate) workers: Driven,
    /// Which hook fails in the first life.
    pub(crate) fails: Option<Failing>,
    pub(crate) threads: Vec<Vec<Step>>,
}

/// How many workers and slots the executor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Workers0Slots2,
    Workers0Slots3,
    Workers1Slots1,
    Workers1Slots2,
    Workers1Slots3,
    Workers2Slots2,
    Workers2Slots3,
    Workers3Slots4,
}

/// How the threads of the host drive their workers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driven {
    Run,
    /// A thread runs so many tasks or looks, and hands its worker over to another thread.
    HandedOver(u8),
    /// The worker awaits that it is ready, as a task of another executor does.
    Awaits,
}

/// One worker's hook fails, so far as the life has the worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) worker: u8,
    pub(crate) how: HookFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookFault {
    /// The executor breaks.
    StartFails,
    /// The executor breaks.
    StartPanics,
    ExitPanics,
}

/// One step of a thread. `At` chooses among the thread's handles.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit(Way, Body),
    Promise(Completion),
    Reserve,
    DropPermit,
    Look(At),
    TryResult(At),
    Cancel(At),
    RequestStop(At),
    /// Moves the date, so many moments from now.
    Move(At, u8),
    /// Gives it a time budget of so many moments, or takes its budget away.
    Budget(At, Option<u8>),
    Callback(At, Body),
    End(At, Ending),
    /// Waits for a task, at most so long. What the limit cuts short stays.
    Within(At, Limited, Limit),
    /// Waits for all handles, then takes their results.
    Wait(ReturnWhen),
    WaitWithin(ReturnWhen, Limit),
    AsCompleted,
    AsCompletedWithin(Limit),
    Map(Map),
    Scope(u8),
    Chunks(u8),
    /// Joins in joins, so deep.
    Joins(u8),
    /// Cancels by any canceller that was ever made: its task may be gone.
    CancelAny(u8),
    /// Asks by any canceller that was ever made, as `CancelAny`.
    AskAny(u8),
    /// Wakes any task that was ever suspended: it may be gone.
    WakeAny(u8),
    BeginShutdown(Shutdown),
    Shutdown(Shutdown),
    ShutdownWithin(Shutdown, Limit),
    Start,
    /// The host refuses the worker of this number.
    StartRefused(u8),
    /// Ends the life, and starts one in which a hook fails.
    StartFailing(Shutdown, Failing),
    Drive(u8),
}

pub(crate) type At = u8;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Closure,
    Fallible,
    Blocking,
    /// Waits for a slot, at most so long.
    Within(Limit),
    Future(Rests),
    Permit,
    PermitWithin(Limit),
    PermitFuture(Rests),
    AsyncPermit,
    Stoppable(Looks),
    PermitStoppable(Looks),
    /// At a date.
    At(Date),
    /// A series of so many runs, the last of which is the task.
    Every(u8),
}

/// A date, so many moments from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    Passed,
    Soon(u8),
    /// Never, unless it is moved: it is, to so many moments from then.
    Moved(u8),
}

/// The limit of a wait: so many moments, or none but a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u8);

/// Which call waits for one task, with a time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limited {
    Result,
    Wait,
    Error,
    CancelSync,
}

/// How often a closure looks whether it was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    Times(u8),
    /// A helper asks it once, if no other thread does.
    UntilAsked,
}

/// How a future is suspended before it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rests {
    pub(crate) times: u8,
    pub(crate) wakes_itself: bool,
}

/// What a task or a callback does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Returns,
    Fails,
    Panics,
    Submits,
    SubmitsAndWaits,
    SubmitsAndWaitsForBoth,
    /// As `SubmitsAndWaits`; waits for the slot at most so long, and as long before it waits for
    /// the end.
    SubmitsAndWaitsWithin(Limit),
    /// Submits a task for a date, or a series of so many runs more, and waits for its end.
    SubmitsAndWaitsForDates(u8),
    SubmitsAndRunsInline,
    /// Submits a task that ends only if it is asked, cancels it, and waits for its end.
    SubmitsAndCancels,
    CancelsAny(u8),
    AsksAny(u8),
    WakesAny(u8),
    Maps(Map),
    Scopes(u8),
    Chunks(u8),
    Joins(u8),
    BeginsShutdown(Shutdown),
    ShutsDown(Shutdown),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Completion {
    Result,
    Complete,
    Error,
    Drop,
    RunningThenResult,
    CompleteByTwo,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Result,
    Inline,
    Await,
    WaitThenTake,
    Drop,
    Detach,
    Forget,
    CancelOnDrop,
    CancelSync,
    CancelByTwo,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    pub(crate) items: u8,
    pub(crate) buffersize: u8,
    pub(crate) unordered: bool,
    pub(crate) inline: bool,
    pub(crate) take: u8,
    pub(crate) detach: bool,
    pub(crate) limit: Option<Limit>,
}

impl Program {
    /// Returns true if the threads of the host keep the time: async workers do not.
    pub(crate) fn keeps_time(&self) -> bool {
        matches!(self.workers, Driven::Run)
            || matches!(self.shape, Shape::Workers0Slots2 | Shape::Workers0Slots3)
    }

    /// Returns true if tasks may wait while the host has no worker.
    pub(crate) fn has_refused_starts(&self) -> bool {
        let mut steps = self.threads.iter().flatten();
        steps.any(|step| matches!(step, Step::StartRefused(_)))
    }

    /// Returns true if tasks may end as broken.
    pub(crate) fn breaks(&self) -> bool {
        let breaks = |failing: &Failing| failing.how != HookFault::ExitPanics;
        let mut steps = self.threads.iter().flatten();
        self.fails.as_ref().is_some_and(breaks)
            || steps.any(|step| matches!(step, Step::StartFailing(_, failing) if breaks(failing)))
    }

    /// Returns true if a shutdown may cancel tasks.
    pub(crate) fn cancels_at_shutdown(&self) -> bool {
        let cancels = |how: &Shutdown| *how != Shutdown::Drain;
        let mut steps = self.threads.iter().flatten();
        steps.any(|step| match step {
            Step::BeginShutdown(how)
            | Step::Shutdown(how)
            | Step::ShutdownWithin(how, _)
            | Step::StartFailing(how, _) => cancels(how),
            Step::Submit(_, body) | Step::Callback(_, body) => match body {
                Body::BeginsShutdown(how) | Body::ShutsDown(how) => cancels(how),
                _ => false,
            },
            _ => false,
        })
    }
}

/// Which kinds of steps, tasks and ends a program has: each kind in half of all programs. So some
/// programs do little else than what most do seldom (*swarm testing*, Groce et al., ISSTA 2012).
#[derive(Clone, Copy, Debug)]
struct Swarm(u64);

impl Swarm {
    /// One of the kinds that the program has; the first one is in all programs.
    fn choose<T: core::fmt::Debug + 'static>(
        self,
        kinds: Vec<(u32, BoxedStrategy<T>)>,
    ) -> impl Strategy<Value = T> + 'static {
        // Another half for each list of kinds.
        let bits = self.0.rotate_left(kinds.len() as u32);
        let is_in = |place: usize| place == 0 || bits >> place & 1 == 1;
        let kinds = kinds.into_iter().enumerate();
        let kinds = kinds.filter_map(|(place, kind)| is_in(place).then_some(kind));
        one_of(kinds.collect())
    }
}

/// None, or a value in so many of ten.
fn maybe<T: core::fmt::Debug + Clone + 'static>(
    in_ten: u32,
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    one_of(vec![
        (10 - in_ten, Just(None).boxed()),
        (in_ten, value.prop_map(Some).boxed()),
    ])
}

fn how() -> impl Strategy<Value = Shutdown> {
    select(vec![Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop])
}

/// Some pass at once, some soon, and some are seldom reached but by sleeping.
fn limit() -> impl Strategy<Value = Limit> {
    let moments = one_of(vec![
        (1, Just(0).boxed()),
        (2, (1..9_u8).boxed()),
        (2, (50..250_u8).boxed()),
    ]);
    moments.prop_map(Limit)
}

fn failing() -> impl Strategy<Value = Failing> {
    let how = select(vec![
        HookFault::StartFails,
        HookFault::StartPanics,
        HookFault::ExitPanics,
    ]);
    (0..3_u8, how).prop_map(|(worker, how)| Failing { worker, how })
}

fn map() -> impl Strategy<Value = Map> {
    let numbers = (0..5_u8, 1..4_u8, 0..6_u8);
    let choices = (any::<bool>(), any::<bool>(), any::<bool>());
    let limit = maybe(3, limit());
    (numbers, choices, limit).prop_map(
        |((items, buffersize, take), (unordered, inline, detach), limit)| Map {
            limit,
            items,
            buffersize,
            unordered,
            inline,
            take,
            detach,
        },
    )
}

fn body(swarm: Swarm) -> impl Strategy<Value = Body> {
    swarm.choose(vec![
        (6, Just(Body::Returns).boxed()),
        (1, Just(Body::Fails).boxed()),
        (1, Just(Body::Panics).boxed()),
        (2, Just(Body::Submits).boxed()),
        (2, Just(Body::SubmitsAndWaits).boxed()),
        (1, Just(Body::SubmitsAndWaitsForBoth).boxed()),
        (2, limit().prop_map(Body::SubmitsAndWaitsWithin).boxed()),
        (2, (0..3_u8).prop_map(Body::SubmitsAndWaitsForDates).boxed()),
        (1, Just(Body::SubmitsAndRunsInline).boxed()),
        (1, Just(Body::SubmitsAndCancels).boxed()),
        (1, (0..8_u8).prop_map(Body::CancelsAny).boxed()),
        (1, (0..8_u8).prop_map(Body::AsksAny).boxed()),
        (1, (0..8_u8).prop_map(Body::WakesAny).boxed()),
        (1, map().prop_map(Body::Maps).boxed()),
        (1, (1..3_u8).prop_map(Body::Scopes).boxed()),
        (1, (1..4_u8).prop_map(Body::Chunks).boxed()),
        (1, (1..4_u8).prop_map(Body::Joins).boxed()),
        (1, how().prop_map(Body::BeginsShutdown).boxed()),
        (1, how().prop_map(Body::ShutsDown).boxed()),
    ])
}

fn rests() -> impl Strategy<Value = Rests> {
    (0..3_u8, any::<bool>()).prop_map(|(times, wakes_itself)| Rests {
        times,
        wakes_itself,
    })
}

fn looks() -> impl Strategy<Value = Looks> {
    one_of(vec![
        (1, (0..4_u8).prop_map(Looks::Times).boxed()),
        (1, Just(Looks::UntilAsked).boxed()),
    ])
}

fn date() -> impl Strategy<Value = Date> {
    one_of(vec![
        (1, Just(Date::Passed).boxed()),
        (1, (0..9_u8).prop_map(Date::Soon).boxed()),
        (1, (0..9_u8).prop_map(Date::Moved).boxed()),
    ])
}

fn way(swarm: Swarm) -> impl Strategy<Value = Way> {
    swarm.choose(vec![
        (4, Just(Way::Closure).boxed()),
        (1, Just(Way::Fallible).boxed()),
        (1, Just(Way::Blocking).boxed()),
        (2, limit().prop_map(Way::Within).boxed()),
        (3, rests().prop_map(Way::Future).boxed()),
        (1, Just(Way::Permit).boxed()),
        (1, limit().prop_map(Way::PermitWithin).boxed()),
        (1, rests().prop_map(Way::PermitFuture).boxed()),
        (1, Just(Way::AsyncPermit).boxed()),
        (3, looks().prop_map(Way::Stoppable).boxed()),
        (1, looks().prop_map(Way::PermitStoppable).boxed()),
        (3, date().prop_map(Way::At).boxed()),
        (1, (0..3_u8).prop_map(Way::Every).boxed()),
    ])
}

fn completion() -> impl Strategy<Value = Completion> {
    select(vec![
        Completion::Result,
        Completion::Complete,
        Completion::Error,
        Completion::Drop,
        Completion::RunningThenResult,
        Completion::CompleteByTwo,
    ])
}

fn ending(swarm: Swarm) -> impl Strategy<Value = Ending> {
    swarm.choose(vec![
        (4, Just(Ending::Result).boxed()),
        (2, Just(Ending::Inline).boxed()),
        (2, Just(Ending::Await).boxed()),
        (1, Just(Ending::WaitThenTake).boxed()),
        (2, Just(Ending::Drop).boxed()),
        (1, Just(Ending::Detach).boxed()),
        (1, Just(Ending::Forget).boxed()),
        (1, Just(Ending::CancelOnDrop).boxed()),
        (2, Just(Ending::CancelSync).boxed()),
        (1, Just(Ending::CancelByTwo).boxed()),
    ])
}

fn limited() -> impl Strategy<Value = Limited> {
    select(vec![
        Limited::Result,
        Limited::Wait,
        Limited::Error,
        Limited::CancelSync,
    ])
}

fn return_when() -> impl Strategy<Value = ReturnWhen> {
    select(vec![
        ReturnWhen::FirstCompleted,
        ReturnWhen::FirstError,
        ReturnWhen::AllCompleted,
    ])
}

fn step(swarm: Swarm) -> impl Strategy<Value = Step> {
    swarm.choose(vec![
        (
            12,
            (way(swarm), body(swarm))
                .prop_map(|(way, body)| Step::Submit(way, body))
                .boxed(),
        ),
        (2, completion().prop_map(Step::Promise).boxed()),
        (1, Just(Step::Reserve).boxed()),
        (1, Just(Step::DropPermit).boxed()),
        (1, any::<At>().prop_map(Step::Look).boxed()),
        (2, any::<At>().prop_map(Step::TryResult).boxed()),
        (2, any::<At>().prop_map(Step::Cancel).boxed()),
        (2, any::<At>().prop_map(Step::RequestStop).boxed()),
        (
            1,
            (any::<At>(), 0..9_u8)
                .prop_map(|(at, moments)| Step::Move(at, moments))
                .boxed(),
        ),
        (
            2,
            (any::<At>(), body(swarm))
                .prop_map(|(at, body)| Step::Callback(at, body))
                .boxed(),
        ),
        (
            2,
            (any::<At>(), maybe(8, 0..9_u8))
                .prop_map(|(at, moments)| Step::Budget(at, moments))
                .boxed(),
        ),
        (
            8,
            (any::<At>(), ending(swarm))
                .prop_map(|(at, ending)| Step::End(at, ending))
                .boxed(),
        ),
        (
            4,
            (any::<At>(), limited(), limit())
                .prop_map(|(at, limited, limit)| Step::Within(at, limited, limit))
                .boxed(),
        ),
        (2, return_when().prop_map(Step::Wait).boxed()),
        (
            1,
            (return_when(), limit())
                .prop_map(|(when, limit)| Step::WaitWithin(when, limit))
                .boxed(),
        ),
        (2, Just(Step::AsCompleted).boxed()),
        (1, limit().prop_map(Step::AsCompletedWithin).boxed()),
        (2, map().prop_map(Step::Map).boxed()),
        (1, (1..3_u8).prop_map(Step::Scope).boxed()),
        (1, (1..4_u8).prop_map(Step::Chunks).boxed()),
        (1, (1..4_u8).prop_map(Step::Joins).boxed()),
        (3, (0..8_u8).prop_map(Step::CancelAny).boxed()),
        (2, (0..8_u8).prop_map(Step::AskAny).boxed()),
        (1, (0..8_u8).prop_map(Step::WakeAny).boxed()),
        (1, how().prop_map(Step::BeginShutdown).boxed()),
        (1, how().prop_map(Step::Shutdown).boxed()),
        (
            1,
            (how(), limit())
                .prop_map(|(how, limit)| Step::ShutdownWithin(how, limit))
                .boxed(),
        ),
        (2, Just(Step::Start).boxed()),
        (1, (0..3_u8).prop_map(Step::StartRefused).boxed()),
        (
            2,
            (how(), failing())
                .prop_map(|(how, failing)| Step::StartFailing(how, failing))
                .boxed(),
        ),
        (1, (1..4_u8).prop_map(Step::Drive).boxed()),
    ])
}

/// Any program of up to three threads.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    let shape = select(vec![
        Shape::Workers0Slots2,
        Shape::Workers0Slots3,
        Shape::Workers1Slots1,
        Shape::Workers1Slots2,
        Shape::Workers1Slots3,
        Shape::Workers2Slots2,
        Shape::Workers2Slots3,
        Shape::Workers3Slots4,
    ]);
    let driven = one_of(vec![
        (3, Just(Driven::Run).boxed()),
        (1, (0..4_u8).prop_map(Driven::HandedOver).boxed()),
        (1, Just(Driven::Awaits).boxed()),
    ]);
    let threads = any::<u64>().prop_flat_map(|bits| {
        let thread = proptest::collection::vec(step(Swarm(bits)), 1..10);
        proptest::collection::vec(thread, 1..=3)
    });
    let fails = maybe(1, failing());
    (shape, any::<bool>(), driven, fails, threads).prop_map(
        |(shape, fair, workers, fails, threads)| Program {
            shape,
            fair,
            workers,
            fails,
            threads,
        },
    )
}
