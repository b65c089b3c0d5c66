//! A serial line in memory, of two pipes. Reads and writes move a few bytes at a time, as those of
//! a UART do.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use embedded_io::{ErrorKind, ErrorType};

/// One direction of the line.
#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// How many bytes it holds before a writer waits.
    room: usize,
    is_closed: bool,
    /// The next read fails with it.
    overrun: bool,
    /// Of all bytes that went in, the number of those that are still to be lost: the next ones.
    losses: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Reads that were dropped with bytes in them.
    torn: usize,
    written: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Pipe(Rc<RefCell<State>>);

impl Pipe {
    pub(crate) fn new(room: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            room,
            ..State::default()
        })))
    }

    /// The other end closes it.
    pub(crate) fn close(&self) {
        self.act(|state| state.is_closed = true);
    }

    /// The next read fails once.
    pub(crate) fn overrun(&self) {
        self.act(|state| state.overrun = true);
    }

    /// Loses the next bytes.
    pub(crate) fn lose(&self, bytes: usize) {
        self.act(|state| state.losses += bytes);
    }

    /// Makes more room.
    pub(crate) fn widen(&self, room: usize) {
        self.act(|state| state.room = room);
    }

    pub(crate) fn torn(&self) -> usize {
        self.0.borrow().torn
    }

    /// All bytes that were ever written.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    fn act(&self, act: impl FnOnce(&mut State)) {
        let mut state = self.0.borrow_mut();
        act(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn is_readable(&self) -> bool {
        let state = self.0.borrow();
        !state.bytes.is_empty() || state.is_closed || state.overrun
    }

    fn is_writable(&self) -> bool {
        let state = self.0.borrow();
        state.bytes.len() < state.room || state.is_closed
    }

    /// Takes up to 5 bytes.
    fn take(&self, out: &mut [u8]) -> Result<usize, PipeError> {
        let mut taken = Ok(0);
        self.act(|state| {
            if core::mem::take(&mut state.overrun) {
                taken = Err(PipeError::Overrun);
                return;
            }
            let len = state.bytes.len().min(out.len()).min(5);
            for (place, byte) in out.iter_mut().zip(state.bytes.drain(..len)) {
                *place = byte;
            }
            taken = Ok(len);
        });
        taken
    }

    /// Puts up to 3 bytes in.
    fn put(&self, bytes: &[u8]) -> usize {
        let mut put = 0;
        self.act(|state| {
            put = bytes.len().min(3).min(state.room - state.bytes.len());
            state.written.extend(&bytes[..put]);
            for &byte in &bytes[..put] {
                match state.losses.checked_sub(1) {
                    Some(left) => state.losses = left,
                    None => state.bytes.push_back(byte),
                }
            }
        });
        put
    }

    fn poll_read(&self, context: &Context<'_>, out: &mut [u8]) -> Poll<Result<usize, PipeError>> {
        if self.is_readable() {
            return Poll::Ready(self.take(out));
        }
        self.0.borrow_mut().reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<usize> {
        if self.is_writable() {
            return Poll::Ready(self.put(bytes));
        }
        self.0.borrow_mut().writer = Some(context.waker().clone());
        Poll::Pending
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PipeError {
    Overrun,
}

impl fmt::Display for PipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes came too fast")
    }
}

impl core::error::Error for PipeError {}

impl embedded_io::Error for PipeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// An end of the line whose calls must not wait: a call that would panics.
pub(crate) struct Polled {
    pub(crate) rx: Pipe,
    pub(crate) tx: Pipe,
}

impl ErrorType for Polled {
    type Error = PipeError;
}

impl embedded_io::Read for Polled {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, PipeError> {
        assert!(self.rx.is_readable(), "the read would wait");
        self.rx.take(out)
    }
}

impl embedded_io::ReadReady for Polled {
    fn read_ready(&mut self) -> Result<bool, PipeError> {
        Ok(self.rx.is_readable())
    }
}

impl embedded_io::Write for Polled {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, PipeError> {
        assert!(self.tx.is_writable(), "the write would wait");
        Ok(self.tx.put(bytes))
    }

    fn flush(&mut self) -> Result<(), PipeError> {
        panic!("the flush would wait");
    }
}

impl embedded_io::WriteReady for Polled {
    fn write_ready(&mut self) -> Result<bool, PipeError> {
        Ok(self.tx.is_writable())
    }
}

/// The receiving half of an end, for async tasks. It takes the bytes a poll before the read is
/// done, as DMA does: a read that is dropped between loses them.
pub(crate) struct Rx(pub(crate) Pipe);

/// Notices a read that is dropped with bytes in it.
struct Torn<'p>(&'p Pipe, usize);

impl Drop for Torn<'_> {
    fn drop(&mut self) {
        self.0.0.borrow_mut().torn += self.1;
    }
}

impl ErrorType for Rx {
    type Error = PipeError;
}

impl embedded_io_async::Read for Rx {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, PipeError> {
        let mut torn = Torn(&self.0, 0);
        torn.1 = poll_fn(|context| self.0.poll_read(context, out)).await?;
        let mut is_first = true;
        poll_fn(|context| {
            if core::mem::take(&mut is_first) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        Ok(core::mem::take(&mut torn.1))
    }
}

/// The sending half.
pub(crate) struct Tx(pub(crate) Pipe);

impl ErrorType for Tx {
    type Error = PipeError;
}

impl embedded_io_async::Write for Tx {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, PipeError> {
        Ok(poll_fn(|context| self.0.poll_write(context, bytes)).await)
    }

    async fn flush(&mut self) -> Result<(), PipeError> {
        Ok(())
    }
}
