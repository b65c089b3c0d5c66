//! The dimensions of a life cycle, and which combinations have a meaning.

use slotted::TaskError;

use crate::ledger::Tracked;

/// A stage of the life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    BeforeStart,
    /// Inside the closure or the poll. For a body that is suspended: between two polls. For a
    /// promise: after the completer has marked it as running.
    Running,
    Ended,
}

/// What the task does if no canceller intervenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
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

pub(crate) const BODIES: [Body; 13] = [
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
    pub(crate) fn is_promise(self) -> bool {
        matches!(
            self,
            Self::PromiseKept | Self::PromiseDropped | Self::PromiseError
        )
    }

    /// Returns true if it is a future whose first poll suspends it.
    pub(crate) fn is_suspended(self) -> bool {
        matches!(
            self,
            Self::AsyncAfterWake
                | Self::AsyncPanicsAfterWake
                | Self::AsyncShutDown
                | Self::AsyncBroken
        )
    }

    /// Returns true if a run ends it, without help from outside.
    pub(crate) fn ends_by_itself(self) -> bool {
        matches!(
            self,
            Self::Returns | Self::Panics | Self::AsyncReady | Self::AsyncPanics
        )
    }

    pub(crate) fn starts(self) -> bool {
        !matches!(self, Self::ShutDown | Self::Broken)
    }

    pub(crate) fn breaks_the_executor(self) -> bool {
        matches!(self, Self::Broken | Self::AsyncBroken)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    Handle,
    Canceller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    Never,
    Once(When, Through),
    Twice(When, Through),
}

impl Cancel {
    pub(crate) fn when(self) -> Option<When> {
        match self {
            Self::Never => None,
            Self::Once(when, _) | Self::Twice(when, _) => Some(when),
        }
    }

    pub(crate) fn needs_handle(self) -> bool {
        matches!(
            self,
            Self::Once(_, Through::Handle) | Self::Twice(_, Through::Handle)
        )
    }
}

pub(crate) fn cancels() -> impl Iterator<Item = Cancel> {
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
pub(crate) enum Fate {
    /// By `result`, or by `.await` if the waiter awaits.
    Result,
    TryResult,
    Dropped(When),
    Detached,
    Forgotten,
    CancelOnDrop(When),
}

pub(crate) const FATES: [Fate; 10] = [
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
    pub(crate) fn when(self) -> When {
        match self {
            Self::Result | Self::TryResult => When::Ended,
            Self::Detached | Self::Forgotten => When::BeforeStart,
            Self::Dropped(when) | Self::CancelOnDrop(when) => when,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Never,
    /// Calls `try_result` at each stage.
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

pub(crate) const WAITS: [Wait; 7] = [
    Wait::Never,
    Wait::TryResult,
    Wait::Result,
    Wait::Await,
    Wait::Callback,
    Wait::LateCallback,
    Wait::Error,
];

impl Wait {
    pub(crate) fn blocks(self) -> bool {
        matches!(self, Self::Result | Self::Error)
    }

    pub(crate) fn calls_back(self) -> bool {
        matches!(self, Self::Callback | Self::LateCallback)
    }
}

/// What the suite counts. Each item's number is its place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Capture,
    Value,
    Callback,
    Payload,
}

pub(crate) const DROP_PANICS: [Option<Item>; 5] = [
    None,
    Some(Item::Capture),
    Some(Item::Value),
    Some(Item::Callback),
    Some(Item::Payload),
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) workers: usize,
    pub(crate) body: Body,
    pub(crate) cancel: Cancel,
    pub(crate) fate: Fate,
    pub(crate) wait: Wait,
    pub(crate) drop_panics: Option<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value,
    Panicked,
    Cancelled,
    Broken,
    /// The error that the completer sets on purpose.
    TimedOut,
}

impl Outcome {
    pub(crate) fn of(outcome: Result<&Tracked, &TaskError>) -> Self {
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
    /// Returns true if a canceller, or the drop of a cancelling handle, cancels the task at this
    /// stage.
    pub(crate) fn cancelled_at(&self, when: When) -> bool {
        self.cancel.when() == Some(when) || self.fate == Fate::CancelOnDrop(when)
    }

    pub(crate) fn reaches_running(&self) -> bool {
        self.body.starts() && !self.cancelled_at(When::BeforeStart)
    }

    /// How the task ends.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.cancelled_at(When::BeforeStart)
            || (self.body.is_suspended() && self.cancelled_at(When::Running))
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
            Body::PromiseError => Outcome::Broken,
        }
    }

    /// Returns true if the task has ended by the end of this stage.
    pub(crate) fn ended_by(&self, when: When) -> bool {
        match when {
            When::BeforeStart => self.cancelled_at(When::BeforeStart),
            When::Running => self.body.is_suspended() && self.cancelled_at(When::Running),
            When::Ended => true,
        }
    }

    /// The first stage by whose end the task has ended.
    pub(crate) fn end(&self) -> When {
        [When::BeforeStart, When::Running]
            .into_iter()
            .find(|when| {
                (*when == When::BeforeStart || self.reaches_running()) && self.ended_by(*when)
            })
            .unwrap_or(When::Ended)
    }

    /// Returns true if the handle still exists when the task ends. Within a stage the cancel comes
    /// before the handle goes, also that of a handle that cancels on drop. What a body does by
    /// itself comes before `Ended`.
    pub(crate) fn handle_sees_the_end(&self) -> bool {
        self.fate == Fate::Forgotten || self.fate.when() >= self.end()
    }

    /// Returns true if the combination has a meaning.
    pub(crate) fn is_possible(&self) -> bool {
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
        // A cancel through the handle needs the handle, in this thread.
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
        // Without workers a blocked waiter runs the ready tasks, at a moment of its own.
        if workers == 0 && wait.blocks() && !body.ends_by_itself() && !body.is_promise() {
            return false;
        }
        if wait == Wait::LateCallback && fate.when() != When::Ended {
            return false;
        }
        match drop_panics {
            None => true,
            // A destructor that panics while a closure unwinds aborts the program.
            Some(Item::Capture) => {
                !(body.is_promise() || body == Body::Panics && self.reaches_running())
            }
            Some(Item::Value) => self.outcome() == Outcome::Value,
            Some(Item::Callback) => wait.calls_back(),
            Some(Item::Payload) => self.outcome() == Outcome::Panicked,
        }
    }
}
