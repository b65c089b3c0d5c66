//! Random sets on the executor itself, in virtual time: series of a timetable, and events from
//! another thread, with one worker that takes them first in, first out. No run ends after its
//! bound, and with as many slots as the plan says no submission is refused.

use core::cell::Cell;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use slotted::plan::Bounds;
use slotted::{Clock, Every, Executor, Shutdown, SimHost, Simulation, Timetable};

use crate::set::{Entry, Kind, MOST, Set};

/// Until when new events come. A tick of virtual time is a nanosecond, and a unit of the set.
const END: u64 = 3000;

/// The longest time from an event of each task to the end of its run.
type Longest = [AtomicU64; MOST];

fn note(longest: &Longest, task: usize, event: u64) {
    longest[task].fetch_max(SimHost::now() - event, Ordering::Relaxed);
}

/// The calling thread plays an interrupt, whose date that is.
fn wait_until(date: u64) {
    while SimHost::now() < date {
        SimHost::park_until(date);
    }
}

/// Plays a set with exactly `QUEUE` slots. Returns the longest responses.
fn play<const QUEUE: usize>(
    set: &Set,
    simulation: &Simulation,
    dice: &mut fastrand::Rng,
) -> [u64; MOST] {
    let pool: &'static Executor<1, QUEUE, 256, SimHost> = Box::leak(Box::default());
    let times: &'static Timetable<MOST, SimHost> = Box::leak(Box::new(Timetable::new()));
    let longest: Arc<Longest> = Arc::default();
    let together = dice.bool();
    let mut dates = Vec::new();
    for (task, entry) in set.tasks.iter().copied().enumerate() {
        let Entry { period, cost, .. } = entry;
        let first = if together {
            10
        } else {
            10 + dice.u64(0..=period)
        };
        let longest = longest.clone();
        if entry.kind == Kind::Series {
            let run = move |run: slotted::Release| {
                SimHost::spend(Duration::from_nanos(cost));
                note(&longest, task, run.date);
                assert_eq!(run.missed, 0, "a series misses a date");
                ControlFlow::<()>::Continue(())
            };
            let every = Every::ticks(period).first_at(first);
            dates.extend((first..END + 500).step_by(period as usize));
            times
                .on(pool)
                .submit_every(every, run)
                .expect("a slot for the series")
                .detach();
        } else {
            let interrupt = move || {
                let mut event = first;
                while event < END {
                    wait_until(event);
                    let longest = longest.clone();
                    let job = pool.submit(move || {
                        SimHost::spend(Duration::from_nanos(cost));
                        note(&longest, task, event);
                    });
                    job.expect("the queue is never full").detach();
                    event += period;
                }
            };
            simulation.spawn("interrupt", interrupt).expect("a thread");
        }
    }
    // Workers keep the time, but not while they run a task.
    dates.sort_unstable();
    let alarm = move || {
        for date in dates {
            wait_until(date);
            times.advance();
        }
    };
    simulation.spawn("alarm", alarm).expect("a thread");
    pool.start(simulation).expect("a worker");
    simulation.run_until(END + 500);
    pool.shutdown(Shutdown::Drain).expect("it ends");
    let refused = pool.stats().refused;
    assert_eq!(refused, 0);
    core::array::from_fn(|task| longest[task].load(Ordering::Relaxed))
}

fn play_with(
    slots: usize,
    set: &Set,
    simulation: &Simulation,
    dice: &mut fastrand::Rng,
) -> [u64; MOST] {
    match slots {
        1 => play::<1>(set, simulation, dice),
        2 => play::<2>(set, simulation, dice),
        3 => play::<3>(set, simulation, dice),
        4 => play::<4>(set, simulation, dice),
        5 => play::<5>(set, simulation, dice),
        6 => play::<6>(set, simulation, dice),
        7 => play::<7>(set, simulation, dice),
        8 => play::<8>(set, simulation, dice),
        _ => unreachable!("sets with more slots are left out"),
    }
}

/// A set of one level without overhead, of which no series misses a date.
fn set(dice: &mut fastrand::Rng) -> Option<(Set, Bounds<MOST>)> {
    let count = dice.usize(1..=4);
    let entry = |dice: &mut fastrand::Rng| Entry {
        kind: if dice.bool() {
            Kind::Event
        } else {
            Kind::Series
        },
        level: 0,
        period: dice.u64(20..200),
        cost: dice.u64(1..40),
        jitter: 0,
    };
    let set = Set::of((0..count).map(|_| entry(dice)).collect(), &[0]);
    let bounds = set.plan().bounds().ok()?;
    let keeps_its_dates = |(task, entry): (usize, &Entry)| {
        entry.kind == Kind::Event
            || bounds.response(task) <= Some(Duration::from_nanos(entry.period))
    };
    let whole = set.tasks.iter().enumerate().all(keeps_its_dates) && bounds.slots() <= 8;
    whole.then_some((set, bounds))
}

#[test]
fn no_run_ends_after_its_bound_and_no_submission_is_refused() {
    let mut dice = fastrand::Rng::with_seed(11);
    let (mut played, mut reached, mut tasks) = (0, 0, 0);
    while played < 200 {
        let Some((set, bounds)) = set(&mut dice) else {
            continue;
        };
        let longest = Cell::new([0; MOST]);
        Simulation::check_seeds(0..3, |simulation| {
            let mut dice = dice.clone();
            let seen = play_with(bounds.slots(), &set, simulation, &mut dice);
            for (task, seen) in seen.into_iter().enumerate().take(set.tasks.len()) {
                let bound = bounds.response(task).expect("a task");
                assert!(
                    Duration::from_nanos(seen) <= bound,
                    "{task}: {seen} > {bound:?}, {set:?}"
                );
                assert!(seen > 0, "{task} of {set:?} did not run");
            }
            let before = longest.get();
            longest.set(core::array::from_fn(|task| seen[task].max(before[task])));
        });
        played += 1;
        tasks += set.tasks.len();
        reached += (0..set.tasks.len())
            .filter(|task| {
                bounds.response(*task) == Some(Duration::from_nanos(longest.get()[*task]))
            })
            .count();
    }
    println!("{played} sets, {tasks} tasks, {reached} reach their bounds");
    assert!(
        reached * 4 > tasks,
        "{reached} of {tasks} reach their bounds"
    );
}
