//! Races whose window is a few instructions wide: one of the threads is stopped after each of its
//! instructions, while the others do what they do.

use core::cell::Cell;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, ThreadId};

use slotted::{Executor, JoinHandle, Park, Ran, Worker};

use crate::schedules::stepper::{STRIDE, alone, play, stop_after, stop_no_more};
use crate::schedules::support::{Keep, until_asleep_or_told};
use crate::stage::{self, Actor, Stage};

/// Fails if `test` hangs.
fn within_limit(test: impl FnOnce() + Send + 'static) {
    alone(|| stage::within_limit(test));
}

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
            *(if ran_by_another {
                &mut before
            } else {
                &mut after
            }) = middle;
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

std::thread_local! {
    /// After how many instructions the thread is stopped when it next goes to sleep.
    static ON_THE_WAY: Cell<Option<u64>> = const { Cell::new(None) };
    /// Whom the thread tells that it has arrived.
    static ARRIVED: Cell<Option<Sender<()>>> = const { Cell::new(None) };
}

/// The [`Stage`], where a thread can be stopped on its way to sleep.
struct Stopped;

impl Park for Stopped {
    type Thread = Actor;
    type Order = slotted::Fifo;

    /// Called by a thread that makes itself known to those who will wake it.
    fn current() -> Actor {
        let actor = Stage::current();
        if let Some(instruction) = ON_THE_WAY.take() {
            stop_after(instruction, None);
        }
        actor
    }

    fn current_id() -> usize {
        Stage::current_id()
    }

    fn park() {
        stop_no_more();
        if let Some(arrived) = ARRIVED.take() {
            arrived.send(()).unwrap();
        }
        Stage::park();
    }

    fn unpark(actor: &Actor) {
        Stage::unpark(actor);
    }
}

type Pool = Executor<3, 8, 256, Stopped>;

/// A worker waits for a task of a second one and is stopped on its way to sleep. Meanwhile a third
/// one attaches and starts a task, and the second one waits for that. Returns how often the first
/// worker was stopped, and how its wait ended.
fn wait_while_another_worker_attaches(instruction: u64) -> (usize, String) {
    let pool: &'static Pool = Box::leak(Box::new(Executor::new()));
    let keep = Keep::new();
    pool.start(&keep).unwrap();
    let [first, second, third] = keep.workers::<3>();
    let run_one = |mut worker: Worker<'static, Stopped>| assert_eq!(worker.run_one(), Ran::Task);

    let (give, given) = channel::<Option<JoinHandle<'static, (), Stopped>>>();
    let (tell_actor, told_actor) = channel::<Actor>();
    let (tell_over, over) = channel();
    let middle = move || {
        tell_actor.send(Stage::current()).unwrap();
        let well = given
            .recv()
            .unwrap()
            .is_none_or(|last| last.result().is_ok());
        tell_over.send(()).unwrap();
        well
    };
    let middle = pool.submit(middle).unwrap();
    let second = thread::spawn(move || run_one(second));
    let actor = told_actor.recv().unwrap();

    let (tell, told) = channel();
    let outer = move || {
        ON_THE_WAY.set(Some(instruction));
        tell.send(format!("{:?}", middle.result())).unwrap();
    };
    pool.submit(outer).unwrap().detach();
    let (tell_arrived, arrived) = channel();
    let (end, ended) = channel::<()>();
    let (give_end, mut ended) = (give.clone(), Some(ended));
    let ender = thread::spawn(move || {
        let _ = arrived.recv(); // or its wait has ended: that is a signal, too
        let _ = give_end.send(None);
        let _ = end.send(());
    });
    let (mut third, mut third_runs) = (Some(third), None);
    let mut attach = || {
        let (tell_started, started) = channel();
        let ended = ended.take().unwrap();
        let last = move || {
            tell_started.send(()).unwrap();
            ended.recv().unwrap();
        };
        let last = pool.submit(last).unwrap();
        let third = third.take().unwrap();
        third_runs = Some(thread::spawn(move || run_one(third)));
        started.recv().unwrap();
        // The second worker may have been let go, if the first has arrived by now.
        let _ = give.send(Some(last));
        until_asleep_or_told(&actor, &over);
    };
    let wait = move || {
        ARRIVED.set(Some(tell_arrived));
        run_one(first);
        drop(ARRIVED.take());
    };
    let stopped = play(wait, [&mut attach as &mut dyn FnMut()]);
    ender.join().unwrap();
    second.join().unwrap();
    if let Some(third) = third_runs {
        third.join().unwrap();
    }
    (stopped, told.recv().unwrap())
}

/// A worker goes to sleep while another one attaches, on whose task the second depends: it has
/// only to be patient, and is not told that it would deadlock.
#[test]
fn worker_that_goes_to_sleep_is_not_stuck_if_another_attaches_meanwhile() {
    within_limit(|| {
        // A wide window, between two critical sections.
        for instruction in (0..LONG).step_by(2 * STRIDE) {
            let (stopped, outcome) = wait_while_another_worker_attaches(instruction);
            assert_eq!(outcome, "Ok(true)", "if it is stopped after {instruction}");
            if stopped == 0 {
                return;
            }
        }
        panic!("the way to sleep is too long");
    });
}
