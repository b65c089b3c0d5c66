//! A task of a level that no worker serves.
//~ error-contains: error[E0080]
//~ error-contains: plan: no worker serves level 0 of log
use core::time::Duration;
use slotted::plan::{Overhead, Plan, Task};

const LOG: Task = Task::event("log")
    .every(Duration::from_millis(100))
    .at_most(Duration::from_millis(3));

const PLAN: Plan<1> = Plan::on(Overhead::NONE)
    .task(LOG)
    .workers([2, if cfg!(control) { 0 } else { 1 }]);
const _: () = PLAN.check_for(2, 1);

fn main() {}
