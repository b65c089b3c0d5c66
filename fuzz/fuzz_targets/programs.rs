//! The random programs of `tests/programs` under seeded schedules. libFuzzer's bytes are the
//! choices of the generator and the seed of the schedule, so coverage guides both:
//!
//! `RUSTFLAGS="--cfg shuttle" cargo +nightly fuzz run --sanitizer none programs`
//!
//! A failure prints its program. The file that libFuzzer writes brings it back.
#![no_main]

#[cfg(not(shuttle))]
compile_error!("the schedules need RUSTFLAGS=\"--cfg shuttle\"");

#[path = "../../tests/programs/actor.rs"]
mod actor;
#[path = "../../tests/programs/hooks.rs"]
mod hooks;
#[path = "../../tests/programs/host.rs"]
mod host;
#[path = "../../tests/programs/ledger.rs"]
mod ledger;
#[path = "../../tests/programs/limits.rs"]
mod limits;
#[path = "../../tests/programs/noting.rs"]
mod noting;
#[path = "../one_of.rs"]
mod one_of;
#[path = "../../tests/programs/play.rs"]
mod play;
#[path = "../../tests/programs/program.rs"]
mod program;
#[path = "../../tests/programs/schedules.rs"]
mod schedules;
#[path = "../../tests/programs/tasks.rs"]
mod tasks;
#[path = "../../tests/stage/told.rs"]
mod told;
#[path = "../../tests/programs/world.rs"]
mod world;

use std::panic::{set_hook, take_hook};
use std::sync::{Arc, Mutex, PoisonError};

use libfuzzer_sys::{Corpus, fuzz_target};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use slotted::{Fifo, Levels};

use crate::play::play;
use crate::program::{Program, program};
use crate::schedules::runs;
use crate::world::Scheduled;

/// Schedules of each program: their number of steps is known after the first.
const SCHEDULES: usize = 4;

/// What the generator takes may be longer than the input. Bytes that look random follow it, so that
/// a short input is a program like others. Zeros would keep a generator of numbers in a range for
/// ever.
const LEAST: usize = 0x4000;

/// The program that is being played, for the report of a failure.
static PLAYED: Mutex<Option<Arc<Program>>> = Mutex::new(None);

fn print_program() {
    let previous = take_hook();
    set_hook(Box::new(move |panic| {
        let played = PLAYED.lock().unwrap_or_else(PoisonError::into_inner);
        eprintln!("{played:#?}");
        drop(played);
        previous(panic);
    }));
}

/// The choices of the generator: the bytes, and the numbers of a linear congruence.
fn choices(bytes: &[u8], seed: u64) -> Vec<u8> {
    let next = |state: &u64| {
        let product = state.wrapping_mul(6_364_136_223_846_793_005);
        Some(product.wrapping_add(1_442_695_040_888_963_407))
    };
    let tail = core::iter::successors(next(&seed), next).map(|state| (state >> 56) as u8);
    let wanted = LEAST.saturating_sub(bytes.len());
    bytes
        .iter()
        .copied()
        .chain(tail.skip(8).take(wanted))
        .collect()
}

fuzz_target!(
    init: print_program(),
    |bytes: &[u8]| -> Corpus {
        let Some((&[depth, ref seed @ ..], bytes)) = bytes.split_first_chunk::<5>() else {
            return Corpus::Reject;
        };
        let seed = u32::from_le_bytes(*seed).into();
        let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &choices(bytes, seed));
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let tree = program().new_tree(&mut runner);
        let program = Arc::new(tree.expect("no program is rejected").current());
        *PLAYED.lock().unwrap_or_else(PoisonError::into_inner) = Some(program.clone());
        // Two worlds, so that most of the code is there twice for each shape and no more.
        let play = match program.fair {
            true => play::<Scheduled<true>, false, Levels<3>>,
            false => play::<Scheduled<false>, false, Fifo>,
        };
        // At random, or with so many changes of priority.
        let depth = Some(usize::from(depth % 4) + 1).filter(|&depth| depth > 1);
        runs(depth, SCHEDULES, seed, move || play(&program));
        Corpus::Keep
    }
);
