//! `Scope::join`: the second closure is on offer to the workers, and comes back.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Scope, Shutdown, StdThreads};

use super::{Counted, Drops};
use crate::stage::{raise, within_limit};

type Joins<'s, 'e> = Scope<'s, 'e, 8>;

/// Runs `body` while the only worker is busy, so that no closure is taken.
fn while_busy<const QUEUE: usize, R>(
    pool: &'static Executor<1, QUEUE>,
    body: impl FnOnce() -> R,
) -> R {
    let (leave, left) = channel::<()>();
    let (begin, began) = channel();
    let blocker = pool.submit(move || {
        begin.send(()).unwrap();
        let _ = left.recv();
    });
    began.recv().unwrap();
    let result = body();
    drop(leave);
    blocker.unwrap().result().unwrap();
    result
}

#[test]
fn both_closures_run_in_the_caller_where_there_are_no_workers() {
    let executor: Executor<0, 4> = Executor::new();
    let caller = thread::current().id();
    let both = executor.scope(|s| s.join(|| thread::current().id(), || thread::current().id()));
    assert_eq!(both, (caller, caller));
    assert_eq!(executor.stats().slots_high_water, 0);
}

#[test]
fn both_closures_run_in_the_caller_of_an_executor_that_is_not_started() {
    let executor: Executor<2, 4> = Executor::new();
    let caller = thread::current().id();
    let both = executor.scope(|s| s.join(|| thread::current().id(), || thread::current().id()));
    assert_eq!(both, (caller, caller));
    assert_eq!(executor.stats().slots_high_water, 0);
}

#[test]
fn a_worker_runs_the_second_closure_at_the_same_time() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (tell, told) = channel();
        let caller = thread::current().id();
        // `a` ends only after `b` has begun, elsewhere.
        let (a, b) = POOL.scope(|s| {
            let a = move || told.recv().unwrap();
            s.join(a, || tell.send(thread::current().id()).unwrap())
        });
        assert_ne!(a, caller);
        assert_eq!(b, ());
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

#[test]
fn the_caller_takes_the_second_closure_back_if_no_worker_came() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            let caller = thread::current().id();
            let order = AtomicUsize::new(0);
            let step = || {
                (
                    order.fetch_add(1, Ordering::Relaxed),
                    thread::current().id(),
                )
            };
            let both = POOL.scope(|s| s.join(step, step));
            assert_eq!(both, ((0, caller), (1, caller)));
            // The slot of the offer is free, and that of the busy worker's task is not.
            assert_eq!(POOL.stats().slots_in_use, 1);
            assert_eq!(POOL.stats().slots_high_water, 2);
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_full_executor_runs_both_closures_in_the_caller() {
    static POOL: Executor<1, 1> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            let both = POOL.scope(|s| s.join(|| 1, || "two"));
            assert_eq!(both, (1, "two"));
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn an_executor_that_is_shut_down_runs_both_closures_in_the_caller() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let after = POOL.scope(|s| {
            POOL.shutdown(Shutdown::Drain).unwrap();
            s.join(|| 1, || 2)
        });
        assert_eq!(after, (1, 2));
    });
}

#[test]
fn a_shutdown_that_cancels_gives_the_second_closure_back() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            let caller = thread::current().id();
            let both = POOL.scope(|s| {
                s.join(
                    || POOL.begin_shutdown(Shutdown::Cancel),
                    || thread::current().id(),
                )
            });
            assert_eq!(both, ((), caller));
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

/// How deep the joins below nest.
const DEPTH: u32 = 200;

fn nest(s: &Joins<'_, '_>, depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let (deeper, one) = s.join(|| nest(s, depth - 1), || 1);
    deeper + one
}

#[test]
fn joins_in_joins_offer_one_closure_for_each_worker() {
    static POOL: Executor<1, 8> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            assert_eq!(POOL.scope(|s| nest(s, DEPTH)), DEPTH);
            // The outermost one, and the blocker.
            assert_eq!(POOL.stats().slots_high_water, 2);
            assert_eq!(POOL.stats().cancelled, 1);
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_worker_joins_too() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        for _ in 0..20 {
            let task = POOL.submit(|| POOL.scope(|s: &Joins<'_, '_>| nest(s, DEPTH)));
            assert_eq!(task.unwrap().result(), Ok(DEPTH));
        }
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

#[test]
fn closures_borrow_and_results_may_be_larger_than_a_slot() {
    static POOL: Executor<1, 4, 40> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let mut numbers = [1_u64; 200];
        let large = [2_u64; 100];
        let (left, right) = numbers.split_at_mut(100);
        let (sum, copy) = POOL.submitter().scope::<1, _>(|s| {
            let a = || {
                left.fill(3);
                left.iter().sum::<u64>()
            };
            s.join(a, || {
                right.copy_from_slice(&large);
                large
            })
        });
        assert_eq!((sum, copy), (300, large));
        assert_eq!(numbers[99..101], [3, 2]);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

/// What a panic in `join` threw.
fn thrown<R>(join: impl FnOnce() -> R) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(join)).err().unwrap();
    *payload.downcast::<&'static str>().unwrap()
}

#[test]
fn a_panic_in_the_first_closure_drops_a_second_one_that_no_worker_took() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            let drops = Drops::default();
            let capture = drops.value();
            let b = move || -> Counted { unreachable!("{capture:?}") };
            POOL.scope(|s| {
                let threw = thrown(|| s.join(|| raise("a"), b));
                assert_eq!((threw, drops.count()), ("a", 1));
                // The next closure is offered again.
                s.join(|| assert_eq!(POOL.stats().queued, 1), || ());
            });
            assert_eq!(POOL.stats().slots_in_use, 1);
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_panic_in_the_first_closure_waits_for_the_second() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (begin, began) = channel();
        let drops = Drops::default();
        let value = drops.value();
        let threw = thrown(|| {
            POOL.scope(|s| {
                let a = move || {
                    began.recv().unwrap();
                    raise("a")
                };
                s.join(a, || {
                    begin.send(()).unwrap();
                    value
                })
            })
        });
        assert_eq!((threw, drops.count()), ("a", 1));
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

#[test]
fn a_panic_in_the_second_closure_comes_to_the_caller() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let b = || raise("b");
        while_busy(&POOL, || {
            assert_eq!(thrown(|| POOL.scope(|s| s.join(|| (), b))), "b");
        });
        let (begin, began) = channel();
        let drops = Drops::default();
        let threw = thrown(|| {
            POOL.scope(|s| {
                let a = || {
                    began.recv().unwrap();
                    drops.value()
                };
                s.join(a, || {
                    begin.send(()).unwrap();
                    b()
                })
            })
        });
        // The result of the first is gone with the panic.
        assert_eq!((threw, drops.count()), ("b", 1));
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn the_panic_of_the_first_closure_goes_before_that_of_the_second() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (begin, began) = channel();
        let threw = thrown(|| {
            POOL.scope(|s| {
                let a = || {
                    began.recv().unwrap();
                    raise("a")
                };
                s.join(a, || {
                    begin.send(()).unwrap();
                    raise("b")
                })
            })
        });
        assert_eq!(threw, "a");
        // Both are over, and the pool serves.
        assert_eq!(POOL.submit(|| 3).unwrap().result(), Ok(3));
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_closure_that_was_refused_keeps_no_later_one_from_the_workers() {
    static POOL: Executor<1, 1> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (leave, left) = channel::<()>();
        let blocker = POOL.submit(move || {
            let _ = left.recv();
        });
        let blocker = blocker.unwrap();
        let on_offer = POOL.scope(|s| {
            // No slot is free: this one is not on offer.
            let a = || {
                drop(leave);
                blocker.result().unwrap();
                assert_eq!(POOL.stats().slots_in_use, 0);
                s.join(|| POOL.stats().slots_in_use, || ()).0
            };
            s.join(a, || ()).0
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(on_offer, 1);
    });
}

#[test]
fn a_closure_of_an_earlier_life_keeps_no_later_one_from_the_workers() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (leave, left) = channel::<()>();
        let blocker = POOL.submit(move || {
            let _ = left.recv();
        });
        blocker.unwrap().detach();
        let on_offer = POOL.scope(|s| {
            let a = || {
                POOL.begin_shutdown(Shutdown::Cancel);
                drop(leave);
                POOL.shutdown(Shutdown::Cancel).unwrap();
                POOL.start(&StdThreads::new()).unwrap();
                s.join(|| POOL.stats().slots_in_use, || ()).0
            };
            s.join(a, || ()).0
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        // The slot of the cancelled one, which waits for its owner, and that of the next one.
        assert_eq!(on_offer, 2);
    });
}

#[test]
fn a_join_without_an_offer_is_no_refusal() {
    static POOL: Executor<1, 1> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            POOL.scope(|s| s.join(|| (), || ()));
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(POOL.stats().refused, 0);
    });
}

/// Returns how many slots are in use while a further closure may be on offer.
fn slots_in_a_join(pool: &'static Executor<1, 4>, s: &Scope<'_, '_, 4>) -> usize {
    s.join(|| pool.stats().slots_in_use, || ()).0
}

#[test]
fn each_join_of_a_row_offers_its_closure() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        POOL.scope(|s| {
            for _ in 0..3 {
                let (begin, began) = channel();
                s.join(|| began.recv().unwrap(), || begin.send(()).unwrap());
                assert_eq!(slots_in_a_join(&POOL, s), 1, "after one that a worker took");
            }
        });
        while_busy(&POOL, || {
            POOL.scope(|s| {
                for _ in 0..3 {
                    assert_eq!(slots_in_a_join(&POOL, s), 2, "after one that came back");
                }
            });
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn a_closure_that_a_worker_runs_is_no_longer_on_offer() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let (begin, began) = channel();
        let (leave, left) = channel::<()>();
        let slots = POOL.scope(|s| {
            let a = || {
                began.recv().unwrap();
                let slots = slots_in_a_join(&POOL, s);
                drop(leave);
                slots
            };
            let b = move || {
                begin.send(()).unwrap();
                let _ = left.recv();
            };
            s.join(a, b).0
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(slots, 2);
    });
}

#[test]
fn a_closure_that_came_back_runs_without_a_slot() {
    static POOL: Executor<1, 4> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        while_busy(&POOL, || {
            let (_, slots) = POOL.scope(|s| s.join(|| (), || POOL.stats().slots_in_use));
            assert_eq!(slots, 1);
        });
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}

#[test]
fn two_workers_find_two_closures_on_offer() {
    static POOL: Executor<2, 8> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let begun = std::sync::Barrier::new(3);
        let wait = || {
            begun.wait();
        };
        POOL.scope(|s: &Joins<'_, '_>| s.join(|| s.join(wait, wait), wait));
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}
