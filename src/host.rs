//! What the platform provides: a way to sleep and wake ([`Park`]) and time ([`Clock`]).
//!
//! Invariants:
//!
//! - **Token.** A thread keeps at most one wake permit; [`Park::unpark`] stores it, [`Park::park`]
//!   consumes it or waits for it.
//! - **Harmless Host.** A wrong host may hang or be slow; it cannot corrupt. Every wait looks again
//!   after it wakes, and no memory safety rests on these traits, which is why they are safe.
#![forbid(unsafe_code)]

use crate::order::{Order, Parts};
use crate::step::Step;

mod spin;
#[cfg(feature = "std")]
mod std;

pub use self::spin::SpinHost;
#[cfg(feature = "std")]
pub use self::std::StdHost;

/// A level of a host's executors.
pub(crate) type LevelOf<H> = <<H as Park>::Order as Parts>::Level;

/// The level `LEVEL`. Too high, it does not compile.
pub(crate) const fn level<const LEVEL: usize, H: Park>() -> LevelOf<H> {
    const {
        assert!(
            LEVEL < <H::Order as Parts>::LEVELS,
            "slotted: the host's order has fewer levels: name a lower one, or raise N of \
             `Levels<N>`"
        );
    }
    <H::Order as Parts>::EACH[LEVEL]
}

/// The host of an executor whose type names none: `StdHost` with `std`, [`SpinHost`] without.
#[cfg(feature = "std")]
pub type DefaultHost = StdHost;

/// The host of an executor whose type names none: `StdHost` with `std`, [`SpinHost`] without.
#[cfg(not(feature = "std"))]
pub type DefaultHost = SpinHost;

/// Lets a thread of the host sleep until another one wakes it.
///
/// A *thread* is anything that can wait: an OS thread, an RTOS task, a core, a super-loop.
///
/// A right implementation:
///
/// ```
/// use slotted::{Park, StdHost};
///
/// struct Desktop;
///
/// impl Park for Desktop {
///     type Thread = std::thread::Thread;
///     type Order = slotted::Fifo;
///     fn current() -> Self::Thread {
///         std::thread::current()
///     }
///     fn current_id() -> usize {
///         StdHost::current_id()
///     }
///     fn park() {
///         std::thread::park();
///     }
///     fn unpark(thread: &Self::Thread) {
///         thread.unpark();
///     }
/// }
/// ```
///
/// None of its functions may panic. If one does, nothing is corrupted. A panic in `current`,
/// [`park`](Self::park), [`spin`](Self::spin) or [`yield_now`](Self::yield_now), and in
/// [`Clock::now`] or [`Clock::park_until`], ends the call or the worker that it comes out of: the
/// others serve on. One in [`unpark`](Self::unpark), [`ready`](Self::ready) or
/// [`note`](Self::note), and in [`Clock::set_alarm`], may also cost a slot, or leave a wait without
/// an end. A host that panics in a thread that waits for its scope aborts the process.
///
/// A wrong one forgets a permit. Suppose that `unpark` is called while the thread is between its
/// last look for work and `park`. Then the `park` that follows must return at once. Without that,
/// the executor loses wakes and hangs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a host: it does not say how threads sleep and wake",
    note = "with std, `StdHost` is a host; without, `SpinHost`; a board implements `Park`"
)]
pub trait Park: Sized + 'static {
    /// Names a thread so that others can wake it. The crate clones and moves it inside critical
    /// sections: both must be bounded and must not block. The crate drops it outside of them.
    type Thread: Clone + Send + Sync + 'static;

    /// In which order this host's executors start tasks: [`Fifo`](crate::Fifo) for first in, first
    /// out, or [`Levels<N>`](crate::Levels) for `N` priorities. [`Ordered`](crate::Ordered) gives a
    /// host another order for some of its executors.
    type Order: Order;

    /// True if an unparked thread is sure to run soon, as on a desktop OS. Leave it false on
    /// priority-scheduled RTOSes and bare metal, where a more urgent thread can delay it without
    /// bound.
    ///
    /// With the feature `std`, an unparked worker then keeps the others asleep until it has looked
    /// for work. If there is more than one task, it wakes the next worker. Otherwise each task
    /// wakes a worker as long as one sleeps and none is searching.
    const FAIR: bool = false;

    /// True if the threads of this host keep the time of timetables by themselves: with the feature
    /// `std`, a worker moves what is due between two tasks, and one of the workers that sleep wakes
    /// at the next date. With `WORKERS = 0` a thread that waits does. So [`Clock::park_until`] must
    /// return at its date. Without `std`, or with false, the host calls
    /// [`Timetable::advance`](crate::Timetable::advance). So it does for workers that are async
    /// tasks or are called by `run_one`, and for an executor without workers that no thread waits
    /// for: they keep no time.
    ///
    /// An executor's threads keep the time of at most four timetables. Tasks for more are refused
    /// with [`Refusal::NoTimer`](crate::Refusal::NoTimer).
    const KEEPS_TIME: bool = false;

    /// The calling thread.
    ///
    /// Called by threads that wait or run a worker: an interrupt handler only if it runs one.
    fn current() -> Self::Thread;

    /// A number that tells the calling thread from every other that lives: never 0.
    ///
    /// This is how an executor knows its own workers. So a worker that waits for an unstarted task
    /// runs it instead. A host with one thread of execution may return a constant. Called from any
    /// context, interrupts included; one interrupt level should count as one thread.
    fn current_id() -> usize;

    /// Sleeps until a permit is there, consumes it and returns. May return early.
    fn park();

    /// Gives `thread` its permit. A second permit before the first was consumed is lost.
    ///
    /// The thread that consumes the permit sees what the caller wrote before, also if the permit
    /// was there already: `park` and `unpark` take a lock, or change one atomic with `Acquire` and
    /// `Release` each time.
    ///
    /// Called from any context, interrupts included, with no lock held. Must not block.
    fn unpark(thread: &Self::Thread);

    /// Tells the host that there is work for which the crate woke no parked worker. The host pends
    /// the interrupt that calls [`Worker::run_one`](crate::Worker::run_one) or
    /// [`Executor::run_one`](crate::Executor::run_one). Or it wakes the event loop that does, or
    /// calls embassy's pender.
    ///
    /// Submitters call this, and wakers of async tasks, from any context, interrupts included, with
    /// no lock held. It may come where there is nothing to do. It must not block. A host that
    /// serves several executors looks at all of them. The default does nothing and costs nothing.
    ///
    /// ```
    /// use slotted::{Executor, Park};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static PENDED: AtomicUsize = AtomicUsize::new(0);
    ///
    /// struct Board;
    ///
    /// impl Park for Board {
    ///     type Thread = ();
    ///     type Order = slotted::Fifo;
    ///     fn current() {}
    ///     fn current_id() -> usize {
    ///         1
    ///     }
    ///     fn park() {
    ///         std::hint::spin_loop();
    ///     }
    ///     fn unpark((): &()) {}
    ///     fn ready() {
    ///         PENDED.fetch_add(1, Ordering::Relaxed); // PendSV, say
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<0, 4, 64, Board> = Executor::new();
    /// EXECUTOR.submit(|| ()).unwrap().detach();
    /// assert_eq!(PENDED.load(Ordering::Relaxed), 1);
    /// ```
    #[inline(always)]
    fn ready() {}

    /// As [`ready`](Self::ready), for a task of a level of an executor with
    /// [`Levels`](crate::Levels). The host pends the interrupt in which the worker of that level
    /// lives.
    ///
    /// It is called for each task above level 0, also where the crate woke a parked worker: a
    /// worker that lives in an interrupt never parks. For level 0, as `ready` is. A shutdown calls
    /// it for each level, since each worker has to leave. The default calls `ready`. Where tasks
    /// have one level, `ready` is called.
    ///
    /// ```
    /// use slotted::{Executor, Levels, Park};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static PENDED: AtomicUsize = AtomicUsize::new(0);
    ///
    /// struct Board;
    ///
    /// impl Park for Board {
    ///     type Thread = ();
    ///     type Order = Levels<3>;
    /// #     fn current() {}
    /// #     fn current_id() -> usize {
    /// #         1
    /// #     }
    /// #     fn park() {
    /// #         std::hint::spin_loop();
    /// #     }
    /// #     fn unpark((): &()) {}
    ///     fn ready_at(level: usize) {
    ///         PENDED.fetch_or(1 << level, Ordering::Relaxed); // the level's interrupt, say
    ///     }
    /// }
    ///
    /// static EXECUTOR: Executor<0, 4, 64, Board> = Executor::new();
    /// EXECUTOR.level::<2>().submit(|| ()).unwrap().detach();
    /// assert_eq!(PENDED.load(Ordering::Relaxed), 0b100);
    /// ```
    #[inline(always)]
    fn ready_at(level: usize) {
        let _ = level;
        Self::ready();
    }

    /// Tells the host one step in the life of a task or a worker: submitted, started, rested,
    /// woken, ended, cancelled, refused; idle, busy. [`Step`] says what each means, and in which
    /// order a task's steps come. For traces, watchdogs, statistics and simulated time. The crate
    /// `slotted-trace` has a recorder, histograms and a watchdog for this.
    ///
    /// `step` makes the step when it is called. A host that does not call it pays nothing. The
    /// default does nothing, and the program is the same, byte for byte, as without this function.
    ///
    /// # Context
    ///
    /// The thread or interrupt that acts calls this, with no lock held: a submitter, a worker, a
    /// canceller, a waker, a promise's holder. So it may run in any context that the program uses
    /// the executor in, and in several at once. It must be bounded and must not block there.
    ///
    /// It must not call the executor, nor use its handles or wakers: the acting thread is in the
    /// middle of a step. It must not panic. A host that breaks this may hang, but corrupts nothing.
    ///
    /// A host that serves several executors is told the steps of all. [`TaskKey`] names the
    /// executor.
    ///
    /// # Cost
    ///
    /// That of the host's own code, and a few loads for each step that it makes.
    ///
    /// A host that counts:
    ///
    /// ```
    /// use slotted::{Executor, Park, Step};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static SUBMITTED: AtomicUsize = AtomicUsize::new(0);
    /// static ENDED: AtomicUsize = AtomicUsize::new(0);
    ///
    /// struct Board;
    ///
    /// impl Park for Board {
    ///     type Thread = ();
    ///     type Order = slotted::Fifo;
    ///     fn current() {}
    ///     fn current_id() -> usize {
    ///         1
    ///     }
    ///     fn park() {
    ///         std::hint::spin_loop();
    ///     }
    ///     fn unpark((): &()) {}
    ///     fn note(step: impl FnOnce() -> Step) {
    ///         let counter = match step() {
    ///             Step::Submitted { .. } => &SUBMITTED,
    ///             Step::Ended { .. } | Step::Cancelled { .. } => &ENDED,
    ///             _ => return,
    ///         };
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let executor: Executor<0, 4, 64, Board> = Executor::new();
    /// let (first, second) = (executor.submit(|| 1).unwrap(), executor.submit(|| 2).unwrap());
    /// assert!(second.cancel());
    /// assert_eq!(first.result(), Ok(1));
    /// assert_eq!(SUBMITTED.load(Ordering::Relaxed), 2);
    /// assert_eq!(ENDED.load(Ordering::Relaxed), 2);
    /// ```
    ///
    /// [`TaskKey`]: crate::TaskKey
    #[inline(always)]
    fn note(step: impl FnOnce() -> Step) {
        let _ = step;
    }

    /// Called between two unsuccessful looks, before the thread becomes idle or registers as a
    /// waiter. It may spin a little and return true to look again, or return false to go on.
    /// `round` counts from 0.
    ///
    /// No thread wakes this one meanwhile, nor, if it is a worker, another one instead. So it must
    /// not give the processor away here. That is for [`yield_now`](Self::yield_now).
    ///
    /// This bounds the spinning: an implementation must return false from some round on. The
    /// default never spins.
    #[inline(always)]
    fn spin(round: u32) -> bool {
        let _ = round;
        false
    }

    /// Called after the thread has become idle or has registered as a waiter, before it parks. It
    /// may give the processor away for a moment and return true to look again, or return false to
    /// park. `round` counts from 0.
    ///
    /// A thread that has something for this one unparks it as if it were parked. So this must not
    /// consume the permit, or `park` would miss what the permit was for. It yields, and never calls
    /// what [`park`](Self::park) sleeps by. An implementation must return false from some round on.
    /// The default parks at once.
    #[inline(always)]
    fn yield_now(round: u32) -> bool {
        let _ = round;
        false
    }
}

/// A monotonic clock. Time limits exist only where the host has one; elsewhere they are a compile
/// error.
///
/// ```
/// use slotted::{Clock, Park};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// static TICKS: AtomicU64 = AtomicU64::new(0); // the timer's interrupt counts up
///
/// struct Board;
///
/// # impl Park for Board {
/// #     type Thread = ();
/// #     type Order = slotted::Fifo;
/// #     fn current() {}
/// #     fn current_id() -> usize {
/// #         1
/// #     }
/// #     fn park() {}
/// #     fn unpark((): &()) {}
/// # }
/// impl Clock for Board {
///     const TICKS_PER_SECOND: u64 = 1000;
///     fn now() -> u64 {
///         TICKS.load(Ordering::Relaxed)
///     }
///     fn park_until(_deadline: u64) {
///         Self::park(); // may return early: the timer's interrupt wakes it
///     }
/// }
/// # assert_eq!(Board::now(), 0);
/// ```
#[diagnostic::on_unimplemented(
    message = "time limits need a host with a clock, and `{Self}` has none",
    label = "this host does not implement `Clock`",
    note = "implement `slotted::Clock` for the host (see the page on porting), or use the call \
            without a time limit"
)]
pub trait Clock: Park {
    /// Ticks per second. The crate rounds fractions of a tick up, so that nothing times out early.
    const TICKS_PER_SECOND: u64;

    /// Ticks since an arbitrary moment, in 64 bits. Never goes back, and never wraps. A host
    /// extends a narrower counter by its overflows, also by one whose interrupt is still pending.
    ///
    /// Called from any context, interrupts included, and on any core; bounded, and does not block.
    /// While interrupts are off, the time that it gives may stand still.
    fn now() -> u64;

    /// As [`park`](Park::park), but returns once [`now`](Clock::now) has reached `deadline`, in
    /// ticks. May return early.
    fn park_until(deadline: u64);

    /// Tells the host the earliest date of a [`Timetable`](crate::Timetable), in ticks, or that it
    /// has none. The crate calls it whenever that changes, and at the end of each
    /// [`Timetable::advance`](crate::Timetable::advance). At the date, the host calls
    /// [`Timetable::advance`](crate::Timetable::advance): from the interrupt of its timer, say. So
    /// a board sleeps from date to date and has no tick.
    ///
    /// A date that is past, or too near for the hardware, must fire at once: pend the interrupt. It
    /// may fire early or without need.
    ///
    /// Called from any context, interrupts included, **inside a critical section**: so that two
    /// threads cannot set the alarm in the wrong order. It must be bounded, must not block and must
    /// not call the crate. The call does not name its timetable: a host with an alarm has one, and
    /// that serves any number of executors. The default does nothing: then a loop or a thread of
    /// the host calls `advance`.
    ///
    /// ```
    /// use slotted::{Clock, Executor, Park, Timetable};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// static COMPARE: AtomicU64 = AtomicU64::new(u64::MAX); // the timer's register
    ///
    /// struct Board;
    ///
    /// # impl Park for Board {
    /// #     type Thread = ();
    /// #     type Order = slotted::Fifo;
    /// #     fn current() {}
    /// #     fn current_id() -> usize {
    /// #         1
    /// #     }
    /// #     fn park() {}
    /// #     fn unpark((): &()) {}
    /// # }
    /// impl Clock for Board {
    ///     const TICKS_PER_SECOND: u64 = 1000;
    ///     fn now() -> u64 {
    ///         0 // the timer's counter
    ///     }
    ///     fn park_until(_deadline: u64) {
    ///         Self::park();
    ///     }
    ///     fn set_alarm(date: Option<u64>) {
    ///         COMPARE.store(date.unwrap_or(u64::MAX), Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// static POOL: Executor<0, 4, 64, Board> = Executor::new();
    /// static TIMES: Timetable<4, Board> = Timetable::new();
    /// let blink = TIMES.on(&POOL).submit_at(500, || ()).unwrap();
    /// assert_eq!(COMPARE.load(Ordering::Relaxed), 500);
    /// blink.cancel();
    /// assert_eq!(COMPARE.load(Ordering::Relaxed), u64::MAX);
    /// ```
    #[inline(always)]
    fn set_alarm(date: Option<u64>) {
        let _ = date;
    }
}

/// The tick `timeout` from now; the end of time if that is further away.
pub(crate) fn deadline<H: Clock>(timeout: core::time::Duration) -> u64 {
    H::now().saturating_add(ticks::<H>(timeout))
}

/// A duration in ticks, rounded up.
pub(crate) fn ticks<H: Clock>(duration: core::time::Duration) -> u64 {
    const {
        assert!(
            H::TICKS_PER_SECOND > 0,
            "slotted: Clock::TICKS_PER_SECOND must not be 0"
        );
        // A second's worth of nanoseconds times the frequency must fit 64 bits.
        assert!(
            H::TICKS_PER_SECOND <= 10_000_000_000,
            "slotted: Clock::TICKS_PER_SECOND must be at most 10 GHz"
        );
    }
    let hertz = H::TICKS_PER_SECOND;
    let part = (u64::from(duration.subsec_nanos()) * hertz).div_ceil(1_000_000_000);
    duration
        .as_secs()
        .saturating_mul(hertz)
        .saturating_add(part)
}
