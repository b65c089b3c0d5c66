//! Submitters wake idle workers: enough of them, and not more than the host can use.

use std::sync::{Arc, Barrier};

use slotted::{Executor, Park};

use super::Pool;
use crate::stage::{Actor, Habits, Stage, StageWith, rounds, with_crew, within_limit};

/// Every thread soon gets its turn.
#[derive(Debug)]
struct Even;

impl Habits for Even {
    const FAIR: bool = true;
}

type FairStage = StageWith<Even>;

/// The system delays a worker that was woken, for more urgent threads say. The next task wakes
/// another worker.
#[test]
fn a_delayed_worker_keeps_no_other_worker_idle() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |crew| {
            let actors = [0, 1].map(|place| crew.actor(place));
            rounds(|_| {
                actors.iter().for_each(Actor::until_asleep);
                actors[0].hold();
                let tasks = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
                assert_eq!(
                    tasks.map(|task| task.result().unwrap()),
                    [1, 2],
                    "while the first worker is delayed"
                );
                actors[0].release();
            });
        });
    });
}

/// On a fair host the woken worker wakes the next one itself, if there is more work when it runs.
#[test]
fn on_a_fair_host_a_woken_worker_keeps_the_others_idle_until_it_runs() {
    static POOL: Executor<2, 8, 128, FairStage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |crew| {
            let actors = [0, 1].map(|place| crew.actor(place));
            rounds(|_| {
                actors.iter().for_each(Actor::until_asleep);
                actors[0].hold();
                let tasks = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
                let asleep = actors.each_ref().map(Actor::is_asleep);
                assert!(!asleep[0], "the first task wakes the first worker");
                // With the locks of boards the second task wakes the other worker at once.
                if !cfg!(slotted_critical_section) {
                    assert!(asleep[1], "the second task wakes no worker");
                }
                actors[0].release();
                assert_eq!(tasks.map(|task| task.result().unwrap()), [1, 2]);
            });
        });
    });
}

/// Each worker that wakes finds more work and wakes the next.
fn all_workers_wake<H: Park<Thread = Actor>>(pool: &'static Executor<4, 8, 64, H>) {
    within_limit(|| {
        with_crew(pool, |crew| {
            rounds(|pace| {
                for place in 0..4 {
                    pace.until_asleep(&crew.actor(place));
                }
                let together = Arc::new(Barrier::new(4));
                let tasks = [(); 4].map(|()| {
                    let together = together.clone();
                    pool.submit(move || together.wait().is_leader()).unwrap()
                });
                assert_eq!(
                    tasks
                        .map(|task| task.result().unwrap())
                        .iter()
                        .filter(|&&leads| leads)
                        .count(),
                    1
                );
            });
        });
    });
}

#[test]
fn tasks_that_wait_for_each_other_get_a_worker_each() {
    static POOL: Executor<4, 8, 64, Stage> = Executor::new();
    all_workers_wake(&POOL);
}

#[test]
fn tasks_that_wait_for_each_other_get_a_worker_each_on_a_fair_host() {
    static POOL: Executor<4, 8, 64, FairStage> = Executor::new();
    all_workers_wake(&POOL);
}
