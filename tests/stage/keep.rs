//! A host that hands its workers to the test.

use core::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};

use slotted::{Park, Spawn, Worker};

/// Sends each worker to the test.
#[derive(Debug)]
pub(crate) struct Keep<H: Park>(Sender<Worker<'static, H>>);

impl<H: Park> Spawn<H> for Keep<H> {
    type Error = Infallible;

    fn spawn(&self, worker: Worker<'static, H>) -> Result<(), Infallible> {
        self.0.send(worker).unwrap();
        Ok(())
    }
}

/// A host, and the workers that it is asked to start.
pub(crate) fn keep<H: Park>() -> (Keep<H>, Receiver<Worker<'static, H>>) {
    let (send, kept) = channel();
    (Keep(send), kept)
}
