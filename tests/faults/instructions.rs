//! Races whose window is a few instructions wide: one of the threads is stopped after each of its
//! instructions, while the others do what they do.

use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use slotted::Executor;

use crate::stepper::{STRIDE, play, stop_after};
use crate::support::within_limit;

/// More instructions than any call here takes.
const LONG: u64 = 100_000;

/// A canceller of an earlier task may be anywhere in `cancel` when a submitter gets the slot for
/// another task. That task is run.
#[test]
fn cancel_of_an_earlier_task_leaves_the_task_in_its_slot_wherever_it_is() {
    within_limit(|| {
        for instruction in (0..LONG).step_by(STRIDE) {
            let executor: Executor<0, 1> = Executor::new();
            let earlier = executor.submit(|| ()).unwrap();
            assert!(executor.run_one());
            let canceller = earlier.canceller();
            let (mut earlier, mut later) = (Some(earlier), None);
            let mut reuse_the_slot = || {
                earlier.take().unwrap().result().unwrap();
                later = Some(executor.submit(|| ()).unwrap());
            };
            let cancel = || {
                stop_after(instruction, None);
                canceller.cancel();
            };
            if play(cancel, [&mut reuse_the_slot as &mut dyn FnMut()]) == 0 {
                return;
            }
            assert!(
                executor.run_one(),
                "the later task is lost, if the canceller is stopped after {instruction}"
            );
            later.unwrap().result().unwrap();
        }
        panic!("a cancel takes too long");
    });
}

/// A scope with one task is left by its owner, which is stopped twice. At the first stop another
/// thread runs the scope's task, if it finds it. At the second one, another thread submits a task
/// that is not the scope's. Returns how often the owner was stopped; whether another thread ran
/// the scope's task; and whether the owner ran the task that is not the scope's.
fn leave_a_scope(first: u64, second: u64) -> (usize, bool, bool) {
    let executor: Executor<1, 1> = Executor::new();
    let (owner, ran_by) = (OnceLock::new(), OnceLock::new());
    let mut run_the_task = || {
        executor.run_one();
    };
    let mut other = None;
    let mut submit_another = || {
        other = executor.submit(|| thread::current().id()).ok();
    };
    let leave = || {
        owner.set(thread::current().id()).unwrap();
        executor.scope(|s| {
            let task = || ran_by.set(thread::current().id()).unwrap();
            s.inline().submit(task).unwrap().detach();
            stop_after(first, Some(second));
        });
    };
    let meanwhile: [&mut dyn FnMut(); 2] = [&mut run_the_task, &mut submit_another];
    let stopped = play(leave, meanwhile);
    executor.run_one();
    let owner: &ThreadId = owner.get().unwrap();
    let other = other.map(|other| other.result().unwrap());
    (
        stopped,
        ran_by.get() != Some(owner),
        other.as_ref() == Some(owner),
    )
}

/// The owner of a scope looks for the scope's tasks in the queue. It runs none that is not the
/// scope's, wherever it is when one gets the slot of a task of the scope.
#[test]
fn owner_of_a_scope_runs_no_task_that_is_not_the_scopes_wherever_it_is() {
    within_limit(|| {
        // The last instruction before the owner locks the queue to take the scope's task: from
        // there on no other thread can take it.
        let (mut before, mut after) = (0, LONG);
        while after - before > 1 {
            let middle = before.midpoint(after);
            let (_, ran_by_another, _) = leave_a_scope(middle, LONG);
            *(if ran_by_another { &mut before } else { &mut after }) = middle;
        }
        for second in (after..LONG).step_by(STRIDE) {
            let (stopped, _, ran_by_the_owner) = leave_a_scope(before, second);
            assert!(
                !ran_by_the_owner,
                "if the owner is stopped after {before} and after {second}"
            );
            if stopped < 2 {
                return;
            }
        }
        panic!("the owner takes too long");
    });
}
