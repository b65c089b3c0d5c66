//! Delayed and periodic tasks, and sleeps: what the timetable promises.
//!
//! The clock is the test's own and moves only when the test says so.
#![cfg(feature = "std")]

mod against_a_model;
mod budgets;
mod found;
mod keeping;
mod lives;
mod moving;
mod owned;
mod owned_keeping;
mod budgets_found;
mod series;
mod sleeps;
mod tasks;
mod waiting;

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use slotted::{Clock, Executor, Park, StdHost, Timetable};

/// A host whose clock stands still until the test moves it. Each test has its own: it is the
/// thread's.
pub struct Manual;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static ALARMS: RefCell<Vec<Option<u64>>> = const { RefCell::new(Vec::new()) };
}

impl Manual {
    pub fn set(tick: u64) {
        NOW.with(|now| now.set(tick));
    }

    /// What the alarm was set to since the last call.
    pub fn alarms() -> Vec<Option<u64>> {
        ALARMS.with(|alarms| alarms.borrow_mut().drain(..).collect())
    }
}

impl Park for Manual {
    type Thread = std::thread::Thread;
    type Order = slotted::Fifo;
    fn current() -> std::thread::Thread {
        std::thread::current()
    }
    fn current_id() -> usize {
        StdHost::current_id()
    }
    fn park() {
        std::thread::park();
    }
    fn unpark(thread: &std::thread::Thread) {
        thread.unpark();
    }
}

impl Clock for Manual {
    const TICKS_PER_SECOND: u64 = 1000;
    fn now() -> u64 {
        NOW.with(Cell::get)
    }
    fn park_until(deadline: u64) {
        panic!("no test waits for {deadline}");
    }
    fn set_alarm(date: Option<u64>) {
        ALARMS.with(|alarms| alarms.borrow_mut().push(date));
    }
}

pub type Pool<const QUEUE: usize> = Executor<0, QUEUE, 256, Manual>;
pub type Times<const TIMERS: usize> = Timetable<TIMERS, Manual>;

/// An executor and a timetable for ever.
pub fn leak<const QUEUE: usize, const TIMERS: usize>()
-> (&'static Pool<QUEUE>, &'static Times<TIMERS>) {
    (
        Box::leak(Box::new(Pool::new())),
        Box::leak(Box::new(Times::new())),
    )
}

/// Moves the clock, moves what is due, and runs it. Returns how many tasks ran.
pub fn at<const QUEUE: usize, const TIMERS: usize>(
    tick: u64,
    pool: &Pool<QUEUE>,
    times: &Times<TIMERS>,
) -> usize {
    Manual::set(tick);
    times.advance();
    pool.run_until_idle()
}

/// Counts its drops.
#[derive(Clone, Default)]
pub struct Drops(Arc<AtomicUsize>);

impl Drops {
    /// A value whose drop counts.
    pub fn counted(&self) -> Counted {
        Counted(self.0.clone())
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A list that tasks write to.
#[derive(Clone, Default)]
pub struct Log(Arc<std::sync::Mutex<Vec<u64>>>);

impl Log {
    pub fn note(&self, entry: u64) {
        self.0.lock().unwrap().push(entry);
    }

    pub fn take(&self) -> Vec<u64> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}
