//! The order in which threads run: from a seed, and the same for the same seed.

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use slotted::sim::{Action, Trace};
use slotted::{ReturnWhen, Shutdown, SimHost, Simulation, wait};

use crate::{Pool, millis, pool};

/// A small program with everything: two workers, a submitter of its own, waits and dates.
fn program(simulation: Simulation) -> Trace {
    let pool = pool::<2, 8>();
    pool.start(&simulation).unwrap();
    simulation
        .spawn("submitter", move || {
            for number in 0..3_u64 {
                let task = move || SimHost::spend(millis(number));
                pool.submit_blocking(task).unwrap().result().unwrap();
            }
        })
        .unwrap();
    let mut handles = [1, 2, 3].map(|number| {
        let task = move || {
            SimHost::let_others_run();
            number * number
        };
        pool.submit(task).unwrap()
    });
    assert_eq!(wait(&mut handles, ReturnWhen::AllCompleted).done.len(), 3);
    assert_eq!(handles.map(|handle| handle.result().unwrap()), [1, 4, 9]);
    let squares = pool.map(1..=6_u64, |number| number * number);
    assert_eq!(squares.map(Result::unwrap).sum::<u64>(), 91);
    simulation.advance(millis(10));
    pool.shutdown(Shutdown::Drain).unwrap();
    simulation.settle();
    simulation.trace()
}

#[cfg(not(slotted_critical_section))]
const WITHOUT_SEED: u64 = 16_395_923_509_270_212_191;
#[cfg(not(slotted_critical_section))]
const SEEDED: [u64; 3] = [
    1_800_131_963_950_294_579,
    13_115_269_377_725_348_204,
    9_097_206_329_948_520_198,
];
// With the lock of boards a slot comes back at once: one task gets another one.
#[cfg(slotted_critical_section)]
const WITHOUT_SEED: u64 = 3_320_765_758_584_532_049;
#[cfg(slotted_critical_section)]
const SEEDED: [u64; 3] = [
    13_182_920_656_168_337_477,
    10_821_193_095_832_146_848,
    9_732_857_765_267_488_549,
];

fn seeded(seed: u64) -> Trace {
    program(Simulation::new().seed(seed).keep_events(10_000))
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let (first, second) = (seeded(seed), seeded(seed));
        assert!(first.events().eq(second.events()), "seed {seed}");
        assert_eq!(first, second);
        assert!(first.count() > 50, "{} events", first.count());
    }
    let without = || program(Simulation::new());
    assert_eq!(without(), without());
}

#[test]
fn other_seeds_give_other_interleavings() {
    let hashes: BTreeSet<u64> = (0..100).map(|seed| seeded(seed).hash()).collect();
    assert!(hashes.len() > 90, "{} of 100", hashes.len());
}

/// A machine of any architecture must come to these. A change of the engine may alter them: then
/// they are renewed here, and nowhere else.
#[test]
fn every_machine_comes_to_the_same_hash() {
    let hashes = [0, 1, u64::MAX].map(|seed| seeded(seed).hash());
    let without_seed = program(Simulation::new()).hash();
    assert_eq!((without_seed, hashes), (WITHOUT_SEED, SEEDED));
}

#[test]
fn the_hash_is_the_same_whether_events_are_kept() {
    let (kept, none, last) = (
        seeded(3),
        program(Simulation::new().seed(3)),
        program(Simulation::new().seed(3).keep_events(5)),
    );
    assert_eq!([none.hash(), last.hash()], [kept.hash(); 2]);
    assert_eq!([none.count(), last.count()], [kept.count(); 2]);
    assert_eq!(none.events().count(), 0);
    let latest = kept.events().skip(kept.events().count() - 5);
    assert!(last.events().eq(latest));
}

#[test]
fn the_trace_has_the_steps_of_tasks_without_addresses() {
    let simulation = Simulation::new().keep_events(100);
    let (other, executor) = (Pool::<0>::new(), Pool::<0>::new());
    other.submit(|| ()).unwrap().detach();
    executor.submit(|| ()).unwrap().detach();
    assert!(executor.run_one());
    assert!(other.submit(|| ()).unwrap().cancel());
    let steps: Vec<String> = simulation
        .trace()
        .events()
        .filter_map(|event| match event.action {
            Action::Noted(step) => Some(format!("{step:?}")),
            _ => None,
        })
        .collect();
    let task = |executor: u8, slot: u8| {
        format!("task: TaskKey {{ executor: {executor}, slot: {slot}, generation: 0 }}")
    };
    let expected = [
        format!("Submitted {{ {}, kind: 0, awaits: Worker }}", task(0, 0)),
        format!("Submitted {{ {}, kind: 0, awaits: Worker }}", task(1, 0)),
        format!("Started {{ {}, kind: 0, worker: None }}", task(1, 0)),
        format!("Ended {{ {}, outcome: Value }}", task(1, 0)),
        format!("Submitted {{ {}, kind: 0, awaits: Worker }}", task(0, 1)),
        format!("Cancelled {{ {} }}", task(0, 1)),
    ];
    assert_eq!(steps, expected);
    drop(simulation);
}

#[test]
fn without_a_seed_threads_run_first_in_first_out_until_they_wait() {
    let simulation = Simulation::new().keep_events(100);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for name in ["a", "b", "c"] {
        let seen = seen.clone();
        let work = move || {
            for step in 1..=2 {
                seen.lock().unwrap().push(format!("{name}{step}"));
                SimHost::let_others_run();
            }
        };
        simulation.spawn(name, work).unwrap();
    }
    simulation.settle();
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, ["a1", "b1", "c1", "a2", "b2", "c2"]);
    let ends = simulation.trace();
    let ends = ends.events().filter(|event| event.action == Action::Ended);
    assert!(ends.map(|event| event.thread).eq(1..=3));
}

#[test]
fn tasks_are_spread_over_the_workers() {
    for seed in 0..20 {
        let pool = pool::<4, 8>();
        let simulation = Simulation::new().seed(seed);
        pool.start(&simulation).unwrap();
        let who = || {
            SimHost::spend(millis(1));
            std::thread::current().name().map(String::from)
        };
        let handles = [(); 4].map(|()| pool.submit(who).unwrap());
        let names: BTreeSet<_> = handles.map(|handle| handle.result().unwrap()).into();
        assert_eq!(names.len(), 4, "seed {seed}: {names:?}");
        pool.shutdown(Shutdown::Drain).unwrap();
    }
}

/// Which worker takes the only task is up to the seed.
#[test]
fn seeds_choose_other_workers() {
    let worker_of = |seed| {
        let pool = pool::<3, 8>();
        let simulation = Simulation::new().seed(seed);
        pool.start(&simulation).unwrap();
        let name = || std::thread::current().name().map(String::from);
        let name = pool.submit(name).unwrap().result().unwrap();
        pool.shutdown(Shutdown::Drain).unwrap();
        name
    };
    let workers: BTreeSet<_> = (0..50).map(worker_of).collect();
    assert_eq!(workers.len(), 3, "{workers:?}");
}

fn race(seed: u64) -> u32 {
    count_twice(&Simulation::new().seed(seed))
}

/// Two tasks count with a read, a point, and a write: a wrong program. Returns what they count to.
fn count_twice(simulation: &Simulation) -> u32 {
    let pool = pool::<2, 4>();
    pool.start(simulation).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let handles = [(); 2].map(|()| {
        let count = count.clone();
        let increment = move || {
            let seen = count.load(Ordering::Relaxed);
            SimHost::let_others_run();
            count.store(seen + 1, Ordering::Relaxed);
        };
        pool.submit(increment).unwrap()
    });
    for handle in handles {
        handle.result().unwrap();
    }
    pool.shutdown(Shutdown::Drain).unwrap();
    count.load(Ordering::Relaxed)
}

#[test]
fn a_panic_names_the_seed_that_leads_to_it() {
    let lost = (0..100).find(|&seed| race(seed) == 1).unwrap();
    let panic = std::panic::catch_unwind(|| {
        Simulation::check_seeds(0..100, |simulation| {
            assert_eq!(count_twice(simulation), 2, "an increment is lost");
        });
    });
    let panic = panic.unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    let expected = format!("slotted: with seed {lost}: assertion `left == right` failed: an incr");
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_race_is_found_by_some_seed_and_comes_back_with_it() {
    let counts: Vec<u32> = (0..100).map(race).collect();
    let lost = counts.iter().position(|&count| count == 1).unwrap();
    let right = counts.iter().position(|&count| count == 2).unwrap();
    for _ in 0..10 {
        assert_eq!((race(lost as u64), race(right as u64)), (1, 2));
    }
}
