//! The host: RTOS tasks, interrupts, and the kernel's tick.

use slotted::{Clock, Park};

use crate::kernel;
use crate::seats::{self, Waiting};

/// The host: tasks of FreeRTOS.
///
/// `NOTIFICATION` is the number of the task notification that wakes a task, below
/// `configTASK_NOTIFICATION_ARRAY_ENTRIES`. The host takes it from any task that waits. If an
/// application uses notification 0 itself, even through stream buffers, it configures a second one
/// and takes `FreeRtosHost<1>`. The kernel's `configASSERT` catches a number beyond its
/// configuration.
///
/// `HERTZ` is `configTICK_RATE_HZ`.
///
/// The clock is the kernel's tick, and stays it: time slices and the time limits of waits come from
/// it, so a second clock would save no interrupt. A wait with a time limit is one of the kernel's.
/// With `configUSE_TICKLESS_IDLE` the kernel leaves out the ticks until the earliest of them. There
/// is no [`Clock::set_alarm`]: the hook of the tick, or a task, calls `Timetable::advance`.
///
/// An interrupt counts as a thread; its number is that of the exception.
#[derive(Clone, Copy, Debug)]
pub struct FreeRtosHost<const NOTIFICATION: u32 = 0, const HERTZ: u64 = 1000>;

impl<const NOTIFICATION: u32, const HERTZ: u64> Park for FreeRtosHost<NOTIFICATION, HERTZ> {
    type Thread = Waiting;
    type Order = slotted::Fifo;

    fn current() -> Waiting {
        Waiting::current()
    }

    /// The number of the exception. In a task: the address of its control block, which is far above
    /// those.
    fn current_id() -> usize {
        match kernel::exception() {
            // Before there are tasks, the number is one that no exception has.
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

    /// Interrupts may call it too.
    fn now() -> u64 {
        kernel::ticks()
    }

    fn park_until(deadline: u64) {
        let left = deadline.saturating_sub(kernel::ticks());
        // A wait for a distant deadline ends early; the waiter then calls again.
        let ticks = u32::try_from(left)
            .unwrap_or(kernel::ENDLESS)
            .min(kernel::ENDLESS - 1);
        if ticks > 0 {
            seats::park(NOTIFICATION, ticks);
        }
    }
}
