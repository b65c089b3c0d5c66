//! A wait that a worker can end by itself: the worker wakes for each task that it could run.

use core::task::Waker;
use std::sync::mpsc::channel;

use slotted::{Executor, Park};

use super::{Pool, Through};
use crate::stage::{Stage, play, suspended};

/// The other worker is busy until the scope has ended. So only the scope's owner can run the task.
#[test]
fn a_submitted_scope_task_wakes_the_sleeping_scope_owner() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        let (promise, promised) = POOL.promise::<()>().unwrap();
        let (ask, asked) = channel();
        let (answer, answered) = channel();
        let owner = move || {
            POOL.scope(|s| {
                let owner = Stage::current();
                let (tell, started) = channel();
                let task = move || {
                    tell.send(()).unwrap();
                    pace.until_asleep(&owner);
                    ask.send(()).unwrap();
                    answered.recv().unwrap();
                    s.submit(|| ()).unwrap().detach();
                };
                s.submit(task).unwrap().detach();
                started.recv().unwrap();
            });
            promise.set_result(()).unwrap();
        };
        let owner = POOL.submit(owner).unwrap();
        asked.recv().unwrap();
        let busy = POOL.submit(move || promised.result()).unwrap();
        answer.send(()).unwrap();
        owner.result().unwrap();
        busy.result().unwrap().unwrap();
    });
}

/// The only worker waits for two futures of its own executor and a promise of another one. The
/// promise's handle may stand at any place among the three.
#[test]
fn a_woken_future_wakes_the_worker_that_waits_for_handles_of_several_executors() {
    static POOL: Pool<1> = Executor::new();
    static OTHER: Pool<0> = Executor::new();
    play(&POOL, |pace| {
        for place_of_other in 0..3 {
            for woken in [[true, false], [false, true], [true, true]] {
                for through in [Through::Wait, Through::AsCompleted] {
                    let (promise, other) = OTHER.promise::<u8>().unwrap();
                    let ((first, wake_first), (second, wake_second)) =
                        (suspended(&POOL, 1_u8), suspended(&POOL, 1));
                    let wakers = [wake_first, wake_second];
                    let (tell, told) = channel();
                    let waiting = move || {
                        let mut handles = [first, second, other];
                        handles[place_of_other..].rotate_right(1);
                        tell.send(Stage::current()).unwrap();
                        through.first_is_done(handles)
                    };
                    let waiting = POOL.submit(waiting).unwrap();
                    pace.until_asleep(&told.recv().unwrap());
                    wakers
                        .iter()
                        .zip(woken)
                        .filter(|(_, woken)| *woken)
                        .for_each(|(waker, _)| waker.wake_by_ref());
                    assert!(waiting.result().unwrap());
                    promise.set_result(0).unwrap();
                    wakers.into_iter().for_each(Waker::wake);
                }
            }
        }
    });
}
