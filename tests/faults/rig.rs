//! A play: an executor with simulated threads, a program, and the checks after it.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::Arc;

use slotted::error::Refusal;
use slotted::{
    Clock, Executor, Park, Shutdown, Simulation, Spawn, Stats, Submitter, TimedSubmitter,
    Timetable, Worker,
};

use crate::points::{Hit, PAYLOAD, Plan, Points, Value, Within, drop_here};

pub(crate) const SLOTS: usize = 4;
pub(crate) const TIMERS: usize = 4;
pub(crate) const BYTES: usize = 256;

/// An executor and a timetable that live for ever. `LEVEL`: that of the tasks.
pub(crate) struct Home<const WORKERS: usize, H: Clock, const LEVEL: usize = 0> {
    pub(crate) executor: Executor<WORKERS, SLOTS, BYTES, H>,
    pub(crate) times: Timetable<TIMERS, H>,
}

impl<const WORKERS: usize, H: Clock, const LEVEL: usize> Home<WORKERS, H, LEVEL> {
    pub(crate) const fn new() -> Self {
        Self {
            executor: Executor::new(),
            times: Timetable::new(),
        }
    }
}

/// A [`Home`] without its number of workers.
pub(crate) trait Place<H: Clock> {
    fn start(&'static self, simulation: &Simulation);
    fn shutdown(&self, how: Shutdown);
    fn stats(&self) -> Stats;
    fn submitter(&'static self) -> Submitter<'static, BYTES, H>;
    fn later(&'static self) -> TimedSubmitter<BYTES, H>;
    fn next_date(&self) -> Option<u64>;
    /// Lets what is ready run, and 100 ns pass.
    fn go_on(&self, simulation: &Simulation);
    fn shut_down_async(&'static self) -> core::pin::Pin<Box<dyn Future<Output = ()>>>;
}

impl<const WORKERS: usize, H: Clock, const LEVEL: usize> Place<H> for Home<WORKERS, H, LEVEL> {
    fn start(&'static self, simulation: &Simulation) {
        // Without workers too: the last life may be over.
        self.executor.start(&Crew(simulation)).unwrap();
    }

    fn shutdown(&self, how: Shutdown) {
        self.executor.shutdown(how).unwrap();
    }

    fn stats(&self) -> Stats {
        self.executor.stats()
    }

    fn submitter(&'static self) -> Submitter<'static, BYTES, H> {
        self.executor.submitter().level::<LEVEL>()
    }

    fn later(&'static self) -> TimedSubmitter<BYTES, H> {
        self.times.on(&self.executor).level::<LEVEL>()
    }

    fn next_date(&self) -> Option<u64> {
        self.times.next_date()
    }

    fn go_on(&self, simulation: &Simulation) {
        simulation.advance(Duration::from_nanos(100));
        if WORKERS == 0 {
            self.times.advance();
            self.executor.run_until_idle();
        }
    }

    fn shut_down_async(&'static self) -> core::pin::Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async { self.executor.shutdown_async(Shutdown::Drain).await.unwrap() })
    }
}

/// Lends simulated threads, whatever the host.
pub(crate) struct Crew<'s>(pub(crate) &'s Simulation);

impl<H: Park> Spawn<H> for Crew<'_> {
    type Error = io::Error;

    fn spawn(&self, worker: Worker<'static, H>) -> io::Result<()> {
        self.0.spawn("worker", move || worker.run())
    }
}

/// What a program has.
pub(crate) struct Rig<H: Clock + 'static> {
    pub(crate) points: Arc<Points>,
    pub(crate) place: &'static dyn Place<H>,
    pub(crate) submitter: Submitter<'static, BYTES, H>,
    pub(crate) later: TimedSubmitter<BYTES, H>,
    pub(crate) simulation: Simulation,
}

impl<H: Clock> Rig<H> {
    pub(crate) fn value(&self, name: &'static str) -> Value {
        self.points.value(name)
    }

    /// Lets everything run that can, for 300 ns. That is longer than any date of a program.
    pub(crate) fn let_run(&self) {
        for _ in 0..3 {
            self.place.go_on(&self.simulation);
        }
    }
}

/// What a play led to.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) hits: Vec<Hit>,
    pub(crate) passed: usize,
    /// True if a point's panic came out of the program.
    pub(crate) raised: bool,
    pub(crate) panicked: usize,
    pub(crate) callbacks_panicked: usize,
}

/// Plays `program` once, and checks all that does not depend on where it panics.
pub(crate) fn play<H: Clock>(
    place: &'static dyn Place<H>,
    plan: Plan,
    program: impl FnOnce(&Rig<H>),
) -> Played {
    let points = Points::new(plan);
    let before = place.stats();
    let rig = Rig {
        points: points.clone(),
        place,
        submitter: place.submitter(),
        later: place.later(),
        simulation: Simulation::new(),
    };
    place.start(&rig.simulation);
    let raised = match catch_unwind(AssertUnwindSafe(|| program(&rig))) {
        Ok(()) => false,
        Err(payload) if payload.is::<Value>() => {
            drop(catch_unwind(AssertUnwindSafe(|| drop_here(payload))));
            true
        }
        Err(other) => resume_unwind(other),
    };
    place.shutdown(Shutdown::Cancel);
    let after = place.stats();
    check_that_it_serves(&rig);
    drop(rig);
    check_values(&points);
    Played {
        hits: points.hits(),
        passed: points.passed(),
        raised,
        panicked: after.panicked - before.panicked,
        callbacks_panicked: after.callbacks_panicked - before.callbacks_panicked,
    }
}

/// Every value was dropped once, but for one case. If the crate contains a panic, and the
/// destructor of its payload panics, it leaks what that throws.
fn check_values(points: &Arc<Points>) {
    let hits = points.hits();
    let is_leak = match *hits {
        [(_, first), (PAYLOAD, Within::Library)] => {
            matches!(first, Within::Library | Within::Callback)
        }
        _ => false,
    };
    let wrong = points.wrong();
    assert_eq!(
        wrong,
        vec![(PAYLOAD, 0); usize::from(is_leak)],
        "after {hits:?}"
    );
}

/// The executor is shut down. Nothing is left in it, and in its next life it serves as many tasks
/// and sleeps as it has room for.
fn check_that_it_serves<H: Clock>(rig: &Rig<H>) {
    let stats = rig.place.stats();
    assert_eq!(
        (stats.slots_in_use, stats.queued, stats.running),
        (0, 0, 0),
        "slots, queued and running tasks"
    );
    assert_eq!(rig.place.next_date(), None, "a date");
    rig.place.start(&rig.simulation);
    let sleeps: [_; TIMERS] =
        core::array::from_fn(|_| rig.later.sleep(Duration::ZERO).expect("a timer is free"));
    drop(sleeps);
    for _ in 0..2 {
        let permits: [_; SLOTS] =
            core::array::from_fn(|_| rig.submitter.reserve().expect("a slot is free"));
        assert!(matches!(rig.submitter.reserve(), Err(Refusal::Full)));
        let mut number = 0;
        let handles = permits.map(|permit| {
            number += 1;
            permit.submit(move || number).unwrap()
        });
        assert_eq!(handles.map(|handle| handle.result().unwrap()), [1, 2, 3, 4]);
    }
    rig.place.shutdown(Shutdown::Drain);
}

/// What a program's tasks do beside what their [`Within`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tasks {
    /// A panic of a task stays in its outcome.
    Own,
    /// A panic of a task reaches the caller too: that of a scope.
    Raise,
    /// The caller runs the tasks itself. Their panics are outcomes, and the figures do not count
    /// them.
    Inline,
    /// As both: a scope's caller runs the tasks.
    InlineAndRaise,
}

/// Plays `program` without a panic, with a panic at each point, and at each pair of points. Returns
/// the points.
pub(crate) fn each<H: Clock>(
    place: &'static dyn Place<H>,
    name: &str,
    tasks: Tasks,
    program: impl Fn(&Rig<H>),
) -> BTreeSet<Hit> {
    let named = |plan: Plan| {
        catch_unwind(AssertUnwindSafe(|| play(place, plan, &program))).unwrap_or_else(|panic| {
            eprintln!("{name}, {plan:?}:");
            resume_unwind(panic)
        })
    };
    let whole = named(Plan::default());
    assert!(!whole.raised && whole.panicked == 0 && whole.callbacks_panicked == 0);
    let mut hits = BTreeSet::new();
    for first in (0..whole.passed).step_by(STRIDE) {
        let plan = Plan {
            first: Some(first),
            second: None,
        };
        let played = named(plan);
        let [hit] = *played.hits else {
            panic!("{name}, {plan:?}: {played:?}")
        };
        let in_task = hit.1 == Within::Task;
        let raises = matches!(tasks, Tasks::Raise | Tasks::InlineAndRaise);
        let counts = matches!(tasks, Tasks::Own | Tasks::Raise);
        assert_eq!(
            (played.raised, played.panicked, played.callbacks_panicked,),
            (
                hit.1 == Within::Caller || in_task && raises,
                usize::from(in_task && counts),
                usize::from(hit.1 == Within::Callback),
            ),
            "{name}: raised, panicked tasks and callbacks after {hit:?}"
        );
        hits.insert(hit);
        if cfg!(miri) {
            continue;
        }
        // Bound: the points that a play passes after the first panic.
        for second in 0.. {
            let plan = Plan {
                first: Some(first),
                second: Some(second),
            };
            if named(plan).passed <= first + 1 + second {
                break;
            }
        }
    }
    hits
}

/// Miri has time for every 12th point only.
pub(crate) const STRIDE: usize = if cfg!(miri) { 12 } else { 1 };

/// Checks that a panic was played at these points, and at no others.
pub(crate) fn assert_points(hits: &BTreeSet<Hit>, expected: &[Hit]) {
    let expected = expected.iter().copied().collect();
    assert!(hits.is_subset(&expected), "{hits:?}");
    if STRIDE == 1 {
        assert_eq!(*hits, expected);
    }
}
