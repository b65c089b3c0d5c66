//! The compiler finds the bounds of plans as large as these, without the lint against constants
//! that take too long: it is an error by default, and nothing here allows it.

use core::time::Duration;

use slotted::plan::{Bounds, Overhead, Plan, PlanError, Task};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const NAMES: [&str; 16] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
];

/// Tasks of periods from 1 ms to 100 ms, on four levels.
const fn plan<const N: usize>(tasks: usize, permille: u64) -> Plan<N> {
    let overhead = Overhead::NONE.submit(us(6)).run(us(11)).section(us(8));
    let mut plan = Plan::on(overhead);
    let mut index = 0;
    while index < tasks {
        let period = 1000 + 99_000 * (index * index) as u64 / 225;
        let cost = period * permille / 1000 / tasks as u64;
        let task = Task::event(NAMES[index]).level(3 - index / 4);
        plan = plan.task(task.every(us(period)).at_most(us(cost)));
        index += 1;
    }
    plan.workers([3, 2, 0])
}

/// Sixteen tasks that take most of the processor.
const LARGE: Plan<16> = plan(16, 800);
const _: () = LARGE.check_for(3, 16);

/// The longest busy period that the compiler follows: the last step is taken, and the next refused.
const fn takes_all_steps<const N: usize>(plan: Plan<N>) {
    assert!(matches!(plan.bounds(), Err(PlanError::TooLong { .. })));
}

/// Each arrival of the first task, in the long busy period of the second, is looked at.
const FEW_TASKS: Plan<2> = Plan::on(Overhead::NONE)
    .task(
        Task::event("often")
            .every(Duration::from_nanos(11))
            .at_most(Duration::from_nanos(7)),
    )
    .task(
        Task::event("long")
            .every(us(1_000_000))
            .at_most(us(300_000)),
    );
const _: () = takes_all_steps(FEW_TASKS);

const fn many_tasks() -> Plan<64> {
    let mut plan = Plan::on(Overhead::NONE);
    let mut index = 0;
    while index < 64 {
        let task = Task::event("one of many").every(us(1009 + 13 * index * index));
        plan = plan.task(task.at_most(us(16 + index * index / 5)));
        index += 1;
    }
    plan
}
const _: () = takes_all_steps(many_tasks());

#[test]
fn the_compiler_and_a_test_find_the_same() {
    const BOUNDS: Bounds<16> = match LARGE.bounds() {
        Ok(bounds) => bounds,
        Err(_) => panic!("it has bounds"),
    };
    let bounds = LARGE.bounds().unwrap();
    for task in 0..16 {
        assert!(bounds.response(task).is_some());
        assert_eq!(BOUNDS.response(task), bounds.response(task));
    }
    assert_eq!(bounds.permille(), 847);
    assert_eq!((BOUNDS.slots(), bounds.slots()), (16, 16));
}

/// More steps than the compiler takes by itself are for tests.
#[test]
fn a_test_may_take_more_steps() {
    let error = many_tasks().bounds().unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: no bound for one of many after 100000 steps, with 986 thousandths of the processor \
         taken: see Plan::most_steps"
    );
    assert!(many_tasks().most_steps(100_000_000).bounds().is_ok());
}

/// A large plan is far from the limit.
#[test]
fn sixteen_tasks_take_a_sixth_of_the_steps() {
    assert!(LARGE.most_steps(100_000 / 6).bounds().is_ok());
}
