//! The counted operations. Everything but the last loop of each function is the same for every
//! number of times.

use core::future::poll_fn;
use core::hint::black_box;
use core::mem::forget;
use core::task::{Poll, Waker};
use std::error::Error;
use std::sync::{Arc, Mutex};

use slotted::{Executor, JoinHandle, as_completed};

use crate::MANY;

/// The caller drives it. Without threads, every count is the same from run to run.
static EXECUTOR: Executor<0, 2048> = Executor::new();

/// A name, and the function that repeats the operation so often.
type Operation = (&'static str, fn(usize));

pub const OPERATIONS: &[Operation] = &[
    ("submit", submit),
    ("run", run_one),
    ("result", result),
    ("cancel", cancel),
    ("inline", inline),
    ("wake", wake),
    ("poll", poll),
    ("completed", completed),
    ("map", map),
    ("unordered", unordered),
];

/// Does the named operation `times` times. Returns false if there is no such operation.
pub fn run(name: &str, times: usize) -> Result<bool, Box<dyn Error>> {
    assert!(times <= MANY);
    let (_, operation) = OPERATIONS
        .iter()
        .find(|(other, _)| *other == name)
        .ok_or("no such operation")?;
    operation(times);
    Ok(true)
}

fn handle(number: u64) -> JoinHandle<'static, u64> {
    EXECUTOR
        .submit(move || black_box(number) + 1)
        .expect("there is room")
}

fn handles() -> Vec<JoinHandle<'static, u64>> {
    (0..MANY as u64).map(handle).collect()
}

/// The submitter drops its interest in the handle.
fn submit(times: usize) {
    // No look at the figures afterwards: it would cost some instructions for each slot in use.
    (0..times as u64).for_each(|number| forget(handle(number)));
}

/// The worker's part: takes a task, runs it, completes it.
fn run_one(times: usize) {
    let handles = handles();
    (0..times).for_each(|_| assert!(EXECUTOR.run_one()));
    assert_eq!(handles.iter().filter(|handle| handle.done()).count(), times);
    forget(handles);
}

/// Takes the value of an ended task and frees the slot.
fn result(times: usize) {
    let mut handles = handles();
    EXECUTOR.run_until_idle();
    let mut sum = 0;
    for handle in handles.drain(..times) {
        sum += handle.result().expect("a value");
    }
    assert_eq!(sum, (1..=times as u64).sum());
    forget(handles);
}

/// Cancels a pending task: drops the closure; the handle stays.
fn cancel(times: usize) {
    let handles = handles();
    handles[..times]
        .iter()
        .for_each(|handle| assert!(handle.cancel()));
    forget(handles);
}

/// The whole way, in the caller alone.
fn inline(times: usize) {
    for number in 0..times as u64 {
        assert_eq!(handle(number).result_inline().expect("a value"), number + 1);
    }
}

/// Suspended async tasks, and their wakers.
fn resting() -> Vec<Waker> {
    let wakers = Arc::new(Mutex::new(Vec::with_capacity(MANY)));
    for _ in 0..MANY {
        let wakers = Arc::clone(&wakers);
        let mut left = Some(wakers);
        let future = poll_fn(move |context| {
            if let Some(wakers) = left.take() {
                wakers
                    .lock()
                    .expect("no panic")
                    .push(context.waker().clone());
            }
            Poll::<()>::Pending
        });
        forget(EXECUTOR.submit_future(future).expect("there is room"));
    }
    EXECUTOR.run_until_idle();
    Arc::into_inner(wakers)
        .expect("all have left it")
        .into_inner()
        .expect("no panic")
}

/// From a waker's call to the ready queue.
fn wake(times: usize) {
    let wakers = resting();
    wakers[..times].iter().for_each(Waker::wake_by_ref);
    assert_eq!(EXECUTOR.stats().queued, times);
    forget(wakers);
}

/// From the ready queue to the future and back to suspension.
fn poll(times: usize) {
    let wakers = resting();
    wakers.iter().for_each(Waker::wake_by_ref);
    (0..times).for_each(|_| assert!(EXECUTOR.run_one()));
    assert_eq!(EXECUTOR.stats().queued, MANY - times);
    forget(wakers);
}

/// From submit to value through `as_completed`, with `times` handles at once.
fn completed(times: usize) {
    let handles: Vec<_> = (0..times as u64).map(handle).collect();
    let sum: u64 = as_completed(handles)
        .map(|handle| handle.result().expect("a value"))
        .sum();
    assert_eq!(sum, (1..=times as u64).sum());
}

/// An item of `map`, with a fixed number of items in flight.
fn map(times: usize) {
    let results = EXECUTOR.map(1..=times as u64, black_box);
    assert_eq!(
        results.map(|result| result.expect("a value")).sum::<u64>(),
        (1..=times as u64).sum()
    );
}

/// As [`map`], in the order of completion.
fn unordered(times: usize) {
    let results = EXECUTOR.map(1..=times as u64, black_box).unordered();
    assert_eq!(
        results.map(|result| result.expect("a value")).sum::<u64>(),
        (1..=times as u64).sum()
    );
}
