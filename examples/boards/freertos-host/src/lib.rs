//! A host for `slotted` on FreeRTOS, on one Cortex-M core, to be copied and changed.
//!
//! - [`FreeRtosHost`] lets RTOS tasks wait (task notifications) and tell the time (the kernel's
//!   tick, in 64 bit).
//! - [`FreeRtosTasks`] makes an RTOS task of each worker.
//!
//! ```ignore
//! static EXECUTOR: Executor<2, 8, 64, FreeRtosHost> = Executor::new();
//!
//! // Before the scheduler is started, or in any task:
//! EXECUTOR.start(&FreeRtosTasks::new().prefix("mill").stack_size(4096).priority(2))?;
//! // In a task or an interrupt handler:
//! let handle = EXECUTOR.submit(|| 6 * 7)?;
//! // In a task:
//! assert_eq!(handle.result()?, 42);
//! ```
//!
//! # What it asks for
//!
//! - FreeRTOS V10.4 or later, built with `INCLUDE_vTaskDelete`, `INCLUDE_vTaskDelay` and dynamic
//!   allocation, 32-bit ticks, and the critical section of `freertos-next` (feature
//!   `critical-section-impl`) as the only one.
//! - Interrupts that use the executor have a priority at which the kernel may be called: not above
//!   `configMAX_SYSCALL_INTERRUPT_PRIORITY`. Each may submit, complete, cancel and wake; none may
//!   wait.
//! - Whoever waits is a task, and the scheduler runs. A task may end at any time except while it
//!   waits: a task that another deletes then leaves more than a waiter behind, for what its stack
//!   lent to others is gone as well.
#![no_std]

mod host;
mod kernel;
mod seats;
mod tasks;

pub use self::host::FreeRtosHost;
pub use self::seats::{SEATS, Waiting};
pub use self::tasks::{FreeRtosTasks, Refused};
