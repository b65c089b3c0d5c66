//! The calls of a pool: what waits, what travels, and what came back.

use core::task::Waker;

use heapless::{Deque, Vec};
use slotted::Canceller;

use crate::RemoteError;
use crate::frame::Status;
use crate::pool_submit::Terms;
use crate::task::TaskId;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As the worker says. The entry holds the body.
    Replied(Status),
    Failed(RemoteError),
    /// The pool was shut down before the call was sent.
    Cancelled,
    /// The pool has nothing any more that runs calls.
    Broken,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its future is not in the executor yet.
    Begun,
    /// It waits for a process or a node with room.
    Queued,
    /// It was sent to the process, or the node, of a place.
    Sent {
        place: usize,
    },
    Ended(Outcome),
}

/// One call.
pub(crate) struct Entry<const BYTES: usize> {
    pub(crate) phase: Phase,
    pub(crate) id: TaskId,
    pub(crate) terms: Terms,
    pub(crate) waker: Option<Waker>,
    /// What can make its task uncancellable, once.
    pub(crate) canceller: Option<Canceller<'static>>,
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
        terms: Terms {
            limit: None,
            retries: 0,
        },
        waker: None,
        canceller: None,
        ticket: 0,
        len: 0,
        bytes: [0; BYTES],
    };

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// From now on no thread can cancel the call's task. Returns false if a thread has cancelled
    /// it, and will give the entry back.
    #[cfg(all(unix, feature = "process", not(loom)))]
    pub(crate) fn set_running(&mut self) -> bool {
        // `None`: it was set running before, or is a node's. An error: it has ended all the same.
        let set = self
            .canceller
            .take()
            .map(|task| task.set_running_or_notify_cancel());
        set != Some(Ok(false))
    }

    /// Fills the entry with bytes that fit. Returns false if they do not.
    pub(crate) fn set_body(&mut self, body: &[u8]) -> bool {
        let Some(bytes) = self.bytes.get_mut(..body.len()) else {
            return false;
        };
        bytes.copy_from_slice(body);
        self.len = body.len();
        true
    }
}

/// The entries, and the order of those that wait. Each is one call's from `take` to `give_back`.
pub(crate) struct Entries<const QUEUE: usize, const BYTES: usize> {
    entries: [Entry<BYTES>; QUEUE],
    free: Vec<u16, QUEUE>,
    /// Entries from here on were never used.
    unused: u16,
    tickets: u64,
    queue: Deque<u16, QUEUE>,
}

impl<const QUEUE: usize, const BYTES: usize> Entries<QUEUE, BYTES> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { Entry::UNUSED }; QUEUE],
            free: Vec::new(),
            unused: 0,
            tickets: 0,
            queue: Deque::new(),
        }
    }

    pub(crate) fn get(&mut self, index: u16) -> &mut Entry<BYTES> {
        &mut self.entries[usize::from(index)]
    }

    /// Begins a call. `None`: all entries are in use. Without an argument, which was too large, the
    /// call has ended.
    pub(crate) fn begin(
        &mut self,
        id: TaskId,
        argument: Option<&[u8]>,
        terms: Terms,
    ) -> Option<(u16, u64)> {
        let (index, ticket) = self.take()?;
        let entry = self.get(index);
        (entry.id, entry.terms) = (id, terms);
        if !argument.is_some_and(|argument| entry.set_body(argument)) {
            entry.phase = Phase::Ended(Outcome::Failed(RemoteError::TooLarge));
        }
        Some((index, ticket))
    }

    /// Takes a free entry.
    pub(crate) fn take(&mut self) -> Option<(u16, u64)> {
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
    pub(crate) fn is_begun(&mut self, index: u16, ticket: u64) -> bool {
        let entry = self.get(index);
        entry.ticket == ticket && entry.phase == Phase::Begun
    }

    /// Gives an entry back, and returns its waker, to be dropped outside the lock.
    pub(crate) fn give_back(&mut self, index: u16) -> Option<Waker> {
        // There is room: each entry is in use or free.
        let _ = self.free.push(index);
        let entry = self.get(index);
        (entry.phase, entry.canceller) = (Phase::Ended(Outcome::Cancelled), None);
        entry.waker.take()
    }

    /// Appends a call to the queue.
    pub(crate) fn enqueue(&mut self, index: u16) {
        self.get(index).phase = Phase::Queued;
        let _ = self.queue.push_back(index); // there is room: each entry is in it at most once
    }

    /// Puts a call before all others: it was sent, and certainly did not begin.
    pub(crate) fn enqueue_first(&mut self, index: u16) {
        self.get(index).phase = Phase::Queued;
        let _ = self.queue.push_front(index); // as above
    }

    pub(crate) fn dequeue(&mut self) -> Option<u16> {
        self.queue.pop_front()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes a call out of the queue.
    ///
    /// Bound: the length of the queue.
    pub(crate) fn unqueue(&mut self, index: u16) {
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
