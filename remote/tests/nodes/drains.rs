//! Nodes that leave politely: nothing that they have begun is lost, and nothing runs twice.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::sync::mpsc;
use std::thread;

use slotted::error::Refusal;
use slotted::{Executor, Shutdown, StdThreads};
use slotted_remote::nodes::{ExecutorBackend, Node, NodeOptions, Nodes};
use slotted_remote::{RemoteError, Task};

use crate::net::{Fate, NEVER, Net, SOON};
use crate::table::{Manual, Square, until};
use crate::{LONG, remote};

const WELCOME: u8 = 2;
const REPLY: u8 = 5;

/// Shuts a node down in a thread of its own.
fn leaves(node: Node, how: Shutdown) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(move || node.shutdown(how))
}

/// Of a node that the pool knows by that name.
fn is_leaving<const NODES: usize>(pool: &'static Nodes<NODES, 8, 64>, node: &str) -> bool {
    let stats = pool.nodes();
    stats
        .iter()
        .any(|stats| stats.name == node && stats.is_leaving)
}

/// Waits until all frames have come that were due to the pool's first node.
fn await_delivery(net: &Net) {
    await_deliveries(net, 1);
}

/// As above, of so many pools: each sends its greeting of a later node after those frames.
pub(crate) fn await_deliveries(net: &Net, pools: usize) {
    let (tell, told) = mpsc::channel();
    net.decide(move |to, _| {
        if to == "mute" {
            let _ = tell.send(());
        }
        Fate::Arrives
    });
    net.sees("mute");
    for _ in 0..pools {
        told.recv().unwrap();
    }
    net.loses_sight_of("mute");
}

#[test]
fn a_draining_node_runs_what_has_come_and_later_calls_run_elsewhere() {
    static POOL: Nodes<3, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(1), Manual::new(2));
    let node = net.serve("left", left.clone(), NodeOptions::new().credits(2));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    let waits = POOL.submit(Square(2)).unwrap();
    until(|| left.came() == 1);
    await_delivery(&net);
    let next = POOL.submit(Square(3)).unwrap();
    let leaves = leaves(node, Shutdown::Drain);
    until(|| is_leaving(&POOL, "left"));
    assert_eq!(POOL.nodes()[0].room, 0);
    let _right = net.serve("right", right.clone(), NodeOptions::new().credits(1));
    until(|| right.came() == 1);
    right.run(0);
    assert_eq!(next.result(), Ok(9));
    assert!(!runs.done() && !waits.done() && !leaves.is_finished());
    left.run(0);
    until(|| left.came() == 2);
    left.run(1);
    assert_eq!((runs.result(), waits.result()), (Ok(1), Ok(4)));
    leaves.join().unwrap().unwrap();
    until(|| POOL.nodes().iter().all(|node| node.name == "right"));
    assert_eq!((left.came(), left.dropped()), (2, 0));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// It was on its way: the submitter has not heard of the drain.
#[test]
fn a_call_that_comes_during_the_drain_is_refused_and_runs_elsewhere() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(2), Manual::new(1));
    let node = net.serve("left", left.clone(), NodeOptions::new().credits(2));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    until(|| left.came() == 1);
    net.decide(|_, frame| {
        if frame[0] == WELCOME {
            Fate::IsLost
        } else {
            Fate::Arrives
        }
    });
    node.begin_shutdown(Shutdown::Drain);
    assert!(!is_leaving(&POOL, "left"));
    let late = POOL.submit(Square(2)).unwrap();
    until(|| is_leaving(&POOL, "left"));
    net.decide(|_, _| Fate::Arrives);
    assert_eq!((left.came(), late.done()), (1, false));
    let _right = net.serve("right", right.clone(), NodeOptions::new());
    until(|| right.came() == 1);
    right.run(0);
    assert_eq!(late.result(), Ok(4));
    left.run(0);
    assert_eq!(runs.result(), Ok(1));
    node.join().unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_that_leaves_with_cancel_gives_back_what_has_not_begun() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(1), Manual::new(1));
    let node = net.serve("left", left.clone(), NodeOptions::new().credits(2));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    let waits = POOL.submit(Square(2)).unwrap();
    until(|| left.came() == 1 && POOL.nodes()[0].under_way == 2);
    let leaves = leaves(node, Shutdown::Cancel);
    until(|| POOL.nodes()[0].under_way == 1);
    assert!(!waits.done());
    let _right = net.serve("right", right.clone(), NodeOptions::new());
    until(|| right.came() == 1);
    right.run(0);
    assert_eq!(waits.result(), Ok(4));
    left.run(0);
    assert_eq!(runs.result(), Ok(1));
    leaves.join().unwrap().unwrap();
    assert_eq!((left.came(), left.dropped()), (1, 0));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_that_leaves_with_stop_loses_what_runs() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    // A drain that takes too long becomes a stop.
    node.begin_shutdown(Shutdown::Drain);
    until(|| is_leaving(&POOL, "a"));
    node.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(runs.result(), remote(RemoteError::Lost));
    assert_eq!(manual.dropped(), 1);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Calls wait for its credits. They wait for another node then.
#[test]
fn calls_wait_for_another_node_when_the_only_one_drains() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let (first, second) = (Manual::new(1), Manual::new(8));
    let node = net.serve("first", first.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    let waiting = [2, 3, 4].map(|number| POOL.submit(Square(number)).unwrap());
    until(|| first.came() == 1);
    let leaves = leaves(node, Shutdown::Drain);
    until(|| is_leaving(&POOL, "first"));
    assert!(
        !POOL.wait_for(1, Duration::ZERO),
        "it does not serve any more"
    );
    first.run(0);
    assert_eq!(runs.result(), Ok(1));
    leaves.join().unwrap().unwrap();
    assert!(waiting.iter().all(|handle| !handle.done()));
    assert_eq!(first.came(), 1);
    let _node = net.serve("second", second.clone(), NodeOptions::new());
    until(|| second.came() == 3);
    (0..3).for_each(|at| second.run(at));
    let results = waiting.map(|handle| handle.result().unwrap());
    assert_eq!(results, [4, 9, 16]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_submitter_that_joins_during_the_drain_is_told_and_holds_nothing_up() {
    static EARLY: Nodes<1, 8, 64> = Nodes::new();
    static LATE: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("early", &EARLY, NEVER);
    let runs = EARLY.submit(Square(5)).unwrap();
    until(|| manual.came() == 1);
    let leaves = leaves(node, Shutdown::Drain);
    until(|| is_leaving(&EARLY, "a"));
    net.start("late", &LATE, NEVER);
    until(|| is_leaving(&LATE, "a"));
    let waits = LATE.submit(Square(6)).unwrap();
    assert!(!LATE.wait_for(1, Duration::ZERO));
    manual.run(0);
    assert_eq!(runs.result(), Ok(25));
    leaves.join().unwrap().unwrap();
    assert!(manual.came() == 1 && !waits.done());
    LATE.shutdown(Shutdown::Cancel).unwrap();
    assert!(waits.cancelled());
    EARLY.shutdown(Shutdown::Drain).unwrap();
}

/// It is gone, and so is its need of replies; another begins its next life meanwhile.
#[test]
fn submitters_that_leave_or_restart_during_the_drain_hold_nothing_up() {
    static GONE: Nodes<1, 8, 64> = Nodes::new();
    static RESTARTS: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(4);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("gone", &GONE, NEVER);
    net.start("restarts", &RESTARTS, NEVER);
    let lost = GONE.submit(Square(1)).unwrap();
    let kept = RESTARTS.submit(Square(2)).unwrap();
    until(|| manual.came() == 2);
    let leaves = leaves(node, Shutdown::Drain);
    until(|| is_leaving(&GONE, "a") && is_leaving(&RESTARTS, "a"));
    GONE.shutdown(Shutdown::Stop).unwrap();
    RESTARTS.shutdown(Shutdown::Stop).unwrap();
    assert!(lost.cancelled() && kept.cancelled());
    net.start("restarts", &RESTARTS, NEVER);
    leaves.join().unwrap().unwrap();
    assert_eq!(manual.dropped(), 2);
    RESTARTS.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_pool_and_its_node_drain_at_the_same_time() {
    // Until it is shut down it is full.
    static POOL: Nodes<1, 1, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(7)).unwrap();
    until(|| manual.came() == 1);
    thread::scope(|scope| {
        scope.spawn(|| POOL.shutdown(Shutdown::Drain).unwrap());
        until(|| {
            POOL.submit(Square(0))
                .is_err_and(|refused| refused.reason() == Refusal::ShutDown)
        });
        let leaves = leaves(node, Shutdown::Drain);
        until(|| POOL.nodes()[0].is_leaving);
        manual.run(0);
        leaves.join().unwrap().unwrap();
    });
    assert_eq!(runs.result(), Ok(49));
}

#[test]
fn a_call_that_is_cancelled_during_the_drain_holds_nothing_up() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(7)).unwrap();
    until(|| manual.came() == 1);
    let leaves = leaves(node, Shutdown::Drain);
    until(|| is_leaving(&POOL, "a"));
    until(|| runs.cancel());
    leaves.join().unwrap().unwrap();
    assert_eq!(manual.dropped(), 1);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The line to it is dead, and the transport does not say so.
#[test]
fn a_drain_with_a_time_limit_stops_when_a_submitter_does_not_answer() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(7)).unwrap();
    until(|| manual.came() == 1);
    net.decide(|_, _| Fate::IsLost);
    manual.run(0);
    let is_drained = node.shutdown_timeout(Shutdown::Drain, Duration::from_millis(250));
    assert!(!is_drained.unwrap());
    assert_eq!(runs.result(), remote(RemoteError::Lost));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_drain_with_a_time_limit_that_is_not_reached_loses_nothing() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(7)).unwrap();
    until(|| manual.came() == 1);
    manual.run(0);
    assert!(node.shutdown_timeout(Shutdown::Drain, LONG).unwrap());
    assert_eq!(runs.result(), Ok(49));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_whose_drain_is_interrupted_by_its_end_loses_what_runs_and_nothing_else() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (before, after) = (Manual::new(1), Manual::new(2));
    let node = net.serve("a", before.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    let waits = POOL.submit(Square(2)).unwrap();
    until(|| before.came() == 1);
    node.begin_shutdown(Shutdown::Drain);
    until(|| is_leaving(&POOL, "a"));
    drop(node);
    assert_eq!(runs.result(), remote(RemoteError::Lost));
    // The machine is back, under the same name.
    let _again = net.serve("a", after.clone(), NodeOptions::new());
    until(|| after.came() == 1);
    after.run(0);
    assert_eq!(waits.result(), Ok(4));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// The sessions are new, and the node's next life knows nothing of the drain.
#[test]
fn a_node_that_restarts_unseen_during_its_drain_serves_again() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let (before, after) = (Manual::new(1), Manual::new(1));
    let earlier = net.serve("a", before.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, SOON);
    let runs = POOL.submit(Square(1)).unwrap();
    until(|| before.came() == 1);
    earlier.begin_shutdown(Shutdown::Drain);
    until(|| is_leaving(&POOL, "a"));
    // From now on the frames go to the new node.
    let _later = net.serve("a", after.clone(), NodeOptions::new().credits(1));
    assert_eq!(runs.result(), remote(RemoteError::Restarted));
    let next = POOL.submit(Square(3)).unwrap();
    until(|| after.came() == 1);
    after.run(0);
    assert_eq!(next.result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
    drop(earlier);
}

/// How often each task of [`Once`] ran, in all rounds.
static RAN: AtomicUsize = AtomicUsize::new(0);

#[derive(serde::Serialize, serde::Deserialize)]
struct Once(usize);

impl Task for Once {
    const NAME: &str = "once/1";
    type Output = usize;

    fn run(self) -> usize {
        RAN.fetch_add(1, Ordering::Relaxed);
        self.0
    }
}

/// Frame by frame, each one of a drain is lost, and each one comes twice.
#[test]
fn whatever_frame_of_a_drain_is_lost_or_comes_twice_no_call_is_lost_and_none_runs_twice() {
    static POOL: Nodes<2, 16, 64> = Nodes::new();
    static EXECUTOR: Executor<1, 16> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let fates = [Fate::IsLost, Fate::ArrivesTwice];
    let frames = if cfg!(miri) { 1 } else { 14 };
    for (fate, at) in fates
        .iter()
        .flat_map(|fate| (0..frames).map(move |at| (*fate, at)))
    {
        let before = RAN.load(Ordering::Relaxed);
        let net = Net::default();
        let backend = || ExecutorBackend::<(Once,), 64>::new(&EXECUTOR);
        let node = net.serve("leaves", backend(), NodeOptions::new().credits(3));
        net.start("pool", &POOL, SOON);
        assert!(POOL.wait_for(1, LONG));
        let mut count = 0;
        net.decide(move |_, _| {
            count += 1;
            if count == at + 1 { fate } else { Fate::Arrives }
        });
        let handles: Vec<_> = (0..6).map(|n| POOL.submit(Once(n)).unwrap()).collect();
        let leaves = leaves(node, Shutdown::Drain);
        let stays = net.serve("stays", backend(), NodeOptions::new());
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.result(), Ok(n), "{fate:?} of frame {at}");
        }
        leaves.join().unwrap().unwrap();
        assert_eq!(
            RAN.load(Ordering::Relaxed),
            before + 6,
            "{fate:?} of frame {at}"
        );
        POOL.shutdown(Shutdown::Drain).unwrap();
        drop(stays);
    }
}

/// All that a kind of frame can do, while it is lost for a while.
#[test]
fn a_drain_whose_notice_or_replies_are_lost_for_a_while_goes_on_when_they_arrive() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    for lost in [WELCOME, REPLY] {
        let net = Net::default();
        let manual = Manual::new(1);
        let node = net.serve("a", manual.clone(), NodeOptions::new());
        net.start("pool", &POOL, SOON);
        let runs = POOL.submit(Square(3)).unwrap();
        until(|| manual.came() == 1);
        let (tell, told) = mpsc::channel();
        let mut left = 3;
        net.decide(move |_, frame| {
            if frame[0] == lost && left > 0 {
                left -= 1;
                let _ = tell.send(left);
                return Fate::IsLost;
            }
            Fate::Arrives
        });
        let leaves = leaves(node, Shutdown::Drain);
        manual.run(0);
        assert!((0..3).rev().all(|left| told.recv() == Ok(left)));
        assert_eq!(runs.result(), Ok(9));
        leaves.join().unwrap().unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
    }
}

/// The submitter has had its only reply long ago, and the node cannot know.
#[test]
fn an_idle_submitter_that_missed_the_notice_is_told_again() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let call = POOL.submit(Square(3)).unwrap();
    until(|| manual.came() == 1);
    manual.run(0);
    assert_eq!(call.result(), Ok(9));
    let mut is_first = true;
    net.decide(move |_, frame| {
        let is_lost = frame[0] == WELCOME && core::mem::take(&mut is_first);
        if is_lost { Fate::IsLost } else { Fate::Arrives }
    });
    node.shutdown(Shutdown::Drain).unwrap();
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Frames of a stranger come all the time. The node tells the submitter all the same.
#[test]
fn frames_that_come_all_the_time_do_not_keep_a_notice_back() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    let net = Net::default();
    let node = net.serve("a", Manual::new(1), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    until(|| POOL.nodes().iter().any(|node| node.room > 0));
    let mut is_first = true;
    net.decide(move |_, frame| {
        let is_lost = frame[0] == WELCOME && core::mem::take(&mut is_first);
        if is_lost { Fate::IsLost } else { Fate::Arrives }
    });
    let (inbox, stops) = (net.inbox_of("a"), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while stops.load(Ordering::Relaxed) == 0 {
                inbox.receive("stranger", b"no frame");
                thread::yield_now();
            }
        });
        let has_left = node.shutdown_timeout(Shutdown::Drain, Duration::from_secs(10));
        stops.store(1, Ordering::Relaxed);
        assert!(has_left.unwrap(), "the submitter was not told");
    });
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// Nodes come and drain in turn, over a bad line, while a pool has calls all the time.
#[test]
fn nodes_that_are_replaced_one_by_one_over_a_bad_line_run_each_task_once() {
    static POOL: Nodes<3, 16, 64> = Nodes::new();
    static EXECUTOR: Executor<2, 32> = Executor::new();
    static COUNTS: [AtomicUsize; 400] = [const { AtomicUsize::new(0) }; 400];

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Counted(usize);

    impl Task for Counted {
        const NAME: &str = "counted/1";
        type Output = usize;

        fn run(self) -> usize {
            COUNTS[self.0].fetch_add(1, Ordering::Relaxed);
            self.0
        }
    }

    EXECUTOR.start(&StdThreads::new()).unwrap();
    let (calls, lives) = if cfg!(miri) { (12, 2) } else { (400, 12) };
    let net = Net::default();
    let mut count = 0_u32;
    net.decide(move |_, _| {
        count += 1;
        match count % 11 {
            2 | 7 => Fate::IsLost,
            4 => Fate::ArrivesTwice,
            _ => Fate::Arrives,
        }
    });
    let serve = |life: usize| {
        let backend = ExecutorBackend::<(Counted,), 64>::new(&EXECUTOR);
        net.serve(
            &format!("life {life}"),
            backend,
            NodeOptions::new().credits(4),
        )
    };
    net.start("pool", &POOL, SOON);
    let mut node = serve(0);
    thread::scope(|scope| {
        let submits = scope.spawn(|| -> Vec<_> { POOL.map((0..calls).map(Counted)).collect() });
        for life in 1..=lives {
            let next = serve(life);
            core::mem::replace(&mut node, next)
                .shutdown(Shutdown::Drain)
                .unwrap();
        }
        let results = submits.join().unwrap();
        assert!(results.into_iter().eq((0..calls).map(Ok)));
    });
    let ran = COUNTS[..calls]
        .iter()
        .map(|ran| ran.load(Ordering::Relaxed));
    assert!(ran.into_iter().all(|ran| ran == 1));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// In the node's own thread a wait for the node's end would be one for itself.
#[test]
fn a_node_that_waits_for_its_own_end_is_told() {
    struct Waits(
        std::sync::Arc<std::sync::Mutex<Option<Node>>>,
        mpsc::Sender<io::ErrorKind>,
    );
    impl slotted_remote::nodes::Transport for Waits {
        fn send(&mut self, _to: &str, _frame: &[u8]) {
            let node = self.0.lock().unwrap().take();
            if let Some(node) = node {
                let error = node.shutdown(Shutdown::Drain).unwrap_err();
                self.1.send(error.kind()).unwrap();
            }
        }
    }
    let own = std::sync::Arc::default();
    let (tell, told) = mpsc::channel();
    let mut inbox = None;
    let connect = |from| {
        inbox = Some(from);
        Ok::<_, core::convert::Infallible>(Waits(std::sync::Arc::clone(&own), tell))
    };
    let node = Node::start(Manual::new(1), NodeOptions::new(), connect).unwrap();
    *own.lock().unwrap() = Some(node);
    let greeting = crate::lives::frame(1, 0, &[slotted_remote::PROTOCOL, 0, 64, 0, 1, 0, 0, 0]);
    inbox.unwrap().receive("pool", &greeting);
    assert_eq!(told.recv_timeout(LONG), Ok(io::ErrorKind::Deadlock));
}
