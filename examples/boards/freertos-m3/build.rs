//! Compiles the FreeRTOS kernel from `freertos-next`.

use freertos_build::prelude::*;

fn main() {
    let mut kernel = freertos_build::Builder::new();
    kernel.cpu_clock(25.MHz());
    kernel.interrupt_priority(32, 255);
    kernel.heap_size(128 * 1024);
    kernel.minimal_stack_size(128);
    if std::env::var_os("CARGO_FEATURE_FIGURES").is_none() {
        kernel.check_for_stack_overflow(2);
    }
    kernel
        .get_cc()
        .opt_level_str("s")
        // One for the application, one for the executor's host.
        .define("configTASK_NOTIFICATION_ARRAY_ENTRIES", "2")
        // The count of ticks overflows soon after the start, not only after 49 days.
        .define("configINITIAL_TICK_COUNT", "(0xFFFFFFFFU - 250U)");
    kernel
        .compile()
        .expect("arm-none-eabi-gcc and newlib's headers are there");
}
