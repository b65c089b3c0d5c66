//! Callbacks that come while a task's callbacks run.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::Executor;

use crate::schedules::support::within_limit;

type Order = Arc<Mutex<Vec<&'static str>>>;

/// A callback that is added from inside a callback is called after those that were added before.
#[test]
fn callback_that_a_callback_adds_is_called_after_the_earlier_ones() {
    static POOL: Executor<0, 8, 128> = Executor::new();
    within_limit(|| {
        let order = Order::default();
        let note = |what| {
            let order = order.clone();
            move || order.lock().unwrap().push(what)
        };
        let handle = Arc::new(POOL.submit(|| ()).unwrap());
        let (adds, begins, added, ends) =
            (handle.clone(), note("begins"), note("added"), note("ends"));
        let first = move |_: Result<&(), &_>| {
            begins();
            assert!(adds.done());
            adds.add_done_callback(move |_| added()).unwrap();
            ends();
        };
        handle.add_done_callback(first).unwrap();
        let second = note("second");
        handle.add_done_callback(move |_| second()).unwrap();
        assert!(POOL.run_one());
        let order = order.lock().unwrap();
        assert_eq!(*order, ["begins", "ends", "second", "added"]);
    });
}

/// The same if another thread adds it meanwhile.
#[test]
fn callback_that_another_thread_adds_meanwhile_is_called_after_the_earlier_ones() {
    static POOL: Executor<0, 8, 128> = Executor::new();
    within_limit(|| {
        let order = Order::default();
        let note = |what| {
            let order = order.clone();
            move || order.lock().unwrap().push(what)
        };
        let handle = Arc::new(POOL.submit(|| ()).unwrap());
        let ((begin, begun), (add, added)) = (channel(), channel::<()>());
        let first = note("first");
        let wait_for_the_other = move |_: Result<&(), &_>| {
            begin.send(()).unwrap();
            added.recv().unwrap();
            first();
        };
        handle.add_done_callback(wait_for_the_other).unwrap();
        let late = note("late");
        let adder = thread::spawn(move || {
            begun.recv().unwrap();
            handle.add_done_callback(move |_| late()).unwrap();
            add.send(()).unwrap();
        });
        assert!(POOL.run_one());
        adder.join().unwrap();
        assert_eq!(*order.lock().unwrap(), ["first", "late"]);
    });
}
