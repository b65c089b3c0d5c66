//! Waits on an executor that has no worker: an error at once where only a worker could end them.

use core::future::poll_fn;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{
    Executor, JoinHandle, Park, ReturnWhen, Shutdown, StdThreads, TaskError, as_completed,
    as_completed_timeout, wait, wait_timeout,
};

use crate::stage::{Actor, Stage, forever, keep, suspended_once, within_limit};

type Pool = Executor<2, 4, 128, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;

/// Executors without a worker that hold one task: never started, and shut down before the start.
fn without_workers() -> [(&'static Pool, Handle<u8>); 2] {
    [false, true].map(|shut_down| {
        let pool: &Pool = forever(Executor::new());
        let handle = pool.submit(|| 7).unwrap();
        if shut_down {
            pool.begin_shutdown(Shutdown::Drain);
        }
        (pool, handle)
    })
}

/// Runs `waiter` in a thread of its own. Returns what tells its outcome once it sleeps.
fn asleep<T: Send + 'static>(
    waiter: impl FnOnce() -> T + Send + 'static,
) -> (thread::JoinHandle<T>, Actor) {
    let (tell, told) = channel::<Actor>();
    let thread = thread::spawn(move || {
        tell.send(Stage::current()).unwrap();
        waiter()
    });
    let actor = told.recv().unwrap();
    actor.until_asleep();
    (thread, actor)
}

#[test]
fn result_error_and_wait_are_not_started_at_once() {
    within_limit(|| {
        for (pool, mut handle) in without_workers() {
            assert_eq!(handle.error(), Some(&TaskError::NotStarted));
            assert_eq!(handle.wait(), Err(&TaskError::NotStarted));
            assert!(!handle.done(), "the handle is still good");
            assert!(pool.run_one());
            assert_eq!(handle.wait(), Ok(&7));
            assert_eq!(handle.result(), Ok(7));
        }
        for (_, handle) in without_workers() {
            assert_eq!(handle.result(), Err(TaskError::NotStarted));
        }
    });
}

/// The task of a wait that was told so goes on detached, and runs after the start.
#[test]
fn task_whose_result_was_not_started_runs_after_the_start() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    static POOL: Executor<1, 2> = Executor::new();
    within_limit(|| {
        let handle = POOL.submit(|| RAN.fetch_add(1, Ordering::Relaxed)).unwrap();
        assert_eq!(handle.result(), Err(TaskError::NotStarted));
        assert_eq!(POOL.stats().queued, 1);
        POOL.start(&StdThreads::new()).unwrap();
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(RAN.load(Ordering::Relaxed), 1);
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}

#[test]
fn wait_for_several_tasks_returns_them_all_as_not_done_at_once() {
    within_limit(|| {
        for return_when in [
            ReturnWhen::FirstCompleted,
            ReturnWhen::FirstError,
            ReturnWhen::AllCompleted,
        ] {
            for (pool, first) in without_workers() {
                let mut handles = vec![first];
                handles.extend(pool.submit(|| 8).ok());
                let waited = wait(&mut handles, return_when);
                assert!(waited.done.is_empty());
                assert_eq!(pool.run_until_idle(), handles.len());
                assert_eq!(handles.remove(0).result(), Ok(7));
            }
        }
    });
}

#[test]
fn as_completed_yields_handles_that_are_not_done_at_once() {
    within_limit(|| {
        for (pool, handle) in without_workers() {
            let (promise, kept) = match pool.promise() {
                Ok((promise, kept)) => (Some(promise), Some(kept)),
                Err(_) => (None, None),
            };
            // What is done comes first.
            if let Some(promise) = promise {
                promise.complete(Ok(9)).unwrap();
            }
            let mut completed = as_completed(
                [Some(handle), kept]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>(),
            );
            if completed.unfinished() == 2 {
                assert_eq!(completed.next().unwrap().result(), Ok(9));
            }
            let handle = completed.next().unwrap();
            assert!(!handle.done());
            assert_eq!(handle.result(), Err(TaskError::NotStarted));
            assert!(completed.next().is_none());
        }
    });
}

/// An endless input ends, because nothing frees a slot.
#[test]
fn map_yields_not_started_and_ends() {
    within_limit(|| {
        for unordered in [false, true] {
            let pool: &Pool = forever(Executor::new());
            let map = pool.map(0.., |n: u64| n);
            let map = if unordered { map.unordered() } else { map };
            let outcomes: Vec<_> = map.take(100).collect();
            assert!((1..=5).contains(&outcomes.len()), "{}", outcomes.len());
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| *outcome == Err(TaskError::NotStarted))
            );
        }
    });
}

/// A future that rests needs a worker for its next poll.
#[test]
fn result_of_a_future_that_rests_is_not_started() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let (future, told) = suspended_once(7);
        let mut handle = pool.submit_future(future).unwrap();
        assert!(pool.run_one());
        assert_eq!(handle.wait(), Err(&TaskError::NotStarted));
        told.recv().unwrap().wake();
        assert_eq!(handle.wait(), Err(&TaskError::NotStarted));
        assert!(pool.run_one());
        assert_eq!(handle.result(), Ok(7));
    });
}

#[test]
fn wait_for_a_task_that_runs_waits_for_its_end() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let (go_on, told) = channel::<()>();
        let (begin, begun) = channel::<()>();
        let handle = pool
            .submit(move || {
                begin.send(()).unwrap();
                told.recv().unwrap();
                7
            })
            .unwrap();
        let runner = thread::spawn(|| pool.run_one());
        begun.recv().unwrap();
        let (waiter, _) = asleep(|| handle.result());
        go_on.send(()).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(7));
        assert!(runner.join().unwrap());
    });
}

#[test]
fn wait_for_a_promise_waits_for_its_completer() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let (promise, mut handle) = pool.promise::<u8>().unwrap();
        let (waiter, _) = asleep(move || {
            assert_eq!(handle.error(), None);
            handle.wait().copied().map_err(|_| ())
        });
        promise.complete(Ok(7)).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(7));
    });
}

/// What has a time limit waits for the start, or until the time is up.
#[test]
fn waits_with_a_time_limit_time_out() {
    within_limit(|| {
        let pool: &'static Executor<2, 4> = forever(Executor::new());
        let limit = Duration::from_millis(1);
        let mut handle = pool.submit(|| 7).unwrap();
        assert_eq!(handle.result_timeout(limit), Err(TaskError::TimedOut));
        assert_eq!(handle.error_timeout(limit), Some(&TaskError::TimedOut));
        assert_eq!(handle.wait_timeout(limit), Err(&TaskError::TimedOut));
        let mut handles = [handle];
        let waited = wait_timeout(&mut handles, limit, ReturnWhen::AllCompleted);
        assert_eq!(waited.not_done.len(), 1);
        let late = as_completed_timeout(handles, limit)
            .next()
            .unwrap()
            .unwrap_err();
        assert_eq!(late.unfinished(), 1);
        let mut map = pool.map([1], |n: u8| n).timeout(limit);
        assert_eq!(map.next(), Some(Err(TaskError::TimedOut)));
        assert_eq!(map.next(), None);
    });
}

/// Where the caller is the only one that runs tasks, it runs them.
#[test]
fn executor_without_workers_in_its_type_needs_no_start() {
    within_limit(|| {
        let pool: &'static Executor<0, 4> = forever(Executor::new());
        assert_eq!(pool.submit(|| 7).unwrap().result(), Ok(7));
        let mut handle = pool.submit(|| 8).unwrap();
        pool.begin_shutdown(Shutdown::Drain);
        assert_eq!(handle.wait(), Ok(&8));
    });
}

#[test]
fn wait_for_the_first_task_waits_if_another_handle_can_still_end() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let hopeless = pool.submit(|| 1).unwrap();
        let (promise, handle) = pool.promise().unwrap();
        let (waiter, _) = asleep(|| {
            let mut handles = [hopeless, handle];
            let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
            (waited.done.len(), waited.not_done.len())
        });
        promise.complete(Ok(2)).unwrap();
        assert_eq!(waiter.join().unwrap(), (1, 1));
    });
}

/// A wait for all is hopeless if one of them is.
#[test]
fn wait_for_all_tasks_does_not_wait_if_one_cannot_end() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let (promise, handle) = pool.promise().unwrap();
        let mut handles = [pool.submit(|| 1).unwrap(), handle];
        let waited = wait(&mut handles, ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (0, 2));
        drop(promise);
    });
}

#[test]
fn wait_for_the_first_error_waits_for_the_handle_that_can_still_fail() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let hopeless = pool.submit(|| 1).unwrap();
        let (promise, handle) = pool.promise().unwrap();
        let (waiter, _) = asleep(|| {
            let mut handles = [hopeless, handle];
            let waited = wait(&mut handles, ReturnWhen::FirstError);
            (waited.done.len(), waited.not_done.len())
        });
        promise.complete(Err(TaskError::Broken)).unwrap();
        assert_eq!(waiter.join().unwrap(), (1, 1));
    });
}

/// The one handle that could still fail does not: then no other can end.
#[test]
fn wait_for_the_first_error_ends_when_only_hopeless_handles_are_left() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let hopeless = pool.submit(|| 1).unwrap();
        let (promise, handle) = pool.promise().unwrap();
        let (waiter, _) = asleep(|| {
            let mut handles = [hopeless, handle];
            let waited = wait(&mut handles, ReturnWhen::FirstError);
            (waited.done.len(), waited.not_done.len())
        });
        promise.complete(Ok(2)).unwrap();
        assert_eq!(waiter.join().unwrap(), (1, 1));
    });
}

/// A wait that began while the host was asked for workers, which it then refused.
#[test]
fn wait_that_began_during_a_refused_start_is_not_started() {
    use slotted::{Spawn, Worker};

    /// Refuses each worker, after it has done something.
    struct Refuses<F>(F);

    impl<F: Fn()> Spawn<Stage> for Refuses<F> {
        type Error = ();

        fn spawn(&self, _worker: Worker<'static, Stage>) -> Result<(), ()> {
            (self.0)();
            Err(())
        }
    }

    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let waiter = std::sync::Mutex::new(None);
        let refuses = Refuses(|| {
            let handle = pool.submit(|| 1).unwrap();
            *waiter.lock().unwrap() = Some(asleep(|| handle.result()).0);
        });
        assert!(pool.start(&refuses).is_err());
        let waiter = waiter.into_inner().unwrap().unwrap();
        assert_eq!(waiter.join().unwrap(), Err(TaskError::NotStarted));
    });
}

/// Handles of a started and of an unstarted executor: the first task of either ends the wait.
#[test]
fn wait_for_the_first_task_of_two_executors_waits_for_the_started_one() {
    within_limit(|| {
        let unstarted: &Pool = forever(Executor::new());
        let driven: &'static Executor<0, 4, 128, Stage> = forever(Executor::new());
        let handles = [
            unstarted.submit(|| 1).unwrap(),
            driven.submit(|| 2).unwrap(),
        ];
        let mut completed = as_completed(handles);
        assert_eq!(completed.next().unwrap().result(), Ok(2));
        assert_eq!(
            completed.next().unwrap().result(),
            Err(TaskError::NotStarted)
        );
    });
}

/// A worker waits for its own task and for one that needs a start. Neither can end.
#[test]
fn wait_for_the_first_of_the_own_task_and_of_one_that_needs_a_start_ends_at_once() {
    within_limit(|| {
        for return_when in [ReturnWhen::FirstCompleted, ReturnWhen::FirstError] {
            for own_place in 0..2 {
                let (give, given) = channel::<Handle<u8>>();
                let (answer, answered) = channel();
                let (running, unstarted): (&Pool, &Pool) =
                    (forever(Executor::new()), forever(Executor::new()));
                let needs_start = unstarted.submit(|| 1).unwrap();
                let task = move || {
                    let mut handles = [given.recv().unwrap(), needs_start];
                    handles.rotate_right(own_place);
                    let waited = wait(&mut handles, return_when);
                    answer.send(waited.not_done.len()).unwrap();
                    2
                };
                give.send(running.submit(task).unwrap()).unwrap();
                running.start(&StdThreads::new()).unwrap();
                assert_eq!(answered.recv().unwrap(), 2, "{return_when:?}, {own_place}");
                running.shutdown(Shutdown::Drain).unwrap();
            }
        }
    });
}

/// The same, where the other executor's only worker leaves while the wait sleeps.
#[test]
fn wait_for_the_first_of_the_own_task_and_of_another_ends_when_the_last_worker_leaves() {
    within_limit(|| {
        for return_when in [ReturnWhen::FirstCompleted, ReturnWhen::FirstError] {
            let (give, given) = channel::<Handle<u8>>();
            let (answer, answered) = channel();
            let (tell_actor, told_actor) = channel::<Actor>();
            let running: &Pool = forever(Executor::new());
            let other: &'static Executor<1, 4, 128, Stage> = forever(Executor::new());
            let (keep, kept) = keep();
            other.start(&keep).unwrap();
            let queued = other.submit(|| 1).unwrap();
            let task = move || {
                tell_actor.send(Stage::current()).unwrap();
                let mut handles = [given.recv().unwrap(), queued];
                let waited = wait(&mut handles, return_when);
                answer.send(waited.not_done.len()).unwrap();
                2
            };
            give.send(running.submit(task).unwrap()).unwrap();
            running.start(&StdThreads::new()).unwrap();
            told_actor.recv().unwrap().until_asleep();
            drop(kept.recv().unwrap());
            assert_eq!(answered.recv().unwrap(), 2, "{return_when:?}");
            running.shutdown(Shutdown::Drain).unwrap();
        }
    });
}

/// The caller's thread, which alone is to run the tasks of a scope.
fn assert_same(caller: thread::ThreadId) {
    assert_eq!(thread::current().id(), caller);
}

#[test]
fn scope_runs_its_tasks_in_the_caller() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let caller = thread::current().id();
        let mut numbers = [0; 3];
        pool.scope(|s| {
            for number in &mut numbers {
                let task = move || {
                    assert_same(caller);
                    *number += 1;
                };
                s.submit(task).unwrap().detach();
            }
        });
        assert_eq!(numbers, [1; 3]);
    });
}

/// The body waits for a task of its scope, which nobody but the caller can run.
#[test]
fn body_of_a_scope_that_waits_for_a_task_runs_it_in_the_caller() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let text = String::from("four");
        let length = pool.scope(|s| s.submit(|| text.len()).unwrap().result());
        assert_eq!(length, Ok(4));
    });
}

/// More chunks than slots.
#[test]
fn for_each_chunk_runs_in_the_caller() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let caller = thread::current().id();
        let mut numbers = [1; 33];
        pool.scope(|s| {
            s.for_each_chunk(&mut numbers, 2, |chunk| {
                assert_same(caller);
                chunk.iter_mut().for_each(|n| *n *= 2);
            })
        })
        .unwrap();
        assert_eq!(numbers, [2; 33]);
    });
}

#[test]
fn map_of_a_scope_runs_in_the_caller() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let caller = thread::current().id();
        let text = String::from("abc");
        let upper: String = pool.scope(|s| {
            let upper = s.map(text.chars(), |c| {
                assert_same(caller);
                c.to_ascii_uppercase()
            });
            upper.map(Result::unwrap).collect()
        });
        assert_eq!(upper, "ABC");
    });
}

/// A scope within a task of a scope, each waiting for its own.
#[test]
fn scopes_within_scopes_run_in_the_caller() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        let mut numbers = [1; 4];
        pool.scope(|outer| {
            let task = || {
                pool.scope(|inner| {
                    for number in &mut numbers[..2] {
                        inner.submit(|| *number += 1).unwrap().detach();
                    }
                });
            };
            outer.submit(task).unwrap().detach();
        });
        assert_eq!(numbers, [2, 2, 1, 1]);
    });
}

/// A future that panics or that never rests does not make the wait hopeless.
#[test]
fn result_inline_runs_what_has_not_started() {
    within_limit(|| {
        let pool: &Pool = forever(Executor::new());
        assert_eq!(pool.submit(|| 7).unwrap().result_inline(), Ok(7));
        let future = poll_fn(|_| Poll::Ready(8));
        assert_eq!(pool.submit_future(future).unwrap().result_inline(), Ok(8));
    });
}
