//! Random programs of several threads over the whole API, under random schedules.
//!
//! The same programs are played in two worlds:
//!
//! - by the machine's threads:
//!   `cargo test --test programs`
//! - by seeded schedules, in which each step on an atomic, a lock or a slot is a point at which
//!   another thread may go on: three quarters as *probabilistic concurrency testing* chooses
//!   (Burckhardt et al., ASPLOS 2010), the others at random. A failure comes back with its seed:
//!   `RUSTFLAGS="--cfg shuttle" cargo test --profile schedules --test programs`
//!
//! What is checked of each program: no task is lost, runs twice, or keeps its closure or value;
//! each callback is called once; what observers see agrees; no slot stays in use; each wait ends;
//! and the steps that the host is told form one whole life for each task.
//!
//! `SLOTTED_PROGRAMS` is how many programs are played, `SLOTTED_SEED` which, and `SLOTTED_FROM` the
//! number of the first that is, so that a failure need not be waited for. A program is played
//! under four times `SLOTTED_SCHEDULES` schedules. `SLOTTED_SHRINKS` is how many shorter programs
//! are tried after a failure.
#![cfg(feature = "std")]

mod actor;
#[cfg(shuttle)]
mod baton;
mod early;
mod hooks;
mod host;
mod ledger;
mod limits;
mod noting;
mod one_of;
mod play;
mod program;
#[cfg(shuttle)]
mod schedules;
mod tasks;
#[path = "../stage/told.rs"]
mod told;
mod world;

use core::cell::Cell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use slotted::{Fifo, Levels, Order};

use crate::early::Early;
use crate::host::Leveled;
use crate::noting::Noting;
use crate::play::play;
use crate::program::{Program, program};
#[cfg(shuttle)]
use crate::schedules::runs;
#[cfg(shuttle)]
use crate::world::Scheduled;

/// How many programs a test plays, unless the environment says otherwise.
#[cfg(shuttle)]
const PROGRAMS: u32 = 2_000;
#[cfg(not(shuttle))]
const PROGRAMS: u32 = if cfg!(miri) { 4 } else { 3_000 };

/// A number in the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the variable is a number"))
}

#[test]
fn programs_lose_nothing_and_end() {
    let programs = number("SLOTTED_PROGRAMS").map_or(PROGRAMS, |number| number as u32);
    each(programs, world_of::<false, Fifo>);
}

/// The same programs, on a host whose every second park returns at once.
#[test]
fn programs_lose_nothing_where_parks_return_early() {
    let programs = number("SLOTTED_PROGRAMS").map_or(PROGRAMS, |number| number as u32);
    each(programs.div_ceil(3), world_of_early);
}

/// The same programs, whose tasks take turns among three levels. Worker 0 serves the highest only.
#[test]
fn programs_of_three_levels_lose_nothing_and_end() {
    let programs = number("SLOTTED_PROGRAMS").map_or(PROGRAMS / 2, |number| number as u32);
    each(programs, world_of::<false, Levels<3>>);
}

/// A lock that is held then would be waited for by its own thread: the schedule is at its end.
#[cfg(shuttle)]
#[test]
fn steps_are_told_outside_of_locks() {
    each(PROGRAMS / 30, world_of::<true, Fifo>);
}

/// Plays so many programs in a world.
fn each(programs: u32, world_of: fn(&Program, u64)) {
    let seed = number("SLOTTED_SEED").unwrap_or(1);
    let from = number("SLOTTED_FROM").unwrap_or(1);
    let config = Config {
        cases: programs,
        failure_persistence: None,
        max_shrink_iters: number("SLOTTED_SHRINKS").map_or(2_000, |number| number as u32),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    // After the first failure, proptest looks for a shorter program.
    let (played, has_failed) = (Cell::new(0), Cell::new(false));
    let result = runner.run(&program(), |program| {
        if !has_failed.replace(true) {
            played.set(played.get() + 1);
            if played.get() >= from {
                world_of(&program, seed);
            }
            has_failed.set(false);
        } else {
            world_of(&program, seed);
        }
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = result {
        panic!("seed {seed}, program {}: {failure}", played.get());
    }
}

/// Plays a program by the machine's threads.
#[cfg(not(shuttle))]
fn world_of<const LOOKS: bool, O: Order>(program: &Program, _seed: u64)
where
    Noting<slotted::StdHost, LOOKS, O>: Leveled,
{
    plays(program, play::<slotted::StdHost, LOOKS, O>);
}

/// As `world_of`, with parks that return early.
#[cfg(not(shuttle))]
fn world_of_early(program: &Program, _seed: u64) {
    plays(program, play::<Early<slotted::StdHost>, false, Fifo>);
}

/// Plays a program in a thread of its own. A wait that never ends fails it.
#[cfg(not(shuttle))]
fn plays(program: &Program, play: fn(&Program)) {
    use core::time::Duration;
    use std::sync::mpsc::channel;
    use std::thread;

    const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 60 });
    let (end, ended) = channel::<()>();
    let played = program.clone();
    let thread = thread::spawn(move || {
        let _end = end; // also when it panics
        play(&played);
    });
    let hangs = ended.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "the program does not end");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Plays a program under schedules, with or without fairness.
#[cfg(shuttle)]
fn world_of<const LOOKS: bool, O: Order>(program: &Program, seed: u64)
where
    Noting<Scheduled<true>, LOOKS, O>: Leveled,
    Noting<Scheduled<false>, LOOKS, O>: Leveled,
{
    if program.fair {
        plays(program, seed, play::<Scheduled<true>, LOOKS, O>);
    } else {
        plays(program, seed, play::<Scheduled<false>, LOOKS, O>);
    }
}

/// As `world_of`, with parks that return early.
#[cfg(shuttle)]
fn world_of_early(program: &Program, seed: u64) {
    if program.fair {
        plays(program, seed, play::<Early<Scheduled<true>>, false, Fifo>);
    } else {
        plays(program, seed, play::<Early<Scheduled<false>>, false, Fifo>);
    }
}

/// Plays a program under many schedules.
#[cfg(shuttle)]
fn plays(program: &Program, seed: u64, play: fn(&Program)) {
    use std::sync::Arc;

    let schedules = number("SLOTTED_SCHEDULES").map_or(8, |number| number as usize);
    let program = Arc::new(program.clone());
    let plays = move || play(&program);
    // Faults that need one, two or three changes of priority at certain steps.
    for depth in [2, 3, 4] {
        runs(Some(depth), schedules, seed, plays.clone());
    }
    runs(None, schedules, seed, plays);
}
