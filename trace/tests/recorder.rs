//! What the recorder keeps, and what its readers see.
#![cfg(feature = "std")]

mod stage;

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::thread;

use slotted::{Awaits, Executor, Outcome, Refusal, Shutdown};
use slotted_trace::{Action, Event, Recorder, Task};

use self::stage::{Desktop, Keep, Stage, address, pass, set_now, watch};

type Pool = Executor<0, 4, 128, Stage>;

/// The events without what differs from run to run.
fn told(events: impl Iterator<Item = Event>) -> Vec<(u64, Option<u16>, &'static str)> {
    events
        .map(|event| {
            let word = match event.action {
                Action::Submitted { kind, awaits } => {
                    assert!(kind != 0);
                    match awaits {
                        Awaits::Worker => "submitted",
                        Awaits::Promise => "promised",
                        other => panic!("{other:?}"),
                    }
                }
                Action::Started { kind, worker } => {
                    assert!(kind != 0 && worker.is_none());
                    "started"
                }
                Action::Rested => "rested",
                Action::Woken => "woken",
                Action::Ended(Outcome::Value) => "value",
                Action::Ended(Outcome::Broken) => "broken",
                Action::Cancelled => "cancelled",
                Action::Refused(Refusal::Full) => "full",
                Action::Refused(Refusal::ShutDown) => "shut down",
                other => panic!("{other:?}"),
            };
            (event.tick, event.task.map(|task| task.slot), word)
        })
        .collect()
}

#[test]
fn events_come_back_as_they_were_told() {
    static POOL: Pool = Executor::new();
    static RECORDER: Recorder<32> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    set_now(0xFFFF_FFFF);
    let first = POOL.submit(|| pass(3)).unwrap();
    pass(1);
    POOL.run_until_idle();
    let second = POOL.submit(|| ()).unwrap();
    second.cancel();
    let (promise, third) = POOL.promise::<u8>().unwrap();
    drop(promise);
    let future = POOL.submit_future(core::future::pending::<()>()).unwrap();
    POOL.run_until_idle();
    assert!(POOL.submit(|| ()).is_err());
    drop(first);
    let permit = POOL.reserve().unwrap();
    POOL.begin_shutdown(Shutdown::Cancel);
    assert!(permit.submit(|| ()).is_err());
    assert_eq!(
        told(RECORDER.reader()),
        [
            (0xFFFF_FFFF, Some(0), "submitted"),
            (0x1_0000_0000, Some(0), "started"),
            (0x1_0000_0003, Some(0), "value"),
            (0x1_0000_0003, Some(1), "submitted"),
            (0x1_0000_0003, Some(1), "cancelled"),
            (0x1_0000_0003, Some(2), "promised"),
            (0x1_0000_0003, Some(2), "broken"),
            (0x1_0000_0003, Some(3), "submitted"),
            (0x1_0000_0003, Some(3), "started"),
            (0x1_0000_0003, Some(3), "rested"),
            (0x1_0000_0003, None, "full"),
            (0x1_0000_0003, Some(3), "cancelled"),
            (0x1_0000_0003, Some(0), "submitted"),
            (0x1_0000_0003, Some(0), "shut down"),
        ]
    );
    drop((second, third, future));
}

#[test]
fn a_full_recorder_overwrites_the_oldest_and_counts_them() {
    static POOL: Pool = Executor::new();
    static RECORDER: Recorder<8> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let mut early = RECORDER.reader();
    for tick in 0..4 {
        set_now(tick);
        POOL.submit(|| ()).unwrap().result().unwrap(); // three events
    }
    assert_eq!((RECORDER.count(), RECORDER.lost()), (12, 4));
    let mut reader = RECORDER.reader();
    let events: Vec<_> = reader.by_ref().collect();
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [4, 5, 6, 7, 8, 9, 10, 11]);
    let generations: Vec<_> = { events.iter() }
        .map(|event| event.task.unwrap().generation)
        .collect();
    assert_eq!(generations, [1, 1, 2, 2, 2, 3, 3, 3]);
    assert_eq!(reader.missed(), 0, "it began after they were lost");
    assert_eq!(early.next(), Some(events[0]));
    assert_eq!(early.missed(), 4);
    // A reader goes on with what comes later.
    assert_eq!(reader.next(), None);
    POOL.submit(|| ()).unwrap().result().unwrap();
    assert_eq!(reader.by_ref().map(|event| event.number).last(), Some(14));
    assert_eq!(early.by_ref().count(), 8);
    assert_eq!((early.missed(), reader.missed()), (4 + 2, 0));
}

#[test]
fn eight_executors_have_a_place_and_a_ninth_is_counted() {
    static POOLS: [Pool; 9] = [const { Executor::new() }; 9];
    static RECORDER: Recorder<32> = Recorder::new();
    for pool in &POOLS {
        watch(pool, &|tick, step| RECORDER.note(tick, step));
        pool.submit(|| ()).unwrap().result().unwrap();
    }
    assert_eq!((RECORDER.count(), RECORDER.skipped()), (8 * 3, 3));
    for (events, pool) in RECORDER.reader().collect::<Vec<_>>().chunks(3).zip(&POOLS) {
        assert!(events.iter().all(|event| event.executor == address(pool)));
    }
}

#[test]
fn a_task_keeps_the_largest_slot_and_its_generation() {
    static POOL: Executor<0, 300, 64, Stage> = Executor::new();
    static RECORDER: Recorder<1024> = Recorder::new();
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let handles: Vec<_> = (0..300).map(|_| POOL.submit(|| ()).unwrap()).collect();
    let task = RECORDER.reader().last().and_then(|event| event.task);
    let (slot, generation) = (299, 0);
    assert_eq!(task, Some(Task { slot, generation }));
    POOL.run_until_idle();
    drop(handles);
}

#[test]
fn an_event_takes_24_bytes_here_and_16_on_32_bits() {
    let of_one = size_of::<Recorder<2>>() - size_of::<Recorder<1>>();
    assert_eq!(
        of_one,
        if cfg!(target_pointer_width = "64") {
            24
        } else {
            16
        }
    );
}

/// Where a task is, as its events tell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Queued,
    Started,
}

#[test]
fn threads_record_each_life_in_order_while_another_reads() {
    static POOL: Executor<2, 8, 128, Desktop> = Executor::new();
    // Miri looks at all of it for each event.
    const EVENTS: usize = if cfg!(miri) { 256 } else { 65536 };
    static RECORDER: Recorder<EVENTS> = Recorder::new();
    static DONE: AtomicBool = AtomicBool::new(false);
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 3000 };
    watch(&POOL, &|tick, step| RECORDER.note(tick, step));
    let events = thread::scope(|threads| {
        for worker in Keep::start(&POOL) {
            threads.spawn(|| worker.run());
        }
        let reader = threads.spawn(|| {
            let mut reader = RECORDER.reader();
            let mut events = Vec::new();
            loop {
                let done = DONE.load(Ordering::Acquire);
                let before = events.len();
                events.extend(&mut reader);
                if done && events.len() == before {
                    assert_eq!(reader.missed(), 0);
                    return events;
                }
                thread::yield_now();
            }
        });
        let submitters = [(); 2].map(|()| {
            threads.spawn(|| {
                for round in 0..ROUNDS {
                    POOL.submit(move || round).unwrap().result().unwrap();
                }
            })
        });
        for submitter in submitters {
            submitter.join().unwrap();
        }
        POOL.shutdown(Shutdown::Drain).unwrap();
        DONE.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    let numbers = events.iter().map(|event| event.number);
    assert!(numbers.eq(0..RECORDER.count()), "none is missed or doubled");
    let mut lives = BTreeMap::<Task, At>::new();
    let mut ended = 0;
    for event in events {
        let (action, task) = (event.action, event.task);
        assert_eq!(event.executor, address(&POOL));
        let Some(task) = task else {
            assert!(matches!(action, Action::Idle(0 | 1) | Action::Busy(0 | 1)));
            continue;
        };
        let before = lives.remove(&task);
        match action {
            Action::Submitted { .. } => assert_eq!(before, None),
            Action::Started { worker, .. } => {
                assert!(worker.is_none_or(|worker| worker < 2));
                assert_eq!(before, Some(At::Queued));
                lives.insert(task, At::Started);
            }
            Action::Ended(Outcome::Value) => {
                assert_eq!(before, Some(At::Started));
                ended += 1;
            }
            other => panic!("{other:?}"),
        }
        if matches!(action, Action::Submitted { .. }) {
            lives.insert(task, At::Queued);
        }
    }
    assert_eq!((ended, lives.len()), (2 * ROUNDS, 0));
}
