//! Maps whose input, function and items panic.

use std::sync::Arc;

use core::time::Duration;

use slotted::{Clock, Shutdown, SimHost, TaskError};

use crate::points::{Hit, Points, Value, Within, drop_here, within};
use crate::rig::{Home, Place, Rig, SLOTS, Tasks, assert_points, each};

/// Six items. Each call of it is a point, and so is its destructor. It lies about its length.
pub(crate) struct Input {
    points: Arc<Points>,
    left: usize,
}

impl Input {
    pub(crate) fn new<H: Clock>(rig: &Rig<H>) -> Self {
        Self {
            points: rig.points.clone(),
            left: 6,
        }
    }
}

impl Iterator for Input {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        within(Within::Caller, || self.points.pass("input's next"));
        self.left = self.left.checked_sub(1)?;
        Some(self.points.value("item"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        within(Within::Caller, || self.points.pass("input's size_hint"));
        (usize::MAX, Some(3))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        within(Within::Caller, || self.points.pass("input"));
    }
}

/// What the function of a map captures. Each task has a clone.
pub(crate) struct Function {
    capture: Option<Value>,
    /// Where a panic of its destructor lands: the caller drops the map's own one.
    dropped: Within,
}

impl Function {
    pub(crate) fn new<H: Clock>(rig: &Rig<H>) -> Self {
        Self {
            capture: Some(rig.value("function")),
            dropped: Within::Caller,
        }
    }

    fn points(&self) -> &Arc<Points> {
        self.capture.as_ref().unwrap().points()
    }

    pub(crate) fn call(&self, item: Value) -> Value {
        within(Within::Task, || {
            self.points().pass("function's call");
            drop(item);
            self.points().value("value")
        })
    }

    pub(crate) fn change(&self, item: &mut Option<Value>) {
        within(Within::Task, || {
            self.points().pass("function's call");
            *item = None;
        });
    }
}

impl Clone for Function {
    fn clone(&self) -> Self {
        let points = self.points();
        within(Within::Caller, || points.pass("function's clone"));
        Self {
            capture: Some(points.value("function")),
            dropped: Within::Task,
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        within(self.dropped, || drop(self.capture.take()));
    }
}

type Outcome = Result<Value, TaskError>;

fn take_all(outcomes: impl Iterator<Item = Outcome>) {
    let mut count = 0;
    for outcome in outcomes {
        drop_here(outcome);
        count += 1;
    }
    assert_eq!(count, 6);
}

/// What a map of tasks does.
const POINTS: &[Hit] = &[
    ("function", Within::Caller),
    ("function", Within::Task),
    ("function's call", Within::Task),
    ("function's clone", Within::Caller),
    ("input", Within::Caller),
    ("input's next", Within::Caller),
    ("item", Within::Task),
    ("value", Within::Caller),
];

fn map_to_its_end<H: Clock>(place: &'static dyn Place<H>) {
    let ordered = each(place, "ordered", Tasks::Own, |rig| {
        let function = Function::new(rig);
        let map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), move |item| function.call(item));
        take_all(map);
    });
    assert_points(&ordered, POINTS);
    let unordered = each(place, "unordered", Tasks::Own, |rig| {
        let function = Function::new(rig);
        let map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), move |item| function.call(item));
        take_all(map.unordered());
    });
    assert_points(&unordered, POINTS);
    let narrow = each(place, "narrow, with a time limit", Tasks::Own, |rig| {
        let function = Function::new(rig);
        let map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), move |item| function.call(item));
        take_all(map.buffersize(2).timeout(Duration::from_secs(1)));
    });
    assert_points(&narrow, POINTS);
    let alone = each(place, "the caller runs all items", Tasks::Inline, |rig| {
        let permits: [_; SLOTS] = core::array::from_fn(|_| rig.submitter.reserve().unwrap());
        let function = Function::new(rig);
        let map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), move |item| function.call(item));
        take_all(map.inline());
        drop(permits);
    });
    assert_points(&alone, POINTS);
}

#[test]
fn a_panic_anywhere_in_a_map_reaches_the_consumer_or_is_one_items_outcome() {
    static HOME: Home<2, SimHost> = Home::new();
    map_to_its_end(&HOME);
}

#[test]
fn so_it_does_where_the_consumer_drives() {
    static HOME: Home<0, SimHost> = Home::new();
    map_to_its_end(&HOME);
}

/// A chunk's task catches the panic of each item.
#[test]
fn a_panic_in_a_chunk_is_one_items_outcome() {
    static HOME: Home<2, SimHost> = Home::new();
    let mut chunks = each(&HOME, "chunks", Tasks::Inline, |rig| {
        let points = rig.points.clone();
        let function = move |item: Value| {
            within(Within::Task, || {
                points.pass("function's call");
                drop(item);
                points.value("value")
            })
        };
        let map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), function);
        for outcome in map.chunksize::<2>() {
            drop_here(outcome);
        }
    });
    // The standard library decides whether it asks.
    chunks.remove(&("input's size_hint", Within::Caller));
    assert_points(
        &chunks,
        &[
            ("function's call", Within::Task),
            ("input", Within::Caller),
            ("input's next", Within::Caller),
            ("item", Within::Task),
            ("value", Within::Caller),
        ],
    );
}

const LEFT: [Hit; 4] = [
    ("input", Within::Caller),
    ("input's next", Within::Caller),
    ("item", Within::Task),
    ("value", Within::Caller),
];

/// Takes one outcome, and does what `how` says with the rest. `rest`: where else a panic lands.
fn leave(
    place: &'static dyn Place<SimHost>,
    how: fn(&Rig<SimHost>, &mut dyn Iterator<Item = Outcome>),
    rest: &[Hit],
) {
    let hits = each(place, "left early", Tasks::Own, |rig| {
        let points = rig.points.clone();
        let function = move |item: Value| {
            within(Within::Task, || drop(item));
            points.value("value")
        };
        let mut map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), function);
        drop_here(map.next());
        how(rig, &mut map);
    });
    assert_points(&hits, &[&LEFT, rest].concat());
}

/// The tasks that have not started are cancelled, whatever panics meanwhile. The caller drives, so
/// that they have not.
#[test]
fn a_map_that_is_left_early_cancels_the_rest() {
    static HOME: Home<0, SimHost> = Home::new();
    let cancelled = ("item", Within::Library);
    leave(&HOME, |_, _| (), &[cancelled]);
    leave(
        &HOME,
        |rig, map| {
            rig.place.shutdown(Shutdown::Cancel);
            // What is in flight was cancelled. Then the map asks its input whether there is more.
            map.for_each(drop_here);
        },
        &[cancelled, ("input's size_hint", Within::Caller)],
    );
}

/// The workers have run what is in flight.
#[test]
fn a_map_that_is_left_early_drops_the_values_that_are_there() {
    static HOME: Home<2, SimHost> = Home::new();
    leave(&HOME, |_, _| (), &[("value", Within::Library)]);
}

#[test]
fn a_map_that_is_detached_runs_what_is_in_flight() {
    static HOME: Home<0, SimHost> = Home::new();
    let hits = each(&HOME, "detached", Tasks::Own, |rig| {
        let function = |item: Value| within(Within::Task, || drop(item));
        let mut map = rig
            .submitter
            .map::<SLOTS, _, _, _>(Input::new(rig), function);
        drop_here(map.next());
        map.detach();
        rig.let_run();
    });
    assert_points(&hits, &LEFT[..3]);
}
