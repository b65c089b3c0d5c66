//! Machines: a pool of nodes that are found and lost, and the node that serves.
//!
//! The two ends are here, and what carries their frames is not: a [`Transport`] does, over an
//! engine that finds nodes and says when they are gone. The crate `slotted-zenoh` has one.
//!
//! A submitter has a [`Nodes`], which is a pool like others. A machine that works starts a [`Node`]
//! over a [`Backend`]: its pool of [processes], its [executor](ExecutorBackend), or a board behind
//! a [`Link`].
//!
//! Both ends in one program, whose transport is a call of a function:
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use slotted_remote::Task;
//! # #[derive(Serialize, Deserialize)]
//! # struct Square(u32);
//! # impl Task for Square {
//! #     const NAME: &str = "square/1";
//! #     type Output = u64;
//! #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
//! # }
//! use std::convert::Infallible;
//! use std::sync::OnceLock;
//!
//! use slotted::{Executor, Shutdown, StdThreads};
//! use slotted_remote::Timing;
//! use slotted_remote::nodes::{
//!     ExecutorBackend, Node, NodeInbox, NodeOptions, Nodes, NodesInbox, Transport,
//! };
//!
//! static EXECUTOR: Executor<1, 8> = Executor::new();
//! static POOL: Nodes<1, 8, 64> = Nodes::new();
//! static AT_THE_NODE: OnceLock<NodeInbox> = OnceLock::new();
//! static AT_THE_POOL: OnceLock<NodesInbox> = OnceLock::new();
//!
//! struct ToTheNode;
//! impl Transport for ToTheNode {
//!     fn send(&mut self, _to: &str, frame: &[u8]) {
//!         AT_THE_NODE.get().unwrap().receive("pool", frame);
//!     }
//! }
//!
//! struct ToThePool;
//! impl Transport for ToThePool {
//!     fn send(&mut self, _to: &str, frame: &[u8]) {
//!         AT_THE_POOL.get().unwrap().receive("node", frame);
//!     }
//! }
//!
//! EXECUTOR.start(&StdThreads::new()).unwrap();
//! let backend = ExecutorBackend::<(Square,), 64>::new(&EXECUTOR);
//! let node = Node::start(backend, NodeOptions::new(), |inbox| {
//!     AT_THE_NODE.set(inbox).unwrap();
//!     Ok::<_, Infallible>(ToThePool)
//! });
//! POOL.start(Timing::resend_after(1000), |inbox| {
//!     AT_THE_POOL.set(inbox).unwrap();
//!     inbox.appeared("node");
//!     Ok::<_, Infallible>(ToTheNode)
//! })
//! .unwrap();
//! assert_eq!(POOL.submit(Square(7)).unwrap().result(), Ok(49));
//! POOL.shutdown(Shutdown::Drain).unwrap();
//! # drop(node);
//! ```
//!
//! [processes]: Backend#implementors
//! [`Link`]: crate::Link

mod backend;
mod driver;
mod life;
mod map;
mod node;
mod node_state;
mod place;
mod pool;
mod reply;
mod send;
mod state;
mod transport;

pub use backend::{Backend, ExecutorBackend, ReplyFuture};
pub use map::NodesMap;
pub use node::{Node, NodeOptions};
pub use place::NodeStats;
pub use pool::Nodes;
pub(crate) use reply::Encoded;
pub use reply::Reply;
pub use transport::{NodeInbox, NodesInbox, NodesStartError, Transport};

/// How many calls of one submitter may be under way to one node.
const LANES: usize = 32;
