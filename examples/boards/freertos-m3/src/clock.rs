//! The clock, and an executor that starts before it.

use core::cell::Cell;
use core::time::Duration;

use critical_section::Mutex;
use freertos_next::FreeRtosUtils;
use slotted::{Clock, Shutdown, TaskError};

use crate::PRIORITY;
use crate::interrupt::{Act, request};
use crate::scenario::{Host, Pool, Verdict, check, tasks};

/// An executor that starts before the scheduler.
static EARLY: Pool<1> = Pool::new();

/// Starts the executor. Call it before the scheduler starts.
pub(crate) fn start_early() {
    EARLY
        .start(&tasks(PRIORITY))
        .expect("there is room for one worker");
}

/// The kernel counts its ticks in 32 bits, and begins shortly before the overflow (see `build.rs`).
/// The host's clock goes on.
pub(crate) fn overflow() -> Verdict {
    const LAST: u64 = u32::MAX as u64;
    const TIMEOUT: Duration = Duration::from_millis(500);
    static SEEN: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

    check!(EARLY.submit(|| 6 * 7)?.result()? == 42);
    let (promise, mut handle) = EARLY.promise::<u32>()?;
    let began = Host::now();
    check!(began <= LAST && FreeRtosUtils::get_tick_count() >= began as u32);
    check!(
        handle
            .result_timeout(TIMEOUT)
            .is_err_and(|error| error.is_timed_out())
    );
    let ended = Host::now();
    check!(ended > LAST && ended - began >= 500);
    check!(FreeRtosUtils::get_tick_count() < began as u32);

    // An interrupt sees the same time.
    request(Act::Call(|| {
        critical_section::with(|section| SEEN.borrow(section).set(Host::now()))
    }));
    let seen = critical_section::with(|section| SEEN.borrow(section).get());
    check!((ended..=Host::now()).contains(&seen));

    drop(promise);
    check!(
        handle
            .result()
            .is_err_and(|error| matches!(error, TaskError::Broken))
    );
    EARLY.shutdown(Shutdown::Drain)?;
    check!(crate::trace::was(&["interrupt", "end of interrupt"]));
    Ok(())
}
