//! Both ends of a line on a serial port of `embedded-io-async`, as futures for any executor.
//!
//! Each end is two loops, which are polled together: one receives, the other sends. Neither
//! is dropped before the other ends, so no read is given up half way: it might lose bytes.

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embedded_io_async::{Read, Write};

use crate::line::frame_bytes;
use crate::link::Link;
use crate::port_error::PortError;
use crate::task::Tasks;
use crate::worker::LineWorker;

/// The most bytes of one read.
const TAKEN: usize = 32;

/// How a loop ends: only by an error.
type Ended<E> = Result<Infallible, PortError<E>>;

/// Drives a link over a serial port, until the port fails. Returns the port's error.
///
/// `now` reads the caller's clock. `sleep_until` makes a future that ends at a tick of it. `frame`
/// holds a frame while it is sent.
///
/// A task of embassy that drives the link:
///
/// ```
/// # use core::future::{Ready, ready};
/// # use embedded_io_async::{ErrorType, Read, Write};
/// # use slotted_remote::Link;
/// use slotted_remote::{frame_bytes, run_link};
///
/// static LINK: Link<4, 64> = Link::new();
/// # struct Instant;
/// # impl Instant {
/// #     fn now() -> Self { Self }
/// #     fn from_millis(_: u64) -> Self { Self }
/// #     fn as_millis(&self) -> u64 { 0 }
/// # }
/// # struct Timer;
/// # impl Timer { fn at(_: Instant) -> Ready<()> { ready(()) } }
/// # macro_rules! warn { ($($word:tt)*) => {} }
///
/// async fn drive<E: core::fmt::Debug>(
///     mut rx: impl Read<Error = E>, // of a `BufferedUart`
///     mut tx: impl Write<Error = E>,
/// ) {
///     let mut frame = [0; frame_bytes(64)];
///     loop {
///         let now = || Instant::now().as_millis();
///         let sleep_until = |tick| Timer::at(Instant::from_millis(tick));
///         let error = run_link(&LINK, &mut rx, &mut tx, &mut frame, now, sleep_until).await;
///         warn!("{}", error); // an overrun, say: the line goes on
///     }
/// }
/// ```
///
/// # Cancellation
///
/// Dropping the future stops the link, and may lose bytes. Another call goes on: frames that were
/// cut are sent again.
///
/// # Panics
///
/// If `frame` is shorter than [`frame_bytes(BYTES)`](crate::frame_bytes).
pub async fn run_link<R, W, S, const CALLS: usize, const BYTES: usize>(
    link: &Link<CALLS, BYTES>,
    rx: R,
    tx: W,
    frame: &mut [u8],
    now: impl Fn() -> u64,
    sleep_until: impl Fn(u64) -> S,
) -> PortError<R::Error>
where
    R: Read,
    W: Write<Error = R::Error>,
    S: Future<Output = ()>,
{
    assert_room::<BYTES>(frame);
    let receive = receive(rx, |byte| link.push(now(), byte));
    let send = async {
        let mut tx = tx;
        begin(&mut tx).await?;
        loop {
            let len = match link.next(now(), frame) {
                Some(len) => len,
                None => {
                    tx.flush().await.map_err(PortError::Port)?;
                    next_frame(link, frame, &now, &sleep_until).await
                }
            };
            write(&mut tx, &frame[..len]).await?;
        }
    };
    first_error(receive, send).await
}

/// Waits until a frame is due. Returns how long it is.
async fn next_frame<S: Future<Output = ()>, const CALLS: usize, const BYTES: usize>(
    link: &Link<CALLS, BYTES>,
    frame: &mut [u8],
    now: &impl Fn() -> u64,
    sleep_until: &impl Fn(u64) -> S,
) -> usize {
    loop {
        let at = link.next_at();
        let mut sleep = pin!(async {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        });
        let due = poll_fn(|context| {
            if let Poll::Ready(len) = link.poll_next(context, now(), frame) {
                return Poll::Ready(Some(len));
            }
            // A call began or ended: the timer is for another tick.
            if link.next_at() != at {
                return Poll::Ready(None);
            }
            sleep.as_mut().poll(context).map(|()| None)
        });
        if let Some(len) = due.await {
            return len;
        }
    }
}

/// Runs a worker on a serial port, until the port fails. Returns the port's error.
///
/// Tasks run inside this future, one at a time. Between two of them, replies are sent and other
/// tasks of the caller's executor take their turns. `frame` holds a frame while it is sent.
///
/// ```
/// # use embedded_io_async::{Read, Write};
/// # use slotted_remote::Tasks;
/// use slotted_remote::{LineWorker, frame_bytes, run_worker};
///
/// async fn work<T: Tasks, E>(
///     boot: u32,
///     mut rx: impl Read<Error = E> + embedded_io_async::ErrorType<Error = E>,
///     mut tx: impl Write<Error = E>,
/// ) {
///     let mut worker: LineWorker<T, 4, 64> = LineWorker::new(boot);
///     let mut frame = [0; frame_bytes(64)];
///     loop {
///         // After an overrun, say, the line goes on.
///         let _error = run_worker(&mut worker, &mut rx, &mut tx, &mut frame).await;
///     }
/// }
/// ```
///
/// # Blocking
///
/// A poll takes as long as the longest task.
///
/// # Cancellation
///
/// Dropping the future stops the worker, and may lose bytes. Another call with the same worker goes
/// on: frames that were cut are sent again when the submitter asks.
///
/// # Panics
///
/// If `frame` is shorter than [`frame_bytes(BYTES)`](crate::frame_bytes).
pub async fn run_worker<T, R, W, const CALLS: usize, const BYTES: usize>(
    worker: &mut LineWorker<T, CALLS, BYTES>,
    rx: R,
    tx: W,
    frame: &mut [u8],
) -> PortError<R::Error>
where
    T: Tasks,
    R: Read,
    W: Write<Error = R::Error>,
{
    assert_room::<BYTES>(frame);
    // Both loops use it, but never across an `await`.
    let worker = RefCell::new(worker);
    let receive = receive(rx, |byte| worker.borrow_mut().push(byte));
    let send = async {
        let mut tx = tx;
        begin(&mut tx).await?;
        loop {
            let next = worker.borrow_mut().next(frame);
            match next {
                Some(len) => write(&mut tx, &frame[..len]).await?,
                None => {
                    tx.flush().await.map_err(PortError::Port)?;
                    turn(&worker).await;
                }
            }
        }
    };
    first_error(receive, send).await
}

/// Runs a task, or waits for the next poll, which follows if bytes came: the loop that receives is
/// polled first.
async fn turn<T: Tasks, const CALLS: usize, const BYTES: usize>(
    worker: &RefCell<&mut LineWorker<T, CALLS, BYTES>>,
) {
    let mut is_first = true;
    poll_fn(|context| {
        if !core::mem::take(&mut is_first) {
            return Poll::Ready(());
        }
        if worker.borrow_mut().run_one() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// Passes bytes of the port to an end of the line.
async fn receive<R: Read>(mut rx: R, mut push: impl FnMut(u8)) -> Ended<R::Error> {
    let mut bytes = [0; TAKEN];
    loop {
        match rx.read(&mut bytes).await.map_err(PortError::Port)? {
            0 => return Err(PortError::Closed),
            len => bytes[..len].iter().copied().for_each(&mut push),
        }
    }
}

/// Ends what an earlier life, or a frame that was cut, may have left on the line.
async fn begin<W: Write>(tx: &mut W) -> Result<(), PortError<W::Error>> {
    write(tx, &[0]).await
}

async fn write<W: Write>(tx: &mut W, mut bytes: &[u8]) -> Result<(), PortError<W::Error>> {
    while !bytes.is_empty() {
        match tx.write(bytes).await.map_err(PortError::Port)? {
            0 => return Err(PortError::Closed),
            len => bytes = &bytes[len..],
        }
    }
    Ok(())
}

/// Polls two loops together, `receive` first, until one of them fails.
async fn first_error<E>(
    receive: impl Future<Output = Ended<E>>,
    send: impl Future<Output = Ended<E>>,
) -> PortError<E> {
    let (mut receive, mut send) = (pin!(receive), pin!(send));
    let ended = poll_fn(|context| match receive.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending => send.as_mut().poll(context),
    })
    .await;
    match ended {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

fn assert_room<const BYTES: usize>(frame: &[u8]) {
    assert!(
        frame.len() >= frame_bytes(BYTES),
        "slotted-remote: the buffer is shorter than `frame_bytes(BYTES)`"
    );
}
