//! A thread that awaits handles for a submitter.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle as Thread};

use slotted::{JoinHandle, TaskError};

use crate::block_on::block_on;
use crate::task::Value;

type Handle = JoinHandle<'static, Value>;
type Outcome = Result<Value, TaskError>;

/// The submitter's end.
pub(crate) struct Awaiter {
    handles: SyncSender<Handle>,
    outcomes: Receiver<Outcome>,
    thread: Thread<()>,
}

impl Awaiter {
    pub(crate) fn start(name: String) -> Self {
        let (handles, given) = sync_channel(1);
        let (give, outcomes) = sync_channel(1);
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || serve(&given, &give))
            .expect("the system has a thread");
        Self {
            handles,
            outcomes,
            thread,
        }
    }

    /// Has the thread await the handle. The caller then calls [`outcome`](Self::outcome).
    pub(crate) fn give(&self, handle: Handle) {
        self.handles.send(handle).expect("the awaiter lives");
    }

    /// Waits for the outcome.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcomes.recv().expect("the awaiter lives")
    }

    /// Ends the thread.
    pub(crate) fn stop(self) -> thread::Result<()> {
        drop((self.handles, self.outcomes));
        self.thread.join()
    }
}

/// Awaits what it is given, until the submitter is gone.
fn serve(given: &Receiver<Handle>, give: &SyncSender<Outcome>) {
    for handle in given {
        if give.send(block_on(handle)).is_err() {
            return;
        }
    }
}
