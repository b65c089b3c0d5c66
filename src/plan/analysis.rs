//! Response-time analysis, in integers and in bounded steps.
//!
//! # What is computed
//!
//! The workers of a core run in contexts of rising urgency. A task belongs to the most urgent
//! worker that serves its level. A job of a more urgent worker, or an interrupt, preempts; jobs of
//! one worker do not preempt each other. So, for a job of task `i` that comes `a` after the start
//! of a busy period of its level:
//!
//! ```text
//! to(t)     = ⌊(t + J) / T⌋ + 1      the jobs of a task until t
//! before(t) = ⌈(t + J) / T⌉          and before t
//!
//! start   w(a) = B + Σ to(a) · C of the same level, but for the job itself
//!                  + Σ to(w) · C of higher levels + Σ to(w) · S of all
//! finish  f(a) = w + Ci + Σ (before(f) − to(w)) · (S of all, and C of more urgent workers)
//! bound     Ri = max over a of f(a) − a + Ji
//! ```
//!
//! `C` is the worst cost and what a worker does around it; `S` what the interrupt of a submission
//! takes, or an interrupt of its own; `T` the period, `J` the jitter. `B` is the longest section,
//! and the longest job of a lower level that the same worker may have begun.
//!
//! All arrivals `a` within the busy period are looked at, at which some task of the level may come.
//! A level is first in, first out: a job waits for those of its level that come no later.
#![forbid(unsafe_code)]

use super::overhead::Overhead;
use super::task::{Kind, Task};

/// No time of the analysis goes beyond this one: 36 years.
const END: u64 = 1 << 60;

/// The parts into which the processor's time is divided.
const WHOLE: u128 = 1_000_000_000_000;

/// What one task asks of the processor.
#[derive(Clone, Copy)]
struct Demand {
    period: u64,
    jitter: u64,
    /// What its interrupt takes, above all workers.
    release: u64,
    /// What its worker takes for one job. Zero for a mere interrupt.
    job: u64,
    level: usize,
    /// The lowest level of the task's worker.
    worker: usize,
}

impl Demand {
    const NONE: Self = Self {
        period: 1,
        jitter: 0,
        release: 0,
        job: 0,
        level: 0,
        worker: 0,
    };

    /// How many jobs come in a time that ends with its last instant.
    const fn jobs_to(&self, time: u64) -> u64 {
        (time + self.jitter) / self.period + 1
    }

    /// How many jobs come in a time that ends before its last instant.
    const fn jobs_before(&self, time: u64) -> u64 {
        (time + self.jitter).div_ceil(self.period)
    }
}

/// The demands of a plan's tasks, and how many steps the analysis may still take.
///
/// No sum overflows, if [`utilisation`](Self::utilisation) is at most the [`WHOLE`]: the jobs in a
/// time `t` then take at most `t`, the longest jitter, and each job once. Times are below [`END`],
/// the rest is below 2^50 each, and there are at most 64 tasks.
pub(super) struct Analysis<const N: usize> {
    demands: [Demand; N],
    count: usize,
    section: u64,
    /// Each look at one demand is a step.
    steps: u64,
}

impl<const N: usize> Analysis<N> {
    /// Of tasks that are all served by some worker.
    ///
    /// Bit `l` of `workers` is set if a worker serves the levels from `l` on.
    pub(super) const fn new(
        tasks: &[Task; N],
        count: usize,
        workers: u32,
        overhead: Overhead,
        steps: u64,
    ) -> Self {
        let mut demands = [Demand::NONE; N];
        let mut index = 0;
        while index < count {
            let task = tasks[index];
            let (release, around) = match task.kind {
                Kind::Event => (overhead.submit + overhead.context, overhead.run),
                Kind::Series => (
                    overhead.advance + overhead.context,
                    overhead.run_of_a_series,
                ),
                Kind::Interrupt => (task.cost, 0),
            };
            let job = match task.kind {
                Kind::Interrupt => 0,
                _ => task.cost + around + overhead.context,
            };
            demands[index] = Demand {
                period: task.period,
                jitter: task.jitter,
                release,
                job,
                level: task.level,
                worker: worker_of(task.level, workers),
            };
            index += 1;
        }
        Self {
            demands,
            count,
            section: overhead.section,
            steps,
        }
    }

    /// The parts of the processor's time that the tasks take, of [`WHOLE`]; rounded up.
    const fn parts(&self) -> u128 {
        let mut parts = 0;
        let mut index = 0;
        while index < self.count {
            let demand = self.demands[index];
            let cost = (demand.release + demand.job) as u128;
            parts += (cost * WHOLE).div_ceil(demand.period as u128);
            index += 1;
        }
        parts
    }

    /// Returns true if the tasks ask for more time than there is.
    pub(super) const fn overloads(&self) -> bool {
        self.parts() > WHOLE
    }

    /// The thousandths of the processor's time that the tasks take; rounded up.
    pub(super) const fn permille(&self) -> u64 {
        (self.parts() * 1000).div_ceil(WHOLE) as u64
    }

    /// Takes a step for each demand. Returns false if none is left.
    const fn steps_left(&mut self) -> bool {
        let needed = self.count as u64;
        if self.steps < needed {
            return false;
        }
        self.steps -= needed;
        true
    }

    /// The longest time from a task's event to the end of its job, or `None` if the steps do not
    /// suffice. The tasks must not overload the processor.
    pub(super) const fn response(&mut self, task: usize) -> Option<u64> {
        let Some(busy) = self.busy_period(task) else {
            return None;
        };
        let mut worst = 0;
        let mut arrival = 0;
        let mut started = 0;
        // Each turn takes steps, which end.
        while arrival < busy {
            started = match self.start(task, arrival, started) {
                Some(started) => started,
                None => return None,
            };
            let finished = match self.finish(task, started) {
                Some(finished) => finished,
                None => return None,
            };
            // An arrival after the end of what came before it begins a busy period of its own,
            // which is that of an arrival at 0.
            let response = finished.saturating_sub(arrival);
            if response > worst {
                worst = response;
            }
            arrival = self.next_arrival(task, arrival);
        }
        Some(worst + self.demands[task].jitter)
    }

    /// What may hold a job up that is more urgent: a job of the same worker that began before, and
    /// a section.
    const fn blocking(&self, task: usize) -> u64 {
        let own = self.demands[task];
        let mut longest = 0;
        let mut index = 0;
        while index < self.count {
            let other = self.demands[index];
            let shares = other.worker == own.worker && other.level < own.level;
            if shares && other.job > longest {
                longest = other.job;
            }
            index += 1;
        }
        longest + self.section
    }

    /// How long the processor can be busy with the task's level and those above it, from an instant
    /// before which it was not.
    const fn busy_period(&mut self, task: usize) -> Option<u64> {
        let blocking = self.blocking(task);
        let level = self.demands[task].level;
        let mut end = 1;
        // The end only grows; each turn takes steps.
        while self.steps_left() && end < END {
            let mut demand = blocking;
            let mut index = 0;
            while index < self.count {
                let other = self.demands[index];
                let job = if other.level >= level { other.job } else { 0 };
                demand += other.jobs_before(end) * (other.release + job);
                index += 1;
            }
            if demand <= end {
                return Some(end);
            }
            end = demand;
        }
        None
    }

    /// When the job that comes at `arrival` starts at the latest, if all that can come before it
    /// does. Not before `from`, the start of a job that came earlier.
    const fn start(&mut self, task: usize, arrival: u64, from: u64) -> Option<u64> {
        let own = self.demands[task];
        let mut ahead = self.blocking(task);
        let mut index = 0;
        while index < self.count {
            let other = self.demands[index];
            if index == task {
                // Its own job is the last. If it is late by its jitter, so were those before.
                ahead += arrival / own.period * own.job;
            } else if other.level == own.level {
                ahead += other.jobs_to(arrival) * other.job;
            }
            index += 1;
        }
        let mut start = from;
        // The start only grows; each turn takes steps.
        while self.steps_left() && start < END {
            let mut demand = ahead;
            let mut index = 0;
            while index < self.count {
                let other = self.demands[index];
                let job = if other.level > own.level {
                    other.job
                } else {
                    0
                };
                demand += other.jobs_to(start) * (other.release + job);
                index += 1;
            }
            if demand <= start {
                return Some(start);
            }
            start = demand;
        }
        None
    }

    /// When a job that starts at `start` ends at the latest: those of its own worker wait for it.
    const fn finish(&mut self, task: usize, start: u64) -> Option<u64> {
        let own = self.demands[task];
        let mut finish = start + own.job;
        // The finish only grows; each turn takes steps.
        while self.steps_left() && finish < END {
            let mut demand = start + own.job;
            let mut index = 0;
            while index < self.count {
                let other = self.demands[index];
                let job = if other.worker > own.worker {
                    other.job
                } else {
                    0
                };
                let jobs = other.jobs_before(finish) - other.jobs_to(start);
                demand += jobs * (other.release + job);
                index += 1;
            }
            if demand <= finish {
                return Some(finish);
            }
            finish = demand;
        }
        None
    }

    /// The first time after `arrival` at which more jobs of the task's level may have come.
    const fn next_arrival(&self, task: usize, arrival: u64) -> u64 {
        let own = self.demands[task];
        let mut next = (arrival / own.period + 1) * own.period;
        let mut index = 0;
        while index < self.count {
            let other = self.demands[index];
            if index != task && other.level == own.level && other.job > 0 {
                let point = other.jobs_to(arrival) * other.period - other.jitter;
                if point < next {
                    next = point;
                }
            }
            index += 1;
        }
        next
    }
}

/// The lowest level of the most urgent worker that serves `level`; 0 if none does.
const fn worker_of(level: usize, workers: u32) -> usize {
    let serving = workers & (u32::MAX >> (31 - level));
    if serving == 0 {
        0
    } else {
        31 - serving.leading_zeros() as usize
    }
}
