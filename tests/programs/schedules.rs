//! Seeded schedules of a body whose threads are shuttle's.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// Runs `body` under so many schedules: at random, or with changes of priority at so many steps.
pub(crate) fn runs(
    depth: Option<usize>,
    schedules: usize,
    seed: u64,
    body: impl Fn() + Send + Sync + 'static,
) {
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(20_000);
    config.silence_warnings = true;
    match depth {
        Some(depth) => {
            let scheduler = PctScheduler::new_from_seed(seed, depth, schedules);
            Runner::new(scheduler, config).run(body);
        }
        None => {
            let scheduler = RandomScheduler::new_from_seed(seed, schedules);
            Runner::new(scheduler, config).run(body);
        }
    }
}
