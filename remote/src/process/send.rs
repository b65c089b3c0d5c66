//! How a call enters the pool of processes, and is sent on its way.

use core::task::Waker;

use slotted::error::Refusal;
use slotted::{Canceller, Executor};

use super::pool::Processes;
use super::state::{Life, State};
use crate::entries::{Entries, Outcome};
use crate::pool_call::CallPool;
#[cfg(feature = "nodes")]
use crate::pool_call::PoolCall;
use crate::pool_submit::SubmitPool;
#[cfg(feature = "nodes")]
use crate::pool_submit::Terms;
#[cfg(feature = "nodes")]
use crate::task::TaskId;

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Processes<PROCS, QUEUE, BYTES> {
    /// A call whose types this program need not know. Its future waits for room, and holds a slot
    /// from then on. Dropping the future cancels the call.
    #[cfg(feature = "nodes")]
    pub(crate) async fn call_encoded(
        &'static self,
        id: TaskId,
        argument: &[u8],
    ) -> Result<crate::nodes::Reply, Refusal> {
        let _permit = self.executor.submitter().reserve_async().await?;
        let (index, ticket) = {
            let mut state = self.lock();
            state.accepts()?;
            let begun = state.entries.begin(id, Some(argument), Terms::default());
            let begun = begun.ok_or(Refusal::Full)?;
            state.encoded += 1;
            begun
        };
        let _counted = Counted(self);
        let call = PoolCall::new(self, index, crate::nodes::Encoded);
        self.send(index, ticket, None);
        Ok(call.await)
    }

    /// Wakes the reader if it sleeps longer than it may, or if a socket did not take all.
    fn wake_reader(&self, state: &mut State<PROCS, QUEUE, BYTES>) {
        let deadline = state.deadline();
        let is_late = match (deadline, state.reader_wakes) {
            (Some(deadline), Some(wakes)) => deadline < wakes,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let is_pending = (0..PROCS).any(|place| state.is_pending(place));
        if is_late || is_pending {
            state.reader_wakes = deadline;
            state.wake_reader();
        }
    }
}

/// A call of a node, which a shutdown waits for.
#[cfg(feature = "nodes")]
struct Counted<const PROCS: usize, const QUEUE: usize, const BYTES: usize>(
    &'static Processes<PROCS, QUEUE, BYTES>,
);

#[cfg(feature = "nodes")]
impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Drop
    for Counted<PROCS, QUEUE, BYTES>
{
    fn drop(&mut self) {
        self.0.lock().encoded -= 1;
        self.0.started.notify_all();
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> CallPool<QUEUE, BYTES>
    for Processes<PROCS, QUEUE, BYTES>
{
    fn with_entries<R>(&self, act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R) -> R {
        act(&mut self.lock().entries)
    }

    fn abandon(&self, index: u16) -> Option<Waker> {
        self.lock().abandon(index)
    }
}

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> SubmitPool<QUEUE, BYTES>
    for Processes<PROCS, QUEUE, BYTES>
{
    fn executor(&self) -> &Executor<0, QUEUE, BYTES> {
        &self.executor
    }

    fn with_open<R>(
        &self,
        act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R,
    ) -> Result<R, Refusal> {
        let mut state = self.lock();
        state.accepts()?;
        Ok(act(&mut state.entries))
    }

    fn send(&'static self, index: u16, ticket: u64, canceller: Option<Canceller<'static>>) {
        let mut state = self.lock();
        let is_begun = state.entries.is_begun(index, ticket);
        let is_running = state.life == Life::Running;
        if is_begun && is_running && !state.cancels {
            state.entries.get(index).canceller = canceller;
            state.entries.enqueue(index);
            state.dispatch();
            self.wake_reader(&mut state);
            return;
        }
        // It has ended already; or the pool cancels what was not sent; or it broke meanwhile, and
        // has no reader.
        let mut waker = None;
        if is_begun {
            let outcome = if is_running {
                Outcome::Cancelled
            } else {
                Outcome::Broken
            };
            waker = state.end_call(index, outcome);
        }
        drop(state);
        // Another thread may have polled the future, which rests.
        waker.into_iter().for_each(Waker::wake);
        let mut state = self.lock();
        if state.life == Life::Running {
            state.polls = true;
            state.wake_reader();
        } else {
            drop(state);
            self.poll_calls();
        }
    }
}
