//! How far the run has come, and the watchdog.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use crate::faults;
use crate::memory;
use crate::pool::POOLS;
use crate::posts;
use crate::tally::Tally;

/// Between two progress lines.
const INTERVAL: Duration = Duration::from_secs(5);
/// Between two looks at the threads.
const LOOK: Duration = Duration::from_secs(1);

static ENDED: AtomicUsize = AtomicUsize::new(0);
static LIVES: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn count_life(tally: &Tally) {
    ENDED.fetch_add(tally.ended(), Ordering::Relaxed);
    LIVES.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn lives() -> usize {
    LIVES.load(Ordering::Relaxed)
}

/// Prints how far the run is, and ends the process if a thread takes no step, until `over`.
pub(crate) fn watch(patience: Duration, over: &Receiver<()>) {
    let began = Instant::now();
    let mut printed = began;
    // Endless for a reason: the run decides.
    while over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        if printed.elapsed() >= INTERVAL {
            printed = Instant::now();
            print(began.elapsed());
        }
        let stuck = posts::stuck_for(patience);
        if !stuck.is_empty() {
            give_up(patience, &stuck);
        }
    }
}

fn print(elapsed: Duration) {
    let memory = memory::resident_kibibytes().map_or_else(|_| "?".to_owned(), |n| n.to_string());
    eprintln!(
        "soak: {:4} s, {} tasks ended, {} lives, {memory} KiB, {} faults",
        elapsed.as_secs(),
        ENDED.load(Ordering::Relaxed),
        lives(),
        faults::count()
    );
}

/// A thread is stuck: prints all that is known, and ends the process.
fn give_up(patience: Duration, stuck: &[String]) -> ! {
    eprintln!(
        "soak: FAULT: no step for {patience:?}: {}",
        stuck.join(", ")
    );
    for line in posts::describe() {
        eprintln!("soak:   {line}");
    }
    for pool in &POOLS {
        eprintln!("soak:   `{}`: {}", pool.name, pool.stats());
    }
    faults::print();
    process::exit(1);
}
