//! What happened in a simulation: its events, and their hash.

use core::fmt;
use std::collections::VecDeque;

use super::steps::step_words;
use crate::step::Step;

/// What a simulated thread did, or what happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It was made, and can run.
    Started,
    /// It goes on, after another thread has run.
    Resumed,
    /// It sleeps until another thread wakes it.
    Parked,
    /// It sleeps until another thread wakes it, at most until that tick.
    ParkedUntil(u64),
    /// It gave the thread of that number its permit.
    Unparked(u32),
    /// The engine told the host that there is work, for which it woke no thread.
    Ready,
    /// Its task takes until that tick.
    SpentUntil(u64),
    /// It let others run.
    Yielded,
    /// The driving thread lets time pass until that tick.
    AdvancedUntil(u64),
    /// It told the host this step of a task or worker.
    ///
    /// The step has no address: its `executor` is the executor's number, in the order in which they
    /// came up. A `kind` is 0, and a generation has its lowest 16 bits.
    Noted(Step),
    /// It has ended.
    Ended,
}

impl Action {
    /// A number for the kind of action, and what comes with it. They are part of every hash.
    fn words(self) -> (u32, u64) {
        match self {
            Self::Started => (1, 0),
            Self::Resumed => (2, 0),
            Self::Parked => (3, 0),
            Self::ParkedUntil(tick) => (4, tick),
            Self::Unparked(thread) => (5, u64::from(thread)),
            Self::Ready => (6, 0),
            Self::SpentUntil(tick) => (7, tick),
            Self::Yielded => (8, 0),
            Self::AdvancedUntil(tick) => (9, tick),
            Self::Ended => (10, 0),
            Self::Noted(step) => step_words(step),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("starts"),
            Self::Resumed => f.write_str("goes on"),
            Self::Parked => f.write_str("parks"),
            Self::ParkedUntil(tick) => write!(f, "parks until {tick}"),
            Self::Unparked(thread) => write!(f, "unparks thread {thread}"),
            Self::Ready => f.write_str("tells the host that there is work"),
            Self::SpentUntil(tick) => write!(f, "spends time until {tick}"),
            Self::Yielded => f.write_str("lets others run"),
            Self::AdvancedUntil(tick) => write!(f, "lets time pass until {tick}"),
            Self::Ended => f.write_str("ends"),
            Self::Noted(step) => write!(f, "{step:?}"),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, in nanoseconds.
    pub tick: u64,
    /// The number of the thread: 0 is the driving thread, the others are counted from 1.
    pub thread: u32,
    /// What the thread did.
    pub action: Action,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ns, thread {}: {}",
            self.tick, self.thread, self.action
        )
    }
}

/// What happened in a simulation so far: [`Simulation::trace`](crate::Simulation::trace).
///
/// Two runs of one program with one seed have equal traces, on every machine, with one version of
/// this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    hash: u64,
    count: u64,
    capacity: usize,
    /// The latest ones.
    events: VecDeque<Event>,
}

impl Trace {
    pub(super) const fn new() -> Self {
        Self {
            hash: 0,
            count: 0,
            capacity: 0,
            events: VecDeque::new(),
        }
    }

    /// From now on keeps the latest `capacity` events. Takes their memory now.
    pub(super) fn keep(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.events = VecDeque::with_capacity(capacity);
    }

    pub(super) fn keeps_events(&self) -> bool {
        self.capacity > 0
    }

    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        self.add(event.tick, event.thread, event.action.words());
        if self.keeps_events() {
            self.push_kept(event);
        }
    }

    /// Counts and hashes an event.
    #[inline]
    pub(super) fn add(&mut self, tick: u64, thread: u32, (kind, with): (u32, u64)) {
        self.count += 1;
        for word in [tick, u64::from(thread) << 32 | u64::from(kind), with] {
            // Odd, so that no word is lost; the shift brings the upper bits down.
            self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.hash ^= self.hash >> 32;
        }
    }

    fn push_kept(&mut self, event: Event) {
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// A number of all events so far, kept or not. Costs no memory for each of them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::Simulation;
    ///
    /// let hash = |seconds| {
    ///     let simulation = Simulation::new();
    ///     simulation.advance(Duration::from_secs(seconds));
    ///     simulation.trace().hash()
    /// };
    /// assert_eq!(hash(1), hash(1));
    /// assert_ne!(hash(1), hash(2));
    /// ```
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were, kept or not.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::Simulation;
    ///
    /// let simulation = Simulation::new();
    /// simulation.advance(Duration::from_secs(1));
    /// assert_eq!(simulation.trace().count(), 1);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latest events, oldest first: as many as
    /// [`keep_events`](crate::Simulation::keep_events) asked for.
    ///
    /// ```
    /// use core::time::Duration;
    /// use slotted::Simulation;
    ///
    /// let simulation = Simulation::new().keep_events(10);
    /// simulation.advance(Duration::from_nanos(5));
    /// let trace = simulation.trace();
    /// let events: Vec<String> = trace.events().map(|event| event.to_string()).collect();
    /// assert_eq!(events, ["0 ns, thread 0: lets time pass until 5"]);
    /// ```
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.iter().copied()
    }
}
