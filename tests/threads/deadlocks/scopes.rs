//! Scopes inside workers. A scope never gives up its wait, because its tasks borrow from its stack.

use std::sync::mpsc::channel;

use slotted::{Executor, Park};

use super::{Handle, Pool};
use crate::stage::{Stage, play, would_deadlock};

/// The only worker owns the scope, so the scope runs its task in place.
#[test]
fn a_scope_task_that_waits_for_its_owner_beneath_it_is_a_deadlock() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |_| {
        let (give, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let owner = move || {
            POOL.scope(|s| {
                let task = move || tell.send(given.recv().unwrap().result()).unwrap();
                s.submit(task).unwrap().detach();
            });
        };
        give.send(POOL.submit(owner).unwrap()).unwrap();
        assert!(would_deadlock(&told.recv().unwrap()));
    });
}

/// Each of two scopes has a task that waits for the owner of the other one.
#[test]
fn scopes_that_wait_for_each_other_are_a_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |_| {
        let (tell, told) = channel();
        let (tell_started, started) = channel();
        let owner = || {
            let (give, given) = channel::<Handle<()>>();
            let (tell, tell_started) = (tell.clone(), tell_started.clone());
            let owner = move || {
                tell_started.send(()).unwrap();
                let other = given.recv().unwrap();
                POOL.scope(|s| {
                    s.submit(move || tell.send(other.result()).unwrap())
                        .unwrap()
                        .detach()
                });
            };
            (POOL.submit(owner).unwrap(), give)
        };
        let ((left, give_left), (right, give_right)) = (owner(), owner());
        started.recv().unwrap();
        started.recv().unwrap();
        give_left.send(right).unwrap();
        give_right.send(left).unwrap();
        let outcomes = [told.recv().unwrap(), told.recv().unwrap()];
        assert!(outcomes.iter().any(would_deadlock), "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.is_ok() || would_deadlock(outcome)),
            "{outcomes:?}"
        );
    });
}

/// The worker that joins sleeps first. In the other order, none of the two is told.
#[test]
fn a_closure_that_waits_for_the_task_whose_join_waits_for_it_is_a_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |_| {
        let (give, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let owner = move || {
            POOL.scope(|s| {
                let (begin, begun) = channel();
                let joiner = Stage::current();
                let b = move || {
                    begin.send(()).unwrap();
                    let task = given.recv().unwrap();
                    joiner.until_asleep();
                    tell.send(task.result()).unwrap();
                };
                s.join(|| begun.recv().unwrap(), b);
            });
        };
        give.send(POOL.submit(owner).unwrap()).unwrap();
        assert!(would_deadlock(&told.recv().unwrap()));
    });
}

/// Sums `numbers` by halves, in nested scopes. A half that finds no slot is summed at once.
fn sum<const WORKERS: usize>(pool: &'static Pool<WORKERS>, numbers: &[u32]) -> u32 {
    let [number] = numbers else {
        let (left, right) = numbers.split_at(numbers.len() / 2);
        return pool.scope(|s| match s.submit(move || sum(pool, left)) {
            Ok(left) => sum(pool, right) + left.result().unwrap(),
            Err(refused) => sum(pool, right) + refused.into_inner()(),
        });
    };
    *number
}

#[test]
fn nested_scopes_end_with_any_number_of_workers() {
    fn add_up<const WORKERS: usize>(pool: &'static Pool<WORKERS>) {
        play(pool, |_| {
            // Reserves all three slots first: the first task takes every slot that it finds.
            let permits: [_; 3] = core::array::from_fn(|_| pool.reserve().unwrap());
            let sums = permits.map(|permit| {
                permit.submit(|| {
                    let numbers: [u32; 16] = core::array::from_fn(|n| n as u32);
                    sum(pool, &numbers)
                })
            });
            for handle in sums {
                assert_eq!(handle.unwrap().result().unwrap(), 120);
            }
        });
    }
    static ONE: Pool<1> = Executor::new();
    static TWO: Pool<2> = Executor::new();
    static FOUR: Pool<4> = Executor::new();
    add_up(&ONE);
    add_up(&TWO);
    add_up(&FOUR);
}
