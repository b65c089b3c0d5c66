//! A worker on a line of bytes.

use core::fmt;
use core::marker::PhantomData;

use crate::line::{Receiver, encode};
use crate::replies::Replies;
use crate::task::Tasks;

/// The worker's end of a line. It runs the tasks of the table `T`: at most `CALLS` wait, with
/// arguments and results of at most `BYTES`.
///
/// Everything lies inline, and nothing is allocated. It does no io: bytes of the line go in by
/// [`push`](Self::push), frames come out of [`next`](Self::next), and the tasks run in
/// [`run_one`](Self::run_one). A task runs at most once, whatever the line does.
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
/// use slotted_remote::{LineWorker, frame_bytes};
///
/// fn serve(nonce: u32, mut read: impl FnMut() -> Option<u8>, mut write: impl FnMut(&[u8])) {
///     let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(nonce);
///     let mut frame = [0; frame_bytes(64)];
///     loop {
///         while let Some(byte) = read() {
///             worker.push(byte);
///         }
///         while let Some(len) = worker.next(&mut frame) {
///             write(&frame[..len]);
///         }
///         if !worker.run_one() {
///             break; // a board would sleep here until a byte comes
///         }
///     }
/// }
/// # serve(1, || None, |_| ());
/// ```
pub struct LineWorker<T, const CALLS: usize, const BYTES: usize> {
    receiver: Receiver<BYTES>,
    replies: Replies<CALLS, BYTES>,
    tasks: PhantomData<fn() -> T>,
}

impl<T: Tasks, const CALLS: usize, const BYTES: usize> LineWorker<T, CALLS, BYTES> {
    /// A worker that has heard nothing yet.
    ///
    /// `nonce` tells the lives of this worker apart: choose another one at each boot. A random
    /// number will do, or a counter in memory that survives, or the time. With the number of an
    /// earlier life, a worker may run a call of that life again.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted_remote::LineWorker;
    ///
    /// fn boot(random: impl Fn() -> u32) -> LineWorker<(Square,), 4, 64> {
    ///     LineWorker::new(random())
    /// }
    /// # assert!(!boot(|| 4).run_one());
    /// ```
    #[must_use]
    pub const fn new(nonce: u32) -> Self {
        const { T::DISTINCT }
        Self {
            receiver: Receiver::new(),
            replies: Replies::new(nonce),
            tasks: PhantomData,
        }
    }

    /// Takes a byte of the line.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted_remote::{LineWorker, Link, Timing, frame_bytes};
    /// # let link: Link<4, 64> = Link::new();
    /// # link.open(1, Timing::resend_after(20));
    /// # let call = link.call(Square(7)).unwrap();
    /// # let mut frame = [0; frame_bytes(64)];
    /// let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(2);
    /// # let len = link.next(0, &mut frame).unwrap();
    /// # let received = frame[..len].to_vec();
    /// // `received` holds the greeting of a submitter.
    /// for byte in received {
    ///     worker.push(byte);
    /// }
    /// assert!(worker.next(&mut frame).is_some()); // its answer
    /// # drop(call);
    /// ```
    pub fn push(&mut self, byte: u8) {
        if let Some((header, body)) = self.receiver.push(byte) {
            self.replies.receive(&header, body);
        }
    }

    /// Runs the oldest call that waits. Returns false if none does.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// # Panics
    ///
    /// Without `std`, if the task does. With it, the panic is the task's error.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted_remote::{LineWorker, Link, Timing, frame_bytes};
    /// # let link: Link<4, 64> = Link::new();
    /// # link.open(1, Timing::resend_after(20));
    /// # let call = link.call(Square(7)).unwrap();
    /// # let mut frame = [0; frame_bytes(64)];
    /// # let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(2);
    /// assert!(!worker.run_one());
    /// # for _ in 0..2 {
    /// # while let Some(len) = link.next(0, &mut frame) {
    /// #     frame[..len].iter().for_each(|&byte| worker.push(byte));
    /// # }
    /// # while let Some(len) = worker.next(&mut frame) {
    /// #     frame[..len].iter().for_each(|&byte| link.push(0, byte));
    /// # }
    /// # }
    /// // A greeting was exchanged, and a call came.
    /// assert!(worker.run_one());
    /// assert!(!worker.run_one());
    /// # drop(call);
    /// ```
    pub fn run_one(&mut self) -> bool {
        self.replies.run_one(T::find)
    }

    /// Writes the next frame to send to the front of `out`. Returns how long it is, or `None` if no
    /// frame is due.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`frame_bytes(BYTES)`](crate::frame_bytes).
    ///
    /// ```
    /// # use slotted_remote::{LineWorker, Tasks, frame_bytes};
    /// fn send<T: Tasks>(worker: &mut LineWorker<T, 4, 64>, mut write: impl FnMut(&[u8])) {
    ///     let mut frame = [0; frame_bytes(64)];
    ///     while let Some(len) = worker.next(&mut frame) {
    ///         write(&frame[..len]);
    ///     }
    /// }
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # send(&mut LineWorker::<(Square,), 4, 64>::new(1), |_| panic!("it has heard nothing"));
    /// ```
    pub fn next(&mut self, out: &mut [u8]) -> Option<usize> {
        let (header, body) = self.replies.next()?;
        let len = encode(&header, body, out);
        Some(len.expect("slotted-remote: the buffer is shorter than `frame_bytes(BYTES)`"))
    }

    /// How many frames were dropped because bytes of them were wrong or missing.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted_remote::LineWorker;
    /// # let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(1);
    /// b"noise\0".iter().for_each(|&byte| worker.push(byte));
    /// assert_eq!(worker.dropped(), 1);
    /// ```
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.receiver.dropped()
    }
}

impl<T, const CALLS: usize, const BYTES: usize> fmt::Debug for LineWorker<T, CALLS, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWorker").finish_non_exhaustive()
    }
}
