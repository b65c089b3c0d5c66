//! Starting, stopping, and starting again; and what becomes of the thing that is owned.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{
    Executor, Owned, Ran, Refusal, Shutdown, ShutdownError, StartError, StdThreads, TaskError,
};

use crate::connection::Connection;

#[test]
fn run_gives_back_what_it_owned() {
    let (owned, drops) = (Owned::<Connection, 4>::new(), Arc::default());
    thread::scope(|s| {
        let worker = owned.worker().unwrap();
        s.spawn(|| {
            let connection = worker.run(Connection::counted(&drops));
            assert_eq!(drops.load(Ordering::Relaxed), 0);
            assert_eq!(connection.sent(), [1, 2]);
        });
        owned.submit(|own| own.send(1)).unwrap().detach();
        owned.submit(|own| own.send(2)).unwrap().detach();
        owned.shutdown(Shutdown::Drain).unwrap();
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn there_is_one_owner_and_after_it_another() {
    let owned: Owned<Connection, 4> = Owned::new();
    for number in 0..3 {
        let worker = owned.worker().unwrap();
        assert!(matches!(owned.worker(), Err(StartError::AlreadyStarted)));
        let handle = owned.submit(move |own| own.send(number)).unwrap();
        owned.begin_shutdown(Shutdown::Drain);
        assert!(owned.worker().is_err(), "the shutdown has not finished");
        let connection = worker.run(Connection::new());
        assert_eq!(connection.sent(), [number], "another one each time");
        assert_eq!(handle.result(), Ok(1));
    }
}

#[test]
fn a_task_waits_for_the_next_owner_if_a_worker_is_dropped() {
    let owned: Owned<Connection, 4> = Owned::new();
    drop(owned.worker().unwrap());
    let handle = owned.submit(|own| own.send(1)).unwrap();
    assert_eq!(handle.error(), Some(&TaskError::NotStarted));
    let mut connection = Connection::new();
    assert_eq!(owned.worker().unwrap().run_one(&mut connection), Ran::Task);
    assert_eq!(handle.result(), Ok(1));
}

#[test]
fn a_stale_worker_gives_back_what_it_was_given() {
    let owned: Owned<Connection, 4> = Owned::new();
    let mut first = owned.worker().unwrap();
    owned.begin_shutdown(Shutdown::Drain);
    let mut connection = Connection::new();
    assert_eq!(first.run_one(&mut connection), Ran::Left);
    let second = owned.worker().unwrap();
    assert_eq!(
        first.run_one(&mut connection),
        Ran::Left,
        "of an earlier life"
    );
    assert!(first.run(connection).sent().is_empty());
    drop(second);
}

#[test]
fn a_maker_that_fails_breaks_the_executor_until_the_next_start() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    let early = OWNED.submit(|own| own.send(1)).unwrap();
    OWNED
        .start(&StdThreads::new(), || Err(WorkerStartError))
        .unwrap();
    assert_eq!(early.result(), Err(TaskError::Broken));
    let refused = OWNED.submit(|own| own.send(1)).unwrap_err();
    assert_eq!(refused.reason(), Refusal::Broken);
    OWNED.shutdown(Shutdown::Drain).unwrap();

    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    assert_eq!(OWNED.submit(|own| own.send(1)).unwrap().result(), Ok(1));
    OWNED.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_maker_that_panics_breaks_the_executor() {
    let owned: Owned<Connection, 4> = Owned::new();
    let early = owned.submit(|own| own.send(1)).unwrap();
    let ran = owned.run(&StdThreads::new(), || panic!("no line"), |_| early.result());
    assert_eq!(ran.unwrap(), Err(TaskError::Broken));
    let again = owned.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| owned.submit(|own| own.send(1)).unwrap().result(),
    );
    assert_eq!(again.unwrap(), Ok(1));
}

#[test]
fn drain_runs_what_was_accepted_and_cancel_does_not() {
    for (shutdown, expected) in [
        (Shutdown::Drain, Ok(1)),
        (Shutdown::Cancel, Err(TaskError::Cancelled)),
        (Shutdown::Stop, Err(TaskError::Cancelled)),
    ] {
        let owned: Owned<Connection, 4> = Owned::new();
        let worker = owned.worker().unwrap();
        let handle = owned.submit(|own| own.send(1)).unwrap();
        owned.begin_shutdown(shutdown);
        drop(worker.run(Connection::new()));
        assert_eq!(handle.result(), expected);
        owned.shutdown(shutdown).unwrap();
    }
}

#[test]
fn stop_asks_the_task_that_runs() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    let (tell, told) = channel();
    let endless = OWNED.submit_stoppable(move |own, stop| {
        tell.send(()).unwrap();
        while !stop.requested() {
            own.send(1);
        }
    });
    told.recv().unwrap();
    OWNED.shutdown(Shutdown::Stop).unwrap();
    assert_eq!(endless.unwrap().result(), Ok(()));
}

#[test]
fn without_an_owner_a_shutdown_cancels_what_no_thread_can_run() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        let owned: Owned<Connection, 4> = Owned::new();
        let handle = owned.submit(|own| own.send(1)).unwrap();
        owned.shutdown(shutdown).unwrap();
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
        assert!(owned.worker().is_ok(), "it can be started again");
    }
}

#[test]
fn an_owner_that_leaves_during_a_drain_leaves_nothing_behind() {
    let owned: Owned<Connection, 4> = Owned::new();
    let worker = owned.worker().unwrap();
    let handle = owned.submit(|own| own.send(1)).unwrap();
    owned.begin_shutdown(Shutdown::Drain);
    assert!(!handle.done());
    drop(worker);
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    assert!(owned.worker().is_ok());
}

#[test]
fn the_owner_cannot_wait_for_its_own_shutdown() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    let shut_down = OWNED.submit(|_| OWNED.shutdown(Shutdown::Drain));
    let shut_down = shut_down.unwrap();
    assert_eq!(shut_down.result(), Ok(Err(ShutdownError::WouldDeadlock)));
    OWNED.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn a_shutdown_waits_for_the_owner_and_has_a_limit() {
    let owned: Owned<Connection, 4> = Owned::new();
    let worker = owned.worker().unwrap();
    let limit = Duration::from_millis(1);
    let late = owned.shutdown_timeout(Shutdown::Drain, limit);
    assert_eq!(late, Err(ShutdownError::TimedOut));
    drop(worker);
    assert_eq!(owned.shutdown_timeout(Shutdown::Drain, limit), Ok(()));
}

#[test]
fn a_shutdown_is_awaited() {
    static ASYNC: Executor<0, 2, 512> = Executor::new();
    static OWNED: Owned<Connection, 4> = Owned::new();
    OWNED
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    let last = OWNED.submit(|own| own.send(1)).unwrap();
    let closing = ASYNC
        .submit_future(OWNED.shutdown_async(Shutdown::Drain))
        .unwrap();
    assert_eq!(closing.result(), Ok(Ok(())));
    assert_eq!(last.result(), Ok(1));

    let unowned: &'static Owned<Connection, 4> = Box::leak(Box::new(Owned::new()));
    let left = unowned.submit(|own| own.send(1)).unwrap();
    let closing = ASYNC
        .submit_future(unowned.shutdown_async(Shutdown::Drain))
        .unwrap();
    assert_eq!(closing.result(), Ok(Ok(())));
    assert!(left.cancelled());
}

#[test]
fn a_panic_in_the_body_still_ends_the_life() {
    let (owned, drops) = (Owned::<Connection, 4>::new(), Arc::<AtomicUsize>::default());
    let made = Arc::clone(&drops);
    let ran = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        let make = move || Ok(Connection::counted(&made));
        owned.run(&StdThreads::new(), make, |owned| {
            owned.submit(|own| own.send(1)).unwrap().detach();
            panic!("body");
        })
    }));
    let _: Result<Result<(), _>, _> = ran;
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(owned.stats().completed, 1);
}

#[test]
fn the_maker_runs_in_the_owners_thread_before_the_first_task() {
    static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    fn note() {
        let name = thread::current().name().unwrap_or_default().to_owned();
        NAMES.lock().unwrap().push(name);
    }
    let owned: Owned<(), 4> = Owned::new();
    owned.submit(|()| note()).unwrap().detach();
    let make = || {
        note();
        Ok(())
    };
    let threads = StdThreads::new().prefix("radio");
    owned.run(&threads, make, |_| ()).unwrap();
    assert_eq!(*NAMES.lock().unwrap(), ["radio-0", "radio-0"]);
}
