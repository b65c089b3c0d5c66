//! A plan of tasks, checked when the program is compiled: no deadline is missed and the queue is
//! never full, or `cargo build` fails and says by how much.
//!
//! See the page [`planning`](crate::planning).
//!
//! ```
//! use core::time::Duration;
//! use slotted::Executor;
//! use slotted::plan::{Cost, Plan, Task};
//!
//! static POOL: Executor<0, 8> = Executor::new();
//!
//! const PLAN: Plan<2> = Plan::on(Cost::CORTEX_M3.at_mhz(64))
//!     .task(
//!         Task::series("control")
//!             .every(Duration::from_millis(5))
//!             .at_most(Duration::from_micros(900)),
//!     )
//!     .task(
//!         Task::event("frame")
//!             .every(Duration::from_millis(20))
//!             .at_most(Duration::from_micros(2500)),
//!     );
//! const _: () = PLAN.check(&POOL);
//!
//! // At run time: for a log, or a test.
//! println!("{PLAN}");
//! assert_eq!(PLAN.bounds().unwrap().slots(), 2);
//! ```
#![forbid(unsafe_code)]

mod analysis;
mod bounds;
mod error;
mod message;
mod overhead;
mod task;

use core::fmt;

use crate::executor::Executor;
use crate::host::Park;
use crate::order::Parts;

pub use bounds::Bounds;
pub use error::PlanError;
pub use overhead::{Cost, Overhead};
pub use task::Task;

use analysis::Analysis;
use task::{Kind, LEVELS};

/// What the bounds of a plan rest on. Nothing checks these.
pub const ASSUMPTIONS: &[&str] = &[
    "The plan has every task of the executor and every interrupt of its core, and the executor has \
     no other core.",
    "No task costs more than the plan says, and none comes more often.",
    "Tasks run to their end: they wait for no other task, run none in place, and raise none.",
    "Each event is submitted by an interrupt that is more urgent than every worker, and so is the \
     timetable advanced; what comes later is told as jitter.",
    "A worker of higher levels runs in a more urgent context than one of lower levels, preempts it \
     at once, and starts as soon as it has a task.",
    "No code on this core holds up a more urgent context for longer than the overhead's section.",
    "A task's result is taken or dropped within its cost; slots that are held for longer are told \
     as other slots.",
    "The overhead is not less than what executor and host take: the figures of Cost are observed \
     maxima and a tenth, in two cycles an instruction unless said otherwise.",
];

/// How many steps an analysis takes at most, unless said otherwise.
const MOST_STEPS: u64 = 100_000;

/// The tasks of an executor on one core, and the workers that run them.
///
/// `N` is how many tasks and interrupts it has room for: at most 64.
///
/// ```
/// use core::time::Duration;
/// use slotted::plan::{Cost, Plan, Task};
///
/// const fn us(micros: u64) -> Duration {
///     Duration::from_micros(micros)
/// }
///
/// const PLAN: Plan<4> = Plan::on(Cost::CORTEX_M3.at_mhz(64))
///     .task(Task::series("sample").level(3).every(us(1000)).at_most(us(120)))
///     .task(Task::series("control").level(2).every(us(5000)).at_most(us(900)))
///     .task(Task::event("comm").level(1).every(us(20_000)).at_most(us(4000)))
///     .task(Task::event("log").level(0).every(us(100_000)).at_most(us(3000)))
///     .workers([3, 2, 0]);
/// const _: () = PLAN.check_for(3, 4);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until it is checked"]
pub struct Plan<const N: usize> {
    tasks: [Task; N],
    count: usize,
    /// Bit `l` is set if a worker serves the levels from `l` on.
    workers: u32,
    overhead: Overhead,
    other_slots: usize,
    steps: u64,
}

impl<const N: usize> Plan<N> {
    /// A plan without tasks, for one worker that serves all levels.
    ///
    /// # Panics
    ///
    /// If `N` is more than 64; in a constant, that is a compile error, as for all calls here.
    pub const fn on(overhead: Overhead) -> Self {
        assert!(N <= 64, "plan: it has room for more than 64 tasks");
        Self {
            tasks: [Task::event(""); N],
            count: 0,
            workers: 1,
            overhead,
            other_slots: 0,
            steps: MOST_STEPS,
        }
    }

    /// Adds a task, or an interrupt.
    ///
    /// # Panics
    ///
    /// If there are `N`, if it has no period or no cost, or if it is a series whose deadline is
    /// after its next date.
    pub const fn task(mut self, task: Task) -> Self {
        assert!(self.count < N, "plan: there are more tasks than N: raise N");
        task.must_be_whole();
        self.tasks[self.count] = task;
        self.count += 1;
        self
    }

    /// The workers, in any order: for each the lowest level that it serves. It serves the higher
    /// ones too, as far as no more urgent worker is there for them.
    ///
    /// The worker of the highest levels must run in the most urgent context: an interrupt, or the
    /// most urgent task of an RTOS. An executor with `WORKERS = 0` that one loop drives has one
    /// worker, which serves level 0.
    ///
    /// # Panics
    ///
    /// If there is none, if two serve from the same level on (for several on one level no bound is
    /// known here), or if a level is above 31.
    ///
    /// ```
    /// # use slotted::plan::{Overhead, Plan};
    /// // An interrupt for levels 2 and 3, and a super-loop for the rest.
    /// const PLAN: Plan<8> = Plan::on(Overhead::NONE).workers([2, 0]);
    /// # let _ = PLAN;
    /// ```
    pub const fn workers<const W: usize>(mut self, serves: [usize; W]) -> Self {
        assert!(W > 0, "plan: there is no worker");
        self.workers = 0;
        let mut index = 0;
        while index < W {
            assert!(serves[index] < LEVELS, "plan: a level is at most 31");
            let bit = 1 << serves[index];
            assert!(
                self.workers & bit == 0,
                "plan: two workers of one core serve the same levels"
            );
            self.workers |= bit;
            index += 1;
        }
        self
    }

    /// Slots that are held by something else: results that no handle has taken, permits, promises,
    /// callbacks, tasks that are not in the plan because they never run beside it.
    ///
    /// ```
    /// # use slotted::plan::{Overhead, Plan};
    /// const PLAN: Plan<8> = Plan::on(Overhead::NONE).other_slots(2);
    /// assert_eq!(PLAN.bounds().unwrap().slots(), 2);
    /// ```
    pub const fn other_slots(mut self, slots: usize) -> Self {
        self.other_slots = slots;
        self
    }

    /// How many steps the analysis may take: one step is a look at one task. 100 000 suffice for
    /// most plans, and are few enough for the compiler. It refuses constants that take too long, by
    /// the lint `long_running_const_eval`: allow that, or check in a test.
    ///
    /// ```
    /// # use slotted::plan::{Overhead, Plan};
    /// const PLAN: Plan<32> = Plan::on(Overhead::NONE).most_steps(10_000_000);
    /// assert!(PLAN.bounds().is_ok());
    /// ```
    pub const fn most_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// The bound of each task, whether in time or not.
    ///
    /// # Errors
    ///
    /// If the tasks overload the processor, if no worker serves one of them, or if the steps do not
    /// suffice.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::{Overhead, Plan, PlanError, Task};
    /// const LOG: Task = Task::event("log")
    ///     .every(Duration::from_millis(2))
    ///     .at_most(Duration::from_millis(3));
    /// const PLAN: Plan<1> = Plan::on(Overhead::NONE).task(LOG);
    /// let error = PLAN.bounds().unwrap_err();
    /// assert!(matches!(error, PlanError::Overload { permille: 1500, .. }));
    /// ```
    pub const fn bounds(&self) -> Result<Bounds<N>, PlanError> {
        let mut analysis = Analysis::new(
            &self.tasks,
            self.count,
            self.workers,
            self.overhead,
            self.steps,
        );
        let permille = analysis.permille();
        if analysis.overloads() {
            return Err(PlanError::Overload { permille });
        }
        let mut responses = [0; N];
        let mut index = 0;
        while index < self.count {
            let task = &self.tasks[index];
            if !matches!(task.kind, Kind::Interrupt) {
                if self.workers.trailing_zeros() as usize > task.level {
                    return Err(PlanError::NotServed {
                        task: task.name,
                        level: task.level,
                    });
                }
                responses[index] = match analysis.response(index) {
                    Some(response) => response,
                    None => {
                        return Err(PlanError::TooLong {
                            task: task.name,
                            steps: self.steps,
                            permille,
                        });
                    }
                };
            }
            index += 1;
        }
        Ok(Bounds {
            plan: *self,
            responses,
            permille,
        })
    }

    /// Checks that with `workers` workers and `queue` slots each task ends in time, and the queue
    /// is never full.
    ///
    /// # Errors
    ///
    /// What does not hold.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::{Overhead, Plan, Task};
    /// const PLAN: Plan<1> = Plan::on(Overhead::NONE).task(
    ///     Task::event("burst")
    ///         .every(Duration::from_millis(2))
    ///         .jitter(Duration::from_millis(5))
    ///         .at_most(Duration::from_millis(1))
    ///         .deadline(Duration::from_millis(10)),
    /// );
    /// assert!(PLAN.verdict(1, 4).is_ok());
    /// let error = PLAN.verdict(1, 3).unwrap_err();
    /// assert_eq!(error.to_string(), "plan: QUEUE must be 4, it is 3");
    /// ```
    pub const fn verdict(&self, workers: usize, queue: usize) -> Result<(), PlanError> {
        let bounds = match self.bounds() {
            Ok(bounds) => bounds,
            Err(error) => return Err(error),
        };
        if let Err(late) = bounds.deadlines() {
            return Err(late);
        }
        let slots = bounds.slots();
        if slots > queue {
            return Err(PlanError::Full { slots, queue });
        }
        let planned = self.workers.count_ones() as usize;
        if planned != workers {
            return Err(PlanError::Workers { planned, workers });
        }
        Ok(())
    }

    /// Checks that an executor keeps every deadline of the plan, and is never full. In a constant,
    /// `cargo build` and `cargo check` fail if it does not.
    ///
    /// An executor with `WORKERS = 0` counts as one worker: the loop that drives it. One that has
    /// no [`Levels`](crate::Levels) takes no plan with levels.
    ///
    /// # Panics
    ///
    /// If it does not, with the numbers.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::Executor;
    /// # use slotted::plan::{Cost, Plan, Task};
    /// static POOL: Executor<1, 4> = Executor::new();
    /// const BLINK: Task = Task::series("blink")
    ///     .every(Duration::from_millis(500))
    ///     .at_most(Duration::from_micros(10));
    /// const _: () = Plan::<1>::on(Cost::CORTEX_M3.at_mhz(8)).task(BLINK).check(&POOL);
    /// ```
    #[track_caller]
    pub const fn check<const WORKERS: usize, const QUEUE: usize, const BYTES: usize, H: Park>(
        &self,
        _executor: &Executor<WORKERS, QUEUE, BYTES, H>,
    ) {
        if let Err(error) = self.fits(<H::Order as Parts>::LEVELS) {
            error.panic();
        }
        self.check_for(if WORKERS == 0 { 1 } else { WORKERS }, QUEUE);
    }

    /// Checks that an executor with so many levels has that of each task.
    const fn fits(&self, levels: usize) -> Result<(), PlanError> {
        let mut index = 0;
        while index < self.count {
            let task = &self.tasks[index];
            if !matches!(task.kind, Kind::Interrupt) && task.level >= levels {
                return Err(PlanError::NoLevel {
                    task: task.name,
                    level: task.level,
                    levels,
                });
            }
            index += 1;
        }
        Ok(())
    }

    /// As [`check`](Self::check), where no executor is at hand: for one with so many workers and
    /// slots, and with all levels.
    ///
    /// # Panics
    ///
    /// As [`check`](Self::check).
    #[track_caller]
    pub const fn check_for(&self, workers: usize, queue: usize) {
        if let Err(error) = self.verdict(workers, queue) {
            error.panic();
        }
    }
}

/// The bound of each task and the [`ASSUMPTIONS`], or why there are no bounds.
impl<const N: usize> fmt::Display for Plan<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bounds() {
            Ok(bounds) => bounds.fmt(formatter),
            Err(error) => error.fmt(formatter),
        }
    }
}
