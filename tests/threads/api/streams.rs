//! `as_completed(..).stream()`.

use core::pin::{Pin, pin};
use core::task::Poll;

use futures_core::Stream;
use slotted::{Executor, JoinHandle, TaskError, as_completed};

use super::{Drops, Task, ready};
use crate::stage::{Stage, forever, with_crew, within_limit};

impl Task {
    fn next<S: Stream + ?Sized>(&self, stream: Pin<&mut S>) -> Poll<Option<S::Item>> {
        stream.poll_next(&mut self.context())
    }
}

#[test]
fn stream_yields_each_handle_once_in_the_order_of_completion_and_then_none() {
    let executor: Executor<0, 4> = Executor::new();
    let [first, second, third] = [0; 3].map(|_| executor.promise::<u8>().unwrap());
    let task = Task::new();
    third.0.complete(Ok(3)).unwrap();
    let mut stream = pin!(as_completed([first.1, second.1, third.1]).stream());
    assert_eq!((stream.size_hint(), stream.unfinished()), ((3, Some(3)), 3));
    let handle = ready(task.next(stream.as_mut())).unwrap();
    assert_eq!((handle.result(), stream.size_hint()), (Ok(3), (2, Some(2))));
    assert!(task.next(stream.as_mut()).is_pending());
    second.0.complete(Ok(2)).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(ready(task.next(stream.as_mut())).unwrap().result(), Ok(2));
    assert!(task.next(stream.as_mut()).is_pending());
    assert_eq!(stream.size_hint(), (1, Some(1)));
    first.0.complete(Ok(1)).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(ready(task.next(stream.as_mut())).unwrap().result(), Ok(1));
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert!(ready(task.next(stream.as_mut())).is_none());
    assert!(ready(task.next(stream.as_mut())).is_none());
    assert_eq!((task.wakes(), executor.stats().slots_in_use), (0, 0));
}

#[test]
fn stream_of_no_handles_is_over() {
    let none: [JoinHandle<'_, u8>; 0] = [];
    let mut stream = pin!(as_completed(none).stream());
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert!(ready(Task::new().next(stream.as_mut())).is_none());
}

/// A stream begins where the iterator was.
#[test]
fn stream_of_a_begun_iterator_yields_the_rest() {
    let executor: Executor<0, 2> = Executor::new();
    let handles = [1, 2].map(|n| executor.submit(move || n).unwrap());
    let mut iterator = as_completed(handles);
    assert_eq!(iterator.next().unwrap().result(), Ok(1));
    let mut stream = pin!(iterator.stream());
    assert_eq!(stream.unfinished(), 1);
    assert!(Task::new().next(stream.as_mut()).is_pending());
    executor.run_until_idle();
    assert_eq!(
        ready(Task::new().next(stream.as_mut())).unwrap().result(),
        Ok(2)
    );
}

#[test]
fn stream_yields_cancelled_and_broken_handles() {
    let executor: Executor<0, 3> = Executor::new();
    let cancelled = executor.submit(|| 1).unwrap();
    let (promise, broken) = executor.promise().unwrap();
    cancelled.cancel();
    let task = Task::new();
    let mut stream = pin!(as_completed([cancelled, broken]).stream());
    let handle = ready(task.next(stream.as_mut())).unwrap();
    assert_eq!(handle.result(), Err(TaskError::Cancelled));
    assert!(task.next(stream.as_mut()).is_pending());
    drop(promise);
    assert_eq!(task.wakes(), 1);
    let handle = ready(task.next(stream.as_mut())).unwrap();
    assert_eq!(handle.result(), Err(TaskError::Broken));
}

#[test]
fn dropped_stream_detaches_its_handles() {
    let executor: Executor<0, 3> = Executor::new();
    let drops = Drops::default();
    let handles = [0; 3].map(|_| {
        let value = drops.value();
        executor.submit(move || value).unwrap()
    });
    let task = Task::new();
    {
        let mut stream = pin!(as_completed(handles).stream());
        assert!(task.next(stream.as_mut()).is_pending());
        assert!(executor.run_one());
        drop(ready(task.next(stream.as_mut())).unwrap());
        assert_eq!(drops.count(), 1);
        assert!(task.next(stream.as_mut()).is_pending());
        task.wakes();
    }
    assert_eq!(executor.run_until_idle(), 2, "the tasks still run");
    assert_eq!((drops.count(), task.wakes()), (3, 0));
    let stats = executor.stats();
    assert_eq!(
        (stats.completed, stats.cancelled, stats.slots_in_use),
        (3, 0, 0)
    );
}

#[test]
fn stream_of_handles_of_several_executors_is_woken_by_each() {
    let left: Executor<0, 2> = Executor::new();
    let right: Executor<0, 5> = Executor::new();
    let handles = [
        left.submit(|| 1).unwrap(),
        right.submit(|| 2).unwrap(),
        left.submit(|| 3).unwrap(),
    ];
    let task = Task::new();
    let mut stream = pin!(as_completed(handles).stream());
    let mut seen = Vec::new();
    let runs: [&dyn Fn() -> bool; 3] =
        [&|| left.run_one(), &|| right.run_one(), &|| left.run_one()];
    for run_one in runs {
        assert!(task.next(stream.as_mut()).is_pending());
        assert!(run_one());
        assert_eq!(task.wakes(), 1);
        seen.push(ready(task.next(stream.as_mut())).unwrap().result().unwrap());
    }
    assert!(ready(task.next(stream.as_mut())).is_none());
    assert_eq!(seen, [1, 2, 3]);
}

/// On threads, in an async task of a runtime that has none.
#[test]
fn stream_is_awaited_in_an_async_task_while_workers_run_the_tasks() {
    static POOL: Executor<2, 8, 64, Stage> = Executor::new();
    within_limit(|| {
        with_crew(&POOL, |_| {
            let runtime: &'static Executor<0, 1, 1024> = forever(Executor::new());
            let sum = async {
                let handles = [1, 2, 3, 4, 5].map(|n| POOL.submit(move || n).unwrap());
                let mut stream = pin!(as_completed(handles).stream());
                let mut sum = 0;
                while let Some(handle) =
                    core::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
                {
                    sum += handle.await.unwrap();
                }
                sum
            };
            assert_eq!(runtime.submit_future(sum).unwrap().result(), Ok(15));
        });
        assert_eq!(POOL.stats().slots_in_use, 0);
    });
}
