//! What the threads of a node share: its submitters and their calls, inside one lock.
//!
//! No foreign code runs in here, and nothing waits.

use slotted::Shutdown;

use super::LANES;
use super::reply::Reply;
use crate::frame::{HEADER, Header, Kind, Status};
use crate::replies::{Replies, RunningCall};
use crate::task::TaskId;

/// A place for a submitter.
struct Place<const BYTES: usize> {
    /// `None`: the place is free.
    submitter: Option<Box<str>>,
    /// Which of the place's submitters it is.
    life: u32,
    replies: Box<Replies<LANES, BYTES>>,
}

/// A call that runs: whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallAt {
    place: usize,
    life: u32,
    call: RunningCall,
}

/// A call that is to run.
pub(super) struct Begun {
    pub(super) at: CallAt,
    pub(super) id: TaskId,
    pub(super) argument: Vec<u8>,
}

/// What the lock guards.
pub(super) struct NodeState<const BYTES: usize> {
    /// As many as submitters may be there at once.
    places: Vec<Place<BYTES>>,
    credits: u8,
    /// The number of the last life of a place.
    lives: u32,
    /// The place whose calls are looked at first, so that submitters take turns.
    first: usize,
    /// A submitter without a place that has called, and in which session. It is to begin another.
    stranger: Option<(Box<str>, u32)>,
    /// Something has changed: the node is to look at everything again.
    pub(super) changed: bool,
    /// How the node leaves, if it does. `Stop`: at once.
    leaving: Option<Shutdown>,
    /// The node's thread has left.
    pub(super) has_left: bool,
}

impl<const BYTES: usize> NodeState<BYTES> {
    /// The stack that [`new`](Self::new) needs: places are built there.
    pub(super) const STACK: usize = 4 * size_of::<Replies<LANES, BYTES>>();

    /// `nonce` tells this node from others, and from its earlier lives.
    pub(super) fn new(submitters: usize, credits: u8, nonce: u32) -> Self {
        let place = |_| Place {
            submitter: None,
            life: nonce,
            replies: Box::new(Replies::new(nonce)),
        };
        Self {
            places: (0..submitters).map(place).collect(),
            credits,
            lives: nonce,
            first: 0,
            stranger: None,
            changed: false,
            leaving: None,
            has_left: false,
        }
    }

    /// Takes a frame of a submitter's. A submitter too many is not answered. It tries again.
    pub(super) fn receive(&mut self, submitter: &str, frame: &[u8]) {
        let Some((header, body)) = frame.split_first_chunk::<HEADER>() else {
            return;
        };
        let Some(header) = Header::from_bytes(header) else {
            return;
        };
        let place = match header.kind {
            Kind::Hello => self.place_for(submitter),
            Kind::Call | Kind::Cancel => self.place_of(submitter),
            // A node's.
            Kind::Welcome | Kind::Reply | Kind::Reset => return,
        };
        match place {
            Some(place) => place.replies.receive(&header, body),
            // Frames and presence travel apart: a late frame takes no place.
            None if header.kind != Kind::Hello => {
                self.stranger = Some((submitter.into(), header.session));
            }
            None => return,
        }
        self.changed = true;
    }

    /// The place of a submitter.
    fn place_of(&mut self, submitter: &str) -> Option<&mut Place<BYTES>> {
        let mut places = self.places.iter_mut();
        places.find(|place| place.submitter.as_deref() == Some(submitter))
    }

    /// The place of a submitter that greets: its own, or a free one.
    fn place_for(&mut self, submitter: &str) -> Option<&mut Place<BYTES>> {
        if self.place_of(submitter).is_none() {
            let free = |place: &&mut Place<BYTES>| place.submitter.is_none();
            let place = self.places.iter_mut().find(free)?;
            self.lives = self.lives.wrapping_add(1);
            (place.submitter, place.life) = (Some(submitter.into()), self.lives);
            place.replies.renew(self.lives, self.credits);
        }
        self.place_of(submitter)
    }

    /// A submitter is gone, and wants nothing any more.
    pub(super) fn left(&mut self, submitter: &str) {
        self.lives = self.lives.wrapping_add(1);
        let (life, credits) = (self.lives, self.credits);
        if let Some(place) = self.place_of(submitter) {
            (place.submitter, place.life) = (None, life);
            place.replies.renew(life, credits);
            self.changed = true;
        }
    }

    /// Takes a call that waits. Submitters take turns.
    pub(super) fn begin(&mut self) -> Option<Begun> {
        let count = self.places.len();
        for step in 0..count {
            let at = (self.first + step) % count;
            let place = &mut self.places[at];
            if let Some((call, id, argument)) = place.replies.begin_oldest() {
                self.first = (at + 1) % count;
                let life = place.life;
                return Some(Begun {
                    at: CallAt {
                        place: at,
                        life,
                        call,
                    },
                    id,
                    argument: argument.to_vec(),
                });
            }
        }
        None
    }

    /// The node takes no more calls, and leaves when its submitters know what became of theirs. A
    /// harder way replaces an easier one.
    pub(super) fn leave(&mut self, how: Shutdown) {
        let is_harder = match self.leaving {
            None => true,
            Some(Shutdown::Drain) => how != Shutdown::Drain,
            Some(_) => how == Shutdown::Stop,
        };
        if is_harder {
            self.leaving = Some(how);
        }
        self.credits = 0;
        for place in &mut self.places {
            if place.submitter.is_some() {
                place.replies.close();
            }
        }
        if self.leaving != Some(Shutdown::Drain) {
            self.refuse_all();
        }
        self.changed = true;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Returns true if the node leaves at once.
    pub(super) fn is_stopped(&self) -> bool {
        self.leaving == Some(Shutdown::Stop)
    }

    /// Tells the submitters again that the node takes no more calls, as far as they may not know.
    pub(super) fn remind(&mut self) {
        for place in &mut self.places {
            self.changed |= place.submitter.is_some() && place.replies.remind();
        }
    }

    /// Returns true if no call waits, and each submitter has all its replies and knows that no call
    /// begins here any more.
    pub(super) fn is_through(&self) -> bool {
        let is_through =
            |place: &Place<BYTES>| place.submitter.is_none() || place.replies.is_through();
        self.leaving.is_some() && self.places.iter().all(is_through)
    }

    /// Refuses the calls that wait. They have not begun.
    ///
    /// Bound: the lanes of all places.
    fn refuse_all(&mut self) {
        for place in &mut self.places {
            while let Some((call, ..)) = place.replies.begin_oldest() {
                place.replies.end(call, Status::Refused, &[]);
            }
        }
    }

    fn place(&mut self, at: CallAt) -> Option<&mut Place<BYTES>> {
        Some(&mut self.places[at.place]).filter(|place| place.life == at.life)
    }

    /// Returns true if the submitter of a call that runs still wants it.
    pub(super) fn is_wanted(&mut self, at: CallAt) -> bool {
        self.place(at)
            .is_some_and(|place| place.replies.is_wanted(at.call))
    }

    /// A call has ended.
    pub(super) fn end(&mut self, at: CallAt, reply: &Reply) {
        if let Some(place) = self.place(at) {
            place.replies.end(at.call, reply.status(), reply.body());
        }
    }

    /// Writes the next frame that is due. Returns the submitter that it is for.
    pub(super) fn next_frame(&mut self, frame: &mut Vec<u8>) -> Option<Box<str>> {
        let mut write = |header: Header, body: &[u8]| {
            frame.clear();
            frame.extend_from_slice(&header.to_bytes());
            frame.extend_from_slice(body);
        };
        if let Some((stranger, session)) = self.stranger.take() {
            let header = Header::greeting(Kind::Reset);
            write(Header { session, ..header }, &[]);
            return Some(stranger);
        }
        for place in &mut self.places {
            let Some(submitter) = &place.submitter else {
                continue;
            };
            if let Some((header, body)) = place.replies.next() {
                write(header, body);
                return Some(submitter.clone());
            }
        }
        None
    }
}
