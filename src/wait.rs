//! Waiting for several handles.
#![forbid(unsafe_code)]

use core::fmt;
use core::time::Duration;

use crate::blocking::{Deadline, Never, Timeout};
use crate::group::{Members, block_on_group, is_mixed, unwatch, watch};
use crate::handle::JoinHandle;
use crate::host::{Clock, DefaultHost, Park};
use crate::wait_table::WakeOn;

/// When [`wait`] returns.
///
/// # Python
///
/// `FIRST_COMPLETED`, `FIRST_EXCEPTION`, `ALL_COMPLETED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When a task has ended or was cancelled.
    FirstCompleted,
    /// When a task has panicked, was abandoned, or has returned `Err` after
    /// [`submit_fallible`](crate::Executor::submit_fallible); or when all are done. A cancelled
    /// task is done, not failed.
    #[doc(alias = "FIRST_EXCEPTION")]
    FirstError,
    /// When all are done.
    AllCompleted,
}

/// Which handles are done and which are not.
#[must_use]
pub struct Waited<'h, 'e, T, H: Park = DefaultHost> {
    /// Handles whose outcome is takeable: their result needs no wait.
    pub done: &'h mut [JoinHandle<'e, T, H>],
    /// The other handles.
    pub not_done: &'h mut [JoinHandle<'e, T, H>],
}

impl<T, H: Park> fmt::Debug for Waited<'_, '_, T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waited")
            .field("done", &self.done.len())
            .field("not_done", &self.not_done.len())
            .finish()
    }
}

/// Waits until `return_when`, and reorders the handles: the done ones come first. It does not keep
/// the order within each part.
///
/// Cancelled counts as done. The handles may belong to executors of different sizes.
///
/// # Blocking
///
/// As [`JoinHandle::result`]. A worker runs unstarted tasks among them itself.
///
/// It returns early where the wait would never end. There a task lies beneath the waiter on its own
/// stack, or needs a worker and the host has none. It looks for no circles of workers that wait for
/// several tasks.
///
/// # Cost
///
/// Two lock-bounded steps for each handle, and one for each task that completes meanwhile.
///
/// # Python
///
/// `concurrent.futures.wait`.
///
/// ```
/// use slotted::{Executor, ReturnWhen, wait};
///
/// let executor: Executor<0, 4> = Executor::new();
/// let mut handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// let waited = wait(&mut handles, ReturnWhen::FirstCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// assert_eq!(waited.done[0].try_result().unwrap().unwrap(), 1);
/// ```
pub fn wait<'h, 'e, T, H: Park>(
    handles: &'h mut [JoinHandle<'e, T, H>],
    return_when: ReturnWhen,
) -> Waited<'h, 'e, T, H> {
    wait_with(handles, &Never::<H>::new(), return_when)
}

/// As [`wait`], but at most `timeout`; zero polls. Never an error: the handles that are not done by
/// then are in `not_done`.
///
/// # Python
///
/// `concurrent.futures.wait(timeout=…)`.
///
/// ```
/// use core::time::Duration;
/// use slotted::{Executor, ReturnWhen, wait_timeout};
///
/// let executor: Executor<1, 4> = Executor::new();
/// let mut handles = [executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap()];
/// executor.run_one();
/// let waited = wait_timeout(&mut handles, Duration::ZERO, ReturnWhen::AllCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// ```
pub fn wait_timeout<'h, 'e, T, H: Clock>(
    handles: &'h mut [JoinHandle<'e, T, H>],
    timeout: Duration,
    return_when: ReturnWhen,
) -> Waited<'h, 'e, T, H> {
    wait_with(handles, &Deadline::<H>::after(timeout), return_when)
}

/// Takes the handles out of their groups again when it is dropped.
struct Watch<'m, 'e, T, H: Park>(&'m [JoinHandle<'e, T, H>]);

impl<T, H: Park> Drop for Watch<'_, '_, T, H> {
    fn drop(&mut self) {
        for place in 0..self.0.len() {
            unwatch(self.0, place);
        }
    }
}

fn wait_with<'h, 'e, T, H: Park>(
    handles: &'h mut [JoinHandle<'e, T, H>],
    timeout: &impl Timeout,
    return_when: ReturnWhen,
) -> Waited<'h, 'e, T, H> {
    let wake_on = match return_when {
        ReturnWhen::FirstCompleted => WakeOn::Any,
        ReturnWhen::FirstError => WakeOn::Failure,
        ReturnWhen::AllCompleted => WakeOn::All,
    };
    // A handle whose outcome was taken is done, and no group announces it.
    let taken = handles.iter().any(|handle| handle.receiver().is_none());
    if !(taken && return_when == ReturnWhen::FirstCompleted) {
        let members: &[JoinHandle<'e, T, H>] = handles;
        let watching = Watch(members);
        for place in 0..members.places() {
            watch(members, place, 0..place);
        }
        // Interrupted or not: the state of each handle tells.
        let _ = block_on_group(members, is_mixed(members), wake_on, timeout);
        drop(watching);
    }
    let mut done = 0;
    for place in 0..handles.len() {
        // Not `is_ended`, which is true while callbacks still look at the value.
        if handles[place]
            .receiver()
            .is_none_or(|receiver| receiver.snapshot().is_takeable())
        {
            handles.swap(place, done);
            done += 1;
        }
    }
    let (done, not_done) = handles.split_at_mut(done);
    Waited { done, not_done }
}
