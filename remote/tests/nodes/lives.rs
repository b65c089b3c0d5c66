//! Starts, ends, and peers that are something else.

use core::convert::Infallible;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use slotted::Shutdown;
use slotted::error::{Refusal, ShutdownError, TaskError};
use slotted_remote::nodes::{
    ExecutorBackend, NodeOptions, Nodes, NodesInbox, NodesStartError, Transport,
};
use slotted_remote::{PROTOCOL, RemoteError};

use crate::net::{Fate, NEVER, Net, SOON};
use crate::table::{Manual, Square, Table, until};
use crate::{LONG, remote};

#[test]
fn a_pool_that_was_shut_down_starts_anew_and_forgets_its_nodes() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    for life in 0..3 {
        let net = Net::default();
        let manual = Manual::new(1);
        let node = net.serve("a", manual.clone(), NodeOptions::new());
        net.start("pool", &POOL, NEVER);
        let handle = POOL.submit(Square(life)).unwrap();
        until(|| manual.came() == 1);
        manual.run(0);
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(handle.result(), Ok(life * life));
        assert!(POOL.nodes().is_empty());
        drop(node);
    }
    assert_eq!(POOL.stats().slots_in_use, 0);
}

#[test]
fn cancelling_shutdowns_end_what_waits_and_stopping_ones_what_runs_too() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new().credits(1));
    for how in [Shutdown::Cancel, Shutdown::Stop] {
        net.start("pool", &POOL, NEVER);
        let before = manual.came();
        let runs = POOL.submit(Square(5)).unwrap();
        until(|| manual.came() == before + 1);
        let waits = POOL.submit(Square(6)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| POOL.shutdown(how).unwrap());
            until(|| waits.cancelled());
            if how == Shutdown::Cancel {
                manual.run(before);
            }
        });
        match how {
            Shutdown::Cancel => assert_eq!(runs.result(), Ok(25)),
            _ => until(|| runs.cancelled() && manual.dropped() == 1),
        }
    }
}

#[test]
fn a_start_that_fails_can_be_tried_again_and_a_second_one_is_refused() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let fails = |inbox: NodesInbox| {
        inbox.appeared("early");
        Err::<Silent, _>(io::Error::other("no line"))
    };
    let refused = POOL.start(NEVER, fails).unwrap_err();
    assert!(
        matches!(&refused, NodesStartError::Transport(error) if error.to_string() == "no line")
    );
    assert!(POOL.nodes().is_empty());
    assert_eq!(
        POOL.submit(Square(1)).unwrap_err().reason(),
        Refusal::ShutDown
    );
    POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent)).unwrap();
    let again = POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent));
    assert!(matches!(again, Err(NodesStartError::AlreadyStarted)));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A transport that carries nothing.
pub(crate) struct Silent;

impl Transport for Silent {
    fn send(&mut self, _to: &str, _frame: &[u8]) {}
}

/// A transport that panics.
struct Bad;

impl Transport for Bad {
    fn send(&mut self, _to: &str, _frame: &[u8]) {
        panic!("the transport of a test panics");
    }
}

#[test]
fn a_transport_that_panics_breaks_the_pool_and_no_call_waits_for_ever() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let mut inbox = None;
    POOL.start(NEVER, |from| {
        inbox = Some(from);
        Ok::<_, Infallible>(Bad)
    })
    .unwrap();
    let waits = POOL.submit(Square(1)).unwrap();
    inbox.unwrap().appeared("a");
    assert_eq!(waits.result(), Err(TaskError::Broken));
    until(|| matches!(POOL.submit(Square(2)), Err(refused) if refused.reason() == Refusal::Broken));
    // It starts anew.
    POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent)).unwrap();
    let handle = POOL.submit(Square(3)).unwrap();
    POOL.shutdown(Shutdown::Cancel).unwrap();
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
}

#[test]
fn shutting_down_in_a_callback_of_the_pools_own_thread_is_an_error() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let (tell, told) = std::sync::mpsc::channel();
    let handle = POOL.submit(Square(1)).unwrap();
    { handle.add_done_callback(move |_| tell.send(POOL.shutdown(Shutdown::Drain)).unwrap()) }
        .unwrap();
    until(|| manual.came() == 1);
    manual.run(0);
    assert_eq!(told.recv().unwrap(), Err(ShutdownError::WouldDeadlock));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A frame of the protocol: kind, lane, session, sequence, id, body.
pub(crate) fn frame(kind: u8, session: u32, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0];
    frame.extend(session.to_le_bytes());
    frame.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(body);
    frame
}

#[test]
fn a_node_of_another_version_is_named_and_not_used() {
    static POOL: Nodes<2, 4, 64> = Nodes::new();
    let net = Net::default();
    let nonce = Arc::new(Mutex::new(None));
    let noted = nonce.clone();
    net.decide(move |to, frame| {
        if to == "old" {
            *noted.lock().unwrap() = Some(frame[18..22].to_vec());
        }
        Fate::Arrives
    });
    net.start("pool", &POOL, NEVER);
    net.sees("old");
    until(|| nonce.lock().unwrap().is_some());
    let theirs = nonce.lock().unwrap().clone().unwrap();
    let body = [&[PROTOCOL + 1, 1, 64, 0][..], &theirs, &[0; 4]].concat();
    net.forge("pool", "old", &frame(2, 0, &body));
    let theirs = PROTOCOL + 1;
    let refused = POOL.nodes()[0].refused;
    assert_eq!(refused, Some(RemoteError::Version { theirs }));
    let handle = POOL.submit(Square(3)).unwrap();
    let manual = Manual::new(1);
    let _node = net.serve("good", manual.clone(), NodeOptions::new());
    until(|| manual.came() == 1);
    manual.run(0);
    assert_eq!(handle.result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn bytes_that_no_peer_of_ours_would_send_change_nothing() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let handle = POOL.submit(Square(4)).unwrap();
    until(|| manual.came() == 1);
    // A generator of numbers, so that the test is the same each time.
    let mut number = 1_u32;
    for length in 0..if cfg!(miri) { 20 } else { 2000 } {
        let bytes: Vec<u8> = (0..length % 100)
            .map(|_| {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (number >> 24) as u8
            })
            .collect();
        net.forge("pool", "a", &bytes);
        net.forge("pool", "nobody", &bytes);
        net.forge_call("a", "stranger", &bytes);
        for kind in 1..=6 {
            net.forge("pool", "a", &frame(kind, number, &bytes));
            net.forge_call("a", "stranger", &frame(kind, number, &bytes));
        }
    }
    manual.run(0);
    assert_eq!(handle.result(), Ok(16));
    assert_eq!(manual.came(), 1);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The node does not hear that its submitter has lost sight of it and found it again.
#[test]
fn a_node_that_was_out_of_sight_cancels_the_calls_of_the_session_before() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(2);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let lost = POOL.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    net.loses_sight_of("a");
    assert_eq!(lost.result(), remote(RemoteError::Lost));
    net.sees("a");
    let found = POOL.submit(Square(2)).unwrap();
    until(|| manual.came() == 2 && manual.dropped() == 1);
    manual.run(1);
    assert_eq!(found.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_that_restarted_unseen_tells_that_it_knows_nothing_of_the_call() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let (before, after) = (Manual::new(1), Manual::new(1));
    let earlier = net.serve("a", before.clone(), NodeOptions::new());
    net.start("pool", &POOL, SOON);
    let lost = POOL.submit(Square(1)).unwrap();
    until(|| before.came() == 1);
    // It takes the name of the one before, of whose end the pool hears nothing.
    let _later = net.serve("a", after.clone(), NodeOptions::new());
    assert_eq!(lost.result(), remote(RemoteError::Restarted));
    let next = POOL.submit(Square(2)).unwrap();
    until(|| after.came() == 1);
    after.run(0);
    assert_eq!(next.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
    drop(earlier);
}

#[test]
fn a_node_too_many_follows_when_another_is_gone() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let (first, second) = (Manual::new(1), Manual::new(1));
    let one = net.serve("one", first, NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    let _two = net.serve("two", second.clone(), NodeOptions::new());
    assert_eq!(POOL.nodes().len(), 1);
    drop(one);
    let handle = POOL.submit(Square(5)).unwrap();
    until(|| second.came() == 1);
    second.run(0);
    assert_eq!(handle.result(), Ok(25));
    assert!(!POOL.wait_for(2, Duration::from_millis(1)));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The program's own tasks fill the executor: calls of submitters wait for room there.
#[test]
fn a_node_waits_for_room_in_an_executor_that_others_use_too() {
    use slotted::{Executor, StdThreads};

    static POOL: Nodes<1, 4, 64> = Nodes::new();
    static EXECUTOR: Executor<1, 1> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let net = Net::default();
    let backend = ExecutorBackend::<Table, 64>::new(&EXECUTOR);
    let own = EXECUTOR.reserve().unwrap();
    let _node = net.serve("a", backend, NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let handle = POOL.submit(Square(6)).unwrap();
    until(|| POOL.nodes().iter().any(|node| node.under_way == 1));
    assert!(!handle.done());
    drop(own);
    assert_eq!(handle.result(), Ok(36));
    POOL.shutdown(Shutdown::Drain).unwrap();
}
