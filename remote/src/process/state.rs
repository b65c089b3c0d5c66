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

use slotted::error::Refusal;

use super::command::Command;
use super::error::ProcessStartError;
use super::socket::Outgoing;
use super::worker_process::{Ahead, LANES, Late, Process, ProcessStats, Stage, most_tasks};
use crate::RemoteError;
use crate::entries::{Entries, Outcome, Phase};
use crate::frame::{GREETING, Header, Hello, Kind, PROTOCOL, Status, Welcome, session};

/// A process that lived this long and ends for no reason of the pool's may be followed by another.
const SETTLED: Duration = Duration::from_secs(1);

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

/// What the lock guards.
pub(super) struct State<const PROCS: usize, const QUEUE: usize, const BYTES: usize> {
    pub(super) life: Life,
    pub(super) command: Option<Arc<Command>>,
    /// The pool is being shut down.
    pub(super) is_closing: bool,
    /// The pool is being shut down, and what was not sent is cancelled.
    pub(super) cancels: bool,
    /// Calls of nodes under way: a shutdown waits for them.
    pub(super) encoded: usize,
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
            is_closing: false,
            cancels: false,
            encoded: 0,
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

    /// Returns an error if the pool takes no calls.
    pub(super) fn accepts(&self) -> Result<(), Refusal> {
        match self.life {
            Life::Running if !self.is_closing => Ok(()),
            Life::Broken => Err(Refusal::Broken),
            Life::Running | Life::Off | Life::Starting | Life::Stopping => Err(Refusal::ShutDown),
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
        (self.is_closing, self.cancels) = (false, false);
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
            restarts: process.stats.restarts + u64::from(process.started.is_some()),
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
            started: Some(Instant::now()),
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
            if !command.kills_cancelled && !self.entries.get(index).set_running() {
                // The canceller waits for the lock, to give the entry back.
                self.entries.get(index).phase = Phase::Ended(Outcome::Cancelled);
                continue;
            }
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
            limit: entry.terms.limit,
            kill: false,
        };
        let _ = process.ahead.push_back(ahead); // it had room
        entry.phase = Phase::Sent { place };
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
            // Of the last few: a long task is soon forgotten.
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
                entry.phase = Phase::Ended(if entry.set_body(body) {
                    Outcome::Replied(status)
                } else {
                    Outcome::Failed(RemoteError::TooLarge)
                });
                entry.waker.take()
            }
        };
        self.retire(place);
        Ok(waker)
    }

    /// Dismisses a process that has run as many tasks as it may.
    fn retire(&mut self, place: usize) {
        let process = &mut self.processes[place];
        let is_spent =
            { self.command.as_ref() }.is_some_and(|command| process.next >= most_tasks(command));
        if is_spent && process.ahead.is_empty() && process.stage == Stage::Serving {
            process.stage = Stage::Leaving;
            process.began = Some(Instant::now());
            process.dismiss();
        }
    }

    /// The child of a place, whose socket has ended.
    pub(super) fn take_child(&mut self, place: usize) -> Option<Child> {
        self.processes[place].child.take()
    }

    /// Returns true if the process of a place came up and did something, or was to end. One that
    /// ends though it was asked for nothing would end again at once.
    pub(super) fn has_served(&self, place: usize) -> bool {
        let process = &self.processes[place];
        let lived = process
            .started
            .map_or(Duration::ZERO, |started| started.elapsed());
        process.stage == Stage::Leaving
            || process.doomed
            || process.stage == Stage::Serving && (process.next > 0 || lived >= SETTLED)
    }

    /// A process has ended, and all it wrote was read. The call that ran fails; those behind it
    /// have not begun, and wait again before all others. If the process is not `trusted`, it may
    /// have run them all. If it was `late`, so was the call that ran then. Returns true if another
    /// process is to follow at once.
    pub(super) fn end(
        &mut self,
        place: usize,
        error: RemoteError,
        late: Option<Late>,
        trusted: bool,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let served = self.has_served(place);
        let process = &mut self.processes[place];
        let stage = core::mem::replace(&mut process.stage, Stage::Gone);
        let left = stage == Stage::Leaving;
        process.outgoing = None;
        process.stats.pid = None;
        let first = process.ahead.pop_front();
        let ran = first.as_ref().map(|first| first.number);
        let error = match late {
            Some(late) if late.during.is_none() || late.during == ran => late.error,
            _ => error,
        };
        if !left && self.life != Life::Stopping {
            process.stats.last_error = Some(error);
        }
        // Bound: the lanes. From the last to the first, so that they keep their order.
        while let Some(behind) = self.processes[place].ahead.pop_back() {
            match behind.entry {
                None => {}
                Some(index) if trusted => self.entries.enqueue_first(index),
                Some(index) => wakers.extend(self.fail_call(index, error)),
            }
        }
        if let Some(index) = first.and_then(|first| first.entry) {
            wakers.extend(self.fail_call(index, error));
        }
        served
    }

    /// A call's process has ended under it. The call fails, or is tried again if it asked for that.
    fn fail_call(&mut self, index: u16, error: RemoteError) -> Option<Waker> {
        let cancels = self.cancels;
        let entry = self.entries.get(index);
        let is_retried = matches!(
            error,
            RemoteError::Crashed { .. } | RemoteError::Exited { .. } | RemoteError::Lost
        );
        if is_retried && entry.terms.retries > 0 && !cancels {
            entry.terms.retries -= 1;
            self.entries.enqueue_first(index);
            return None;
        }
        self.end_call(index, Outcome::Failed(error))
    }

    /// Ends a call. Returns what to wake.
    pub(super) fn end_call(&mut self, index: u16, outcome: Outcome) -> Option<Waker> {
        let entry = self.entries.get(index);
        entry.phase = Phase::Ended(outcome);
        entry.waker.take()
    }

    /// A process came to nothing before it served. Returns how long to wait for the next, or `None`
    /// if the pool is broken.
    pub(super) fn fail(&mut self) -> Option<Duration> {
        self.failures += 1;
        let may_serve = { self.processes.iter() }.any(|process| process.stage != Stage::Gone);
        if self.failures >= FAILURES && !may_serve {
            return None;
        }
        let shift = (self.failures - 1).min(10);
        Some(Duration::from_millis(1 << shift))
    }

    /// Ends all calls that wait. Returns what to wake, in turn, until there is none.
    pub(super) fn end_queued(&mut self, outcome: Outcome) -> Option<Option<Waker>> {
        let index = self.entries.dequeue()?;
        Some(self.end_call(index, outcome))
    }

    /// The submitter of a call wants it no more. Returns its waker, to be dropped outside.
    pub(super) fn abandon(&mut self, index: u16) -> Option<Waker> {
        match self.entries.get(index).phase {
            Phase::Queued => self.entries.unqueue(index),
            Phase::Sent { place } => self.abandon_sent(place, index),
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
        let first = process.ahead.front().map(|first| first.number);
        let found = { process.ahead.iter_mut() }.find(|ahead| ahead.entry == Some(index));
        let Some(ahead) = found else { return };
        ahead.entry = None;
        let number = ahead.number;
        if first == Some(number) {
            // The reader looks first whether it has ended meanwhile.
            ahead.kill = kills;
        } else {
            let header = process.header(Kind::Cancel, number, 0);
            if let Some(outgoing) = &mut process.outgoing {
                outgoing.push(&header, &[]);
                outgoing.flush();
            }
        }
        if kills {
            self.wake_reader();
        }
    }

    /// Kills all processes.
    pub(super) fn kill_all(&mut self) {
        for process in &mut self.processes {
            if let Some(child) = &mut process.child {
                let _ = child.kill(); // it may be gone: the reader finds out
                process.doomed = true;
            }
        }
    }

    /// When the first process has taken too long with what it does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let command = self.command.as_ref()?;
        let deadline = |process: &Process| {
            let (limit, _) = process.limit(command)?;
            process.began?.checked_add(limit)
        };
        self.processes.iter().filter_map(deadline).min()
    }

    /// Why a process is to be ended, if it has taken too long.
    pub(super) fn is_late(&self, place: usize, now: Instant) -> Option<Late> {
        let process = &self.processes[place];
        let (limit, late) = process.limit(self.command.as_ref()?)?;
        let took = now.saturating_duration_since(process.began?);
        (took >= limit).then_some(late)
    }

    /// Returns true if a process has not answered its greeting.
    pub(super) fn is_greeted(&self, place: usize) -> bool {
        self.processes[place].stage == Stage::Greeted
    }

    /// Returns true if a call is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.processes
            .iter()
            .any(|process| !process.ahead.is_empty())
    }
}

#[cfg(test)]
mod tests;
