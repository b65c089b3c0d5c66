//! How a pool of nodes starts and ends.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;

use slotted::error::ShutdownError;
use slotted::{Shutdown, StdThreads};

use super::driver::{Driver, now};
use super::pool::Nodes;
use super::state::{Life, State};
use super::transport::{NodesInbox, NodesStartError, Transport};
use crate::calls::Timing;

/// A pool that starts. Dropped if it does not, also if its transport panics.
struct Starting<const NODES: usize, const QUEUE: usize, const BYTES: usize>(
    &'static Nodes<NODES, QUEUE, BYTES>,
);

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> Drop
    for Starting<NODES, QUEUE, BYTES>
{
    fn drop(&mut self) {
        self.0.close_life();
    }
}

impl<const NODES: usize, const QUEUE: usize, const BYTES: usize> Nodes<NODES, QUEUE, BYTES> {
    /// Opens the transport, and starts the driver over it.
    pub(super) fn begin_life<T: Transport, E>(
        &'static self,
        timing: Timing,
        connect: impl FnOnce(NodesInbox) -> Result<T, E>,
    ) -> Result<(), NodesStartError<E>> {
        let Some(mut control) = self.thread.enter() else {
            return Err(NodesStartError::WouldDeadlock);
        };
        if !matches!(self.lock().life, Life::Off | Life::Broken) {
            return Err(NodesStartError::AlreadyStarted);
        }
        // A driver that broke down has left, or is leaving.
        control.join();
        // The calls of an earlier life have ended, and are polled here at the latest. No worker of
        // the executor would deadlock: it has none.
        let _ = self.executor.shutdown(Shutdown::Drain);
        // Each life begins with other numbers.
        let nonce = RandomState::new().build_hasher().finish() as u32;
        let life = self.lock().begin(nonce, timing);
        let starting = Starting(self);
        let inbox = NodesInbox { pool: self, life };
        let transport = connect(inbox).map_err(NodesStartError::Transport)?;
        match self.executor.start(&StdThreads::new()) {
            Ok(()) => {}
            Err(_) => unreachable!("it has ended, and no worker is spawned"),
        }
        let driver = Driver::new(self, transport);
        { control.spawn("slotted-nodes", || driver.run()) }.map_err(NodesStartError::System)?;
        core::mem::forget(starting);
        let mut state = self.lock();
        // It may have broken down already.
        if state.life == Life::Starting {
            state.life = Life::Running;
        }
        Ok(())
    }

    /// Ends the tasks, then the driver. Waits for all of them.
    pub(super) fn end_life(&'static self, how: Shutdown) -> Result<(), ShutdownError> {
        let Some(mut control) = self.thread.enter() else {
            return Err(ShutdownError::WouldDeadlock);
        };
        self.executor.begin_shutdown(Shutdown::Drain);
        if !matches!(how, Shutdown::Drain) {
            self.act(State::cancel_queued);
        }
        let how = match how {
            Shutdown::Stop => how,
            _ => Shutdown::Drain,
        };
        self.executor.shutdown(how)?;
        {
            let mut state = self.lock();
            if state.life == Life::Running {
                state.life = Life::Stopping;
            }
        }
        self.changed.notify_all();
        control.join();
        self.close_life();
        Ok(())
    }

    /// The pool has no driver any more, or none yet.
    fn close_life(&self) {
        self.act(|state| {
            state.close(now());
            state.life = Life::Off;
        });
    }
}
