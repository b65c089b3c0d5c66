//! Waiters in line for a slot, first come, first served: a list whose nodes lie with the waiters.
//!
//! A waiter brings its own node, on its stack or in its future. So the line needs no memory of the
//! executor's, however long it is.
//!
//! Invariants:
//!
//! - **Node Inside.** The cells of a node are touched only inside the lock of the line it is for.
//! - **Node Stays.** A node in the line is pinned, and its `Drop` takes it out of the line first.
//!   Pinned memory is not reused before `Drop` has run, so a node that is in the line is there.
//!
//! `unsafe` here: following the pointers of the list.

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;

use super::{FreeSlots, Served};
use crate::host::Park;
use crate::unwind;
use crate::waiter::Waiter;

type NodePointer<H> = Option<NonNull<Node<H>>>;

/// What the line needs of a waiter.
pub(super) struct Node<H: Park> {
    served: Cell<Served>,
    waiter: Cell<Waiter<H>>,
    next: Cell<NodePointer<H>>,
    previous: Cell<NodePointer<H>>,
}

/// A waiter's place, in line or not yet.
pub(crate) struct Place<'e, H: Park, S: Copy> {
    slots: &'e FreeSlots<H, S>,
    node: Node<H>,
    _pinned: PhantomPinned,
}

// SAFETY: *Node Inside*: a thread with a `&Place` reaches its cells only through `slots`, inside
// the lock; what the cells hold is `Send`.
unsafe impl<H: Park, S: Copy + Send> Send for Place<'_, H, S> {}
// SAFETY: as above.
unsafe impl<H: Park, S: Copy + Send> Sync for Place<'_, H, S> {}

impl<'e, H: Park, S: Copy> Place<'e, H, S> {
    pub(crate) fn new(slots: &'e FreeSlots<H, S>) -> Self {
        Self {
            slots,
            node: Node {
                served: Cell::new(Served::Outside),
                waiter: Cell::new(Waiter::NONE),
                next: Cell::new(None),
                previous: Cell::new(None),
            },
            _pinned: PhantomPinned,
        }
    }

    /// The slots that the place is for: their lock guards its node.
    pub(super) fn slots(&self) -> &'e FreeSlots<H, S> {
        self.slots
    }

    /// The node, for a function of the line that the place is for.
    pub(super) fn node(self: Pin<&Self>) -> Pin<&Node<H>> {
        // SAFETY: the node is pinned with the place: it is never moved out.
        unsafe { self.map_unchecked(|place| &place.node) }
    }
}

impl<H: Park, S: Copy> Drop for Place<'_, H, S> {
    /// Keeps *Node Stays*. A slot that the place still has is lost: its owner takes it first.
    fn drop(&mut self) {
        // SAFETY: a value is pinned while its destructor runs.
        let place = unsafe { Pin::new_unchecked(&*self) };
        let (served, waiter) = place.leave();
        debug_assert!(
            !matches!(served, Served::Slot(_)),
            "the owner takes the slot"
        );
        unwind::discard(waiter);
    }
}

/// The line. Lives inside the lock.
pub(super) struct Line<H: Park> {
    first: Cell<NodePointer<H>>,
    last: Cell<NodePointer<H>>,
}

// SAFETY: *Node Inside*: the nodes are touched inside the lock that holds the line; what they hold
// is `Send`.
unsafe impl<H: Park> Send for Line<H> {}

impl<H: Park> Line<H> {
    pub(super) const fn new() -> Self {
        Self {
            first: Cell::new(None),
            last: Cell::new(None),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// A node of the line.
    fn node(&self, node: NonNull<Node<H>>) -> &Node<H> {
        // SAFETY: *Node Stays*: it is in the line, and the caller is inside the lock, without which
        // it does not leave. The reference does not outlive the section, as `self` does not.
        unsafe { node.as_ref() }
    }

    /// Appends a node that is in no line; otherwise replaces its waiter. A node that was served
    /// keeps what it has. The caller drops what is returned.
    pub(super) fn join(&self, node: Pin<&Node<H>>, waiter: Waiter<H>) -> Waiter<H> {
        match node.served.get() {
            Served::Slot(_) | Served::Refused(_) => return waiter,
            Served::Waiting => return node.waiter.replace(waiter),
            Served::Outside => {}
        }
        let pointer = Some(NonNull::from(node.get_ref()));
        let last = self.last.replace(pointer);
        node.served.set(Served::Waiting);
        node.next.set(None);
        node.previous.set(last);
        match last {
            Some(last) => self.node(last).next.set(pointer),
            None => self.first.set(pointer),
        }
        node.waiter.replace(waiter)
    }

    fn unlink(&self, node: &Node<H>) {
        let (next, previous) = (node.next.take(), node.previous.take());
        match previous {
            Some(previous) => self.node(previous).next.set(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => self.node(next).previous.set(previous),
            None => self.last.set(previous),
        }
    }

    /// Takes the first node out of the line and gives it `served`. Returns its waiter, to be woken.
    pub(super) fn serve(&self, served: Served) -> Option<Waiter<H>> {
        let first = self.node(self.first.get()?);
        self.unlink(first);
        first.served.set(served);
        Some(first.waiter.replace(Waiter::NONE))
    }

    /// What a node has. A slot or a refusal is handed out once.
    pub(super) fn look(&self, node: Pin<&Node<H>>) -> Served {
        let served = node.served.get();
        if served != Served::Waiting {
            node.served.set(Served::Outside);
        }
        served
    }

    /// Takes a node out, if it is in the line. Returns what it had.
    pub(super) fn leave(&self, node: Pin<&Node<H>>) -> (Served, Waiter<H>) {
        let served = node.served.replace(Served::Outside);
        if served == Served::Waiting {
            self.unlink(node.get_ref());
        }
        (served, node.waiter.replace(Waiter::NONE))
    }
}
