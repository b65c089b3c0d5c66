//! Waits that look like a deadlock and are none.

use core::future::poll_fn;
use core::task::Poll;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use slotted::{Executor, Park, TaskError};

use super::{Handle, Pool};
use crate::stage::{Actor, Pace, Stage, play, with_crew, within_limit};

/// The last task in the promise's slot ran on the worker that now waits for the promise.
#[test]
fn a_wait_for_a_promise_ignores_the_task_that_used_its_slot_before() {
    static POOL: Pool<1> = Executor::new();
    play(&POOL, |pace| {
        POOL.submit(|| ()).unwrap().result().unwrap();
        let (promise, promised) = POOL.promise::<u8>().unwrap();
        assert!(promise.set_running_or_notify_cancel().unwrap());
        let (tell, told) = channel();
        let waiting = move || {
            tell.send(Stage::current()).unwrap();
            promised.result()
        };
        let waiting = POOL.submit(waiting).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        promise.set_result(5).unwrap();
        assert_eq!(waiting.result().unwrap().unwrap(), 5);
    });
}

/// A worker waits for a future, which is then suspended. Another worker waits for the first. This
/// is no deadlock, because any interrupt may wake the future.
#[test]
fn a_wait_for_a_suspended_future_is_no_deadlock() {
    static POOL: Pool<2> = Executor::new();
    play(&POOL, |pace| {
        let (tell_polled, polled) = channel();
        let (tell_waiting, waiting) = channel::<Actor>();
        let (tell_waker, told_waker) = channel();
        let mut first = true;
        let future = poll_fn(move |context| {
            if !core::mem::take(&mut first) {
                return Poll::Ready(1);
            }
            tell_polled.send(()).unwrap();
            pace.until_asleep(&waiting.recv().unwrap());
            tell_waker.send(context.waker().clone()).unwrap();
            Poll::Pending
        });
        let future = POOL.submit_future(future).unwrap();
        polled.recv().unwrap();
        let wait_for_future = move || {
            tell_waiting.send(Stage::current()).unwrap();
            future.result()
        };
        let inner = POOL.submit(wait_for_future).unwrap();
        let (tell, told) = channel();
        let wait_for_inner = move || {
            tell.send(Stage::current()).unwrap();
            inner.result()
        };
        let outer = POOL.submit(wait_for_inner).unwrap();
        pace.until_asleep(&told.recv().unwrap());
        told_waker.recv().unwrap().wake();
        assert_eq!(outer.result().unwrap().unwrap().unwrap(), 1);
    });
}

/// Two workers wait for one task through one handle, so the second displaces the first. The task
/// ends, and the system delays the displaced worker. Meanwhile the other two workers wait for it,
/// one behind the other. Both waits end when the displaced worker runs.
#[test]
fn a_displaced_waiter_is_not_blocked_once_its_task_is_done() {
    static POOL: Pool<3> = Executor::new();
    play(&POOL, |pace| {
        let (end, ended) = channel::<()>();
        let (tell_started, started) = channel();
        let task = move || {
            tell_started.send(()).unwrap();
            ended.recv().unwrap();
        };
        let task = Arc::new(POOL.submit(task).unwrap());
        started.recv().unwrap();
        let wait_for_task = || {
            let (task, (tell, told)) = (Arc::clone(&task), channel());
            let waiting = move || {
                tell.send(Stage::current()).unwrap();
                assert!(task.error().is_none());
            };
            let waiting = POOL.submit(waiting).unwrap();
            let actor = told.recv().unwrap();
            pace.until_asleep(&actor);
            (waiting, actor)
        };
        let (displaced, late) = wait_for_task();
        let (displacing, _) = wait_for_task();
        if pace == Pace::Staged {
            late.hold();
        }
        end.send(()).unwrap();
        displacing.result().unwrap();

        let (give_displaced, given) = channel::<Handle<()>>();
        let (tell, told) = channel();
        let wait_for_displaced = move || {
            tell.send(Stage::current()).unwrap();
            given.recv().unwrap().result()
        };
        let near = POOL.submit(wait_for_displaced).unwrap();
        let near_actor = told.recv().unwrap();
        let (give_near, given) = channel::<Handle<Result<(), TaskError>>>();
        let (tell, told) = channel();
        let wait_for_near = move || {
            tell.send(Stage::current()).unwrap();
            given.recv().unwrap().result()
        };
        let far = POOL.submit(wait_for_near).unwrap();
        let far_actor = told.recv().unwrap();
        give_displaced.send(displaced).unwrap();
        pace.until_asleep(&near_actor);
        give_near.send(near).unwrap();
        pace.until_asleep(&far_actor);
        late.release();
        far.result().unwrap().unwrap().unwrap();
    });
}

/// Tells when it is dropped, and waits there until it may go on.
struct SlowDrop(Sender<()>, Receiver<()>);

impl Drop for SlowDrop {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
    }
}

/// The only worker polled the future. Another thread cancels it, and is in its destructor.
#[test]
fn a_worker_waits_for_a_future_that_it_polled_and_another_thread_cancels() {
    static POOL: Pool<1> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |crew| {
            let ((tell, dropping), (go_on, goes_on)) = (channel(), channel());
            let (tell_polled, polled) = channel();
            let slow = SlowDrop(tell, goes_on);
            let future = POOL.submit_future(poll_fn(move |_| {
                let _ = &slow;
                tell_polled.send(()).unwrap();
                Poll::<()>::Pending
            }));
            let future = future.unwrap();
            polled.recv().unwrap();
            crew.actor(0).until_asleep();
            let canceller = future.canceller();
            let cancels = thread::spawn(move || canceller.cancel());
            dropping.recv().unwrap();
            let (tell, told) = channel();
            let waits = POOL.submit(move || {
                tell.send(()).unwrap();
                future.result()
            });
            told.recv().unwrap();
            crew.actor(0).until_asleep();
            go_on.send(()).unwrap();
            assert_eq!(waits.unwrap().result(), Ok(Err(TaskError::Cancelled)));
            assert!(cancels.join().unwrap());
        });
    });
}
