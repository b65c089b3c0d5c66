//! The submitter's end of a line: calls, and the futures of them.

mod call;

use core::fmt;
use core::task::{Context, Poll, Waker};

use slotted::error::{Refusal, SubmitError};
use slotted::host::Park;
use slotted::{JoinHandle, Submitter};

pub use call::Call;
pub(crate) use call::EncodedCall;

use crate::calls::{Calls, Ended, Timing};
use crate::line::{Receiver, encode};
use crate::lock::Lock;
use crate::run;
use crate::task::{Task, TaskId};

/// What the lock guards.
struct State<const CALLS: usize, const BYTES: usize> {
    calls: Calls<CALLS, BYTES>,
    receiver: Receiver<BYTES>,
    wakers: [Option<Waker>; CALLS],
    /// Wakes what waits for a free slot.
    #[cfg(feature = "nodes")]
    room: Vec<Waker>,
    /// Wakes what sends the frames.
    driver: Option<Waker>,
}

/// The submitter's end of a line to another chip: at most `CALLS` calls under way, with arguments
/// and results of at most `BYTES`.
///
/// Everything lies inline, and nothing is allocated. The link does no io and has no clock: an
/// interrupt or a task passes received bytes to [`push`](Self::push), and a loop sends what
/// [`next`](Self::next) gives it. Times are ticks of the caller's clock.
///
/// A call runs at most once, whatever the line does. Lost and flipped bytes cost time. A reset of
/// the other end costs the calls under way, which end as
/// [`Restarted`](crate::RemoteError::Restarted).
///
/// # Context
///
/// All calls but [`submit`](Self::submit) may be made from any thread and from interrupts. Each
/// takes one lock, for at most a copy of `BYTES` bytes and a look at `CALLS` slots.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use slotted_remote::{LineWorker, Task};
/// # #[derive(Serialize, Deserialize)]
/// # struct Square(u32);
/// # impl Task for Square {
/// #     const NAME: &str = "square/1";
/// #     type Output = u64;
/// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
/// # }
/// use slotted::Executor;
/// use slotted_remote::{Link, Timing, frame_bytes};
///
/// static LINK: Link<4, 64> = Link::new();
/// static CALLS: Executor<0, 8> = Executor::new();
///
/// LINK.open(1, Timing::resend_after(20)); // another number at each boot
/// let square = LINK.submit(CALLS.submitter(), Square(7)).unwrap();
///
/// // The line, and the other end of it.
/// let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(2);
/// let mut frame = [0; frame_bytes(64)];
/// for now in 0..4 {
///     while let Some(len) = LINK.next(now, &mut frame) {
///         frame[..len].iter().for_each(|&byte| worker.push(byte));
///     }
///     worker.run_one();
///     while let Some(len) = worker.next(&mut frame) {
///         frame[..len].iter().for_each(|&byte| LINK.push(now, byte));
///     }
/// }
/// assert_eq!(square.result(), Ok(49));
/// ```
pub struct Link<const CALLS: usize, const BYTES: usize>(Lock<State<CALLS, BYTES>>);

impl<const CALLS: usize, const BYTES: usize> Link<CALLS, BYTES> {
    #[cfg(not(loom))]
    /// A link that is not open: calls wait. All of it is zero, so a `static` one takes no flash.
    ///
    /// ```
    /// use slotted_remote::{Link, frame_bytes};
    ///
    /// /// Four calls under way, of at most 64 bytes each way.
    /// static LINK: Link<4, 64> = Link::new();
    /// assert_eq!(LINK.next(0, &mut [0; frame_bytes(64)]), None);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self(Lock::new(State {
            calls: Calls::new(),
            receiver: Receiver::new(),
            wakers: [const { None }; CALLS],
            #[cfg(feature = "nodes")]
            room: Vec::new(),
            driver: None,
        }))
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        Self(Lock::new(State {
            calls: Calls::new(),
            receiver: Receiver::new(),
            wakers: [const { None }; CALLS],
            #[cfg(feature = "nodes")]
            room: Vec::new(),
            driver: None,
        }))
    }

    /// Opens the link. On a link that is open, begins a new session: the calls that were sent end
    /// as [`Lost`](crate::RemoteError::Lost), and those that were not go on.
    ///
    /// `nonce` tells the lives of this end apart: choose another one at each boot. A random number
    /// will do, or a counter in memory that survives, or the time. With the number of an earlier
    /// life, a late reply of that life may be taken for one of this. `timing` is in ticks of the
    /// caller's clock.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use slotted::TaskError;
    /// # use slotted_remote::{LineWorker, frame_bytes};
    /// use slotted_remote::{Link, RemoteError, Timing};
    ///
    /// static LINK: Link<4, 64> = Link::new();
    ///
    /// LINK.open(1, Timing::resend_after(20));
    /// let square = LINK.call(Square(7)).unwrap();
    /// # let mut worker: LineWorker<(Square,), 4, 64> = LineWorker::new(1);
    /// # let mut frame = [0; frame_bytes(64)];
    /// # for _ in 0..2 {
    /// #     while let Some(len) = LINK.next(0, &mut frame) {
    /// #         frame[..len].iter().for_each(|&byte| worker.push(byte));
    /// #     }
    /// #     while let Some(len) = worker.next(&mut frame) {
    /// #         frame[..len].iter().for_each(|&byte| LINK.push(0, byte));
    /// #     }
    /// # }
    /// // The call is at the other end by now.
    /// LINK.open(2, Timing::resend_after(20));
    /// # let outcome = pin!(square).poll(&mut Context::from_waker(Waker::noop()));
    /// # let Poll::Ready(outcome) = outcome else { panic!("the call has not ended") };
    /// // What the future `square` gives:
    /// assert_eq!(outcome, Err(TaskError::Remote(RemoteError::Lost)));
    /// ```
    pub fn open(&self, nonce: u32, timing: Timing) {
        // Each session of a life adds one. So lives with neighbouring numbers begin far apart: by
        // the golden ratio. The factor is odd, so that different numbers stay different.
        let first = nonce.wrapping_mul(0x9e37_79b1);
        self.act(|calls| calls.open(first, timing));
    }

    /// Calls a task at the other end. The future gives its result, under any executor; dropping it
    /// cancels the call. The call goes on its way at once, polled or not.
    ///
    /// # Errors
    ///
    /// The task comes back if `CALLS` calls are under way: [`Refusal::Full`].
    ///
    /// The future's error is [`TaskError::Remote`](slotted::TaskError::Remote), or
    /// [`TaskError::Panicked`](slotted::TaskError::Panicked).
    ///
    /// # Python
    ///
    /// `ProcessPoolExecutor.submit`.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted::Refusal;
    /// use slotted::TaskError;
    /// use slotted_remote::Link;
    ///
    /// static LINK: Link<2, 64> = Link::new();
    ///
    /// async fn sum_of_squares() -> Result<u64, TaskError> {
    ///     let call = |number| LINK.call(Square(number)).expect("two calls have room");
    ///     let (three, four) = (call(3), call(4)); // both are on their way
    ///     Ok(three.await? + four.await?)
    /// }
    /// # let _ = sum_of_squares;
    /// # let calls = [LINK.call(Square(3)), LINK.call(Square(4))];
    /// # assert_eq!(LINK.call(Square(5)).unwrap_err().reason(), Refusal::Full);
    /// ```
    pub fn call<T: Task>(&self, task: T) -> Result<Call<'_, T, CALLS, BYTES>, SubmitError<T>> {
        match self.begin(&task) {
            Some(call) => Ok(call),
            None => Err(SubmitError::new(task, Refusal::Full)),
        }
    }

    fn begin<T: Task>(&self, task: &T) -> Option<Call<'_, T, CALLS, BYTES>> {
        // Outside the lock: `Serialize` is foreign code.
        let mut bytes = [0; BYTES];
        let argument = run::encode(task, &mut bytes).map(|len| &bytes[..len]);
        let call = self.begin_encoded(TaskId::of::<T>(), argument)?;
        Some(Call::new(call))
    }

    /// Begins a call. Without an argument, which was too large, it ends so.
    pub(crate) fn begin_encoded(
        &self,
        id: TaskId,
        argument: Option<&[u8]>,
    ) -> Option<EncodedCall<'_, CALLS, BYTES>> {
        let index = self.0.with(|state| {
            state.calls.begin(id, |slot| {
                let argument = argument?;
                slot.get_mut(..argument.len())?.copy_from_slice(argument);
                Some(argument.len())
            })
        })?;
        self.wake_driver();
        Some(EncodedCall::new(self, index))
    }

    /// As [`call`](Self::call), as a task of `executor`. So the handle is like every other one: to
    /// wait for, to cancel, to give to `as_completed`, beside those of local tasks.
    ///
    /// `executor` can be an `Executor<0, …>` of its own, whose futures the waiting threads and the
    /// loop poll. Its slots hold the future, of two words, and the result.
    ///
    /// # Errors
    ///
    /// The task comes back if `CALLS` calls are under way, if the executor is full, or if it is
    /// shut down.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// use slotted::{Executor, TaskError};
    /// use slotted_remote::Link;
    ///
    /// static LINK: Link<4, 64> = Link::new();
    /// static CALLS: Executor<0, 8> = Executor::new();
    ///
    /// let mut square = LINK.submit(CALLS.submitter(), Square(7)).unwrap();
    /// assert!(square.cancel()); // it did not begin: the link is not even open
    /// assert_eq!(square.result(), Err(TaskError::Cancelled));
    /// ```
    pub fn submit<T, const SLOT_BYTES: usize, H: Park>(
        &'static self,
        executor: Submitter<'static, SLOT_BYTES, H>,
        task: T,
    ) -> Result<JoinHandle<'static, T::Output, H>, SubmitError<T>>
    where
        T: Task<Output: Send + 'static> + 'static,
    {
        let permit = match executor.reserve() {
            Ok(permit) => permit,
            Err(reason) => return Err(SubmitError::new(task, reason)),
        };
        let Some(call) = self.begin(&task) else {
            return Err(SubmitError::new(task, Refusal::Full));
        };
        match permit.submit_future_outcome(call) {
            Ok(handle) => Ok(handle),
            // Its future is dropped, which cancels the call.
            Err(refused) => Err(SubmitError::new(task, refused.reason())),
        }
    }

    /// Takes a received byte, at the tick `now`.
    ///
    /// ```
    /// use slotted_remote::Link;
    ///
    /// static LINK: Link<4, 64> = Link::new();
    ///
    /// /// The interrupt of a UART that has received bytes.
    /// fn on_receive(milliseconds: u64, mut received: impl FnMut() -> Option<u8>) {
    ///     while let Some(byte) = received() {
    ///         LINK.push(milliseconds, byte);
    ///     }
    /// }
    /// # on_receive(0, || None);
    /// ```
    pub fn push(&self, now: u64, byte: u8) {
        let wakers = self.0.with(|state| {
            let (header, body) = state.receiver.push(byte)?;
            let ended = state.calls.receive(&header, body, now);
            Some(state.take_wakers(ended, true))
        });
        if let Some(wakers) = wakers {
            wakers.wake();
            self.wake_room();
        }
    }

    /// Writes the next frame to send to the front of `out`. Returns how long it is, or `None` if no
    /// frame is due at the tick `now`: see [`next_at`](Self::next_at).
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`frame_bytes(BYTES)`](crate::frame_bytes).
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted_remote::{Link, Timing, frame_bytes};
    /// # let link: Link<4, 64> = Link::new();
    /// # link.open(1, Timing::resend_after(20));
    /// # let call = link.call(Square(7)).unwrap();
    /// let mut frame = [0; frame_bytes(64)];
    /// let len = link.next(0, &mut frame).unwrap();
    /// assert_eq!(frame[..len].last(), Some(&0)); // which ends a frame
    /// assert_eq!(link.next(19, &mut frame), None);
    /// assert_eq!(link.next(20, &mut frame), Some(len)); // again: no answer came
    /// ```
    pub fn next(&self, now: u64, out: &mut [u8]) -> Option<usize> {
        let (frame, wakers) = self.0.with(|state| {
            let ended = state.calls.check_silence(now);
            let frame = state.calls.next(now);
            let frame = frame.map(|(header, body)| encode(&header, body, out));
            (frame, state.take_wakers(ended, false))
        });
        wakers.wake();
        self.wake_room();
        Some(frame?.expect("slotted-remote: the buffer is shorter than `frame_bytes(BYTES)`"))
    }

    /// The tick at which [`next`](Self::next) will have something to do, if no byte comes and no
    /// call begins before. It may lie in the past. `None`: never.
    ///
    /// ```
    /// # #[derive(serde::Deserialize, serde::Serialize)]
    /// # struct Square(u32);
    /// # impl slotted_remote::Task for Square {
    /// #     const NAME: &str = "square/1";
    /// #     type Output = u64;
    /// #     fn run(self) -> u64 { u64::from(self.0).pow(2) }
    /// # }
    /// # use slotted_remote::{Link, Timing, frame_bytes};
    /// # let link: Link<4, 64> = Link::new();
    /// link.open(1, Timing::resend_after(20));
    /// assert_eq!(link.next_at(), None); // there is nothing to say
    /// let call = link.call(Square(7)).unwrap();
    /// # let mut frame = [0; frame_bytes(64)];
    /// link.next(100, &mut frame).unwrap();
    /// assert_eq!(link.next_at(), Some(120)); // unless the answer comes before
    /// # drop(call);
    /// ```
    pub fn next_at(&self) -> Option<u64> {
        self.0.with(|state| state.calls.next_at())
    }

    /// As [`next`](Self::next), for an async task that sends the frames: pending until a frame is
    /// due because a call began or ended, or a byte came. The caller also polls again at
    /// [`next_at`](Self::next_at).
    ///
    /// ```
    /// use core::future::poll_fn;
    /// use slotted_remote::{Link, frame_bytes};
    ///
    /// static LINK: Link<4, 64> = Link::new();
    ///
    /// /// Sends the frames that are due. Another task wakes it at `LINK.next_at()`.
    /// async fn send(now: impl Fn() -> u64, write: impl AsyncFn(&[u8])) {
    ///     let mut frame = [0; frame_bytes(64)];
    ///     loop {
    ///         let len = poll_fn(|context| LINK.poll_next(context, now(), &mut frame)).await;
    ///         write(&frame[..len]).await;
    ///     }
    /// }
    /// # let _ = send(|| 0, async |_| ());
    /// ```
    pub fn poll_next(&self, context: &mut Context<'_>, now: u64, out: &mut [u8]) -> Poll<usize> {
        let waker = context.waker().clone();
        // Before the look: what comes after it wakes.
        drop(self.0.with(|state| state.driver.replace(waker)));
        self.next(now, out).map_or(Poll::Pending, Poll::Ready)
    }

    /// How many frames were dropped because bytes of them were wrong or missing.
    ///
    /// ```
    /// # use slotted_remote::Link;
    /// let link: Link<4, 64> = Link::new();
    /// for byte in *b"noise\0" {
    ///     link.push(0, byte);
    /// }
    /// assert_eq!(link.dropped(), 1);
    /// ```
    pub fn dropped(&self) -> u32 {
        self.0.with(|state| state.receiver.dropped())
    }

    fn wake_driver(&self) {
        let driver = self.0.with(|state| state.driver.take());
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Wakes what waits for a free slot: one may be free.
    #[cfg(feature = "nodes")]
    fn wake_room(&self) {
        let waits = self.0.with(|state| core::mem::take(&mut state.room));
        waits.into_iter().for_each(Waker::wake);
    }

    #[cfg(not(feature = "nodes"))]
    fn wake_room(&self) {}

    fn act(&self, act: impl FnOnce(&mut Calls<CALLS, BYTES>) -> Ended) {
        let wakers = self.0.with(|state| {
            let ended = act(&mut state.calls);
            state.take_wakers(ended, true)
        });
        wakers.wake();
        self.wake_room();
    }
}

impl<const CALLS: usize, const BYTES: usize> State<CALLS, BYTES> {
    fn take_wakers(&mut self, ended: Ended, driver: bool) -> Wakers<CALLS> {
        let calls = match ended {
            Ended::None => [const { None }; CALLS],
            Ended::One(index) => {
                let mut wakers = [const { None }; CALLS];
                wakers[index] = self.wakers[index].take();
                wakers
            }
            Ended::All => core::mem::replace(&mut self.wakers, [const { None }; CALLS]),
        };
        let driver = if driver { self.driver.take() } else { None };
        Wakers { calls, driver }
    }
}

/// Wakers that were taken inside the lock, to be called outside.
#[must_use = "the tasks wait"]
struct Wakers<const CALLS: usize> {
    calls: [Option<Waker>; CALLS],
    driver: Option<Waker>,
}

impl<const CALLS: usize> Wakers<CALLS> {
    fn wake(self) {
        { self.calls.into_iter().flatten() }
            .chain(self.driver)
            .for_each(Waker::wake);
    }
}

impl<const CALLS: usize, const BYTES: usize> Default for Link<CALLS, BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CALLS: usize, const BYTES: usize> fmt::Debug for Link<CALLS, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
