//! Waits that drive executors without workers.

use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, ReturnWhen, as_completed, wait};

use super::{Pool, Through};
use crate::stage::{Stage, play, rounds, within_limit};

/// Only the waiter runs the tasks of either executor.
#[test]
fn a_waiter_drives_two_executors_without_workers() {
    within_limit(|| {
        let (small, large): (Executor<0, 2>, Executor<0, 4>) = (Executor::new(), Executor::new());
        let submit = || {
            [
                small.submit(|| 1).unwrap(),
                large.submit(|| 2).unwrap(),
                large.submit(|| 3).unwrap(),
            ]
        };

        let mut handles = submit();
        let waited = wait(&mut handles, ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (3, 0));
        drop(handles);

        let mut handles = submit();
        assert_eq!(wait(&mut handles, ReturnWhen::FirstCompleted).done.len(), 1);
        drop(handles);
        assert_eq!(small.run_until_idle() + large.run_until_idle(), 2);

        let mut values: Vec<i32> = as_completed(submit())
            .map(|handle| handle.result().unwrap())
            .collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2, 3]);
    });
}

/// Each of two executors has a task that ends only with the other's help.
#[test]
fn a_waiter_drives_one_executor_while_workers_run_the_other() {
    static POOL: Pool<1> = Executor::new();
    static DRIVEN: Pool<0> = Executor::new();
    play(&POOL, |_| {
        for through in [Through::Wait, Through::AsCompleted] {
            for driven_first in [false, true] {
                let (to_driven, from_pool) = channel::<()>();
                let (to_pool, from_driven) = channel::<()>();
                let answers = POOL.submit(move || {
                    from_driven.recv().unwrap();
                    to_driven.send(()).unwrap();
                });
                let asks = DRIVEN.submit(move || {
                    to_pool.send(()).unwrap();
                    from_pool.recv().unwrap();
                });
                let mut handles = [answers.unwrap(), asks.unwrap()];
                if driven_first {
                    handles.reverse();
                }
                assert_eq!(through.unfinished(handles), 0);
            }
        }
    });
}

/// The driver of two executors sleeps and waits for promises. A submitter gives one executor a
/// task, and the promises are kept once that task has run.
#[test]
fn a_task_in_either_of_two_executors_wakes_their_driver() {
    within_limit(|| {
        rounds(|pace| {
            for through in [Through::Wait, Through::AsCompleted] {
                for into_first in [false, true] {
                    let (first, second): (Pool<0>, Pool<0>) = (Executor::new(), Executor::new());
                    let executors = [&first, &second];
                    thread::scope(|threads| {
                        let driver = Stage::current();
                        let promises = executors.map(|executor| executor.promise::<()>().unwrap());
                        let [(kept, one), (also_kept, another)] = promises;
                        let (tell, told) = channel();
                        threads.spawn(move || {
                            pace.until_asleep(&driver);
                            let target = executors[usize::from(!into_first)];
                            target
                                .submit(move || tell.send(()).unwrap())
                                .unwrap()
                                .detach();
                            // Only the driver can run the task.
                            told.recv().unwrap();
                            kept.set_result(()).unwrap();
                            also_kept.set_result(()).unwrap();
                        });
                        let mut handles = [one, another];
                        let done = match through {
                            Through::AsCompleted => {
                                as_completed(handles).filter(|handle| handle.done()).count()
                            }
                            _ => wait(&mut handles, ReturnWhen::AllCompleted).done.len(),
                        };
                        assert_eq!(done, 2);
                    });
                }
            }
        });
    });
}
