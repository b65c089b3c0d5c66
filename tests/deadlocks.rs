//! Waits inside workers: they end if they can, and are told [`TaskError::WouldDeadlock`] only if
//! they cannot.
//!
//! Each case is played in rounds: once with the order that makes it hard, decided by who is seen
//! asleep, and once with whatever order threads come in. What is asserted holds in both.
#![cfg(feature = "std")]

#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod stage;

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::{Executor, JoinHandle, Park, Pending, ReturnWhen, TaskError, as_completed, wait};

use crate::stage::{Actor, Crew, Pace, Stage, rounds, within_limit};

type Pool<const WORKERS: usize> = Executor<WORKERS, 16, 256, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;

/// Starts the executor, plays rounds, and sees that nothing is left of them.
fn play<const WORKERS: usize>(pool: &'static Pool<WORKERS>, round: impl Fn(Pace) + Send + 'static) {
    within_limit(move || {
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        rounds(round);
        pool.shutdown(Pending::Run).unwrap();
        crew.join();
        let stats = pool.stats();
        assert_eq!((stats.slots_in_use, stats.panicked), (0, 0));
    });
}

fn would_deadlock<T>(outcome: &Result<T, TaskError>) -> bool {
    matches!(outcome, Err(TaskError::WouldDeadlock))
}

/// A future that has been polled once, or is just about to have been, and what wakes it.
fn resting<const WORKERS: usize>(pool: &'static Pool<WORKERS>) -> (Handle<u8>, Waker) {
    let (tell, told) = channel();
    let mut tell = Some(tell);
    let future = poll_fn(move |context| match tell.take() {
        Some(tell) => {
            tell.send(context.waker().clone()).unwrap();
            Poll::Pending
        }
        None => Poll::Ready(1),
    });
    let handle = pool.submit_future(future).unwrap();
    (handle, told.recv().unwrap())
}

// ---- who sleeps is told of what it could run
// ------------------------------------------------------------------------

/// The other worker is kept busy by what ends only after the scope has: only the scope's owner can
/// run the task.
#[test]
fn owner_of_a_scope_is_told_of_a_task_that_comes_while_it_sleeps() {
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

/// The only worker waits for futures of its own executor, wherever a handle of another one stands
/// among them.
#[test]
fn worker_is_told_of_a_future_among_handles_of_several_executors() {
    static POOL: Pool<1> = Executor::new();
    static OTHER: Pool<0> = Executor::new();
    play(&POOL, |pace| {
        for place_of_other in 0..3 {
            for woken in [[true, false], [false, true], [true, true]] {
                for through in [Through::Wait, Through::AsCompleted] {
                    let (promise, other) = OTHER.promise::<u8>().unwrap();
                    let ((first, wake_first), (second, wake_second)) =
                        (resting(&POOL), resting(&POOL));
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

// ---- no false alarm
// -------------------------------------------------------------------------------------------------

/// The promise lives in a slot whose last task ran on the worker that now waits for it.
#[test]
fn worker_that_waits_for_a_promise_is_not_stuck_on_what_ran_in_its_slot_before() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |pace| {
        POOL.submit(|| ()).unwrap().result().unwrap();
        let (promise, promised) = POOL.promise::<u8>().unwrap();
        assert!(promise.set_running_or_notify_cancel().unwrap());
        let (tell, told) = channel();
        let waiting = move || {
            tell.send(Stage::current()).unwrap();
            promised.result()
        };
        let waiting = POOL.submit(waiting).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        promise.set_result(5).unwrap();
        assert_eq!(waiting.result().unwrap().unwrap(), 5);
    });
}

/// A worker waits for a future, which then rests; another worker waits for the first. Nobody is
/// stuck: any interrupt may wake the future.
#[test]
fn worker_that_waits_for_a_future_is_not_stuck_once_that_rests() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        let (tell_polled, polled) = channel();
        let (tell_waiting, waiting) = channel::<Actor>();
        let (tell_waker, told_waker) = channel();
        let mut first = true;
        let future = poll_fn(move |context| {
            if !core::mem::take(&mut first) {
                return Poll::Ready(1);
            }
            tell_polled.send(()).unwrap();
            pace.until_asleep(&waiting.recv().unwrap());
            tell_waker.send(context.waker().clone()).unwrap();
            Poll::Pending
        });
        let future = POOL.submit_future(future).unwrap();
        polled.recv().unwrap();
        let wait_for_future = move || {
            tell_waiting.send(Stage::current()).unwrap();
            future.result()
        };
        let inner = POOL.submit(wait_for_future).unwrap();
        let (tell, told) = channel();
        let wait_for_inner = move || {
            tell.send(Stage::current()).unwrap();
            inner.result()
        };
        let outer = POOL.submit(wait_for_inner).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        told_waker.recv().unwrap().wake();
        assert_eq!(outer.result().unwrap().unwrap().unwrap(), 1);
    });
}

/// Two workers wait for one task through one handle; it ends, and the one that was displaced comes
/// to run late. Meanwhile two others wait for it, one behind the other: they only have to be
/// patient.
#[test]
fn displaced_waiter_is_not_stuck_once_the_task_has_ended() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| {
        let (end, ended) = channel::<()>();
        let (tell_started, started) = channel();
        let task = move || {
            tell_started.send(()).unwrap();
            ended.recv().unwrap();
        };
        let task = Arc::new(POOL.submit(task).unwrap());
        started.recv().unwrap();
        let wait_for_task = || {
            let (task, (tell, told)) = (Arc::clone(&task), channel());
            let waiting = move || {
                tell.send(Stage::current()).unwrap();
                assert!(task.error().is_none());
            };
            let waiting = POOL.submit(waiting).unwrap();
            let actor = told.recv().unwrap();
            pace.until_asleep(&actor);
            (waiting, actor)
        };
        let (displaced, late) = wait_for_task();
        let (displacing, _) = wait_for_task();
        if pace == Pace::Staged {
            late.hold();
        }
        end.send(()).unwrap();
        displacing.result().unwrap();

        let (give_displaced, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let wait_for_displaced = move || {
            tell.send(Stage::current()).unwrap();
            given.recv().unwrap().result()
        };
        let near = POOL.submit(wait_for_displaced).unwrap();
        let near_actor = told.recv().unwrap();
        let (give_near, given) = channel::<Handle<Result<(), TaskError>>>();
        let (tell, told) = channel();
        let wait_for_near = move || {
            tell.send(Stage::current()).unwrap();
            given.recv().unwrap().result()
        };
        let far = POOL.submit(wait_for_near).unwrap();
        let far_actor = told.recv().unwrap();
        give_displaced.send(displaced).unwrap();
        pace.until_asleep(&near_actor);
        give_near.send(near).unwrap();
        pace.until_asleep(&far_actor);
        late.release();
        far.result().unwrap().unwrap().unwrap();
    });
}

// ---- circles
// --------------------------------------------------------------------------------------------------------

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
            "only who closes the circle"
        );
    }
}

#[test]
fn circle_of_two_is_found_while_a_worker_is_idle() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 2, pace));
}

#[test]
fn circle_of_three_is_found_while_a_worker_is_idle() {
    static POOL: Pool<4> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 3, pace));
}

#[test]
fn circle_of_all_workers_is_found() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 3, pace));
}

/// One idle worker cannot help a task that waits for itself.
#[test]
fn circle_of_one_is_found_while_a_worker_is_idle() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| close_circle(&POOL, 1, pace));
}

// ---- the same through every kind of wait
// ----------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Result,
    Error,
    Wait,
    AsCompleted,
}

const ALL: [Through; 4] = [
    Through::Result,
    Through::Error,
    Through::Wait,
    Through::AsCompleted,
];

impl Through {
    /// Waits for all, and says how many of them were not done when the wait was given up.
    fn unfinished(self, mut handles: [Handle<()>; 2]) -> usize {
        match self {
            Self::Result => handles
                .into_iter()
                .map(Handle::result)
                .filter(would_deadlock)
                .count(),
            Self::Error => handles
                .iter()
                .filter(|handle| matches!(handle.error(), Some(TaskError::WouldDeadlock)))
                .count(),
            Self::Wait => wait(&mut handles, ReturnWhen::AllCompleted).not_done.len(),
            Self::AsCompleted => as_completed(handles)
                .filter(|handle| !handle.done())
                .count(),
        }
    }

    /// Waits for the first, and says whether there is one.
    fn first_is_done(self, mut handles: [Handle<u8>; 3]) -> bool {
        match self {
            Self::Result | Self::Error => unreachable!("these wait for one"),
            Self::Wait => !wait(&mut handles, ReturnWhen::FirstCompleted)
                .done
                .is_empty(),
            Self::AsCompleted => as_completed(handles)
                .next()
                .is_some_and(|handle| handle.done()),
        }
    }
}

/// A task that waits for whatever it is given, together with one that has ended.
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
fn two_workers_that_wait_for_each_other() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        for first in ALL {
            for second in ALL {
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
                        "{first:?}, {second:?}: who comes last gives up"
                    ),
                    Pace::Racing => assert_ne!(unfinished, (0, 0), "{first:?}, {second:?}"),
                }
            }
        }
    });
}

#[test]
fn task_that_waits_for_itself() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |_| {
        for through in ALL {
            let alone = waiting(&POOL, through);
            alone.give.send(alone.handle).unwrap();
            assert_eq!(alone.unfinished.recv().unwrap(), 1, "{through:?}");
        }
    });
}

/// The inner task is run in place, on the stack of the outer one, which cannot go on before it has
/// ended.
#[test]
fn task_that_waits_for_what_lies_beneath_it() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |_| {
        // Keeps the other worker away from the inner task; it is no part of the circle.
        let (tell, started) = channel();
        let (end, ended) = channel::<()>();
        let busy = move || {
            tell.send(()).unwrap();
            ended.recv().unwrap();
        };
        let busy = POOL.submit(busy).unwrap();
        started.recv().unwrap();
        for outer in ALL {
            for inner in ALL {
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
                    "{outer:?}, {inner:?}: only the inner one cannot wait"
                );
            }
        }
        end.send(()).unwrap();
        busy.result().unwrap();
    });
}

// ---- scopes in workers
// ----------------------------------------------------------------------------------------------

/// A scope cannot give up: what its tasks borrow is on its stack. So the task that waits for the
/// scope's owner does, whoever comes last, and whatever the scope has done before.
#[test]
fn task_of_a_scope_that_waits_for_the_owner() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        for earlier in 0..3 {
            let (give, given) = channel::<Handle<()>>();
            let (tell, told) = channel();
            let owner = move || {
                let permit = POOL.scope(|s| {
                    let handles: Vec<_> = (0..earlier).map(|_| s.submit(|| ()).unwrap()).collect();
                    handles
                        .into_iter()
                        .for_each(|handle| handle.result().unwrap());
                    // One of their slots is about to be used for something else, another is free.
                    let permit = POOL.reserve().unwrap();
                    let owner = Stage::current();
                    let (tell_started, started) = channel();
                    let task = move || {
                        tell_started.send(()).unwrap();
                        let handle = given.recv().unwrap();
                        pace.until_asleep(&owner);
                        tell.send(handle.result()).unwrap();
                    };
                    s.submit(task).unwrap().detach();
                    started.recv().unwrap();
                    permit
                });
                drop(permit);
            };
            give.send(POOL.submit(owner).unwrap()).unwrap();
            assert!(would_deadlock(&told.recv().unwrap()), "after {earlier}");
        }
    });
}

/// The same when the scope runs its task in place.
#[test]
fn task_of_a_scope_that_waits_for_the_owner_beneath_it() {
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

/// Two scopes, each with a task that waits for the owner of the other one.
#[test]
fn scopes_that_wait_for_each_other() {
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

/// The sum of `numbers`, by halves, in scopes within scopes; what finds no slot is done at once.
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
fn scopes_within_scopes_end_with_any_number_of_workers() {
    fn add_up<const WORKERS: usize>(pool: &'static Pool<WORKERS>) {
        play(pool, |_| {
            // All three slots first: the first task would take what it finds.
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

// ---- executors without workers
// --------------------------------------------------------------------------------------

/// Nobody but the thread that waits runs the tasks of either executor.
#[test]
fn handles_of_two_executors_without_workers() {
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

/// Each of the two runs a task that only the other's task can let go on.
#[test]
fn executor_with_workers_and_one_without() {
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

/// A thread that drives two executors sleeps; a task comes into either of them that keeps the
/// promise it waits for.
#[test]
fn driver_of_two_executors_is_told_of_a_task_in_either() {
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
                            // Only the driver can have run it.
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
