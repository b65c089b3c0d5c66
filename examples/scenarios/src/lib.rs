//! Exercises what `slotted` promises, on a board: no `std`, any host with a clock.
//!
//! A board keeps a [`Suite`] in a `static`. It calls [`Suite::advance`] from the interrupt of its
//! clock, [`Suite::interrupt`] from that of a device which interrupts periodically, and
//! [`Suite::run`] from its main thread. Before the device runs, it calls [`Suite::sleep`]. The
//! suite prints one line per scenario and returns how many failed. A board with several cores runs
//! a [`Race`] too.
#![no_std]
#![forbid(unsafe_code)]

mod dates;
mod interrupts;
mod many;
mod one;
mod owned;
mod race;
mod tickless;

use core::fmt::{self, Write};

use slotted::{
    Clock, Executor, Ran, Refusal, Shutdown, ShutdownError, Spawn, StartError, SubmitError,
    TaskError, Timetable, error::CallbackError,
};

use self::interrupts::Armed;
use self::owned::{Anchored, Line, Owned};
pub use self::race::Race;
pub use self::tickless::Emulator;
use self::tickless::Sleeper;

/// The number of slots of the suite's executor.
pub const SLOTS: usize = 8;
/// The size of its slots.
pub const SLOT_BYTES: usize = 80;
/// The number of its timers.
const TIMERS: usize = 4;

/// The executor under test, and the work of its board's next interrupt.
pub struct Suite<const WORKERS: usize, H: Clock> {
    executor: Executor<WORKERS, SLOTS, SLOT_BYTES, H>,
    /// Another one, which has never started before its only scenario.
    unstarted: Executor<WORKERS, SLOTS, SLOT_BYTES, H>,
    armed: Armed<H>,
    /// A line whose owner is a loop.
    anchored: Owned<Anchored, H>,
    /// A line whose owner is the interrupt.
    driven: Owned<Line, H>,
    /// Timers, moved by [`advance`](Self::advance).
    times: Timetable<TIMERS, H>,
    /// What sleeps from date to date.
    sleeper: Sleeper<H>,
}

/// Why a scenario failed.
struct Failure(&'static str);

type Verdict = Result<(), Failure>;

/// Ends the scenario if the condition is false.
macro_rules! check {
    ($claim:expr) => {
        if !$claim {
            return Err(crate::Failure(concat!(
                "not ",
                stringify!($claim),
                " (",
                module_path!(),
                ", line ",
                line!(),
                ")"
            )));
        }
    };
}
use check;

impl<F> From<SubmitError<F>> for Failure {
    fn from(_: SubmitError<F>) -> Self {
        Self("a task was refused")
    }
}

impl From<Refusal> for Failure {
    fn from(_: Refusal) -> Self {
        Self("no slot was given")
    }
}

impl<F> From<CallbackError<F>> for Failure {
    fn from(_: CallbackError<F>) -> Self {
        Self("a callback was refused")
    }
}

impl From<TaskError> for Failure {
    fn from(_: TaskError) -> Self {
        Self("a task has no value")
    }
}

impl<E> From<StartError<E>> for Failure {
    fn from(_: StartError<E>) -> Self {
        Self("the workers did not start")
    }
}

impl From<ShutdownError> for Failure {
    fn from(_: ShutdownError) -> Self {
        Self("the workers did not leave")
    }
}

/// The board's ways to run workers.
struct Board<'b, S> {
    spawn: &'b S,
    /// Makes the worker of the main thread's loop, if there is one, look for a task once.
    turn: &'b dyn Fn() -> Ran,
}

/// A scenario: its name and its function.
type Scenario<const WORKERS: usize, H, S> = (
    &'static str,
    fn(&'static Suite<WORKERS, H>, &Board<'_, S>) -> Verdict,
);

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// A suite for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            executor: Executor::new(),
            unstarted: Executor::new(),
            armed: Armed::new(),
            anchored: Owned::new(),
            driven: Owned::new(),
            times: Timetable::new(),
            sleeper: Sleeper::new(),
        }
    }

    /// Runs all scenarios. `spawn` starts the workers. `turn` calls `run_one` of the worker that
    /// lives in the calling thread; without one it is `|| Ran::Left`.
    ///
    /// Returns how many scenarios failed.
    ///
    /// # Errors
    ///
    /// If a line cannot be written.
    pub fn run<S: Spawn<H>>(
        &'static self,
        spawn: &S,
        turn: impl Fn() -> Ran,
        out: &mut impl Write,
    ) -> Result<usize, fmt::Error> {
        let board = Board { spawn, turn: &turn };
        let scenarios: &[Scenario<WORKERS, H, S>] = &[
            ("submit, then take the result", Self::submit_and_result),
            ("a full executor hands the task back", Self::full),
            ("cancel a pending task", Self::cancel_pending),
            ("cancel a finished task", Self::cancel_finished),
            ("callbacks", Self::callbacks),
            ("nested wait", Self::nested_wait),
            ("map", Self::map),
            ("as_completed", Self::as_completed),
            ("wait", Self::wait),
            ("scope", Self::scope),
            ("every worker runs tasks", Self::every_worker),
            (
                "a promise kept by an interrupt",
                Self::promise_kept_by_interrupt,
            ),
            (
                "an async task woken by an interrupt",
                Self::future_woken_by_interrupt,
            ),
            (
                "tasks submitted by an interrupt",
                Self::submitted_by_interrupt,
            ),
            ("a driver in a loop owns its line", Self::owned_by_a_loop),
            (
                "a driver in an interrupt owns its line",
                Self::owned_by_an_interrupt,
            ),
            ("timeouts", Self::timeouts),
            ("tasks with dates", Self::delayed),
            ("a series", Self::series),
            ("a drain waits for no date", Self::drained),
            ("shut down and start again", Self::restart),
        ];
        let mut failed = 0;
        for (name, scenario) in scenarios {
            let verdict = scenario(self, &board)
                .and_then(|()| close(&self.executor, &board, Shutdown::Drain))
                .and_then(|()| {
                    check!(self.executor.stats().slots_in_use == 0);
                    Ok(())
                });
            match verdict {
                Ok(()) => writeln!(out, "ok {name}")?,
                Err(Failure(why)) => {
                    failed += 1;
                    writeln!(out, "FAILED {name}: {why}")?;
                    // The next scenario must begin with an idle executor.
                    let _ = close(&self.executor, &board, Shutdown::Cancel);
                }
            }
        }
        writeln!(out, "{} scenarios, {failed} failed", scenarios.len())?;
        Ok(failed)
    }

    /// Starts the workers, including that of the main thread.
    fn open<S: Spawn<H>>(&'static self, board: &Board<'_, S>) -> Verdict {
        self.executor.start(board.spawn)?;
        let _ = (board.turn)();
        Ok(())
    }
}

/// Shuts down. The main thread's own worker leaves first; only then the main thread waits for the
/// others.
fn close<const WORKERS: usize, H: Clock, S>(
    executor: &Executor<WORKERS, SLOTS, SLOT_BYTES, H>,
    board: &Board<'_, S>,
    pending: Shutdown,
) -> Verdict {
    executor.begin_shutdown(pending);
    while (board.turn)() != Ran::Left {
        core::hint::spin_loop();
    }
    executor.shutdown(pending)?;
    Ok(())
}

impl<const WORKERS: usize, H: Clock> Default for Suite<WORKERS, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORKERS: usize, H: Clock> fmt::Debug for Suite<WORKERS, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("executor", &self.executor)
            .finish_non_exhaustive()
    }
}
