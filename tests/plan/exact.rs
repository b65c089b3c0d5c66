//! Where nothing but the tasks takes time, the bound of a task is reached: by some arrangement of
//! events, all of which are tried here on the machine of the tests.

use core::time::Duration;

use crate::machine::{Script, play};
use crate::set::{Entry, Kind, Set};

/// Where the busy periods begin.
const BASE: u64 = 1;

fn event(level: usize, period: u64, cost: u64) -> Entry {
    Entry {
        kind: Kind::Event,
        level,
        period,
        cost,
        jitter: 0,
    }
}

/// The longest response of `victim` over all phases of its own and all tasks that may have just
/// begun. All else that is as urgent comes at once.
fn longest(set: &Set, victim: usize) -> u64 {
    let level = set.tasks[victim].level;
    let horizon = 700;
    let blockers = (0..set.tasks.len()).filter(|task| set.tasks[*task].level < level);
    let blockers: Vec<Option<usize>> = blockers.map(Some).chain([None]).collect();
    let mut longest = 0;
    for phase in 0..set.tasks[victim].period {
        for blocker in &blockers {
            let events = (0..set.tasks.len()).map(|task| {
                let first = match task {
                    _ if task == victim => BASE + phase,
                    _ if Some(task) == *blocker => BASE - 1,
                    _ if set.tasks[task].level < level => horizon,
                    _ => BASE,
                };
                let dates = (first..horizon).step_by(set.tasks[task].period as usize);
                dates.map(|date| (date, date)).collect()
            });
            let script = Script {
                events: events.collect(),
                horizon,
                last: Some(victim),
                dice: fastrand::Rng::with_seed(1),
                shorter: 0,
                sections: 0,
            };
            longest = longest.max(play(set, script).responses[victim]);
        }
    }
    longest
}

/// Each task reaches its bound.
///
/// What blocks a job began before it: here, by one unit. The bound takes the whole of what blocks,
/// which is the limit of beginning ever later. So the bound that is to be reached is that of a plan
/// in which what is less urgent takes one unit less.
#[track_caller]
fn bounds_are_reached(set: &Set) {
    for task in 0..set.tasks.len() {
        let mut begun = set.clone();
        for other in &mut begun.tasks {
            if other.level < set.tasks[task].level {
                other.cost -= 1;
            }
        }
        let bounds = begun.plan().bounds().expect("the set has bounds");
        let longest = Duration::from_nanos(longest(set, task));
        assert_eq!(
            Some(longest),
            bounds.response(task),
            "task {task} of {set:?}"
        );
    }
}

/// Three frames on a bus, of the same length: the second of the lowest is later than its first.
/// Looking at the first alone says 3; it may take 3.5, in units of ten here.
#[test]
fn the_first_job_is_not_always_the_latest() {
    let tasks = vec![event(2, 25, 10), event(1, 35, 10), event(0, 35, 10)];
    let set = Set::of(tasks, &[0]);
    bounds_are_reached(&set);
    let bound = set.plan().bounds().unwrap().response(2);
    assert_eq!(bound, Some(Duration::from_nanos(35)));
}

#[test]
fn first_in_first_out() {
    bounds_are_reached(&Set::of(
        vec![event(0, 10, 3), event(0, 14, 4), event(0, 40, 5)],
        &[0],
    ));
    bounds_are_reached(&Set::of(
        vec![event(0, 7, 2), event(0, 50, 20), event(0, 90, 9)],
        &[0],
    ));
}

#[test]
fn levels_of_one_worker() {
    let tasks = vec![
        event(2, 12, 3),
        event(1, 20, 5),
        event(1, 33, 4),
        event(0, 60, 11),
    ];
    bounds_are_reached(&Set::of(tasks, &[0]));
}

#[test]
fn workers_that_preempt() {
    let tasks = vec![
        event(3, 10, 2),
        event(2, 24, 4),
        event(1, 40, 5),
        event(0, 70, 12),
    ];
    bounds_are_reached(&Set::of(tasks.clone(), &[3, 0]));
    bounds_are_reached(&Set::of(tasks.clone(), &[3, 2, 0]));
    bounds_are_reached(&Set::of(tasks, &[2, 0]));
}

/// Hundreds of small sets, for one worker and for several.
#[test]
fn small_sets_reach_their_bounds() {
    let mut dice = fastrand::Rng::with_seed(7);
    let mut sets = 0;
    while sets < 150 {
        let count = dice.usize(2..=4);
        let tasks: Vec<Entry> = (0..count)
            .map(|_| event(dice.usize(0..4), dice.u64(6..50), dice.u64(2..9)))
            .collect();
        let workers: &[usize] = match dice.u8(0..3) {
            0 => &[0],
            1 => &[2, 0],
            _ => &[3, 1, 0],
        };
        let set = Set::of(tasks, workers);
        if set
            .plan()
            .bounds()
            .is_ok_and(|bounds| bounds.permille() < 950)
        {
            bounds_are_reached(&set);
            sets += 1;
        }
    }
}
