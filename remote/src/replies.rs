//! The worker's machine: which calls came, and the last reply of each lane. No io, no time, no
//! threads.
//!
//! At most once: a call runs if it is the next of its lane in this session. A call that came before
//! gets the reply that was kept, or waits for it.

use crate::frame::{
    GREETING, Header, Hello, Kind, PROTOCOL, Status, Welcome, assert_sizes, session,
};
use crate::run::Runner;
use crate::task::TaskId;

/// Where the last call of a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// None came in this session.
    Empty,
    /// It waits to be run.
    Queued,
    /// A node has given it to what runs it.
    #[cfg(feature = "nodes")]
    Running,
    /// It has ended. The reply is kept until the next call.
    Ended(Status),
}

/// One lane, and its last call.
struct Lane<const BYTES: usize> {
    phase: Phase,
    /// The reply is to be sent.
    is_due: bool,
    sequence: u32,
    id: TaskId,
    /// The order in which calls came.
    ticket: u32,
    len: u16,
    /// The argument, then the result.
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Lane<BYTES> {
    const EMPTY: Self = Self {
        phase: Phase::Empty,
        is_due: false,
        sequence: 0,
        id: TaskId::from_bits(0),
        ticket: 0,
        len: 0,
        bytes: [0; BYTES],
    };

    fn end(&mut self, status: Status, len: usize) {
        self.phase = Phase::Ended(status);
        self.len = len as u16; // a frame's length, which fits
        self.is_due = true;
    }
}

/// A call that a node has given to what runs it.
#[cfg(feature = "nodes")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunningCall {
    lane: usize,
    ticket: u32,
}

/// A greeting that is late is not older than so many sessions. A life that begins within so many
/// numbers below those of the one before is not heard: by chance one in 2^26.
#[cfg(feature = "nodes")]
const OLD_SESSIONS: u32 = 64;

/// A session, the two numbers that its own is made of, and the room of the submitter.
#[derive(Clone, Copy)]
struct Session {
    number: u32,
    theirs: u32,
    ours: u32,
    bytes: u16,
}

/// The calls of one submitter, and their replies.
pub(crate) struct Replies<const CALLS: usize, const BYTES: usize> {
    nonce: u32,
    /// How many sessions have begun. Wraps.
    begun: u32,
    /// How many lanes the submitter may use.
    credits: u8,
    session: Option<Session>,
    /// The last greeting. Its session begins when a call of it comes, so that a late greeting ends
    /// no other.
    greeted: Option<Hello>,
    welcome_is_due: bool,
    /// The node takes no more calls, and the submitter that greeted with this number may not know.
    #[cfg(feature = "nodes")]
    closing: Option<u32>,
    /// A call of a session that is over: its submitter must begin another.
    reset: Option<u32>,
    tickets: u32,
    greeting: [u8; GREETING],
    lanes: [Lane<BYTES>; CALLS],
}

impl<const CALLS: usize, const BYTES: usize> Replies<CALLS, BYTES> {
    pub(crate) const fn new(nonce: u32) -> Self {
        const { assert_sizes(CALLS, BYTES) }
        Self {
            nonce,
            begun: 0,
            credits: CALLS as u8, // asserted
            session: None,
            greeted: None,
            welcome_is_due: false,
            #[cfg(feature = "nodes")]
            closing: None,
            reset: None,
            tickets: 0,
            greeting: [0; GREETING],
            lanes: [const { Lane::EMPTY }; CALLS],
        }
    }

    /// Forgets the submitter. The next one may have at most so many calls under way.
    #[cfg(feature = "nodes")]
    pub(crate) fn renew(&mut self, nonce: u32, credits: u8) {
        (self.nonce, self.begun, self.credits) = (nonce, 0, credits);
        (self.session, self.greeted, self.reset) = (None, None, None);
        (self.welcome_is_due, self.closing) = (false, None);
        self.forget_calls();
    }

    /// From now on no call begins that has not come: each is refused. The submitter is told.
    #[cfg(feature = "nodes")]
    pub(crate) fn close(&mut self) {
        if self.credits > 0 {
            self.credits = 0;
            self.closing = self.greeted.map(|hello| hello.nonce);
            self.remind();
        }
    }

    /// Tells the submitter again that the node takes no more calls, if it may not know. Returns
    /// true if it is told.
    #[cfg(feature = "nodes")]
    pub(crate) fn remind(&mut self) -> bool {
        self.welcome_is_due |= self.closing.is_some();
        self.closing.is_some()
    }

    /// Returns true if the submitter of a node that takes no more calls knows that, has all its
    /// replies, and no call of it waits.
    #[cfg(feature = "nodes")]
    pub(crate) fn is_through(&self) -> bool {
        let waits = |lane: &Lane<BYTES>| lane.phase == Phase::Queued;
        self.closing.is_none() && !self.lanes.iter().any(waits)
    }

    /// Returns true if a greeting is a late copy of an earlier session's. Each session has the next
    /// number. A submitter that has restarted begins with a number by chance.
    #[cfg(feature = "nodes")]
    fn is_late(&self, hello: &Hello) -> bool {
        self.greeted.is_some_and(|newest| {
            let behind = newest.nonce.wrapping_sub(hello.nonce);
            (1..=OLD_SESSIONS).contains(&behind)
        })
    }

    /// Returns true if the node takes no more calls.
    fn is_closed(&self) -> bool {
        // A board has a lane for each call.
        cfg!(feature = "nodes") && self.credits == 0
    }

    fn forget_calls(&mut self) {
        for lane in &mut self.lanes {
            (lane.phase, lane.sequence, lane.is_due) = (Phase::Empty, 0, false);
        }
    }

    /// Takes a frame of the submitter's.
    pub(crate) fn receive(&mut self, header: &Header, body: &[u8]) {
        match header.kind {
            Kind::Hello => {
                if let Some(hello) = Hello::from_bytes(body) {
                    #[cfg(feature = "nodes")]
                    if self.is_late(&hello) {
                        return;
                    }
                    // A submitter begins another session when nothing of it is under way.
                    #[cfg(feature = "nodes")]
                    if self.closing.is_some_and(|number| number != hello.nonce) {
                        self.closing = None;
                        self.forget_calls();
                    }
                    self.greeted = Some(hello);
                    self.welcome_is_due = true;
                }
            }
            Kind::Call | Kind::Cancel if self.enter(header.session) => {
                self.receive_call(header, body);
            }
            // Of a session that is over, or a worker's.
            _ => {}
        }
    }

    /// Our number of the session with a submitter's number: another one for each session, but for a
    /// chance of one in 2^32. So a late greeting and late calls of a session that is over do not
    /// begin it again.
    fn ours(&self, theirs: u32) -> u32 {
        match self.session {
            Some(session) if session.theirs == theirs => session.ours,
            _ if self.begun == 0 => self.nonce,
            _ => session(self.nonce, self.begun),
        }
    }

    /// Returns true if a frame is of this session, or begins the session that was greeted last.
    fn enter(&mut self, number: u32) -> bool {
        if self.session.is_some_and(|session| session.number == number) {
            return true;
        }
        let is_greeted = |hello: &Hello| {
            hello.protocol == PROTOCOL && session(hello.nonce, self.ours(hello.nonce)) == number
        };
        let Some(hello) = self.greeted.filter(is_greeted) else {
            self.reset = Some(number);
            return false;
        };
        self.session = Some(Session {
            number,
            theirs: hello.nonce,
            ours: self.ours(hello.nonce),
            bytes: hello.bytes,
        });
        self.begun = self.begun.wrapping_add(1);
        // What waits of the earlier session is not run: its submitter has given it up.
        self.forget_calls();
        true
    }

    fn receive_call(&mut self, header: &Header, body: &[u8]) {
        let is_closed = self.is_closed();
        let Some(lane) = self.lanes.get_mut(usize::from(header.lane)) else {
            return;
        };
        let is_next = header.sequence == lane.sequence.wrapping_add(1);
        match (header.kind, lane.phase) {
            (Kind::Call, Phase::Empty | Phase::Ended(_)) if is_next && is_closed => {
                lane.sequence = header.sequence;
                lane.end(Status::Refused, 0);
            }
            (Kind::Call, Phase::Empty | Phase::Ended(_)) if is_next => {
                let Some(bytes) = lane.bytes.get_mut(..body.len()) else {
                    return;
                };
                bytes.copy_from_slice(body);
                self.tickets = self.tickets.wrapping_add(1);
                (lane.ticket, lane.sequence, lane.id) =
                    (self.tickets, header.sequence, header.task());
                (lane.phase, lane.is_due) = (Phase::Queued, false);
                lane.len = body.len() as u16; // it fits `BYTES`
            }
            // Its call was lost on the way.
            (Kind::Cancel, Phase::Empty | Phase::Ended(_)) if is_next => {
                lane.sequence = header.sequence;
                lane.end(Status::Cancelled, 0);
            }
            (Kind::Cancel, Phase::Queued) if header.sequence == lane.sequence => {
                lane.end(Status::Cancelled, 0);
            }
            // The node looks whether it is wanted.
            #[cfg(feature = "nodes")]
            (Kind::Cancel, Phase::Running) if header.sequence == lane.sequence => {
                lane.end(Status::Cancelled, 0);
            }
            // The reply was lost on the way.
            (_, Phase::Ended(_)) if header.sequence == lane.sequence => lane.is_due = true,
            _ => {}
        }
    }

    /// The oldest call that waits, and its lane.
    fn oldest(&mut self) -> Option<(usize, &mut Lane<BYTES>)> {
        let tickets = self.tickets;
        { self.lanes.iter_mut().enumerate() }
            .filter(|(_, lane)| lane.phase == Phase::Queued)
            .max_by_key(|(_, lane)| tickets.wrapping_sub(lane.ticket))
    }

    /// Runs the oldest call that waits. Returns false if none does.
    pub(crate) fn run_one(&mut self, find: fn(TaskId) -> Option<Runner>) -> bool {
        let Some(session) = self.session else {
            return false;
        };
        let Some((_, lane)) = self.oldest() else {
            return false;
        };
        let (status, len) = match find(lane.id) {
            Some(run) => {
                let limit = usize::from(session.bytes);
                run(&mut lane.bytes, usize::from(lane.len), limit)
            }
            None => (Status::Unknown, 0),
        };
        lane.end(status, len);
        true
    }

    /// Takes the oldest call that waits, to be run elsewhere.
    #[cfg(feature = "nodes")]
    pub(crate) fn begin_oldest(&mut self) -> Option<(RunningCall, TaskId, &[u8])> {
        let (number, lane) = self.oldest()?;
        lane.phase = Phase::Running;
        let call = RunningCall {
            lane: number,
            ticket: lane.ticket,
        };
        Some((call, lane.id, &lane.bytes[..usize::from(lane.len)]))
    }

    /// Returns true if the submitter wants the call that runs: it was not cancelled, and its
    /// session is not over.
    #[cfg(feature = "nodes")]
    pub(crate) fn is_wanted(&self, call: RunningCall) -> bool {
        let lane = &self.lanes[call.lane];
        lane.phase == Phase::Running && lane.ticket == call.ticket
    }

    /// A call that ran elsewhere has ended. A result that is larger than the submitter's room
    /// becomes an error; the message of a panic is cut.
    #[cfg(feature = "nodes")]
    pub(crate) fn end(&mut self, call: RunningCall, status: Status, body: &[u8]) {
        if !self.is_wanted(call) {
            return;
        }
        let room = { self.session }.map_or(0, |session| usize::from(session.bytes));
        let (lane, mut len) = (&mut self.lanes[call.lane], body.len());
        if len > room.min(BYTES) {
            if status != Status::Panicked {
                return lane.end(Status::TooLarge, 0);
            }
            len = room.min(BYTES);
            // Bound: a character has at most four bytes. It does not begin with these bits.
            while len > 0 && body[len] & 0xc0 == 0x80 {
                len -= 1;
            }
        }
        let body = &body[..len];
        lane.bytes[..body.len()].copy_from_slice(body);
        lane.end(status, body.len());
    }

    /// The next frame to send, if one is due.
    pub(crate) fn next(&mut self) -> Option<(Header, &[u8])> {
        let welcome_is_due = core::mem::take(&mut self.welcome_is_due);
        if let (true, Some(hello)) = (welcome_is_due, self.greeted) {
            let welcome = Welcome {
                protocol: PROTOCOL,
                lanes: self.credits,
                bytes: BYTES as u16, // asserted
                theirs: hello.nonce,
                nonce: self.ours(hello.nonce),
            };
            self.greeting = welcome.to_bytes();
            return Some((Header::greeting(Kind::Welcome), &self.greeting));
        }
        if let Some(session) = self.reset.take() {
            let header = Header {
                session,
                ..Header::greeting(Kind::Reset)
            };
            return Some((header, &[]));
        }
        let session = self.session?.number;
        let (number, lane, status) =
            { self.lanes.iter_mut().enumerate() }.find_map(|(number, lane)| match lane.phase {
                Phase::Ended(status) if lane.is_due => Some((number, lane, status)),
                _ => None,
            })?;
        lane.is_due = false;
        let header = Header {
            kind: Kind::Reply,
            lane: number as u8, // asserted
            session,
            sequence: lane.sequence,
            id: status as u32,
        };
        Some((header, &lane.bytes[..usize::from(lane.len)]))
    }
}

#[cfg(all(test, feature = "nodes", not(loom)))]
mod tests;
