//! Polled tasks across shutdowns, lives and hand-overs of the worker: which task is lost, and which
//! wait never ends?

use core::sync::atomic::Ordering;
use core::task::Poll;
use std::sync::mpsc::channel;
use std::thread;

use slotted::error::WorkerStartError;
use slotted::{Owned, Ran, Refusal, Shutdown, StdThreads, TaskError};

use crate::connection::Connection;
use crate::polls::{Gate, counted, leak, run_all, sends};

#[test]
fn a_drain_lets_the_owner_poll_until_all_are_ready() {
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    run_all(&mut worker, &mut own);
    owned.begin_shutdown(Shutdown::Drain);
    assert_eq!(worker.run_one(&mut own), Ran::Nothing, "it stays for it");
    assert!(owned.worker().is_err());
    // A poll for no reason: it rests during the drain too.
    gate.waker().wake();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(worker.run_one(&mut own), Ran::Nothing);
    gate.open_and_wake();
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(worker.run_one(&mut own), Ran::Left);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(polled.result(), Ok(3));
    assert!(owned.worker().is_ok(), "nothing is left of the life");
}

#[test]
fn a_drain_of_a_thread_ends_when_another_thread_wakes_the_last_task() {
    let owned = leak();
    owned
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    let gate = Gate::default();
    let (passes, (tell, told)) = (gate.clone(), channel());
    let polled = owned.submit_poll(move |own, context| {
        own.send(1);
        let through = passes.pass(context);
        let _ = tell.send(());
        if through {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    told.recv().unwrap();
    let waker = thread::spawn(move || gate.open_and_wake());
    owned.shutdown(Shutdown::Drain).unwrap();
    waker.join().unwrap();
    assert_eq!(polled.unwrap().result(), Ok(()));
}

#[test]
fn a_shutdown_that_cancels_ends_what_rests_and_what_is_being_polled() {
    for shutdown in [Shutdown::Cancel, Shutdown::Stop] {
        let owned = leak();
        let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
        let ((counted_1, drops_1), gate) = (counted(), Gate::default());
        let (counted_2, drops_2) = counted();
        let rests = owned.submit_poll(sends(1, &gate, counted_1)).unwrap();
        run_all(&mut worker, &mut own);
        let polled = owned.submit_poll(move |_, context| -> Poll<()> {
            let _ = &counted_2;
            owned.begin_shutdown(shutdown);
            context.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(worker.run_one(&mut own), Ran::Task);
        assert_eq!(drops_1.load(Ordering::Relaxed), 1);
        assert_eq!(drops_2.load(Ordering::Relaxed), 1);
        assert_eq!(rests.result(), Err(TaskError::Cancelled));
        assert_eq!(polled.unwrap().result(), Err(TaskError::Cancelled));
        gate.open_and_wake();
        assert_eq!(worker.run_one(&mut own), Ran::Left);
        assert_eq!(owned.stats().slots_in_use, 0);
        assert!(owned.worker().is_ok(), "nothing is left of the life");
    }
}

/// What becomes of polled tasks, one at rest and one woken, when no owner is left in a shutdown.
#[test]
fn no_polled_task_outlives_the_owner_in_a_shutdown() {
    for shutdown in [Shutdown::Drain, Shutdown::Cancel, Shutdown::Stop] {
        for leaves_first in [false, true] {
            let owned = leak();
            let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
            let ((counted_1, drops_1), gate_1) = (counted(), Gate::default());
            let ((counted_2, drops_2), gate_2) = (counted(), Gate::default());
            let rests = owned.submit_poll(sends(1, &gate_1, counted_1)).unwrap();
            let woken = owned.submit_poll(sends(2, &gate_2, counted_2)).unwrap();
            run_all(&mut worker, &mut own);
            gate_2.open_and_wake();
            if leaves_first {
                drop(worker);
                assert_eq!(drops_1.load(Ordering::Relaxed), 0, "another owner may come");
                owned.begin_shutdown(shutdown);
            } else {
                owned.begin_shutdown(shutdown);
                drop(worker);
            }
            assert_eq!(drops_1.load(Ordering::Relaxed), 1);
            assert_eq!(drops_2.load(Ordering::Relaxed), 1);
            gate_1.open_and_wake();
            owned.shutdown(shutdown).unwrap();
            assert_eq!(rests.result(), Err(TaskError::Cancelled));
            assert_eq!(woken.result(), Err(TaskError::Cancelled));
            assert_eq!(owned.stats().slots_in_use, 0);
            let mut worker = owned.worker().unwrap();
            assert_eq!(worker.run_one(&mut own), Ran::Nothing, "an empty life");
            assert_eq!(own.sent(), [1, 2]);
        }
    }
}

#[test]
fn a_drain_that_waits_ends_when_the_owner_leaves_a_resting_task() {
    let owned = leak();
    let ((counted, drops), gate) = (counted(), Gate::default());
    let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    let mut worker = owned.worker().unwrap();
    thread::scope(|s| {
        let closer = s.spawn(|| owned.shutdown(Shutdown::Drain));
        let mut own = Connection::new();
        // It may be refused as yet: the shutdown has begun when the queue takes nothing.
        while owned.submit(|_| ()).is_ok() {
            run_all(&mut worker, &mut own);
        }
        run_all(&mut worker, &mut own);
        assert!(!closer.is_finished(), "it waits for the task");
        drop(worker);
        closer.join().unwrap().unwrap();
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(polled.result(), Err(TaskError::Cancelled));
}

/// A canceller has set it running: no canceller cancels it, but a shutdown without an owner does.
#[test]
fn a_task_that_was_set_running_outlives_no_owner_either() {
    for is_woken in [false, true] {
        let owned = leak();
        let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
        let ((counted, drops), gate) = (counted(), Gate::default());
        let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
        run_all(&mut worker, &mut own);
        let canceller = polled.canceller();
        assert_eq!(canceller.set_running_or_notify_cancel(), Ok(true));
        assert!(!polled.cancel());
        if is_woken {
            gate.waker().wake();
        }
        owned.begin_shutdown(Shutdown::Drain);
        drop(worker);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(polled.result(), Err(TaskError::Cancelled));
        owned.shutdown(Shutdown::Drain).unwrap();
    }
}

#[test]
fn a_task_rests_through_lives_and_is_polled_with_what_the_next_owner_owns() {
    let owned = leak();
    let ((counted, drops), gate) = (counted(), Gate::default());
    let mut polled = owned.submit_poll(sends(7, &gate, counted)).unwrap();
    for life in 1..=3 {
        let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
        assert_eq!(run_all(&mut worker, &mut own), 1);
        assert_eq!(own.sent(), [7], "the connection of this owner");
        drop(worker);
        assert_eq!(polled.error(), Some(&TaskError::NotStarted));
        assert!(polled.running());
        if life == 3 {
            gate.open();
        }
        gate.waker().wake();
    }
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    assert_eq!(run_all(&mut worker, &mut own), 1);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(polled.try_result(), Some(Ok(1)));
}

#[test]
fn a_worker_that_goes_to_another_thread_polls_there() {
    let owned = leak();
    let ((counted, drops), gate) = (counted(), Gate::default());
    let polled = owned.submit_poll(sends(7, &gate, counted)).unwrap();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    assert_eq!(run_all(&mut worker, &mut own), 1);
    let owner = thread::spawn(move || worker.run(Connection::new()).sent());
    gate.open_and_wake();
    assert_eq!(polled.result_inline(), Ok(1));
    owned.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(owner.join().unwrap(), [7]);
    assert_eq!(own.sent(), [7]);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn what_rests_ends_as_broken_when_the_next_owner_cannot_be_made() {
    let owned = leak();
    let ((counted_1, drops_1), gate_1) = (counted(), Gate::default());
    let ((counted_2, drops_2), gate_2) = (counted(), Gate::default());
    let rests = owned.submit_poll(sends(1, &gate_1, counted_1)).unwrap();
    let woken = owned.submit_poll(sends(2, &gate_2, counted_2)).unwrap();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    run_all(&mut worker, &mut own);
    drop(worker);
    gate_2.waker().wake();
    owned
        .start(&StdThreads::new(), || Err(WorkerStartError))
        .unwrap();
    assert_eq!(rests.result(), Err(TaskError::Broken));
    assert_eq!(woken.result(), Err(TaskError::Broken));
    assert_eq!(drops_1.load(Ordering::Relaxed), 1);
    assert_eq!(drops_2.load(Ordering::Relaxed), 1);
    let ready = |own: &mut Connection, _: &mut core::task::Context<'_>| Poll::Ready(own.send(1));
    let refused = owned.submit_poll(ready).expect_err("it is broken");
    assert_eq!(refused.reason(), Refusal::Broken);
    owned.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(owned.stats().slots_in_use, 0);
}

/// A destructor of a task that no owner is left for may begin the next life, and submit to it.
#[test]
fn a_shutdown_cancels_nothing_of_a_life_that_a_destructor_begins() {
    struct Begins(
        &'static Owned<Connection, 4, 128>,
        std::sync::mpsc::Sender<usize>,
    );
    impl Drop for Begins {
        fn drop(&mut self) {
            // The other resting task is not done: the life goes on.
            self.1.send(usize::from(self.0.worker().is_ok())).unwrap();
        }
    }
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let (tell, told) = channel();
    let handles = [0, 1].map(|_| {
        let begins = Begins(owned, tell.clone());
        let polled = owned.submit_poll(move |_, _| -> Poll<()> {
            let _ = &begins;
            Poll::Pending
        });
        polled.unwrap()
    });
    run_all(&mut worker, &mut own);
    drop(worker);
    owned.begin_shutdown(Shutdown::Drain);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 0]);
    for handle in handles {
        assert_eq!(handle.result(), Err(TaskError::Cancelled));
    }
    assert!(owned.worker().is_ok(), "now it is over");
}

/// It is never ready, and in the queue or in a poll at any time.
#[test]
fn cancel_sync_ends_a_task_that_the_owner_polls_without_end() {
    let owned = leak();
    owned
        .start(&StdThreads::new(), || Ok(Connection::new()))
        .unwrap();
    for _ in 0..if cfg!(miri) { 2 } else { 50 } {
        let (counted, drops) = counted();
        let (tell, told) = channel();
        let endless = owned.submit_poll(move |_, context| -> Poll<()> {
            let _ = (&counted, tell.send(()));
            context.waker().wake_by_ref();
            Poll::Pending
        });
        told.recv().unwrap();
        assert_eq!(endless.unwrap().cancel_sync(), Err(TaskError::Cancelled));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }
    owned.shutdown(Shutdown::Drain).unwrap();
    assert_eq!(owned.stats().slots_in_use, 0);
}

/// Its handle is awaited by a task of another executor, and a callback hears of it.
#[test]
fn a_polled_task_is_awaited_and_called_back_for() {
    static ASYNC: slotted::Executor<0, 2, 256> = slotted::Executor::new();
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    let (tell, told) = channel();
    let calls =
        move |outcome: Result<&usize, &TaskError>| tell.send(outcome.copied().ok()).unwrap();
    polled.add_done_callback(calls).unwrap();
    let mut awaited = ASYNC.submit_future(polled).unwrap();
    ASYNC.run_until_idle();
    run_all(&mut worker, &mut own);
    gate.open_and_wake();
    assert_eq!(ASYNC.run_until_idle(), 0);
    run_all(&mut worker, &mut own);
    assert_eq!(told.recv(), Ok(Some(2)));
    assert_eq!(ASYNC.run_until_idle(), 1);
    assert_eq!(awaited.try_result(), Some(Ok(Ok(2))));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    drop(awaited);
    assert_eq!(owned.stats().slots_in_use, 0);
}

#[test]
fn an_owner_that_is_an_async_task_is_woken_for_a_poll() {
    use core::future::Future;
    use core::pin::pin;
    use core::sync::atomic::AtomicUsize;
    use core::task::{Context, Waker};
    use std::sync::Arc;

    struct Wakes(AtomicUsize);
    impl std::task::Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let owned = leak();
    let (mut worker, mut own) = (owned.worker().unwrap(), Connection::new());
    let ((counted, drops), gate) = (counted(), Gate::default());
    let mut polled = owned.submit_poll(sends(1, &gate, counted)).unwrap();
    run_all(&mut worker, &mut own);
    let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&wakes));
    {
        let mut ready = pin!(worker.ready());
        let mut context = Context::from_waker(&waker);
        assert!(ready.as_mut().poll(&mut context).is_pending());
        gate.open_and_wake();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(ready.as_mut().poll(&mut context).is_ready());
    }
    assert_eq!(worker.run_one(&mut own), Ran::Task);
    assert_eq!(polled.try_result(), Some(Ok(2)));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}
