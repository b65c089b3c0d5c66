//! A thread that is about to sleep calls foreign code, which waits too: a waker, where the thread
//! keeps the time.

use core::cell::{Cell, RefCell};
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, Promise, ReturnWhen, wait};

use crate::stage::{Actor, Habits, StageWith, forever, within_limit};

struct Nests;

type Host = StageWith<Nests>;
type Pool = Executor<0, 4, 64, Host>;
type Kept = Promise<'static, (), Host>;

thread_local! {
    /// What the thread does when it next goes to sleep.
    static BEFORE_SLEEP: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    /// What it does when it is next asked for its name.
    static BEFORE_NAME: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    /// The inner wait was about to sleep.
    static WAITED_WITHIN: Cell<bool> = const { Cell::new(false) };
}

impl Habits for Nests {
    fn around_park() {
        let act = BEFORE_SLEEP.take();
        act.into_iter().for_each(|act| act());
    }

    fn before_current() {
        let act = BEFORE_NAME.take();
        act.into_iter().for_each(|act| act());
    }
}

/// The thread drives one executor. Before it sleeps, it waits for tasks of three, of which that is
/// the last, and finds work in the second. So the inner wait becomes the driver of the first only.
/// In the last, the thread stays the driver of the outer wait.
#[test]
fn a_wait_over_several_executors_leaves_the_place_of_an_outer_one_alone() {
    within_limit(|| {
        let [first, second, last] = [(); 3].map(|()| forever(Pool::new()));
        let (outer, outer_over) = last.promise::<()>().unwrap();
        let (tell_actor, actor) = channel::<Actor>();
        let (tell, told) = channel();
        thread::spawn(move || {
            tell_actor.send(Host::current()).unwrap();
            BEFORE_SLEEP.set(Some(Box::new(move || {
                waits_for_three([first, second, last])
            })));
            tell.send(outer_over.result()).unwrap();
        });
        actor.recv().unwrap().until_asleep();
        last.submit(move || outer.complete(Ok(())).unwrap())
            .unwrap()
            .detach();
        assert_eq!(told.recv().unwrap(), Ok(()));
    });
}

/// Waits for the second of three promises, which a task keeps that comes late.
fn waits_for_three(pools: [&'static Pool; 3]) {
    let (promises, mut handles): (Vec<Kept>, Vec<_>) = { pools.iter() }
        .map(|pool| pool.promise::<()>().unwrap())
        .unzip();
    let [_never, kept, _never_either] = promises.try_into().unwrap();
    BEFORE_NAME.set(Some(Box::new(move || {
        WAITED_WITHIN.set(true);
        let keeps = move || kept.complete(Ok(())).unwrap();
        pools[1].submit(keeps).unwrap().detach();
    })));
    let done = wait(&mut handles, ReturnWhen::FirstCompleted).done.len();
    assert!(WAITED_WITHIN.get());
    assert_eq!(done, 1);
}
