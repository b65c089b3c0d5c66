//! Scopes: tasks that borrow from the submitter's stack.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::catch_unwind;

use crate::faults;
use crate::pool::{Pool, WINDOW};
use crate::submitter::Submitter;
use crate::task::{Task, note_outcome, note_submitted};

const MOST: usize = 6;
/// Elements of a chunk.
const SIZE: usize = 3;

/// The tasks count themselves on the submitter's stack, which must be there.
pub(crate) fn submit(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let (begun, mut accepted, mut cancelled) = (AtomicUsize::new(0), 0, 0);
    let (to, begun) = (pool.submitter(), &begun);
    // A panic that no handle took is raised again by the scope.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        to.scope::<WINDOW, _>(|s| {
            for _ in 0..submitter.random.usize(1..MOST) {
                let Some(task) = Task::new(pool, submitter.flat_deed()) else {
                    return;
                };
                let mark = task.mark;
                let closure = move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    task.run()
                };
                let Some(handle) = note_submitted(mark, s.submit(closure)) else {
                    continue;
                };
                accepted += 1;
                match submitter.random.u8(..4) {
                    0 => note_outcome(mark, &handle.result()),
                    1 => cancelled += usize::from(handle.cancel()),
                    _ => handle.detach(),
                }
            }
        });
    }));
    let begun = begun.load(Ordering::Relaxed);
    if begun > accepted - cancelled {
        faults::report(&format_args!(
            "a scope of {accepted} tasks, {cancelled} of them cancelled, ran {begun}"
        ));
    }
}

pub(crate) fn map(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let (count, inline) = (submitter.random.usize(..2 * MOST), submitter.random.bool());
    let (yielded, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (to, ran) = (pool.submitter(), &ran);
    let _ = catch_unwind(AssertUnwindSafe(|| {
        to.scope::<WINDOW, _>(|s| {
            if inline {
                s.inline();
            }
            let items = (0..count).map_while(|_| Task::new_loose_item(pool, submitter.flat_deed()));
            let results = s.map(items, |task| {
                ran.fetch_add(1, Ordering::Relaxed);
                task.run()
            });
            for value in results.flatten() {
                yielded.fetch_add(1, Ordering::Relaxed);
                note_outcome(value.mark, &Ok(value));
            }
        });
    }));
    if yielded.load(Ordering::Relaxed) > ran.load(Ordering::Relaxed) {
        faults::report(&"a map in a scope yields more than it ran");
    }
}

pub(crate) fn for_each_chunk(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    if pool.is_strict() {
        return;
    }
    let mut elements: heapless::Vec<(Option<Task>, usize), { MOST * SIZE }> = (0..MOST * SIZE)
        .map(|place| {
            // One identity for each chunk.
            let deed = submitter.flat_deed();
            let is_first = place % SIZE == 0;
            (
                is_first.then(|| Task::new_loose_item(pool, deed)).flatten(),
                0,
            )
        })
        .collect();
    let (to, was_steady) = (pool.submitter(), pool.is_steady());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        to.scope::<WINDOW, _>(|s| s.for_each_chunk(&mut elements, SIZE, run_chunk))
    }));
    let was_refused = matches!(outcome, Ok(Err(_)));
    if elements.iter().any(|(_, touched)| *touched > 1) {
        faults::report(&"a chunk was worked on twice");
    }
    // A shutdown refuses chunks, or cancels them.
    let may_be_left = was_refused || !was_steady || !pool.is_steady();
    if !may_be_left && elements.iter().any(|(_, touched)| *touched == 0) {
        faults::report(&"a chunk was left out");
    }
}

fn run_chunk(chunk: &mut [(Option<Task>, usize)]) {
    for (_, touched) in &mut *chunk {
        *touched += 1;
    }
    if let Some(task) = chunk.first_mut().and_then(|(task, _)| task.take()) {
        drop(task.run());
    }
}
