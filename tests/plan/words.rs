//! What a plan says, word by word.

use core::time::Duration;

use slotted::Executor;
use slotted::plan::{ASSUMPTIONS, Cost, Overhead, Plan, PlanError, Task};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn task(name: &'static str, level: usize, period: u64, cost: u64) -> Task {
    let task = Task::series(name).level(level);
    task.every(us(period)).at_most(us(cost))
}

/// One worker for both: levels alone do not preempt.
const LATE: Plan<3> = Plan::on(Overhead::NONE)
    .task(task("sample", 1, 1000, 120))
    .task(task("log", 0, 100_000, 3000));

#[test]
fn a_task_that_may_be_late() {
    let error = LATE.verdict(1, 9).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: sample may end after 3120 us, its deadline is 1000 us"
    );
    let PlanError::Late {
        task,
        bound,
        deadline,
        others,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (task, bound, deadline, others),
        ("sample", us(3120), us(1000), 0)
    );
}

#[test]
fn several_tasks_that_may_be_late() {
    let two = LATE.task(task("control", 1, 2000, 300));
    assert_eq!(
        two.verdict(1, 9).unwrap_err().to_string(),
        "plan: sample may end after 3420 us, its deadline is 1000 us; 1 other task may be late, too"
    );
}

#[test]
fn a_deadline_may_be_shorter_or_longer_than_the_period() {
    let task = Task::event("burst")
        .every(us(10))
        .at_most(us(4))
        .jitter(us(25));
    let plan = |task| Plan::<1>::on(Overhead::NONE).task(task);
    // Three may come at once. The first of them is late by all of its jitter.
    assert_eq!(plan(task).bounds().unwrap().response(0), Some(us(29)));
    assert!(plan(task.deadline(us(29))).verdict(1, 3).is_ok());
    let error = plan(task.deadline(us(28))).verdict(1, 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: burst may end after 29 us, its deadline is 28 us"
    );
}

#[test]
fn too_few_slots_and_other_workers() {
    let plan = LATE.workers([1, 0]).other_slots(3);
    assert_eq!(plan.verdict(2, 5), Ok(()));
    let error = plan.verdict(2, 4).unwrap_err();
    assert_eq!(error.to_string(), "plan: QUEUE must be 5, it is 4");
    let error = plan.verdict(1, 5).unwrap_err();
    assert_eq!(error.to_string(), "plan: WORKERS must be 2, it is 1");
}

#[test]
fn an_executor_without_workers_has_one_that_drives_it() {
    static DRIVEN: Executor<0, 1> = Executor::new();
    const _: () = Plan::<1>::on(Overhead::NONE)
        .task(task("blink", 0, 1000, 10))
        .check(&DRIVEN);
}

#[test]
fn a_level_that_no_worker_serves() {
    let error = LATE.workers([1]).verdict(1, 9).unwrap_err();
    assert_eq!(error.to_string(), "plan: no worker serves level 0 of log");
}

#[test]
fn more_than_the_processor_has() {
    let plan = LATE.task(task("draw", 0, 10_000, 8600));
    let error = plan.verdict(1, 9).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plan: the tasks take 1010 thousandths of the processor's time, there are 1000"
    );
}

/// Nothing is idle, and still each has a bound: the busy period ends when their dates meet again.
#[test]
fn all_that_the_processor_has() {
    let plan = Plan::<2>::on(Overhead::NONE)
        .task(task("half", 1, 10, 5))
        .task(task("other half", 0, 14, 7));
    assert_eq!(plan.bounds().unwrap().response(1), Some(us(12)));
}

#[test]
fn the_longest_times_do_not_overflow() {
    let days = Duration::from_nanos(1 << 50);
    let longest = Overhead::NONE.section(days).context(days / 200);
    let mut plan = Plan::<64>::on(longest).most_steps(10_000_000);
    for _ in 0..64 {
        let task = Task::event("rare").every(days).jitter(days);
        plan = plan.task(task.at_most(days / 200).deadline(days));
    }
    let bounds = plan.bounds().unwrap();
    assert!(bounds.permille() > 950);
    let response = bounds.response(63).unwrap();
    assert!(response > days * 2 && response < days * 64, "{response:?}");
}

#[test]
#[should_panic(expected = "longer than the thirteen days")]
fn a_time_beyond_the_longest_is_refused() {
    let _ = task("rare", 0, (1 << 50) / 1000 + 1, 1);
}

#[test]
#[should_panic(expected = "its deadline is at most its period")]
fn a_series_with_a_late_deadline_is_refused() {
    let late = task("blink", 0, 1000, 10).deadline(us(1001));
    let _ = Plan::<1>::on(Overhead::NONE).task(late);
}

#[test]
#[should_panic(expected = "two workers of one core serve the same levels")]
fn two_workers_of_the_same_levels_are_refused() {
    let _ = LATE.workers([0, 0]);
}

#[test]
#[should_panic(expected = "raise N")]
fn a_task_too_many_is_refused() {
    let _ = Plan::<0>::on(Overhead::NONE).task(task("blink", 0, 1000, 10));
}

#[test]
fn a_plan_prints_its_bounds_and_what_it_assumes() {
    let text = LATE
        .task(Task::interrupt("UART").every(us(1000)).at_most(us(3)))
        .to_string();
    let mut lines = text.lines();
    for expected in [
        "plan: 2 slots, 153 thousandths of the processor",
        "  sample: a series of level 1, every 1ms, at most 120µs, slots 1; ends after 3.132ms, \
         deadline 1ms, LATE",
        "  log: a series of level 0, every 100ms, at most 3ms, slots 1; ends after 3.132ms, \
         deadline 100ms",
        "  UART: an interrupt, every 1ms, at most 3µs",
        "The bounds hold if:",
    ] {
        assert_eq!(lines.next(), Some(expected));
    }
    let assumptions: Vec<String> = ASSUMPTIONS
        .iter()
        .map(|text| format!("  - {text}"))
        .collect();
    assert_eq!(lines.collect::<Vec<_>>(), assumptions);
    assert_eq!(assumptions.len(), 8);
}

#[test]
fn a_plan_without_bounds_prints_why() {
    let plan = Plan::<1>::on(Overhead::NONE.run(us(1900))).task(task("fast", 0, 1000, 100));
    // A series has an overhead of its own.
    assert!(plan.bounds().is_ok());
    let plan = Plan::<1>::on(Overhead::NONE.run_of_a_series(us(1900)));
    assert_eq!(
        plan.task(task("fast", 0, 1000, 100)).to_string(),
        "plan: the tasks take 2000 thousandths of the processor's time, there are 1000"
    );
}

const PAGE: &str = include_str!("../../src/docs/planning.md");

/// The program of the page that does not compile, and what the compiler says.
#[test]
fn the_page_shows_the_words_of_an_error() {
    static POOL: Executor<0, 4> = Executor::new();
    let frame = Task::event("frame").every(us(20_000)).at_most(us(4000));
    let plan = Plan::<3>::on(Cost::CORTEX_M3.at_mhz(64))
        .task(task("control", 0, 5000, 900))
        .task(frame.deadline(us(10_000)))
        .task(task("log", 0, 100_000, 3000));
    let said = std::panic::catch_unwind(|| plan.check(&POOL)).unwrap_err();
    let said = said.downcast_ref::<String>().expect("a message");
    assert!(
        PAGE.contains(&format!("evaluation panicked: {said}\n")),
        "{said}"
    );
}

#[test]
fn the_page_says_what_is_assumed() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for assumption in ASSUMPTIONS {
        assert!(words(PAGE).contains(&words(assumption)), "{assumption}");
    }
}
