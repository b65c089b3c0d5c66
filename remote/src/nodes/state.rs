//! What the threads of a pool of nodes share: its calls and its nodes, inside one lock.
//!
//! No foreign code runs in here, and nothing waits.

use core::task::Waker;
use std::sync::Arc;

use heapless::Vec;
use slotted::error::Refusal;

use super::place::{CallEnd, NodeStats, Place};
use crate::RemoteError;
use crate::calls::Timing;
use crate::entries::{Entries, Outcome, Phase};
use crate::frame::{HEADER, Header, Kind, PROTOCOL, Welcome};

/// How many nodes are remembered for which there is no place.
const SPARE: usize = 64;

/// What the pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It was not started, or has been shut down.
    Off,
    /// The transport is being opened.
    Starting,
    Running,
    /// The driver is to leave.
    Stopping,
    /// The transport panicked, and the driver with it.
    Broken,
}

/// What the lock guards.
pub(super) struct State<const NODES: usize, const QUEUE: usize, const BYTES: usize> {
    pub(super) life: Life,
    pub(super) entries: Entries<QUEUE, BYTES>,
    places: [Place<BYTES>; NODES],
    /// Nodes beyond the places. One of them follows when a place is free.
    spare: Vec<Arc<str>, SPARE>,
    timing: Timing,
    /// The last number of a session, of any place. Each session has a later one.
    nonce: u32,
    /// Which life of the pool it is: what a transport of another says is not heard.
    life_number: u32,
    /// The pool is shut down, and what would wait for a node is cancelled.
    cancels: bool,
    /// Something has changed: the driver is to look at everything again.
    pub(super) changed: bool,
    /// Calls have ended, and what waits for them is to be woken, outside the lock.
    pub(super) ended: bool,
    /// Calls have ended and were woken: the driver is to poll those that no thread waits for.
    pub(super) polls: bool,
    /// What is to be woken outside the lock.
    wakers: Vec<Waker, QUEUE>,
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> State<NODES, QUEUE, BYTES> {
    pub(super) const fn new() -> Self {
        Self {
            life: Life::Off,
            entries: Entries::new(),
            places: [const { Place::EMPTY }; NODES],
            spare: Vec::new(),
            timing: Timing::resend_after(1),
            nonce: 0,
            life_number: 0,
            cancels: false,
            changed: false,
            ended: false,
            polls: false,
            wakers: Vec::new(),
        }
    }

    /// A new life begins, and its number comes back. `nonce` tells it from others.
    pub(super) fn begin(&mut self, nonce: u32, timing: Timing) -> u32 {
        (self.life, self.nonce, self.timing) = (Life::Starting, nonce, timing);
        (self.cancels, self.polls) = (false, true);
        self.life_number = self.life_number.wrapping_add(1);
        self.life_number
    }

    /// Returns true if a transport of a life is heard: that life has not ended.
    pub(super) fn hears(&self, life_number: u32) -> bool {
        let is_open = matches!(self.life, Life::Starting | Life::Running | Life::Stopping);
        is_open && self.life_number == life_number
    }

    /// Returns an error if the pool takes no calls.
    pub(super) fn accepts(&self) -> Result<(), Refusal> {
        match self.life {
            Life::Running => Ok(()),
            Life::Broken => Err(Refusal::Broken),
            Life::Off | Life::Starting | Life::Stopping => Err(Refusal::ShutDown),
        }
    }

    pub(super) fn stats(&self) -> impl Iterator<Item = NodeStats> {
        self.places.iter().filter_map(Place::stats)
    }

    /// How many nodes have answered the greeting, and take calls.
    pub(super) fn serving(&self) -> usize {
        let serving = |place: &&Place<BYTES>| place.name.is_some() && place.serves();
        self.places.iter().filter(serving).count()
    }

    /// A node is there.
    pub(super) fn appeared(&mut self, node: &str) {
        let is_known = self.places.iter().any(|place| place.is(node));
        if is_known || self.spare.iter().any(|name| **name == *node) {
            return;
        }
        // Of a node too many nothing is known until it appears again.
        let _ = self.spare.push(node.into());
        self.fill_places();
    }

    /// Gives free places to the nodes that wait for one.
    ///
    /// Bound: the places.
    fn fill_places(&mut self) {
        for place in &mut self.places {
            if place.name.is_none() && !self.spare.is_empty() {
                self.nonce = self.nonce.wrapping_add(1);
                place.open(self.spare.remove(0), self.nonce, self.timing);
                self.changed = true;
            }
        }
    }

    /// A node is gone. Calls that were not sent to it wait again before all others.
    pub(super) fn vanished(&mut self, node: &str, now: u64) {
        self.spare.retain(|name| **name != *node);
        let Some(at) = self.places.iter().position(|place| place.is(node)) else {
            return;
        };
        let nonce = self.places[at].close();
        self.hung_up(at, nonce);
        self.fill_places();
        self.dispatch(now);
    }

    /// The line to a node was closed.
    fn hung_up(&mut self, at: usize, nonce: Option<u32>) {
        // The line may have begun sessions by itself.
        if let Some(nonce) = nonce
            && nonce.wrapping_sub(self.nonce).cast_signed() > 0
        {
            self.nonce = nonce;
        }
        self.take_unsent(at);
        self.take_ended(at);
        self.changed = true;
    }

    /// Takes back the calls that were not sent to a node: they wait again before all others.
    ///
    /// Bound: the lanes.
    fn take_unsent(&mut self, at: usize) {
        while let Some(index) = self.places[at].take_unsent() {
            self.enqueue_first(index);
        }
    }

    /// Appends a call to the queue.
    pub(super) fn enqueue(&mut self, index: u16) {
        if self.cancels {
            self.end(index, Outcome::Cancelled);
        } else {
            self.entries.enqueue(index);
        }
    }

    fn enqueue_first(&mut self, index: u16) {
        if self.cancels {
            self.end(index, Outcome::Cancelled);
        } else {
            self.entries.enqueue_first(index);
        }
    }

    /// The driver panicked, and no call will be sent any more.
    pub(super) fn break_down(&mut self) {
        self.life = Life::Broken;
        self.end_queued(Outcome::Broken);
    }

    /// All nodes are gone, with the transport.
    pub(super) fn close(&mut self, now: u64) {
        self.spare.clear();
        // Bound: the places.
        for at in 0..NODES {
            if let Some(name) = self.places[at].name.clone() {
                self.vanished(&name, now);
            }
        }
    }

    /// Takes a frame. What no node of ours would send is dropped.
    pub(super) fn receive(&mut self, node: &str, frame: &[u8], now: u64) {
        let Some(at) = self.places.iter().position(|place| place.is(node)) else {
            return;
        };
        let Some((header, body)) = frame.split_first_chunk::<HEADER>() else {
            return;
        };
        let Some(header) = Header::from_bytes(header) else {
            return;
        };
        let place = &mut self.places[at];
        match (header.kind, Welcome::from_bytes(body)) {
            // It would answer every greeting so.
            (Kind::Welcome, Some(welcome)) if welcome.protocol != PROTOCOL => {
                if place.has_greeted(welcome.theirs) {
                    let theirs = welcome.protocol;
                    let nonce = place.refuse(RemoteError::Version { theirs });
                    self.hung_up(at, nonce);
                }
            }
            _ => place.receive(&header, body, now),
        }
        // After a reset, or from a node that leaves: other nodes may have room.
        self.take_ended(at);
        if !self.places[at].serves() {
            self.take_unsent(at);
        }
        self.dispatch(now);
        self.changed = true;
    }

    /// Ends the calls whose time is up.
    ///
    /// Bound: the lanes of all nodes.
    pub(super) fn keep_time(&mut self, now: u64) {
        for at in 0..NODES {
            while let Some(index) = self.places[at].take_late(now) {
                self.end(index, Outcome::Failed(RemoteError::TimeLimit));
            }
        }
        // A call that was not sent gave room back.
        self.dispatch(now);
    }

    /// Ends the calls of a place that have ended there.
    ///
    /// Bound: the lanes.
    fn take_ended(&mut self, at: usize) {
        while let Some((index, end)) = self.places[at].take_ended(&mut self.entries) {
            match end {
                CallEnd::Replied(status) => self.end(index, Outcome::Replied(status)),
                CallEnd::Failed(error) => self.fail(index, error),
                CallEnd::Refused => self.enqueue_first(index),
            }
        }
    }

    /// A call failed at its node, or with it. It is tried again if it asked for that.
    fn fail(&mut self, index: u16, error: RemoteError) {
        let entry = self.entries.get(index);
        let is_retried = matches!(
            error,
            RemoteError::Lost
                | RemoteError::Restarted
                | RemoteError::Crashed { .. }
                | RemoteError::Exited { .. }
        );
        if is_retried && entry.terms.retries > 0 {
            entry.terms.retries -= 1;
            self.enqueue_first(index);
        } else {
            self.end(index, Outcome::Failed(error));
        }
    }

    pub(super) fn end(&mut self, index: u16, outcome: Outcome) {
        let entry = self.entries.get(index);
        entry.phase = Phase::Ended(outcome);
        if let Some(waker) = entry.waker.take() {
            let _ = self.wakers.push(waker); // there is room: each entry has one
        }
        self.ended = true;
    }

    /// Gives waiting calls to the nodes with the most room.
    ///
    /// Bound: the calls that wait, and the lanes of all nodes.
    pub(super) fn dispatch(&mut self, now: u64) {
        while self.entries.has_queued() {
            let usable = |place: &&mut Place<BYTES>| place.refused.is_none() && place.room() > 0;
            let best = { self.places.iter_mut().enumerate() }
                .filter(|(_, place)| usable(place))
                .max_by_key(|(_, place)| place.rank());
            let Some((at, place)) = best else { break };
            let Some(index) = self.entries.dequeue() else {
                break;
            };
            self.entries.get(index).phase = Phase::Sent { place: at };
            place.begin(&mut self.entries, index, now);
            self.changed = true;
            // It may be too large for this node.
            self.take_ended(at);
        }
    }

    /// The submitter of a call wants it no more. Returns its waker, to be dropped outside.
    pub(super) fn abandon(&mut self, index: u16, now: u64) -> Option<Waker> {
        match self.entries.get(index).phase {
            Phase::Queued => self.entries.unqueue(index),
            Phase::Sent { place } => {
                self.places[place].abandon(index);
                self.changed = true;
            }
            Phase::Begun | Phase::Ended(_) => {}
        }
        let waker = self.entries.give_back(index);
        // A call that was not sent gave room back.
        self.dispatch(now);
        waker
    }

    /// Cancels all calls that wait for a node, and those that would from now on.
    pub(super) fn cancel_queued(&mut self) {
        self.cancels = true;
        self.end_queued(Outcome::Cancelled);
    }

    /// Ends all calls that wait for a node.
    ///
    /// Bound: the calls that wait.
    fn end_queued(&mut self, outcome: Outcome) {
        while let Some(index) = self.entries.dequeue() {
            self.end(index, outcome);
        }
    }

    /// What is to be woken outside the lock.
    #[must_use = "the tasks wait"]
    pub(super) fn take_wakers(&mut self) -> Vec<Waker, QUEUE> {
        core::mem::take(&mut self.wakers)
    }

    /// Writes the next frame that is due. Returns the node that it is for.
    pub(super) fn next_frame(
        &mut self,
        now: u64,
        frame: &mut std::vec::Vec<u8>,
    ) -> Option<Arc<str>> {
        let mut places = self.places.iter_mut();
        let (name, header, body) = places.find_map(|place| place.next_frame(now))?;
        frame.clear();
        frame.extend_from_slice(&header.to_bytes());
        frame.extend_from_slice(body);
        Some(name)
    }

    /// When a frame is due if nothing happens before.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.places.iter().filter_map(Place::next_at).min()
    }
}

#[cfg(test)]
mod tests;
