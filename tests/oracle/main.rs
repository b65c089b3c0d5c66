//! Random programs over the whole API, on an executor without workers, against a slow and obvious
//! model of it.
//!
//! After each step the two must agree in everything that can be seen: what calls return, and in
//! which order tasks, callbacks and destructors run. They must also agree in the figures of
//! `stats`, and in the states that handles and cancellers report, even for tasks long gone.
//!
//! The suite leaves out a step whose wait no ready task would end. `SLOTTED_PROGRAMS` is how many
//! programs it plays.
#![cfg(feature = "std")]

#[path = "../stage/foreign.rs"]
mod foreign;
mod mission;
mod model;
mod pair;
mod program;
mod seen;
mod steps;

use core::any::Any;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use slotted::{Executor, JoinHandle};

use crate::foreign::hide_panics;
use crate::pair::Pair;
use crate::program::step;

const SLOTS: usize = 5;

/// How the message of a panic begins that the program asks for.
const EXPECTED: &str = "expected:";

type Pool = Executor<0, SLOTS, 96>;
/// The task's number, and what its body returns.
type Value = Result<(usize, u8), (usize, u8)>;
type Handle = JoinHandle<'static, Value>;

/// Returns true for the payloads of panics that a program asks for.
fn is_expected(payload: &(dyn Any + Send)) -> bool {
    let message = payload.downcast_ref::<String>();
    message.is_some_and(|message| message.starts_with(EXPECTED))
}

#[test]
fn random_programs_agree_with_the_oracle() {
    hide_panics(is_expected);
    let programs = std::env::var("SLOTTED_PROGRAMS");
    let config = Config {
        cases: programs.map_or(2_000, |programs| programs.parse().unwrap()),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let programs = proptest::collection::vec(step(), 1..80);
    let result = runner.run(&programs, |program| {
        let mut pair = Pair::new();
        for step in &program {
            pair.take_step(step)?;
        }
        pair.finish()
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
