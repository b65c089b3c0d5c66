//! Hooks of workers that panic.

use std::sync::{Arc, Mutex, PoisonError};

use slotted::error::WorkerStartError;
use slotted::{Executor, Shutdown, SimHost, TaskError, Timetable};

use crate::points::{Points, Within, drop_here, within};
use crate::rig::{Home, Rig, Tasks, assert_points, each};
use crate::tasks::Task;

/// The points of the play, while its program runs: a hook captures nothing.
static POINTS: Mutex<Option<Arc<Points>>> = Mutex::new(None);

fn set(points: Option<Arc<Points>>) {
    *POINTS.lock().unwrap_or_else(PoisonError::into_inner) = points;
}

fn pass(name: &'static str) {
    let points = POINTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(points) = points {
        points.pass(name);
    }
}

fn on_start(_worker: usize) -> Result<(), WorkerStartError> {
    within(Within::StartHook, || pass("start hook"));
    Ok(())
}

fn on_exit(_worker: usize) {
    pass("exit hook");
}

/// Takes the points from the hooks on every way out.
struct Watching;

impl Drop for Watching {
    fn drop(&mut self) {
        set(None);
    }
}

/// A start hook that panics breaks the life: what waits ends as broken. The next life is whole.
#[test]
fn a_hook_that_panics_costs_at_most_its_life() {
    static HOME: Home<2, SimHost> = Home {
        executor: Executor::new()
            .on_worker_start(on_start)
            .on_worker_exit(on_exit),
        times: Timetable::new(),
    };
    let hits = each(&HOME, "hooks", Tasks::Own, |rig: &Rig<SimHost>| {
        set(Some(rig.points.clone()));
        let _watching = Watching;
        let task = Task::new(rig);
        // The workers have not begun.
        let handle = rig.submitter.submit(|| task.run()).ok().unwrap();
        let outcome = handle.result();
        if let Err(TaskError::Broken) = outcome {
            assert!(
                rig.points
                    .hits()
                    .contains(&("start hook", Within::StartHook))
            );
        }
        drop_here(outcome);
        rig.place.shutdown(Shutdown::Drain);
    });
    assert_points(
        &hits,
        &[
            ("capture", Within::Task),
            ("closure", Within::Task),
            ("exit hook", Within::Library),
            ("start hook", Within::StartHook),
            ("value", Within::Caller),
        ],
    );
}
