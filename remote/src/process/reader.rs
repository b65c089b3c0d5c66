//! The thread of a pool that waits for its processes: it reads what they write, replaces those that
//! end, and keeps the time limits.

use core::task::Waker;
use core::time::Duration;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::child;
use super::command::Command;
use super::error::ProcessStartError;
use super::pool::Processes;
use super::socket::{Incoming, Received};
use super::state::Life;
use super::worker_process::{LANES, Late};
use crate::RemoteError;
use crate::entries::Outcome;
use crate::frame::{Kind, Welcome};

/// A place for a process, as the reader sees it.
enum Place {
    /// There is none. When the next is to be started.
    Empty(Instant),
    /// None is to be started any more.
    Closed,
    Open(Arc<OwnedFd>, Incoming),
}

/// The reader of a pool.
pub(super) struct Reader<const PROCS: usize, const QUEUE: usize, const BYTES: usize> {
    pool: &'static Processes<PROCS, QUEUE, BYTES>,
    command: Arc<Command>,
    /// Others write to its other end, to wake the reader.
    wake: UnixStream,
    places: [Place; PROCS],
    /// What is to be woken outside the lock.
    wakers: Vec<Waker>,
    /// Calls have ended, and are to be polled.
    polls: bool,
    /// Since when the processes are to leave.
    dismissed: Option<Instant>,
}

/// Why a process was given up before its socket ended.
#[derive(Clone, Copy)]
enum Fault {
    /// It wrote what no worker writes.
    NotAWorker,
    Version(u8),
    Silent,
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Reader<PROCS, QUEUE, BYTES> {
    pub(super) fn new(
        pool: &'static Processes<PROCS, QUEUE, BYTES>,
        command: Arc<Command>,
        wake: UnixStream,
    ) -> Self {
        let now = Instant::now();
        Self {
            pool,
            command,
            wake,
            places: core::array::from_fn(|_| Place::Empty(now)),
            // Room for a call of each lane, and for all that are ended at once.
            wakers: Vec::with_capacity(QUEUE.max(PROCS * LANES)),
            polls: false,
            dismissed: None,
        }
    }

    /// Serves the pool until it is stopped or broken, and leaves no process.
    pub(super) fn run(mut self) {
        // Endless for a reason: the pool's life is.
        loop {
            self.fill_places();
            let Some(until) = self.prepare() else { break };
            if !self.polls {
                self.wait(until);
            }
            for place in 0..PROCS {
                self.read(place);
            }
            self.keep_time();
            self.wake_all();
        }
        self.close();
        self.wake_all();
    }

    /// Starts the processes that are due.
    fn fill_places(&mut self) {
        let now = Instant::now();
        for place in 0..PROCS {
            if !matches!(self.places[place], Place::Empty(at) if at <= now) {
                continue;
            }
            if !self.is_open() {
                self.places[place] = Place::Closed;
                continue;
            }
            match child::spawn(&self.command) {
                Ok((child, socket)) => self.install(place, child, socket),
                Err(error) => self.failed(place, ProcessStartError::System(error)),
            }
        }
    }

    fn install(&mut self, place: usize, child: Child, socket: Arc<OwnedFd>) {
        let incoming = Incoming::new(socket.clone(), LANES + 1, BYTES);
        self.pool.lock().install(place, child, socket.clone());
        self.places[place] = Place::Open(socket, incoming);
    }

    /// Returns true if processes that end are replaced.
    fn is_open(&self) -> bool {
        matches!(self.pool.lock().life, Life::Starting | Life::Running)
    }

    /// No process came up in a place.
    fn failed(&mut self, place: usize, error: ProcessStartError) {
        let now = Instant::now();
        let mut state = self.pool.lock();
        if state.life == Life::Starting {
            state.start_error.get_or_insert(error);
            state.life = Life::Stopping;
        }
        match state.fail() {
            _ if state.life == Life::Stopping => self.places[place] = Place::Closed,
            Some(back_off) => self.places[place] = Place::Empty(now + back_off),
            None => {
                state.life = Life::Broken;
                self.places[place] = Place::Closed;
            }
        }
    }

    /// Looks what is to be done before the reader waits. Returns until when it may wait, or `None`
    /// if it is to leave.
    fn prepare(&mut self) -> Option<Option<Instant>> {
        let mut state = self.pool.lock();
        if state.life == Life::Broken {
            return None;
        }
        let mut killing_at = None;
        if state.life == Life::Stopping {
            let dismissed = *self.dismissed.get_or_insert_with(|| {
                state
                    .processes()
                    .iter()
                    .for_each(|process| process.dismiss());
                Instant::now()
            });
            let is_left = { self.places.iter() }.all(|place| !matches!(place, Place::Open(..)));
            // What does not leave is killed when the reader closes.
            if is_left || dismissed.elapsed() >= self.command.grace {
                return None;
            }
            killing_at = dismissed.checked_add(self.command.grace);
        }
        state.flush();
        self.polls |= core::mem::take(&mut state.polls);
        let starts = self.places.iter().filter_map(|place| match place {
            Place::Empty(at) => Some(*at),
            _ => None,
        });
        let until = starts.chain(state.deadline()).chain(killing_at).min();
        state.reader_wakes = until;
        Some(until)
    }

    /// Waits for something to read, for room to write, for a wake, or until a date.
    fn wait(&mut self, until: Option<Instant>) {
        let state = self.pool.lock();
        let (is_busy, linger) = (state.is_busy(), self.command.linger);
        let pending: [bool; PROCS] = core::array::from_fn(|place| state.is_pending(place));
        drop(state);
        if is_busy && self.linger(linger, until) {
            return;
        }
        let wake = PollFd::new(&self.wake, PollFlags::IN);
        let mut polled: heapless::Vec<PollFd<'_>, POLLED> = heapless::Vec::new();
        let _ = polled.push(wake); // there is room for one
        for (place, pending) in self.places.iter().zip(pending) {
            let Place::Open(socket, _) = place else {
                continue;
            };
            let out = if pending {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            let _ = polled.push(PollFd::from_borrowed_fd(
                socket.as_fd(),
                PollFlags::IN | out,
            ));
        }
        let timeout = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
        let is_woken = poll(&mut polled, timeout.as_ref()).is_ok()
            && polled[0].revents().contains(PollFlags::IN);
        if is_woken {
            drain(&self.wake);
        }
    }

    /// Looks for a while, before the thread sleeps. Returns true if there is something to read.
    fn linger(&mut self, linger: Duration, until: Option<Instant>) -> bool {
        let began = Instant::now();
        let linger = until.map_or(linger, |until| {
            linger.min(until.saturating_duration_since(began))
        });
        // Bound: the time.
        while began.elapsed() < linger {
            for place in &mut self.places {
                if let Place::Open(_, incoming) = place {
                    if incoming.receive(false) != Received::Nothing {
                        return true;
                    }
                }
            }
            thread::yield_now();
        }
        false
    }

    /// Reads what a process wrote, once: more of it is found at the next look.
    fn read(&mut self, place: usize) {
        let Place::Open(_, incoming) = &mut self.places[place] else {
            return;
        };
        let received = incoming.receive(false);
        let fault = self.take_frames(place);
        if fault.is_some() || received == Received::End {
            self.end(place, fault, None);
        }
    }

    /// Takes the frames that were read of a process.
    fn take_frames(&mut self, place: usize) -> Option<Fault> {
        let Place::Open(_, incoming) = &mut self.places[place] else {
            return None;
        };
        let (mut state, now) = (self.pool.lock(), Instant::now());
        let (wakers, polls) = (&mut self.wakers, &mut self.polls);
        let mut fault = None;
        let is_good = incoming.frames(|header, body| {
            fault = match header.kind {
                Kind::Welcome => match Welcome::from_bytes(body) {
                    Some(welcome) => state.welcome(place, &welcome).err().map(Fault::Version),
                    None => Some(Fault::NotAWorker),
                },
                Kind::Reply => match state.reply(place, header, body, now) {
                    Ok(waker) => {
                        wakers.extend(waker);
                        *polls = true;
                        None
                    }
                    Err(()) => Some(Fault::NotAWorker),
                },
                _ => Some(Fault::NotAWorker),
            };
            fault.is_none()
        });
        state.dispatch();
        (!is_good).then(|| fault.unwrap_or(Fault::NotAWorker))
    }

    /// Ends the process of a place: its socket has ended, or it is given up.
    fn end(&mut self, place: usize, fault: Option<Fault>, late: Option<Late>) {
        let Some(mut child) = self.pool.lock().take_child(place) else {
            return;
        };
        // The next process starts while the system removes this one.
        let _ = child.kill(); // it may be gone
        let follows = fault.is_none() && self.is_open() && self.pool.lock().has_served(place);
        let next = follows.then(|| child::spawn(&self.command));
        // Outside the lock: it waits until the process is gone.
        let end = child::end(&mut child, &self.command);
        let mut fault = fault;
        // What it wrote before, and the reader has not read. Bound: a reply to each of its calls.
        while let (None, Place::Open(_, incoming)) = (fault, &mut self.places[place]) {
            if incoming.receive(false) != Received::Bytes {
                break;
            }
            fault = self.take_frames(place);
        }
        let served = {
            let mut state = self.pool.lock();
            state.end(place, end.error, late, fault.is_none(), &mut self.wakers)
        };
        self.polls = true;
        // Without an early one, or if there was no room for two at once: now.
        let early = next.and_then(Result::ok);
        if served && self.is_open() {
            if let Some((child, socket)) = early {
                self.install(place, child, socket);
            } else {
                self.places[place] = Place::Empty(Instant::now());
                self.fill_places();
            }
            return self.pool.lock().dispatch();
        }
        if let Some((mut child, _)) = early {
            child::end(&mut child, &self.command);
        }
        if served {
            self.places[place] = Place::Closed;
        } else {
            self.failed(place, start_error(fault, end.status));
        }
        self.pool.lock().dispatch();
    }

    /// Ends what has taken too long.
    fn keep_time(&mut self) {
        for place in 0..PROCS {
            let late = self.pool.lock().is_late(place, Instant::now());
            if late.is_some() {
                let is_silent = self.pool.lock().is_greeted(place);
                let fault = is_silent.then_some(Fault::Silent);
                self.end(place, fault, late);
            }
        }
    }

    /// Wakes what waits for calls that have ended, and polls the calls that no thread waits for.
    fn wake_all(&mut self) {
        self.pool.tell_starter();
        self.wakers.drain(..).for_each(Waker::wake);
        if core::mem::take(&mut self.polls) {
            self.pool.poll_calls();
        }
    }

    /// Ends all processes, and the calls that are left.
    fn close(&mut self) {
        self.pool.lock().kill_all();
        for place in 0..PROCS {
            self.end(place, None, None);
            self.places[place] = Place::Closed;
        }
        let mut state = self.pool.lock();
        let outcome = if state.life == Life::Broken {
            Outcome::Broken
        } else {
            Outcome::Failed(RemoteError::Lost)
        };
        // Bound: the calls that wait; none is sent any more.
        while let Some(waker) = state.end_queued(outcome) {
            self.wakers.extend(waker);
        }
        self.polls = true;
        if state.life != Life::Broken {
            state.life = Life::Off;
        }
    }
}

/// The most descriptors that one `poll` looks at: those of 255 processes, and the wake.
const POLLED: usize = 256;

fn start_error(fault: Option<Fault>, status: Option<ExitStatus>) -> ProcessStartError {
    match (fault, status) {
        (Some(Fault::Version(theirs)), _) => ProcessStartError::Version { theirs },
        (Some(Fault::Silent | Fault::NotAWorker), _) => ProcessStartError::Silent,
        (None, Some(status)) => ProcessStartError::Ended(status),
        (None, None) => ProcessStartError::System(io::ErrorKind::NotFound.into()),
    }
}

/// Takes what woke the reader.
fn drain(mut wake: &UnixStream) {
    let mut bytes = [0; 64];
    // Bound: the wakes that came.
    while matches!(wake.read(&mut bytes), Ok(64)) {}
}

/// At least as long, so that the reader does not look in vain.
fn timespec(duration: Duration) -> Timespec {
    let duration = duration.saturating_add(Duration::from_micros(1));
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
