//! Sleeping until a date, under any async executor.
#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::host::Clock;
use crate::registry::TaskTimers;
use crate::timers::TimerIndex;
use crate::unwind;

/// Ready at its date. It holds a timer from the call that made it until it is ready or dropped.
///
/// [`TimedSubmitter::sleep`](crate::TimedSubmitter::sleep) makes it, and says more.
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep<H: Clock> {
    timers: &'static TaskTimers<H>,
    /// `None` once it was ready.
    timer: Option<TimerIndex>,
}

impl<H: Clock> Sleep<H> {
    pub(super) fn new(timers: &'static TaskTimers<H>, timer: TimerIndex) -> Self {
        Self {
            timers,
            timer: Some(timer),
        }
    }
}

impl<H: Clock> Future for Sleep<H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = self.timer else {
            return Poll::Ready(());
        };
        match self.timers.wait(timer, context.waker().clone()) {
            Ok(displaced) => {
                unwind::discard(displaced);
                Poll::Pending
            }
            Err(waker) => {
                unwind::discard(waker);
                self.timer = None;
                unwind::discard(self.timers.release(timer));
                Poll::Ready(())
            }
        }
    }
}

impl<H: Clock> Drop for Sleep<H> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            unwind::discard(self.timers.release(timer));
        }
    }
}

impl<H: Clock> fmt::Debug for Sleep<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("over", &self.timer.is_none())
            .finish_non_exhaustive()
    }
}
