//! A line to a node, which is greeted before there is a call for it, and may leave.

use super::{Calls, Ended, Phase, Timing};
use crate::RemoteError;

/// Whether a node takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)] // so that a table that is not open is all zeroes
pub(super) enum Leaving {
    No = 0,
    /// It takes no more. It leaves when it knows that all its replies have come, which the next
    /// session tells it.
    Told,
    /// That session has begun, or was asked for.
    Acknowledged,
}

impl<const CALLS: usize, const BYTES: usize> Calls<CALLS, BYTES> {
    /// As [`open`](Self::open), for a line to a node.
    pub(crate) fn open_node(&mut self, nonce: u32, timing: Timing) -> Ended {
        (self.is_node, self.leaving) = (true, Leaving::No);
        // The transport says when a node is gone.
        self.open(
            nonce,
            Timing {
                lost: None,
                ..timing
            },
        )
    }

    /// The submitter's number of the session.
    pub(crate) fn nonce(&self) -> Option<u32> {
        self.nonce
    }

    /// Closes the line: what was sent ends as lost.
    pub(crate) fn close(&mut self) -> Ended {
        (self.nonce, self.leaving) = (None, Leaving::No);
        self.end_session(RemoteError::Lost)
    }

    /// Returns true if the node has answered the greeting, and takes calls.
    pub(crate) fn is_serving(&self) -> bool {
        self.session.is_some() && !self.is_closed()
    }

    /// Returns true if the node takes no more calls.
    pub(crate) fn is_closed(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// How many more calls the worker takes at once: none before it has answered the greeting.
    pub(crate) fn room(&self) -> usize {
        if self.is_closed() {
            return 0;
        }
        let lanes = { self.session }.map_or(0, |session| usize::from(session.lanes));
        let in_use = { self.slots.iter() }.filter(|slot| slot.phase != Phase::Free);
        lanes.min(CALLS).saturating_sub(in_use.count())
    }

    /// The newest call that was not sent yet.
    pub(crate) fn newest_waiting(&self) -> Option<usize> {
        { self.slots.iter().enumerate() }
            .filter(|(_, slot)| slot.phase == Phase::Waiting)
            .min_by_key(|(_, slot)| self.tickets.wrapping_sub(slot.ticket))
            .map(|(index, _)| index)
    }

    /// A session has begun, in which the node has so many lanes for us. Without one it takes no
    /// calls.
    pub(super) fn hear_lanes(&mut self, lanes: u8) {
        if lanes > 0 {
            self.leaving = Leaving::No;
        } else {
            self.hear_lanes_again(lanes);
        }
    }

    /// As [`hear_lanes`](Self::hear_lanes), in a session that is there: a late frame opens no node.
    pub(super) fn hear_lanes_again(&mut self, lanes: u8) {
        if lanes == 0 && self.leaving == Leaving::No {
            self.leaving = Leaving::Told;
        }
    }

    /// Begins the session by which a node that leaves knows that no reply is on its way any more.
    /// Only once: frames that come twice do not go on for ever.
    pub(super) fn acknowledge_leaving(&mut self) {
        let is_under_way = |phase| matches!(phase, Phase::Sent | Phase::Cancelling);
        let is_told = self.leaving == Leaving::Told && self.session.is_some();
        if is_told && !{ self.slots.iter() }.any(|slot| is_under_way(slot.phase)) {
            self.leaving = Leaving::Acknowledged;
            // Nothing was sent that could end so.
            let _ = self.next_session(RemoteError::Lost);
        }
    }
}
