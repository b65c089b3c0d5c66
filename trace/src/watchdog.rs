//! Whether an executor makes progress: the condition for feeding a hardware watchdog.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use slotted::{Clock, Executor, Step};

use crate::age::{LONGEST, Phase, span};
use crate::entry::Entry;
use crate::event::Task;
use crate::steps::{change_of, generation};
use crate::watched::Watched;

/// How old tasks may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a closure may run, or one poll of a future take.
    pub running: Duration,
    /// How long a task may wait for a worker.
    pub queued: Duration,
}

/// A task that is older than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overdue {
    /// Its slot and generation.
    pub task: Task,
    /// The address of a function that stands for the task's type: see
    /// [`Step::Started`].
    pub kind: usize,
    /// The worker that runs it. `None`: another thread, or it waits for a worker.
    pub worker: Option<u16>,
    /// The tick at which it was started, or put into the queue. On 32-bit targets it is rounded as
    /// [described](Watchdog#ticks).
    pub since: u64,
}

/// Knows for each slot of an executor whether its task runs or waits for a worker, and since when.
/// `QUEUE` is the executor's; `H` is a host with a clock.
///
/// The firmware feeds its hardware watchdog only while [`all_well`](Self::all_well) returns true.
/// So a task that never ends resets the board, even if every interrupt still runs. So does a queue
/// that no worker serves.
///
/// # What counts
///
/// - A closure runs from its start to its end, a future during each poll. A task that waits for
///   others runs too, also while its worker runs another task within it, at any depth. So
///   `running` is longer than the longest task, its waits included.
/// - A task waits for a worker from its submission on, or from when a waker or its date wakes it.
///   Tasks that wait before the executor is started count.
/// - A promise, a task before its date and a future that rests are no worker's fault: they have no
///   limit. Neither do callbacks, which run after the end of their task.
/// - A future that was woken during its poll goes back to the queue without a step. Until it
///   starts, it has no limit.
/// - All tasks of the executor have the same limits. A job that takes minutes belongs to an
///   executor of its own, which has a watchdog of its own or none.
///
/// # Context
///
/// All calls may come from any thread or interrupt, several at once. They take no lock, turn no
/// interrupts off and never block. A call that comes in the middle of a step sees it done or not
/// done, and never reports a task that is young.
///
/// # Ticks
///
/// On 32-bit targets an age has 29 bits. It counts ticks if there are at most a million a second,
/// otherwise units of 2, 4, 8, … ticks, which take one to two microseconds. A limit may be half as
/// long: three days at 1 kHz, four minutes at 1 MHz and above. A `static` with longer ones does not
/// compile. A task that is older than its 29 bits looks young again, so ask before that. On 64-bit
/// targets an age has 61 bits, and it never comes to that.
///
/// # Cost
///
/// Three words for each slot. [`note`](Self::note) takes some instructions, which the README
/// counts. [`all_well`](Self::all_well) and [`overdue`](Self::overdue) look at each slot once.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use core::time::Duration;
/// use slotted::{Clock, Executor, Park, SpinHost, Step};
/// use slotted_trace::{Limits, Watchdog};
///
/// static TICKS: AtomicU64 = AtomicU64::new(0);
///
/// struct Board;
/// impl Park for Board {
///     type Thread = ();
///     type Order = slotted::Fifo;
///     fn current() {}
///     fn current_id() -> usize { SpinHost::current_id() }
///     fn park() {}
///     fn unpark((): &()) {}
///     fn note(step: impl FnOnce() -> Step) {
///         WATCHDOG.note(Self::now(), step());
///     }
/// }
/// impl Clock for Board {
///     const TICKS_PER_SECOND: u64 = 1000;
///     fn now() -> u64 { TICKS.load(Ordering::Relaxed) }
///     fn park_until(_: u64) {}
/// }
///
/// static POOL: Executor<0, 4, 64, Board> = Executor::new();
/// static WATCHDOG: Watchdog<4, Board> = Watchdog::new(&POOL, Limits {
///     running: Duration::from_millis(50),
///     queued: Duration::from_millis(500),
/// });
///
/// // The timer's interrupt.
/// fn feed_if_all_is_well() -> bool {
///     WATCHDOG.all_well() // and then feeds the hardware
/// }
///
/// let stuck = POOL.submit(|| {
///     TICKS.fetch_add(51, Ordering::Relaxed); // an interrupt comes 51 ms later
///     let overdue = WATCHDOG.overdue(Duration::from_millis(50)).unwrap();
///     (feed_if_all_is_well(), overdue.task.slot, overdue.since)
/// });
/// assert!(feed_if_all_is_well());
/// POOL.run_until_idle();
/// assert_eq!(stuck.unwrap().result(), Ok((false, 0, 0)));
/// assert!(feed_if_all_is_well());
/// ```
pub struct Watchdog<const QUEUE: usize, H> {
    executor: Watched,
    /// In units.
    running: usize,
    queued: usize,
    entries: [Entry; QUEUE],
    host: PhantomData<fn() -> H>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Running,
    Queued,
}

impl<const QUEUE: usize, H: Clock> Watchdog<QUEUE, H> {
    /// The logarithm of the ticks in a unit of age.
    const SHIFT: u32 = shift(H::TICKS_PER_SECOND);

    /// Watches that executor.
    ///
    /// # Panics
    ///
    /// If a limit is longer than [described](Self#ticks). In a `static` that is a compile error.
    #[must_use]
    pub const fn new<const WORKERS: usize, const SLOT_BYTES: usize>(
        executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES, H>,
        limits: Limits,
    ) -> Self {
        let running = Self::units(limits.running);
        let queued = Self::units(limits.queued);
        assert!(
            running <= LONGEST as u64 / 2 && queued <= LONGEST as u64 / 2,
            "slotted-trace: a limit of the watchdog is too long for ticks of this size"
        );
        Self {
            executor: Watched::new(executor),
            running: running as usize,
            queued: queued as usize,
            entries: [const { Entry::new() }; QUEUE],
            host: PhantomData,
        }
    }

    /// Keeps what the step says. Call it from [`Park::note`](slotted::Park::note) with each step,
    /// and with [`Clock::now`] of the host. Steps of other executors are left out.
    #[inline(always)]
    pub fn note(&self, tick: u64, step: Step) {
        let Some((task, change)) = change_of(&step) else {
            return;
        };
        let Some(entry) = self.entries.get(usize::from(task.slot)) else {
            return;
        };
        if !self.executor.is(task.executor) {
            return;
        }
        let generation = generation(task);
        match step {
            Step::Submitted { kind, .. } => entry.name(kind, generation),
            Step::Started { worker, .. } => entry.name_worker(generation, worker),
            _ => {}
        }
        entry.change(change, Self::unit(tick), generation);
    }

    /// Returns true if no task runs for longer, or waits for a worker for longer, than its limit.
    /// Feed the hardware watchdog then.
    #[must_use]
    pub fn all_well(&self) -> bool {
        let now = Self::unit(H::now());
        // Bound: QUEUE.
        self.entries.iter().all(|entry| match entry.phase() {
            Phase::Running { since } => span(since, now) <= self.running,
            Phase::Queued { since } => span(since, now) <= self.queued,
            Phase::Away | Phase::Resting { .. } => true,
        })
    }

    /// The task that runs for the longest, if that is longer than `limit`: to name the culprit.
    #[must_use]
    pub fn overdue(&self, limit: Duration) -> Option<Overdue> {
        self.oldest(Kept::Running, limit)
    }

    /// The task that waits for a worker for the longest, if that is longer than `limit`.
    #[must_use]
    pub fn overdue_in_queue(&self, limit: Duration) -> Option<Overdue> {
        self.oldest(Kept::Queued, limit)
    }

    fn oldest(&self, wanted: Kept, limit: Duration) -> Option<Overdue> {
        let now = H::now();
        let mut longest = Self::units(limit);
        let mut oldest = None;
        // Bound: QUEUE. An entry that changes meanwhile has no old task.
        for (slot, entry) in (0..).zip(&self.entries) {
            let Some((phase, name)) = entry.look() else {
                continue;
            };
            let (kept, since) = match phase {
                Phase::Running { since } => (Kept::Running, since),
                Phase::Queued { since } => (Kept::Queued, since),
                Phase::Away | Phase::Resting { .. } => continue,
            };
            let age = span(since, Self::unit(now)) as u64;
            if kept == wanted && age > longest {
                longest = age;
                oldest = Some(Overdue {
                    task: Task {
                        slot,
                        generation: name.generation,
                    },
                    kind: name.kind,
                    worker: name.worker.filter(|_| kept == Kept::Running),
                    since: now.wrapping_sub(age << Self::SHIFT),
                });
            }
        }
        oldest
    }

    /// The number of the unit that the tick is in.
    #[inline(always)]
    fn unit(tick: u64) -> usize {
        (tick >> Self::SHIFT) as usize
    }

    /// A duration in units, rounded up. An age that has more units is longer.
    const fn units(duration: Duration) -> u64 {
        ticks(duration, H::TICKS_PER_SECOND).div_ceil(1 << Self::SHIFT)
    }
}

/// So many ticks are a unit that there are at most a million units a second. On 64-bit targets a
/// tick is one.
const fn shift(hertz: u64) -> u32 {
    let mut shift = 0;
    // Bound: 64.
    while usize::BITS < 64 && hertz >> shift > 1_000_000 {
        shift += 1;
    }
    shift
}

/// A duration in ticks, rounded up.
const fn ticks(duration: Duration, hertz: u64) -> u64 {
    let nanoseconds = duration.subsec_nanos() as u128 * hertz as u128;
    let part = nanoseconds.div_ceil(1_000_000_000) as u64;
    let seconds = duration.as_secs().saturating_mul(hertz);
    seconds.saturating_add(part)
}

impl<const QUEUE: usize, H: Clock> fmt::Debug for Watchdog<QUEUE, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("all_well", &self.all_well())
            .finish_non_exhaustive()
    }
}
