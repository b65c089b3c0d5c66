//! One node, as a pool sees it.

use core::time::Duration;
use std::sync::Arc;

use super::LANES;
use crate::RemoteError;
use crate::calls::{Calls, Timing};
use crate::entries::Entries;
use crate::frame::{Header, Status};

/// What a node of a pool has done for it.
///
/// ```
/// use slotted_remote::nodes::Nodes;
///
/// /// The nodes that speak another version of the protocol.
/// fn refused(pool: &'static Nodes<8, 100, 1000>) -> Vec<String> {
///     let refused = pool.nodes().into_iter().filter(|node| node.refused.is_some());
///     refused.map(|node| node.name).collect()
/// }
/// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
/// # assert!(refused(&POOL).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// The node's name.
    pub name: String,
    /// Why the pool does not use the node: [`RemoteError::Version`].
    pub refused: Option<RemoteError>,
    /// The node takes no more calls: it is shut down, and runs those that it has.
    pub is_leaving: bool,
    /// How many more calls it takes now; 0 before it has answered.
    pub room: usize,
    /// Calls under way to it.
    pub under_way: usize,
    /// Calls that it has answered.
    pub completed: u64,
}

/// What became of a call that was under way to a node.
pub(super) enum CallEnd {
    /// The entry holds the body.
    Replied(Status),
    Failed(RemoteError),
    /// The node takes no more calls, and this one did not begin.
    Refused,
}

/// One node.
pub(super) struct Place<const BYTES: usize> {
    /// `None`: there is no node.
    pub(super) name: Option<Arc<str>>,
    pub(super) refused: Option<RemoteError>,
    completed: u64,
    /// How many calls were sent, to take turns among nodes with equal room.
    sent: u64,
    calls: Calls<LANES, BYTES>,
    /// Of each call under way, its entry.
    entries: [Option<u16>; LANES],
    /// When the time of a call is up, if it has a limit.
    dates: [Option<u64>; LANES],
}

/// The date from which on a limit that begins now is over, in milliseconds. The present millisecond
/// may be nearly over, and does not count.
fn date_of(limit: Duration, now: u64) -> u64 {
    let millis = limit.as_nanos().div_ceil(1_000_000).saturating_add(1);
    now.saturating_add(u64::try_from(millis).unwrap_or(u64::MAX))
}

impl<const BYTES: usize> Place<BYTES> {
    pub(super) const EMPTY: Self = Self {
        name: None,
        refused: None,
        completed: 0,
        sent: 0,
        calls: Calls::new(),
        entries: [None; LANES],
        dates: [None; LANES],
    };

    /// A node takes the place.
    pub(super) fn open(&mut self, name: Arc<str>, nonce: u32, timing: Timing) {
        (self.name, self.refused) = (Some(name), None);
        (self.completed, self.sent) = (0, 0);
        // No call is under way in an empty place.
        let _ = self.calls.open_node(nonce, timing);
    }

    pub(super) fn is(&self, node: &str) -> bool {
        self.name.as_deref() == Some(node)
    }

    pub(super) fn stats(&self) -> Option<NodeStats> {
        Some(NodeStats {
            name: self.name.as_deref()?.to_owned(),
            refused: self.refused,
            is_leaving: self.calls.is_closed(),
            room: self.room(),
            under_way: self.entries.iter().flatten().count(),
            completed: self.completed,
        })
    }

    /// Returns true if the node has answered the greeting, and takes calls.
    pub(super) fn serves(&self) -> bool {
        self.refused.is_none() && self.calls.is_serving()
    }

    /// How many more calls the node takes now.
    pub(super) fn room(&self) -> usize {
        self.calls.room()
    }

    /// The pool gives the next call to the node with the most room, and among equals to the node
    /// that got the fewest.
    pub(super) fn rank(&self) -> (usize, core::cmp::Reverse<u64>) {
        (self.room(), core::cmp::Reverse(self.sent))
    }

    /// Gives a call to the node, which has room.
    pub(super) fn begin<const QUEUE: usize>(
        &mut self,
        entries: &mut Entries<QUEUE, BYTES>,
        index: u16,
        now: u64,
    ) {
        let entry = entries.get(index);
        let (id, body, limit) = (entry.id, entry.body(), entry.terms.limit);
        let begun = self.calls.begin(id, |bytes| {
            bytes.get_mut(..body.len())?.copy_from_slice(body);
            Some(body.len())
        });
        if let Some(slot) = begun {
            self.entries[slot] = Some(index);
            self.dates[slot] = limit.map(|limit| date_of(limit, now));
            self.sent += 1;
        }
    }

    /// The submitter of a call wants it no more.
    ///
    /// Bound: the lanes.
    pub(super) fn abandon(&mut self, index: u16) {
        if let Some(slot) = self.slot_of(index) {
            self.entries[slot] = None;
            self.calls.abandon(slot);
        }
    }

    fn slot_of(&self, index: u16) -> Option<usize> {
        { self.entries.iter() }.position(|entry| *entry == Some(index))
    }

    /// Takes a frame of the node's.
    pub(super) fn receive(&mut self, header: &Header, body: &[u8], now: u64) {
        // Which calls have ended, `take_ended` finds.
        let _ = self.calls.receive(header, body, now);
    }

    /// The node is gone. What was under way ends as lost, but for calls that were not sent. Returns
    /// the last number that the pool had there.
    pub(super) fn close(&mut self) -> Option<u32> {
        self.name = None;
        self.hang_up()
    }

    /// The node cannot be used, and keeps its place.
    pub(super) fn refuse(&mut self, error: RemoteError) -> Option<u32> {
        self.refused = Some(error);
        self.hang_up()
    }

    fn hang_up(&mut self) -> Option<u32> {
        let nonce = self.calls.nonce();
        let _ = self.calls.close(); // `take_ended` finds what has ended
        nonce
    }

    /// Returns true if the node answers the greeting of this session.
    pub(super) fn has_greeted(&self, nonce: u32) -> bool {
        self.calls.nonce() == Some(nonce)
    }

    /// When the time of a call under way is up.
    fn dates(&self) -> impl Iterator<Item = (usize, u64)> {
        let limited = { self.entries.iter().zip(&self.dates) }.enumerate();
        limited.filter_map(|(slot, (entry, date))| entry.and(*date).map(|date| (slot, date)))
    }

    /// Gives up a call whose time is up, and tells the node. Returns its entry.
    pub(super) fn take_late(&mut self, now: u64) -> Option<u16> {
        let (slot, _) = self.dates().find(|&(_, date)| date <= now)?;
        self.calls.abandon(slot);
        self.entries[slot].take()
    }

    /// Takes back the newest call that was not sent.
    pub(super) fn take_unsent(&mut self) -> Option<u16> {
        let slot = self.calls.newest_waiting()?;
        self.calls.abandon(slot);
        self.entries[slot].take()
    }

    /// Takes a call that has ended: its entry, with the result in it.
    pub(super) fn take_ended<const QUEUE: usize>(
        &mut self,
        entries: &mut Entries<QUEUE, BYTES>,
    ) -> Option<(u16, CallEnd)> {
        let ended = |slot: usize| self.entries[slot].is_some() && self.calls.has_ended(slot);
        let slot = (0..LANES).find(|&slot| ended(slot))?;
        let index = self.entries[slot].take()?;
        let end = self.calls.take(slot, |outcome, body| match outcome {
            Ok(Status::Refused) => CallEnd::Refused,
            Ok(Status::Failed) => CallEnd::Failed(crate::frame::error_from_bytes(body)),
            // A body is not larger than a frame.
            Ok(status) if entries.get(index).set_body(body) => CallEnd::Replied(status),
            Ok(_) => CallEnd::Failed(RemoteError::TooLarge),
            Err(error) => CallEnd::Failed(error),
        })?;
        if let CallEnd::Replied(_) = end {
            self.completed += 1;
        }
        Some((index, end))
    }

    /// The next frame to send, if one is due.
    pub(super) fn next_frame(&mut self, now: u64) -> Option<(Arc<str>, Header, &[u8])> {
        let name = self.name.as_ref().filter(|_| self.refused.is_none())?;
        let (header, body) = self.calls.next(now)?;
        Some((name.clone(), header, body))
    }

    /// When a frame is due if nothing happens before.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.name.as_ref().filter(|_| self.refused.is_none())?;
        let dates = self.dates().map(|(_, date)| date);
        dates.chain(self.calls.next_at()).min()
    }
}
