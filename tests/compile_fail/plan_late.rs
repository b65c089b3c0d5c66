//! A worker that takes several levels does not preempt itself, so a task of a higher level is late.
//~ error-contains: error[E0080]
//~ error-contains: plan: control may end after 5691 us, its deadline is 5000 us
//~ error-contains: plan_late.rs:36
use core::time::Duration;
use slotted::plan::{Overhead, Plan, Task};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const OVERHEAD: Overhead = Overhead::NONE
    .run(Duration::from_nanos(8273))
    .section(Duration::from_nanos(3938));

const fn task(name: &'static str, level: usize, period: u64, cost: u64) -> Task {
    let task = Task::event(name).level(level);
    task.every(us(period)).at_most(us(cost))
}

const TASKS: Plan<4> = Plan::on(OVERHEAD)
    .task(task("sample", 3, 1000, 120))
    .task(task("control", 2, 5000, 900))
    .task(task("comm", 1, 20_000, 4000))
    .task(task("log", 0, 100_000, 3000));

// With a worker for `control`, it preempts the others.
const PLAN: Plan<4> = if cfg!(control) {
    TASKS.workers([3, 2, 0])
} else {
    TASKS.workers([3, 0])
};

const WORKERS: usize = if cfg!(control) { 3 } else { 2 };
// The line that the error names:
const _: () = PLAN.check_for(WORKERS, 5);

fn main() {}
