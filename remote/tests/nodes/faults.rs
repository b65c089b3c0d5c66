//! Faults that were found once, each where two things meet: none comes back.

use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, mpsc};

use slotted::error::{Refusal, TaskError};
use slotted::{Executor, Shutdown, StdThreads};
use slotted_remote::nodes::{
    Backend, ExecutorBackend, Node, NodeOptions, Nodes, NodesInbox, NodesStartError, ReplyFuture,
    Transport,
};
use slotted_remote::{LineWorker, Link, PROTOCOL, RemoteError, TaskId, Timing, frame_bytes};

use crate::lives::{Silent, frame};
use crate::net::{Fate, NEVER, Net, SOON};
use crate::table::{Manual, Square, Table, Takes, until};
use crate::{LONG, remote};

/// How often a test of a race is tried.
const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

#[test]
fn a_call_is_not_answered_with_the_reply_of_an_earlier_session() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let (before, after) = (Manual::new(1), Manual::new(1));
    let earlier = net.serve("a", before.clone(), NodeOptions::new());
    net.start("pool", &POOL, SOON);
    let lost = POOL.submit(Square(1)).unwrap();
    until(|| before.came() == 1);
    // A restart that is not seen: the line begins another session by itself.
    let _later = net.serve("a", after.clone(), NodeOptions::new());
    assert_eq!(lost.result(), remote(RemoteError::Restarted));
    let two = POOL.submit(Square(2)).unwrap();
    until(|| after.came() == 1);
    after.run(0);
    assert_eq!(two.result(), Ok(4));
    // And the pool begins one, of which the node hears nothing else.
    net.loses_sight_of("a");
    net.sees("a");
    let five = POOL.submit(Square(5)).unwrap();
    until(|| after.came() == 2);
    after.run(1);
    assert_eq!(five.result(), Ok(25));
    POOL.shutdown(Shutdown::Drain).unwrap();
    drop(earlier);
}

#[test]
fn a_callback_runs_though_the_driver_polls_while_its_call_ends() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    static EXECUTOR: Executor<1, 16> = Executor::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let net = Net::default();
    let backend = ExecutorBackend::<Table, 64>::new(&EXECUTOR);
    let _node = net.serve("a", backend, NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    for round in 0..ROUNDS {
        let handle = POOL.submit(Square(1)).unwrap();
        // It ends at once, and the driver polls.
        let too_large = POOL.submit(Takes(vec![0; 64])).unwrap();
        handle
            .add_done_callback(|_| _ = CALLED.fetch_add(1, Ordering::Relaxed))
            .unwrap();
        drop((handle, too_large));
        until(|| CALLED.load(Ordering::Relaxed) == round + 1);
        until(|| POOL.stats().slots_in_use == 0);
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A transport that panics, without a word.
struct Bad;

impl Transport for Bad {
    fn send(&mut self, _to: &str, _frame: &[u8]) {
        resume_unwind(Box::new(()));
    }
}

#[test]
fn a_call_that_is_submitted_while_the_transport_panics_ends() {
    static POOL: Nodes<1, 64, 64> = Nodes::new();
    for _ in 0..ROUNDS {
        let mut inbox = None;
        let connect = |from| {
            inbox = Some(from);
            Ok::<_, Infallible>(Bad)
        };
        POOL.start(NEVER, connect).unwrap();
        let mut handles = vec![POOL.submit(Square(1)).unwrap()];
        inbox.unwrap().appeared("a");
        // Bound: the pool breaks, and says so.
        loop {
            match POOL.submit(Square(1)) {
                Ok(handle) => handles.push(handle),
                Err(refused) if refused.reason() == Refusal::Full => handles.truncate(1),
                Err(refused) => {
                    assert_eq!(refused.reason(), Refusal::Broken);
                    break;
                }
            }
        }
        for handle in handles {
            let result = handle.result();
            let lost = remote(RemoteError::Lost);
            assert!(
                result == Err(TaskError::Broken) || result == lost,
                "{result:?}"
            );
        }
    }
}

/// What a thread can be kept at.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn close(&self, is_closed: bool) {
        *self.0.0.lock().unwrap() = is_closed;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let is_closed = self.0.0.lock().unwrap();
        drop(
            self.0
                .1
                .wait_while(is_closed, |is_closed| *is_closed)
                .unwrap(),
        );
    }
}

#[test]
fn a_cancelled_call_that_was_not_sent_gives_its_room_to_the_next() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (gate, is_kept) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    let (keeps, says) = (gate.clone(), is_kept.clone());
    net.decide(move |to, _| {
        if to == "mute" {
            says.store(true, Ordering::Relaxed);
            keeps.pass();
        }
        Fate::Arrives
    });
    // The driver greets a node, and is kept at it.
    gate.close(true);
    net.sees("mute");
    until(|| is_kept.load(Ordering::Relaxed));
    let first = POOL.submit(Square(1)).unwrap();
    let second = POOL.submit(Square(2)).unwrap();
    until(|| first.cancel());
    gate.close(false);
    until(|| manual.came() == 1);
    manual.run(0);
    assert_eq!(second.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_cancelling_shutdown_cancels_a_call_that_would_be_tried_again() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, NEVER);
    let again = POOL.submit_retry(Square(5), 1).unwrap();
    let waits = POOL.submit(Square(6)).unwrap();
    until(|| manual.came() == 1);
    std::thread::scope(|scope| {
        scope.spawn(|| POOL.shutdown(Shutdown::Cancel).unwrap());
        until(|| waits.cancelled());
        net.loses_sight_of("a");
    });
    assert!(again.cancelled());
}

#[test]
fn a_cancelling_shutdown_without_a_node_ends_whatever_is_submitted_meanwhile() {
    static POOL: Nodes<1, 64, 64> = Nodes::new();
    for _ in 0..ROUNDS {
        POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent)).unwrap();
        let (tell, told) = mpsc::channel();
        let submits = std::thread::spawn(move || {
            let mut handles = Vec::new();
            // Bound: the pool is shut down.
            loop {
                match POOL.submit(Square(1)) {
                    Ok(handle) => handles.push(handle),
                    Err(refused) if refused.reason() == Refusal::ShutDown => return handles,
                    Err(_) => {
                        // It runs, and is full.
                        let _ = tell.send(());
                        handles.retain(|handle| !handle.cancel());
                    }
                }
            }
        });
        told.recv().unwrap();
        POOL.shutdown(Shutdown::Cancel).unwrap();
        for handle in submits.join().unwrap() {
            assert_eq!(handle.result(), Err(TaskError::Cancelled));
        }
    }
}

#[test]
fn a_node_that_becomes_another_version_ends_the_calls_under_way() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let nonce = Arc::new(Mutex::new([0; 4]));
    let noted = nonce.clone();
    net.decide(move |_, frame| {
        if frame[0] == 1 {
            noted.lock().unwrap().copy_from_slice(&frame[18..22]);
        }
        Fate::Arrives
    });
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let under_way = POOL.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    let welcome = |theirs: [u8; 4]| {
        let body = [&[PROTOCOL + 1, 1, 64, 0][..], &theirs, &[0; 4]].concat();
        frame(2, 0, &body)
    };
    // The answer to a greeting of another life says nothing.
    net.forge("pool", "a", &welcome([0xff; 4]));
    assert_eq!(POOL.nodes()[0].refused, None);
    let theirs = *nonce.lock().unwrap();
    net.forge("pool", "a", &welcome(theirs));
    assert_eq!(under_way.result(), remote(RemoteError::Lost));
    let theirs = PROTOCOL + 1;
    assert_eq!(
        POOL.nodes()[0].refused,
        Some(RemoteError::Version { theirs })
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A transport that panics, and hears of a node until it is gone.
struct Ghostly(NodesInbox);

impl Transport for Ghostly {
    fn send(&mut self, _to: &str, _frame: &[u8]) {
        resume_unwind(Box::new(()));
    }
}

impl Drop for Ghostly {
    fn drop(&mut self) {
        self.0.appeared("ghost");
    }
}

#[test]
fn what_a_transport_of_an_earlier_life_says_changes_nothing() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let mut inbox = None;
    let connect = |from| {
        inbox = Some(from);
        Ok::<_, Infallible>(Ghostly(from))
    };
    POOL.start(NEVER, connect).unwrap();
    let inbox = inbox.unwrap();
    inbox.appeared("a");
    until(|| {
        POOL.submit(Square(2))
            .is_err_and(|refused| refused.reason() == Refusal::Broken)
    });
    let net = Net::default();
    let _node = net.serve("real", Manual::new(1), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    inbox.appeared("ghost");
    inbox.vanished("real");
    assert!(POOL.wait_for(1, LONG));
    assert_eq!(POOL.nodes()[0].name, "real");
    POOL.shutdown(Shutdown::Drain).unwrap();
    inbox.appeared("ghost");
    assert!(POOL.nodes().is_empty());
}

#[test]
fn a_late_frame_of_a_submitter_that_is_gone_takes_no_place() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let _node = net.serve("a", Manual::new(1), NodeOptions::new().submitters(1));
    for kind in [3, 4] {
        net.forge_call("a", "gone", &frame(kind, 77, &[]));
    }
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A backend of the largest frames.
struct Large;

impl Backend<65_000> for Large {
    fn workers(&self) -> usize {
        1
    }

    fn capacity(&self) -> usize {
        1
    }

    fn call(&self, _id: TaskId, _argument: Vec<u8>) -> ReplyFuture {
        unreachable!("nobody calls")
    }
}

#[test]
#[cfg_attr(miri, ignore = "it is slow there")]
fn a_node_of_the_largest_frames_needs_no_large_stack() {
    let net = Net::default();
    let _node = net.serve("a", Large, NodeOptions::new());
    let greeting = frame(1, 0, &[PROTOCOL, 0, 64, 0, 1, 0, 0, 0]);
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let greets = small.spawn(move || net.forge_call("a", "pool", &greeting));
    greets.unwrap().join().unwrap();
}

#[test]
fn a_call_for_a_board_waits_until_a_cancelled_one_has_given_its_slot_back() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    static LINK: Link<1, 64> = Link::new();
    let net = Net::default();
    LINK.open(1, Timing::resend_after(1_000_000));
    let mut board: LineWorker<(Square,), 1, 64> = LineWorker::new(2);
    let mut bytes = [0; frame_bytes(64)];
    let _node = net.serve("a", &LINK, NodeOptions::new().credits(2));
    net.start("pool", &POOL, NEVER);
    let first = POOL.submit(Square(1)).unwrap();
    let mut to_board = |board: &mut LineWorker<(Square,), 1, 64>, frames: usize| {
        for _ in 0..frames {
            let mut len = None;
            until(|| {
                len = LINK.next(0, &mut bytes);
                len.is_some()
            });
            bytes[..len.unwrap()]
                .iter()
                .for_each(|&byte| board.push(byte));
        }
    };
    let from_board = |board: &mut LineWorker<(Square,), 1, 64>| {
        let mut bytes = [0; frame_bytes(64)];
        while let Some(len) = board.next(&mut bytes) {
            bytes[..len].iter().for_each(|&byte| LINK.push(0, byte));
        }
    };
    // The greeting, and the call.
    to_board(&mut board, 1);
    from_board(&mut board);
    to_board(&mut board, 1);
    let second = POOL.submit(Square(2)).unwrap();
    until(|| POOL.nodes()[0].under_way == 2);
    until(|| first.cancel());
    // That it is cancelled. Until the board answers, the link's only slot is in use.
    to_board(&mut board, 1);
    assert!(!second.done());
    from_board(&mut board);
    to_board(&mut board, 1);
    assert!(board.run_one());
    from_board(&mut board);
    assert_eq!(second.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_pool_whose_connecting_panicked_starts_again() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let panicked = catch_unwind(|| {
        POOL.start(NEVER, |_| -> Result<Silent, Infallible> {
            resume_unwind(Box::new(()))
        })
    });
    assert!(panicked.is_err());
    POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent)).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// A transport that drops its own node, in the node's own thread.
struct DropsNode(Arc<Mutex<Option<Node>>>, mpsc::Sender<()>);

impl Transport for DropsNode {
    fn send(&mut self, _to: &str, _frame: &[u8]) {
        drop(self.0.lock().unwrap().take());
    }
}

impl Drop for DropsNode {
    fn drop(&mut self) {
        let _ = self.1.send(());
    }
}

#[test]
fn a_node_that_is_dropped_in_its_own_thread_leaves() {
    let node = Arc::new(Mutex::new(None));
    let (tell, told) = mpsc::channel();
    let mut inbox = None;
    let connect = |from| {
        inbox = Some(from);
        Ok::<_, Infallible>(DropsNode(node.clone(), tell))
    };
    let started = Node::start(Manual::new(1), NodeOptions::new(), connect).unwrap();
    *node.lock().unwrap() = Some(started);
    let greeting = frame(1, 0, &[PROTOCOL, 0, 64, 0, 1, 0, 0, 0]);
    inbox.unwrap().receive("pool", &greeting);
    assert_eq!(told.recv_timeout(LONG), Ok(()));
}

/// It would answer each call at once, and so have the most room.
#[test]
fn a_node_whose_executor_is_shut_down_leaves_and_what_it_refused_runs_elsewhere() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    static EXECUTOR: Executor<1, 16> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let net = Net::default();
    let backend = ExecutorBackend::<Table, 64>::new(&EXECUTOR);
    let node = net.serve("a", backend, NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    EXECUTOR.shutdown(Shutdown::Drain).unwrap();
    let refused = POOL.submit(Square(3)).unwrap();
    node.join().unwrap();
    assert!(POOL.nodes().is_empty() && !refused.done());
    let manual = Manual::new(1);
    let _other = net.serve("b", manual.clone(), NodeOptions::new());
    until(|| manual.came() == 1);
    manual.run(0);
    assert_eq!(refused.result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_refused_call_runs_elsewhere_and_does_not_cancel_what_runs() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(2), Manual::new(1));
    let node = net.serve("left", left.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(3)).unwrap();
    let refused = POOL.submit(Square(4)).unwrap();
    until(|| left.came() == 2);
    left.end(1, Refusal::ShutDown.into());
    let _right = net.serve("right", right.clone(), NodeOptions::new());
    until(|| right.came() == 1);
    right.run(0);
    assert_eq!(refused.result(), Ok(16));
    assert!(!runs.done());
    left.run(0);
    assert_eq!(runs.result(), Ok(9));
    node.join().unwrap();
    assert_eq!(left.dropped(), 0);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_call_that_is_cancelled_after_an_unseen_restart_gives_its_credit_back() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let (before, after) = (Manual::new(1), Manual::new(1));
    let _earlier = net.serve("a", before.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, SOON);
    let first = POOL.submit(Square(1)).unwrap();
    until(|| before.came() == 1);
    // The new node hears of the cancelling alone.
    net.decide(|_, frame| {
        if frame[0] == 3 {
            Fate::IsLost
        } else {
            Fate::Arrives
        }
    });
    let _later = net.serve("a", after.clone(), NodeOptions::new().credits(1));
    until(|| first.cancel());
    net.decide(|_, _| Fate::Arrives);
    let second = POOL.submit(Square(2)).unwrap();
    until(|| after.came() == 1);
    after.run(0);
    assert_eq!(second.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_call_that_waits_for_a_slot_goes_on_when_the_board_is_lost() {
    static LINK: Link<1, 64> = Link::new();
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    frees_the_slot_of_a_dead_board(&LINK, &POOL, |now, bytes| _ = LINK.next(now, bytes));
}

#[test]
fn a_call_that_waits_for_a_slot_goes_on_when_the_link_is_opened_again() {
    static LINK: Link<1, 64> = Link::new();
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let opens = |_, _: &mut [u8]| LINK.open(7, Timing::resend_after(1_000_000));
    frees_the_slot_of_a_dead_board(&LINK, &POOL, opens);
}

/// The only slot of the link is that of a cancelled call, and the board will never answer it.
fn frees_the_slot_of_a_dead_board(
    link: &'static Link<1, 64>,
    pool: &'static Nodes<1, 4, 64>,
    frees: impl Fn(u64, &mut [u8]),
) {
    let net = Net::default();
    let timing = Timing::resend_after(1_000_000).lost_after(1_000);
    link.open(1, timing);
    let mut board: LineWorker<(Square,), 1, 64> = LineWorker::new(2);
    let mut bytes = [0; frame_bytes(64)];
    let _node = net.serve("a", link, NodeOptions::new().credits(2));
    net.start("pool", pool, NEVER);
    let first = pool.submit(Square(1)).unwrap();
    // The greeting and its answer, the call, and that it is cancelled.
    let mut second = None;
    for frame in 0..3 {
        let mut len = None;
        until(|| {
            len = link.next(0, &mut bytes);
            len.is_some()
        });
        bytes[..len.unwrap()]
            .iter()
            .for_each(|&byte| board.push(byte));
        while let Some(len) = board.next(&mut bytes).filter(|_| frame == 0) {
            bytes[..len].iter().for_each(|&byte| link.push(0, byte));
        }
        if frame == 1 {
            second = Some(pool.submit(Square(2)).unwrap());
            until(|| pool.nodes()[0].under_way == 2);
            until(|| first.cancel());
        }
    }
    frees(5_000, &mut bytes);
    // The second call has the slot, and greets.
    until(|| link.next(5_001, &mut bytes).is_some());
    drop(second);
    pool.shutdown(Shutdown::Stop).unwrap();
}

#[test]
fn a_long_message_of_a_panic_is_cut_and_not_an_error_of_its_size() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let handle = POOL.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    // The 64th byte is the second one of a character.
    let message = format!("{}é and more", "x".repeat(63));
    let panic = slotted::Panic::with_message(&message);
    manual.end(0, TaskError::Panicked(panic).into());
    let result = handle.result();
    let Err(TaskError::Panicked(panic)) = &result else {
        panic!("{result:?}");
    };
    assert_eq!(panic.message(), Some(&*"x".repeat(63)));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_second_start_is_refused_while_the_first_waits() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let inner = |_| {
        // The thread that starts would wait for itself.
        let again = POOL.start(NEVER, |_| Ok::<_, Infallible>(Silent));
        assert!(matches!(again, Err(NodesStartError::WouldDeadlock)));
        Ok::<_, Infallible>(Silent)
    };
    POOL.start(NEVER, inner).unwrap();
    assert!(!POOL.wait_for(1, Duration::ZERO));
    POOL.shutdown(Shutdown::Drain).unwrap();
}
