//! A pool of processes that works for a node.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use slotted::Shutdown;
use slotted::error::Refusal;
use slotted_remote::Timing;
use slotted_remote::nodes::{Node, NodeInbox, NodeOptions, Nodes, NodesInbox, Transport};
use slotted_remote::process::{Command, Processes};

use crate::part::{self, until};
use crate::table::{AwaitsFile, Square};

part::tests![
    a_draining_shutdown_of_the_processes_runs_the_calls_of_a_node,
    a_stopping_shutdown_of_the_processes_ends_the_calls_of_a_node,
];

/// The two ends of a line, as far as they are there.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<(Option<NodesInbox>, Option<NodeInbox>)>>);

struct OfPool(Ends);

impl Transport for OfPool {
    fn send(&mut self, _to: &str, frame: &[u8]) {
        let node = self.0.0.lock().unwrap().1.clone();
        if let Some(node) = node {
            node.receive("pool", frame);
        }
    }
}

struct OfNode(Ends);

impl Transport for OfNode {
    fn send(&mut self, _to: &str, frame: &[u8]) {
        let pool = self.0.0.lock().unwrap().0;
        if let Some(pool) = pool {
            pool.receive("node", frame);
        }
    }
}

impl Drop for OfNode {
    fn drop(&mut self) {
        let pool = self.0.0.lock().unwrap().0;
        if let Some(pool) = pool {
            pool.vanished("node");
        }
    }
}

/// Starts a pool whose only node is over the processes.
fn join(pool: &'static Nodes<1, 8, 128>, processes: &'static Processes<1, 8, 128>) -> Node {
    let ends = Ends::default();
    let of_node = |inbox| {
        ends.0.lock().unwrap().1 = Some(inbox);
        Ok::<_, Infallible>(OfNode(ends.clone()))
    };
    let node = Node::start(processes, NodeOptions::new(), of_node).unwrap();
    let of_pool = |inbox: NodesInbox| {
        ends.0.lock().unwrap().0 = Some(inbox);
        inbox.appeared("node");
        Ok::<_, Infallible>(OfPool(ends.clone()))
    };
    pool.start(Timing::resend_after(1_000_000), of_pool)
        .unwrap();
    node
}

fn a_draining_shutdown_of_the_processes_runs_the_calls_of_a_node() {
    static PROCESSES: Processes<1, 8, 128> = Processes::new();
    static POOL: Nodes<1, 8, 128> = Nodes::new();
    let command = Command::current_exe().grace(Duration::from_millis(100));
    PROCESSES.start(&command).unwrap();
    let node = join(&POOL, &PROCESSES);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("go");
    let runs = POOL
        .submit(AwaitsFile(file.to_str().unwrap().into()))
        .unwrap();
    let waits = POOL.submit(Square(4)).unwrap();
    until(|| POOL.nodes()[0].under_way == 2 && PROCESSES.stats().slots_in_use == 2);
    std::thread::scope(|scope| {
        scope.spawn(|| PROCESSES.shutdown(Shutdown::Drain).unwrap());
        until(|| match PROCESSES.submit(Square(1)) {
            Ok(early) => {
                assert!(
                    early.cancel(),
                    "the shutdown would wait for it, and not for the node"
                );
                false
            }
            Err(refused) => refused.reason() == Refusal::ShutDown,
        });
        std::fs::write(&file, "").unwrap();
    });
    assert_eq!((runs.result(), waits.result()), (Ok(()), Ok(16)));
    drop(node);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_stopping_shutdown_of_the_processes_ends_the_calls_of_a_node() {
    static PROCESSES: Processes<1, 8, 128> = Processes::new();
    static POOL: Nodes<1, 8, 128> = Nodes::new();
    // Not after this time, but at once.
    PROCESSES
        .start(&Command::current_exe().grace(Duration::from_secs(600)))
        .unwrap();
    let node = join(&POOL, &PROCESSES);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("never");
    let runs = POOL
        .submit(AwaitsFile(file.to_str().unwrap().into()))
        .unwrap();
    until(|| PROCESSES.stats().slots_in_use == 1);
    PROCESSES.shutdown(Shutdown::Stop).unwrap();
    assert!(runs.result().is_err());
    drop(node);
    POOL.shutdown(Shutdown::Cancel).unwrap();
}
