//! Programs that run through CPython's `concurrent.futures` and through this crate. What they see
//! must be equal, but for the differences of the page *From Python*. These are asserted as
//! differences.
//!
//! Without Python the tests say so and do nothing. `PYTHON` names another interpreter,
//! `SLOTTED_PROGRAMS` another number of programs, and `SLOTTED_SEED` other ones.
#![cfg(all(feature = "std", not(miri)))]

mod board;
mod differences;
mod plan;
mod play;
mod program;
mod rule;
mod sides;
mod state;
mod table;
mod world;

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use slotted::Executor;

use crate::play::{Holder, Player};
use crate::rule::RULES;
use crate::sides::{Sides, missing_python};
use crate::world::SLOTS;

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

fn sides() -> Option<Sides> {
    if let Some(reason) = missing_python() {
        eprintln!("skipped: comparison with CPython because {reason}");
        return None;
    }
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/python.py"));
    Some(Sides::new(script, play))
}

/// The number in an environment variable.
fn variable(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else {
        return default;
    };
    text.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
}

#[test]
fn random_programs_agree_with_python() {
    let Some(mut sides) = sides() else { return };
    let cases = variable("SLOTTED_PROGRAMS", 1_000);
    let seed = variable("SLOTTED_SEED", 0);
    let config = Config {
        cases: u32::try_from(cases).expect("so many programs take weeks"),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let began = Instant::now();
    let mut rules: BTreeMap<&str, usize> = RULES.iter().map(|(name, _)| (*name, 0)).collect();
    let shared = RefCell::new((&mut sides, &mut rules));
    let result = runner.run(&program::sketch(), |sketch| {
        let mut shared = shared.borrow_mut();
        let lines = plan::lines(&sketch);
        for line in &lines {
            let rule = line.split_once(" ! ").map(|(_, rule)| rule.split(' ').next());
            if let Some(Some(rule)) = rule {
                *shared.1.get_mut(rule).expect("the rule has a row") += 1;
            }
        }
        shared.0.compare(&lines).map_err(TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("SLOTTED_SEED={seed}: {failure}");
    }
    let (lines, time) = (sides.lines, began.elapsed());
    eprintln!("{cases} programs of seed {seed}, {lines} lines, in {time:.1?}; rules {rules:?}");
    let unmet: Vec<&&str> = rules.iter().filter(|(_, met)| **met == 0).map(|(of, _)| of).collect();
    assert!(cases < 500 || unmet.is_empty(), "no program met {unmet:?}");
}

#[test]
fn the_documented_differences_are_there() {
    let Some(mut sides) = sides() else { return };
    differences::check(&mut sides, include_str!("differences.txt")).unwrap();
}
