//! Panics that abort the process, each in a process of its own.
//!
//! Two are the language's: a destructor panics while a panic unwinds. One is the crate's: a scope
//! cannot be left while a task borrows from it.
#![cfg(not(miri))] // it starts no processes

use core::panic::AssertUnwindSafe;
use std::env;
use std::panic::catch_unwind;
use std::process::{Command, Output};

use slotted::{Executor, Fifo, Park, StdHost};

/// The play that a child process is to play.
const PLAY: &str = "SLOTTED_FAULTS_PLAY";
/// What a child prints before the fault, and what it must not come to print.
const BEFORE: &str = "before the fault";
const SURVIVED: &str = "the process goes on";

/// Panics on drop.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// Plays one of the plays. Anything that panics out of it is caught: so only an abort ends the
/// process.
fn child(play: fn()) {
    println!("{BEFORE}");
    let _ = catch_unwind(AssertUnwindSafe(play));
    println!("{SURVIVED}");
}

/// Runs `play` in a process of its own: this test alone, once more.
fn in_a_child(test: &str, play: fn()) -> Option<Output> {
    if env::var_os(PLAY).is_some() {
        child(play);
        return None;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PLAY, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(BEFORE), "{output:?}");
    Some(output)
}

/// Checks that `play` aborts the process, and why.
#[track_caller]
fn aborts(test: &str, play: fn(), why: &str) {
    let Some(output) = in_a_child(test, play) else {
        return;
    };
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        !output.status.success() && !said.contains(SURVIVED),
        "{output:?}"
    );
    assert!(told.contains(why), "{told}");
}

/// What the language says of it.
const IN_CLEANUP: &str = "panic in a destructor during cleanup";

#[test]
fn a_capture_that_panics_on_drop_while_its_closure_panics_aborts() {
    let play = || {
        let executor: Executor<0, 4> = Executor::new();
        let capture = PanicsOnDrop;
        let closure = move || {
            let _capture = &capture;
            panic!("closure");
        };
        let _ = executor.submit(closure).unwrap().result();
    };
    aborts(
        "aborts::a_capture_that_panics_on_drop_while_its_closure_panics_aborts",
        play,
        IN_CLEANUP,
    );
}

#[test]
fn a_scopes_result_that_panics_on_drop_while_a_tasks_panic_leaves_aborts() {
    let play = || {
        let executor: Executor<0, 4> = Executor::new();
        let _ = executor.scope(|s| {
            s.submit(|| panic!("task")).unwrap().detach();
            PanicsOnDrop
        });
    };
    aborts(
        "aborts::a_scopes_result_that_panics_on_drop_while_a_tasks_panic_leaves_aborts",
        play,
        IN_CLEANUP,
    );
}

#[test]
fn a_joins_result_that_panics_on_drop_while_a_panic_leaves_is_contained() {
    let play = || {
        static POOL: Executor<1, 4> = Executor::new();
        POOL.start(&slotted::StdThreads::new()).unwrap();
        let (begin, began) = std::sync::mpsc::channel::<()>();
        POOL.scope(|s| {
            let a = move || {
                began.recv().unwrap();
                panic!("first");
            };
            s.join(a, || {
                begin.send(()).unwrap();
                PanicsOnDrop
            })
        });
    };
    let test = "aborts::a_joins_result_that_panics_on_drop_while_a_panic_leaves_is_contained";
    if let Some(output) = in_a_child(test, play) {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_closure_on_offer_that_panics_on_drop_while_the_first_one_panics_is_contained() {
    let play = || {
        static POOL: Executor<1, 4> = Executor::new();
        let (host, _worker) = crate::keep::keep();
        POOL.start(&host).unwrap();
        let capture = PanicsOnDrop;
        POOL.scope(|s| s.join(|| panic!("first"), move || drop(capture)));
    };
    let test =
        "aborts::a_closure_on_offer_that_panics_on_drop_while_the_first_one_panics_is_contained";
    if let Some(output) = in_a_child(test, play) {
        assert!(output.status.success(), "{output:?}");
    }
}

/// A host whose park panics.
struct Panicking;

impl Park for Panicking {
    type Thread = ();
    type Order = Fifo;

    fn current() {}

    fn current_id() -> usize {
        StdHost::current_id()
    }

    fn park() {
        panic!("park");
    }

    fn unpark((): &()) {}
}

/// The scope's only task is on a worker that never runs, so its owner parks.
#[test]
fn a_host_that_panics_while_a_scope_waits_aborts() {
    let play = || {
        static POOL: Executor<1, 4, 64, Panicking> = Executor::new();
        let (host, _worker) = crate::keep::keep();
        POOL.start(&host).unwrap();
        let mut number = 0;
        POOL.scope(|s| s.submit(|| number = 1).unwrap().detach());
    };
    aborts(
        "aborts::a_host_that_panics_while_a_scope_waits_aborts",
        play,
        "a scope cannot be left while its tasks run",
    );
}

/// The same way of looking, at a play that does not abort.
#[test]
fn a_panic_alone_aborts_nothing() {
    let play = || {
        let executor: Executor<0, 4> = Executor::new();
        let capture = PanicsOnDrop;
        let handle = executor.submit(move || drop(capture)).unwrap();
        assert!(handle.result().is_err());
    };
    let output = in_a_child("aborts::a_panic_alone_aborts_nothing", play);
    if let Some(output) = output {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains(SURVIVED),
            "{output:?}"
        );
    }
}
