//! Priority levels: a worker for each, in an RTOS task of a priority that fits.

use freertos_host::{FreeRtosTasks, Refused};
use slotted::{Executor, Levels, Ordered, Shutdown, Spawn, Worker};

use crate::PRIORITY;
use crate::scenario::{Failure, Host, Verdict, check, tasks};
use crate::trace;

/// The host with three levels.
type Leveled = Ordered<Host, Levels<3>>;

static POOL: Executor<3, 8, 64, Leveled> = Executor::new();

/// Worker n serves level n and above. That of level 0 is less urgent than the main task, the others
/// are more urgent.
struct Tied;

impl Spawn<Leveled> for Tied {
    type Error = Refused;

    fn spawn(&self, worker: Worker<'static, Leveled>) -> Result<(), Refused> {
        let level = worker.index();
        let tasks: FreeRtosTasks<'_> = tasks([PRIORITY - 1, PRIORITY + 1, PRIORITY + 2][level]);
        tasks.spawn(match level {
            2 => worker.serve::<2>(),
            1 => worker.serve::<1>(),
            _ => worker,
        })
    }
}

fn submit(level: usize, task: fn()) {
    let submitted = match level {
        0 => POOL.submit(task),
        1 => POOL.level::<1>().submit(task),
        _ => POOL.level::<2>().submit(task),
    };
    submitted.expect("there is room").detach();
}

/// A task of level 1 interrupts one of level 0, and one of level 2 both. Each goes on where it was.
pub(crate) fn preempt() -> Verdict {
    POOL.start(&Tied)?;
    let low = POOL
        .submit(|| {
            trace::note("low begins");
            submit(1, || {
                trace::note("medium begins");
                submit(0, || trace::note("another low"));
                submit(2, || trace::note("urgent"));
                trace::note("medium ends");
            });
            trace::note("low ends");
        })
        .map_err(|_| Failure::new("it was refused"))?;
    trace::note("main task waits");
    low.result()?;
    POOL.shutdown(Shutdown::Drain)?;
    check!(trace::was(&[
        "main task waits",
        "low begins",
        "medium begins",
        "urgent",
        "medium ends",
        "low ends",
        "another low",
    ]));
    Ok(())
}
