//! Maps: their items are tasks' insides.

use fastrand::Rng;
use slotted::TaskError;

use super::submits::short_time;
use crate::faults;
use crate::mark::Event;
use crate::pool::{Pool, WINDOW};
use crate::submitter::Submitter;
use crate::task::{Deed, Task, Value, note_outcome};

/// Up to so many items, more than the window has room for.
const MOST: usize = 3 * WINDOW;

/// Makes items as the map takes them.
fn items(
    random: &mut Rng,
    pool: &'static Pool,
    make: fn(&'static Pool, Deed) -> Option<Task>,
) -> impl Iterator<Item = Task> + use<> {
    let mut random = random.fork();
    (0..random.usize(..MOST)).map_while(move |_| {
        let deed = match random.u8(..16) {
            0 => Deed::Panic,
            1..5 => Deed::Spin(random.u16(..512)),
            _ => Deed::Nothing,
        };
        make(pool, deed)
    })
}

/// Notes a result. Returns its task's number.
fn note(result: Result<Value, TaskError>) -> Option<u32> {
    let mark = result.as_ref().ok()?.mark;
    note_outcome(mark, &result);
    Some(mark.index)
}

/// The results come in the order of the items.
pub(crate) fn ordered(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let inline = submitter.random.bool();
    // Where all slots belong to others, an inline map makes no task of an item.
    let make = if inline {
        Task::new_loose_item
    } else {
        Task::new_item
    };
    let items = items(&mut submitter.random, pool, make);
    let map = pool.submitter().map::<WINDOW, _, _, _>(items, Task::run);
    let numbers: heapless::Vec<u32, MOST> = if inline {
        map.inline().filter_map(note).collect()
    } else {
        map.filter_map(note).collect()
    };
    if !numbers.is_sorted() {
        faults::report(&format_args!("a map yields in another order: {numbers:?}"));
    }
}

pub(crate) fn unordered(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let (items, size) = (
        items(&mut submitter.random, pool, Task::new_item),
        submitter.random.usize(1..=WINDOW),
    );
    let map = pool.submitter().map::<WINDOW, _, _, _>(items, Task::run);
    map.buffersize(size).unordered().for_each(|result| {
        note(result);
    });
}

/// Several items in one task. Each has an outcome of its own.
pub(crate) fn chunks(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let items = items(&mut submitter.random, pool, Task::new_loose_item);
    let map = pool.submitter().map::<WINDOW, _, _, _>(items, Task::run);
    map.chunksize::<3>().for_each(|result| {
        note(result);
    });
}

/// Takes some results, then drops or detaches the map.
pub(crate) fn half(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let (items, taken) = (
        items(&mut submitter.random, pool, Task::new_item),
        submitter.random.usize(..WINDOW),
    );
    let mut map = pool.submitter().map::<WINDOW, _, _, _>(items, Task::run);
    for result in map.by_ref().take(taken) {
        note(result);
    }
    if submitter.random.u8(..4) == 0 {
        map.detach();
    }
}

pub(crate) fn timeout(submitter: &mut Submitter, pools: &[&'static Pool]) {
    let pool = submitter.pick(pools);
    let items = items(&mut submitter.random, pool, Task::new_item);
    let map = pool.submitter().map::<WINDOW, _, _, _>(items, Task::run);
    let mut is_late = false;
    for result in map.timeout(short_time(submitter)) {
        if is_late {
            faults::report(&"a map goes on after its time was up");
        }
        is_late = matches!(&result, Err(TaskError::TimedOut));
        if let Ok(value) = &result {
            value.mark.note_again(Event::SawValue);
        }
    }
}
