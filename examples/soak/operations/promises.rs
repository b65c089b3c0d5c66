//! Promises, completed by hand.

use slotted::{JoinHandle, Promise, TaskError};

use crate::faults;
use crate::mark::{Event, Mark};
use crate::pool::Pool;
use crate::submitter::Submitter;
use crate::task::{Value, note_outcome, note_submitted, now};

type Pair = (Promise<'static, Value>, JoinHandle<'static, Value>);

fn promise(pool: &'static Pool) -> Option<(Mark, Pair)> {
    let mark = pool.ledger.identify()?;
    mark.note(Event::IsPromise);
    Some((mark, note_submitted(mark, pool.submitter().promise())?))
}

/// Gives the promise its value. One that is cancelled gives it back.
fn give(mark: Mark, promise: Promise<'static, Value>) {
    if promise.complete(Ok(Value::new(mark, 0, now()))).is_ok() {
        mark.note(Event::Completed);
    }
}

pub(crate) fn complete(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, (promise, handle))) = promise(pool) else {
        return;
    };
    if submitter.random.bool() {
        give(mark, promise);
    } else {
        if !matches!(promise.set_running_or_notify_cancel(), Ok(true)) || handle.cancel() {
            faults::report(&"a promise that runs is cancelled");
        }
        if promise.set_result(Value::new(mark, 0, now())).is_ok() {
            mark.note(Event::Completed);
        }
        if promise.set_error(TaskError::Broken).is_ok() {
            faults::report(&"a promise was completed twice");
        }
    }
    let outcome = handle.result();
    if outcome.is_err() {
        faults::report(&"a completed promise has no value");
    }
    note_outcome(mark, &outcome);
}

/// A task of the same executor completes the promise, or breaks it by a panic, or by its end.
pub(crate) fn complete_in_a_task(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, (promise, handle))) = promise(pool) else {
        return;
    };
    let Some(task) = submitter.task(pool) else {
        return;
    };
    let completer = task.mark;
    let closure = move || {
        let value = task.run();
        give(mark, promise);
        value
    };
    if let Some(completer) = note_submitted(completer, pool.submitter().submit(closure)) {
        completer.detach();
    }
    if submitter.random.u8(..4) == 0 && handle.cancel() {
        mark.note_again(Event::Cancelled);
    }
    note_outcome(mark, &handle.result());
}

pub(crate) fn cancel(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, (promise, handle))) = promise(pool) else {
        return;
    };
    if handle.cancel() {
        mark.note_again(Event::Cancelled);
    } else {
        faults::report(&"an open promise is not cancelled");
    }
    if submitter.random.bool() {
        give(mark, promise);
    }
    note_outcome(mark, &handle.result());
}

pub(crate) fn drop_it(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, (promise, handle))) = promise(pool) else {
        return;
    };
    if submitter.random.bool() {
        drop(promise);
        note_outcome(mark, &handle.result());
    } else {
        drop(handle);
        give(mark, promise);
    }
}
