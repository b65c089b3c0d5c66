//! Where tasks run: with the owner alone, one at a time. Every kind of waiter that would run a task
//! in place tries to.

use core::cell::RefCell;
use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{
    Executor, JoinHandle, Owned, OwnedWorker, Park, Ran, ReturnWhen, Shutdown, StdThreads,
    TaskError, as_completed, wait,
};

use crate::connection::Connection;

/// Runs `outer` as a task of the owner while `inner` is queued, and then the rest. Returns what
/// `outer` returned, what `inner` ended with, and the numbers that were sent.
fn nested<R: Send + 'static>(
    outer: impl FnOnce(JoinHandle<'static, usize>) -> R + Send + 'static,
) -> (R, Vec<u32>) {
    let owned: &'static Owned<Connection, 8, 128> = Box::leak(Box::new(Owned::new()));
    let (give, take) = channel();
    let outer = owned.submit(move |own| own.alone(|_| outer(take.recv().unwrap())));
    let outer = outer.unwrap();
    owned.submit(|own| own.send(1)).unwrap().detach();
    give.send(owned.submit(|own| own.send(2)).unwrap()).unwrap();
    owned.submit(|own| own.send(3)).unwrap().detach();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    for _ in 0..4 {
        let _ = worker.run_one(&mut connection);
    }
    assert_eq!(worker.run_one(&mut connection), Ran::Nothing);
    (outer.result().unwrap(), connection.sent())
}

#[test]
fn the_owner_cannot_wait_for_its_own_task() {
    let (result, sent) = nested(|inner| inner.result());
    assert_eq!(result, Err(TaskError::WouldDeadlock));
    assert_eq!(sent, [1, 2, 3], "it stays where it is, and runs detached");

    let (result, _) = nested(|inner| inner.result_inline());
    assert_eq!(result, Err(TaskError::WouldDeadlock));

    let (result, _) = nested(|inner| inner.error() == Some(&TaskError::WouldDeadlock));
    assert!(result);

    let (result, _) =
        nested(|mut inner| inner.wait().is_err_and(|e| *e == TaskError::WouldDeadlock));
    assert!(result);
}

#[test]
fn the_owner_cannot_wait_for_several_of_its_own_tasks() {
    let (first, sent) = nested(|inner| {
        let mut handles = [inner];
        let waited = wait(&mut handles, ReturnWhen::AllCompleted);
        (waited.done.len(), waited.not_done.len())
    });
    assert_eq!((first, sent), ((0, 1), vec![1, 2, 3]));

    let (told, _) = nested(|inner| {
        let mut each = as_completed([inner]);
        each.next().map(|handle| handle.result())
    });
    assert!(matches!(told, None | Some(Err(_))), "{told:?}");
}

#[test]
fn with_a_limit_the_owner_waits_and_nothing_moves() {
    let (result, sent) = nested(|mut inner| {
        let timed_out = inner.result_timeout(Duration::from_millis(1));
        (timed_out, inner.running(), inner.done())
    });
    assert_eq!(result, (Err(TaskError::TimedOut), false, false));
    assert_eq!(sent, [1, 2, 3]);
}

#[test]
fn the_owner_cancels_its_own_task_at_once() {
    let (result, sent) = nested(|inner| inner.cancel_sync());
    assert_eq!(result, Err(TaskError::Cancelled));
    assert_eq!(sent, [1, 3]);
}

#[test]
fn a_task_that_its_owner_waited_for_is_still_queued() {
    let (told, sent) = nested(|inner| {
        let deadlock = inner.error() == Some(&TaskError::WouldDeadlock);
        let again = inner.error() == Some(&TaskError::WouldDeadlock);
        (deadlock && again, inner.running(), inner.cancel())
    });
    assert_eq!(told, (true, false, true));
    assert_eq!(sent, [1, 3]);
}

#[test]
fn a_task_that_its_owner_waited_for_can_still_be_asked_to_stop() {
    let owned: &'static Owned<Connection, 4, 128> = Box::leak(Box::new(Owned::new()));
    let (give, take) = channel::<JoinHandle<'_, bool>>();
    let outer = owned.submit(move |_| {
        let inner = take.recv().unwrap();
        let deadlock = inner.error() == Some(&TaskError::WouldDeadlock);
        (deadlock, inner.request_stop(), inner)
    });
    let inner = owned.submit_stoppable(|_, stop| stop.requested()).unwrap();
    give.send(inner).unwrap();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    assert_eq!(worker.run_one(&mut connection), Ran::Task);
    let (deadlock, asked, inner) = outer.unwrap().result().unwrap();
    assert!(deadlock && asked);
    assert_eq!(worker.run_one(&mut connection), Ran::Nothing);
    assert_eq!(inner.result(), Err(TaskError::Cancelled));
}

#[test]
fn a_thread_that_owns_goes_on_with_what_it_waited_for() {
    static OWNED: Owned<Connection, 4, 128> = Owned::new();
    let threads = StdThreads::new();
    let make = || Ok(Connection::new());
    let ended = OWNED.run(&threads, make, |owned| {
        let outer = owned.submit(|_| {
            let inner = OWNED.submit(|own| own.send(1)).unwrap();
            let deadlock = inner.error() == Some(&TaskError::WouldDeadlock);
            (deadlock, inner)
        });
        let (deadlock, mut inner) = outer.unwrap().result().unwrap();
        assert!(deadlock);
        inner.result_timeout(Duration::from_secs(60))
    });
    assert_eq!(ended.unwrap(), Ok(1));
}

#[test]
fn a_shutdown_reaches_what_the_owner_waited_for() {
    for shutdown in [Shutdown::Cancel, Shutdown::Stop, Shutdown::Drain] {
        let owned: &'static Owned<Connection, 4, 128> = Box::leak(Box::new(Owned::new()));
        let outer = owned.submit(move |_| {
            let inner = owned.submit(|own| own.send(1)).unwrap();
            let deadlock = inner.error() == Some(&TaskError::WouldDeadlock);
            owned.begin_shutdown(shutdown);
            (deadlock, inner)
        });
        drop(owned.worker().unwrap().run(Connection::new()));
        let (deadlock, inner) = outer.unwrap().result().unwrap();
        assert!(deadlock);
        let expected = match shutdown {
            Shutdown::Drain => Ok(1),
            Shutdown::Cancel | Shutdown::Stop => Err(TaskError::Cancelled),
        };
        assert_eq!(inner.result(), expected);
    }
}

#[test]
fn a_callback_of_the_owners_task_cannot_wait_for_another_one() {
    let owned: &'static Owned<Connection, 4, 128> = Box::leak(Box::new(Owned::new()));
    let (give, told) = channel();
    let first = owned.submit(|own| own.send(1)).unwrap();
    let second = owned.submit(|own| own.send(2)).unwrap();
    let callback = move |_: Result<&usize, &TaskError>| give.send(second.result()).unwrap();
    first.add_done_callback(callback).unwrap();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(told.recv().unwrap(), Err(TaskError::WouldDeadlock));
    assert_eq!(connection.sent(), [1, 2]);
}

#[test]
fn a_maker_cannot_wait_for_a_task_of_its_own_owner() {
    let owned: &'static Owned<Connection, 4, 128> = Box::leak(Box::new(Owned::new()));
    let (give, told) = channel();
    let early = owned.submit(|own| own.send(1)).unwrap();
    let make = move || {
        give.send(early.result()).unwrap();
        Ok(Connection::new())
    };
    owned.run(&StdThreads::new(), make, |_| ()).unwrap();
    assert_eq!(told.recv().unwrap(), Err(TaskError::WouldDeadlock));
}

#[test]
fn a_loop_waits_with_a_limit_between_two_tasks() {
    let owned: Owned<Connection, 4> = Owned::new();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    assert_eq!(worker.run_one(&mut connection), Ran::Nothing);
    let mut handle = owned.submit(|own| own.send(1)).unwrap();
    let limit = Duration::from_millis(1);
    assert_eq!(handle.result_timeout(limit), Err(TaskError::TimedOut));
    assert_eq!(worker.run_one(&mut connection), Ran::Task);
    assert_eq!(handle.result(), Ok(1));
}

#[test]
fn a_worker_goes_to_a_thread_that_brings_another_thing() {
    let owned: Owned<Vec<u32>, 4> = Owned::new();
    let (mut worker, mut here, mut there) = (owned.worker().unwrap(), vec![], vec![]);
    for number in 1..=3 {
        owned.submit(move |own| own.push(number)).unwrap().detach();
    }
    assert_eq!(worker.run_one(&mut here), Ran::Task);
    thread::scope(|s| {
        s.spawn(|| assert_eq!(worker.run_one(&mut there), Ran::Task));
    });
    assert_eq!(worker.run_one(&mut here), Ran::Task);
    assert_eq!((here, there), (vec![1, 3], vec![2]));
}

#[test]
fn a_waiter_elsewhere_runs_nothing_in_place() {
    let owned: Owned<Connection, 4> = Owned::new();
    let rounds = if cfg!(miri) { 5 } else { 300 };
    let done = owned.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| {
            thread::scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        for number in 0..rounds {
                            let task = move |own: &mut Connection| own.send(number);
                            let handle = owned.submit_blocking(task).unwrap();
                            // `send` panics in another thread than the owner's.
                            assert!(handle.result_inline().is_ok());
                        }
                    });
                }
            });
            owned.stats()
        },
    );
    let stats = done.unwrap();
    assert_eq!((stats.completed as u32, stats.panicked), (2 * rounds, 0));
}

#[test]
fn an_inline_wait_leaves_the_order() {
    let owned: Owned<Connection, 4> = Owned::new();
    let first = owned.submit(|own| own.send(1)).unwrap();
    let second = owned.submit(|own| own.send(2)).unwrap();
    assert_eq!(second.result_inline(), Err(TaskError::NotStarted));
    assert!(!first.done());
    assert_eq!(owned.stats().queued, 2);
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(connection.sent(), [1, 2]);
    assert_eq!(first.result(), Ok(1));
}

#[test]
fn before_the_start_a_wait_says_so_and_the_task_stays() {
    let owned: Owned<Connection, 4> = Owned::new();
    let mut handle = owned.submit(|own| own.send(1)).unwrap();
    assert_eq!(handle.error(), Some(&TaskError::NotStarted));
    let limit = Duration::from_millis(1);
    assert_eq!(handle.result_timeout(limit), Err(TaskError::TimedOut));
    let mut handles = [handle];
    let waited = wait(&mut handles, ReturnWhen::AllCompleted);
    assert_eq!(waited.not_done.len(), 1);
    let [handle] = handles;
    let mut connection = Connection::new();
    assert_eq!(owned.worker().unwrap().run_one(&mut connection), Ran::Task);
    assert_eq!(handle.result(), Ok(1));
}

#[test]
fn a_driver_of_another_executor_runs_its_own_tasks_only() {
    let owned: Owned<Connection, 4> = Owned::new();
    let loose: Executor<0, 4> = Executor::new();
    let done = owned.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| {
            let mut handles = [
                owned.submit(|own| own.send(1)).unwrap(),
                loose.submit(|| 7).unwrap(),
            ];
            // The thread drives `loose` meanwhile.
            let done = wait(&mut handles, ReturnWhen::AllCompleted).done.len();
            (done, handles.map(|handle| handle.result()))
        },
    );
    assert_eq!(done.unwrap(), (2, [Ok(1), Ok(7)]));
}

#[test]
fn a_worker_of_a_pool_waits_for_the_owner() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    static POOL: Executor<1, 4> = Executor::new();
    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    POOL.start(&StdThreads::new()).unwrap();
    let outer = POOL.submit(|| OWNED.submit(|own| own.send(1)).unwrap().result());
    assert_eq!(outer.unwrap().result(), Ok(Ok(1)));
    POOL.shutdown(Shutdown::Drain).unwrap();
    OWNED.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_task_may_own_what_another_owner_lends() {
    let (outer, inner): (Owned<u32, 2>, Owned<u32, 2>) = (Owned::new(), Owned::new());
    let inner: &'static Owned<u32, 2> = Box::leak(Box::new(inner));
    let mut worker: OwnedWorker<'static, u32> = inner.worker().unwrap();
    let changed = inner.submit(|number| *number += 1).unwrap();
    let handle = outer.submit(move |number| {
        assert_eq!(worker.run_one(number), Ran::Task); // lends on what was lent
        *number
    });
    assert_eq!(outer.worker().unwrap().run_one(&mut 6), Ran::Task);
    assert_eq!(handle.unwrap().result(), Ok(7));
    assert_eq!(changed.result(), Ok(()));
}

/// A host of one core: the loop and its interrupt have one number.
struct OneCore;

thread_local! {
    static INTERRUPT: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

impl Park for OneCore {
    type Thread = ();
    type Order = slotted::Fifo;
    fn current() {}
    fn current_id() -> usize {
        1
    }
    fn park() {
        INTERRUPT.with(|interrupt| interrupt.borrow_mut().as_mut().unwrap()());
    }
    fn unpark((): &()) {}
}

#[test]
fn a_loop_waits_for_an_owner_in_its_own_interrupt() {
    static OWNED: Owned<u32, 4, 128, OneCore> = Owned::new();
    let (mut worker, mut number) = (OWNED.worker().unwrap(), 5);
    OWNED.submit(|number| *number += 1).unwrap().detach();
    assert_eq!(worker.run_one(&mut number), Ran::Task);
    let interrupt = move || while worker.run_one(&mut number) == Ran::Task {};
    INTERRUPT.set(Some(Box::new(interrupt)));
    let handle = OWNED.submit(|number| {
        *number += 1;
        let inner = OWNED.submit(|number| *number).unwrap();
        (*number, inner.result())
    });
    assert_eq!(
        handle.unwrap().result(),
        Ok((7, Err(TaskError::WouldDeadlock)))
    );
    INTERRUPT.set(None);
}
