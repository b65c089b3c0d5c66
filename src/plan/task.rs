//! What a plan is told about one task or interrupt.
#![forbid(unsafe_code)]

use core::time::Duration;

/// The longest time that a plan reckons with, in nanoseconds: some thirteen days. So no sum of
/// the analysis leaves 64 bits.
pub(super) const LONGEST: u64 = 1 << 50;

/// There are 32 levels at most, from 0 to 31.
pub(super) const LEVELS: usize = 32;

/// A duration in nanoseconds.
///
/// # Panics
///
/// If it is longer than [`LONGEST`].
pub(super) const fn nanoseconds(duration: Duration) -> u64 {
    let nanoseconds = duration.as_nanos();
    assert!(
        nanoseconds <= LONGEST as u128,
        "plan: a time is longer than the thirteen days that a plan reckons with"
    );
    nanoseconds as u64
}

/// How a task comes into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Series,
    Interrupt,
}

/// One task of a [`Plan`](super::Plan), or an interrupt that takes time from all tasks.
///
/// A task needs its shortest distance between two submissions, [`every`](Self::every), and its
/// worst cost, [`at_most`](Self::at_most). Its level is 0 and its deadline is the distance, unless
/// said otherwise.
///
/// ```
/// use core::time::Duration;
/// use slotted::plan::Task;
///
/// const SAMPLE: Task = Task::series("sample")
///     .level(3)
///     .every(Duration::from_micros(1000))
///     .at_most(Duration::from_micros(120))
///     .deadline(Duration::from_micros(500));
/// # let _ = SAMPLE;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a plan has it"]
pub struct Task {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) level: usize,
    pub(super) period: u64,
    pub(super) cost: u64,
    deadline: Option<u64>,
    pub(super) jitter: u64,
}

impl Task {
    /// A task that is submitted when something happens: a closure for each event, by an interrupt.
    /// Several may be in the queue at once, each in a slot of its own.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::Task;
    /// const FRAME: Task = Task::event("frame")
    ///     .every(Duration::from_millis(20)) // two frames are never closer
    ///     .at_most(Duration::from_micros(4000));
    /// # let _ = FRAME;
    /// ```
    pub const fn event(name: &'static str) -> Self {
        Self::new(name, Kind::Event)
    }

    /// A series of a timetable, from `submit_every`. It holds one slot, whatever happens.
    ///
    /// Its deadline cannot be longer than its period: a series skips the dates that pass while it
    /// runs.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::Task;
    /// const CONTROL: Task = Task::series("control")
    ///     .every(Duration::from_millis(5))
    ///     .at_most(Duration::from_micros(900));
    /// # let _ = CONTROL;
    /// ```
    pub const fn series(name: &'static str) -> Self {
        Self::new(name, Kind::Series)
    }

    /// An interrupt, or anything else on this core that is more urgent than every worker. It is no
    /// task and holds no slot. It takes its cost from all tasks; the plan gives no bound for it.
    ///
    /// The interrupts that submit the plan's own events, or advance the timetable for a date, are
    /// in the plan's overhead.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use slotted::plan::Task;
    /// const RECEIVE: Task = Task::interrupt("UART")
    ///     .every(Duration::from_micros(87))
    ///     .at_most(Duration::from_micros(3));
    /// # let _ = RECEIVE;
    /// ```
    pub const fn interrupt(name: &'static str) -> Self {
        Self::new(name, Kind::Interrupt)
    }

    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            level: 0,
            period: 0,
            cost: 0,
            deadline: None,
            jitter: 0,
        }
    }

    /// The period, or the shortest distance between two events.
    ///
    /// # Panics
    ///
    /// If it is zero, or longer than thirteen days.
    pub const fn every(mut self, period: Duration) -> Self {
        self.period = nanoseconds(period);
        assert!(self.period != 0, "plan: a period is not zero");
        self
    }

    /// The most that one run takes of the processor: the measured maximum and a margin, or what a
    /// tool for worst cases says. It includes taking, or dropping, the results of other tasks, but
    /// no waiting.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn at_most(mut self, cost: Duration) -> Self {
        self.cost = nanoseconds(cost);
        self
    }

    /// The task's level: strictly the highest comes first. See
    /// [`Plan::workers`](super::Plan::workers).
    ///
    /// # Panics
    ///
    /// If it is above 31.
    pub const fn level(mut self, level: usize) -> Self {
        assert!(level < LEVELS, "plan: a level is at most 31");
        self.level = level;
        self
    }

    /// How long after its event or date each run must have ended. It may be longer than the period
    /// of an event.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(nanoseconds(deadline));
        self
    }

    /// How long after its event or date the task may come into the queue. The time counts for the
    /// deadline. Zero where the interrupt of the event submits the task, or an alarm advances the
    /// timetable. Where a loop or a tick advances it, their period.
    ///
    /// # Panics
    ///
    /// If it is longer than thirteen days.
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = nanoseconds(jitter);
        self
    }

    pub(super) const fn deadline_or_period(&self) -> u64 {
        match self.deadline {
            Some(deadline) => deadline,
            None => self.period,
        }
    }

    /// # Panics
    ///
    /// If something is missing, or contradicts something else.
    pub(super) const fn must_be_whole(&self) {
        assert!(self.period != 0, "plan: a task has no period: say `every`");
        assert!(self.cost != 0, "plan: a task has no cost: say `at_most`");
        assert!(
            !matches!(self.kind, Kind::Series) || self.deadline_or_period() <= self.period,
            "plan: a series skips dates that pass: its deadline is at most its period"
        );
    }
}
