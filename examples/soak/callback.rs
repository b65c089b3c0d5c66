//! A callback that counts its call and its drop.

use std::panic;

use slotted::{JoinHandle, TaskError};

use crate::mark::Event;
use crate::pool::Pool;
use crate::posts;
use crate::task::{Deed, Task, Value};

/// Adds a callback to the task of the handle. It may panic.
pub(crate) fn add(pool: &'static Pool, deed: Deed, handle: &JoinHandle<'static, Value>) {
    let Some(callback) = Task::new(pool, deed) else {
        return;
    };
    let mark = callback.mark;
    mark.note(Event::IsCallback);
    let added = handle.add_done_callback(move |outcome| call(callback, outcome));
    mark.note(if added.is_ok() {
        Event::Accepted
    } else {
        Event::Refused
    });
}

fn call(callback: Task, outcome: Result<&Value, &TaskError>) {
    posts::note("runs a callback");
    callback.mark.note(Event::Started);
    if let Ok(value) = outcome {
        value.mark.note_again(Event::SawValue);
    }
    if callback.panics() {
        callback.mark.note(Event::Panicked);
        panic::resume_unwind(Box::new(()));
    }
}
