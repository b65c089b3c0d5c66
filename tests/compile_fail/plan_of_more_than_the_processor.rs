//! Tasks that ask for more time than there is.
//~ error-contains: error[E0080]
//~ error-contains: plan: the tasks take 1100 thousandths of the processor's time, there are 1000
use core::time::Duration;
use slotted::plan::{Overhead, Plan, Task};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const PLAN: Plan<2> = Plan::on(Overhead::NONE)
    .task(Task::event("draw").every(ms(10)).at_most(ms(6)))
    .task(
        Task::event("send")
            .every(ms(20))
            .at_most(ms(if cfg!(control) { 4 } else { 10 })),
    );
const _: () = PLAN.check_for(1, 3);

fn main() {}
