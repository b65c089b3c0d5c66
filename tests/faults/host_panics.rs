//! Hosts whose functions panic.

use core::panic::AssertUnwindSafe;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use slotted::sim::SimThread;
use slotted::{Clock, Park, Shutdown, SimHost, Simulation};

use crate::forever::forever;
use crate::points::{Plan, Points};
use crate::program::Worked;
use crate::rig::{Crew, Home};
use crate::shaky::{Habits, Shaky};

struct Panicking;
static POINTS: Mutex<Option<Arc<Points>>> = Mutex::new(None);

fn set(points: Option<Arc<Points>>) {
    *POINTS.lock().unwrap_or_else(PoisonError::into_inner) = points;
}

impl Habits for Panicking {
    fn park() {
        Self::pass("park");
        SimHost::park();
    }

    fn park_until(deadline: u64) {
        Self::pass("park_until");
        SimHost::park_until(deadline);
    }

    fn unpark(thread: &SimThread) {
        Self::pass("unpark");
        SimHost::unpark(thread);
    }

    fn now() -> u64 {
        Self::pass("now");
        SimHost::now()
    }

    fn pass(function: &'static str) {
        let points = POINTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(points) = points {
            points.pass(function);
        }
    }
}

type Panics = Home<2, Shaky<Panicking>>;

/// What a panic in a function of the host costs at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Costs {
    /// The call or the worker in which it comes.
    OneCall,
    /// A slot, or a wait that never ends.
    ASlot,
}

const FUNCTIONS: &[(&str, Costs)] = &[
    ("current", Costs::OneCall),
    ("note", Costs::ASlot),
    ("now", Costs::OneCall),
    ("park", Costs::OneCall),
    ("park_until", Costs::OneCall),
    ("ready", Costs::ASlot),
    ("set_alarm", Costs::ASlot),
    ("spin", Costs::OneCall),
    ("unpark", Costs::ASlot),
    ("yield_now", Costs::OneCall),
];

fn costs(function: &str) -> Costs {
    let found = FUNCTIONS.iter().find(|(name, _)| *name == function);
    found.expect("a function of the host").1
}

/// What a play with a panic at one point led to.
struct Played {
    function: &'static str,
    /// True if the executor went on, in its life and in the next, and nothing was left.
    whole: bool,
}

/// Plays with a panic at one point. `None`: the play has no such point.
fn play(first: usize) -> Option<Played> {
    let home: &'static Panics = forever(Home::new());
    let (points, values) = (
        Points::new(Plan {
            first: Some(first),
            second: None,
        }),
        Points::new(Plan::default()),
    );
    let worked = Worked {
        pool: &home.executor,
        times: &home.times,
        points: values.clone(),
    };
    let ends = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_ok();
    let simulation = Simulation::new();
    home.executor.start(&Crew(&simulation)).unwrap();
    set(Some(points.clone()));
    let _ = ends(&mut || {
        worked.play_tasks();
        worked.play_dates(SimHost::now);
    });
    set(None);
    let mut whole = ends(&mut || {
        // One worker at least is left.
        worked.play_tasks();
        home.executor.shutdown(Shutdown::Cancel).unwrap();
        home.executor.start(&Crew(&simulation)).unwrap();
        worked.play();
        home.executor.shutdown(Shutdown::Drain).unwrap();
        worked.check();
    });
    // It raises the panic of a worker's thread.
    let mut simulation = Some(simulation);
    let _ = ends(&mut || drop(simulation.take()));
    let wrong = values.wrong();
    whole &= wrong.is_empty();
    let hits = points.hits();
    assert!(
        wrong.iter().all(|value| value.1 == 0),
        "dropped twice after {hits:?}: {wrong:?}"
    );
    let &(function, _) = hits.first()?;
    Some(Played { function, whole })
}

/// Whatever function of the host panics, and whenever: nothing is dropped twice. If the function is
/// one that a thread calls to wait, the executor serves on.
#[test]
fn a_host_that_panics_corrupts_nothing() {
    let mut seen = BTreeMap::new();
    // Bound: the points of the play. Miri has time for some.
    for first in (0..).step_by(if cfg!(miri) { 41 } else { 1 }) {
        let Some(played) = play(first) else { break };
        let (plays, broken) = seen.entry(played.function).or_insert((0, 0));
        *plays += 1;
        *broken += usize::from(!played.whole);
        assert!(
            played.whole || costs(played.function) == Costs::ASlot,
            "{}, at point {first}",
            played.function
        );
    }
    if cfg!(miri) {
        return;
    }
    let functions: Vec<_> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    assert!(seen.keys().eq(&functions), "{seen:?}");
    // Each of the others does cost a slot somewhere: the table says no more than is so.
    for (function, (_, broken)) in seen {
        assert_eq!(broken > 0, costs(function) == Costs::ASlot, "{function}");
    }
}
