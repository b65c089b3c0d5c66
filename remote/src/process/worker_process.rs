//! One process of the pool: what it was sent, and how long it may take.

use core::time::Duration;
use std::process::Child;
use std::time::Instant;

use heapless::Deque;

use super::command::Command;
use super::socket::Outgoing;
use crate::RemoteError;
use crate::frame::{Header, Kind};

/// How many calls may be under way to one process.
pub(super) const LANES: usize = 8;

/// A process whose tasks take less than this gets calls ahead. Longer ones would wait there while
/// another process is idle.
const SHORT: Duration = Duration::from_micros(50);

/// How long a process has to answer that a call has not begun, before it is killed.
const CANCEL_LIMIT: Duration = Duration::from_millis(10);

/// What a task is told whose process the pool kills.
const KILLED: RemoteError = RemoteError::Crashed { signal: 9 };

/// How many tasks a process runs before it is replaced. The numbers of its calls fit their fields.
pub(super) fn most_tasks(command: &Command) -> u64 {
    command.tasks_per_process.unwrap_or(u64::MAX).min(1 << 34)
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none.
    Gone,
    /// It has not said that it serves.
    Greeted,
    Serving,
    /// It has run as many tasks as it may, and is leaving.
    Leaving,
}

/// A call that was sent to a process.
pub(super) struct Ahead {
    /// `None`: its submitter wants it no more.
    pub(super) entry: Option<u16>,
    /// Which call of the process it is.
    pub(super) number: u64,
    /// The most time that the task may take, wanted or not.
    pub(super) limit: Option<Duration>,
    /// It ran when its submitter gave it up, and its process is to be killed.
    pub(super) kill: bool,
}

/// Why a process is ended that has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    /// The number of the call that ran, if it was one. The process may have answered it meanwhile,
    /// and then the next call is not late.
    pub(super) during: Option<u64>,
    /// What becomes of that call.
    pub(super) error: RemoteError,
}

/// One process of the pool, or its place.
pub(super) struct Process {
    pub(super) stage: Stage,
    pub(super) child: Option<Child>,
    pub(super) outgoing: Option<Outgoing>,
    pub(super) session: u32,
    /// The number of the next call.
    pub(super) next: u64,
    /// What was sent and not answered. The first one runs, or is about to.
    pub(super) ahead: Deque<Ahead, LANES>,
    /// When the first one began; or the process, while it greets; or its leaving.
    pub(super) began: Option<Instant>,
    pub(super) started: Option<Instant>,
    /// How long its tasks take, lately.
    pub(super) mean: Option<Duration>,
    /// The pool has killed it, with all others.
    pub(super) doomed: bool,
    pub(super) stats: ProcessStats,
}

/// What one process of a pool has done, and the processes before it in its place.
///
/// ```
/// use slotted_remote::process::Processes;
///
/// fn restarts(pool: &'static Processes<2, 8, 128>) -> u64 {
///     pool.processes().iter().map(|process| process.restarts).sum()
/// }
/// # static POOL: Processes<2, 8, 128> = Processes::new();
/// # assert_eq!(restarts(&POOL), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessStats {
    /// The number of the process that is there now.
    pub pid: Option<u32>,
    /// Tasks that ran to their end, whatever it was.
    pub completed: u64,
    /// Processes that were started in this place after the first.
    pub restarts: u64,
    /// Why the last process ended: [`RemoteError::Crashed`] and the like. A process that left when
    /// it should is no error.
    pub last_error: Option<RemoteError>,
}

impl Process {
    pub(super) const GONE: Self = Self {
        stage: Stage::Gone,
        child: None,
        outgoing: None,
        session: 0,
        next: 0,
        ahead: Deque::new(),
        began: None,
        started: None,
        mean: None,
        doomed: false,
        stats: ProcessStats {
            pid: None,
            completed: 0,
            restarts: 0,
            last_error: None,
        },
    };

    /// How many more calls it takes now.
    pub(super) fn room(&self, command: &Command) -> usize {
        if self.stage != Stage::Serving || self.doomed || self.child.is_none() {
            return 0;
        }
        let is_short = self.mean.is_some_and(|mean| mean < SHORT);
        let most = if is_short { LANES } else { 1 };
        let left = most_tasks(command).saturating_sub(self.next);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let most = most.saturating_sub(self.ahead.len());
        most.min(left).min(self.free_lanes())
    }

    /// How many lanes are free, from that of the next call on. A lane is not used again before all
    /// calls up to its last one were answered: it may lie behind a call that still waits.
    pub(super) fn free_lanes(&self) -> usize {
        let under_way = self
            .ahead
            .front()
            .map_or(0, |first| self.next - first.number);
        LANES.saturating_sub(usize::try_from(under_way).unwrap_or(LANES))
    }

    /// Takes the call of a number out of those that were sent.
    ///
    /// Bound: their number.
    pub(super) fn take_ahead(&mut self, number: u64) -> Option<(bool, Ahead)> {
        let is_first = self
            .ahead
            .front()
            .is_some_and(|ahead| ahead.number == number);
        let mut found = None;
        for _ in 0..self.ahead.len() {
            let ahead = self.ahead.pop_front()?;
            if ahead.number == number {
                found = Some((is_first, ahead));
            } else {
                let _ = self.ahead.push_back(ahead); // its place is free
            }
        }
        found
    }

    pub(super) fn header(&self, kind: Kind, number: u64, id: u32) -> Header {
        Header {
            kind,
            lane: (number % LANES as u64) as u8,
            session: self.session,
            sequence: (number / LANES as u64) as u32 + 1,
            id,
        }
    }

    /// How long the process may take with what it does, and what becomes of that then.
    pub(super) fn limit(&self, command: &Command) -> Option<(Duration, Late)> {
        let of_process = |limit| {
            let late = Late {
                during: None,
                error: RemoteError::TimeLimit,
            };
            Some((limit, late))
        };
        let first = match self.stage {
            Stage::Gone => return None,
            Stage::Greeted => return of_process(command.start_timeout),
            Stage::Leaving => return of_process(command.grace),
            Stage::Serving => self.ahead.front()?,
        };
        let (limit, error) = if first.kill {
            (Duration::ZERO, KILLED)
        } else if first.entry.is_none() && command.kills_cancelled {
            // The worker had begun it before it read that it is cancelled.
            (CANCEL_LIMIT, KILLED)
        } else {
            (first.limit.or(command.time_limit)?, RemoteError::TimeLimit)
        };
        let during = Some(first.number);
        Some((limit, Late { during, error }))
    }

    /// Tells it that nothing more will come. It leaves.
    pub(super) fn dismiss(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.shut_down();
        }
    }
}
