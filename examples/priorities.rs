//! Worker 1 runs all tasks, and worker 0 keeps free for urgent ones. On Linux its thread is
//! of the class `SCHED_FIFO`, if the process may have one: root may, or a user with an `rtprio`
//! limit.
//!
//! `cargo run --release --example priorities`

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::thread;
use std::time::Instant;

use slotted::{Executor, Levels, Ordered, Shutdown, Spawn, StdHost, Worker};

/// Std threads, whose tasks have two levels.
type Host = Ordered<StdHost, Levels<2>>;

static POOL: Executor<2, 64, 64, Host> = Executor::new();

/// Worker 0 serves level 1 only, in an urgent thread.
struct Threads;

impl Spawn<Host> for Threads {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, Host>) -> io::Result<()> {
        let number = worker.index();
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || {
                if number == 0 {
                    println!("worker 0: {}", become_urgent());
                    worker.serve::<1>().run();
                } else {
                    worker.run();
                }
            })
            .map(drop)
    }
}

/// Asks the system to run this thread before all ordinary ones. Returns what became of it.
#[cfg(unix)]
fn become_urgent() -> &'static str {
    use thread_priority::unix::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };
    use thread_priority::{ThreadPriority, ThreadPriorityValue};

    let lowest = ThreadPriorityValue::try_from(1_u8).expect("1 is a priority");
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let priority = ThreadPriority::Crossplatform(lowest);
    match set_thread_priority_and_policy(thread_native_id(), priority, policy) {
        Ok(()) => "SCHED_FIFO",
        Err(_) => "an ordinary thread, since SCHED_FIFO is not allowed",
    }
}

#[cfg(not(unix))]
fn become_urgent() -> &'static str {
    "an ordinary thread, since this is no Unix"
}

/// True once the urgent tasks are done.
static ENOUGH: AtomicBool = AtomicBool::new(false);

/// Computes until the urgent tasks are done.
fn compute() {
    while !ENOUGH.load(Ordering::Relaxed) {
        core::hint::spin_loop();
    }
}

fn main() {
    POOL.start(&Threads).expect("the system has two threads");
    // The first keeps the general worker busy, the others wait behind it.
    let low: Vec<_> = (0..50)
        .map(|_| POOL.submit(compute).expect("a slot is free"))
        .collect();
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        let submitted = Instant::now();
        let urgent = POOL.level::<1>().submit(move || submitted.elapsed());
        let waited = urgent
            .expect("a slot is free")
            .result()
            .expect("it does not panic");
        longest = longest.max(waited);
    }
    let left = low.iter().filter(|low| !low.done()).count();
    println!("each of 10 urgent tasks began within {longest:?}, and {left} others are not done");
    assert_eq!(left, 50, "the urgent ones overtook them");
    ENOUGH.store(true, Ordering::Relaxed);
    POOL.shutdown(Shutdown::Drain).expect("this is no worker");
}
