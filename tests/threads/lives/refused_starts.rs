//! A refused start ends its own life, and no other one.

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Waker};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use slotted::{Executor, Ran, Shutdown, Spawn, StartError, TaskError, Worker};

use super::{By, NoThread, Pool, asleep, refuse};
use crate::stage::{Crew, Stage, within_limit};

/// The host drops the only worker, which ends the life, and another life begins. Then the host says
/// that it refused the worker.
#[test]
fn a_late_refusal_does_not_end_the_next_life() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        let refused = POOL.start(&By(|worker: Worker<'static, Stage>| {
            drop(worker);
            POOL.start(&crew).unwrap();
            assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
            Err(NoThread)
        }));
        assert!(matches!(
            refused,
            Err(StartError::Refused { started: 0, .. })
        ));
        assert_eq!(POOL.submit(|| 2).unwrap().result().unwrap(), 2);
        assert!(matches!(POOL.start(&crew), Err(StartError::AlreadyStarted)));
        POOL.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

/// A thread waits for a task while the host is asked for the only worker.
#[test]
fn a_refusal_tells_a_waiter_that_no_worker_was_started() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let ended = Mutex::new(None);
        let refused = POOL.start(&By(|worker: Worker<'static, Stage>| {
            let handle = POOL.submit(|| 1).unwrap();
            *ended.lock().unwrap() = Some(asleep(move || handle.result()).1);
            refuse(worker)
        }));
        assert!(matches!(refused, Err(StartError::Refused { .. })));
        let ended = ended.into_inner().unwrap().unwrap();
        assert_eq!(ended.recv().unwrap(), Err(TaskError::NotStarted));
    });
}

/// A scope begins while the host is asked for the only worker. Its owner counts on that worker
/// until the host refuses it.
#[test]
fn a_refusal_lets_the_owner_of_a_scope_run_the_scopes_tasks() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let ended = Mutex::new(None);
        let refused = POOL.start(&By(|worker: Worker<'static, Stage>| {
            let scope = || {
                let mut number = 1;
                POOL.scope(|s| s.submit(|| number = 2).unwrap().detach());
                number
            };
            *ended.lock().unwrap() = Some(asleep(scope).1);
            refuse(worker)
        }));
        assert!(matches!(refused, Err(StartError::Refused { .. })));
        let ended = ended.into_inner().unwrap().unwrap();
        assert_eq!(ended.recv().unwrap(), 2);
    });
}

/// One worker runs a task when the host refuses the other. The thread that starts waits for it, and
/// is no worker.
#[test]
fn a_refused_start_runs_no_task_in_its_caller() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let ((end, ends), (tell, runs)) = (channel::<()>(), channel());
        let busy = POOL.submit(move || {
            tell.send(()).unwrap();
            u8::from(ends.recv().is_ok())
        });
        let left = POOL.submit(|| 7).unwrap();
        let (_, refused) = asleep(move || {
            let crew = Crew::default();
            let by = By(|worker: Worker<'static, Stage>| {
                if worker.index() == 1 {
                    return refuse(worker);
                }
                crew.spawn(worker).map_err(|_| NoThread)?;
                runs.recv().map_err(|_| NoThread)
            });
            (POOL.start(&by).is_err(), crew)
        });
        assert!(!left.done(), "the thread that starts has run it");
        end.send(()).unwrap();
        let (is_refused, crew) = refused.recv().unwrap();
        assert!(is_refused);
        crew.join();
        assert_eq!(busy.unwrap().result(), Ok(1));
        assert!(!left.done(), "no worker was to run it");
        POOL.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(left.result(), Ok(7));
    });
}

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The executor takes tasks before and after the refusal, so waiters for a slot have no reason to
/// leave the line.
#[test]
fn a_refusal_leaves_the_line_for_slots_in_its_order() {
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    within_limit(|| {
        let permit = POOL.reserve().unwrap();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        let (mut first, mut second) = (pin!(POOL.reserve_async()), pin!(POOL.reserve_async()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        POOL.start(&By(refuse)).unwrap_err();
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "no slot came back");
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(first.as_mut().poll(&mut context).is_pending());
        drop(permit);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(first.as_mut().poll(&mut context).is_ready());
        assert!(second.as_mut().poll(&mut context).is_ready());
    });
}

/// A waiter that is woken joins the line again at once. The refused start ends all the same.
#[test]
fn a_refused_start_ends_though_a_waiter_for_a_slot_keeps_joining_the_line() {
    /// The most wakes that the test lets happen.
    const ENOUGH: usize = 100;
    static POOL: Executor<1, 1, 64, Stage> = Executor::new();
    /// Joins the line, with itself as what is woken.
    fn join(count: Arc<Count>) {
        let waker = Waker::from(Arc::new(Joining(count)));
        let mut reserve = Box::pin(POOL.reserve_async());
        assert!(
            reserve
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        core::mem::forget(reserve);
    }
    struct Joining(Arc<Count>);
    impl Wake for Joining {
        fn wake(self: Arc<Self>) {
            if self.0.0.fetch_add(1, Ordering::Relaxed) < ENOUGH {
                join(self.0.clone());
            }
        }
    }
    within_limit(|| {
        let permit = POOL.reserve().unwrap();
        let count = Arc::new(Count::default());
        join(count.clone());
        POOL.start(&By(refuse)).unwrap_err();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        core::mem::forget(permit);
    });
}

/// The host refuses the second worker while the first runs a task and another thread has begun a
/// shutdown.
#[test]
fn a_shutdown_during_a_refused_start_waits_for_the_worker_that_runs() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let ((begin, begun), (finish, finished)) = (channel(), channel::<()>());
        let task = POOL
            .submit(move || {
                begin.send(()).unwrap();
                finished.recv().unwrap();
            })
            .unwrap();
        let (give, given) = channel();
        let (starter, refused) = asleep(move || {
            let crew = Crew::default();
            let refused = POOL.start(&By(|worker: Worker<'static, Stage>| {
                if worker.index() == 0 {
                    return crew.spawn(worker).map_err(|_| NoThread);
                }
                begun.recv().unwrap();
                give.send(asleep(|| POOL.shutdown(Shutdown::Drain)))
                    .unwrap();
                refuse(worker)
            }));
            crew.join();
            refused.is_err()
        });
        let (closer, closed) = given.recv().unwrap();
        assert!(
            starter.is_asleep(),
            "the refused start waits for the worker"
        );
        // The refusal woke it, and it waits again.
        closer.until_asleep();
        assert!(!task.done());
        finish.send(()).unwrap();
        closed.recv().unwrap().unwrap();
        assert!(task.done(), "the shutdown returns after the task");
        assert!(refused.recv().unwrap());
    });
}

/// A super-loop keeps worker 0, which has run once, and the host refuses worker 1. The thread that
/// called `start` runs the worker itself, so it does not wait for that worker to leave.
#[test]
fn a_refused_start_does_not_wait_for_a_worker_of_its_own_thread() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        let kept = Mutex::new(None);
        let half = By(|mut worker: Worker<'static, Stage>| {
            if worker.index() == 1 {
                return refuse(worker);
            }
            assert_eq!(worker.run_one(), Ran::Nothing);
            *kept.lock().unwrap() = Some(worker);
            Ok(())
        });
        let refused = POOL.start(&half);
        assert!(matches!(
            refused,
            Err(StartError::Refused { started: 1, .. })
        ));
        let handle = POOL.submit(|| 1).unwrap();
        let crew = Crew::default();
        assert!(matches!(POOL.start(&crew), Err(StartError::AlreadyStarted)));
        let mut worker = kept.lock().unwrap().take().unwrap();
        assert_eq!(worker.run_one(), Ran::Left, "it belongs to no life");
        POOL.start(&crew).unwrap();
        assert_eq!(handle.result().unwrap(), 1);
        POOL.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}
