//! Async tasks that come back to the queue.

use core::future::poll_fn;
use core::task::Poll;
use std::sync::mpsc::channel;
use std::thread;

use slotted::{Executor, Park, Shutdown, StdThreads};

use crate::schedules::support::{until_asleep_or_told, within_limit};
use crate::stage::{Actor, Crew, Stage};

/// A caller of `result_inline` polls the future that is queued, once. What comes back to the queue
/// is the workers' affair, and the caller waits for it as others do.
#[test]
fn result_inline_polls_once_and_leaves_the_rest_to_the_workers() {
    static POOL: Executor<1, 8, 128, Stage> = Executor::new();
    within_limit(|| {
        let crew = Crew::default();
        POOL.start(&crew).unwrap();
        let (tell_busy, busy) = channel();
        let (end, ended) = channel::<()>();
        let keep_busy = move || {
            tell_busy.send(thread::current().id()).unwrap();
            ended.recv().unwrap();
        };
        POOL.submit(keep_busy).unwrap().detach();
        let worker = busy.recv().unwrap();
        let mut polls = Vec::new();
        let future = poll_fn(move |context| {
            polls.push(thread::current().id());
            if polls.len() == 1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(polls.clone())
        });
        let handle = POOL.submit_future(future).unwrap();
        let (tell, told) = channel();
        let (tell_actor, told_actor) = channel::<Actor>();
        let caller = thread::spawn(move || {
            tell_actor.send(Stage::current()).unwrap();
            tell.send(handle.result_inline().unwrap()).unwrap();
        });
        let id = caller.thread().id();
        let early = until_asleep_or_told(&told_actor.recv().unwrap(), &told);
        assert_eq!(early, None, "the caller polled it a second time");
        end.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), [id, worker]);
        POOL.shutdown(Shutdown::Drain).unwrap();
        crew.join();
    });
}

/// With one worker, an async task that awaits async tasks ends; one that blocked on them would
/// keep the only worker from running what they await.
#[test]
fn task_that_awaits_async_tasks_needs_one_worker() {
    static POOL: Executor<1, 8, 128> = Executor::new();
    within_limit(|| {
        POOL.start(&StdThreads::new()).unwrap();
        let outer = async {
            let part = POOL.submit(|| 1).unwrap();
            let inner = POOL.submit_future(async { part.await.unwrap() + 1 });
            inner.unwrap().await.unwrap() + 1
        };
        assert_eq!(POOL.submit_future(outer).unwrap().result().unwrap(), 3);
        POOL.shutdown(Shutdown::Drain).unwrap();
    });
}
