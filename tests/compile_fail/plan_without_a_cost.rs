//! A task whose worst cost is missing.
//~ error-contains: error[E0080]
//~ error-contains: plan: a task has no cost: say `at_most`
use core::time::Duration;
use slotted::plan::{Overhead, Plan, Task};

const BLINK: Task = Task::series("blink").every(Duration::from_millis(500));

const PLAN: Plan<1> = Plan::on(Overhead::NONE).task(if cfg!(control) {
    BLINK.at_most(Duration::from_micros(10))
} else {
    BLINK
});
const _: () = PLAN.check_for(1, 1);

fn main() {}
