//! The calls of a pool: what waits, what travels, and what came back.

use core::task::Waker;
use core::time::Duration;

use heapless::{Deque, Vec};

use crate::RemoteError;
use crate::frame::Status;
use crate::task::TaskId;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As the worker says. The entry holds the body.
    Replied(Status),
    Failed(RemoteError),
    /// The pool was shut down before the call was sent.
    Cancelled,
    /// The pool has no processes any more.
    Broken,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its future is not in the executor yet.
    Begun,
    /// It waits for a process.
    Queued,
    /// It was sent to a process.
    Sent {
        process: usize,
    },
    Ended(Outcome),
}

/// One call.
pub(super) struct Entry<const BYTES: usize> {
    pub(super) phase: Phase,
    pub(super) id: TaskId,
    /// The most time that the task may take.
    pub(super) limit: Option<Duration>,
    /// How often it is sent again if its process dies.
    pub(super) retries: u32,
    pub(super) waker: Option<Waker>,
    /// Which call it is: another one each time.
    ticket: u64,
    len: usize,
    /// The argument, then the result.
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Entry<BYTES> {
    const UNUSED: Self = Self {
        phase: Phase::Ended(Outcome::Cancelled),
        id: TaskId::from_bits(0),
        limit: None,
        retries: 0,
        waker: None,
        ticket: 0,
        len: 0,
        bytes: [0; BYTES],
    };

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Fills the entry with bytes that fit. Returns false if they do not.
    pub(super) fn set_body(&mut self, body: &[u8]) -> bool {
        let Some(bytes) = self.bytes.get_mut(..body.len()) else {
            return false;
        };
        bytes.copy_from_slice(body);
        self.len = body.len();
        true
    }
}

/// The entries, and the order of those that wait. Each is one call's from `take` to `give_back`.
pub(super) struct Entries<const QUEUE: usize, const BYTES: usize> {
    entries: [Entry<BYTES>; QUEUE],
    free: Vec<u16, QUEUE>,
    /// Entries from here on were never used.
    unused: u16,
    tickets: u64,
    queue: Deque<u16, QUEUE>,
}

impl<const QUEUE: usize, const BYTES: usize> Entries<QUEUE, BYTES> {
    pub(super) const fn new() -> Self {
        Self {
            entries: [const { Entry::UNUSED }; QUEUE],
            free: Vec::new(),
            unused: 0,
            tickets: 0,
            queue: Deque::new(),
        }
    }

    pub(super) fn get(&mut self, index: u16) -> &mut Entry<BYTES> {
        &mut self.entries[usize::from(index)]
    }

    /// Takes a free entry. Each call holds a slot of the executor, and there are as many entries.
    pub(super) fn take(&mut self) -> Option<(u16, u64)> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if usize::from(self.unused) < QUEUE => {
                self.unused += 1;
                self.unused - 1
            }
            None => return None,
        };
        self.tickets += 1;
        let ticket = self.tickets;
        let entry = self.get(index);
        (entry.phase, entry.ticket) = (Phase::Begun, ticket);
        Some((index, ticket))
    }

    /// Returns true if the call of that ticket still waits for its future to be in the executor.
    pub(super) fn is_begun(&mut self, index: u16, ticket: u64) -> bool {
        let entry = self.get(index);
        entry.ticket == ticket && entry.phase == Phase::Begun
    }

    /// Gives an entry back, and returns its waker, to be dropped outside the lock.
    pub(super) fn give_back(&mut self, index: u16) -> Option<Waker> {
        // There is room: each entry is in use or free.
        let _ = self.free.push(index);
        let entry = self.get(index);
        entry.phase = Phase::Ended(Outcome::Cancelled);
        entry.waker.take()
    }

    /// Appends a call to the queue.
    pub(super) fn enqueue(&mut self, index: u16) {
        self.get(index).phase = Phase::Queued;
        let _ = self.queue.push_back(index); // there is room: each entry is in it at most once
    }

    /// Puts a call before all others: it was sent, and certainly did not begin.
    pub(super) fn enqueue_first(&mut self, index: u16) {
        self.get(index).phase = Phase::Queued;
        let _ = self.queue.push_front(index); // as above
    }

    pub(super) fn dequeue(&mut self) -> Option<u16> {
        self.queue.pop_front()
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes a call out of the queue.
    ///
    /// Bound: the length of the queue.
    pub(super) fn unqueue(&mut self, index: u16) {
        for _ in 0..self.queue.len() {
            match self.queue.pop_front() {
                Some(other) if other != index => {
                    let _ = self.queue.push_back(other); // its place is free
                }
                _ => {}
            }
        }
    }
}
