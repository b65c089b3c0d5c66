//! Runs the scenarios on FreeRTOS, on a Cortex-M3 (QEMU's mps2-an385): `cargo run --release`.
//!
//! The main task and two workers are RTOS tasks of one priority. A timer's interrupt completes,
//! wakes and submits, and moves what is due: the clock is the kernel's tick.
#![no_std]
#![no_main]

mod application;
mod clock;
mod heap;
mod interrupt;
mod levels;
mod lives;
mod preemption;
mod scenario;
mod seats;
mod trace;

use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hio};
use freertos_next::{FreeRtosAllocator, FreeRtosUtils, Task, TaskPriority};
use panic_semihosting as _;

/// `freertos-next` needs an allocator. The scenario `heap` counts what programs take from it.
#[global_allocator]
static HEAP: FreeRtosAllocator = FreeRtosAllocator;

/// The main task's priority. Workers have this priority, the one below or the one above.
const PRIORITY: u8 = 2;

#[entry]
fn main() -> ! {
    // There is no scheduler yet. The tasks that start here wait for it.
    clock::start_early();
    Task::new()
        .name("main")
        .stack_size_bytes(16 * 1024)
        .priority(TaskPriority(PRIORITY))
        .start(|_| {
            interrupt::enable();
            let mut out = hio::hstdout().expect("the emulator has a console");
            let failed = scenario::run_all(&mut out);
            debug::exit(if failed == Ok(0) {
                debug::EXIT_SUCCESS
            } else {
                debug::EXIT_FAILURE
            });
        })
        .expect("there is room for the main task");
    FreeRtosUtils::start_scheduler()
}

/// The kernel calls it when a task has overflowed its stack.
#[unsafe(no_mangle)]
extern "C" fn vApplicationStackOverflowHook(
    _: *const core::ffi::c_void,
    _: *const core::ffi::c_char,
) -> ! {
    panic!("a task has left its stack")
}
