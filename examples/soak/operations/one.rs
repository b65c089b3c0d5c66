//! One task, and what can be done with its handle.

use core::future::Future;
use core::pin::pin;
use core::task::Context;

use slotted::TaskState;

use super::submits::{short_time, submit};
use crate::block_on::{block_on, waker};
use crate::callback;
use crate::faults;
use crate::mark::Event;
use crate::pool::Pool;
use crate::submitter::Submitter;
use crate::task::{Task, note_error, note_outcome, note_submitted};

pub(crate) fn result(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some(task) = submitter.task(pool) else {
        return;
    };
    let mark = task.mark;
    let was_steady = pool.is_steady();
    // A submit that does not wait for a slot: the time from submit to start is the executor's own.
    let Some(handle) = note_submitted(mark, pool.submitter().submit(|| task.run())) else {
        return;
    };
    let outcome = handle.result();
    match &outcome {
        Ok(value) => submitter.latency.record(value),
        Err(error) if error.is_panicked() => {}
        Err(error) if was_steady && pool.is_steady() => {
            faults::report(&format_args!("a result that cannot be: {error}"));
        }
        Err(_) => {}
    }
    note_outcome(mark, &outcome);
}

pub(crate) fn result_timeout(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, mut handle)) = submit(submitter, pool) else {
        return;
    };
    let outcome = handle.result_timeout(short_time(submitter));
    let is_over = !matches!(&outcome, Err(error) if error.is_of_the_wait());
    note_outcome(mark, &outcome);
    if !is_over {
        note_outcome(mark, &handle.result());
    }
}

pub(crate) fn result_inline(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    // The submitter's thread may run it, while it holds the task's slot.
    let Some(task) = Task::new(pool, submitter.flat_deed()) else {
        return;
    };
    let mark = task.mark;
    if let Some(handle) = note_submitted(mark, pool.submitter().submit(|| task.run())) {
        note_outcome(mark, &handle.result_inline());
    }
}

pub(crate) fn try_result(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, mut handle)) = submit(submitter, pool) else {
        return;
    };
    for _ in 0..64 {
        if let Some(outcome) = handle.try_result() {
            note_outcome(mark, &outcome);
            return;
        }
        std::thread::yield_now();
    }
}

pub(crate) fn error(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    match handle.error() {
        Some(error) => note_error(mark, error),
        None => mark.note_again(Event::SawValue),
    }
    if submitter.random.bool() {
        note_outcome(mark, &handle.result());
    }
}

pub(crate) fn error_timeout(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    match handle.error_timeout(short_time(submitter)) {
        Some(error) => note_error(mark, error),
        None => mark.note_again(Event::SawValue),
    }
}

pub(crate) fn wait(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, mut handle)) = submit(submitter, pool) else {
        return;
    };
    let limit = short_time(submitter);
    let outcome = if submitter.random.bool() {
        handle.wait()
    } else {
        handle.wait_timeout(limit)
    };
    match outcome {
        Ok(value) => value.mark.note_again(Event::SawValue),
        Err(error) => note_error(mark, error),
    }
}

pub(crate) fn await_here(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    if let Some((mark, handle)) = submit(submitter, pool) {
        note_outcome(mark, &block_on(handle));
    }
}

pub(crate) fn await_elsewhere(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    if let Some((mark, handle)) = submit(submitter, pool) {
        submitter.awaiter.give(handle);
        note_outcome(mark, &submitter.awaiter.outcome());
    }
}

/// Leaves a waker with the task and drops the handle.
pub(crate) fn await_given_up(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    if let Some((mark, handle)) = submit(submitter, pool) {
        let waker = waker();
        if let core::task::Poll::Ready(outcome) =
            pin!(handle).poll(&mut Context::from_waker(&waker))
        {
            note_outcome(mark, &outcome);
        }
    }
}

pub(crate) fn cancel(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    if handle.cancel() {
        mark.note_again(Event::Cancelled);
    }
    if submitter.random.bool() {
        note_outcome(mark, &handle.result());
    }
}

/// Keeps the canceller of a task that has ended: it must not touch the slot's next task.
pub(crate) fn canceller(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    let canceller = handle.canceller();
    let outcome = handle.result();
    let is_over = !matches!(&outcome, Err(error) if error.is_of_the_wait());
    note_outcome(mark, &outcome);
    if is_over {
        if canceller.state() != TaskState::Gone {
            faults::report(&"a task is not gone after its result was taken");
        }
        submitter.keep_late(canceller);
    }
}

/// Cancels while another thread awaits.
pub(crate) fn canceller_race(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    let canceller = handle.canceller();
    submitter.awaiter.give(handle);
    for _ in 0..submitter.random.u16(..256) {
        core::hint::spin_loop();
    }
    if canceller.cancel() {
        mark.note_again(Event::Cancelled);
    }
    note_outcome(mark, &submitter.awaiter.outcome());
}

pub(crate) fn callbacks(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    for _ in 0..submitter.random.u8(1..4) {
        callback::add(pool, submitter.flat_deed(), &handle);
    }
    match submitter.random.u8(..4) {
        0 => drop(handle),
        1 => {
            if handle.cancel() {
                mark.note_again(Event::Cancelled);
            }
        }
        _ => note_outcome(mark, &handle.result()),
    }
}

pub(crate) fn cancel_on_drop(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let Some((mark, handle)) = submit(submitter, pool) else {
        return;
    };
    let handle = handle.cancel_on_drop();
    match submitter.random.u8(..4) {
        0 => note_outcome(mark, &block_on(handle)),
        1 => handle.into_inner().detach(),
        _ => drop(handle),
    }
}

pub(crate) fn detach(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    if let Some((_, handle)) = submit(submitter, pool) {
        handle.detach();
    }
}

pub(crate) fn drop_handle(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    drop(submit(submitter, pool));
}

/// A closure whose `Err` counts as a failure. Its handle gives it as a value.
pub(crate) fn fallible(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let (fails, by_permit) = (submitter.random.bool(), submitter.random.bool());
    let Some(task) = submitter.task(pool) else {
        return;
    };
    let mark = task.mark;
    let closure = move || {
        let value = task.run();
        if fails { Err(value) } else { Ok(value) }
    };
    let submitted = if by_permit {
        match pool.submitter().reserve() {
            Ok(permit) => note_submitted(mark, permit.submit_fallible(closure)),
            Err(_) => {
                mark.note(Event::Refused);
                None
            }
        }
    } else {
        note_submitted(mark, pool.submitter().submit_fallible(closure))
    };
    if let Some(handle) = submitted {
        let outcome = handle
            .result()
            .map(|value| value.unwrap_or_else(|value| value));
        note_outcome(mark, &outcome);
    }
}
