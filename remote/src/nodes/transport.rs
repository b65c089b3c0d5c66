//! What carries frames between the two ends, and what it tells them.

use core::error::Error;
use core::fmt;
use std::io;
use std::sync::Arc;

/// Carries frames to the other ends: nodes, or submitters. An end owns one, and a thread of the end
/// alone calls it. Dropping it closes the connection, and withdraws the end's presence.
///
/// Frames to one end should come in order, and once. The ends bear it if they do not: a frame that
/// is lost costs the time after which it is sent again, and a task runs at most once all the same.
///
/// What comes from the other ends goes into a [`NodesInbox`] or a [`NodeInbox`].
pub trait Transport: Send + 'static {
    /// Sends a frame to the end of a name. It may wait for room, and its end waits too.
    /// What cannot be sent is dropped.
    fn send(&mut self, to: &str, frame: &[u8]);
}

/// Hears of nodes, for a pool. All of its calls take the pool's lock, and none waits for more.
pub(super) trait NodesEvents: Sync {
    fn appeared(&self, life: u32, node: &str);
    fn vanished(&self, life: u32, node: &str);
    fn receive(&self, life: u32, node: &str, frame: &[u8]);
}

/// Where a [`Transport`] tells a pool of nodes what happens. Any thread may do so. No call waits.
///
/// The transport says in the right order that a node is there and that it is gone. What it says
/// after the pool was shut down changes nothing, also if the pool has started anew.
#[derive(Clone, Copy)]
pub struct NodesInbox {
    pub(super) pool: &'static dyn NodesEvents,
    /// Of the pool.
    pub(super) life: u32,
}

impl NodesInbox {
    /// A node is there. The pool greets it, and uses it when it has answered.
    pub fn appeared(&self, node: &str) {
        self.pool.appeared(self.life, node);
    }

    /// A node is gone: the calls under way to it end as [`Lost`](crate::RemoteError::Lost).
    pub fn vanished(&self, node: &str) {
        self.pool.vanished(self.life, node);
    }

    /// A frame came from a node.
    pub fn receive(&self, node: &str, frame: &[u8]) {
        self.pool.receive(self.life, node, frame);
    }
}

impl fmt::Debug for NodesInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodesInbox")
    }
}

/// Hears of submitters, for a node. All of its calls take the node's lock, and none waits for more.
pub(super) trait NodeEvents: Send + Sync {
    fn left(&self, submitter: &str);
    fn receive(&self, submitter: &str, frame: &[u8]);
}

/// Where a [`Transport`] tells a node what happens. Any thread may do so. No call waits.
///
/// That a submitter is gone is the last that the transport says of it.
#[derive(Clone)]
pub struct NodeInbox(pub(super) Arc<dyn NodeEvents>);

impl NodeInbox {
    /// A submitter is gone: its calls are cancelled.
    pub fn left(&self, submitter: &str) {
        self.0.left(submitter);
    }

    /// A frame came from a submitter.
    pub fn receive(&self, submitter: &str, frame: &[u8]) {
        self.0.receive(submitter, frame);
    }
}

impl fmt::Debug for NodeInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeInbox")
    }
}

/// Why a pool of nodes did not start. `E` is the transport's error. The pool may be started again.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodesStartError<E> {
    /// The pool is running.
    AlreadyStarted,
    /// The caller is the pool's own thread, in a callback, or a thread that shuts this pool down.
    WouldDeadlock,
    /// The transport could not be opened.
    Transport(E),
    /// The system started no thread.
    System(io::Error),
}

impl<E: fmt::Display> fmt::Display for NodesStartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted => f.write_str("the pool is already started"),
            Self::WouldDeadlock => f.write_str("the calling thread would wait for itself"),
            Self::Transport(error) => write!(f, "no connection could be opened: {error}"),
            Self::System(error) => write!(f, "no thread could be started: {error}"),
        }
    }
}

impl<E: Error + 'static> Error for NodesStartError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::System(error) => Some(error),
            Self::AlreadyStarted | Self::WouldDeadlock => None,
        }
    }
}
