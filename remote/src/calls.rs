//! The submitter's machine: calls, and which frames carry them. No io, no threads; time is a number
//! that the caller passes in.
//!
//! At most once, over any line: a call is sent again until its reply comes, and the worker knows a
//! call that it has seen by its session, lane and sequence number.

use slotted::error::RemoteError;

#[cfg(feature = "nodes")]
mod node;
mod timing;

pub use timing::Timing;

#[cfg(feature = "nodes")]
use node::Leaving;

use crate::frame::{
    GREETING, Header, Hello, Kind, PROTOCOL, Status, Welcome, assert_sizes, session,
};
use crate::task::TaskId;

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)] // so that a free slot is all zeroes
enum Phase {
    Free = 0,
    /// It waits for a lane.
    Waiting,
    /// It was sent, on the lane.
    Sent,
    /// Its submitter wants it no more; the lane is not free before the worker says so.
    Cancelling,
    /// It has ended, and its submitter has not looked yet.
    Ended(Result<Status, RemoteError>),
}

/// One call.
struct Slot<const BYTES: usize> {
    phase: Phase,
    lane: u8,
    /// The order in which calls began.
    ticket: u32,
    /// The newest call that had been sent when this one was sent last.
    newest: u32,
    id: TaskId,
    again: Again,
    len: u16,
    /// The argument, then the result.
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Slot<BYTES> {
    const FREE: Self = Self {
        phase: Phase::Free,
        lane: 0,
        ticket: 0,
        newest: 0,
        id: TaskId::from_bits(0),
        again: Again::NOW,
        len: 0,
        bytes: [0; BYTES],
    };

    fn body(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// When a frame is sent again.
#[derive(Clone, Copy)]
struct Again {
    at: u64,
    /// How often it was sent, up to a limit.
    sent: u8,
}

impl Again {
    const NOW: Self = Self { at: 0, sent: 0 };

    /// The frame is sent now.
    fn sent(&mut self, now: u64, timing: Timing) {
        self.at = now.saturating_add(timing.resend << self.sent.min(6));
        self.sent = self.sent.saturating_add(1);
    }
}

/// Of each call of a lane the sequence number.
#[derive(Clone, Copy)]
struct Lane {
    sequence: u32,
    is_busy: bool,
}

impl Lane {
    const FREE: Self = Self {
        sequence: 0,
        is_busy: false,
    };
}

/// What both ends agreed on.
#[derive(Clone, Copy)]
struct Session {
    number: u32,
    /// The worker's number.
    worker: u32,
    lanes: u8,
    bytes: u16,
}

/// Which calls have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the submitters of these calls wait"]
pub(crate) enum Ended {
    None,
    One(usize),
    All,
}

/// The table of calls.
pub(crate) struct Calls<const CALLS: usize, const BYTES: usize> {
    timing: Timing,
    /// The submitter's number of the session. `None`: the line is not open.
    nonce: Option<u32>,
    session: Option<Session>,
    hello: Again,
    /// The worker is a node: it is greeted before there is a call for it, and answers in any order.
    #[cfg(feature = "nodes")]
    is_node: bool,
    /// Whether the node takes calls.
    #[cfg(feature = "nodes")]
    leaving: Leaving,
    /// Since when the worker is silent though it owes an answer.
    silent: Option<u64>,
    tickets: u32,
    /// The ticket of the newest call that was sent.
    newest: u32,
    greeting: [u8; GREETING],
    lanes: [Lane; CALLS],
    slots: [Slot<BYTES>; CALLS],
}

impl<const CALLS: usize, const BYTES: usize> Calls<CALLS, BYTES> {
    /// A table that is not open: all of it is zero.
    pub(crate) const fn new() -> Self {
        const { assert_sizes(CALLS, BYTES) }
        Self {
            timing: Timing {
                resend: 0,
                lost: None,
            },
            nonce: None,
            session: None,
            hello: Again::NOW,
            #[cfg(feature = "nodes")]
            is_node: false,
            #[cfg(feature = "nodes")]
            leaving: Leaving::No,
            silent: None,
            tickets: 0,
            newest: 0,
            greeting: [0; GREETING],
            lanes: [Lane::FREE; CALLS],
            slots: [const { Slot::FREE }; CALLS],
        }
    }

    /// Opens the line, or begins a new session on it: the calls under way end as lost.
    pub(crate) fn open(&mut self, nonce: u32, timing: Timing) -> Ended {
        (self.nonce, self.timing) = (Some(nonce), timing);
        self.end_session(RemoteError::Lost)
    }

    /// Begins a call. `write` writes the argument and returns its length. `None`: all slots are in
    /// use, and `write` was not called.
    pub(crate) fn begin(
        &mut self,
        id: TaskId,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let index = self
            .slots
            .iter()
            .position(|slot| slot.phase == Phase::Free)?;
        let slot = &mut self.slots[index];
        self.tickets = self.tickets.wrapping_add(1);
        slot.ticket = self.tickets;
        slot.id = id;
        let room = self
            .session
            .map_or(BYTES, |session| usize::from(session.bytes));
        slot.phase = match write(&mut slot.bytes) {
            Some(len) if len <= room.min(BYTES) => {
                slot.len = len as u16; // `BYTES` fits 16 bits
                Phase::Waiting
            }
            _ => {
                slot.len = 0;
                Phase::Ended(Err(RemoteError::TooLarge))
            }
        };
        Some(index)
    }

    /// Returns true if the call has ended.
    pub(crate) fn has_ended(&self, index: usize) -> bool {
        matches!(self.slots[index].phase, Phase::Ended(_))
    }

    /// Takes the outcome of a call that has ended, and frees its slot. `read` is given the result,
    /// or the message of a panic.
    pub(crate) fn take<R>(
        &mut self,
        index: usize,
        read: impl FnOnce(Result<Status, RemoteError>, &[u8]) -> R,
    ) -> Option<R> {
        let slot = &mut self.slots[index];
        let Phase::Ended(outcome) = slot.phase else {
            return None;
        };
        slot.phase = Phase::Free;
        Some(read(outcome, slot.body()))
    }

    /// The submitter wants the call no more, and will not ask again.
    pub(crate) fn abandon(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.phase = match slot.phase {
            Phase::Sent => {
                slot.again = Again::NOW;
                Phase::Cancelling
            }
            Phase::Waiting | Phase::Ended(_) | Phase::Free => Phase::Free,
            Phase::Cancelling => Phase::Cancelling,
        };
        if !self.is_owed() {
            self.silent = None;
        }
    }

    /// Takes a frame of the worker's.
    pub(crate) fn receive(&mut self, header: &Header, body: &[u8], now: u64) -> Ended {
        let ended = match header.kind {
            Kind::Welcome => match Welcome::from_bytes(body) {
                Some(welcome) => self.receive_welcome(welcome),
                None => return Ended::None,
            },
            Kind::Reset if self.is_session(header) => self.next_session(RemoteError::Restarted),
            Kind::Reply if self.is_session(header) => self.receive_reply(header, body),
            // A submitter's, or late.
            _ => return Ended::None,
        };
        #[cfg(feature = "nodes")]
        self.acknowledge_leaving();
        self.silent = self.is_owed().then_some(now);
        ended
    }

    fn is_session(&self, header: &Header) -> bool {
        self.session
            .is_some_and(|session| session.number == header.session)
    }

    fn receive_welcome(&mut self, welcome: Welcome) -> Ended {
        if self.nonce != Some(welcome.theirs) {
            return Ended::None; // of an earlier session
        }
        if welcome.protocol != PROTOCOL {
            return self.next_session(RemoteError::Version {
                theirs: welcome.protocol,
            });
        }
        if let Some(session) = self.session {
            // The same greeting twice is no news, unless a node takes no more calls.
            if session.worker != welcome.nonce {
                return self.next_session(RemoteError::Restarted);
            }
            #[cfg(feature = "nodes")]
            self.hear_lanes_again(welcome.lanes);
            return Ended::None;
        }
        #[cfg(feature = "nodes")]
        self.hear_lanes(welcome.lanes);
        self.session = Some(Session {
            number: session(welcome.theirs, welcome.nonce),
            worker: welcome.nonce,
            lanes: welcome.lanes,
            bytes: welcome.bytes,
        });
        self.lanes = [Lane::FREE; CALLS];
        let mut ended = Ended::None;
        for slot in &mut self.slots {
            if slot.phase == Phase::Waiting && slot.len > welcome.bytes {
                slot.phase = Phase::Ended(Err(RemoteError::TooLarge));
                ended = Ended::All;
            }
        }
        ended
    }

    fn receive_reply(&mut self, header: &Header, body: &[u8]) -> Ended {
        let Some(lane) = self.lanes.get_mut(usize::from(header.lane)) else {
            return Ended::None;
        };
        let Some(status) = Status::from_bits(header.id) else {
            return Ended::None;
        };
        if !lane.is_busy || lane.sequence != header.sequence || body.len() > BYTES {
            return Ended::None; // it came before
        }
        lane.is_busy = false;
        #[cfg(feature = "nodes")]
        if status == Status::Refused {
            self.hear_lanes_again(0);
        }
        let on_lane = |slot: &Slot<BYTES>| {
            slot.lane == header.lane && matches!(slot.phase, Phase::Sent | Phase::Cancelling)
        };
        let Some(index) = self.slots.iter().position(on_lane) else {
            return Ended::None;
        };
        let slot = &mut self.slots[index];
        if slot.phase == Phase::Cancelling {
            slot.phase = Phase::Free;
            return Ended::None;
        }
        slot.bytes[..body.len()].copy_from_slice(body);
        slot.len = body.len() as u16; // `BYTES` fits 16 bits
        slot.phase = Phase::Ended(Ok(status));
        let ticket = slot.ticket;
        if !self.is_node() {
            self.resend_overtaken(ticket);
        }
        Ended::One(index)
    }

    /// A call was answered. The worker answers in the order in which calls come. So of a call that
    /// was sent last before the answered one was sent first, the call or the reply was lost, and it
    /// is due at once.
    fn resend_overtaken(&mut self, ticket: u32) {
        for slot in &mut self.slots {
            let is_newer = ticket.wrapping_sub(slot.newest).cast_signed() > 0;
            if is_newer && matches!(slot.phase, Phase::Sent | Phase::Cancelling) {
                slot.again = Again::NOW;
            }
        }
    }

    /// The session is over: what was sent ends so, and a version that does not fit ends all.
    fn end_session(&mut self, reason: RemoteError) -> Ended {
        self.session = None;
        self.hello = Again::NOW;
        let is_refused = matches!(reason, RemoteError::Version { .. });
        let mut ended = Ended::None;
        for slot in &mut self.slots {
            match slot.phase {
                Phase::Waiting if !is_refused => {}
                Phase::Waiting | Phase::Sent => {
                    slot.phase = Phase::Ended(Err(reason));
                    ended = Ended::All;
                }
                Phase::Cancelling => slot.phase = Phase::Free,
                Phase::Free | Phase::Ended(_) => {}
            }
        }
        ended
    }

    fn next_session(&mut self, reason: RemoteError) -> Ended {
        self.nonce = self.nonce.map(|nonce| nonce.wrapping_add(1));
        self.end_session(reason)
    }

    /// Ends the session if the worker owes an answer for too long.
    pub(crate) fn check_silence(&mut self, now: u64) -> Ended {
        if !self.is_owed() {
            self.silent = None;
            return Ended::None;
        }
        let since = *self.silent.get_or_insert(now);
        match self.timing.lost {
            Some(limit) if now.saturating_sub(since) >= limit => {
                self.silent = None;
                let ended = self.next_session(RemoteError::Lost);
                // The calls that wait for a word of it too.
                self.end_waiting(ended)
            }
            _ => Ended::None,
        }
    }

    fn end_waiting(&mut self, mut ended: Ended) -> Ended {
        for slot in &mut self.slots {
            if slot.phase == Phase::Waiting {
                slot.phase = Phase::Ended(Err(RemoteError::Lost));
                ended = Ended::All;
            }
        }
        ended
    }

    /// Returns true if a call waits for something of the worker's.
    fn is_owed(&self) -> bool {
        let mut phases = self.slots.iter().map(|slot| slot.phase);
        self.nonce.is_some()
            && phases.any(|phase| matches!(phase, Phase::Waiting | Phase::Sent | Phase::Cancelling))
    }

    #[cfg(feature = "nodes")]
    fn is_node(&self) -> bool {
        self.is_node
    }

    #[cfg(not(feature = "nodes"))]
    fn is_closed(&self) -> bool {
        false
    }

    #[cfg(not(feature = "nodes"))]
    fn is_node(&self) -> bool {
        false
    }

    /// Returns true if the worker is to be greeted.
    fn wants_session(&self) -> bool {
        self.is_owed() || self.is_node() && self.nonce.is_some()
    }

    /// The next frame to send, if one is due.
    pub(crate) fn next(&mut self, now: u64) -> Option<(Header, &[u8])> {
        let nonce = self.nonce?;
        let Some(session) = self.session else {
            if !self.wants_session() || now < self.hello.at {
                return None;
            }
            self.hello.sent(now, self.timing);
            let hello = Hello {
                protocol: PROTOCOL,
                bytes: BYTES as u16,
                nonce,
            };
            self.greeting = hello.to_bytes();
            return Some((Header::greeting(Kind::Hello), &self.greeting));
        };
        let index = self.due(now).or_else(|| self.assign_lane(session))?;
        let slot = &mut self.slots[index];
        slot.again.sent(now, self.timing);
        slot.newest = self.newest;
        let kind = if slot.phase == Phase::Cancelling {
            Kind::Cancel
        } else {
            Kind::Call
        };
        let header = Header {
            kind,
            lane: slot.lane,
            session: session.number,
            sequence: self.lanes[usize::from(slot.lane)].sequence,
            id: slot.id.bits(),
        };
        let body = if kind == Kind::Call { slot.body() } else { &[] };
        Some((header, body))
    }

    /// A call, or its cancelling, that is to be sent again.
    fn due(&self, now: u64) -> Option<usize> {
        self.slots.iter().position(|slot| {
            matches!(slot.phase, Phase::Sent | Phase::Cancelling) && now >= slot.again.at
        })
    }

    /// Gives the oldest waiting call a lane.
    fn assign_lane(&mut self, session: Session) -> Option<usize> {
        if self.is_closed() {
            return None;
        }
        let lanes = self.lanes.iter().take(usize::from(session.lanes));
        let lane = { lanes }.position(|lane| !lane.is_busy)?;
        let (index, slot) = { self.slots.iter_mut().enumerate() }
            .filter(|(_, slot)| slot.phase == Phase::Waiting)
            .max_by_key(|(_, slot)| self.tickets.wrapping_sub(slot.ticket))?;
        self.lanes[lane].is_busy = true;
        self.lanes[lane].sequence = self.lanes[lane].sequence.wrapping_add(1);
        slot.lane = lane as u8; // below `CALLS`
        slot.again = Again::NOW;
        slot.phase = Phase::Sent;
        self.newest = slot.ticket;
        Some(index)
    }

    /// When [`next`](Self::next) or [`check_silence`](Self::check_silence) has something to do
    /// without anything happening before. `None`: never.
    pub(crate) fn next_at(&self) -> Option<u64> {
        let again = match self.session {
            None if !self.wants_session() => return None,
            None => self.hello.at,
            Some(_) if !self.is_owed() => return None,
            Some(session) => {
                let free = self.lanes.iter().take(usize::from(session.lanes));
                let can_send = !self.is_closed() && { free }.any(|lane| !lane.is_busy);
                { self.slots.iter() }
                    .filter_map(|slot| match slot.phase {
                        Phase::Waiting if can_send => Some(0),
                        Phase::Sent | Phase::Cancelling => Some(slot.again.at),
                        _ => None,
                    })
                    .min()?
            }
        };
        let Some(limit) = self.timing.lost else {
            return Some(again);
        };
        // The next look begins the time.
        let lost = self.silent.map_or(0, |since| since.saturating_add(limit));
        Some(lost.min(again))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
