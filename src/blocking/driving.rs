//! Sleeping as the driver of executors: a submitter there wakes the thread.
#![forbid(unsafe_code)]

use core::cell::Cell;

use super::{Ended, WaitFor, catch};
use crate::host::Park;
use crate::registry::Registry;
use crate::waiter::Waiter;

/// Runs `sleep` as the driver of each executor that the thread drives: a submitter there wakes it.
/// Sets `drove` if it is one.
pub(super) fn drive_asleep<H: Park>(
    registry: Registry<'_, H>,
    wait_for: &impl WaitFor<H>,
    ourselves: &Waiter<H>,
    drove: &Cell<bool>,
    sleep: impl FnOnce() -> Ended,
) -> Ended {
    // A displaced driver, the place of its executor, and the notices there.
    let (mut kept, mut place) = (None, 0);
    // The last place in which the thread is the driver. In later ones it may be that of a wait
    // beneath this one, which has to stay it.
    let mut last = 0;
    let result = catch(|| {
        let work = wait_for.any_executor(registry, &mut |registry| {
            place += 1;
            if !wait_for.drives(registry) {
                return false;
            }
            match registry.become_driver(Waiter::current()) {
                Ok(displaced) => {
                    drove.set(true);
                    last = place;
                    let since = registry.notices();
                    // The thread keeps one displaced driver until it leaves. It wakes others at
                    // once, and they look again: two threads that each drive several executors of
                    // the other's may keep each other awake.
                    if kept.is_some() {
                        registry.notify(displaced);
                    } else if !displaced.is_none() {
                        kept = Some((displaced, place, since));
                    }
                    false
                }
                Err(_ourselves) => true,
            }
        });
        if work { Ok(Ok(())) } else { sleep() }
    });
    if last > 0 {
        place = 0;
        wait_for.any_executor(registry, &mut |registry| {
            place += 1;
            // Also where the thread drives no more: a life may have begun meanwhile.
            drop(registry.stop_driving(ourselves));
            if let Some((displaced, _, since)) = kept.take_if(|(_, of, _)| *of == place) {
                registry.hand_on(displaced, since);
            }
            place == last
        });
    }
    // Cannot be left: the executors are the same in both rounds.
    if let Some((displaced, ..)) = kept {
        registry.notify(displaced);
    }
    result
}
