//! What a scenario is, and the list of all.

extern crate alloc;

use alloc::string::{String, ToString};
use core::error::Error;
use core::fmt::{self, Display, Write};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use freertos_host::{FreeRtosHost, FreeRtosTasks};
use freertos_next::{CurrentTask, FreeRtosUtils};
use slotted::{Clock, Executor, Ran};
use slotted_scenarios::Suite;

use crate::{
    PRIORITY, application, clock, heap, interrupt, levels, lives, preemption, seats, trace,
};

/// The host. The first notification of each task belongs to the application.
pub(crate) type Host = FreeRtosHost<1>;
pub(crate) type Pool<const WORKERS: usize> = Executor<WORKERS, 8, 64, Host>;

pub(crate) static SUITE: Suite<2, Host> = Suite::new();

pub(crate) type Verdict = Result<(), Failure>;

/// Why a scenario failed.
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Display) -> Self {
        Self(why.to_string())
    }
}

/// Any error of a call that must succeed.
impl<E: Error> From<E> for Failure {
    fn from(why: E) -> Self {
        Self::new(why)
    }
}

/// Ends the scenario if the condition is false.
macro_rules! check {
    ($claim:expr) => {
        if !$claim {
            return Err($crate::scenario::Failure::new(concat!(
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
pub(crate) use check;

/// Workers of a priority.
pub(crate) const fn tasks(priority: u8) -> FreeRtosTasks<'static> {
    FreeRtosTasks::new().stack_size(4096).priority(priority)
}

/// Waits for at most a second. Returns true if the condition becomes true.
pub(crate) fn soon(what: impl Fn() -> bool) -> bool {
    let end = Host::now() + Host::TICKS_PER_SECOND;
    while !what() {
        if Host::now() > end {
            return false;
        }
        CurrentTask::delay(freertos_next::Duration::ticks(1));
    }
    true
}

/// The number of tasks at rest: the main task and the idle task.
pub(crate) const RESTING: usize = 2;
/// The number of heap blocks that those two have.
static RESTING_BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// Waits until the other tasks have ended and the idle task has freed them. The idle task counts a
/// task off before it frees it.
pub(crate) fn comes_to_rest() -> bool {
    let blocks = RESTING_BLOCKS.load(Ordering::Relaxed);
    soon(|| FreeRtosUtils::get_number_of_tasks() == RESTING && heap::blocks() == blocks)
}

/// Longer than any step of a scenario takes.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The name of a scenario, and its function.
type Scenario = (&'static str, fn() -> Verdict);

/// Runs the scenarios of all boards, then those of this one. Returns how many failed.
pub(crate) fn run_all(out: &mut impl Write) -> Result<usize, fmt::Error> {
    let mut failed = 0;
    // At this point there is one more task. The worker that started before the scheduler has a
    // stack and a control block.
    RESTING_BLOCKS.store(heap::blocks() - 2, Ordering::Relaxed);
    // It comes before the others, because the overflow is near.
    failed += run(
        out,
        "a timeout while the kernel's count of ticks overflows",
        clock::overflow,
    )?;
    failed += SUITE.run(&tasks(PRIORITY), || Ran::Left, out)?;
    let own: &[Scenario] = &[
        ("an interrupt submits", interrupt::submits),
        (
            "an interrupt keeps a promise, and who waits for it goes on at once",
            interrupt::keeps_a_promise,
        ),
        ("an interrupt wakes an async task", interrupt::wakes),
        (
            "a worker of a higher priority preempts a task that computes",
            preemption::higher,
        ),
        (
            "a worker of a lower priority waits until others do",
            preemption::lower,
        ),
        (
            "two workers of one priority that never yield both go on",
            preemption::time_slices,
        ),
        (
            "three levels, each with a worker of its own priority",
            levels::preempt,
        ),
        (
            "the application's notifications stay its own",
            application::notifications,
        ),
        (
            "ten lives, and all tasks and all memory are given back",
            lives::restart,
        ),
        (
            "a worker for which there is no memory, then smaller ones",
            lives::refused,
        ),
        (
            "a start that needs the memory of workers that have just left",
            lives::tight,
        ),
        ("a task that is woken before it waits", seats::permits),
        (
            "more tasks wait than there are seats",
            seats::more_than_seats,
        ),
        (
            "a task that ended is woken, and its memory is another's",
            seats::woken_too_late,
        ),
        (
            "10000 tasks of the executor without an allocation",
            heap::none,
        ),
    ];
    for (name, scenario) in own {
        failed += run(out, name, *scenario)?;
    }
    writeln!(
        out,
        "{} scenarios of FreeRTOS, {failed} failed in all",
        own.len() + 1
    )?;
    Ok(failed)
}

fn run(out: &mut impl Write, name: &str, scenario: fn() -> Verdict) -> Result<usize, fmt::Error> {
    let verdict = scenario().and_then(|()| {
        check!(comes_to_rest() && trace::was(&[]));
        Ok(())
    });
    match verdict {
        Ok(()) => writeln!(out, "ok {name}").map(|()| 0),
        Err(Failure(why)) => writeln!(out, "FAILED {name}: {why}").map(|()| 1),
    }
}
