//! Drivers that own their peripheral: one in a loop, one in an interrupt.

use core::marker::PhantomData;

use slotted::{Clock, OwnedWorker, Ran, Shutdown, TaskError};

use crate::{Board, SLOT_BYTES, Suite, Verdict, check};

/// A peripheral that keeps what it sends, and belongs to the context that drives it.
pub(crate) struct Line {
    sent: [u8; 16],
    length: usize,
    /// The context of the last call.
    sent_in: usize,
}

impl Line {
    const fn new() -> Self {
        Self {
            sent: [0; 16],
            length: 0,
            sent_in: 0,
        }
    }

    /// Sends a byte. Returns how many were sent.
    fn send<H: Clock>(&mut self, byte: u8) -> usize {
        if let Some(place) = self.sent.get_mut(self.length) {
            *place = byte;
        }
        self.sent_in = H::current_id();
        self.length += 1;
        self.length
    }

    fn sent(&self) -> &[u8] {
        &self.sent[..self.length.min(self.sent.len())]
    }
}

/// A line that must stay in its thread.
pub(crate) struct Anchored {
    line: Line,
    /// Not `Send`.
    anchor: PhantomData<*mut ()>,
}

/// A driver in an interrupt: the worker, and the line that it owns.
pub(crate) type Driver<H> = (OwnedWorker<'static, Line, H>, Line);

/// The bytes that the scenarios send, in order.
const BYTES: [u8; 10] = *b"0123456789";

impl<const WORKERS: usize, H: Clock> Suite<WORKERS, H> {
    /// The interrupt's part: sends the next byte through the line of the loop, and drives its own.
    pub(crate) fn interrupt_lines(&'static self) {
        let left = critical_section::with(|section| self.armed.bytes.replace(section, 0));
        if let Some(byte) = left.checked_sub(1) {
            let place = BYTES.len() - 1 - byte;
            let task = move |own: &mut Anchored| own.line.send::<H>(BYTES[place]);
            let left = match self.anchored.submit(task) {
                Ok(handle) => {
                    handle.detach();
                    byte
                }
                // Full: again in the next interrupt.
                Err(_) => left,
            };
            critical_section::with(|section| self.armed.bytes.replace(section, left));
        }
        let driver = critical_section::with(|section| self.armed.driver.take(section));
        if let Some((mut worker, mut line)) = driver {
            // Bound: the slots, unless a submitter is faster.
            while worker.run_one(&mut line) == Ran::Task {}
            critical_section::with(|section| {
                self.armed.driver.replace(section, Some((worker, line)))
            });
        }
    }

    /// The calling thread owns the line; an interrupt submits.
    pub(crate) fn owned_by_a_loop<S>(&'static self, _: &Board<'_, S>) -> Verdict {
        let mut worker = self.anchored.worker()?;
        check!(self.anchored.worker().is_err());
        let mut own = Anchored {
            line: Line::new(),
            anchor: PhantomData,
        };
        critical_section::with(|section| self.armed.bytes.replace(section, BYTES.len()));
        while own.line.length < BYTES.len() {
            if worker.run_one(&mut own) == Ran::Nothing {
                core::hint::spin_loop();
            }
        }
        check!(own.line.sent() == BYTES);
        check!(own.line.sent_in == H::current_id());

        // Within a task the owner cannot wait for its next one.
        let outer = self.anchored.submit(|_| {
            let inner = self.anchored.submit(|own| own.line.send::<H>(0)).ok()?;
            Some(inner.result() == Err(TaskError::WouldDeadlock))
        })?;
        check!(worker.run_one(&mut own) == Ran::Task);
        check!(outer.result()? == Some(true));
        check!(worker.run_one(&mut own) == Ran::Task);

        let last = self.anchored.submit(|own| own.line.length)?;
        self.anchored.begin_shutdown(Shutdown::Drain);
        check!(worker.run_one(&mut own) == Ran::Task);
        check!(worker.run_one(&mut own) == Ran::Left);
        check!(last.result()? == BYTES.len() + 1);
        let Anchored { line, anchor: _ } = own; // it never left
        check!(line.length == BYTES.len() + 1);
        Ok(())
    }

    /// An interrupt owns the line; the calling thread submits and waits.
    pub(crate) fn owned_by_an_interrupt<S>(&'static self, _: &Board<'_, S>) -> Verdict {
        let driver = (self.driven.worker()?, Line::new());
        critical_section::with(|section| self.armed.driver.replace(section, Some(driver)));
        for (count, byte) in BYTES.into_iter().enumerate() {
            let handle = self.driven.submit(move |line| {
                let length = line.send::<H>(byte);
                (length, line.sent_in)
            })?;
            // In place it would run in the wrong context.
            let (length, sent_in) = handle.result_inline()?;
            check!(length == count + 1 && sent_in != H::current_id());
        }
        self.driven.shutdown(Shutdown::Drain)?;
        // The worker has left; its interrupt may not have put the line back yet.
        let (_, line) = loop {
            match critical_section::with(|section| self.armed.driver.take(section)) {
                Some(driver) => break driver,
                None => core::hint::spin_loop(),
            }
        };
        check!(line.sent() == BYTES);
        check!(self.driven.stats().slots_in_use == 0);
        Ok(())
    }
}

/// Named for the suite: the size of its slots is that of all executors there.
pub(crate) type Owned<L, H> = slotted::Owned<L, 4, SLOT_BYTES, H>;
