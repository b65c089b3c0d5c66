//! The executor is first in, first out, and the plan counts on a level.
//~ error-contains: error[E0080]
//~ error-contains: plan: sample is of level 1, the executor has 1 level
use core::time::Duration;
use slotted::plan::{Overhead, Plan, Task};
use slotted::{Executor, Levels, Ordered, StdHost};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[cfg(control)]
static POOL: Executor<1, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
#[cfg(not(control))]
static POOL: Executor<1, 4, 64, Ordered<StdHost, Levels<1>>> = Executor::new();

const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    .task(
        Task::series("sample")
            .level(1)
            .every(us(1000))
            .at_most(us(120)),
    )
    .task(
        Task::series("log")
            .level(0)
            .every(us(100_000))
            .at_most(us(300)),
    );
const _: () = PLAN.check(&POOL);

fn main() {}
