//! What the tests share: a host whose time the test moves, and one of threads.
#![allow(dead_code, reason = "each test uses some")]

use core::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use slotted::{Clock, Executor, Park, Spawn, SpinHost, StdHost, Step, Worker};

/// Is told each step, with its tick.
type Watcher = &'static (dyn Fn(u64, Step) + Sync);

/// By the address of the executor.
static WATCHERS: Mutex<Vec<(usize, Watcher)>> = Mutex::new(Vec::new());

/// From now on `watcher` is told the steps of that executor.
pub(crate) fn watch<T>(pool: &'static T, watcher: Watcher) {
    let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
    watchers.push((address(pool), watcher));
}

pub(crate) fn address<T>(pool: &'static T) -> usize {
    core::ptr::from_ref(pool).addr()
}

fn tell(tick: u64, step: Step) {
    let executor = match step {
        Step::Submitted { task, .. }
        | Step::Started { task, .. }
        | Step::Rested { task, .. }
        | Step::Woken { task, .. }
        | Step::Ended { task, .. }
        | Step::Cancelled { task, .. } => task.executor,
        Step::Refused { executor, .. }
        | Step::Idle { executor, .. }
        | Step::Busy { executor, .. } => executor,
        _ => panic!("a step that the test does not know"),
    };
    let watchers = { WATCHERS.lock() }
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for (_, watcher) in watchers.iter().filter(|(watched, _)| *watched == executor) {
        watcher(tick, step);
    }
}

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// One thread, whose clock only the test moves.
pub(crate) struct StageOf<const HERTZ: u64>;

/// A tick is a microsecond.
pub(crate) type Stage = StageOf<1_000_000>;

impl<const HERTZ: u64> Park for StageOf<HERTZ> {
    type Thread = ();
    type Order = slotted::Fifo;
    fn current() {}
    fn current_id() -> usize {
        SpinHost::current_id()
    }
    fn park() {
        SpinHost::park();
    }
    fn unpark((): &()) {}
    fn note(step: impl FnOnce() -> Step) {
        tell(Self::now(), step());
    }
}

impl<const HERTZ: u64> Clock for StageOf<HERTZ> {
    const TICKS_PER_SECOND: u64 = HERTZ;
    fn now() -> u64 {
        NOW.get()
    }
    fn park_until(deadline: u64) {
        set_now(deadline);
    }
}

/// Lets so many ticks pass.
pub(crate) fn pass(ticks: u64) {
    NOW.set(NOW.get().wrapping_add(ticks));
}

pub(crate) fn set_now(tick: u64) {
    NOW.set(tick);
}

/// Std's threads and clock, in nanoseconds.
pub(crate) struct Desktop;

static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

impl Park for Desktop {
    const FAIR: bool = true;
    type Thread = std::thread::Thread;
    type Order = slotted::Fifo;
    fn current() -> Self::Thread {
        StdHost::current()
    }
    fn current_id() -> usize {
        StdHost::current_id()
    }
    fn park() {
        StdHost::park();
    }
    fn unpark(thread: &Self::Thread) {
        StdHost::unpark(thread);
    }
    fn note(step: impl FnOnce() -> Step) {
        tell(Self::now(), step());
    }
}

impl Clock for Desktop {
    const TICKS_PER_SECOND: u64 = 1_000_000_000;
    fn now() -> u64 {
        u64::try_from(BEGAN.elapsed().as_nanos()).expect("the test ends before")
    }
    fn park_until(deadline: u64) {
        StdHost::park_until(StdHost::now() + deadline.saturating_sub(Self::now()));
    }
}

/// Keeps the workers for the test.
pub(crate) struct Keep<H: Park>(pub(crate) Mutex<Vec<Worker<'static, H>>>);

impl<H: Park> Keep<H> {
    /// Starts the executor and returns its workers.
    pub(crate) fn start<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize>(
        pool: &'static Executor<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Vec<Worker<'static, H>> {
        let keep = Self(Mutex::new(Vec::new()));
        pool.start(&keep).expect("it is not started");
        keep.0.into_inner().unwrap()
    }
}

impl<H: Park> Spawn<H> for Keep<H> {
    type Error = ();
    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), ()> {
        self.0.lock().unwrap().push(worker);
        Ok(())
    }
}
