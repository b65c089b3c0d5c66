//! embassy-executor: the caller spawns a task with its argument, the executor polls it, and a
//! signal brings the result.

use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use static_cell::StaticCell;

use super::work;

static EXECUTOR: StaticCell<Executor> = StaticCell::new();
pub(super) static RESULT: Signal<CriticalSectionRawMutex, u32> = Signal::new();

/// Wakes the polling thread, as embassy's own pender does on a Cortex-M.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    cortex_m::asm::sev();
}

#[embassy_executor::task]
async fn task(number: u32) {
    RESULT.signal(work(number));
}

/// The executor. The program calls it once.
pub fn executor() -> &'static Executor {
    EXECUTOR.init(Executor::new(core::ptr::null_mut()))
}

/// Spawns a task, polls it, takes its result.
pub fn start() -> impl FnMut(u32) -> Option<u32> {
    let executor = executor();
    let spawner = executor.spawner();
    move |number| {
        spawner.spawn(task(number).ok()?);
        // SAFETY: this is the only thread, and no task polls.
        unsafe { executor.poll() };
        RESULT.try_take()
    }
}

/// Spawns a task and waits, in another task, for its result.
pub async fn spawn_and_wait(spawner: Spawner, number: u32) -> Option<u32> {
    spawner.spawn(task(number).ok()?);
    Some(RESULT.wait().await)
}
