//! `WouldDeadlock` is said where a wait is hopeless in one of two ways, and nowhere else.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::{
    Executor, JoinHandle, Park, Ran, ReturnWhen, Spawn, TaskError, Worker, as_completed,
    error::WorkerStartError, wait,
};

use crate::schedules::support::{
    By, Keep, NoThread, until_asleep_or_told, within_limit, would_deadlock,
};
use crate::stage::{Actor, Crew, Stage};

type Pool<const WORKERS: usize> = Executor<WORKERS, 16, 256, Stage>;
type Handle<T> = JoinHandle<'static, T, Stage>;

// ---- what is not looked for

/// A running task that waits for whatever it is given.
struct Waiting {
    handle: Handle<()>,
    actor: Actor,
    give: Sender<Handle<()>>,
    told: Receiver<String>,
}

fn waiting<const WORKERS: usize>(
    pool: &'static Pool<WORKERS>,
    through: impl FnOnce(Handle<()>) -> String + Send + 'static,
) -> Waiting {
    let (give, given) = channel();
    let (tell_actor, told_actor) = channel();
    let (tell, told) = channel();
    let task = move || {
        tell_actor.send(Stage::current()).unwrap();
        tell.send(through(given.recv().unwrap())).unwrap();
    };
    let handle = pool.submit(task).unwrap();
    Waiting {
        handle,
        actor: told_actor.recv().unwrap(),
        give,
        told,
    }
}

fn through_result(handle: Handle<()>) -> String {
    format!("{:?}", handle.result())
}

/// Two tasks wait for each other, the first one through `first`. Both stay asleep.
fn both_are_left_waiting<const WORKERS: usize>(
    pool: &'static Pool<WORKERS>,
    first: impl FnOnce(Handle<()>) -> String + Send + 'static,
) {
    let left = waiting(pool, first);
    let right = waiting(pool, through_result);
    left.give.send(right.handle).unwrap();
    left.actor.until_asleep();
    right.give.send(left.handle).unwrap();
    assert_eq!(
        until_asleep_or_told(&right.actor, &right.told),
        None,
        "the second waiter"
    );
    assert_eq!(
        until_asleep_or_told(&left.actor, &left.told),
        None,
        "the first waiter"
    );
}

/// A worker that waits for several tasks is no part of a circle that is looked for: `wait` comes
/// back when all tasks are done, and never before.
#[test]
fn wait_for_several_tasks_is_not_looked_for() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        POOL.start(&Crew::default()).unwrap();
        let (promise, ended) = POOL.promise().unwrap();
        promise.set_result(()).unwrap();
        both_are_left_waiting(&POOL, |handle| {
            let waited = wait(&mut [ended, handle], ReturnWhen::AllCompleted)
                .not_done
                .len();
            format!("wait came back with {waited} tasks not done")
        });
    });
}

/// The same for `as_completed`: it yields handles whose tasks are done.
#[test]
fn as_completed_over_several_tasks_is_not_looked_for() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        POOL.start(&Crew::default()).unwrap();
        both_are_left_waiting(&POOL, |handle| {
            let handle = as_completed([handle]).next().unwrap();
            format!("yielded a handle, done: {}", handle.done())
        });
    });
}

/// A worker that leaves changes nothing for those that wait: that all others wait is not looked
/// for.
#[test]
fn all_workers_that_are_left_wait_and_none_is_told_that_it_would_deadlock() {
    static POOL: Pool<3> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&By(|worker: Worker<'static, Stage>| {
            if worker.index() == 2 {
                drop(worker); // it leaves
                return Ok(());
            }
            crew.spawn(worker).map_err(|_| NoThread)
        }))
        .unwrap();
        both_are_left_waiting(&POOL, |handle| {
            let waited = wait(&mut [handle], ReturnWhen::AllCompleted).not_done.len();
            format!("wait came back with {waited} tasks not done")
        });
    });
}

/// The owner of a scope cannot give up, and its wait is not looked for: a task of the scope that
/// waits for the owner on another worker waits on.
#[test]
fn circle_through_a_scope_is_not_looked_for() {
    static POOL: Pool<2> = Executor::new();
    within_limit(|| {
        POOL.start(&Crew::default()).unwrap();
        let (give, given) = channel::<Handle<()>>();
        let (tell_actor, told_actor) = channel::<[Actor; 2]>();
        let (tell, told) = channel();
        let owner = move || {
            POOL.scope(|s| {
                let owner = Stage::current();
                let (tell_started, started) = channel();
                let task = move || {
                    tell_started.send(()).unwrap();
                    let handle = given.recv().unwrap();
                    owner.until_asleep();
                    tell_actor.send([owner, Stage::current()]).unwrap();
                    tell.send(handle.result()).unwrap();
                };
                s.submit(task).unwrap().detach();
                started.recv().unwrap();
            });
        };
        give.send(POOL.submit(owner).unwrap()).unwrap();
        let [owner, task] = told_actor.recv().unwrap();
        let told = until_asleep_or_told(&task, &told);
        assert!(told.is_none(), "the task of the scope was told {told:?}");
        owner.until_asleep();
    });
}

// ---- what is found

/// A circle of two workers, each of which waits for one task, is found also if one thread drives
/// one of them from inside a task of a third worker.
#[test]
fn circle_through_a_thread_that_drives_two_workers_is_found() {
    static POOL: Pool<3> = Executor::new();
    within_limit(|| {
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut beneath, mut above, mut other] = keep.workers::<3>();
        let wait_for_the_given = || {
            let (give, given) = channel::<Handle<()>>();
            let (tell_actor, told_actor) = channel();
            let (tell, told) = channel();
            let task = move || {
                tell_actor.send(Stage::current()).unwrap();
                tell.send(given.recv().unwrap().result()).unwrap();
            };
            (POOL.submit(task).unwrap(), give, told_actor, told)
        };
        let (right, give_right, right_actor, right_told) = wait_for_the_given();
        thread::spawn(move || {
            let _ = other.run_one();
        });
        let right_actor: Actor = right_actor.recv().unwrap();

        let (tell_started, started) = channel();
        let (go, gone) = channel::<()>();
        let drive_another = move || {
            tell_started.send(()).unwrap();
            gone.recv().unwrap();
            let _ = above.run_one();
        };
        POOL.submit(drive_another).unwrap().detach();
        thread::spawn(move || {
            let _ = beneath.run_one();
        });
        started.recv().unwrap();
        let (left, give_left, left_actor, _left_told) = wait_for_the_given();
        go.send(()).unwrap();
        let left_actor: Actor = left_actor.recv().unwrap();

        give_left.send(right).unwrap();
        left_actor.until_asleep();
        give_right.send(left).unwrap();
        let told = until_asleep_or_told(&right_actor, &right_told);
        let outcome = told.expect("the worker that closes the circle sleeps for ever");
        assert!(would_deadlock(&outcome), "{outcome:?}");
    });
}

// ---- no wrong alarm

std::thread_local! {
    /// What the thread does when it next relaxes.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// The [`Stage`], where something happens between a waiter's first look and its sleep.
#[derive(Debug)]
struct Meanwhile;

impl Park for Meanwhile {
    type Thread = Actor;
    type Order = slotted::Fifo;

    fn current() -> Actor {
        Stage::current()
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        Stage::park();
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
    }

    fn spin(_round: u32) -> bool {
        if let Some(happens) = MEANWHILE.take() {
            happens();
        }
        false
    }
}

type Lent = Executor<1, 8, 256, Meanwhile>;

/// A thread that was the only worker waits through `through` for an async task. Meanwhile its
/// worker is handed to another thread, which polls the task.
fn wait_while_the_worker_is_handed_over(
    pool: &'static Lent,
    through: fn(JoinHandle<'static, u8, Meanwhile>) -> String,
) {
    let keep = Keep::new();
    pool.start(&keep).unwrap();
    let [mut worker] = keep.workers::<1>();
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (tell_polled, polled) = channel();
    let (end, ended) = channel::<()>();
    let future = {
        let (waker, mut first) = (waker.clone(), true);
        poll_fn(move |context| {
            if core::mem::take(&mut first) {
                *waker.lock().unwrap() = Some(context.waker().clone());
                return Poll::Pending;
            }
            tell_polled.send(()).unwrap();
            ended.recv().unwrap();
            Poll::Ready(1)
        })
    };
    let handle = pool.submit_future(future).unwrap();
    let (tell, told) = channel();
    let (tell_actor, told_actor) = channel();
    let waiter = move || {
        assert_eq!(worker.run_one(), Ran::Task);
        MEANWHILE.set(Some(Box::new(move || {
            waker.lock().unwrap().take().unwrap().wake();
            thread::spawn(move || while worker.run_one() != Ran::Left {});
            polled.recv().unwrap();
        })));
        tell_actor.send(Stage::current()).unwrap();
        tell.send(through(handle)).unwrap();
    };
    thread::spawn(waiter);
    let early = until_asleep_or_told(&told_actor.recv().unwrap(), &told);
    assert_eq!(early, None, "the task still runs, on the other thread");
    end.send(()).unwrap();
    assert_eq!(told.recv().unwrap(), "Ok(1)");
}

/// A thread that gave its worker away is no worker any more: it waits as others do.
#[test]
fn thread_that_hands_its_worker_over_waits_for_what_the_worker_runs() {
    static POOL: Lent = Executor::new();
    within_limit(|| {
        wait_while_the_worker_is_handed_over(&POOL, |handle| format!("{:?}", handle.result()));
    });
}

/// The same through `wait`, which comes back when all are done.
#[test]
fn thread_that_hands_its_worker_over_waits_for_all_that_the_worker_runs() {
    static POOL: Lent = Executor::new();
    within_limit(|| {
        wait_while_the_worker_is_handed_over(&POOL, |handle| {
            let mut handles = [handle];
            let not_done = wait(&mut handles, ReturnWhen::AllCompleted).not_done.len();
            match not_done {
                0 => format!("{:?}", handles[0].try_result().unwrap()),
                _ => format!("{not_done} not done"),
            }
        });
    });
}

/// A thread sleeps as a worker, which is handed to another thread meanwhile. Woken, the first one
/// leaves the task to the second: two threads would be the same worker.
#[test]
fn thread_that_hands_its_worker_over_in_its_sleep_runs_nothing_as_that_worker() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker] = keep.workers::<1>();
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let keeps = waker.clone();
        let mut first = true;
        let task = POOL.submit_future(poll_fn(move |context| {
            if core::mem::take(&mut first) {
                *keeps.lock().unwrap() = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(thread::current().id())
        }));
        let (hand_over, handed_over) = channel();
        let (tell_actor, told_actor) = channel();
        let (tell, told) = channel();
        thread::spawn(move || {
            assert_eq!(worker.run_one(), Ran::Task);
            hand_over.send(worker).unwrap();
            tell_actor.send(Stage::current()).unwrap();
            tell.send(task.unwrap().result()).unwrap();
        });
        let mut worker = handed_over.recv().unwrap();
        let actor = told_actor.recv().unwrap();
        actor.until_asleep();
        assert_eq!(worker.run_one(), Ran::Nothing);
        waker.lock().unwrap().take().unwrap().wake();
        // It may look for itself first.
        assert_eq!(until_asleep_or_told(&actor, &told), None);
        assert_eq!(worker.run_one(), Ran::Task);
        assert_eq!(told.recv().unwrap(), Ok(thread::current().id()));
    });
}

/// Blocks when it is dropped, until it is told that this may end.
struct SlowToDrop(Sender<()>, Receiver<()>);

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
    }
}

/// An executor that becomes broken abandons its async tasks. A worker that waits for one of them
/// while its future is dropped is told `Broken`, wherever the future was polled before.
#[test]
fn worker_that_waits_for_a_future_that_is_being_abandoned_is_told_that_it_is_broken() {
    static POOL: Pool<2> = Executor::new().on_worker_start(|worker| match worker {
        0 => Ok(()),
        _ => Err(WorkerStartError),
    });
    within_limit(|| {
        let keep = Keep::new();
        POOL.start(&keep).unwrap();
        let [mut worker, mut failing] = keep.workers::<2>();
        let (tell_dropping, dropping) = channel();
        let (end, ended) = channel();
        let guard = SlowToDrop(tell_dropping, ended);
        let future = poll_fn(move |_| {
            let _ = &guard;
            Poll::<()>::Pending
        });
        let future = POOL.submit_future(future).unwrap();
        let (go, gone) = channel::<()>();
        let (tell, told) = channel();
        let (tell_actor, told_actor) = channel();
        let waits = move || {
            tell_actor.send(Stage::current()).unwrap();
            gone.recv().unwrap();
            tell.send(future.result()).unwrap();
        };
        POOL.submit(waits).unwrap().detach();
        thread::spawn(move || {
            assert_eq!([worker.run_one(), worker.run_one()], [Ran::Task; 2]);
        });
        let actor: Actor = told_actor.recv().unwrap();
        thread::spawn(move || assert_eq!(failing.run_one(), Ran::Left));
        dropping.recv().unwrap();
        go.send(()).unwrap();
        let early = until_asleep_or_told(&actor, &told);
        assert!(
            early.is_none(),
            "told {early:?} while the future is dropped"
        );
        end.send(()).unwrap();
        let outcome = told.recv().unwrap();
        assert!(matches!(outcome, Err(TaskError::Broken)), "{outcome:?}");
    });
}
