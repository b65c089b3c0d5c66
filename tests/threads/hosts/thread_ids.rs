//! A host that gives every thread the same number.

use std::thread;

use slotted::{Executor, JoinHandle, Park, Ran, Shutdown, ShutdownError, TaskError, Worker};

use crate::stage::{Crew, forever, keep, rounds, within_limit};

/// One number for every thread: right for a host with one thread, wrong for any other. Never
/// sleeps.
#[derive(Debug)]
struct Nameless;

impl Park for Nameless {
    type Thread = ();
    type Order = slotted::Fifo;

    fn current() {}

    fn current_id() -> usize {
        7
    }

    fn park() {
        thread::yield_now();
    }

    fn unpark((): &()) {}
}

/// The thread that steps the worker is the worker, also between two steps. So it runs in place the
/// task that it waits for.
#[test]
fn a_constant_thread_id_is_right_for_one_thread() {
    static POOL: Executor<1, 8, 64, Nameless> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let mut worker: Worker<'static, Nameless> = kept.recv().unwrap();
        assert_eq!(worker.run_one(), Ran::Nothing);
        let first = POOL.submit(|| 1).unwrap();
        let nested = POOL
            .submit(|| POOL.submit(|| 2).unwrap().result().unwrap())
            .unwrap();
        assert_eq!(nested.result().unwrap(), 2);
        assert!(!first.done(), "no waiter has asked for it");
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(first.result().unwrap(), 1);
        assert_eq!(worker.run_one(), Ran::Nothing);
        let mut numbers = [1; 9];
        POOL.scope(|s| s.for_each_chunk(&mut numbers, 2, |chunk| chunk.fill(2)))
            .unwrap();
        assert_eq!(numbers, [2; 9]);
        assert!(matches!(
            POOL.shutdown(Shutdown::Drain),
            Err(ShutdownError::WouldDeadlock)
        ));
        assert_eq!(worker.run_one(), Ran::Left);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// Every thread takes itself for the first worker. Waits may end with `WouldDeadlock` for no
/// reason. Values stay whole, and every slot comes back.
#[test]
fn a_constant_thread_id_for_several_threads_corrupts_nothing() {
    within_limit(|| {
        rounds(|_| {
            let pool: &Executor<2, 8, 64, Nameless> = forever(Executor::new());
            let ask = |pool: &Executor<2, 8, 64, Nameless>| {
                for n in 0..8_u64 {
                    // Refused only for lack of slots: two threads submit.
                    let Ok(handle) = pool.submit(move || Box::new(n)) else {
                        continue;
                    };
                    match handle.result() {
                        Ok(value) => assert_eq!(*value, n),
                        Err(error) => assert!(matches!(error, TaskError::WouldDeadlock), "{error}"),
                    }
                    let mut numbers = [0; 4];
                    let refused = pool.scope(|s| {
                        let mut halves = numbers.chunks_mut(2);
                        [(); 2].map(|()| {
                            let half = halves.next().unwrap();
                            s.submit(move || half.fill(n))
                                .map(JoinHandle::detach)
                                .is_err()
                        })
                    });
                    let expected = refused.map(|refused| if refused { [0; 2] } else { [n; 2] });
                    assert_eq!(numbers, expected.as_flattened());
                }
            };
            let crew = Crew::default();
            pool.run_on(&crew, |pool| {
                thread::scope(|threads| {
                    threads.spawn(|| ask(pool));
                    ask(pool);
                });
            })
            .unwrap();
            // The caller of the shutdown takes itself for a worker, and does not wait.
            crew.join();
            assert_eq!(pool.stats().slots_in_use, 0);
        });
    });
}
