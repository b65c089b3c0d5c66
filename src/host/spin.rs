//! A host for one thread of execution that never sleeps.

use super::Park;

/// Never sleeps: waiting is looking again. For a super-loop, and for executors that are driven by
/// [`run_one`](crate::Executor::run_one).
///
/// It knows one thread of execution: every caller counts as the same one. With several cores or
/// RTOS tasks, write a host that tells them apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHost;

impl Park for SpinHost {
    type Thread = ();

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
