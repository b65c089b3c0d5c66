//! Waiters of free slots.

use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, Refusal, Shutdown};

use super::Handle;
use crate::stage::{Stage, rounds, with_crew, within_limit};

/// The executor's only slot goes from one waiter to the next.
#[test]
fn slot_waiters_get_the_only_slot_one_by_one() {
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            rounds(|pace| {
                let taken = POOL.reserve().unwrap();
                let (tell, told) = channel();
                let (admit, admitted) = channel();
                let threads = [0, 1, 2, 3].map(|number| {
                    let (tell, admit) = (tell.clone(), admit.clone());
                    thread::spawn(move || {
                        tell.send(Stage::current()).unwrap();
                        admit
                            .send(POOL.submit_blocking(move || number).unwrap())
                            .unwrap();
                    })
                });
                told.iter()
                    .take(threads.len())
                    .for_each(|waiter| pace.until_asleep(&waiter));
                drop(taken);
                let mut numbers = [0; 4].map(|_| {
                    let handle: Handle<i32> = admitted.recv().unwrap();
                    // It holds the slot until its result is taken, so no other waiter was admitted.
                    assert!(admitted.try_recv().is_err());
                    assert_eq!(POOL.reserve().unwrap_err(), Refusal::Full);
                    handle.result().unwrap()
                });
                for thread in threads {
                    thread.join().unwrap();
                }
                numbers.sort_unstable();
                assert_eq!(numbers, [0, 1, 2, 3]);
            })
        });
        assert_eq!(
            (POOL.stats().slots_in_use, POOL.stats().slots_high_water),
            (0, 1)
        );
    });
}

#[test]
fn a_shutdown_refuses_every_slot_waiter() {
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        rounds(|pace| {
            with_crew(&POOL, |_| {
                let taken = POOL.reserve().unwrap();
                let (tell, told) = channel();
                let threads = [0, 1, 2, 3].map(|number| {
                    let tell = tell.clone();
                    thread::spawn(move || {
                        tell.send(Stage::current()).unwrap();
                        POOL.submit_blocking(move || number)
                            .map(drop)
                            .map_err(|refused| refused.reason())
                    })
                });
                told.iter()
                    .take(threads.len())
                    .for_each(|waiter| pace.until_asleep(&waiter));
                POOL.begin_shutdown(Shutdown::Drain);
                assert_eq!(
                    threads.map(|thread| thread.join().unwrap()),
                    [Err(Refusal::ShutDown); 4]
                );
                drop(taken);
            });
        });
    });
}

/// The map loses a slot for a while and gets it back. It also finds a task in a place below those
/// that it looked at last.
#[test]
fn an_unordered_map_yields_the_item_of_a_place_that_it_refills_later() {
    static POOL: Executor<0, 3, 64, Stage> = Executor::new();
    within_limit(|| {
        let mut map = POOL.map(0..5, |item| item).unordered();
        assert_eq!(map.next().unwrap().unwrap(), 0);
        let taken = POOL.reserve().unwrap();
        assert_eq!(map.next().unwrap().unwrap(), 1);
        drop(taken);
        assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [2, 3, 4]);
    });
}
