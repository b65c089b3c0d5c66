//! One task, submitted in one of all ways.

use core::time::Duration;

use slotted::{JoinHandle, Permit, Refusal};

use crate::block_on::block_on;
use crate::mark::{Event, Mark};
use crate::pool::{Pool, SLOT_BYTES};
use crate::posts;
use crate::submitter::Submitter;
use crate::task::{Task, Value, note_submitted};

pub(crate) type Handle = JoinHandle<'static, Value>;

/// Submits a task in a random way. The caller holds no slot, so it may wait for one.
pub(crate) fn submit(submitter: &mut Submitter, pool: &'static Pool) -> Option<(Mark, Handle)> {
    let task = submitter.task(pool)?;
    let mark = task.mark;
    let handle = match submitter.random.u8(..8) {
        0..3 => submit_closure(submitter, pool, task),
        3..5 => submit_future(submitter, pool, task),
        _ => submit_by_permit(submitter, pool, task),
    }?;
    posts::note(submitter.operation);
    Some((mark, handle))
}

/// Submits a closure or a future without waiting for a slot.
pub(crate) fn submit_at_once(
    submitter: &mut Submitter,
    pool: &'static Pool,
) -> Option<(Mark, Handle)> {
    let task = submitter.task(pool)?;
    let mark = task.mark;
    let handle = if submitter.random.u8(..4) == 0 {
        submit_future(submitter, pool, task)
    } else {
        note_submitted(mark, pool.submitter().submit(|| task.run()))
    }?;
    posts::note(submitter.operation);
    Some((mark, handle))
}

fn submit_closure(submitter: &mut Submitter, pool: &'static Pool, task: Task) -> Option<Handle> {
    let mark = task.mark;
    let to = pool.submitter();
    match submitter.random.u8(..3) {
        0 => {
            posts::note("submit_blocking");
            note_submitted(mark, to.submit_blocking(|| task.run()))
        }
        1 => {
            posts::note("submit_timeout");
            let limit = short_time(submitter);
            note_submitted(mark, to.submit_timeout(|| task.run(), limit))
        }
        _ => {
            posts::note("submit");
            note_submitted(mark, to.submit(|| task.run()))
        }
    }
}

fn submit_future(submitter: &mut Submitter, pool: &'static Pool, task: Task) -> Option<Handle> {
    let (mark, pauses) = (task.mark, submitter.random.u8(..4));
    mark.note(Event::IsFuture);
    let to = pool.submitter();
    if submitter.random.bool() {
        posts::note("submit_future");
        note_submitted(mark, to.submit_future(task.run_in_parts(pauses)))
    } else {
        posts::note("submit_future_outcome");
        note_submitted(mark, to.submit_future_outcome(task.run_to_outcome(pauses)))
    }
}

fn submit_by_permit(submitter: &mut Submitter, pool: &'static Pool, task: Task) -> Option<Handle> {
    let (mark, pauses) = (task.mark, submitter.random.u8(..4));
    let Ok(permit) = reserve(submitter, pool) else {
        mark.note(Event::Refused);
        return None;
    };
    posts::note("submits by a permit");
    match submitter.random.u8(..3) {
        0 => {
            mark.note(Event::IsFuture);
            note_submitted(mark, permit.submit_future(task.run_in_parts(pauses)))
        }
        1 => {
            mark.note(Event::IsFuture);
            note_submitted(
                mark,
                permit.submit_future_outcome(task.run_to_outcome(pauses)),
            )
        }
        _ => note_submitted(mark, permit.submit(|| task.run())),
    }
}

/// Holds a slot, in one of all ways. Sometimes it gives one back first.
fn reserve(
    submitter: &mut Submitter,
    pool: &'static Pool,
) -> Result<Permit<'static, SLOT_BYTES>, Refusal> {
    let to = pool.submitter();
    match submitter.random.u8(..5) {
        0 => {
            posts::note("reserve_blocking");
            to.reserve_blocking()
        }
        1 => {
            posts::note("reserve_timeout");
            to.reserve_timeout(short_time(submitter))
        }
        2 => {
            posts::note("reserve_async");
            block_on(to.reserve_async())
        }
        3 => {
            posts::note("reserve, twice");
            drop(to.reserve());
            to.reserve()
        }
        _ => {
            posts::note("reserve");
            to.reserve()
        }
    }
}

/// Nothing, or up to a tenth of a millisecond: about as long as a task waits.
pub(crate) fn short_time(submitter: &mut Submitter) -> Duration {
    if submitter.random.u8(..4) == 0 {
        Duration::ZERO
    } else {
        Duration::from_micros(submitter.random.u64(..100))
    }
}
