//! Thousands of random sets on the machine of the tests: no job ends after its bound, and no task
//! holds more slots than the plan says.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::VecDeque;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use slotted::plan::{Bounds, PlanError};

use crate::machine::{Script, Seen, play};
use crate::set::{Kind, MOST, Set, sets};

/// How long a run is; how many runs a set has.
const HORIZON: u64 = 700;
const RUNS: u64 = 12;

/// Events of one task from `first` on: as close as they may be, or not quite.
fn events(set: &Set, task: usize, first: u64, dice: &mut fastrand::Rng) -> VecDeque<(u64, u64)> {
    let entry = set.tasks[task];
    let pauses = dice.u8(..) < 80;
    let bursts = dice.bool();
    let (mut event, mut before, mut events) = (first, 0, VecDeque::new());
    while event < HORIZON {
        let late = match events.is_empty() {
            // All that the first is late by, and the others follow at once.
            true if bursts => entry.jitter,
            false if bursts => 0,
            _ => dice.u64(0..=entry.jitter),
        };
        before = before.max(event + late);
        events.push_back((event, before));
        event += entry.period;
        if pauses && dice.u8(..) < 60 {
            event += dice.u64(0..entry.period);
        }
    }
    events
}

/// Runs that differ in when tasks begin. Some are built to be hard for one task: what is as urgent
/// comes at once, and something less urgent has just begun.
fn script(set: &Set, seed: u64) -> Script {
    let mut dice = fastrand::Rng::with_seed(seed);
    let count = set.tasks.len();
    let victim = dice.usize(0..count);
    let level = set.tasks[victim].level;
    let hard = dice.u8(..) < 200;
    let base = 50;
    let blocker = dice.usize(0..count);
    let first = |task: usize, dice: &mut fastrand::Rng| {
        let entry = set.tasks[task];
        // The event is early by what the first job is late.
        let early = base - entry.jitter;
        if !hard {
            dice.u64(0..=entry.period)
        } else if entry.kind != Kind::Interrupt && entry.level < level {
            let release = set.costs(task).0;
            match task == blocker {
                true => (early - 1).saturating_sub(release + dice.u64(0..3)),
                false => early + dice.u64(0..=entry.period),
            }
        } else if task == victim && dice.bool() {
            early + dice.u64(0..2 * entry.period)
        } else {
            early
        }
    };
    let events = (0..count)
        .map(|task| {
            let first = first(task, &mut dice);
            events(set, task, first, &mut dice)
        })
        .collect();
    Script {
        events,
        horizon: HORIZON,
        last: dice.bool().then_some(victim),
        shorter: if dice.bool() { 0 } else { dice.u8(..) },
        sections: if dice.bool() { 255 } else { dice.u8(..) },
        dice,
    }
}

/// How near to their bounds jobs came.
#[derive(Default)]
struct Nearness {
    sets: u32,
    tasks: u32,
    reached: u32,
    shares: f64,
}

fn check(set: &Set, bounds: &Bounds<MOST>, seen: &Seen) -> Result<(), TestCaseError> {
    for (index, entry) in set.tasks.iter().enumerate() {
        if entry.kind == Kind::Interrupt {
            proptest::prop_assert_eq!(bounds.response(index), None);
            continue;
        }
        let bound = bounds.response(index).expect("a task has a bound");
        let longest = Duration::from_nanos(seen.responses[index]);
        proptest::prop_assert!(
            longest <= bound,
            "task {}: {:?} > {:?}",
            index,
            longest,
            bound
        );
        let (slots, most) = (seen.slots[index], bounds.slots_of(index));
        proptest::prop_assert!(slots <= most, "task {}: {} slots > {}", index, slots, most);
    }
    proptest::prop_assert!(seen.all_slots <= bounds.slots());
    // A series whose bound is after its next date may skip it, so that it asks for less.
    let in_time = |(index, entry): (usize, &crate::set::Entry)| {
        entry.kind != Kind::Series
            || bounds.response(index) <= Some(Duration::from_nanos(entry.period))
    };
    if set.tasks.iter().enumerate().all(in_time) {
        proptest::prop_assert_eq!(seen.skipped, 0);
    }
    Ok(())
}

/// Plays as many sets as `SLOTTED_PROGRAMS` says, those of `SLOTTED_SEED`, and returns how near the
/// bounds are.
fn random_sets(with_overhead: bool, with_jitter: bool) -> Nearness {
    let cases = std::env::var("SLOTTED_PROGRAMS");
    let config = Config {
        cases: cases.map_or(1_500, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        max_global_rejects: 1_000_000,
        ..Config::default()
    };
    let rng = match std::env::var("SLOTTED_SEED") {
        Ok(seed) => {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.parse::<u64>().unwrap().to_le_bytes());
            TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
        }
        Err(_) => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let nearness = RefCell::new(Nearness::default());
    let result = runner.run(&sets(with_overhead, with_jitter), |set| {
        let bounds = match set.plan().bounds() {
            Ok(bounds) => bounds,
            // With its overhead the set asks for too much, or for all there is.
            Err(PlanError::Overload { .. }) => {
                return Err(TestCaseError::reject("it overloads the processor"));
            }
            Err(PlanError::TooLong { permille, .. }) if permille >= 990 => {
                return Err(TestCaseError::reject("it takes the whole processor"));
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let mut worst = vec![0; set.tasks.len()];
        for seed in 0..RUNS {
            let seen = play(&set, script(&set, seed));
            check(&set, &bounds, &seen)?;
            for (worst, seen) in worst.iter_mut().zip(&seen.responses) {
                *worst = (*worst).max(*seen);
            }
        }
        let mut nearness = nearness.borrow_mut();
        nearness.sets += 1;
        for (index, worst) in worst.into_iter().enumerate() {
            if let Some(bound) = bounds.response(index) {
                let bound = u64::try_from(bound.as_nanos()).expect("a small number");
                nearness.tasks += 1;
                // What blocks a job began at least one unit before it.
                nearness.reached += u32::from(worst + 1 >= bound);
                nearness.shares += worst as f64 / bound as f64;
            }
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    nearness.into_inner()
}

/// Prints, with `--nocapture`, how near jobs came to their bounds, and wants it not to get worse: a
/// bound that says nothing would never be optimistic, too.
fn must_be_near(name: &str, nearness: &Nearness, share: f64) {
    let Nearness {
        sets,
        tasks,
        reached,
        shares,
    } = *nearness;
    let mean = shares / f64::from(tasks);
    println!("{name}: {sets} sets, {tasks} tasks, {reached} reach their bounds, mean {mean:.3}");
    assert!(mean >= share, "{name}: {mean:.3} is below {share}");
}

#[test]
fn no_job_ends_after_its_bound_without_overhead() {
    must_be_near("plain", &random_sets(false, false), 0.9);
}

#[test]
fn no_job_ends_after_its_bound_with_overhead_sections_and_interrupts() {
    must_be_near("overhead", &random_sets(true, false), 0.8);
}

#[test]
fn no_job_ends_after_its_bound_with_jitter() {
    must_be_near("jitter", &random_sets(true, true), 0.7);
}
