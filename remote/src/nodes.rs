//! Machines: a pool of nodes that are found and lost, and the node that serves.
//!
//! The two ends are here, and what carries their frames is not: a [`Transport`] does, over an
//! engine that finds nodes and says when they are gone. The crate `slotted-zenoh` has one.
//!
//! A submitter has a [`Nodes`], which is a pool like others. A machine that works starts a [`Node`]
//! over a [`Backend`]: its pool of [processes], its [executor](ExecutorBackend), or a board behind
//! a [`Link`].
//!
//! [processes]: crate::process::Processes
//! [`Link`]: crate::Link

mod backend;
mod driver;
mod node;
mod node_state;
mod place;
mod pool;
mod reply;
mod state;
mod transport;

pub use backend::{Backend, ExecutorBackend, ReplyFuture};
pub use node::{Node, NodeOptions};
pub use place::NodeStats;
pub use pool::{Nodes, NodesMap};
pub(crate) use reply::Encoded;
pub use reply::Reply;
pub use transport::{NodeInbox, NodesInbox, NodesStartError, Transport};

/// How many calls of one submitter may be under way to one node.
const LANES: usize = 32;
