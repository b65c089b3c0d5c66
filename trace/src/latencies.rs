//! How long tasks wait for a worker, and how long they run.

use core::fmt;

use slotted::{Executor, Park, Step};

use crate::age::{Age, Change, Phase, span};
use crate::histogram::Histogram;
use crate::steps::{change_of, generation};
use crate::watched::Watched;

/// Histograms of the queueing and the running times of an executor's tasks, in ticks of the
/// caller's clock. `QUEUE` is the executor's.
///
/// A queueing time begins when the submitter has filled the slot, or when a waker or its date wakes
/// the task. It ends when a thread starts it. A running time ends when the task rests or ends. So a
/// future has one of each for each poll.
///
/// - A task that waits within another on the same thread counts twice: in its own time, and in that
///   of the other.
/// - A future that was woken during its poll goes back to the queue without a step. That wait is
///   counted nowhere.
/// - Tasks that are cancelled in the queue, and promises, are counted nowhere.
/// - On 32-bit targets a time of 2^29 ticks or more is not told from a short one.
///
/// # Context
///
/// [`note`](Self::note) may be called from any thread or interrupt, several at once. It takes no
/// lock. The histograms may be read at any time.
///
/// # Cost
///
/// A word for each slot and two histograms. The README has the instructions.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use slotted::{Executor, Park, SpinHost, Step};
/// use slotted_trace::Latencies;
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
///         LATENCIES.note(TICKS.load(Ordering::Relaxed), step());
///     }
/// }
///
/// static POOL: Executor<0, 4, 64, Board> = Executor::new();
/// static LATENCIES: Latencies<4> = Latencies::new(&POOL);
///
/// let task = POOL.submit(|| TICKS.fetch_add(3, Ordering::Relaxed)).unwrap();
/// TICKS.fetch_add(100, Ordering::Relaxed);
/// POOL.run_until_idle();
/// assert_eq!(LATENCIES.queueing().percentile(100), Some(127));
/// assert_eq!(LATENCIES.running().percentile(100), Some(3));
/// # drop(task);
/// ```
pub struct Latencies<const QUEUE: usize, const BUCKETS: usize = 32> {
    executor: Watched,
    ages: [Age; QUEUE],
    queueing: Histogram<BUCKETS>,
    running: Histogram<BUCKETS>,
}

impl<const QUEUE: usize, const BUCKETS: usize> Latencies<QUEUE, BUCKETS> {
    /// Histograms of that executor's tasks, as yet empty.
    #[must_use]
    pub const fn new<const WORKERS: usize, const SLOT_BYTES: usize, H: Park>(
        executor: &'static Executor<WORKERS, QUEUE, SLOT_BYTES, H>,
    ) -> Self {
        Self {
            executor: Watched::new(executor),
            ages: [const { Age::new() }; QUEUE],
            queueing: Histogram::new(),
            running: Histogram::new(),
        }
    }

    /// Counts what the step says. Call it from [`Park::note`] with each step. Steps of other
    /// executors are left out.
    #[inline(always)]
    pub fn note(&self, tick: u64, step: Step) {
        let Some((task, change)) = change_of(&step) else {
            return;
        };
        let Some(age) = self.ages.get(usize::from(task.slot)) else {
            return;
        };
        if !self.executor.is(task.executor) {
            return;
        }
        let tick = tick as usize;
        let (histogram, since) = match (change, age.change(change, tick, generation(task))) {
            (Change::Run, Phase::Queued { since }) => (&self.queueing, since),
            (Change::Rest | Change::Leave, Phase::Running { since }) => (&self.running, since),
            _ => return,
        };
        histogram.record(span(since, tick) as u64);
    }

    /// How long tasks were in the queue before a thread started them.
    #[must_use]
    pub fn queueing(&self) -> &Histogram<BUCKETS> {
        &self.queueing
    }

    /// How long closures ran, and how long each poll of a future took.
    #[must_use]
    pub fn running(&self) -> &Histogram<BUCKETS> {
        &self.running
    }
}

impl<const QUEUE: usize, const BUCKETS: usize> fmt::Debug for Latencies<QUEUE, BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latencies")
            .field("queueing", &self.queueing)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
