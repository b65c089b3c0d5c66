//! An executor with another number of workers than its plan.
//~ error-contains: error[E0080]
//~ error-contains: plan: WORKERS must be 2, it is 1
use core::time::Duration;
use slotted::Executor;
use slotted::plan::{Cost, Plan, Task};

static POOL: Executor<{ if cfg!(control) { 2 } else { 1 } }, 4> = Executor::new();

const BLINK: Task = Task::series("blink")
    .every(Duration::from_millis(500))
    .at_most(Duration::from_micros(10));

const PLAN: Plan<1> = Plan::on(Cost::CORTEX_M3.at_mhz(8))
    .task(BLINK)
    .workers([1, 0]);
const _: () = PLAN.check(&POOL);

fn main() {
    let _ = POOL.stats();
}
