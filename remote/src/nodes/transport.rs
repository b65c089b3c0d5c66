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
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::mpsc::{Sender, channel};
///
/// use slotted_remote::nodes::Transport;
///
/// /// The other ends are threads of this program, say.
/// struct Channels(HashMap<&'static str, Sender<Vec<u8>>>);
///
/// impl Transport for Channels {
///     fn send(&mut self, to: &str, frame: &[u8]) {
///         if let Some(channel) = self.0.get(to) {
///             let _ = channel.send(frame.to_vec()); // fails if that end is gone
///         }
///     }
/// }
///
/// let (sender, receiver) = channel();
/// Channels(HashMap::from([("node", sender)])).send("node", b"frame");
/// assert_eq!(receiver.recv().unwrap(), b"frame");
/// ```
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
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use slotted::Shutdown;
    /// # use slotted_remote::Timing;
    /// # use slotted_remote::nodes::{Nodes, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// POOL.start(Timing::resend_after(1000), |inbox| {
    ///     inbox.appeared("10.0.0.2");
    ///     Ok::<_, Infallible>(Nowhere)
    /// })
    /// .unwrap();
    /// assert_eq!(POOL.nodes()[0].room, 0); // it has not answered
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn appeared(&self, node: &str) {
        self.pool.appeared(self.life, node);
    }

    /// A node is gone: the calls under way to it end as [`Lost`](crate::RemoteError::Lost).
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use slotted::Shutdown;
    /// # use slotted_remote::Timing;
    /// # use slotted_remote::nodes::{Nodes, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static POOL: Nodes<8, 100, 1000> = Nodes::new();
    /// POOL.start(Timing::resend_after(1000), |inbox| {
    ///     inbox.appeared("10.0.0.2");
    ///     inbox.appeared("10.0.0.3");
    ///     inbox.vanished("10.0.0.2");
    ///     Ok::<_, Infallible>(Nowhere)
    /// })
    /// .unwrap();
    /// let names = POOL.nodes().into_iter().map(|node| node.name);
    /// assert_eq!(names.collect::<Vec<_>>(), ["10.0.0.3"]);
    /// # POOL.shutdown(Shutdown::Drain).unwrap();
    /// ```
    pub fn vanished(&self, node: &str) {
        self.pool.vanished(self.life, node);
    }

    /// A frame came from a node.
    ///
    /// ```
    /// use std::{io, net::UdpSocket};
    ///
    /// use slotted_remote::nodes::NodesInbox;
    ///
    /// /// A thread of a transport whose nodes have their addresses as names.
    /// fn listen(socket: UdpSocket, inbox: NodesInbox) -> io::Result<()> {
    ///     let mut frame = [0; 2048];
    ///     loop {
    ///         let (len, node) = socket.recv_from(&mut frame)?;
    ///         inbox.receive(&node.to_string(), &frame[..len]);
    ///     }
    /// }
    /// # let _ = listen;
    /// ```
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
    ///
    /// ```
    /// use std::sync::mpsc::Receiver;
    ///
    /// use slotted_remote::nodes::NodeInbox;
    ///
    /// /// A thread of a transport, for one submitter.
    /// fn listen(submitter: &str, frames: Receiver<Vec<u8>>, inbox: NodeInbox) {
    ///     frames.iter().for_each(|frame| inbox.receive(submitter, &frame));
    ///     inbox.left(submitter); // its channel is closed
    /// }
    /// # let _ = listen;
    /// ```
    pub fn left(&self, submitter: &str) {
        self.0.left(submitter);
    }

    /// A frame came from a submitter.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Executor;
    /// # use slotted_remote::nodes::{ExecutorBackend, Node, NodeOptions, Transport};
    /// # struct Nowhere;
    /// # impl Transport for Nowhere {
    /// #     fn send(&mut self, _to: &str, _frame: &[u8]) {}
    /// # }
    /// # static EXECUTOR: Executor<1, 8> = Executor::new();
    /// let backend = ExecutorBackend::<(Square,), 64>::new(&EXECUTOR);
    /// let node = Node::start(backend, NodeOptions::new(), |inbox| {
    ///     inbox.receive("submitter", b"no frame"); // and so it is dropped
    ///     Ok::<_, std::convert::Infallible>(Nowhere)
    /// });
    /// # drop(node.unwrap());
    /// ```
    pub fn receive(&self, submitter: &str, frame: &[u8]) {
        self.0.receive(submitter, frame);
    }
}

impl fmt::Debug for NodeInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeInbox")
    }
}

/// Why a pool of nodes, or a node, did not start. `E` is the transport's error. It may be started
/// again. A node is never [`AlreadyStarted`](Self::AlreadyStarted), and its start never waits for
/// itself.
///
/// ```
/// use slotted_remote::nodes::NodesStartError;
///
/// let error = NodesStartError::Transport("the address is in use");
/// assert_eq!(error.to_string(), "no connection could be opened: the address is in use");
/// ```
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
