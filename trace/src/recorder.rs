//! The flight recorder: the latest events, in a ring of fixed size.

use core::cell::Cell;
use core::fmt;

use slotted::Step;

use crate::event::{EXECUTORS, Event, Packed};
use crate::sync::{Lock, increment};

/// Keeps the latest `EVENTS` steps that a host was told, with their ticks. `EVENTS` is a power of
/// two.
///
/// A full recorder overwrites the oldest event. [`lost`](Self::lost) counts those. Readers take
/// nothing out, so there may be several, and they may read while events come.
///
/// One recorder serves all executors of a host, up to eight.
///
/// # Context
///
/// All calls may come from any thread or interrupt, several at once. Each enters one lock for a
/// bounded number of steps: a critical section on boards, std's mutex with the feature `std`. No
/// code of a user or host runs inside. So an interrupt is held back by one event at most.
///
/// Events have the order in which they entered the lock. The steps of one task are always in their
/// own order. Ticks were read before, so those of different threads may differ from that order by
/// as long as a thread was preempted in between.
///
/// # Cost
///
/// 16 bytes for an event on 32-bit targets, 24 on 64-bit ones, and 48 or 80 for the rest. The
/// README has the instructions.
///
/// ```
/// use slotted::{Executor, Park, SpinHost, Step};
/// use slotted_trace::{Action, Recorder};
///
/// static RECORDER: Recorder<64> = Recorder::new();
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
///         let cycles = 7; // the board's cycle counter
///         RECORDER.note(cycles, step());
///     }
/// }
///
/// let pool: Executor<0, 4, 64, Board> = Executor::new();
/// assert_eq!(pool.submit(|| 1).unwrap().result(), Ok(1));
/// let actions: Vec<_> = RECORDER.reader().map(|event| event.action).collect();
/// assert!(matches!(
///     actions[..],
///     [Action::Submitted { .. }, Action::Started { worker: None, .. }, Action::Ended(_)]
/// ));
/// assert_eq!((RECORDER.count(), RECORDER.lost()), (3, 0));
/// ```
pub struct Recorder<const EVENTS: usize> {
    ring: Lock<Ring<EVENTS>>,
}

struct Ring<const EVENTS: usize> {
    /// How many events there were.
    count: Cell<u64>,
    /// Steps without a place.
    skipped: Cell<u64>,
    /// The addresses of executors, in the order in which they came up; 0 where none is.
    executors: [Cell<usize>; EXECUTORS],
    /// The event of number `n` is at `n % EVENTS`.
    events: [Cell<Packed>; EVENTS],
}

impl<const EVENTS: usize> Recorder<EVENTS> {
    /// A recorder without events.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                EVENTS.is_power_of_two(),
                "slotted-trace: the number of a recorder's events is a power of two"
            );
        }
        Self {
            ring: Lock::new(Ring {
                count: Cell::new(0),
                skipped: Cell::new(0),
                executors: [const { Cell::new(0) }; EXECUTORS],
                events: [const { Cell::new(Packed::NOTHING) }; EVENTS],
            }),
        }
    }

    /// Keeps the step. Call it from [`Park::note`](slotted::Park::note).
    ///
    /// `tick` is the time on any clock, of which 48 bits are kept: that of the host, or a cycle
    /// counter.
    #[inline(always)]
    pub fn note(&self, tick: u64, step: Step) {
        match Packed::new(tick, step) {
            Some((executor, packed)) => self.ring.with(|ring| ring.push(executor, packed)),
            None => self.ring.with(|ring| increment(&ring.skipped)),
        }
    }

    /// How many events came, those that were overwritten included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ring.with(|ring| ring.count.get())
    }

    /// How many events were overwritten.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.count().saturating_sub(EVENTS as u64)
    }

    /// How many steps were not kept: those of a ninth executor, and steps that are newer than this
    /// crate.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.ring.with(|ring| ring.skipped.get())
    }

    /// Reads the events from the oldest on. Costs one short section for each.
    #[must_use]
    pub fn reader(&self) -> Reader<'_, EVENTS> {
        Reader {
            recorder: self,
            next: self.lost(),
            missed: 0,
        }
    }
}

impl<const EVENTS: usize> Ring<EVENTS> {
    #[inline(always)]
    fn push(&self, executor: usize, packed: Packed) {
        let Some(executor) = self.number_of(executor) else {
            increment(&self.skipped);
            return;
        };
        let count = self.count.get();
        self.events[count as usize % EVENTS].set(packed.of(executor));
        self.count.set(count + 1);
    }

    /// The executor's number, which it gets if it has none.
    #[inline(always)]
    fn number_of(&self, executor: usize) -> Option<usize> {
        if self.executors[0].get() == executor {
            return Some(0);
        }
        self.number_of_another(executor)
    }

    #[inline(never)]
    fn number_of_another(&self, executor: usize) -> Option<usize> {
        // Bound: EXECUTORS.
        for (number, place) in self.executors.iter().enumerate() {
            if place.get() == 0 {
                place.set(executor);
            }
            if place.get() == executor {
                return Some(number);
            }
        }
        None
    }

    /// The event of that number or, if it was overwritten, the oldest one after it.
    fn event(&self, number: u64) -> Option<Event> {
        let count = self.count.get();
        let number = number.max(count.saturating_sub(EVENTS as u64));
        if number >= count {
            return None;
        }
        let packed = self.events[number as usize % EVENTS].get();
        packed.unpack(number, self.executors[packed.executor()].get())
    }
}

impl<const EVENTS: usize> Default for Recorder<EVENTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const EVENTS: usize> fmt::Debug for Recorder<EVENTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("count", &self.count())
            .field("lost", &self.lost())
            .field("skipped", &self.skipped())
            .finish_non_exhaustive()
    }
}

/// Reads a [`Recorder`], oldest event first. It ends where no further event is, and goes on when
/// one has come.
///
/// ```
/// use slotted_trace::Recorder;
///
/// static RECORDER: Recorder<64> = Recorder::new();
///
/// // A thread of low priority sends the events away.
/// let mut reader = RECORDER.reader();
/// for event in &mut reader {
///     println!("{event:?}");
/// }
/// assert_eq!(reader.missed(), 0);
/// ```
pub struct Reader<'r, const EVENTS: usize> {
    recorder: &'r Recorder<EVENTS>,
    next: u64,
    missed: u64,
}

impl<const EVENTS: usize> Reader<'_, EVENTS> {
    /// How many events were overwritten before the reader came to them.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

impl<const EVENTS: usize> Iterator for Reader<'_, EVENTS> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let event = self.recorder.ring.with(|ring| ring.event(self.next))?;
        self.missed += event.number - self.next;
        self.next = event.number + 1;
        Some(event)
    }
}

impl<const EVENTS: usize> fmt::Debug for Reader<'_, EVENTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("next", &self.next)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use slotted::{Executor, Park, SpinHost};

    use super::*;
    use crate::event::Action;

    /// With either lock: the tests of `tests/` have std's.
    #[test]
    fn a_small_recorder_keeps_the_latest_events() {
        static RECORDER: Recorder<2> = Recorder::new();

        struct Board;

        impl Park for Board {
            type Thread = ();
            type Order = slotted::Fifo;
            fn current() {}
            fn current_id() -> usize {
                SpinHost::current_id()
            }
            fn park() {}
            fn unpark((): &()) {}
            fn note(step: impl FnOnce() -> Step) {
                RECORDER.note(RECORDER.count(), step());
            }
        }

        let pool: Executor<0, 4, 64, Board> = Executor::new();
        let mut reader = RECORDER.reader();
        assert_eq!(reader.next(), None);
        pool.submit(|| ()).unwrap().result().unwrap();
        let first = reader.next().unwrap();
        assert_eq!((first.number, first.tick, reader.missed()), (1, 1, 1));
        assert!(matches!(first.action, Action::Started { worker: None, .. }));
        assert!(matches!(reader.next().unwrap().action, Action::Ended(_)));
        assert_eq!((reader.next(), RECORDER.lost()), (None, 1));
    }
}
