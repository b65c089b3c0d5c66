//! Hosts that refuse to start a worker.

use slotted::{Executor, Refusal, Shutdown, Spawn, StartError, StdHost, StdThreads, Worker};

use super::{By, NoThread, POOLS};
use crate::stage::{Crew, forever, rounds, with_crew, within_limit};

/// Submitted tasks survive the refusal, and the next start runs them. It does not matter what the
/// first workers were just doing.
#[test]
fn a_refused_start_can_be_repeated() {
    static POOLED: [Executor<2, 8>; POOLS] = [const { Executor::new() }; POOLS];
    within_limit(|| {
        for (round, pool) in POOLED.iter().enumerate() {
            let refused_at = round % 2;
            let task = pool.submit(|| 1).unwrap();
            let crew = Crew::default();
            let refused = pool.start(&By(|worker: Worker<'static, StdHost>| {
                if worker.index() == refused_at {
                    Err(NoThread)
                } else {
                    crew.spawn(worker).map_err(|_| NoThread)
                }
            }));
            let Err(StartError::Refused {
                started,
                reason: NoThread,
            }) = refused
            else {
                panic!("{refused:?}")
            };
            assert_eq!(started, refused_at);
            crew.join();

            with_crew(pool, |_| {
                assert_eq!(task.result().unwrap(), 1);
                assert_eq!(pool.submit(|| 2).unwrap().result().unwrap(), 2);
            });
            assert_eq!(pool.stats().slots_in_use, 0);
        }
    });
}

/// A refusal waits for the workers that had started.
#[test]
fn a_refused_run_can_be_repeated() {
    within_limit(|| {
        rounds(|_| {
            let pool: &Executor<3, 8> = forever(Executor::new());
            let task = pool.submit(|| 1).unwrap();
            for refused_at in 0..3 {
                let refused = pool.run_on(
                    &By(|worker: Worker<'static, StdHost>| {
                        let refuse = worker.index() == refused_at;
                        if refuse {
                            Err(NoThread)
                        } else {
                            StdThreads::new().spawn(worker).map_err(|_| NoThread)
                        }
                    }),
                    |_| panic!("the body is not run"),
                );
                assert!(matches!(
                    refused,
                    Err(StartError::Refused { started, .. }) if started == refused_at
                ));
            }
            let sum = pool.run(&StdThreads::new(), |pool| {
                task.result().unwrap() + pool.submit(|| 2).unwrap().result().unwrap()
            });
            assert_eq!(sum.unwrap(), 3);
        });
    });
}

/// The refusal does not undo a shutdown that begins during the refused start.
#[test]
fn a_shutdown_during_a_refused_start_stays_in_force() {
    static POOLED: [Executor<2, 8>; POOLS] = [const { Executor::new() }; POOLS];
    within_limit(|| {
        for (round, pool) in POOLED.iter().enumerate() {
            let task = pool.submit(|| 1).unwrap();
            // Either the first worker is about to run the task, or there is no worker and the task
            // can only be cancelled.
            let (refused_at, pending) = [(1, Shutdown::Drain), (0, Shutdown::Cancel)][round % 2];
            let crew = Crew::default();
            let refused = pool.start(&By(|worker: Worker<'static, StdHost>| {
                if worker.index() < refused_at {
                    return crew.spawn(worker).map_err(|_| NoThread);
                }
                pool.begin_shutdown(pending);
                Err(NoThread)
            }));
            assert!(
                matches!(refused, Err(StartError::Refused { started, .. }) if started == refused_at)
            );
            assert_eq!(pool.submit(|| 2).unwrap_err().reason(), Refusal::ShutDown);
            pool.shutdown(pending).unwrap();
            crew.join();
            match pending {
                Shutdown::Drain => assert_eq!(task.result().unwrap(), 1),
                _ => assert!(task.result().unwrap_err().is_cancelled()),
            }

            with_crew(pool, |_| {
                assert_eq!(pool.submit(|| 3).unwrap().result().unwrap(), 3);
            });
        }
    });
}
