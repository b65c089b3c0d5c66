//! How many atomic steps a task takes.
#![forbid(unsafe_code)]

use super::lives::start_and_keep;
use super::*;
use crate::sync::{Steps, take_steps};

/// One after the other in one thread, so that no step is taken twice. On a desktop a section takes
/// two read-modify-writes more, on a board none.
#[test]
fn a_task_through_a_worker_takes_seven_read_modify_writes_and_two_sections() {
    model_leaked::<1, 2>(|pool| {
        let mut worker = start_and_keep(pool);
        // The first round runs before any slot has come back.
        for round in 0..3 {
            take_steps();
            let mut handle = pool.submit(move || round).unwrap();
            let submitted = take_steps();
            assert_eq!(worker.run_one(), Ran::Task);
            let run = take_steps();
            assert_eq!(handle.try_result(), Some(Ok(round)));
            let taken = take_steps();
            if round == 0 {
                continue;
            }
            // It takes back the free slots, claims one, and pushes it to the inbox.
            assert_eq!(
                submitted,
                Steps {
                    changes: 3,
                    locks: 1
                }
            );
            // It empties the inbox, starts the task and publishes its end.
            assert_eq!(
                run,
                Steps {
                    changes: 3,
                    locks: 1
                }
            );
            // It returns the slot.
            assert_eq!(
                taken,
                Steps {
                    changes: 1,
                    locks: 0
                }
            );
        }
        pool.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}

/// What a submitter takes back, and what a worker takes out of the inbox, serves several tasks.
#[test]
fn tasks_that_are_submitted_together_share_two_of_the_steps() {
    model_leaked::<1, 4>(|pool| {
        let mut worker = start_and_keep(pool);
        for round in 0..2 {
            take_steps();
            let mut handles = [0; 4].map(|_| pool.submit(|| ()).unwrap());
            while worker.run_one() == Ran::Task {}
            for handle in &mut handles {
                assert_eq!(handle.try_result(), Some(Ok(())));
            }
            if round > 0 {
                // Five for each task, and two. The last section of the worker finds nothing.
                assert_eq!(
                    take_steps(),
                    Steps {
                        changes: 4 * 5 + 2,
                        locks: 4 * 2 + 1
                    }
                );
            }
        }
        pool.begin_shutdown(Shutdown::Drain);
        assert_eq!(worker.run_one(), Ran::Left);
    });
}
