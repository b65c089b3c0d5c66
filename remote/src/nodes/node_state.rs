//! What the threads of a node share: its submitters and their calls, inside one lock.
//!
//! No foreign code runs in here, and nothing waits.

use super::LANES;
use super::reply::Reply;
use crate::frame::{HEADER, Header};
use crate::replies::{Replies, RunningCall};
use crate::task::TaskId;

/// One submitter.
struct Place<const BYTES: usize> {
    submitter: Box<str>,
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
    places: Vec<Option<Place<BYTES>>>,
    credits: u8,
    /// The number of the last life of a place.
    lives: u32,
    /// The place whose calls are looked at first, so that submitters take turns.
    first: usize,
    /// Something has changed: the node is to look at everything again.
    pub(super) changed: bool,
    pub(super) is_stopped: bool,
}

impl<const BYTES: usize> NodeState<BYTES> {
    /// `nonce` tells this node from others, and from its earlier lives.
    pub(super) fn new(submitters: usize, credits: u8, nonce: u32) -> Self {
        Self {
            places: (0..submitters).map(|_| None).collect(),
            credits,
            lives: nonce,
            first: 0,
            changed: false,
            is_stopped: false,
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
        if let Some(place) = self.place_of(submitter) {
            place.replies.receive(&header, body);
            self.changed = true;
        }
    }

    /// The place of a submitter, or a free one.
    fn place_of(&mut self, submitter: &str) -> Option<&mut Place<BYTES>> {
        let is_its = |place: &Option<Place<BYTES>>| {
            place
                .as_ref()
                .is_some_and(|place| *place.submitter == *submitter)
        };
        let at = { self.places.iter().position(is_its) }
            .or_else(|| self.places.iter().position(Option::is_none))?;
        let (lives, credits) = (&mut self.lives, self.credits);
        Some(self.places[at].get_or_insert_with(|| {
            *lives = lives.wrapping_add(1);
            Place {
                submitter: submitter.into(),
                life: *lives,
                replies: Box::new(Replies::with_credits(*lives, credits)),
            }
        }))
    }

    /// A submitter is gone, and wants nothing any more.
    pub(super) fn left(&mut self, submitter: &str) {
        for place in &mut self.places {
            if place
                .as_ref()
                .is_some_and(|place| *place.submitter == *submitter)
            {
                *place = None;
                self.changed = true;
            }
        }
    }

    /// Takes a call that waits. Submitters take turns.
    pub(super) fn begin(&mut self) -> Option<Begun> {
        let count = self.places.len();
        for step in 0..count {
            let at = (self.first + step) % count;
            let Some(place) = &mut self.places[at] else {
                continue;
            };
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

    fn place(&mut self, at: CallAt) -> Option<&mut Place<BYTES>> {
        let place = self.places[at.place].as_mut();
        place.filter(|place| place.life == at.life)
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
        for place in self.places.iter_mut().flatten() {
            if let Some((header, body)) = place.replies.next() {
                frame.clear();
                frame.extend_from_slice(&header.to_bytes());
                frame.extend_from_slice(body);
                return Some(place.submitter.clone());
            }
        }
        None
    }
}
