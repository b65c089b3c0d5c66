//! A network inside the process: what pools and nodes send goes straight to the other end, unless
//! the test says otherwise.

use core::convert::Infallible;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use slotted_remote::Timing;
use slotted_remote::nodes::{Backend, Node, NodeInbox, NodeOptions, Nodes, NodesInbox, Transport};

/// Frames that were not answered are sent again after so many milliseconds.
pub(crate) const SOON: Timing = Timing::resend_after(5);
/// Frames are never sent again while a test lasts.
pub(crate) const NEVER: Timing = Timing::resend_after(1_000_000);

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    IsLost,
    ArrivesTwice,
}

type Fates = Box<dyn FnMut(&str, &[u8]) -> Fate + Send>;

#[derive(Default)]
struct Ends {
    pools: HashMap<String, NodesInbox>,
    nodes: HashMap<String, NodeInbox>,
    fates: Option<Fates>,
}

/// A network.
#[derive(Clone, Default)]
pub(crate) struct Net(Arc<Mutex<Ends>>);

impl Net {
    /// From now on, decides of each frame what becomes of it. `fate` is given the name of its
    /// receiver.
    pub(crate) fn decide(&self, fate: impl FnMut(&str, &[u8]) -> Fate + Send + 'static) {
        self.0.lock().unwrap().fates = Some(Box::new(fate));
    }

    fn fate(&self, to: &str, frame: &[u8]) -> Fate {
        let fates = &mut self.0.lock().unwrap().fates;
        fates
            .as_mut()
            .map_or(Fate::Arrives, |fates| fates(to, frame))
    }

    /// Starts a pool, which hears of the nodes that are there and of those that come.
    pub(crate) fn start<const NODES: usize, const QUEUE: usize, const BYTES: usize>(
        &self,
        name: &str,
        pool: &'static Nodes<NODES, QUEUE, BYTES>,
        timing: Timing,
    ) {
        let connect = |inbox: NodesInbox| {
            let mut ends = self.0.lock().unwrap();
            ends.pools.insert(name.into(), inbox);
            let nodes: Vec<String> = ends.nodes.keys().cloned().collect();
            drop(ends);
            nodes.iter().for_each(|node| inbox.appeared(node));
            Ok::<_, Infallible>(OfPool {
                name: name.into(),
                net: self.clone(),
            })
        };
        pool.start(timing, connect).unwrap();
    }

    /// What frames for a node go into.
    pub(crate) fn inbox_of(&self, node: &str) -> NodeInbox {
        self.0.lock().unwrap().nodes[node].clone()
    }

    /// Starts a node.
    pub(crate) fn serve<const BYTES: usize>(
        &self,
        name: &str,
        backend: impl Backend<BYTES>,
        options: NodeOptions,
    ) -> Node {
        let connect = |inbox: NodeInbox| {
            self.0.lock().unwrap().nodes.insert(name.into(), inbox);
            Ok::<_, Infallible>(OfNode {
                name: name.into(),
                net: self.clone(),
            })
        };
        let node = Node::start(backend, options, connect).unwrap();
        self.pools().iter().for_each(|pool| pool.appeared(name));
        node
    }

    fn pools(&self) -> Vec<NodesInbox> {
        self.0.lock().unwrap().pools.values().copied().collect()
    }

    /// The pools hear that a node is gone, though it runs on and hears all they send.
    pub(crate) fn loses_sight_of(&self, node: &str) {
        self.pools().iter().for_each(|pool| pool.vanished(node));
    }

    /// The pools hear that a node is there.
    pub(crate) fn sees(&self, node: &str) {
        self.pools().iter().for_each(|pool| pool.appeared(node));
    }

    /// A frame comes to a pool that no node sent.
    pub(crate) fn forge(&self, pool: &str, node: &str, frame: &[u8]) {
        let inbox = self.0.lock().unwrap().pools[pool];
        inbox.receive(node, frame);
    }

    /// A frame comes to a node that no pool sent.
    pub(crate) fn forge_call(&self, node: &str, submitter: &str, frame: &[u8]) {
        let inbox = self.0.lock().unwrap().nodes[node].clone();
        inbox.receive(submitter, frame);
    }
}

/// The end of a pool.
pub(crate) struct OfPool {
    name: String,
    net: Net,
}

impl Transport for OfPool {
    fn send(&mut self, to: &str, frame: &[u8]) {
        let fate = self.net.fate(to, frame);
        let Some(node) = self.net.0.lock().unwrap().nodes.get(to).cloned() else {
            return;
        };
        if fate != Fate::IsLost {
            node.receive(&self.name, frame);
        }
        if fate == Fate::ArrivesTwice {
            node.receive(&self.name, frame);
        }
    }
}

impl Drop for OfPool {
    fn drop(&mut self) {
        let mut ends = self.net.0.lock().unwrap();
        ends.pools.remove(&self.name);
        let nodes: Vec<NodeInbox> = ends.nodes.values().cloned().collect();
        drop(ends);
        nodes.iter().for_each(|node| node.left(&self.name));
    }
}

/// The end of a node.
pub(crate) struct OfNode {
    name: String,
    net: Net,
}

impl Transport for OfNode {
    fn send(&mut self, to: &str, frame: &[u8]) {
        let fate = self.net.fate(to, frame);
        let pool = self.net.0.lock().unwrap().pools.get(to).copied();
        let Some(pool) = pool else { return };
        if fate != Fate::IsLost {
            pool.receive(&self.name, frame);
        }
        if fate == Fate::ArrivesTwice {
            pool.receive(&self.name, frame);
        }
    }
}

impl Drop for OfNode {
    fn drop(&mut self) {
        self.net.0.lock().unwrap().nodes.remove(&self.name);
        self.net.loses_sight_of(&self.name);
    }
}
