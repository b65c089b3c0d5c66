//! How an executor gets its workers.
#![forbid(unsafe_code)]

use crate::blocking::{Never, RunUnstarted, WorkersDetached, block};
use crate::error::StartError;
use crate::host::Park;
use crate::registry::Registry;
use crate::roster::Epoch;
use crate::unwind;
use crate::worker::Worker;

/// Gives a worker of each number to `spawn`. If it refuses one, or panics, the workers that have
/// started leave, and the executor can be started again.
pub(crate) fn start<'e, H: Park, E>(
    registry: Registry<'e, H>,
    mut spawn: impl FnMut(Worker<'e, H>) -> Result<(), E>,
) -> Result<(), StartError<E>> {
    let count = registry.workers().len();
    let all = if count == 0 {
        0
    } else {
        usize::MAX >> (usize::BITS as usize - count)
    };
    let Some(epoch) = registry.begin_life(all) else {
        return Err(StartError::AlreadyStarted);
    };
    let refused = unwind::Bomb::new(|| abort(registry, epoch));
    // Fewer workers than bits in a word.
    for number in 0..count as u16 {
        if let Err(reason) = spawn(Worker::new(registry, number, epoch)) {
            // Stops the workers that have started.
            drop(refused);
            return Err(StartError::Refused {
                started: usize::from(number),
                reason,
            });
        }
    }
    refused.defuse();
    Ok(())
}

/// Stops the workers of a life that the host refused a worker for. Tasks go on waiting.
fn abort<H: Park>(registry: Registry<'_, H>, epoch: Epoch) {
    if !registry.change_roster(|roster| roster.abort(epoch)) {
        return;
    }
    registry.wake_all();
    registry.wake_abandoned_waiters();
    // Not for workers that the calling thread runs itself, by hand.
    let own = registry.workers_of_current_thread();
    // The wait has no limit, and nothing it waits for lies beneath it.
    let _ = block(
        registry,
        &WorkersDetached {
            registry,
            own,
            epoch,
        },
        &Never::<H>::new(),
        RunUnstarted::Workers,
    );
}
