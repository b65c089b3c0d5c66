//! Nodes that work, and all the ways in which they end.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::Signal;
use slotted::error::{Refusal, TaskError};
use slotted::{Executor, ReturnWhen, Shutdown, StdThreads, wait};
use slotted_remote::RemoteError;
use slotted_remote::nodes::{ExecutorBackend, NodeOptions, Nodes, NodesStartError};

use crate::peer::{CREDITS, Peer, free_port, listening_at, runs, until};
use crate::proxy::Proxy;
use crate::table::{Abort, Endless, Marks, Pids, Square, Table};

const LONG: Duration = Duration::from_secs(60);

macro_rules! tests {
    ($($test:ident),+ $(,)?) => {
        pub(crate) fn tests() -> Vec<(&'static str, fn())> {
            vec![$((stringify!($test), $test as fn())),+]
        }
    };
}

tests![
    two_nodes_work_and_a_crash_costs_one_task,
    cancelling_a_task_that_runs_ends_its_process_on_the_node,
    a_node_that_is_killed_loses_what_ran_there_and_leaves_no_process,
    a_node_that_freezes_is_given_up_and_serves_again_when_it_wakes,
    a_node_that_is_cut_off_is_given_up_and_its_tasks_are_ended_there,
    a_submitter_that_leaves_has_its_tasks_ended,
    tasks_run_at_most_once_while_nodes_are_killed_and_others_come,
    a_node_of_threads_in_this_program_serves_too,
    names_and_endpoints_that_cannot_be_are_errors_and_a_pool_starts_again,
];

fn endpoint(port: u16) -> String {
    format!("tcp/127.0.0.1:{port}")
}

/// Starts a pool, and so many nodes of it. Returns where it listens.
fn start<const NODES: usize, const QUEUE: usize>(
    pool: &'static Nodes<NODES, QUEUE, 256>,
    name: &str,
    count: usize,
) -> (String, Vec<Peer>) {
    let endpoint = endpoint(free_port());
    slotted_zenoh::start(pool, name, listening_at(&endpoint)).unwrap();
    let peers: Vec<Peer> = (0..count).map(|_| Peer::start(name, &endpoint)).collect();
    assert!(pool.wait_for(count, LONG));
    (endpoint, peers)
}

fn lost<T>() -> Result<T, TaskError> {
    Err(TaskError::Remote(RemoteError::Lost))
}

/// A file in a folder of the test, as an argument.
fn file(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().into()
}

fn two_nodes_work_and_a_crash_costs_one_task() {
    static POOL: Nodes<2, 16, 256> = Nodes::new();
    let (_, peers) = start(&POOL, "two", 2);
    let squares: Vec<u64> = POOL.map((0..300).map(Square)).map(Result::unwrap).collect();
    assert_eq!(
        squares,
        (0..300).map(|number| number * number).collect::<Vec<u64>>()
    );
    let mut parents: Vec<u32> = POOL
        .map((0..50).map(|_| Pids))
        .map(|pids| pids.unwrap().1)
        .collect();
    parents.sort_unstable();
    parents.dedup();
    let mut ids = [peers[0].id(), peers[1].id()];
    ids.sort_unstable();
    assert_eq!(parents, ids);
    let handles = [POOL.submit(Abort).unwrap(), POOL.submit(Abort).unwrap()];
    let square = POOL.submit(Square(9)).unwrap();
    let crashed = Err(TaskError::Remote(RemoteError::Crashed { signal: 6 }));
    assert_eq!(
        handles.map(|handle| handle.result()),
        [crashed, Err(crash())]
    );
    assert_eq!(square.result(), Ok(81));
    POOL.shutdown(Shutdown::Drain).unwrap();
    peers.into_iter().for_each(Peer::leave);
}

fn crash() -> TaskError {
    TaskError::Remote(RemoteError::Crashed { signal: 6 })
}

fn cancelling_a_task_that_runs_ends_its_process_on_the_node() {
    static POOL: Nodes<1, 16, 256> = Nodes::new();
    let folder = tempfile::tempdir().unwrap();
    let (_, peers) = start(&POOL, "cancel", 1);
    let marks = ["a", "b"].map(|name| file(folder.path(), name));
    let handles = [0, 1].map(|at: usize| POOL.submit(Endless(marks[at].clone())).unwrap());
    until(|| marks.iter().all(|mark| Path::new(mark).exists()));
    let pids = marks.map(|mark| std::fs::read_to_string(mark).unwrap());
    assert!(pids.iter().all(|pid| runs(pid)));
    // Both processes are busy: the next waits.
    let next = POOL.submit(Square(5)).unwrap();
    handles.iter().for_each(|handle| until(|| handle.cancel()));
    assert!(handles.iter().all(|handle| handle.cancelled()));
    assert_eq!(next.result(), Ok(25));
    until(|| !pids.iter().any(|pid| runs(pid)));
    POOL.shutdown(Shutdown::Drain).unwrap();
    peers.into_iter().for_each(Peer::leave);
}

fn a_node_that_is_killed_loses_what_ran_there_and_leaves_no_process() {
    static POOL: Nodes<2, 32, 256> = Nodes::new();
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, mut peers) = start(&POOL, "killed", 1);
    let marks = ["a", "b"].map(|name| file(folder.path(), name));
    let endless = [0, 1].map(|at: usize| POOL.submit(Endless(marks[at].clone())).unwrap());
    until(|| marks.iter().all(|mark| Path::new(mark).exists()));
    // One more is at the node, and waits there. The others wait here.
    let squares: Vec<_> = (0..8)
        .map(|number| POOL.submit(Square(number)).unwrap())
        .collect();
    until(|| POOL.nodes()[0].under_way == usize::from(CREDITS));
    peers.remove(0).kill();
    let _other = Peer::start("killed", &endpoint);
    assert_eq!(endless.map(|handle| handle.result()), [lost(), lost()]);
    let results: Vec<_> = squares.into_iter().map(|handle| handle.result()).collect();
    assert_eq!(results[0], lost());
    let rest: Vec<_> = (1..8).map(|number| Ok(number * number)).collect();
    assert_eq!(results[1..], rest);
    let pids = marks.map(|mark| std::fs::read_to_string(mark).unwrap());
    until(|| !pids.iter().any(|pid| runs(pid)));
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn a_node_that_freezes_is_given_up_and_serves_again_when_it_wakes() {
    static POOL: Nodes<2, 16, 256> = Nodes::new();
    let folder = tempfile::tempdir().unwrap();
    let (_, peers) = start(&POOL, "frozen", 1);
    let mark = file(folder.path(), "a");
    let endless = POOL.submit(Endless(mark.clone())).unwrap();
    until(|| Path::new(&mark).exists());
    peers[0].signal(Signal::STOP);
    assert_eq!(endless.result(), lost());
    assert!(POOL.nodes().is_empty());
    let waits = POOL.submit(Square(6)).unwrap();
    peers[0].signal(Signal::CONT);
    assert_eq!(waits.result(), Ok(36));
    // It ends what it ran for the session before.
    let pid = std::fs::read_to_string(mark).unwrap();
    until(|| !runs(&pid));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_node_that_is_cut_off_is_given_up_and_its_tasks_are_ended_there() {
    static POOL: Nodes<2, 16, 256> = Nodes::new();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let proxy = Proxy::start(port);
    slotted_zenoh::start(&POOL, "cut", listening_at(&endpoint(port))).unwrap();
    let _peer = Peer::start("cut", &endpoint(proxy.port));
    assert!(POOL.wait_for(1, LONG));
    let mark = file(folder.path(), "a");
    let endless = POOL.submit(Endless(mark.clone())).unwrap();
    until(|| Path::new(&mark).exists());
    proxy.set_cut(true);
    assert_eq!(endless.result(), lost());
    // The node hears that its submitter is gone, in turn.
    let pid = std::fs::read_to_string(mark).unwrap();
    until(|| !runs(&pid));
    proxy.set_cut(false);
    assert_eq!(POOL.submit(Square(7)).unwrap().result(), Ok(49));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn a_submitter_that_leaves_has_its_tasks_ended() {
    static POOL: Nodes<1, 16, 256> = Nodes::new();
    let folder = tempfile::tempdir().unwrap();
    let (_, _peers) = start(&POOL, "leaves", 1);
    let mark = file(folder.path(), "a");
    let endless = POOL.submit(Endless(mark.clone())).unwrap();
    until(|| Path::new(&mark).exists());
    POOL.shutdown(Shutdown::Stop).unwrap();
    assert!(endless.cancelled());
    let pid = std::fs::read_to_string(mark).unwrap();
    until(|| !runs(&pid));
}

fn tasks_run_at_most_once_while_nodes_are_killed_and_others_come() {
    static POOL: Nodes<4, 64, 256> = Nodes::new();
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    const KILLS: u32 = 6;
    const TASKS: u32 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let marks = file(folder.path(), "marks");
    std::fs::write(&marks, "").unwrap();
    let (endpoint, mut peers) = start(&POOL, "storm", 2);
    let killer = std::thread::spawn(move || {
        for _ in 0..KILLS {
            let before: u64 = POOL.nodes().iter().map(|node| node.completed).sum();
            // Some tasks later.
            until(|| {
                let now: u64 = POOL.nodes().iter().map(|node| node.completed).sum();
                now != before || IS_DONE.load(Ordering::Relaxed)
            });
            peers.remove(0).kill();
            peers.push(Peer::start("storm", &endpoint));
            until(|| POOL.wait_for(2, Duration::from_secs(1)));
        }
        peers
    });
    let mut lost = 0;
    let mut done = Vec::new();
    for (number, result) in
        (0..).zip(POOL.map((0..TASKS).map(|number| Marks(marks.clone(), number))))
    {
        match result {
            Ok(answer) => {
                assert_eq!(answer, number);
                done.push(number);
            }
            Err(TaskError::Remote(RemoteError::Lost)) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    IS_DONE.store(true, Ordering::Relaxed);
    let _peers = killer.join().unwrap();
    let mut ran = BTreeMap::new();
    for line in std::fs::read_to_string(&marks).unwrap().lines() {
        *ran.entry(line.parse::<u32>().unwrap()).or_insert(0) += 1;
    }
    assert!(ran.values().all(|&times| times == 1), "a task ran twice");
    assert!(done.iter().all(|number| ran.contains_key(number)));
    assert!(lost <= KILLS * u32::from(CREDITS), "{lost} lost");
    POOL.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(POOL.stats().slots_in_use, 0);
}

fn a_node_of_threads_in_this_program_serves_too() {
    static POOL: Nodes<1, 8, 256> = Nodes::new();
    static EXECUTOR: Executor<2, 16> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let at = endpoint(free_port());
    let backend = ExecutorBackend::<Table, 256>::new(&EXECUTOR);
    let node = slotted_zenoh::serve(backend, "threads", listening_at(&at), NodeOptions::new());
    let config = slotted_zenoh::peer(&[], &[&at]).unwrap();
    slotted_zenoh::start(&POOL, "threads", config).unwrap();
    let mut handles = [1, 2, 3].map(|number| POOL.submit(Square(number)).unwrap());
    assert!(
        wait(&mut handles, ReturnWhen::AllCompleted)
            .not_done
            .is_empty()
    );
    assert_eq!(handles.map(|handle| handle.result()), [Ok(1), Ok(4), Ok(9)]);
    drop(node.unwrap());
    until(|| POOL.nodes().is_empty());
    POOL.shutdown(Shutdown::Drain).unwrap();
}

fn names_and_endpoints_that_cannot_be_are_errors_and_a_pool_starts_again() {
    static POOL: Nodes<1, 8, 256> = Nodes::new();
    let config = || slotted_zenoh::peer(&[], &[]).unwrap();
    for name in ["", "a/b", "*"] {
        let refused = slotted_zenoh::start(&POOL, name, config());
        let is_named = matches!(
            refused,
            Err(NodesStartError::Transport(slotted_zenoh::Error::PoolName(
                _
            )))
        );
        assert!(is_named, "{name:?}");
    }
    // The port is another's.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = endpoint(taken.local_addr().unwrap().port());
    let refused = slotted_zenoh::start(&POOL, "taken", listening_at(&at)).unwrap_err();
    assert!(matches!(
        refused,
        NodesStartError::Transport(slotted_zenoh::Error::Zenoh(_))
    ));
    assert_eq!(
        POOL.submit(Square(1)).unwrap_err().reason(),
        Refusal::ShutDown
    );
    slotted_zenoh::start(&POOL, "free", config()).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}
