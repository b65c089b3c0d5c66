//! What a random program is made of, before a [`Plan`](crate::plan::Plan) makes lines of it.

use proptest::prelude::*;

/// How long a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Zero,
    Endless,
}

/// What [`Step::Wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    FirstCompleted,
    FirstError,
    AllCompleted,
}

/// A step. A number chooses one of the things that exist, modulo their count. A mask chooses tasks.
/// The plan leaves out a step that nothing fits, or whose outcome is not determined.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Submits a task that fails or not. It waits at one of three gates, or at none.
    Submit {
        fails: bool,
        gate: Option<u8>,
    },
    Promise,
    /// Opens one of three gates. Later tasks find another gate in its place, which is closed.
    Open(u8),
    Cancel(u8),
    State(u8),
    Result(u8, Patience),
    /// As `Result`, but the outcome stays with the task.
    Peek(u8, Patience),
    Exception(u8, Patience),
    Callback(u8, bool),
    Wait(u16, When, Patience),
    Completed(u16, Patience),
    /// Begins an `as_completed`, of which later steps take what is there.
    Iterate(u16),
    Next,
    Leave,
    /// A map over items that fail or not, of which the program takes some.
    Map(Vec<bool>, u8),
    Shutdown {
        cancels: bool,
        waits: bool,
    },
    SetResult(u8),
    SetException(u8),
    SetRunning(u8),
    /// Cancels a promise and tells those that wait for it.
    Abandon(u8),
    Drop(u8),
    /// The first step, while a thread of its own takes the second one, which waits for it.
    While(Box<Step>, Box<Step>),
}

/// The steps of a program, and its number of workers.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    pub(crate) workers: u8,
    pub(crate) steps: Vec<Step>,
}

fn patience() -> impl Strategy<Value = Patience> + Clone {
    prop_oneof![Just(Patience::Zero), Just(Patience::Endless)]
}

fn when() -> impl Strategy<Value = When> + Clone {
    prop_oneof![
        Just(When::FirstCompleted),
        Just(When::FirstError),
        Just(When::AllCompleted)
    ]
}

/// Steps that other steps wait for.
fn action() -> impl Strategy<Value = Step> {
    let which = any::<u8>();
    prop_oneof![
        3 => which.prop_map(Step::Open),
        2 => which.prop_map(Step::SetResult),
        1 => which.prop_map(Step::SetException),
        1 => which.prop_map(Step::Abandon),
    ]
}

/// Steps that wait without a limit.
fn blocking() -> impl Strategy<Value = Step> {
    let (which, mask) = (any::<u8>(), any::<u16>());
    let endless = Patience::Endless;
    prop_oneof![
        2 => which.prop_map(move |which| Step::Result(which, endless)),
        2 => which.prop_map(move |which| Step::Peek(which, endless)),
        2 => which.prop_map(move |which| Step::Exception(which, endless)),
        6 => (mask, when()).prop_map(move |(mask, when)| Step::Wait(mask, when, endless)),
        2 => mask.prop_map(move |mask| Step::Completed(mask, endless)),
        6 => Just(Step::Next),
        1 => Just(Step::Shutdown { cancels: false, waits: true }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (which, mask) = (any::<u8>(), any::<u16>());
    let submit = (any::<bool>(), proptest::option::weighted(0.7, 0..3_u8));
    let pair = (action(), blocking());
    let asked = prop_oneof![
        4 => which.prop_map(Step::State),
        4 => (which, patience()).prop_map(|(which, patience)| Step::Result(which, patience)),
        3 => (which, patience()).prop_map(|(which, patience)| Step::Peek(which, patience)),
        3 => (which, patience()).prop_map(|(which, patience)| Step::Exception(which, patience)),
        6 => (mask, when(), patience())
            .prop_map(|(mask, when, patience)| Step::Wait(mask, when, patience)),
        4 => (mask, patience()).prop_map(|(mask, patience)| Step::Completed(mask, patience)),
        8 => mask.prop_map(Step::Iterate),
        8 => Just(Step::Next),
        1 => Just(Step::Leave),
    ];
    prop_oneof![
        14 => submit.prop_map(|(fails, gate)| Step::Submit { fails, gate }),
        6 => Just(Step::Promise),
        8 => which.prop_map(Step::Open),
        8 => which.prop_map(Step::Cancel),
        6 => (which, any::<bool>()).prop_map(|(which, raises)| Step::Callback(which, raises)),
        30 => asked,
        2 => (proptest::collection::vec(any::<bool>(), 0..5), 0..6_u8)
            .prop_map(|(items, take)| Step::Map(items, take)),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(cancels, waits)| Step::Shutdown { cancels, waits }),
        3 => which.prop_map(Step::SetResult),
        2 => which.prop_map(Step::SetException),
        3 => which.prop_map(Step::SetRunning),
        2 => which.prop_map(Step::Abandon),
        1 => which.prop_map(Step::Drop),
        10 => pair.prop_map(|(action, wait)| Step::While(Box::new(action), Box::new(wait))),
    ]
}

/// Random programs of up to sixty steps.
pub(crate) fn sketch() -> impl Strategy<Value = Sketch> {
    (1..=2_u8, proptest::collection::vec(step(), 1..60))
        .prop_map(|(workers, steps)| Sketch { workers, steps })
}
