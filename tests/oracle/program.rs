//! Programs, and how they are made at random.

use proptest::prelude::*;
use slotted::{ReturnWhen, Shutdown};

/// What a task does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Returns(u8),
    Fails(u8),
    Panics(u8),
    /// Submits a task and detaches it.
    Submits,
    /// Cancels one of all the tasks that the program has ever made.
    Cancels(u8),
}

/// How often a future is suspended before it is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspensions {
    pub(crate) times: u8,
    pub(crate) wakes_itself: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Endless,
    Zero,
}

/// One step of a program. A number chooses one of the things that exist, modulo their count.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit(Body),
    SubmitFallible(Body),
    SubmitFuture(Suspensions, Body),
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
    BeginShutdown(Shutdown),
    Shutdown(Shutdown),
    Start,
}

pub(crate) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        4 => any::<u8>().prop_map(Body::Returns),
        2 => any::<u8>().prop_map(Body::Fails),
        2 => any::<u8>().prop_map(Body::Panics),
        1 => Just(Body::Submits),
        1 => any::<u8>().prop_map(Body::Cancels),
    ]
}

pub(crate) fn patience() -> impl Strategy<Value = Patience> + Clone {
    prop_oneof![Just(Patience::Endless), Just(Patience::Zero)]
}

pub(crate) fn pending() -> impl Strategy<Value = Shutdown> + Clone {
    prop_oneof![Just(Shutdown::Drain), Just(Shutdown::Cancel)]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let which = any::<u8>();
    let when = prop_oneof![
        Just(ReturnWhen::FirstCompleted),
        Just(ReturnWhen::FirstError),
        Just(ReturnWhen::AllCompleted)
    ];
    let suspensions = (0..3_u8, any::<bool>()).prop_map(|(times, wakes_itself)| Suspensions {
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
        4 => (suspensions, body())
            .prop_map(|(suspensions, body)| Step::SubmitFuture(suspensions, body)),
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
    let wait = (which, when, patience())
        .prop_map(|(count, when, patience)| Step::Wait(count, when, patience));
    let as_completed = (which, which, patience())
        .prop_map(|(count, take, patience)| Step::AsCompleted(count, take, patience));
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
        2 => wait,
        2 => as_completed,
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
