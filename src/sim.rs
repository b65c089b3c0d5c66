//! Virtual time and seeded interleavings on the desktop: the host [`SimHost`], and the world of its
//! threads, [`Simulation`].
//!
//! The threads of a simulation are std's, but exactly one of them runs at a time. It holds the
//! world, and no other thread has a name for it. So the world needs no lock.
//!
//! Invariants:
//!
//! - **One Runs.** The world goes from thread to thread by value. A thread without it waits for it,
//!   and touches nothing of the engine.
//! - **Between Sections.** A thread gives the world away only in calls of its host and of the test.
//!   The engine makes none of them inside a lock.
//! - **Said, Not Passed.** Time moves when a thread asks for it, or when no thread can run: never
//!   with the machine's clock.
//! - **Same Everywhere.** What the next thread is depends on the seed and the program alone. The
//!   hash of a trace is of 64-bit words: no address, no `usize`.
#![forbid(unsafe_code)]

mod baton;
mod chance;
mod simulation;
mod steps;
mod trace;
mod world;

pub use self::baton::SimThread;
pub use self::simulation::Simulation;
pub use self::trace::{Action, Event, Trace};

use core::time::Duration;

use self::world::Wait;
use crate::host::{Clock, Park, StdHost};
use crate::step::Step;

/// The host of simulated threads: the clock moves only when told, and a seed decides which thread
/// runs next. It has a [`Simulation`] to live in.
///
/// Its clock ticks in nanoseconds, as that of [`StdHost`]. So a `Duration` is a number of
/// ticks without rounding, and a time limit ends exactly at its date. It begins at 0.
///
/// # Panics
///
/// In a thread that belongs to no simulation, if it reads the clock, waits, or wakes a thread that
/// has not ended.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Clock, Executor, SimHost, Simulation, TaskError};
///
/// let simulation = Simulation::new();
/// let executor: Executor<0, 4, 64, SimHost> = Executor::new();
/// let (_promise, mut late) = executor.promise::<u32>().unwrap();
/// let hour = Duration::from_secs(3600);
/// assert_eq!(late.result_timeout(hour), Err(TaskError::TimedOut));
/// assert_eq!(SimHost::now(), 3_600_000_000_000); // at once
/// # drop(simulation);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SimHost;

impl SimHost {
    /// The calling task takes `duration`: time passes, and other simulated threads may run.
    ///
    /// Time goes from date to date, as far as threads wait for one before.
    ///
    /// # Context
    ///
    /// A thread of a simulation, the driving one included.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::{Clock, Executor, SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// let executor: Executor<0, 4, 64, SimHost> = Executor::new();
    /// executor.submit(|| SimHost::spend(Duration::from_micros(900))).unwrap().detach();
    /// assert!(executor.run_one());
    /// assert_eq!(SimHost::now(), 900_000);
    /// # drop(simulation);
    /// ```
    pub fn spend(duration: Duration) {
        let until = Self::now().saturating_add(ticks(duration));
        baton::wait(Wait::Date { until });
    }

    /// Another simulated thread may run here. Between two of these points, and the points of the
    /// host, a task is never interrupted.
    ///
    /// With a seed the next thread is drawn from all that can run, the calling one included.
    /// Without a seed the calling thread runs again after all others that can run now.
    ///
    /// # Context
    ///
    /// A thread of a simulation, the driving one included.
    ///
    /// ```
    /// use slotted::{SimHost, Simulation};
    ///
    /// let simulation = Simulation::new();
    /// simulation.spawn("other", || ()).unwrap();
    /// SimHost::let_others_run();
    /// assert_eq!(simulation.running_threads(), 0); // it has ended
    /// ```
    pub fn let_others_run() {
        baton::let_others_run();
    }
}

impl Park for SimHost {
    type Thread = SimThread;
    type Order = crate::order::Fifo;

    /// As on a board: the engine cannot count on an unparked thread to run soon, and wakes another
    /// worker for the next task.
    const FAIR: bool = false;

    /// Simulated workers keep the time of timetables: they wait for the next date.
    const KEEPS_TIME: bool = true;

    fn current() -> SimThread {
        baton::current()
    }

    /// That of the std thread: unique in the process. Executors only compare it, so that the trace
    /// does not depend on it.
    #[inline]
    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        baton::park(None);
    }

    fn unpark(thread: &SimThread) {
        baton::unpark(thread);
    }

    fn ready() {
        baton::ready();
    }

    /// A point too: another thread may run here, as after any instruction on a board. Outside of a
    /// simulation the step is lost.
    #[inline]
    fn note(step: impl FnOnce() -> Step) {
        baton::note(step);
    }

    /// The thread found nothing and is about to register: a point, and one look is enough.
    fn spin(_round: u32) -> bool {
        baton::point(None);
        false
    }

    /// The thread has registered, has looked for the last time and is about to park: a point.
    fn yield_now(_round: u32) -> bool {
        baton::point(None);
        false
    }
}

impl Clock for SimHost {
    const TICKS_PER_SECOND: u64 = 1_000_000_000;

    #[inline]
    fn now() -> u64 {
        baton::now()
    }

    fn park_until(deadline: u64) {
        baton::park(Some(deadline));
    }
}

/// The ticks of a duration; the end of time if that is longer.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
