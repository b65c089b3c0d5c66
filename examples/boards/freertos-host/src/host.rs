//! The host: RTOS tasks, interrupts, and the kernel's tick.

use slotted::{Clock, Park};

use crate::kernel;
use crate::seats::{self, Waiting};

/// The host: tasks of FreeRTOS.
///
/// `NOTIFICATION` is the task notification by which a task is woken, of those that
/// `configTASK_NOTIFICATION_ARRAY_ENTRIES` says each task has. The host takes it from any task
/// while that waits. An application that uses notification 0 itself, be it through stream buffers,
/// configures a second one and takes `FreeRtosHost<1>`. A number that the kernel was not configured
/// for ends in its `configASSERT`.
///
/// `HERTZ` is `configTICK_RATE_HZ`.
///
/// An interrupt counts as a thread of its own: its number is that of the exception.
#[derive(Clone, Copy, Debug)]
pub struct FreeRtosHost<const NOTIFICATION: u32 = 0, const HERTZ: u64 = 1000>;

impl<const NOTIFICATION: u32, const HERTZ: u64> Park for FreeRtosHost<NOTIFICATION, HERTZ> {
    type Thread = Waiting;

    fn current() -> Waiting {
        Waiting::current()
    }

    /// The number of the exception or, far above those, the address of the task's control block.
    fn current_id() -> usize {
        match kernel::exception() {
            // Before there are tasks: no exception has this number.
            0 => kernel::current_task().addr().max(usize::from(u16::MAX)),
            exception => exception,
        }
    }

    fn park() {
        seats::park(NOTIFICATION, kernel::ENDLESS);
    }

    fn unpark(thread: &Waiting) {
        thread.unpark();
    }
}

impl<const NOTIFICATION: u32, const HERTZ: u64> Clock for FreeRtosHost<NOTIFICATION, HERTZ> {
    const TICKS_PER_SECOND: u64 = HERTZ;

    /// From interrupts as well.
    fn now() -> u64 {
        kernel::ticks()
    }

    fn park_until(deadline: u64) {
        let left = deadline.saturating_sub(kernel::ticks());
        // One that is far away is looked at again on the way.
        let ticks = u32::try_from(left)
            .unwrap_or(kernel::ENDLESS)
            .min(kernel::ENDLESS - 1);
        if ticks > 0 {
            seats::park(NOTIFICATION, ticks);
        }
    }
}
