//! Cancellers of tasks that have ended, against newcomers in the same slots.
#![cfg(feature = "std")]

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use slotted::{Canceller, Executor, StdThreads};

static POOL: Executor<1, 2> = Executor::new();

/// A canceller never touches a later task: each task that was not cancelled runs.
#[test]
fn a_canceller_of_an_ended_task_leaves_the_next_task_of_its_slot_alone() {
    let latest: Mutex<Option<Canceller<'static>>> = Mutex::new(None);
    let over = AtomicBool::new(false);
    POOL.start(&StdThreads::new()).unwrap();
    let rounds = if cfg!(miri) { 20 } else { 200_000 };
    let limit = Duration::from_secs(if cfg!(miri) { 600 } else { 20 });
    thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let canceller = *latest.lock().unwrap();
                if let Some(canceller) = canceller {
                    canceller.cancel();
                }
            }
        });
        for round in 0..rounds {
            let mut handle = POOL.submit(move || round).unwrap();
            *latest.lock().unwrap() = Some(handle.canceller());
            match handle.result_timeout(limit) {
                Ok(value) => assert_eq!(value, round),
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    over.store(true, Ordering::Relaxed);
                    panic!("the task of round {round} is lost: {error}");
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let begin = Instant::now();
    POOL.shutdown(slotted::Shutdown::Drain).unwrap();
    assert!(begin.elapsed() < limit);
    assert_eq!(POOL.stats().slots_in_use, 0);
}
