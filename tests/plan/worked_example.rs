//! Four tasks, four ways to run them. The table was computed before this crate had a plan, by
//! another program; the plan must find each of its cells.

use core::time::Duration;

use slotted::plan::{Overhead, Plan, Task};

/// A plan counts whole units. This one is 1/128 of a microsecond, so that nothing is rounded.
const UNITS: u64 = 128;

const fn us(micros: u64) -> Duration {
    Duration::from_nanos(micros * UNITS)
}

/// The assumptions of the table: 353 instructions a job and a section of 168, of 1.5 cycles each,
/// at 64 MHz. The interrupts that submit take nothing: their part is in the job's.
const OVERHEAD: Overhead = Overhead::NONE
    .run(Duration::from_nanos(353 * 3 * UNITS / (2 * 64)))
    .section(Duration::from_nanos(168 * 3 * UNITS / (2 * 64)));

const fn tasks([sample, control, comm, log]: [usize; 4]) -> Plan<4> {
    const fn task(name: &'static str, level: usize, period: u64, cost: u64) -> Task {
        let task = Task::event(name).level(level);
        task.every(us(period)).at_most(us(cost))
    }
    Plan::on(OVERHEAD)
        .task(task("sample", sample, 1000, 120))
        .task(task("control", control, 5000, 900))
        .task(task("comm", comm, 20_000, 4000))
        .task(task("log", log, 100_000, 3000))
}

/// The bounds in whole microseconds, to the nearest as in the table, and the slots.
fn column(plan: &Plan<4>) -> ([u128; 4], usize) {
    let bounds = plan.bounds().expect("half of the processor is idle");
    let rounded = |index| {
        let bound = bounds.response(index).expect("a task").as_nanos();
        (bound + u128::from(UNITS / 2)) / u128::from(UNITS)
    };
    ([0, 1, 2, 3].map(rounded), bounds.slots())
}

/// The table counts tasks of the same level as more urgent. This crate's bound is that of first in,
/// first out, and less.
#[test]
fn one_level_first_in_first_out() {
    let as_in_the_table = [0, 1, 2, 3].map(|task| {
        let mut levels = [1; 4];
        levels[task] = 0;
        column(&tasks(levels)).0[task]
    });
    assert_eq!(as_in_the_table, [8965, 9083, 8570, 9735]);
    assert_eq!(column(&tasks([0; 4])), ([8057; 4], 13));
}

#[test]
fn four_levels_and_one_worker() {
    let plan = tasks([3, 2, 1, 0]);
    assert_eq!(column(&plan), ([4140, 5562, 8570, 9735], 9));
}

#[test]
fn the_sampler_on_a_worker_of_its_own() {
    let plan = tasks([3, 2, 1, 0]).workers([3, 0]);
    assert_eq!(column(&plan), ([132, 5690, 9211, 10_248], 5));
}

#[test]
fn three_workers_at_three_levels_of_preemption() {
    let plan = tasks([3, 2, 1, 0]).workers([3, 2, 0]);
    assert_eq!(column(&plan), ([132, 1169, 11_285, 11_285], 4));
}

#[test]
fn the_utilisation_of_the_table() {
    let bounds = tasks([0; 4]).bounds().expect("half is idle");
    // 0.54, and the overhead in it.
    assert_eq!(bounds.permille(), 541);
}
