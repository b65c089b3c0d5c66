//! A host for one thread of execution that never sleeps.

use super::Park;

/// Never sleeps: a thread that waits looks again. For a super-loop, and for executors that a thread
/// drives by [`run_one`](crate::Executor::run_one).
///
/// It knows one thread of execution: every caller counts as the same one. With several cores or
/// RTOS tasks, write a host that tells them apart.
///
/// ```
/// # use slotted::{Executor, SpinHost};
/// let executor: Executor<0, 4, 64, SpinHost> = Executor::new();
/// assert_eq!(executor.submit(|| 6 * 7).unwrap().result(), Ok(42));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHost;

impl Park for SpinHost {
    type Thread = ();
    type Order = crate::order::Fifo;

    #[inline(always)]
    fn current() {}

    #[inline(always)]
    fn current_id() -> usize {
        1
    }

    #[inline(always)]
    fn park() {
        core::hint::spin_loop();
    }

    #[inline(always)]
    fn unpark((): &()) {}
}
