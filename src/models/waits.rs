//! The line for slots, and waits that end or do not.
#![forbid(unsafe_code)]

use super::*;

/// Two threads in line, and one slot, which goes from one to the other.
#[test]
fn slot_that_is_released_goes_to_one_waiter_and_then_to_the_other() {
    model_leaked::<1, 1>(|pool| {
        let taken = pool.reserve().unwrap();
        let waiters = [0, 1].map(|_| thread::spawn(|| drop(pool.reserve_blocking().unwrap())));
        drop(taken);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(pool.reserve().is_ok());
    });
}

/// A waiter leaves the line while it is given a slot. The slot goes to the next.
#[test]
fn slot_of_a_waiter_that_leaves_goes_to_the_next() {
    model_leaked::<1, 1>(|pool| {
        let taken = pool.reserve().unwrap();
        let fickle = thread::spawn(|| {
            let mut wait = Box::pin(pool.reserve_async());
            let mut context = Context::from_waker(Waker::noop());
            let _ = wait.as_mut().poll(&mut context);
        });
        let steady = thread::spawn(|| drop(pool.reserve_blocking().unwrap()));
        drop(taken);
        fickle.join().unwrap();
        steady.join().unwrap();
        assert!(pool.reserve().is_ok());
    });
}

/// A shutdown sends a waiter away while a slot is released. The waiter gets one of both, and the
/// slot is not lost.
#[test]
fn waiter_that_a_shutdown_sends_away_loses_no_slot() {
    model_leaked::<1, 1>(|pool| {
        let taken = pool.reserve().unwrap();
        let waiter = thread::spawn(|| pool.reserve_blocking().map(drop));
        let releaser = thread::spawn(move || drop(taken));
        pool.begin_shutdown(Shutdown::Drain);
        let outcome = waiter.join().unwrap();
        assert!(matches!(outcome, Ok(()) | Err(Refusal::ShutDown)));
        releaser.join().unwrap();
        assert!(pool.registry().claim().is_some());
    });
}

/// A shutdown refuses the waiters in line, and those that are about to join it.
#[test]
fn shutdown_refuses_every_waiter_in_line() {
    model_leaked::<1, 1>(|pool| {
        let _taken = pool.reserve().unwrap();
        let waiters = [0, 1].map(|_| thread::spawn(|| pool.reserve_blocking().map(drop)));
        pool.begin_shutdown(Shutdown::Drain);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(Refusal::ShutDown));
        }
    });
}

// ---- deadlocks that are none, and one that is

/// A handle that several threads wait for. Not loom's: set before it is read.
type Kept<T> = &'static std::sync::OnceLock<crate::JoinHandle<'static, T, Modelled>>;

fn kept<T>() -> Kept<T> {
    Box::leak(Box::new(std::sync::OnceLock::new()))
}

fn error<T>(kept: Kept<T>) -> Option<&'static TaskError> {
    kept.get().unwrap().error()
}

/// Starts the pool, and gives its workers to the model.
fn started<const WORKERS: usize, const QUEUE: usize>(
    pool: &'static Pool<WORKERS, QUEUE>,
) -> [Worker<'static, Modelled>; WORKERS] {
    let keep = Keep::default();
    pool.start(&keep).unwrap();
    keep.0.into_inner().unwrap().try_into().unwrap()
}

/// A worker waits for a task of a second one, which waits for a promise that a third thread keeps.
/// No wait is refused, and both tasks end.
#[test]
fn wait_that_a_third_thread_ends_is_no_deadlock() {
    model_leaked::<2, 3>(|pool| {
        let workers = started(pool);
        let (promise, promised) = pool.promise::<()>().unwrap();
        let (inner, outer) = (kept::<bool>(), kept::<bool>());
        let handle = pool.submit(move || promised.result().is_ok()).unwrap();
        assert!(inner.set(handle).is_ok());
        let handle = pool.submit(move || error(inner).is_none()).unwrap();
        assert!(outer.set(handle).is_ok());
        let threads = workers.map(|mut worker| {
            thread::spawn(move || {
                let _ = worker.run_one();
            })
        });
        promise.complete(Ok(())).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        for task in [inner, outer] {
            assert_eq!(
                task.get().unwrap().receiver().unwrap().look(),
                Some(Ok(&true))
            );
        }
    });
}

/// Two tasks wait for each other. A wait is refused, and both tasks end.
#[test]
fn circle_of_two_is_found() {
    model_leaked::<2, 2>(|pool| {
        let workers = started(pool);
        let (left, right) = (kept::<bool>(), kept::<bool>());
        let refused = |task| move || matches!(error(task), Some(TaskError::WouldDeadlock));
        assert!(left.set(pool.submit(refused(right)).unwrap()).is_ok());
        assert!(right.set(pool.submit(refused(left)).unwrap()).is_ok());
        let threads = workers.map(|mut worker| {
            thread::spawn(move || {
                let _ = worker.run_one();
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let outcomes = [left, right].map(|task| task.get().unwrap().receiver().unwrap().look());
        assert!(outcomes.contains(&Some(Ok(&true))), "{outcomes:?}");
        assert!(!outcomes.contains(&None), "{outcomes:?}");
    });
}

/// A worker is given away while a task that it started is still on the stack of the thread that had
/// it. Whoever has the worker now waits for that task. No wait is refused.
#[test]
fn wait_for_a_task_of_the_thread_that_had_the_worker_is_no_deadlock() {
    /// What the task needs.
    struct Table {
        worker: std::sync::Mutex<Option<Worker<'static, Modelled>>>,
        promised: std::sync::Mutex<Option<crate::JoinHandle<'static, (), Modelled>>>,
        thread: std::sync::Mutex<Option<thread::JoinHandle<()>>>,
        task: Kept<bool>,
    }

    model_leaked::<1, 3>(|pool| {
        let [mut worker] = started(pool);
        let (promise, promised) = pool.promise::<()>().unwrap();
        assert_eq!(worker.run_one(), Ran::Nothing, "it is this thread's now");
        let table: &'static Table = Box::leak(Box::new(Table {
            worker: std::sync::Mutex::new(Some(worker)),
            promised: std::sync::Mutex::new(Some(promised)),
            thread: std::sync::Mutex::new(None),
            task: kept(),
        }));
        let task = pool.submit(move || {
            let mut worker = table.worker.lock().unwrap().take().unwrap();
            *table.thread.lock().unwrap() = Some(thread::spawn(move || {
                let _ = worker.run_one();
            }));
            let promised = table.promised.lock().unwrap().take().unwrap();
            promised.result().is_ok()
        });
        assert!(table.task.set(task.unwrap()).is_ok());
        let waits = pool.submit(|| error(table.task).is_none()).unwrap();
        let keeper = thread::spawn(move || promise.complete(Ok(())).unwrap());
        assert!(pool.run_one());
        keeper.join().unwrap();
        table.thread.lock().unwrap().take().unwrap().join().unwrap();
        assert_eq!(waits.result().unwrap(), true);
    });
}
