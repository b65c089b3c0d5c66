//! How a pool of processes starts and ends.

use core::task::Waker;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, PoisonError};

use slotted::error::ShutdownError;
use slotted::{Shutdown, StdThreads};

use super::command::Command;
use super::error::ProcessStartError;
use super::pool::Processes;
use super::reader::Reader;
use super::serve::is_worker;
use super::state::Life;
use crate::entries::Outcome;
use crate::pool_thread::InControl;

impl<const PROCS: usize, const QUEUE: usize, const BYTES: usize> Processes<PROCS, QUEUE, BYTES> {
    /// Starts the reader, which starts the processes. Waits until all of them serve.
    pub(super) fn begin_life(&'static self, command: &Command) -> Result<(), ProcessStartError> {
        if is_worker() {
            return Err(ProcessStartError::InWorker);
        }
        let Some(mut control) = self.thread.enter() else {
            return Err(ProcessStartError::WouldDeadlock);
        };
        if !matches!(self.lock().life, Life::Off | Life::Broken) {
            return Err(ProcessStartError::AlreadyStarted);
        }
        self.join_reader(&mut control);
        // The calls of an earlier life have ended, and are polled here at the latest. No worker of
        // the executor would deadlock: it has none.
        let _ = self.executor.shutdown(Shutdown::Drain);
        let (wake, woken) = UnixStream::pair().map_err(ProcessStartError::System)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true)
                .map_err(ProcessStartError::System)?;
        }
        let command = Arc::new(command.clone());
        self.lock().begin(command.clone(), wake);
        let reader = Reader::new(self, command, woken);
        if let Err(error) = control.spawn("slotted-processes", || reader.run()) {
            let mut state = self.lock();
            (state.life, state.wake) = (Life::Off, None);
            return Err(ProcessStartError::System(error));
        }
        let mut state = self.lock();
        // Bound: the reader ends each start, at the latest when its time is up.
        while state.life == Life::Starting {
            state = { self.started.wait(state) }.unwrap_or_else(PoisonError::into_inner);
        }
        let error = state.start_error.take();
        drop(state);
        if let Some(error) = error {
            self.join_reader(&mut control);
            return Err(error);
        }
        match self.executor.start(&StdThreads::new()) {
            Ok(()) => Ok(()),
            Err(_) => unreachable!("it has ended, and no worker is spawned"),
        }
    }

    /// Waits for the reader to leave.
    fn join_reader(&self, control: &mut InControl) {
        if control.join() {
            let mut state = self.lock();
            (state.life, state.wake) = (Life::Off, None);
        }
    }

    /// Ends the tasks, then the processes and the reader. Waits for all of them.
    pub(super) fn end_life(&'static self, how: Shutdown) -> Result<(), ShutdownError> {
        let Some(mut control) = self.thread.enter() else {
            return Err(ShutdownError::WouldDeadlock);
        };
        self.executor.begin_shutdown(Shutdown::Drain);
        self.lock().is_closing = true;
        if !matches!(how, Shutdown::Drain) {
            self.lock().cancels = true;
            // Bound: the calls that wait; none follows.
            loop {
                let ended = self.lock().end_queued(Outcome::Cancelled);
                let Some(waker) = ended else { break };
                waker.into_iter().for_each(Waker::wake);
            }
        }
        let how = match how {
            Shutdown::Stop => how,
            _ => Shutdown::Drain,
        };
        self.executor.shutdown(how)?;
        {
            let mut state = self.lock();
            // Bound: the calls of nodes that are there; none is accepted any more.
            while state.encoded > 0 && state.life == Life::Running && how != Shutdown::Stop {
                state = { self.started.wait(state) }.unwrap_or_else(PoisonError::into_inner);
            }
            if state.life == Life::Running {
                if state.encoded > 0 {
                    state.kill_all(); // `Stop`
                }
                state.life = Life::Stopping;
                state.wake_reader();
            }
        }
        self.join_reader(&mut control);
        Ok(())
    }
}
