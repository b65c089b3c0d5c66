//! Several tasks, of one executor or of two, and what can be done with all their handles.

use core::future::poll_fn;
use core::pin::pin;

use futures_core::Stream;
use slotted::ReturnWhen;

use super::submits::{Handle, short_time, submit_at_once};
use crate::block_on::block_on;
use crate::faults;
use crate::mark::Mark;
use crate::pool::Pool;
use crate::submitter::Submitter;
use crate::task::note_outcome;

const MOST: usize = 8;

/// Submits a few tasks. None of these waits for a slot, since the earlier ones hold some.
fn submit_some(submitter: &mut Submitter, pools: &[&'static Pool]) -> heapless::Vec<Handle, MOST> {
    let count = submitter.random.usize(1..=MOST);
    let tasks = (0..count).filter_map(|_| {
        let pool = submitter.pick(pools);
        submit_at_once(submitter, pool)
    });
    tasks.map(|(_, handle): (Mark, Handle)| handle).collect()
}

/// Takes the result of a handle whose task is done. The value names its task.
fn take(handle: Handle) {
    match handle.result() {
        Ok(value) => {
            let mark = value.mark;
            note_outcome(mark, &Ok(value));
        }
        Err(error) if error.is_panicked() || error.is_cancelled() || error.is_of_the_wait() => {}
        Err(error) => faults::report(&format_args!("a task ended with {error:?}")),
    }
}

pub(crate) fn as_completed(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let handles = submit_some(submitter, pools);
    let count = handles.len();
    if submitter.random.bool() {
        if let Some(handle) = handles.first() {
            handle.cancel();
        }
    }
    let yielded = slotted::as_completed(handles).map(take).count();
    expect_yielded(yielded, count);
}

/// Takes some and gives up the others.
pub(crate) fn as_completed_half(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let handles = submit_some(submitter, pools);
    let count = handles.len();
    let mut completed = slotted::as_completed(handles);
    let mut yielded = 0;
    for handle in completed.by_ref().take(count / 2) {
        yielded += 1;
        take(handle);
    }
    if submitter.random.bool() {
        for handle in completed.into_handles() {
            yielded += 1;
            take(handle);
        }
        expect_yielded(yielded, count);
    }
}

pub(crate) fn as_completed_timeout(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let handles = submit_some(submitter, pools);
    let (count, mut yielded) = (handles.len(), 0);
    for handle in slotted::as_completed_timeout(handles, short_time(submitter)) {
        match handle {
            Ok(handle) => {
                yielded += 1;
                take(handle);
            }
            Err(late) => {
                yielded += late.unfinished();
                late.into_handles().for_each(take);
            }
        }
    }
    expect_yielded(yielded, count);
}

pub(crate) fn stream(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let handles = submit_some(submitter, pools);
    let count = handles.len();
    let yielded = block_on(async {
        let mut stream = pin!(slotted::as_completed(handles).stream());
        let mut yielded = 0;
        while let Some(handle) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            yielded += 1;
            take(handle);
        }
        yielded
    });
    expect_yielded(yielded, count);
}

pub(crate) fn wait(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let are_steady = || pools.iter().all(|pool| pool.is_steady());
    let were_steady = are_steady();
    let mut handles = submit_some(submitter, pools);
    let until = return_when(submitter);
    let waited = slotted::wait(&mut handles, until);
    let (done, left) = (waited.done.len(), waited.not_done.len());
    for handle in waited.done {
        if handle.try_result().is_none() {
            faults::report(&"`wait` says that an unfinished task is done");
        }
    }
    let is_early = match until {
        ReturnWhen::FirstCompleted | ReturnWhen::FirstError => done == 0 && left > 0,
        ReturnWhen::AllCompleted => left > 0,
    };
    if is_early && were_steady && are_steady() {
        faults::report(&format_args!(
            "`wait` came back early: {done} done, {left} not"
        ));
    }
}

pub(crate) fn wait_timeout(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let mut handles = submit_some(submitter, pools);
    let (limit, until) = (short_time(submitter), return_when(submitter));
    let waited = slotted::wait_timeout(&mut handles, limit, until);
    for handle in waited.done {
        if handle.try_result().is_none() {
            faults::report(&"`wait_timeout` says that an unfinished task is done");
        }
    }
    for handle in waited.not_done {
        handle.cancel();
    }
}

fn return_when(submitter: &mut Submitter) -> ReturnWhen {
    match submitter.random.u8(..3) {
        0 => ReturnWhen::FirstCompleted,
        1 => ReturnWhen::FirstError,
        _ => ReturnWhen::AllCompleted,
    }
}

fn expect_yielded(yielded: usize, count: usize) {
    if yielded != count {
        faults::report(&format_args!("{yielded} of {count} handles were yielded"));
    }
}
