//! Both ends of a line on a serial port of `embedded-io`. No call waits for the port.

use core::fmt;

use embedded_io::{Read, ReadReady, Write, WriteReady};

use crate::line::frame_bytes;
use crate::link::Link;
use crate::port_error::PortError;
use crate::task::Tasks;
use crate::worker::LineWorker;

/// The most bytes that one call takes from the port.
const TAKEN: usize = 32;

/// A serial port with an end of a line on it. `FRAME` is at least
/// [`frame_bytes(BYTES)`](crate::frame_bytes).
///
/// It never waits for the port, which must hold received bytes until they are read: a UART with a
/// buffer that an interrupt or DMA fills. It keeps what is left of a frame when the port takes no
/// more bytes.
///
/// The submitter's board:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::Task;
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use embedded_io::{Read, ReadReady, Write, WriteReady};
/// use slotted::Executor;
/// use slotted_remote::{Link, PortError, SerialPort, Timing, frame_bytes};
///
/// static LINK: Link<4, 64> = Link::new();
/// static CALLS: Executor<0, 8> = Executor::new();
///
/// fn main_loop<P: Read + ReadReady + Write + WriteReady>(
///     uart: P,
///     milliseconds: impl Fn() -> u64,
///     sleep: impl Fn(),
/// ) -> Result<u64, PortError<P::Error>> {
///     let mut port: SerialPort<P, { frame_bytes(64) }> = SerialPort::new(uart);
///     LINK.open(1, Timing::resend_after(20)); // another number at each boot
///     let mut square = LINK.submit(CALLS.submitter(), Square(7)).expect("the link is empty");
///     loop {
///         let is_busy = port.drive(&LINK, milliseconds())?;
///         while CALLS.run_one() {}
///         if let Some(result) = square.try_result() {
///             return Ok(result.expect("the other board is there"));
///         }
///         if !is_busy {
///             sleep(); // until an interrupt: of the UART, or of the clock
///         }
///     }
/// }
/// ```
///
/// The worker's board:
///
/// ```
/// # use embedded_io::{Read, ReadReady, Write, WriteReady};
/// # use slotted_remote::{PortError, Tasks};
/// use slotted_remote::{LineWorker, SerialPort, frame_bytes};
///
/// fn main_loop<T: Tasks, P: Read + ReadReady + Write + WriteReady>(
///     uart: P,
///     boot: u32,
///     sleep: impl Fn(),
/// ) -> Result<(), PortError<P::Error>> {
///     let mut port: SerialPort<P, { frame_bytes(64) }> = SerialPort::new(uart);
///     let mut worker: LineWorker<T, 4, 64> = LineWorker::new(boot);
///     loop {
///         if !port.serve(&mut worker)? {
///             sleep();
///         }
///     }
/// }
/// ```
pub struct SerialPort<P, const FRAME: usize> {
    port: P,
    frame: [u8; FRAME],
    /// The part of `frame` that the port has not taken yet.
    from: usize,
    to: usize,
}

impl<P, const FRAME: usize> SerialPort<P, FRAME> {
    /// Takes a port. The first byte that it sends ends what an earlier life may have left on the
    /// line.
    ///
    /// ```
    /// use slotted_remote::{SerialPort, frame_bytes};
    ///
    /// fn on<P>(uart: P) -> SerialPort<P, { frame_bytes(64) }> {
    ///     SerialPort::new(uart)
    /// }
    /// # let _ = on(());
    /// ```
    #[must_use]
    pub const fn new(port: P) -> Self {
        Self {
            port,
            frame: [0; FRAME],
            from: 0,
            to: 1,
        }
    }

    /// The port, for its own settings.
    ///
    /// ```
    /// # use slotted_remote::{SerialPort, frame_bytes};
    /// # #[derive(Debug, PartialEq)]
    /// # struct Uart { baud_rate: u32 }
    /// # let uart = Uart { baud_rate: 115_200 };
    /// let mut port: SerialPort<Uart, { frame_bytes(64) }> = SerialPort::new(uart);
    /// port.port().baud_rate = 57_600;
    /// # assert_eq!(port.port(), &Uart { baud_rate: 57_600 });
    /// ```
    pub const fn port(&mut self) -> &mut P {
        &mut self.port
    }
}

impl<P: Read + ReadReady + Write + WriteReady, const FRAME: usize> SerialPort<P, FRAME> {
    /// Moves bytes between the port and a link, at the tick `now`: takes up to 32 bytes, and sends
    /// the frames that are due, as far as the port takes them.
    ///
    /// Returns true if bytes moved. A board that gets false may sleep until a byte comes, until the
    /// port takes bytes again, until a call begins, or until
    /// [`next_at`](Link::next_at).
    ///
    /// # Errors
    ///
    /// Those of the port. The board may call again.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use core::convert::Infallible;
    /// # use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
    /// # /// Takes all bytes, and has none.
    /// # struct Silent;
    /// # impl ErrorType for Silent {
    /// #     type Error = Infallible;
    /// # }
    /// # impl Read for Silent {
    /// #     fn read(&mut self, _: &mut [u8]) -> Result<usize, Infallible> { Ok(0) }
    /// # }
    /// # impl ReadReady for Silent {
    /// #     fn read_ready(&mut self) -> Result<bool, Infallible> { Ok(false) }
    /// # }
    /// # impl Write for Silent {
    /// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> { Ok(bytes.len()) }
    /// #     fn flush(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # impl WriteReady for Silent {
    /// #     fn write_ready(&mut self) -> Result<bool, Infallible> { Ok(true) }
    /// # }
    /// # use slotted_remote::{Link, SerialPort, Timing, frame_bytes};
    /// # let link: Link<4, 64> = Link::new();
    /// # link.open(1, Timing::resend_after(20));
    /// # let call = link.call(Square(7)).unwrap();
    /// # let mut port: SerialPort<_, { frame_bytes(64) }> = SerialPort::new(Silent);
    /// assert_eq!(port.drive(&link, 0), Ok(true)); // greets the other board, which is silent
    /// assert_eq!(port.drive(&link, 0), Ok(false));
    /// assert_eq!(link.next_at(), Some(20)); // so long the board may sleep
    /// # drop(call);
    /// ```
    pub fn drive<const CALLS: usize, const BYTES: usize>(
        &mut self,
        link: &Link<CALLS, BYTES>,
        now: u64,
    ) -> Result<bool, PortError<P::Error>> {
        const { assert_room::<FRAME, BYTES>() }
        let has_received = self.receive(|byte| link.push(now, byte))?;
        let has_sent = self.send(|frame| link.next(now, frame))?;
        Ok(has_received || has_sent)
    }

    /// Moves bytes between the port and a worker, and runs at most one task: takes up to 32 bytes,
    /// runs the oldest call that waits, and sends the frames that are due, as far as the port takes
    /// them.
    ///
    /// Returns true if bytes moved or a task ran. A board that gets false may sleep until a byte
    /// comes, or until the port takes bytes again.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// # Errors
    ///
    /// Those of the port. The board may call again.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use core::convert::Infallible;
    /// # use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
    /// # /// Takes all bytes, and has none.
    /// # struct Silent;
    /// # impl ErrorType for Silent {
    /// #     type Error = Infallible;
    /// # }
    /// # impl Read for Silent {
    /// #     fn read(&mut self, _: &mut [u8]) -> Result<usize, Infallible> { Ok(0) }
    /// # }
    /// # impl ReadReady for Silent {
    /// #     fn read_ready(&mut self) -> Result<bool, Infallible> { Ok(false) }
    /// # }
    /// # impl Write for Silent {
    /// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> { Ok(bytes.len()) }
    /// #     fn flush(&mut self) -> Result<(), Infallible> { Ok(()) }
    /// # }
    /// # impl WriteReady for Silent {
    /// #     fn write_ready(&mut self) -> Result<bool, Infallible> { Ok(true) }
    /// # }
    /// # use slotted_remote::{LineWorker, SerialPort, frame_bytes};
    /// # let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(1);
    /// # let mut port: SerialPort<_, { frame_bytes(64) }> = SerialPort::new(Silent);
    /// assert_eq!(port.serve(&mut worker), Ok(true)); // sends the byte that clears the line
    /// assert_eq!(port.serve(&mut worker), Ok(false)); // the board may sleep
    /// ```
    pub fn serve<T: Tasks, const CALLS: usize, const BYTES: usize>(
        &mut self,
        worker: &mut LineWorker<T, CALLS, BYTES>,
    ) -> Result<bool, PortError<P::Error>> {
        const { assert_room::<FRAME, BYTES>() }
        let has_received = self.receive(|byte| worker.push(byte))?;
        let has_run = worker.run_one();
        let has_sent = self.send(|frame| worker.next(frame))?;
        Ok(has_received || has_run || has_sent)
    }

    fn receive(&mut self, push: impl FnMut(u8)) -> Result<bool, PortError<P::Error>> {
        if !self.port.read_ready().map_err(PortError::Port)? {
            return Ok(false);
        }
        let mut bytes = [0; TAKEN];
        match self.port.read(&mut bytes).map_err(PortError::Port)? {
            0 => Err(PortError::Closed),
            len => {
                bytes[..len].iter().copied().for_each(push);
                Ok(true)
            }
        }
    }

    fn send(
        &mut self,
        mut next: impl FnMut(&mut [u8]) -> Option<usize>,
    ) -> Result<bool, PortError<P::Error>> {
        let mut has_sent = false;
        // Bound: an end has a few frames for each call, and nothing is received meanwhile.
        loop {
            if self.from == self.to {
                let Some(len) = next(&mut self.frame) else {
                    return Ok(has_sent);
                };
                (self.from, self.to) = (0, len);
            }
            if !self.port.write_ready().map_err(PortError::Port)? {
                return Ok(has_sent);
            }
            let rest = &self.frame[self.from..self.to];
            match self.port.write(rest).map_err(PortError::Port)? {
                0 => return Err(PortError::Closed),
                len => self.from += len,
            }
            has_sent = true;
        }
    }
}

/// Fails to compile if a frame does not fit.
const fn assert_room<const FRAME: usize, const BYTES: usize>() {
    assert!(
        FRAME >= frame_bytes(BYTES),
        "slotted-remote: a frame does not fit: FRAME is at least frame_bytes(BYTES)"
    );
}

impl<P, const FRAME: usize> fmt::Debug for SerialPort<P, FRAME> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialPort").finish_non_exhaustive()
    }
}
