//! A pool of nodes and its nodes, over a network inside the process.

mod drains;
mod faults;
mod lives;
mod net;
mod table;

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use slotted::error::{Refusal, TaskError};
use slotted::{Executor, JoinHandle, Shutdown, StdThreads, as_completed};
use slotted_remote::nodes::{ExecutorBackend, NodeOptions, Nodes, Reply};
use slotted_remote::{RemoteError, Task};

use net::{Fate, NEVER, Net, SOON};
use table::{Gives, Manual, Missing, Panics, Square, Table, Takes, until};

const LONG: Duration = Duration::from_secs(60);

fn remote<T>(error: RemoteError) -> Result<T, TaskError> {
    Err(TaskError::Remote(error))
}

/// The backend over an executor that is started here.
macro_rules! executor {
    ($workers:literal) => {{
        static EXECUTOR: Executor<$workers, 16> = Executor::new();
        EXECUTOR.start(&StdThreads::new()).unwrap();
        ExecutorBackend::<Table, 64>::new(&EXECUTOR)
    }};
}

#[test]
fn results_and_errors_of_tasks_come_back_each_to_its_own_handle() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let _node = net.serve("a", executor!(1), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    assert_eq!(POOL.submit(Square(7)).unwrap().result(), Ok(49));
    let panicked = POOL.submit(Panics("no".into())).unwrap().result();
    assert!(matches!(&panicked, Err(TaskError::Panicked(panic)) if panic.message() == Some("no")));
    assert_eq!(
        POOL.submit(Missing).unwrap().result(),
        remote(RemoteError::Unknown)
    );
    let too_large = remote(RemoteError::TooLarge);
    assert_eq!(POOL.submit(Gives(64)).unwrap().result(), too_large);
    assert_eq!(
        POOL.submit(Takes(vec![0; 64])).unwrap().result(),
        remote(RemoteError::TooLarge)
    );
    assert_eq!(POOL.submit(Gives(63)).unwrap().result(), Ok(vec![7; 63]));
    POOL.shutdown(Shutdown::Drain).unwrap();
    let refused = POOL.submit(Square(1)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    assert_eq!(refused.into_inner(), Square(1));
}

#[test]
fn map_and_as_completed_work_over_two_nodes_and_both_get_calls() {
    static POOL: Nodes<2, 16, 64> = Nodes::new();
    let net = Net::default();
    let _a = net.serve("a", executor!(1), NodeOptions::new());
    let _b = net.serve("b", executor!(1), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(2, LONG));
    let count = if cfg!(miri) { 20 } else { 200 };
    let squares: Vec<u64> = POOL
        .map((0..count).map(Square))
        .map(Result::unwrap)
        .collect();
    let expected: Vec<u64> = (0..count).map(|number| number * number).collect();
    assert_eq!(squares, expected);
    let handles = [1, 2, 3].map(|number| POOL.submit(Square(number)).unwrap());
    let sum: u64 = as_completed(handles)
        .map(|handle| handle.result().unwrap())
        .sum();
    assert_eq!(sum, 14);
    let completed: Vec<u64> = POOL.nodes().iter().map(|node| node.completed).collect();
    assert_eq!(completed.iter().sum::<u64>(), count + 3);
    assert!(
        completed.iter().all(|&completed| completed > 0),
        "{completed:?}"
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn the_items_of_a_chunk_are_one_call_of_a_node() {
    static POOL: Nodes<1, 4, 256> = Nodes::new();
    static EXECUTOR: Executor<1, 4> = Executor::new();
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let net = Net::default();
    let backend = ExecutorBackend::<Table, 64>::new(&EXECUTOR);
    let _node = net.serve("a", backend, NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let squares = POOL.map((0..10).map(Square)).chunksize::<4>();
    let squares: Vec<u64> = squares.map(Result::unwrap).collect();
    assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    assert_eq!(POOL.nodes()[0].completed, 3, "calls");
    let unknown = POOL.map([Missing, Missing]).chunksize::<2>();
    assert!(unknown.eq([remote(RemoteError::Unknown), remote(RemoteError::Unknown)]));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn tasks_wait_for_a_node_and_full_is_full() {
    static POOL: Nodes<2, 2, 64> = Nodes::new();
    let net = Net::default();
    net.start("pool", &POOL, NEVER);
    let handles = [1, 2].map(|number| POOL.submit(Square(number)).unwrap());
    let refused = POOL.submit(Square(3)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Full);
    assert!(handles.iter().all(|handle| !handle.done()));
    let _node = net.serve("a", executor!(1), NodeOptions::new());
    assert_eq!(handles.map(|handle| handle.result()), [Ok(1), Ok(4)]);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn the_node_with_the_most_room_gets_the_next_task() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (small, large) = (Manual::new(1), Manual::new(3));
    let _small = net.serve("small", small.clone(), NodeOptions::new().credits(1));
    let _large = net.serve("large", large.clone(), NodeOptions::new().credits(3));
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(2, LONG));
    let came = || (small.came(), large.came());
    let mut handles = Vec::new();
    // Of equals, the node that got the fewest.
    for (number, expected) in [(0, 1), (0, 2), (1, 2), (1, 3)].into_iter().enumerate() {
        handles.push(POOL.submit(Square(number as u64)).unwrap());
        until(|| small.came() + large.came() == number + 1);
        assert_eq!(came(), expected);
    }
    handles.extend((4..6).map(|number| POOL.submit(Square(number)).unwrap()));
    // Two wait in their slots. The node that gives room back gets one.
    small.run(0);
    until(|| small.came() == 2);
    assert_eq!(large.came(), 3);
    (0..3).for_each(|at| large.run(at));
    until(|| large.came() == 4);
    large.run(3);
    small.run(1);
    let squares = handles.into_iter().map(|handle| handle.result().unwrap());
    assert_eq!(squares.sum::<u64>(), 55);
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_that_is_gone_ends_what_ran_there_and_the_rest_runs_elsewhere() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(2), Manual::new(2));
    let node = net.serve("left", left.clone(), NodeOptions::new().credits(2));
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    let handles: Vec<_> = (0..4)
        .map(|number| POOL.submit(Square(number)).unwrap())
        .collect();
    until(|| left.came() == 2);
    drop(node);
    let _right = net.serve("right", right.clone(), NodeOptions::new().credits(2));
    until(|| right.came() == 2);
    (0..2).for_each(|at| right.run(at));
    let lost = || remote(RemoteError::Lost);
    let results: Vec<_> = handles.into_iter().map(|handle| handle.result()).collect();
    assert_eq!(results, [lost(), lost(), Ok(4), Ok(9)]);
    assert_eq!((left.dropped(), right.dropped()), (2, 0));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_task_that_asked_for_it_is_tried_again_on_another_node_and_no_other_is() {
    static POOL: Nodes<2, 8, 64> = Nodes::new();
    let net = Net::default();
    let (left, right) = (Manual::new(2), Manual::new(2));
    let _left = net.serve("left", left.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    assert!(POOL.wait_for(1, LONG));
    let again = POOL.submit_retry(Square(5), 1).unwrap();
    let once = POOL.submit(Square(6)).unwrap();
    until(|| left.came() == 2);
    net.loses_sight_of("left");
    let _right = net.serve("right", right.clone(), NodeOptions::new());
    until(|| right.came() == 1);
    right.end(0, Reply::failed(RemoteError::Crashed { signal: 11 }));
    assert_eq!(once.result(), remote(RemoteError::Lost));
    // Its one retry is used up.
    assert_eq!(again.result(), remote(RemoteError::Crashed { signal: 11 }));
    assert_eq!((left.came(), right.came()), (2, 1));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn cancelling_a_call_that_runs_tells_the_node_and_frees_its_credit() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let _node = net.serve("a", manual.clone(), NodeOptions::new().credits(1));
    net.start("pool", &POOL, NEVER);
    let runs = POOL.submit(Square(1)).unwrap();
    let waits = POOL.submit(Square(2)).unwrap();
    let next = POOL.submit(Square(3)).unwrap();
    until(|| manual.came() == 1);
    until(|| waits.cancel());
    until(|| runs.cancel());
    assert!(runs.cancelled() && waits.cancelled());
    until(|| manual.dropped() == 1 && manual.came() == 2);
    manual.run(1);
    assert_eq!(next.result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_submitter_that_is_gone_has_its_calls_cancelled_and_another_is_served() {
    static GONE: Nodes<1, 4, 64> = Nodes::new();
    static STAYS: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(4);
    let _node = net.serve("a", manual.clone(), NodeOptions::new().submitters(1));
    net.start("gone", &GONE, SOON);
    let lost = GONE.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    // The node has no place for a second submitter, which goes on asking and hears nothing.
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    net.decide(|to, _| {
        HEARD.fetch_add(usize::from(to == "stays"), Ordering::Relaxed);
        Fate::Arrives
    });
    net.start("stays", &STAYS, SOON);
    let served = STAYS.submit(Square(2)).unwrap();
    assert!(!STAYS.wait_for(1, Duration::from_millis(20)));
    assert_eq!(HEARD.load(Ordering::Relaxed), 0);
    GONE.shutdown(Shutdown::Stop).unwrap();
    assert!(lost.cancelled());
    until(|| manual.dropped() == 1 && manual.came() == 2);
    manual.run(1);
    assert_eq!(served.result(), Ok(4));
    STAYS.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn submitters_of_a_busy_node_take_turns() {
    static FIRST: Nodes<2, 4, 64> = Nodes::new();
    static SECOND: Nodes<2, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(1);
    let options = NodeOptions::new().submitters(2).credits(2);
    let _node = net.serve("a", manual.clone(), options);
    net.start("first", &FIRST, NEVER);
    net.start("second", &SECOND, NEVER);
    let begun = FIRST.submit(Square(1)).unwrap();
    until(|| manual.came() == 1);
    let waits = FIRST.submit(Square(2)).unwrap();
    let others = [3, 4].map(|number| SECOND.submit(Square(number)).unwrap());
    drains::await_deliveries(&net, 2);
    let mut came = Vec::new();
    for at in 0..4 {
        until(|| manual.came() == at + 1);
        came.push(manual.argument(at));
        manual.run(at);
    }
    assert_eq!(came, [[1], [3], [2], [4]]);
    let [third, fourth] = others.map(JoinHandle::result);
    assert_eq!((begun.result(), third), (Ok(1), Ok(9)));
    assert_eq!((waits.result(), fourth), (Ok(4), Ok(16)));
    FIRST.shutdown(Shutdown::Drain).unwrap();
    SECOND.shutdown(Shutdown::Drain).unwrap();
}

/// How often each task of [`Counted`] ran.
static RAN: [AtomicUsize; 300] = [const { AtomicUsize::new(0) }; 300];

#[derive(serde::Serialize, serde::Deserialize)]
struct Counted(usize);

impl Task for Counted {
    const NAME: &str = "counted/1";
    type Output = usize;

    fn run(self) -> usize {
        RAN[self.0].fetch_add(1, Ordering::Relaxed);
        self.0
    }
}

#[test]
fn frames_that_are_lost_or_come_twice_cost_time_and_no_task_runs_twice() {
    static POOL: Nodes<2, 16, 64> = Nodes::new();
    static EXECUTOR: Executor<2, 16> = Executor::new();
    let calls = if cfg!(miri) { 20 } else { 300 };
    EXECUTOR.start(&StdThreads::new()).unwrap();
    let net = Net::default();
    let mut count = 0_u32;
    net.decide(move |_, _| {
        count += 1;
        match count % 7 {
            2 | 5 => Fate::IsLost,
            3 => Fate::ArrivesTwice,
            _ => Fate::Arrives,
        }
    });
    let backend = || ExecutorBackend::<Counted, 64>::new(&EXECUTOR);
    let _a = net.serve("a", backend(), NodeOptions::new());
    let _b = net.serve("b", backend(), NodeOptions::new());
    net.start("pool", &POOL, SOON);
    let results: Vec<usize> = POOL
        .map((0..calls).map(Counted))
        .map(Result::unwrap)
        .collect();
    assert_eq!(results, (0..calls).collect::<Vec<usize>>());
    assert!(
        RAN[..calls]
            .iter()
            .all(|ran| ran.load(Ordering::Relaxed) == 1)
    );
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_node_whose_processes_crash_says_which_signal_it_was() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(3);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let ways = [
        RemoteError::Crashed { signal: 11 },
        RemoteError::TimeLimit,
        RemoteError::MemoryLimit,
    ];
    let handles = ways.map(|_| POOL.submit(Square(1)).unwrap());
    until(|| manual.came() == 3);
    for (at, way) in ways.into_iter().enumerate() {
        manual.end(at, Reply::failed(way));
    }
    for (handle, way) in handles.into_iter().zip(ways) {
        assert_eq!(handle.result(), remote(way));
    }
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn callbacks_and_awaits_of_calls_that_no_thread_waits_for_run() {
    static POOL: Nodes<1, 8, 64> = Nodes::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static AWAITS: Executor<1, 4, 128> = Executor::new();
    let net = Net::default();
    let _node = net.serve("a", executor!(1), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    AWAITS.start(&StdThreads::new()).unwrap();
    let handle = POOL.submit(Square(3)).unwrap();
    handle
        .add_done_callback(|_| _ = CALLED.fetch_add(1, Ordering::Relaxed))
        .unwrap();
    drop(handle);
    until(|| CALLED.load(Ordering::Relaxed) == 1);
    let four = POOL.submit(Square(4)).unwrap();
    let awaited = AWAITS
        .submit_future(async move { four.await.unwrap() + 1 })
        .unwrap();
    assert_eq!(awaited.result(), Ok(17));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_call_that_takes_too_long_ends_and_its_node_is_told() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    let net = Net::default();
    let manual = Manual::new(2);
    let _node = net.serve("a", manual.clone(), NodeOptions::new());
    net.start("pool", &POOL, NEVER);
    let unlimited = POOL.submit(Square(3)).unwrap();
    let within = Duration::from_millis(if cfg!(miri) { 2_000 } else { 20 });
    // On a busy machine the time may be up before the call is sent.
    until(|| {
        let late = POOL.submit_within(Square(2), within).unwrap();
        assert_eq!(late.result(), remote(RemoteError::TimeLimit));
        manual.dropped() > 0
    });
    assert!(!unlimited.done());
    manual.run(0);
    assert_eq!(unlimited.result(), Ok(9));
    POOL.shutdown(Shutdown::Drain).unwrap();
}

/// And no transport says that it is gone.
#[test]
fn a_node_that_is_cut_off_does_not_hold_a_call_with_a_limit() {
    static POOL: Nodes<1, 4, 64> = Nodes::new();
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let net = Net::default();
    let _node = net.serve("a", Manual::new(2), NodeOptions::new());
    net.start("pool", &POOL, SOON);
    assert!(POOL.wait_for(1, LONG));
    net.decide(|_, _| Fate::IsLost);
    // No thread waits for it: its callback runs all the same.
    let late = POOL
        .submit_within(Square(2), Duration::from_millis(10))
        .unwrap();
    late.add_done_callback(|outcome| {
        let limit = TaskError::Remote(RemoteError::TimeLimit);
        assert_eq!(outcome, Err(&limit));
        CALLED.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    until(|| CALLED.load(Ordering::Relaxed) == 1);
    drop(late);
    POOL.shutdown(Shutdown::Drain).unwrap();
}
