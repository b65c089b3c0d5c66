//! Random programs, played on both sides and compared.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::plan::lines;
use crate::program::sketch;
use crate::rule::RULES;
use crate::sides::Sides;
use crate::world::Kind;

/// The number in an environment variable.
fn variable(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else {
        return default;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{name} is not a number"))
}

/// Steps that random programs must meet. The second word counts where it is no number.
const STEPS: [&str; 35] = [
    "submit",
    "promise",
    "open",
    "set-result",
    "set-exception",
    "set-running",
    "abandon",
    "cancel",
    "state",
    "result zero",
    "result endless",
    "peek zero",
    "peek endless",
    "exception zero",
    "exception endless",
    "callback",
    "wait first-completed zero",
    "wait first-error zero",
    "wait all-completed zero",
    "wait first-completed endless",
    "wait first-error endless",
    "wait all-completed endless",
    "completed zero",
    "completed endless",
    "iterate",
    "next ordered",
    "next sorted",
    "leave",
    "map zero",
    "map endless",
    "shutdown begin drain",
    "shutdown wait drain",
    "shutdown begin cancel",
    "shutdown wait cancel",
    "drop",
];

/// Those of them, and of the rules, that a pool of processes has not.
const NO_PROCESS_MEETS: [&str; 4] = [
    "map zero",
    "shutdown begin drain",
    "shutdown begin cancel",
    "next sorted",
];

/// The kinds of a line: its step without numbers, that beside another step, and its rule.
fn kinds(line: &str) -> Vec<String> {
    let (line, rule) = line.split_once(" ! ").unwrap_or((line, ""));
    let rule = rule.split(' ').next().filter(|rule| !rule.is_empty());
    let kind = |step: &str| {
        let is_word = |word: &&str| word.len() > 1 && word.parse::<u32>().is_err();
        let words: Vec<&str> = step.split(' ').filter(is_word).collect();
        match words[0] {
            "submit" | "callback" => words[0].to_owned(),
            _ => words.join(" "),
        }
    };
    let mut kinds: Vec<String> = rule.map(str::to_owned).into_iter().collect();
    match line
        .strip_prefix("while ")
        .and_then(|both| both.split_once(" || "))
    {
        Some((action, wait)) => kinds.push(format!("while {} || {}", kind(action), kind(wait))),
        None if !line.starts_with("settle") => kinds.push(kind(line)),
        None => {}
    }
    kinds
}

/// Plays random programs on both sides. `default` is their number, if no variable says another.
pub(crate) fn compare(mut sides: Sides, kind: Kind, default: u64) {
    let cases = variable("SLOTTED_PROGRAMS", default);
    let seed = variable("SLOTTED_SEED", 0);
    let config = Config {
        cases: u32::try_from(cases).expect("so many programs take weeks"),
        failure_persistence: None,
        max_shrink_time: 20_000, // milliseconds
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let began = Instant::now();
    let must = STEPS.iter().copied();
    let must = must.chain(RULES.iter().map(|(name, _)| *name));
    let must = must.filter(|name| kind == Kind::Threads || !NO_PROCESS_MEETS.contains(name));
    let mut met: BTreeMap<String, usize> = must.map(|name| (name.to_owned(), 0)).collect();
    let shared = RefCell::new((&mut sides, &mut met));
    let result = runner.run(&sketch(), |sketch| {
        let mut shared = shared.borrow_mut();
        let lines = lines(&sketch, kind);
        for line in &lines {
            for name in kinds(line) {
                *shared.1.entry(name).or_default() += 1;
            }
        }
        shared.0.compare(&lines).map_err(TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("SLOTTED_SEED={seed}: {failure}");
    }
    let (lines, time) = (sides.lines, began.elapsed());
    eprintln!("{cases} programs of seed {seed}, {lines} lines, in {time:.1?}; {met:?}");
    met.retain(|_, times| *times == 0);
    assert!(cases < default || met.is_empty(), "no program met {met:?}");
}
