//! Jobs of an event wait behind a long one, and each holds a slot.
//~ error-contains: error[E0080]
//~ error-contains: plan: QUEUE must be 5, it is 4
use core::time::Duration;
use slotted::Executor;
use slotted::plan::{Overhead, Plan, Task};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

static POOL: Executor<0, { if cfg!(control) { 5 } else { 4 } }> = Executor::new();

const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    .task(
        Task::event("frame")
            .every(ms(2))
            .at_most(ms(1))
            .deadline(ms(8)),
    )
    .task(Task::event("long").every(ms(50)).at_most(ms(6)));
const _: () = PLAN.check(&POOL);

fn main() {
    let _ = POOL.stats();
}
