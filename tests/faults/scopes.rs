//! Scopes whose body and whose tasks panic.

use slotted::{Clock, SimHost};

use crate::maps::{Function, Input};
use crate::points::{Hit, Value, Within, drop_here, within};
use crate::rig::{Home, Place, Rig, SLOTS, Tasks, assert_points, each};
use crate::tasks::Task;

fn pass<H: Clock>(rig: &Rig<H>, name: &'static str) {
    within(Within::Caller, || rig.points.pass(name));
}

const TASK: [Hit; 3] = [
    ("body", Within::Caller),
    ("capture", Within::Task),
    ("closure", Within::Task),
];

fn scopes<H: Clock>(place: &'static dyn Place<H>) {
    let taken = each(place, "the outcome is taken", Tasks::Own, |rig| {
        let result = rig.submitter.scope::<SLOTS, _>(|s| {
            let task = Task::new(rig);
            let handle = s.submit(|| task.run()).ok().unwrap();
            let task = Task::new(rig);
            let stoppable = s.submit_stoppable(|_| task.run()).ok().unwrap();
            pass(rig, "body");
            drop_here(handle.result());
            drop_here(stoppable.result());
            rig.value("result")
        });
        drop_here(result);
    });
    let mut points = TASK.to_vec();
    points.extend([("value", Within::Caller), ("result", Within::Caller)]);
    assert_points(&taken, &points);

    let left = each(place, "the handle is dropped", Tasks::Raise, |rig| {
        rig.submitter.scope::<SLOTS, _>(|s| {
            let task = Task::new(rig);
            s.submit(|| task.run()).ok().unwrap().detach();
            let task = Task::new(rig);
            drop(s.submit_stoppable(|_| task.run()).ok().unwrap());
            pass(rig, "body");
        });
    });
    let mut points = TASK.to_vec();
    points.push(("value", Within::Library));
    assert_points(&left, &points);

    let cancelled = each(place, "cancelled", Tasks::Raise, |rig| {
        rig.submitter.scope::<SLOTS, _>(|s| {
            let task = Task::new(rig);
            let handle = s.submit(|| task.run()).ok().unwrap();
            let capture = rig.value("callback's capture");
            let callback = move |_: Result<&_, &slotted::TaskError>| {
                within(Within::Callback, || drop(capture));
            };
            handle.add_done_callback(callback).ok().unwrap();
            pass(rig, "body");
            assert!(handle.cancel());
        });
    });
    assert_points(
        &cancelled,
        &[
            ("body", Within::Caller),
            ("callback's capture", Within::Callback),
            ("capture", Within::Library),
        ],
    );

    let map = each(place, "a map", Tasks::Own, |rig| {
        rig.submitter.scope::<SLOTS, _>(|s| {
            let function = Function::new(rig);
            for outcome in s.map(Input::new(rig), move |item| function.call(item)) {
                drop_here(outcome);
            }
        });
    });
    assert_points(
        &map,
        &[
            ("function", Within::Caller),
            ("function", Within::Task),
            ("function's call", Within::Task),
            ("function's clone", Within::Caller),
            ("input", Within::Caller),
            ("input's next", Within::Caller),
            ("item", Within::Task),
            ("value", Within::Caller),
        ],
    );
}

#[test]
fn a_scope_ends_wherever_its_body_or_a_task_panics() {
    static HOME: Home<2, SimHost> = Home::new();
    scopes(&HOME);
}

#[test]
fn so_it_does_where_its_caller_drives() {
    static HOME: Home<0, SimHost> = Home::new();
    scopes(&HOME);
}

const CHUNKS: &[Hit] = &[
    ("element", Within::Task),
    ("function", Within::Caller),
    ("function", Within::Task),
    ("function's call", Within::Task),
    ("function's clone", Within::Caller),
];

/// Calls a function with six chunks of one element, of which a task drops each. `permits`: taken
/// slots.
fn chunks<H: Clock>(place: &'static dyn Place<H>, tasks: Tasks, elements: usize, permits: usize) {
    let hits = each(place, "chunks", tasks, |rig| {
        let permits: Vec<_> = { (0..permits).map(|_| rig.submitter.reserve().unwrap()) }.collect();
        let mut slice: Vec<_> = (0..elements).map(|_| Some(rig.value("element"))).collect();
        let function = Function::new(rig);
        let change = move |chunk: &mut [Option<Value>]| {
            chunk
                .iter_mut()
                .for_each(|element| function.change(element));
        };
        rig.submitter.scope::<SLOTS, _>(|s| {
            let s = if permits.is_empty() { s } else { s.inline() };
            s.for_each_chunk(&mut slice, 1, change).unwrap();
        });
        assert!(rig.points.hit_a_task() || slice.iter().all(Option::is_none));
        drop(permits);
        drop_here(slice);
    });
    let by_caller = permits == SLOTS;
    let expected = CHUNKS.iter().copied();
    // The caller that runs every chunk itself needs no clone of the function.
    let expected: Vec<_> = expected
        .filter(|hit| !by_caller || !matches!(hit.0, "function's clone") && *hit != CHUNKS[2])
        .collect();
    assert_points(&hits, &expected);
}

#[test]
fn for_each_chunk_ends_wherever_a_chunk_panics() {
    static HOME: Home<2, SimHost> = Home::new();
    chunks(&HOME, Tasks::Raise, 6, 0);
}

#[test]
fn for_each_chunk_ends_wherever_a_chunk_panics_in_its_caller() {
    static HOME: Home<0, SimHost> = Home::new();
    chunks(&HOME, Tasks::Raise, SLOTS, 0);
    chunks(&HOME, Tasks::InlineAndRaise, 6, SLOTS);
}
