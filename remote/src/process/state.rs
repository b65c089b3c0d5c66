//! What the threads of a pool share: its calls and its processes, inside one lock.
//!
//! No foreign code runs in here. What is written to a socket never waits.

use core::task::Waker;
use core::time::Duration;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Arc;
use std::time::Instant;

use heapless::Deque;

use super::command::Command;
use super::entries::{Entries, Outcome, Phase};
use super::error::ProcessStartError;
use super::socket::Outgoing;
use crate::RemoteError;
use crate::frame::{GREETING, Header, Hello, Kind, PROTOCOL, Status, Welcome, session};

/// How many calls may be under way to one process.
pub(super) const LANES: usize = 8;

/// A process whose tasks take less than this gets calls ahead. Longer ones would wait there while
/// another process is idle.
const SHORT: Duration = Duration::from_micros(50);

/// So many processes in a row that end before they were asked for anything break the pool.
const FAILURES: u32 = 5;

/// What the pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It was not started, or has been shut down.
    Off,
    /// The processes are being started.
    Starting,
    Running,
    /// The processes are to leave.
    Stopping,
    /// No process came up any more. The reader has left or is leaving.
    Broken,
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Gone,
    /// It has not said that it serves.
    Greeted,
    Serving,
    /// It has run as many tasks as it may, and is leaving.
    Leaving,
}

/// A call that was sent to a process.
struct Ahead {
    /// `None`: its submitter wants it no more.
    entry: Option<u16>,
    /// Which call of the process it is.
    number: u64,
}

/// One process of the pool, or its place.
pub(super) struct Process {
    stage: Stage,
    child: Option<Child>,
    outgoing: Option<Outgoing>,
    session: u32,
    /// The number of the next call.
    next: u64,
    /// What was sent and not answered. The first one runs, or is about to.
    ahead: Deque<Ahead, LANES>,
    /// When the first one began.
    began: Option<Instant>,
    /// How long its tasks take, lately.
    mean: Option<Duration>,
    /// Why the pool killed it, and during which call.
    killed: Option<(u64, RemoteError)>,
    stats: ProcessStats,
}

/// What one process of a pool has done, and the processes before it in its place.
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
    const GONE: Self = Self {
        stage: Stage::Gone,
        child: None,
        outgoing: None,
        session: 0,
        next: 0,
        ahead: Deque::new(),
        began: None,
        mean: None,
        killed: None,
        stats: ProcessStats {
            pid: None,
            completed: 0,
            restarts: 0,
            last_error: None,
        },
    };

    /// How many more calls it takes now.
    fn room(&self, command: &Command) -> usize {
        if self.stage != Stage::Serving || self.killed.is_some() {
            return 0;
        }
        let is_short = self.mean.is_some_and(|mean| mean < SHORT);
        let most = if is_short { LANES } else { 1 };
        let left = command
            .tasks_per_process
            .map_or(u64::MAX, |most| most - self.next);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        most.saturating_sub(self.ahead.len()).min(left)
    }

    /// Takes the call of a number out of those that were sent.
    ///
    /// Bound: their number.
    fn take_ahead(&mut self, number: u64) -> Option<(bool, Ahead)> {
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

    fn header(&self, kind: Kind, number: u64, id: u32) -> Header {
        Header {
            kind,
            lane: (number % LANES as u64) as u8,
            session: self.session,
            sequence: (number / LANES as u64) as u32 + 1,
            id,
        }
    }

    fn kill(&mut self, reason: RemoteError) {
        if let (Some(first), Some(child)) = (self.ahead.front(), &mut self.child) {
            self.killed = Some((first.number, reason));
            let _ = child.kill(); // it may be gone: the reader finds out
        }
    }

    /// Tells it that nothing more will come. It leaves.
    pub(super) fn dismiss(&self) {
        if let Some(outgoing) = &self.outgoing {
            outgoing.shut_down();
        }
    }
}

/// What the lock guards.
pub(super) struct State<const PROCS: usize, const QUEUE: usize, const BYTES: usize> {
    pub(super) life: Life,
    pub(super) command: Option<Arc<Command>>,
    pub(super) entries: Entries<QUEUE, BYTES>,
    processes: [Process; PROCS],
    /// Why the pool did not start.
    pub(super) start_error: Option<ProcessStartError>,
    /// Processes in a row that ended before they were asked for anything.
    failures: u32,
    nonce: u32,
    /// When the reader wakes up by itself.
    pub(super) reader_wakes: Option<Instant>,
    /// Wakes the reader.
    pub(super) wake: Option<UnixStream>,
    /// A call has ended by itself: the reader is to poll it.
    pub(super) polls: bool,
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> State<PROCS, QUEUE, BYTES> {
    pub(super) const fn new() -> Self {
        Self {
            life: Life::Off,
            command: None,
            entries: Entries::new(),
            processes: [const { Process::GONE }; PROCS],
            start_error: None,
            failures: 0,
            nonce: 0,
            reader_wakes: None,
            wake: None,
            polls: false,
        }
    }

    /// Wakes the reader, which looks at everything again.
    pub(super) fn wake_reader(&self) {
        if let Some(mut wake) = self.wake.as_ref() {
            // A pipe that is full wakes it too.
            let _ = wake.write(&[0]);
        }
    }

    /// Forgets the processes of an earlier life, and keeps the calls that have not been looked at.
    pub(super) fn begin(&mut self, command: Arc<Command>, wake: UnixStream) {
        self.life = Life::Starting;
        self.command = Some(command);
        self.wake = Some(wake);
        self.processes = [const { Process::GONE }; PROCS];
        (self.start_error, self.failures, self.reader_wakes) = (None, 0, None);
    }

    pub(super) fn processes(&mut self) -> &mut [Process; PROCS] {
        &mut self.processes
    }

    pub(super) fn stats(&self) -> [ProcessStats; PROCS] {
        self.processes.each_ref().map(|process| process.stats)
    }

    /// A process was started in a place: greets it.
    pub(super) fn install(&mut self, place: usize, child: Child, socket: Arc<OwnedFd>) {
        self.nonce = self.nonce.wrapping_add(1);
        let hello = Hello {
            protocol: PROTOCOL,
            bytes: BYTES as u16, // asserted
            nonce: self.nonce,
        };
        let linger = self
            .command
            .as_ref()
            .map_or(0, |command| command.linger.as_micros());
        let linger = u16::try_from(linger).unwrap_or(u16::MAX);
        let mut body: [u8; GREETING] = hello.to_bytes();
        body[8..10].copy_from_slice(&linger.to_le_bytes());
        let process = &mut self.processes[place];
        let stats = ProcessStats {
            pid: Some(child.id()),
            ..process.stats
        };
        let mut outgoing = Outgoing::new(socket, 2 * LANES, BYTES);
        outgoing.push(&Header::greeting(Kind::Hello), &body);
        outgoing.flush();
        *process = Process {
            stage: Stage::Greeted,
            child: Some(child),
            outgoing: Some(outgoing),
            began: Some(Instant::now()),
            session: self.nonce, // until it answers
            stats,
            ..Process::GONE
        };
    }

    /// A process answered the greeting. `Err`: it cannot serve.
    pub(super) fn welcome(&mut self, place: usize, welcome: &Welcome) -> Result<(), u8> {
        let process = &mut self.processes[place];
        if welcome.protocol != PROTOCOL || welcome.theirs != process.session {
            return Err(welcome.protocol);
        }
        process.session = session(welcome.theirs, welcome.nonce);
        process.stage = Stage::Serving;
        process.began = None;
        let all_serve = self
            .processes
            .iter()
            .all(|process| process.stage == Stage::Serving);
        if self.life == Life::Starting && all_serve {
            self.life = Life::Running;
        }
        self.dispatch();
        Ok(())
    }

    /// Gives waiting calls to processes.
    ///
    /// Bound: the calls that wait, and the lanes of all processes.
    pub(super) fn dispatch(&mut self) {
        let Some(command) = self.command.clone() else {
            return;
        };
        let mut sent = false;
        while self.entries.has_queued() {
            let with_room = { self.processes.iter().enumerate() }
                .filter(|(_, process)| process.room(&command) > 0)
                .min_by_key(|(_, process)| process.ahead.len());
            let Some((place, _)) = with_room else { break };
            let Some(index) = self.entries.dequeue() else {
                break;
            };
            self.send(place, index);
            sent = true;
        }
        if sent {
            self.flush();
        }
    }

    fn send(&mut self, place: usize, index: u16) {
        let (process, entry) = (&mut self.processes[place], self.entries.get(index));
        let number = process.next;
        process.next += 1;
        if process.ahead.is_empty() {
            process.began = Some(Instant::now());
        }
        let ahead = Ahead {
            entry: Some(index),
            number,
        };
        let _ = process.ahead.push_back(ahead); // it had room
        entry.phase = Phase::Sent { process: place };
        let header = process.header(Kind::Call, number, entry.id.bits());
        if let Some(outgoing) = &mut process.outgoing {
            outgoing.push(&header, entry.body());
        }
    }

    /// Writes what the sockets take.
    pub(super) fn flush(&mut self) {
        for process in &mut self.processes {
            if let Some(outgoing) = &mut process.outgoing {
                outgoing.flush();
            }
        }
    }

    /// Returns true if a socket did not take all.
    pub(super) fn is_pending(&self, place: usize) -> bool {
        let outgoing = self.processes[place].outgoing.as_ref();
        outgoing.is_some_and(Outgoing::is_pending)
    }

    /// A process answered a call. Returns what to wake. `Err`: it was not asked.
    pub(super) fn reply(
        &mut self,
        place: usize,
        header: &Header,
        body: &[u8],
        now: Instant,
    ) -> Result<Option<Waker>, ()> {
        let process = &mut self.processes[place];
        let Some(status) = Status::from_bits(header.id) else {
            return Err(());
        };
        if header.session != process.session || header.sequence == 0 {
            return Err(());
        }
        let number = u64::from(header.sequence - 1) * LANES as u64 + u64::from(header.lane);
        let (is_first, ahead) = process.take_ahead(number).ok_or(())?;
        if is_first {
            let took = now.saturating_duration_since(process.began.unwrap_or(now));
            // Of the last few: one that was long is soon forgotten.
            process.mean = Some(process.mean.map_or(took, |mean| (mean * 3 + took) / 4));
            process.began = Some(now);
        }
        self.failures = 0;
        if status != Status::Cancelled {
            process.stats.completed += 1;
        }
        let waker = match ahead.entry {
            None => None,
            Some(index) => {
                let entry = self.entries.get(index);
                // A worker that sends more than it was told it may is no worker of ours.
                if !entry.set_body(body) {
                    return Err(());
                }
                entry.phase = Phase::Ended(Outcome::Replied(status));
                entry.waker.take()
            }
        };
        self.retire(place);
        Ok(waker)
    }

    /// Dismisses a process that has run as many tasks as it may.
    fn retire(&mut self, place: usize) {
        let process = &mut self.processes[place];
        let most = self
            .command
            .as_ref()
            .and_then(|command| command.tasks_per_process);
        let is_spent = most.is_some_and(|most| process.next >= most);
        if is_spent && process.ahead.is_empty() && process.stage == Stage::Serving {
            process.stage = Stage::Leaving;
            process.dismiss();
        }
    }

    /// The child of a place, whose socket has ended.
    pub(super) fn take_child(&mut self, place: usize) -> Option<Child> {
        self.processes[place].child.take()
    }

    /// A process has ended, and all it wrote was read. The call that ran fails; those behind it
    /// have not begun, and wait again before all others. Returns what to wake, and whether the
    /// process served.
    pub(super) fn end(&mut self, place: usize, error: RemoteError) -> (Option<Waker>, bool) {
        let process = &mut self.processes[place];
        let stage = core::mem::replace(&mut process.stage, Stage::Gone);
        let left = stage == Stage::Leaving;
        // One that ends though it was asked for nothing would end again at once.
        let served = left || stage == Stage::Serving && process.next > 0;
        process.outgoing = None;
        process.stats.pid = None;
        process.stats.restarts += 1;
        let killed = process.killed.take();
        if !left && self.life != Life::Stopping {
            let reason = killed.map_or(error, |(_, reason)| reason);
            process.stats.last_error = Some(reason);
        }
        let first = process.ahead.pop_front();
        // Bound: the lanes. From the last to the first, so that they keep their order.
        while let Some(behind) = process.ahead.pop_back() {
            if let Some(index) = behind.entry {
                self.entries.enqueue_first(index);
            }
        }
        let Some(Ahead { entry, number }) = first else {
            return (None, served);
        };
        let Some(index) = entry else {
            return (None, served);
        };
        let error = match killed {
            Some((during, reason)) if during == number => reason,
            _ => error,
        };
        let entry = self.entries.get(index);
        let is_retried = matches!(
            error,
            RemoteError::Crashed { .. } | RemoteError::Exited { .. } | RemoteError::Lost
        );
        if is_retried && entry.retries > 0 {
            entry.retries -= 1;
            self.entries.enqueue_first(index);
            return (None, served);
        }
        entry.phase = Phase::Ended(Outcome::Failed(error));
        (entry.waker.take(), served)
    }

    /// A process came to nothing before it served. Returns how long to wait for the next, or `None`
    /// if the pool is broken.
    pub(super) fn fail(&mut self) -> Option<Duration> {
        self.failures += 1;
        let serves = self
            .processes
            .iter()
            .any(|process| process.stage == Stage::Serving);
        if self.failures >= FAILURES && !serves {
            return None;
        }
        let shift = (self.failures - 1).min(10);
        Some(Duration::from_millis(1 << shift))
    }

    /// Ends all calls that wait. Returns what to wake, in turn, until there is none.
    pub(super) fn end_queued(&mut self, outcome: Outcome) -> Option<Option<Waker>> {
        let index = self.entries.dequeue()?;
        let entry = self.entries.get(index);
        entry.phase = Phase::Ended(outcome);
        Some(entry.waker.take())
    }

    /// The submitter of a call wants it no more. Returns its waker, to be dropped outside.
    pub(super) fn abandon(&mut self, index: u16) -> Option<Waker> {
        match self.entries.get(index).phase {
            Phase::Queued => self.entries.unqueue(index),
            Phase::Sent { process } => self.abandon_sent(process, index),
            Phase::Begun | Phase::Ended(_) => {}
        }
        self.entries.give_back(index)
    }

    fn abandon_sent(&mut self, place: usize, index: u16) {
        let kills = self
            .command
            .as_ref()
            .is_some_and(|command| command.kills_cancelled);
        let process = &mut self.processes[place];
        let is_first = process
            .ahead
            .front()
            .is_some_and(|ahead| ahead.entry == Some(index));
        let found = process
            .ahead
            .iter_mut()
            .find(|ahead| ahead.entry == Some(index));
        let Some(ahead) = found else { return };
        ahead.entry = None;
        let number = ahead.number;
        if !is_first {
            let header = process.header(Kind::Cancel, number, 0);
            if let Some(outgoing) = &mut process.outgoing {
                outgoing.push(&header, &[]);
                outgoing.flush();
            }
        } else if kills {
            process.kill(RemoteError::Crashed { signal: 9 });
        }
    }

    /// Kills all processes.
    pub(super) fn kill_all(&mut self) {
        for process in &mut self.processes {
            if let Some(child) = &mut process.child {
                let _ = child.kill(); // it may be gone: the reader finds out
            }
        }
    }

    /// When the first task, or process that has not answered, has taken too long.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let Self {
            processes,
            entries,
            command,
            ..
        } = self;
        let command = command.as_ref()?;
        let deadline = |process: &Process| {
            let limit = match process.stage {
                Stage::Greeted => Some(command.start_timeout),
                _ if process.killed.is_some() => None,
                _ => {
                    let of_task = process
                        .ahead
                        .front()?
                        .entry
                        .map(|index| entries.get(index).limit);
                    of_task.flatten().or(command.time_limit)
                }
            };
            process.began?.checked_add(limit?)
        };
        processes.iter().filter_map(deadline).min()
    }

    /// Kills the processes whose task has taken too long. Returns the place of one that has not
    /// answered its greeting.
    pub(super) fn kill_late(&mut self, now: Instant) -> Option<usize> {
        let mut silent = None;
        let Self {
            processes,
            entries,
            command,
            ..
        } = self;
        let command = command.as_ref()?;
        for (place, process) in processes.iter_mut().enumerate() {
            let Some(began) = process.began else { continue };
            let took = now.saturating_duration_since(began);
            if process.stage == Stage::Greeted {
                if took >= command.start_timeout {
                    silent = Some(place);
                }
                continue;
            }
            let Some(first) = process.ahead.front() else {
                continue;
            };
            let limit = first.entry.and_then(|index| entries.get(index).limit);
            let is_late = limit
                .or(command.time_limit)
                .is_some_and(|limit| took >= limit);
            if is_late && process.killed.is_none() {
                process.kill(RemoteError::TimeLimit);
            }
        }
        silent
    }

    /// Returns true if a call is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.processes
            .iter()
            .any(|process| !process.ahead.is_empty())
    }
}
