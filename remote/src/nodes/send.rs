//! How a call enters the pool of nodes, and is sent on its way.

use core::task::Waker;

use slotted::error::Refusal;
use slotted::{Canceller, Executor};

use super::driver::now;
use super::pool::Nodes;
use super::state::Life;
use crate::entries::{Entries, Outcome};
use crate::pool_call::CallPool;
use crate::pool_submit::SubmitPool;

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> CallPool<QUEUE, BYTES>
    for Nodes<NODES, QUEUE, BYTES>
{
    fn with_entries<R>(&self, act: impl FnOnce(&mut Entries<QUEUE, BYTES>) -> R) -> R {
        act(&mut self.lock().entries)
    }

    fn abandon(&self, index: u16) -> Option<Waker> {
        self.act(|state| state.abandon(index, now()))
    }
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> SubmitPool<QUEUE, BYTES>
    for Nodes<NODES, QUEUE, BYTES>
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

    fn send(&'static self, index: u16, ticket: u64, _canceller: Option<Canceller<'static>>) {
        self.act(|state| {
            match state.entries.is_begun(index, ticket) {
                true if state.life == Life::Running => {
                    state.enqueue(index);
                    state.dispatch(now());
                }
                // The pool broke meanwhile.
                true => state.end(index, Outcome::Broken),
                // It has ended already.
                false => state.ended = true,
            }
        });
    }
}
