//! Submits in every way from several threads for a while, and checks that nothing is lost, doubled
//! or left: `cargo run --release --example soak -- --seconds N`.
//!
//! Each task has an identity, and an entry in a ledger for what happens to it. Threads end and
//! begin the lives of three `static` executors several times a second. At the end of each life
//! every entry must tell one whole story, and the executor's own figures must agree.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Barrier, LazyLock};
use std::thread::{self, JoinHandle as Thread};
use std::time::Instant;

use fastrand::Rng;
use lexopt::Parser;

use arguments::{Arguments, HELP, Request};
use latency::Latency;
use operations::OPERATIONS;
use pool::{LARGE, MIDDLE, POOLS, SMALL};
use submitter::Report;
use summary::Summary;
use tally::Tally;

mod arguments;
mod awaiter;
mod block_on;
mod callback;
mod faults;
mod keeper;
mod latency;
mod ledger;
mod mark;
mod memory;
mod operations;
mod pause;
mod pool;
mod posts;
mod progress;
mod submitter;
mod summary;
mod tally;
mod task;
mod verdict;

/// The resident memory may grow by so much between the end of the warm-up and that of the run.
const MOST_GROWTH_KIBIBYTES: u64 = 4096;
/// The longest warm-up. It is never more than a quarter of the run.
const WARM_UP: Duration = Duration::from_secs(30);
/// Between two looks at the faults.
const LOOK: Duration = Duration::from_millis(200);

/// When the submitters stop, and when the keepers.
static SUBMITTERS_STOP: AtomicBool = AtomicBool::new(false);
static KEEPERS_STOP: AtomicBool = AtomicBool::new(false);
/// Where the keepers and the main thread meet before the first life.
static CLOSED: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(POOLS.len() + 1));

fn main() -> ExitCode {
    match arguments::parse(Parser::from_env()) {
        Ok(Request::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Request::Soak(arguments)) => soak(arguments),
        Err(error) => {
            eprintln!("soak: {error}\nTry `--help`.");
            ExitCode::from(2)
        }
    }
}

fn soak(arguments: Arguments) -> ExitCode {
    let began = Instant::now();
    let (end_watch, over) = channel();
    let watchdog = thread::spawn(move || progress::watch(arguments.patience, &over));
    let mut random = Rng::with_seed(arguments.seed);
    let keepers = start_keepers(&mut random);
    CLOSED.wait();
    let ringer = start("ringer".to_owned(), {
        let random = random.fork();
        || pause::ring(random)
    });
    let submitters: Vec<Thread<Report>> = (0..arguments.submitters)
        .map(|number| {
            let random = random.fork();
            start(format!("submitter {number}"), move || {
                submitter::work(number, random, &SUBMITTERS_STOP)
            })
        })
        .collect();

    let warm_up = WARM_UP.min(arguments.length / 4);
    wait_until(began + warm_up);
    let warm = memory::resident_kibibytes();
    wait_until(began + arguments.length);

    SUBMITTERS_STOP.store(true, Ordering::Relaxed);
    let (mut latency, mut counts) = (Latency::new(), [0; OPERATIONS.len()]);
    for report in submitters.into_iter().filter_map(join) {
        latency.add(&report.latency);
        counts
            .iter_mut()
            .zip(report.counts)
            .for_each(|(sum, count)| *sum += count);
    }
    let cold = memory::resident_kibibytes();
    KEEPERS_STOP.store(true, Ordering::Relaxed);
    POOLS.iter().for_each(pool::Pool::ask_for_end);
    let mut tally = Tally::default();
    keepers
        .into_iter()
        .filter_map(join)
        .for_each(|of_one| tally += of_one);
    pause::stop();
    join(ringer);
    drop(end_watch);
    join(watchdog);

    check_counts(&counts);
    Summary {
        arguments,
        took: began.elapsed(),
        tally,
        latency,
        counts,
        memory: check_memory(warm, cold),
    }
    .print();
    faults::print();
    if faults::count() == 0 {
        ExitCode::SUCCESS
    } else {
        eprintln!("soak: FAILED: {} faults", faults::count());
        ExitCode::FAILURE
    }
}

fn start<T: Send + 'static>(name: String, work: impl FnOnce() -> T + Send + 'static) -> Thread<T> {
    let builder = thread::Builder::new().name(name);
    builder.spawn(work).expect("the system has a thread")
}

fn start_keepers(random: &mut Rng) -> [Thread<Tally>; 3] {
    let [small, middle, large] = [random.fork(), random.fork(), random.fork()];
    [
        start("keeper 0".to_owned(), || {
            keeper::keep(&SMALL, &POOLS[0], small, &CLOSED, &KEEPERS_STOP)
        }),
        start("keeper 1".to_owned(), || {
            keeper::keep(&MIDDLE, &POOLS[1], middle, &CLOSED, &KEEPERS_STOP)
        }),
        start("keeper 2".to_owned(), || {
            keeper::keep(&LARGE, &POOLS[2], large, &CLOSED, &KEEPERS_STOP)
        }),
    ]
}

/// What the thread returns. Its panic is a fault.
fn join<T>(thread: Thread<T>) -> Option<T> {
    let name = thread.thread().name().unwrap_or("a thread").to_owned();
    let joined = thread.join().ok();
    if joined.is_none() {
        faults::report(&format_args!("{name} panicked"));
    }
    joined
}

/// Lets time pass, but not after a fault.
fn wait_until(end: Instant) {
    // Bound: time.
    while faults::count() == 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(LOOK));
    }
}

/// An operation that never ran was not soaked.
fn check_counts(counts: &[u64]) {
    for (operation, count) in OPERATIONS.iter().zip(counts) {
        if *count == 0 {
            faults::report(&format_args!("no `{}` in the whole run", operation.name));
        }
    }
}

/// Compares the memory after the warm-up with that at the end, and returns both in words.
fn check_memory(warm: Result<u64, String>, cold: Result<u64, String>) -> String {
    match (warm, cold) {
        (Ok(warm), Ok(cold)) => {
            if cold > warm + MOST_GROWTH_KIBIBYTES {
                faults::report(&format_args!(
                    "the resident memory grew from {warm} to {cold} KiB, \
                     by more than {MOST_GROWTH_KIBIBYTES}"
                ));
            }
            format!("{warm} KiB after the warm-up, {cold} KiB at the end")
        }
        (Err(reason), _) | (_, Err(reason)) => {
            format!("skipped: the check of memory because {reason}")
        }
    }
}
