//! Tasks that wait for each other in a circle, through every kind of wait.

use std::sync::mpsc::{Receiver, Sender, channel};

use slotted::{Executor, Park, Ran, ReturnWhen, Shutdown, TaskError, wait};

use super::{Handle, Pool, Through};
use crate::stage::{Actor, Pace, Stage, keep, play, within_limit, would_deadlock};

/// Each of `members` tasks waits for the next one, and the last for the first.
fn close_circle<const WORKERS: usize>(pool: &'static Pool<WORKERS>, members: usize, pace: Pace) {
    let (tell, told) = channel();
    let (tell_started, started) = channel();
    let mut gives = Vec::new();
    let mut actors = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..members {
        let (give, given) = channel::<Handle<()>>();
        let (tell, tell_started) = (tell.clone(), tell_started.clone());
        let task = move || {
            tell_started.send(Stage::current()).unwrap();
            tell.send(given.recv().unwrap().result()).unwrap();
        };
        handles.push(pool.submit(task).unwrap());
        gives.push(give);
        actors.push(started.recv().unwrap());
    }
    handles.rotate_left(1);
    for (place, (give, handle)) in gives.iter().zip(handles).enumerate() {
        give.send(handle).unwrap();
        if place + 1 < members {
            pace.until_asleep(&actors[place]);
        }
    }
    let outcomes: Vec<Result<(), TaskError>> = told.iter().take(members).collect();
    assert!(outcomes.iter().any(would_deadlock), "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.is_ok() || would_deadlock(outcome)),
        "{outcomes:?}"
    );
    if pace == Pace::Staged {
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| would_deadlock(outcome))
                .count(),
            1,
            "only the task that closes the circle gives up"
        );
    }
}

#[test]
fn a_circle_of_two_is_found_while_a_worker_is_idle() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 2, pace));
}

#[test]
fn a_circle_of_three_is_found_while_a_worker_is_idle() {
    static POOL: Pool<4> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 3, pace));
}

#[test]
fn a_circle_of_all_workers_is_found() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 3, pace));
}

/// The idle worker cannot help a task that waits for itself.
#[test]
fn a_circle_of_one_is_found_while_a_worker_is_idle() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 1, pace));
}

const FOR_ONE_TASK: [Through; 2] = [Through::Result, Through::Error];

/// A task that waits for a task that has ended and for the task that the test gives it.
struct Waiting {
    handle: Handle<()>,
    actor: Actor,
    give: Sender<Handle<()>>,
    unfinished: Receiver<usize>,
}

fn waiting<const WORKERS: usize>(pool: &'static Pool<WORKERS>, through: Through) -> Waiting {
    let (promise, ended) = pool.promise::<()>().unwrap();
    promise.set_result(()).unwrap();
    let (give, given) = channel();
    let (tell_actor, told_actor) = channel();
    let (tell, unfinished) = channel();
    let task = move || {
        tell_actor.send(Stage::current()).unwrap();
        tell.send(through.unfinished([ended, given.recv().unwrap()]))
            .unwrap();
    };
    let handle = pool.submit(task).unwrap();
    Waiting {
        handle,
        actor: told_actor.recv().unwrap(),
        give,
        unfinished,
    }
}

#[test]
fn two_workers_that_wait_for_each_other_are_a_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        for first in FOR_ONE_TASK {
            for second in FOR_ONE_TASK {
                let (left, right) = (waiting(&POOL, first), waiting(&POOL, second));
                left.give.send(right.handle).unwrap();
                pace.until_asleep(&left.actor);
                right.give.send(left.handle).unwrap();
                let unfinished = (
                    left.unfinished.recv().unwrap(),
                    right.unfinished.recv().unwrap(),
                );
                match pace {
                    Pace::Staged => assert_eq!(
                        unfinished,
                        (0, 1),
                        "{first:?}, {second:?}: the last waiter gives up"
                    ),
                    Pace::Racing => assert_ne!(unfinished, (0, 0), "{first:?}, {second:?}"),
                }
            }
        }
    });
}

#[test]
fn a_task_that_waits_for_itself_is_a_deadlock() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |_| {
        for through in FOR_ONE_TASK {
            let alone = waiting(&POOL, through);
            alone.give.send(alone.handle).unwrap();
            assert_eq!(alone.unfinished.recv().unwrap(), 1, "{through:?}");
        }
    });
}

/// The inner task runs in place, on the stack of the outer one. The outer task cannot go on before
/// the inner one has ended.
#[test]
fn a_task_that_waits_for_a_task_beneath_it_on_the_stack_is_a_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |_| {
        // Keeps the other worker busy, away from the inner task. It is no part of the circle.
        let (tell, started) = channel();
        let (end, ended) = channel::<()>();
        let busy = move || {
            tell.send(()).unwrap();
            ended.recv().unwrap();
        };
        let busy = POOL.submit(busy).unwrap();
        started.recv().unwrap();
        for outer in FOR_ONE_TASK {
            for inner in FOR_ONE_TASK {
                let (tell, unfinished) = channel();
                let (give, given) = channel::<Handle<()>>();
                let (promise, one) = POOL.promise::<()>().unwrap();
                let (second_promise, another) = POOL.promise::<()>().unwrap();
                promise.set_result(()).unwrap();
                second_promise.set_result(()).unwrap();
                let outer_task = move || {
                    let tell_inner = tell.clone();
                    let inner_task = move || {
                        tell_inner
                            .send(inner.unfinished([one, given.recv().unwrap()]))
                            .unwrap();
                    };
                    let inner_handle = POOL.submit(inner_task).unwrap();
                    tell.send(outer.unfinished([another, inner_handle]))
                        .unwrap();
                };
                give.send(POOL.submit(outer_task).unwrap()).unwrap();
                let told = (unfinished.recv().unwrap(), unfinished.recv().unwrap());
                assert_eq!(
                    told,
                    (1, 0),
                    "{outer:?}, {inner:?}: only the inner wait cannot end"
                );
            }
        }
        end.send(()).unwrap();
        busy.result().unwrap();
    });
}

/// A task waits for another task, whose callback waits for the first.
#[test]
fn a_callback_that_waits_for_a_waiter_of_its_own_task_is_a_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        let (release, released) = channel::<()>();
        let first = POOL.submit(move || released.recv().unwrap()).unwrap();
        let (give, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let second = move || {
            let first = given.recv().unwrap();
            tell.send(Stage::current()).unwrap();
            would_deadlock(&first.result())
        };
        let second = POOL.submit(second).unwrap();
        let (answer, answered) = channel();
        let callback = move |_: Result<&(), &TaskError>| {
            let outcome = second.result();
            answer
                .send((would_deadlock(&outcome), outcome.unwrap_or(false)))
                .unwrap();
        };
        first.add_done_callback(callback).unwrap();
        give.send(first).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        release.send(()).unwrap();
        let (callback_gave_up, second_gave_up) = answered.recv().unwrap();
        assert!(callback_gave_up || second_gave_up);
        // The last waiter closed the circle.
        assert!(pace == Pace::Racing || callback_gave_up);
    });
}

#[test]
fn two_workers_of_one_thread_find_a_wait_for_a_task_beneath_on_the_stack() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let (keep, kept) = keep();
        POOL.start(&keep).unwrap();
        let mut workers = [kept.recv().unwrap(), kept.recv().unwrap()];
        for worker in &mut workers {
            assert_eq!(worker.run_one(), Ran::Nothing);
        }
        for worker in &mut workers {
            let (give, given) = channel::<Handle<()>>();
            let (answer, answered) = channel();
            let task = move || {
                answer
                    .send(would_deadlock(&given.recv().unwrap().result()))
                    .unwrap()
            };
            give.send(POOL.submit(task).unwrap()).unwrap();
            assert_eq!(worker.run_one(), Ran::Task);
            assert!(answered.recv().unwrap());
        }
        POOL.begin_shutdown(Shutdown::Drain);
        for worker in &mut workers {
            assert_eq!(worker.run_one(), Ran::Left);
        }
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

/// Another executor's task is done, and that does not end the wait for all.
#[test]
fn a_wait_for_the_own_task_is_a_deadlock_even_beside_a_done_task_elsewhere() {
    static POOL: Pool<1> = Executor::new();
    static OTHER: Pool<0> = Executor::new();
    play(&POOL, |_pace| {
        for own_place in 0..2 {
            let done = OTHER.submit(|| ()).unwrap();
            assert_eq!(OTHER.run_until_idle(), 1);
            let (give, given) = channel::<Handle<()>>();
            let (answer, answered) = channel();
            let task = move || {
                let mut handles = [given.recv().unwrap(), done];
                handles[..].rotate_right(own_place);
                let waited = wait(&mut handles, ReturnWhen::AllCompleted);
                answer
                    .send((waited.done.len(), waited.not_done.len()))
                    .unwrap();
            };
            give.send(POOL.submit(task).unwrap()).unwrap();
            assert_eq!(answered.recv().unwrap(), (1, 1));
        }
    });
}
