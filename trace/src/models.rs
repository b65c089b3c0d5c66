//! Models of what the watchdog's table sees when threads meet. The recorder's ring is behind a
//! lock, and each counter of the histograms is by itself: they need none.

use std::sync::Arc;

use loom::thread;

use crate::age::{Age, Change, Phase};
use crate::entry::Entry;

/// A waker that comes late wakes the task that it means, or none.
#[test]
fn a_waker_against_a_start() {
    loom::model(|| {
        let age = Arc::new(Age::new());
        age.change(Change::Rest, 1, 7);
        let waker = {
            let age = age.clone();
            thread::spawn(move || age.change(Change::Wake, 2, 7))
        };
        age.change(Change::Run, 3, 7);
        waker.join().unwrap();
        assert_eq!(age.phase(), Phase::Running { since: 3 });
    });
}

#[test]
fn a_waker_against_the_next_task_in_the_slot() {
    loom::model(|| {
        let age = Arc::new(Age::new());
        age.change(Change::Rest, 1, 7);
        let waker = {
            let age = age.clone();
            thread::spawn(move || age.change(Change::Wake, 2, 7))
        };
        age.change(Change::Leave, 3, 7);
        age.change(Change::Rest, 4, 8);
        waker.join().unwrap();
        assert_eq!(age.phase(), Phase::Resting { generation: 8 });
    });
}

#[test]
fn two_wakers_wake_once() {
    loom::model(|| {
        let age = Arc::new(Age::new());
        age.change(Change::Rest, 1, 7);
        let waker = {
            let age = age.clone();
            thread::spawn(move || age.change(Change::Wake, 2, 7))
        };
        age.change(Change::Wake, 3, 7);
        waker.join().unwrap();
        let phase = age.phase();
        let since_either = [2, 3].map(|since| Phase::Queued { since });
        assert!(since_either.contains(&phase), "{phase:?}");
    });
}

/// A reader pairs no phase with the name of another task, and no run with another run's worker.
#[test]
fn a_reader_against_two_tasks_in_a_slot() {
    loom::model(|| {
        let entry = Arc::new(Entry::new());
        let reader = {
            let entry = entry.clone();
            thread::spawn(move || entry.look())
        };
        // The first task runs on worker 1, the second one waits.
        entry.name(10, 1);
        entry.change(Change::Queue, 1, 1);
        entry.name_worker(1, Some(1));
        entry.change(Change::Run, 2, 1);
        entry.change(Change::Leave, 3, 1);
        entry.name(20, 2);
        entry.change(Change::Queue, 4, 2);
        match reader.join().unwrap() {
            None | Some((Phase::Away, _)) => {}
            Some((Phase::Queued { since: 1 }, name)) => {
                assert_eq!((name.kind, name.generation), (10, 1));
            }
            Some((Phase::Running { since: 2 }, name)) => {
                assert_eq!((name.kind, name.generation), (10, 1));
                assert_eq!(name.worker, Some(1));
            }
            Some((Phase::Queued { since: 4 }, name)) => {
                assert_eq!((name.kind, name.generation), (20, 2));
            }
            Some(other) => panic!("{other:?}"),
        }
    });
}

/// The same future runs on one worker after another.
#[test]
fn a_reader_against_two_runs_of_a_task() {
    loom::model(|| {
        let entry = Arc::new(Entry::new());
        entry.name(10, 1);
        entry.change(Change::Queue, 1, 1);
        let reader = {
            let entry = entry.clone();
            thread::spawn(move || entry.look())
        };
        for (tick, worker) in [(2, 1), (4, 2)] {
            entry.name_worker(1, Some(worker));
            entry.change(Change::Run, tick, 1);
            entry.change(Change::Rest, tick + 1, 1);
        }
        if let Some((Phase::Running { since }, name)) = reader.join().unwrap() {
            assert_eq!(name.worker, Some(since as u16 / 2));
        }
    });
}
