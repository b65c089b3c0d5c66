//! Handles are those of any executor.

use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{
    Executor, Owned, Ran, ReturnWhen, Shutdown, StdThreads, Stop, Stopped, TaskError, TaskState,
    as_completed, wait,
};

use crate::connection::Connection;

#[test]
fn limits_hold_and_the_handle_stays_good() {
    let owned: Owned<Connection, 4> = Owned::new();
    let (mut worker, mut connection) = (owned.worker().unwrap(), Connection::new());
    let mut handle = owned.submit(|own| own.send(1)).unwrap();
    assert_eq!(
        handle.result_timeout(Duration::ZERO),
        Err(TaskError::TimedOut)
    );
    assert_eq!(handle.try_result(), None);
    assert_eq!(worker.run_one(&mut connection), Ran::Task);
    assert_eq!(handle.wait(), Ok(&1));
    assert_eq!(handle.error(), None);
    assert_eq!(handle.result_timeout(Duration::ZERO), Ok(1));
    assert_eq!(handle.try_result(), Some(Err(TaskError::AlreadyTaken)));
}

#[test]
fn a_queued_task_can_be_cancelled_from_anywhere() {
    let owned: Owned<Connection, 4> = Owned::new();
    let handle = owned.submit(|own| own.send(1)).unwrap();
    let (canceller, other) = (handle.canceller(), owned.submit(|own| own.send(2)).unwrap());
    thread::scope(|s| s.spawn(move || assert!(canceller.cancel())).join().unwrap());
    assert!(handle.cancelled());
    assert_eq!(canceller.state(), TaskState::Cancelled);
    drop(other.cancel_on_drop());
    let mut connection = Connection::new();
    assert_eq!(
        owned.worker().unwrap().run_one(&mut connection),
        Ran::Nothing
    );
    assert_eq!(owned.stats().cancelled, 2);
}

#[test]
fn callbacks_see_the_outcome_in_the_owners_thread() {
    let owned: Owned<Connection, 4> = Owned::new();
    let (tell, told) = channel();
    let handle = owned.submit(|own| own.send(1)).unwrap();
    let callback = move |outcome: Result<&usize, &TaskError>| {
        tell.send((*outcome.unwrap(), thread::current().id()))
            .unwrap();
    };
    handle.add_done_callback(callback).unwrap();
    thread::scope(|s| {
        let worker = owned.worker().unwrap();
        let owner = s.spawn(|| {
            drop(worker.run(Connection::new()));
            thread::current().id()
        });
        owned.shutdown(Shutdown::Drain).unwrap();
        assert_eq!(told.recv().unwrap(), (1, owner.join().unwrap()));
    });
    assert_eq!(handle.result(), Ok(1));
}

#[test]
fn a_callback_hands_on_to_the_next_task_of_the_owner() {
    static OWNED: Owned<Connection, 4> = Owned::new();
    let (mut worker, mut connection) = (OWNED.worker().unwrap(), Connection::new());
    let first = OWNED.submit(|own| own.send(1)).unwrap();
    first
        .add_done_callback(|_| OWNED.submit(|own| own.send(2)).unwrap().detach())
        .unwrap();
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(connection.sent(), [1, 2]);
}

#[test]
fn handles_of_owners_and_of_pools_mix() {
    let owned: Owned<Connection, 4> = Owned::new();
    let pool: Executor<1, 2> = Executor::new();
    let sum = pool.run(&StdThreads::new(), |pool| {
        owned.run(
            &StdThreads::new(),
            || Ok(Connection::new()),
            |owned| {
                let handles = [
                    owned.submit(|own| own.send(1)).unwrap(),
                    pool.submit(|| 40).unwrap(),
                    owned.submit(|own| own.send(1) - 1).unwrap(),
                ];
                let results = as_completed(handles).map(|handle| handle.result().unwrap());
                results.sum::<usize>()
            },
        )
    });
    assert_eq!(sum.unwrap().unwrap(), 42);
}

#[test]
fn a_fallible_task_counts_as_a_failure() {
    let owned: Owned<u8, 4> = Owned::new();
    let (mut worker, mut number) = (owned.worker().unwrap(), 0);
    let mut handles = [
        owned
            .submit_fallible(|own| own.checked_sub(1).ok_or("low"))
            .unwrap(),
        owned
            .reserve()
            .unwrap()
            .submit_fallible(|own| Ok(*own))
            .unwrap(),
    ];
    assert_eq!(worker.run_one(&mut number), Ran::Task);
    let waited = wait(&mut handles, ReturnWhen::FirstError);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
}

#[test]
fn a_running_task_is_asked_to_stop() {
    fn listen(own: &mut Connection, stop: &Stop) -> Result<usize, Stopped> {
        loop {
            own.send(1);
            stop.check()?;
        }
    }
    let owned: Owned<Connection, 4> = Owned::new();
    let done = owned.run(
        &StdThreads::new(),
        || Ok(Connection::new()),
        |owned| {
            let first = owned.submit_stoppable(listen).unwrap();
            let second = owned.reserve().unwrap().submit_stoppable(listen).unwrap();
            while !first.running() {
                thread::yield_now();
            }
            assert_eq!(
                second.cancel_sync(),
                Err(TaskError::Cancelled),
                "it is queued"
            );
            assert!(first.request_stop());
            assert!(!first.canceller().request_stop(), "not the first");
            first.result()
        },
    );
    assert_eq!(done.unwrap(), Ok(Err(Stopped)));
}

#[test]
fn handles_and_slots_are_awaited() {
    static ASYNC: Executor<0, 2, 512> = Executor::new();
    static OWNED: Owned<Connection, 1> = Owned::new();
    let threads = StdThreads::new();
    let done = OWNED.run(
        &threads,
        || Ok(Connection::new()),
        |_| {
            let caller = async {
                let mut counts = [0; 3];
                for (count, number) in counts.iter_mut().zip(0..) {
                    let permit = OWNED.reserve_async().await.unwrap();
                    *count = permit
                        .submit(move |own| own.send(number))
                        .unwrap()
                        .await
                        .unwrap();
                }
                counts
            };
            ASYNC.submit_future(caller).unwrap().result()
        },
    );
    assert_eq!(done.unwrap(), Ok([1, 2, 3]));
}

#[test]
fn the_owner_can_be_a_task_of_another_async_executor() {
    static ASYNC: Executor<1, 2, 256> = Executor::new();
    static OWNED: Owned<Vec<u32>, 4> = Owned::new();
    let mut worker = OWNED.worker().unwrap();
    let owner = async move {
        let mut numbers = vec![];
        loop {
            worker.ready().await;
            if worker.run_one(&mut numbers) == Ran::Left {
                return numbers;
            }
        }
    };
    ASYNC.start(&StdThreads::new()).unwrap();
    let owner = ASYNC.submit_future(owner).unwrap();
    for number in 0..10 {
        let task = move |own: &mut Vec<u32>| own.push(number);
        assert_eq!(OWNED.submit_blocking(task).unwrap().result(), Ok(()));
    }
    OWNED.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(owner.result(), Ok((0..10).collect()));
    ASYNC.shutdown(Shutdown::Drain).unwrap();
}

#[test]
fn an_async_owner_that_waited_for_its_own_task_wakes_for_it() {
    static ASYNC: Executor<0, 2, 256> = Executor::new();
    static OWNED: Owned<u32, 4> = Owned::new();
    let (give, take) = channel::<slotted::JoinHandle<'static, u32>>();
    let mut worker = OWNED.worker().unwrap();
    let owner = ASYNC.submit_future(async move {
        let mut number = 6;
        loop {
            worker.ready().await;
            if worker.run_one(&mut number) == Ran::Left {
                return number;
            }
        }
    });
    let outer = OWNED.submit(move |_| {
        let inner = take.recv().unwrap();
        assert_eq!(inner.error(), Some(&TaskError::WouldDeadlock));
        inner
    });
    let inner = OWNED
        .submit(|number| {
            *number += 1;
            *number
        })
        .unwrap();
    give.send(inner).unwrap();
    ASYNC.run_until_idle();
    assert_eq!(outer.unwrap().result().unwrap().result(), Ok(7));
    OWNED.begin_shutdown(Shutdown::Drain);
    assert_eq!(owner.unwrap().result(), Ok(7));
}
