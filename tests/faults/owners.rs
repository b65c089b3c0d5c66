//! Owners: closures that panic with what they were lent, and things that panic as they are made or
//! dropped.

use core::panic::AssertUnwindSafe;
use core::task::{Context, Poll};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;

use slotted::error::{Refusal, StartError, TaskError, WorkerStartError};
use slotted::{JoinHandle, Owned, Ran, Shutdown, SimHost, Simulation, StdThreads};

use crate::points::{Hit, Plan, Points, Value, Within, drop_here, within};
use crate::rig::{SLOTS, STRIDE};
use crate::wakers::alert;

type Owner = Owned<Value, SLOTS, 256, SimHost>;
type Handle = JoinHandle<'static, Value, SimHost>;
type Program = fn(&'static Owner, &Arc<Points>, &mut dyn FnMut());

/// A closure that uses what it is lent, and replaces it.
fn task(points: &Arc<Points>) -> impl FnOnce(&mut Value) -> Value + Send + use<> {
    let capture = points.value("capture");
    move |own| {
        within(Within::Task, || {
            let points = own.points().clone();
            points.pass("closure");
            // What was owned before is dropped in the task.
            *own = points.value("owned");
            drop(capture);
            points.value("value")
        })
    }
}

/// What a play led to: the hits, the points that it passed, and whether a panic came out of it.
type Played = (Vec<Hit>, usize, bool);

/// Plays a program with an owner that the test runs by hand, and checks what it leaves.
fn play(owner: &'static Owner, plan: Plan, program: Program) -> Played {
    let points = Points::new(plan);
    let before = owner.stats();
    let simulation = Simulation::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut owned = points.value("owned");
        let mut worker = owner.worker().unwrap();
        program(owner, &points, &mut || {
            while worker.run_one(&mut owned) == Ran::Task {}
        });
        owner.begin_shutdown(Shutdown::Cancel);
        while worker.run_one(&mut owned) != Ran::Left {}
        drop_here(owned);
    }));
    let raised = match outcome {
        Ok(()) => false,
        Err(payload) if payload.is::<Value>() => {
            drop(catch_unwind(AssertUnwindSafe(|| drop_here(payload))));
            true
        }
        Err(other) => resume_unwind(other),
    };
    // The worker is gone, whatever has panicked.
    owner.shutdown(Shutdown::Cancel).unwrap();
    let hits = points.hits();
    let tasks = hits.iter().filter(|hit| hit.1 == Within::Task).count();
    let after = owner.stats();
    assert_eq!(after.panicked - before.panicked, tasks, "{hits:?}");
    assert_eq!((after.slots_in_use, after.running, after.queued), (0, 0, 0));

    let mut worker = owner.worker().unwrap();
    let handles: [_; SLOTS] =
        core::array::from_fn(|place| owner.submit(move |_| place).expect("a slot is free"));
    assert!(matches!(owner.reserve(), Err(Refusal::Full)));
    let mut owned = Points::new(Plan::default()).value("owned");
    while worker.run_one(&mut owned) == Ran::Task {}
    for (place, handle) in handles.into_iter().enumerate() {
        assert_eq!(handle.result(), Ok(place));
    }
    owner.begin_shutdown(Shutdown::Drain);
    assert_eq!(worker.run_one(&mut owned), Ran::Left);
    drop(simulation);
    let is_leak = matches!(
        *hits,
        [
            (_, Within::Library | Within::Callback),
            ("payload", Within::Library),
        ]
    );
    assert_eq!(
        points.wrong().len(),
        usize::from(is_leak),
        "{:?} after {hits:?}",
        points.wrong()
    );
    (hits, points.passed(), raised)
}

fn each(owner: &'static Owner, name: &str, program: Program, expected: &[Hit]) {
    let (_, total, raised) = play(owner, Plan::default(), program);
    assert!(!raised);
    let mut seen = Vec::new();
    for first in (0..total).step_by(STRIDE) {
        let mut plan = Plan {
            first: Some(first),
            second: None,
        };
        let (hits, _, raised) = play(owner, plan, program);
        let [hit] = *hits else {
            panic!("{name}, {plan:?}: {hits:?}")
        };
        assert_eq!(raised, hit.1 == Within::Caller, "{name}: {hit:?}");
        seen.push(hit);
        // Bound: the points that a play passes after the first panic.
        for second in (0..).take_while(|_| !cfg!(miri)) {
            plan.second = Some(second);
            if play(owner, plan, program).1 <= first + 1 + second {
                break;
            }
        }
    }
    seen.sort();
    seen.dedup();
    let mut expected = expected.to_vec();
    expected.sort();
    assert!(
        seen.iter().all(|hit| expected.contains(hit)),
        "{name}: {seen:?}"
    );
    if STRIDE == 1 {
        assert_eq!(seen, expected, "{name}");
    }
}

const TASK: [Hit; 4] = [
    ("capture", Within::Task),
    ("closure", Within::Task),
    ("owned", Within::Task),
    ("owned", Within::Caller),
];

fn with(more: &[Hit]) -> Vec<Hit> {
    [&TASK, more].concat()
}

#[test]
fn a_panic_anywhere_in_a_lent_closure_lands_where_it_belongs() {
    static OWNER: Owner = Owned::new();
    let value = [("value", Within::Caller)];
    each(
        &OWNER,
        "result",
        |owner, points, run| {
            let handle: Handle = owner.submit(task(points)).ok().unwrap();
            run();
            drop_here(handle.result());
        },
        &with(&value),
    );
    each(
        &OWNER,
        "stoppable, of a permit",
        |owner, points, run| {
            let task = task(points);
            let permit = owner.reserve().unwrap();
            let handle = permit.submit_stoppable(move |own, _| task(own));
            let handle = handle.ok().unwrap();
            run();
            drop_here(handle.result());
        },
        &with(&value),
    );
    each(
        &OWNER,
        "detached, with a callback",
        |owner, points, run| {
            let handle = owner.submit(task(points)).ok().unwrap();
            let capture = points.value("callback's capture");
            let callback = move |_: Result<&Value, &TaskError>| {
                within(Within::Callback, || {
                    capture.points().pass("callback");
                    drop(capture);
                });
            };
            handle.add_done_callback(callback).ok().unwrap();
            handle.detach();
            run();
        },
        &with(&[
            ("callback", Within::Callback),
            ("callback's capture", Within::Callback),
            ("value", Within::Library),
        ]),
    );
    let cancelled = [("capture", Within::Library), ("owned", Within::Caller)];
    each(
        &OWNER,
        "cancelled",
        |owner, points, _| {
            let handle = owner.submit(task(points)).ok().unwrap();
            assert!(handle.cancel());
        },
        &cancelled,
    );
    each(
        &OWNER,
        "shut down",
        |owner, points, _| {
            let handle = owner.submit(task(points)).ok().unwrap();
            owner.begin_shutdown(Shutdown::Cancel);
            assert!(handle.result().is_err_and(|error| error.is_cancelled()));
        },
        &cancelled,
    );
    each(
        &OWNER,
        "awaited",
        |owner, points, run| {
            let waker = alert(points);
            let mut handle = owner.submit(task(points)).ok().unwrap();
            let mut poll = || {
                let mut context = Context::from_waker(&waker);
                Future::poll(core::pin::Pin::new(&mut handle), &mut context)
            };
            assert!(poll().is_pending());
            run();
            let Poll::Ready(outcome) = poll() else {
                panic!("the task has ended")
            };
            drop_here(outcome);
            drop_here(waker);
        },
        &with(&[
            ("value", Within::Caller),
            ("waker", Within::Caller),
            ("waker", Within::Library),
            ("waker's clone", Within::Caller),
            ("waker's wake", Within::Library),
        ]),
    );
}

#[test]
fn a_panic_anywhere_in_a_scope_of_an_owner_lands_where_it_belongs() {
    static OWNER: Owner = Owned::new();
    each(
        &OWNER,
        "the outcome is taken",
        |owner, points, run| {
            owner.scope(|scope| {
                let task = task(points);
                let handle = scope.submit(|own| task(own)).ok().unwrap();
                // If the body panics, the loop does not come round.
                let handle = handle.cancel_on_drop();
                within(Within::Caller, || points.pass("body"));
                run();
                drop_here(handle.into_inner().result());
            });
        },
        &with(&[("body", Within::Caller), ("value", Within::Caller)]),
    );
    each(
        &OWNER,
        "cancelled",
        |owner, points, _| {
            owner.scope(|scope| {
                let task = task(points);
                let handle = scope.submit_stoppable(|own, _| task(own)).ok().unwrap();
                drop(handle.cancel_on_drop());
                within(Within::Caller, || points.pass("body"));
            });
        },
        &[
            ("body", Within::Caller),
            ("capture", Within::Library),
            ("owned", Within::Caller),
        ],
    );
}

/// What the thread of an owner does first: makes the thing. What it does last: drops it.
#[test]
fn a_thing_that_panics_as_it_is_made_or_dropped_costs_its_life() {
    static OWNER: Owned<Value, SLOTS> = Owned::new();
    // In a run without a panic: the maker, the closure's point, its capture, the thing.
    for first in [None, Some(0), Some(1), Some(2), Some(3)] {
        let points = Points::new(Plan {
            first,
            second: None,
        });
        let make = || {
            let points = points.clone();
            move || {
                points.pass("maker");
                Ok::<_, WorkerStartError>(points.value("owned"))
            }
        };
        let ran = OWNER.run(&StdThreads::new(), make(), |owner| {
            let capture = points.value("capture");
            let task = move |own: &mut Value| {
                within(Within::Task, || {
                    own.points().pass("closure");
                    drop(capture);
                })
            };
            match owner.submit_blocking(task) {
                Ok(handle) => handle.result(),
                Err(error) => {
                    assert_eq!(error.reason(), Refusal::Broken);
                    Err(TaskError::Broken)
                }
            }
        });
        let outcome = ran.map_err(|_: StartError<_>| "refused").unwrap();
        match first {
            Some(0) => assert_eq!(outcome, Err(TaskError::Broken)),
            Some(1 | 2) => assert!(outcome.is_err_and(|error| error.is_panicked())),
            _ => assert_eq!(outcome, Ok(())),
        }
        assert_eq!(points.wrong(), []);
        assert_eq!(points.hits().len(), usize::from(first.is_some()));
        assert_eq!(OWNER.stats().slots_in_use, 0);
    }
}
