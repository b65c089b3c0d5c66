//! How long an idle worker looks for work before it sleeps.

use core::sync::atomic::{AtomicU64, Ordering};

use slotted::Executor;

use crate::stage::{Habits, StageWith, with_crew, within_limit};

/// How often the threads of [`CountingStage`] looked again, and how often they lingered.
static RELAXED: AtomicU64 = AtomicU64::new(0);
static LINGERED: AtomicU64 = AtomicU64::new(0);

/// Three rounds of looking again and two of lingering.
#[derive(Debug)]
struct Counting;

impl Habits for Counting {
    fn spin(round: u32) -> bool {
        RELAXED.fetch_add(1, Ordering::Relaxed);
        round < 3
    }

    fn yield_now(round: u32) -> bool {
        LINGERED.fetch_add(1, Ordering::Relaxed);
        round < 2
    }
}

type CountingStage = StageWith<Counting>;

/// An idle worker looks for work as long as its host lets it. Then it sleeps until a submitter
/// wakes it.
#[test]
fn an_idle_worker_looks_as_often_as_its_host_allows_and_then_sleeps() {
    static POOL: Executor<1, 8, 64, CountingStage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |crew| {
            let actor = crew.actor(0);
            let figures = || [&RELAXED, &LINGERED].map(|figure| figure.swap(0, Ordering::Relaxed));
            actor.until_asleep();
            // One call more than rounds: the last call returns false.
            assert_eq!(figures(), [4, 3]);
            for _ in 0..10 {
                POOL.submit(|| ()).unwrap().detach();
                actor.until_asleep();
                let [relaxed, lingered] = figures();
                // The worker may see the task on its way to sleep, or while it looks again.
                assert!(relaxed <= 8 && lingered <= 6, "{relaxed}, {lingered}");
            }
        });
    });
}
