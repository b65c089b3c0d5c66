//! `Canceller::set_running_or_notify_cancel`: an async task that no canceller can cancel any more.

use core::future::{Future, pending, poll_fn, ready};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use slotted::{Executor, JoinHandle, Park, Shutdown, StdHost, TaskError, TaskState};

use super::Drops;
use crate::stage::{Actor, Crew, Stage, forever, with_crew, within_limit};

type Pool = &'static Executor<0, 4, 256>;
type Handle<T> = JoinHandle<'static, T, StdHost>;

fn pool() -> Pool {
    forever(Executor::new())
}

/// What ends a task, from outside.
#[derive(Clone, Default)]
struct Reply(Arc<Mutex<(Option<u8>, Option<Waker>)>>);

impl Reply {
    fn comes(&self, value: u8) {
        let waker = {
            let mut reply = self.0.lock().unwrap();
            reply.0 = Some(value);
            reply.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// A task that waits for the reply.
    fn wait(&self) -> impl Future<Output = u8> + Send + 'static {
        let reply = self.clone();
        poll_fn(move |context| {
            let mut reply = reply.0.lock().unwrap();
            reply.1 = Some(context.waker().clone());
            reply.0.take().map_or(Poll::Pending, Poll::Ready)
        })
    }

    fn submit(&self, pool: Pool) -> Handle<u8> {
        pool.submit_future(self.wait()).unwrap()
    }
}

fn set_running<T: Send>(handle: &Handle<T>) -> Option<bool> {
    handle.canceller().set_running_or_notify_cancel().ok()
}

/// No canceller cancels it, and it runs.
#[track_caller]
fn assert_uncancellable<T: Send>(handle: &Handle<T>) {
    assert!(!handle.cancel() && !handle.request_stop());
    assert!(!handle.canceller().cancel() && !handle.canceller().request_stop());
    assert!(handle.running() && !handle.done() && !handle.cancelled());
    assert_eq!(handle.canceller().state(), TaskState::Running);
}

#[test]
fn a_task_that_waits_in_the_queue_keeps_its_place_and_ends() {
    let pool = pool();
    let first = pool.submit_future(ready(1)).unwrap();
    let second = pool.submit(|| 2).unwrap();
    assert_eq!(set_running(&first), Some(true));
    assert_uncancellable(&first);
    assert!(pool.run_one());
    assert!(first.done() && !second.done());
    assert_eq!((first.result(), second.result()), (Ok(1), Ok(2)));
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn a_task_between_two_polls_is_woken_and_ends() {
    let (pool, reply) = (pool(), Reply::default());
    let handle = reply.submit(pool);
    pool.run_until_idle();
    assert_eq!(set_running(&handle), Some(true));
    assert_uncancellable(&handle);
    reply.comes(7);
    assert_uncancellable(&handle);
    assert_eq!(handle.result(), Ok(7));
    assert_eq!(pool.stats().slots_in_use, 0);
}

#[test]
fn a_task_that_is_set_running_while_it_is_polled_rests_uncancellable() {
    let (pool, reply) = (pool(), Reply::default());
    let canceller = Arc::new(Mutex::new(None));
    let (own, ends) = (canceller.clone(), reply.clone());
    let task = poll_fn(move |context| {
        if let Some(canceller) = own.lock().unwrap().take() {
            let canceller: slotted::Canceller<'static, StdHost> = canceller;
            assert_eq!(canceller.set_running_or_notify_cancel(), Ok(true));
        }
        let mut reply = ends.0.lock().unwrap();
        reply.1 = Some(context.waker().clone());
        reply.0.take().map_or(Poll::Pending, Poll::Ready)
    });
    let handle = pool.submit_future(task).unwrap();
    *canceller.lock().unwrap() = Some(handle.canceller());
    pool.run_until_idle();
    assert_uncancellable(&handle);
    reply.comes(9);
    assert_eq!(handle.result(), Ok(9));
}

#[test]
fn a_cancelled_task_says_so_each_time() {
    let pool = pool();
    let handle = pool.submit_future(pending::<()>()).unwrap();
    assert!(handle.cancel());
    assert_eq!(
        (set_running(&handle), set_running(&handle)),
        (Some(false), Some(false))
    );
    let canceller = handle.canceller();
    drop(handle);
    assert!(
        canceller.set_running_or_notify_cancel().is_err(),
        "it is gone"
    );
}

#[test]
fn only_an_async_task_that_has_not_ended_can_be_set_running_and_only_once() {
    let pool = pool();
    let once = pool.submit_future(pending::<()>()).unwrap();
    assert_eq!((set_running(&once), set_running(&once)), (Some(true), None));
    let closure = pool.submit(|| ()).unwrap();
    assert_eq!(set_running(&closure), None);
    assert!(closure.cancel());
    let (_promise, promised) = pool.promise::<()>().unwrap();
    assert_eq!(set_running(&promised), None);
    assert!(promised.cancel());
    drop((closure, promised));
    let ended = pool.submit_future(ready(())).unwrap();
    pool.run_until_idle();
    assert_eq!(set_running(&ended), None);
    assert_eq!(ended.result(), Ok(()));
}

/// The token of a task that is gone leaves the next task of its slot alone.
#[test]
fn a_token_of_an_earlier_task_does_not_set_a_later_one_running() {
    let pool: &'static Executor<0, 1, 256> = forever(Executor::new());
    let gone = pool.submit_future(ready(())).unwrap();
    let canceller = gone.canceller();
    assert_eq!(gone.result(), Ok(()));
    let later = pool.submit_future(pending::<()>()).unwrap();
    assert!(canceller.set_running_or_notify_cancel().is_err());
    assert!(later.cancel());
}

#[test]
fn a_wait_that_would_cancel_it_waits_for_its_end() {
    let (pool, reply) = (pool(), Reply::default());
    let mut handle = reply.submit(pool);
    for polls in 0..2 {
        if polls == 0 {
            assert_eq!(set_running(&handle), Some(true));
        }
        let waited = handle.cancel_sync_timeout(Duration::from_millis(1));
        assert_eq!(waited, Err(TaskError::TimedOut));
        pool.run_until_idle();
    }
    reply.comes(3);
    assert_eq!(handle.cancel_sync(), Ok(3));
}

#[test]
fn dropping_a_handle_that_cancels_lets_it_run_on() {
    let (pool, reply, drops) = (pool(), Reply::default(), Drops::default());
    let handle = reply.submit(pool);
    let counted = drops.value();
    handle
        .add_done_callback(move |outcome| assert_eq!((outcome, drop(counted)), (Ok(&5), ())))
        .unwrap();
    assert_eq!(set_running(&handle), Some(true));
    drop(handle.cancel_on_drop());
    pool.run_until_idle();
    assert_eq!(drops.count(), 0);
    reply.comes(5);
    pool.run_until_idle();
    assert_eq!((drops.count(), pool.stats().slots_in_use), (1, 0));
}

/// One waits in the queue, one between two polls, and closures are behind them.
#[test]
fn a_shutdown_that_cancels_cancels_it_too() {
    for how in [Shutdown::Cancel, Shutdown::Stop] {
        let (pool, drops) = (pool(), Drops::default());
        let holds = || {
            let counted = drops.value();
            async move {
                pending::<()>().await;
                drop(counted);
            }
        };
        let rests = pool.submit_future(holds()).unwrap();
        pool.run_until_idle();
        let queued = pool.submit_future(holds()).unwrap();
        let closure = pool.submit(|| ()).unwrap();
        assert_eq!(
            (set_running(&rests), set_running(&queued)),
            (Some(true), Some(true))
        );
        pool.shutdown(how).unwrap();
        assert_eq!(drops.count(), 2);
        for mut handle in [rests, queued, closure] {
            assert_eq!(handle.try_result(), Some(Err(TaskError::Cancelled)));
            assert!(handle.cancelled() && !handle.running());
        }
        assert_eq!(pool.stats().slots_in_use, 0);
    }
}

#[test]
fn a_draining_shutdown_waits_for_it() {
    let (pool, reply) = (pool(), Reply::default());
    let handle = reply.submit(pool);
    assert_eq!(set_running(&handle), Some(true));
    thread::scope(|scope| {
        let ends = scope.spawn(|| pool.shutdown(Shutdown::Drain));
        while pool.submit(|| ()).is_ok() {
            thread::yield_now();
        }
        reply.comes(4);
        ends.join().unwrap().unwrap();
    });
    assert_eq!(handle.result(), Ok(4));
}

/// What a task drops when it is cancelled. It looks whether the outcome can be taken already.
struct Looks(Arc<Mutex<Option<Handle<()>>>>, Arc<Mutex<Vec<bool>>>);

impl Drop for Looks {
    fn drop(&mut self) {
        let mut handle = self.0.lock().unwrap();
        let is_takeable = handle.as_mut().unwrap().try_result().is_some();
        self.1.lock().unwrap().push(is_takeable);
    }
}

#[test]
fn a_shutdown_that_cancels_drops_the_task_before_its_outcome_can_be_taken() {
    for rests in [false, true] {
        let (pool, seen) = (pool(), Arc::default());
        let handle = Arc::default();
        let looks = Looks(Arc::clone(&handle), Arc::clone(&seen));
        let task = async move {
            let _looks = looks;
            pending::<()>().await;
        };
        let submitted = pool.submit_future(task).unwrap();
        if rests {
            pool.run_until_idle();
        }
        assert_eq!(set_running(&submitted), Some(true));
        *handle.lock().unwrap() = Some(submitted);
        pool.shutdown(Shutdown::Cancel).unwrap();
        assert_eq!(*seen.lock().unwrap(), [false]);
    }
}

type Staged = Executor<1, 4, 256, Stage>;

/// The worker itself polls the task that it waits for: no other thread can.
#[test]
fn the_only_worker_waits_in_cancel_sync_until_the_task_has_ended() {
    within_limit(|| {
        let pool: &'static Staged = forever(Executor::new());
        with_crew(pool, |crew| {
            let reply = Reply::default();
            let handle = pool.submit_future(reply.wait()).unwrap();
            assert_eq!(handle.canceller().set_running_or_notify_cancel(), Ok(true));
            let waits = pool.submit(move || handle.cancel_sync()).unwrap();
            crew.actor(0).until_asleep();
            reply.comes(7);
            assert_eq!(waits.result(), Ok(Ok(7)));
        });
    });
}

#[test]
fn cancel_sync_says_that_no_worker_was_started_as_result_does() {
    within_limit(|| {
        let pool: &'static Staged = forever(Executor::new());
        let handle = pool.submit_future(pending::<()>()).unwrap();
        assert_eq!(handle.canceller().set_running_or_notify_cancel(), Ok(true));
        assert_eq!(handle.cancel_sync(), Err(TaskError::NotStarted));
        pool.shutdown(Shutdown::Cancel).unwrap();
    });
}

/// A thread that waits until it can cancel a task has it polled once more. Of this one it knows
/// that it cannot.
#[test]
fn cancel_sync_does_not_have_the_task_polled_again() {
    within_limit(|| {
        let pool: &'static Staged = forever(Executor::new());
        let crew = Crew::default();
        pool.start(&crew).unwrap();
        let ((begin, begun), (go_on, told)) = (channel::<()>(), channel::<()>());
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let task = poll_fn(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            begin.send(()).unwrap();
            told.recv().unwrap();
            Poll::<()>::Pending
        });
        let handle = pool.submit_future(task).unwrap();
        begun.recv().unwrap();
        assert_eq!(handle.canceller().set_running_or_notify_cancel(), Ok(true));
        let (tell, actor) = channel::<Actor>();
        let waits = thread::spawn(move || {
            tell.send(Stage::current()).unwrap();
            handle.cancel_sync()
        });
        actor.recv().unwrap().until_asleep();
        go_on.send(()).unwrap();
        crew.actor(0).until_asleep();
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        pool.shutdown(Shutdown::Cancel).unwrap();
        assert_eq!(waits.join().unwrap(), Err(TaskError::Cancelled));
        crew.join();
    });
}
