//! Programs that run through CPython's `concurrent.futures` and through this crate. What they see
//! must be equal, but for the differences of the page *From Python*. These are asserted as
//! differences.
//!
//! Without Python the tests say so and do nothing. `PYTHON` names another interpreter,
//! `SLOTTED_PROGRAMS` another number of programs, and `SLOTTED_SEED` other ones.
#![cfg(all(feature = "std", not(miri)))]

mod beside;
mod board;
mod differences;
mod plan;
mod play;
mod program;
mod random;
mod rule;
mod sides;
mod state;
mod table;
mod threads;
mod world;

use std::sync::Mutex;

use slotted::Executor;

use crate::play::{Holder, Player};
use crate::sides::sides;
use crate::world::{Kind, SLOTS};

/// The executors of all programs, one after the other: each program starts its own again.
struct Executors {
    one: Executor<1, SLOTS>,
    two: Executor<2, SLOTS>,
    holder: Holder,
}

impl Executors {
    fn leaked() -> &'static Self {
        Box::leak(Box::new(Self {
            one: Executor::new(),
            two: Executor::new(),
            holder: Executor::new(),
        }))
    }
}

/// Plays a program through slotted.
fn play(program: &[String], is_anew: bool) -> Vec<String> {
    if program[0] == "pool 1 2" {
        static SMALL: Executor<1, 2> = Executor::new();
        static HOLDER: Holder = Executor::new();
        return Player::new(&SMALL, &HOLDER).play(program);
    }
    // Tests run side by side. Each takes executors, and puts them back if all went well.
    static IDLE: Mutex<Vec<&'static Executors>> = Mutex::new(Vec::new());
    let idle = || IDLE.lock().expect("no thread panics here");
    let executors = match is_anew {
        true => Executors::leaked(),
        false => idle().pop().unwrap_or_else(Executors::leaked),
    };
    let holder = &executors.holder;
    let seen = match program[0].as_str() {
        "pool 1" => Player::new(&executors.one, holder).play(program),
        _ => Player::new(&executors.two, holder).play(program),
    };
    idle().push(executors);
    seen
}

const SCRIPT: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/python.py"),
    "threads",
];

#[test]
fn random_programs_agree_with_python() {
    let Some(sides) = sides(SCRIPT, play) else {
        return;
    };
    random::compare(sides, Kind::Threads, 1_000);
}

#[test]
fn the_documented_differences_are_there() {
    let Some(mut sides) = sides(SCRIPT, play) else {
        return;
    };
    differences::check(&mut sides, include_str!("differences.txt")).unwrap();
}

/// Programs that random ones were shrunk to when something was broken.
#[test]
fn kept_programs_agree_with_python() {
    let Some(mut sides) = sides(SCRIPT, play) else {
        return;
    };
    differences::compare(&mut sides, include_str!("kept.txt")).unwrap();
}
