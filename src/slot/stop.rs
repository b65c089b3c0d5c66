//! What a running closure sees of its own slot: one bit of the state word.
//!
//! Invariant **Beside**: the bytes that a job is run with lie [`BYTES_AT`] behind the start of
//! their slot, and their pointer may be used for all of that slot (*Whole*). The slot is there
//! while the job runs.

use core::fmt;

use super::state::{Asked, State};
use super::{BYTES_AT, Slot};
use crate::error::Stopped;

/// Tells a running closure that it was asked to stop.
///
/// A closure that was submitted by [`submit_stoppable`](crate::Executor::submit_stoppable) gets a
/// reference to it, which is a pointer to the state of its own task. It takes no memory.
///
/// A request is a wish. The closure decides when it looks, and what it returns. What it returns is
/// an ordinary value.
///
/// The closure may lend the reference to functions that it calls, and to tasks of its own
/// [`scope`](crate::Executor::scope). It cannot leave the closure's call.
///
/// # Python
///
/// None. Programs there share a `threading.Event` with the callable.
///
/// ```
/// use slotted::{Executor, Stop};
///
/// fn sum(numbers: &[u32], stop: &Stop) -> u32 {
///     numbers.iter().take_while(|_| !stop.requested()).sum()
/// }
/// let executor: Executor<0, 1> = Executor::new();
/// let handle = executor.submit_stoppable(|stop| sum(&[20, 22], stop)).unwrap();
/// assert_eq!(handle.result(), Ok(42));
/// ```
#[doc(alias = "stop_token")]
#[repr(transparent)]
pub struct Stop(State);

impl Slot {
    /// Asks a closure that runs to stop. A given generation must also be the task's.
    #[inline]
    pub(crate) fn ask_to_stop(&self, generation: Option<usize>) -> Asked {
        self.state.ask_to_stop(generation)
    }
}

impl Stop {
    /// The token of the task whose job is run with `bytes`.
    ///
    /// # Safety
    ///
    /// - `bytes` are those that a slot's job is run with, and the run does not end in `'s`
    ///   (*Beside*).
    #[inline(always)]
    pub(super) unsafe fn of<'s>(bytes: *mut u8) -> &'s Self {
        let slot = bytes.wrapping_sub(BYTES_AT).cast_const().cast::<Slot>();
        // SAFETY: *Beside*: the slot lies there, and the pointer may be used for it.
        let state = unsafe { &raw const (*slot).state };
        // SAFETY: *Beside*: it stays there during `'s`. It is an atomic, which all threads share. A
        // `Stop` is a `State` in memory.
        unsafe { &*state.cast::<Self>() }
    }

    /// Returns true if the task was asked to stop: by a handle's or canceller's `request_stop`, by
    /// [`cancel_sync`](crate::JoinHandle::cancel_sync), or by a shutdown with
    /// [`Shutdown::Stop`](crate::Shutdown).
    ///
    /// Once true, it stays true. What the first requester wrote before its request is visible then.
    ///
    /// # Cost
    ///
    /// One load.
    ///
    /// # Context
    ///
    /// Any thread and interrupt to which the closure lends the token. Does not block.
    ///
    /// ```
    /// use slotted::{Executor, StdThreads, Stop};
    ///
    /// fn count(stop: &Stop) -> u64 {
    ///     (0..).take_while(|_| !stop.requested()).count() as u64 // endless, but for the request
    /// }
    /// let executor: Executor<1, 1> = Executor::new();
    /// let counted = executor.run(&StdThreads::new(), |pool| {
    ///     let handle = pool.submit_stoppable(count).unwrap();
    ///     while !handle.running() {
    ///         std::thread::yield_now();
    ///     }
    ///     handle.request_stop();
    ///     handle.result()
    /// });
    /// assert!(counted.unwrap().is_ok());
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.is_asked_to_stop()
    }

    /// `Err` if the task was asked to stop, for `?`.
    ///
    /// # Errors
    ///
    /// [`Stopped`], if [`requested`](Self::requested).
    ///
    /// ```
    /// use slotted::{Executor, Stop, Stopped};
    ///
    /// fn sum(numbers: &[u32], stop: &Stop) -> Result<u32, Stopped> {
    ///     let mut sum = 0;
    ///     for number in numbers {
    ///         stop.check()?;
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// }
    /// let executor: Executor<0, 1> = Executor::new();
    /// let handle = executor.submit_stoppable(|stop| sum(&[20, 22], stop)).unwrap();
    /// assert_eq!(handle.result(), Ok(Ok(42)));
    /// ```
    #[inline(always)]
    pub fn check(&self) -> Result<(), Stopped> {
        if self.requested() {
            Err(Stopped)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("requested", &self.requested())
            .finish()
    }
}
