//! How a test is played: within a time limit, in rounds, at two paces.

use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use slotted::{Executor, Park};

use super::actor::Actor;
use super::crew::with_crew;

/// Far longer than any test here takes. A test that needs it hangs.
const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 120 });

/// How long the rounds of one test go on. Miri has time for two rounds only.
const ROUNDS: Duration = Duration::from_millis(if cfg!(miri) { 0 } else { 500 });

/// Fails if `test` does not return within the limit, instead of hanging with it.
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let (over, is_over) = channel::<()>();
    let thread = thread::spawn(move || {
        let _over = over; // also when it panics
        test();
    });
    if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// What decides the order of the threads' steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The test decides: it waits until other threads sleep before it goes on.
    Staged,
    /// Chance decides.
    Racing,
}

impl Pace {
    /// Lets `actor` fall asleep first, if the test decides the order.
    pub(crate) fn until_asleep(self, actor: &Actor) {
        if self == Self::Staged {
            actor.until_asleep();
        }
    }
}

/// Plays `round` at both paces, as often as there is time.
pub(crate) fn rounds(mut round: impl FnMut(Pace)) {
    let begin = Instant::now();
    loop {
        round(Pace::Staged);
        round(Pace::Racing);
        if begin.elapsed() >= ROUNDS {
            break;
        }
    }
}

/// Starts the executor, plays rounds, and checks that no task and no slot is left.
pub(crate) fn play<const WORKERS: usize, const QUEUE: usize, const BYTES: usize, H: Park>(
    pool: &'static Executor<WORKERS, QUEUE, BYTES, H>,
    round: impl Fn(Pace) + Send + 'static,
) {
    within_limit(move || {
        with_crew(pool, |_| rounds(round));
        let stats = pool.stats();
        assert_eq!(
            (
                stats.slots_in_use,
                stats.running,
                stats.queued,
                stats.panicked
            ),
            (0, 0, 0, 0)
        );
    });
}
