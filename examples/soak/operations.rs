//! What a submitter can do: the table.

use crate::pool::Pool;
use crate::submitter::Submitter;

mod many;
mod maps;
mod one;
mod promises;
mod scopes;
mod submits;

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Submitter, &[&'static Pool]),
}

const fn operation(name: &'static str, run: fn(&mut Submitter, &[&'static Pool])) -> Operation {
    Operation { name, run }
}

/// A submitter chooses among them, each as likely as another.
pub(crate) const OPERATIONS: [Operation; 36] = [
    operation("result", one::result),
    operation("result_timeout", one::result_timeout),
    operation("result_inline", one::result_inline),
    operation("try_result", one::try_result),
    operation("error", one::error),
    operation("error_timeout", one::error_timeout),
    operation("wait of a handle", one::wait),
    operation("await", one::await_here),
    operation("await, another thread", one::await_elsewhere),
    operation("await, given up", one::await_given_up),
    operation("cancel", one::cancel),
    operation("canceller", one::canceller),
    operation("canceller, race", one::canceller_race),
    operation("callbacks", one::callbacks),
    operation("cancel_on_drop", one::cancel_on_drop),
    operation("detach", one::detach),
    operation("drop", one::drop_handle),
    operation("fallible", one::fallible),
    operation("as_completed", many::as_completed),
    operation("as_completed, half", many::as_completed_half),
    operation("as_completed_timeout", many::as_completed_timeout),
    operation("as_completed, stream", many::stream),
    operation("wait", many::wait),
    operation("wait_timeout", many::wait_timeout),
    operation("map", maps::ordered),
    operation("map, unordered", maps::unordered),
    operation("map, chunks", maps::chunks),
    operation("map, half", maps::half),
    operation("map, timeout", maps::timeout),
    operation("scope", scopes::submit),
    operation("scope, map", scopes::map),
    operation("for_each_chunk", scopes::for_each_chunk),
    operation("promise", promises::complete),
    operation("promise in a task", promises::complete_in_a_task),
    operation("promise, cancelled", promises::cancel),
    operation("promise, dropped", promises::drop_it),
];
