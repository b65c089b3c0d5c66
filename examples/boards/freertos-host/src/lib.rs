//! A host for `slotted` on FreeRTOS, on one Cortex-M core, to be copied and changed.
//!
//! - [`FreeRtosHost`]: RTOS tasks wait for task notifications; the clock is the kernel's tick, in
//!   64 bits. It says why this host has a tick.
//! - [`FreeRtosTasks`]: each worker is an RTOS task.
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
//! # Requirements
//!
//! - FreeRTOS V10.4 or later, with `INCLUDE_vTaskDelete`, `INCLUDE_vTaskDelay`, dynamic allocation
//!   and 32-bit ticks. The only critical section is that of `freertos-next` (feature
//!   `critical-section-impl`).
//! - The kernel permits calls at the priority of each interrupt that uses the executor: not above
//!   `configMAX_SYSCALL_INTERRUPT_PRIORITY`. Such an interrupt may submit, complete, cancel and
//!   wake, but not wait.
//! - Only tasks wait, and the scheduler runs. A task may end at any time, except while it waits. If
//!   another task deletes a waiting task, the waiter stays linked, and what the stack lent to
//!   others is gone.
#![no_std]

mod host;
mod kernel;
mod seats;
mod tasks;

pub use self::host::FreeRtosHost;
pub use self::seats::{SEATS, Waiting};
pub use self::tasks::{FreeRtosTasks, Refused};
