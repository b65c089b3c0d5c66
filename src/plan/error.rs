//! Why a plan does not hold.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
use core::time::Duration;

use super::message::Message;

/// Why a plan does not hold. Its text is what the compiler says, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The tasks ask for more time than the processor has, so some of them fall behind without end.
    #[non_exhaustive]
    Overload {
        /// The thousandths of the processor's time that they ask for, rounded up.
        permille: u64,
    },
    /// No worker serves the level of a task.
    #[non_exhaustive]
    NotServed {
        /// Its name.
        task: &'static str,
        /// Its level.
        level: usize,
    },
    /// The executor has fewer levels than a task needs.
    #[non_exhaustive]
    NoLevel {
        /// Its name.
        task: &'static str,
        /// Its level.
        level: usize,
        /// How many levels there are.
        levels: usize,
    },
    /// The analysis has taken all its steps and knows no bound for a task.
    #[non_exhaustive]
    TooLong {
        /// Its name.
        task: &'static str,
        /// How many steps there were for all tasks.
        steps: u64,
        /// The thousandths of the processor's time that the tasks ask for.
        permille: u64,
    },
    /// A task may end after its deadline.
    #[non_exhaustive]
    Late {
        /// The name of the first of them.
        task: &'static str,
        /// How long after its event it may end.
        bound: Duration,
        /// How long after its event it must end.
        deadline: Duration,
        /// How many others may end after theirs.
        others: usize,
    },
    /// The tasks may need more slots than there are.
    #[non_exhaustive]
    Full {
        /// How many they may need.
        slots: usize,
        /// How many there are.
        queue: usize,
    },
    /// The executor has another number of workers than the plan.
    #[non_exhaustive]
    Workers {
        /// The number of the plan.
        planned: usize,
        /// The number of the executor.
        workers: usize,
    },
}

impl PlanError {
    pub(super) const fn message(&self) -> Message {
        let text = Message::new().text("plan: ");
        match *self {
            Self::Overload { permille } => text
                .text("the tasks take ")
                .number(permille)
                .text(" thousandths of the processor's time, there are 1000"),
            Self::NotServed { task, level } => text
                .text("no worker serves level ")
                .number(level as u64)
                .text(" of ")
                .name(task),
            Self::NoLevel {
                task,
                level,
                levels,
            } => text
                .name(task)
                .text(" is of level ")
                .number(level as u64)
                .text(", the executor has ")
                .number(levels as u64)
                .text(if levels == 1 { " level" } else { " levels" }),
            Self::TooLong {
                task,
                steps,
                permille,
            } => text
                .text("no bound for ")
                .name(task)
                .text(" after ")
                .number(steps)
                .text(" steps, with ")
                .number(permille)
                .text(" thousandths of the processor taken: see Plan::most_steps"),
            Self::Late {
                task,
                bound,
                deadline,
                others,
            } => {
                let text = text.name(task).text(" may end after ").times(
                    bound.as_nanos() as u64,
                    ", its deadline is ",
                    deadline.as_nanos() as u64,
                );
                match others {
                    0 => text,
                    1 => text.text("; 1 other task may be late, too"),
                    _ => text
                        .text("; ")
                        .number(others as u64)
                        .text(" other tasks may be late, too"),
                }
            }
            Self::Full { slots, queue } => text
                .text("QUEUE must be ")
                .number(slots as u64)
                .text(", it is ")
                .number(queue as u64),
            Self::Workers { planned, workers } => text
                .text("WORKERS must be ")
                .number(planned as u64)
                .text(", it is ")
                .number(workers as u64),
        }
    }

    /// Panics with the text: in a constant, a compile error.
    #[track_caller]
    pub(super) const fn panic(&self) -> ! {
        panic!("{}", self.message().as_str())
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(formatter)
    }
}

impl Error for PlanError {}
