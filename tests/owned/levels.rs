//! Levels: the owner runs strictly the highest one first, whatever the form of the submit.

use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::channel;

use slotted::{
    Executor, JoinHandle, Levels, Ordered, Owned, OwnedSubmitter, Ran, Refusal, Shutdown, StdHost,
    StdThreads, TaskError,
};

use crate::connection::{Connection, Counted, drops};

type Host = Ordered<StdHost, Levels<3>>;
type Leveled<L, const QUEUE: usize> = Owned<L, QUEUE, 64, Host>;

/// Runs what is queued, and returns it in the order in which it ran.
fn run<const QUEUE: usize>(owned: &Leveled<Vec<u32>, QUEUE>) -> Vec<u32> {
    let (mut worker, mut order) = (owned.worker().unwrap(), vec![]);
    while worker.run_one(&mut order) == Ran::Task {}
    order
}

/// Submits a number in each form there is, of the level of `to`.
fn submit_each_form(to: OwnedSubmitter<'_, Vec<u32>, 64, Host>, first: u32) {
    let mut number = first..;
    let mut push = || {
        let number = number.next().unwrap();
        move |own: &mut Vec<u32>| {
            own.push(number);
            Ok::<_, ()>(number)
        }
    };
    to.submit(push()).unwrap().detach();
    to.submit_fallible(push()).unwrap().detach();
    let task = push();
    to.submit_stoppable(move |own, _| task(own))
        .unwrap()
        .detach();
    to.submit_blocking(push()).unwrap().detach();
    to.submit_timeout(push(), Duration::ZERO).unwrap().detach();
    to.reserve().unwrap().submit(push()).unwrap().detach();
    let permit = to.reserve_blocking().unwrap();
    permit.submit_fallible(push()).unwrap().detach();
    let permit = to.reserve_timeout(Duration::ZERO).unwrap();
    let task = push();
    permit
        .submit_stoppable(move |own, _| task(own))
        .unwrap()
        .detach();
}

#[test]
fn every_form_of_submit_has_its_level() {
    let owned: Leveled<Vec<u32>, 24> = Owned::new();
    submit_each_form(owned.submitter(), 0);
    submit_each_form(owned.level::<2>(), 20);
    submit_each_form(owned.submitter().level::<1>(), 10);
    assert_eq!(
        run(&owned),
        (20..28).chain(10..18).chain(0..8).collect::<Vec<_>>()
    );
    assert_eq!(
        owned.level_stats().map(|level| level.longest_wait),
        [16, 8, 0]
    );
}

#[test]
fn a_permit_that_is_awaited_has_its_level() {
    static ASYNC: Executor<0, 1, 512, Host> = Executor::new();
    static OWNED: Leveled<Vec<u32>, 2> = Owned::new();
    OWNED.submit(|own| own.push(1)).unwrap().detach();
    let caller = async {
        let permit = OWNED.level::<1>().reserve_async().await.unwrap();
        permit.submit(|own| own.push(2)).unwrap().detach();
    };
    ASYNC.submit_future(caller).unwrap().result().unwrap();
    assert_eq!(run(&OWNED), [2, 1]);
}

#[test]
fn the_owners_own_calls_are_of_the_lowest_level() {
    let owned: Leveled<Vec<u32>, 4> = Owned::new();
    owned.submit(|own| own.push(1)).unwrap().detach();
    owned
        .level::<0>()
        .submit(|own| own.push(2))
        .unwrap()
        .detach();
    assert_eq!(run(&owned), [1, 2], "in the order of submission");
}

#[test]
fn a_level_that_is_refused_gives_the_closure_back() {
    let (count, owned) = (Arc::default(), Leveled::<Vec<u32>, 1>::new());
    let permit = owned.level::<2>().reserve().unwrap();
    let counted = Counted::new(&count);
    let refused = owned
        .level::<1>()
        .submit(move |_| drop(counted))
        .unwrap_err();
    assert_eq!((refused.reason(), drops(&count)), (Refusal::Full, 0));
    let task = refused.into_inner();
    let refused = owned
        .level::<2>()
        .submit_timeout(task, Duration::ZERO)
        .unwrap_err();
    assert_eq!((refused.reason(), drops(&count)), (Refusal::Full, 0));
    let task = refused.into_inner();
    owned.begin_shutdown(Shutdown::Cancel);
    let refused = permit.submit(task).unwrap_err();
    assert_eq!((refused.reason(), drops(&count)), (Refusal::ShutDown, 0));
    let refused = owned
        .level::<2>()
        .submit_blocking(refused.into_inner())
        .unwrap_err();
    assert_eq!(refused.reason(), Refusal::ShutDown);
    drop(refused);
    assert_eq!(drops(&count), 1);
}

#[test]
fn a_task_rises_by_its_handle() {
    let owned: Leveled<Vec<u32>, 4> = Owned::new();
    owned
        .level::<1>()
        .submit(|own| own.push(1))
        .unwrap()
        .detach();
    let low = owned.submit(|own| own.push(2)).unwrap();
    assert!(low.raise::<2>());
    assert!(!low.raise::<1>());
    assert_eq!(run(&owned), [2, 1]);
}

#[test]
fn a_slot_that_is_used_again_keeps_no_level() {
    let owned: Leveled<Vec<u32>, 2> = Owned::new();
    let urgent = owned.level::<2>().submit(|own| own.push(0)).unwrap();
    assert!(urgent.cancel());
    drop(urgent);
    let (promise, handle) = owned.level::<2>().promise::<u32>().unwrap();
    drop((promise, handle));
    drop(owned.level::<2>().reserve().unwrap());
    owned.submit(|own| own.push(1)).unwrap().detach();
    owned.submit(|own| own.push(2)).unwrap().detach();
    assert_eq!(run(&owned), [1, 2]);
}

#[test]
fn a_drain_runs_the_urgent_first_and_a_cancel_leaves_none() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        let (count, owned) = (Arc::default(), Leveled::<Vec<u32>, 4>::new());
        let mut worker = owned.worker().unwrap();
        for (level, number) in [(owned.level::<0>(), 0), (owned.level::<2>(), 2)] {
            let counted = Counted::new(&count);
            let task = move |own: &mut Vec<u32>| {
                own.push(number);
                drop(counted);
            };
            level.submit(task).unwrap().detach();
        }
        owned.begin_shutdown(shutdown);
        let mut order = vec![];
        while worker.run_one(&mut order) == Ran::Task {}
        let expected: &[u32] = if shutdown == Shutdown::Drain {
            &[2, 0]
        } else {
            &[]
        };
        assert_eq!((order.as_slice(), drops(&count)), (expected, 2));
        assert!(owned.worker().is_ok(), "nothing is left of the life");
    }
}

#[test]
fn a_level_of_tasks_waits_for_the_next_owner() {
    let owned: Leveled<Vec<u32>, 4> = Owned::new();
    let mut worker = owned.worker().unwrap();
    owned.submit(|own| own.push(1)).unwrap().detach();
    let urgent = owned.level::<1>().submit(|own| own.push(2)).unwrap();
    let third = owned.level::<1>().submit(|own| own.push(3)).unwrap();
    let mut first = vec![];
    assert_eq!(worker.run_one(&mut first), Ran::Task);
    drop(worker);
    assert_eq!(third.error(), Some(&TaskError::NotStarted));
    assert_eq!((first, run(&owned)), (vec![2], vec![3, 1]));
    assert_eq!(urgent.result(), Ok(()));
}

#[test]
fn a_submitter_goes_to_other_threads_and_each_level_keeps_its_order() {
    static OWNED: Owned<Connection, 32, 64, Host> = Owned::new();
    let mut worker = OWNED.worker().unwrap();
    std::thread::scope(|s| {
        for (level, to) in [(0, OWNED.level::<0>()), (1, OWNED.level::<1>())] {
            s.spawn(move || {
                for number in 0..8 {
                    to.submit(move |own| own.send(level * 10 + number))
                        .unwrap()
                        .detach();
                }
            });
        }
    });
    let mut connection = Connection::new();
    while worker.run_one(&mut connection) == Ran::Task {}
    assert_eq!(connection.sent(), (10..18).chain(0..8).collect::<Vec<_>>());
}

#[test]
fn a_worker_of_a_level_waits_for_its_owner() {
    static POOL: Executor<1, 2, 64, Host> = Executor::new();
    static OWNED: Owned<u32, 2, 64, Host> = Owned::new();
    let (give, take) = channel::<JoinHandle<'static, u32, Host>>();
    let outer = POOL
        .level::<1>()
        .submit(move || take.recv().unwrap().result());
    give.send(OWNED.level::<2>().submit(|own| *own).unwrap())
        .unwrap();
    let done = OWNED.run(
        &StdThreads::new(),
        || Ok(7),
        |_| POOL.run(&StdThreads::new(), |_| ()),
    );
    done.unwrap().unwrap();
    assert_eq!(outer.unwrap().result(), Ok(Ok(7)));
}
