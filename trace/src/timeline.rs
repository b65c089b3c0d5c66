//! Events as spans of time: which task ran when on which worker, and how long it had waited.

use core::fmt;
use core::mem;
use std::collections::BTreeMap;
use std::vec::Vec;

use slotted::{Awaits, Outcome, Refusal};

use crate::event::{Action, Event, Task};

/// A row of the timeline, on which slices lie in each other or side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Track {
    /// The worker of that number.
    Worker(u16),
    /// A thread that is no worker. Steps do not tell such threads apart, so what overlaps without
    /// one within the other lies on several of these.
    Other(u16),
}

/// A name for people.
impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker) => write!(f, "worker {worker}"),
            Self::Other(0) => f.write_str("other threads"),
            Self::Other(number) => write!(f, "other threads ({})", number + 1),
        }
    }
}

/// Why a task no longer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// The future was not ready.
    Rested,
    /// The task ended.
    Ended(Outcome),
    /// The task ended as cancelled.
    Cancelled,
    /// It still ran at the last event, which the slice is cut at.
    Unfinished,
}

/// A closure that ran, or one poll of a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Slice {
    /// The address of the executor.
    pub executor: usize,
    /// Where it ran.
    pub track: Track,
    /// The task.
    pub task: Task,
    /// The address of a function that stands for the task's type.
    pub kind: usize,
    /// The tick of its start.
    pub begin: u64,
    /// The tick of its end.
    pub end: u64,
    /// How many ticks it had waited for a worker, if that is known.
    pub queued: Option<u64>,
    /// Why it ends.
    pub stop: Stop,
}

/// A task that waited for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Wait {
    /// The address of the executor.
    pub executor: usize,
    /// The task.
    pub task: Task,
    /// The address of a function that stands for the task's type; 0 if that event is lost.
    pub kind: usize,
    /// The tick at which it was submitted or woken.
    pub begin: u64,
    /// The tick at which it started, was cancelled or was refused, or that of the last event.
    pub end: u64,
}

/// What happened at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Moment {
    /// A task, a permit or a promise was refused.
    Refused(Refusal),
    /// A task was cancelled that did not run.
    Cancelled,
    /// A task of a timetable became due for the first time.
    Due,
}

/// A moment and the task that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Instant {
    /// The address of the executor.
    pub executor: usize,
    /// When.
    pub tick: u64,
    /// The task, if it had a slot.
    pub task: Option<Task>,
    /// The address of a function that stands for the task's type; 0 if it is not known.
    pub kind: usize,
    /// What happened.
    pub moment: Moment,
}

/// What events tell, as spans of time.
///
/// Events that the recorder has lost cost what they belong to: a slice whose start is lost is left
/// out. A wait whose beginning is lost is left out too.
///
/// ```
/// use slotted::{Executor, Park, SpinHost, Step};
/// use slotted_trace::Recorder;
/// use slotted_trace::timeline::{Timeline, Track};
/// # use core::sync::atomic::{AtomicU64, Ordering};
/// # static TICKS: AtomicU64 = AtomicU64::new(0);
///
/// static RECORDER: Recorder<64> = Recorder::new();
///
/// struct Host;
/// impl Park for Host {
/// #   type Thread = ();
/// #   type Order = slotted::Fifo;
/// #   fn current() {}
/// #   fn current_id() -> usize { SpinHost::current_id() }
/// #   fn park() {}
/// #   fn unpark((): &()) {}
///     // …
///     fn note(step: impl FnOnce() -> Step) {
///         let tick = TICKS.fetch_add(1, Ordering::Relaxed);
///         RECORDER.note(tick, step());
///     }
/// }
///
/// let pool: Executor<0, 4, 64, Host> = Executor::new();
/// assert_eq!(pool.submit(|| 1).unwrap().result(), Ok(1));
/// let timeline = Timeline::of(RECORDER.reader());
/// let slice = timeline.slices[0];
/// assert_eq!((slice.begin, slice.end, slice.queued), (1, 2, Some(1)));
/// assert_eq!(slice.track, Track::Other(0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeline {
    /// What ran, by executor, track and start. A slice comes before those that lie in it.
    pub slices: Vec<Slice>,
    /// What waited for a worker, in the order in which the waits ended.
    pub waits: Vec<Wait>,
    /// What happened at one moment, in the order of the events.
    pub instants: Vec<Instant>,
}

/// A task as the events so far tell.
#[derive(Clone, Copy)]
struct Life {
    task: Task,
    kind: usize,
    at: At,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// A promise.
    Promised,
    /// A task before its date.
    Dated,
    Queued {
        since: u64,
    },
    Running {
        since: u64,
        queued: Option<u64>,
        worker: Option<u16>,
        order: u64,
    },
    Resting,
}

/// A slice whose track is not chosen yet, with the number of the event that began it.
type Begun = (u64, Option<u16>, Slice);

#[derive(Default)]
struct Reading {
    /// By the executor and the slot.
    lives: BTreeMap<(usize, u16), Life>,
    slices: Vec<Begun>,
    timeline: Timeline,
}

impl Timeline {
    /// Reads events, which come in the order of their numbers.
    #[must_use]
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let mut reading = Reading::default();
        let mut last = 0;
        for event in events {
            last = last.max(event.tick);
            reading.read(event);
        }
        for ((executor, _), life) in mem::take(&mut reading.lives) {
            reading.leave(executor, life, last, Stop::Unfinished);
        }
        let mut timeline = reading.timeline;
        timeline.slices = with_tracks(reading.slices);
        timeline
    }
}

impl Reading {
    fn read(&mut self, event: Event) {
        let Event {
            tick,
            executor,
            task,
            action,
            number,
        } = event;
        if let Action::Refused(reason) = action {
            let life = task.and_then(|task| self.take(executor, task));
            let kind = life.map_or(0, |life| life.kind);
            if let Some(life) = life {
                self.leave(executor, life, tick, Stop::Unfinished);
            }
            self.tell(executor, tick, task, kind, Moment::Refused(reason));
            return;
        }
        // What is left are the steps of workers.
        let Some(task) = task else { return };
        let life = self.take(executor, task);
        let kind = life.map_or(0, |life| life.kind);
        let (kind, at) = match action {
            Action::Submitted { kind, awaits } => match awaits {
                Awaits::Worker => (kind, At::Queued { since: tick }),
                Awaits::Date => (kind, At::Dated),
                _ => (kind, At::Promised),
            },
            Action::Started { kind, worker } => {
                let waited = life.and_then(|life| self.leave(executor, life, tick, Stop::Rested));
                let running = At::Running {
                    since: tick,
                    queued: waited,
                    worker,
                    order: number,
                };
                (kind, running)
            }
            Action::Rested => {
                if let Some(life) = life {
                    self.leave(executor, life, tick, Stop::Rested);
                }
                (kind, At::Resting)
            }
            Action::Woken => match life {
                Some(life) if matches!(life.at, At::Dated | At::Resting) => {
                    if life.at == At::Dated {
                        self.tell(executor, tick, Some(task), kind, Moment::Due);
                    }
                    (kind, At::Queued { since: tick })
                }
                // It comes late.
                Some(life) => (kind, life.at),
                None => return,
            },
            Action::Ended(_) | Action::Cancelled => {
                let stop = match action {
                    Action::Ended(outcome) => Stop::Ended(outcome),
                    _ => Stop::Cancelled,
                };
                let ran = life.is_some_and(|life| matches!(life.at, At::Running { .. }));
                if let Some(life) = life {
                    self.leave(executor, life, tick, stop);
                }
                if stop == Stop::Cancelled && !ran {
                    self.tell(executor, tick, Some(task), kind, Moment::Cancelled);
                }
                return;
            }
            Action::Refused(_) | Action::Idle(_) | Action::Busy(_) => return,
        };
        let life = Life { task, kind, at };
        self.lives.insert((executor, task.slot), life);
    }

    /// Takes out what is known of the task. A later task in its slot stays.
    fn take(&mut self, executor: usize, task: Task) -> Option<Life> {
        let place = (executor, task.slot);
        let its_own = self.lives.get(&place).is_some_and(|life| life.task == task);
        if its_own {
            self.lives.remove(&place)
        } else {
            None
        }
    }

    /// The task leaves the state that it is in. Returns how long it waited for a worker.
    fn leave(&mut self, executor: usize, life: Life, tick: u64, stop: Stop) -> Option<u64> {
        let Life { task, kind, at } = life;
        match at {
            At::Queued { since } => {
                let end = tick.max(since);
                self.timeline.waits.push(Wait {
                    executor,
                    task,
                    kind,
                    begin: since,
                    end,
                });
                return Some(end - since);
            }
            At::Running {
                since,
                queued,
                worker,
                order,
            } => {
                let slice = Slice {
                    executor,
                    track: Track::Other(0),
                    task,
                    kind,
                    begin: since,
                    end: tick.max(since),
                    queued,
                    stop,
                };
                self.slices.push((order, worker, slice));
            }
            At::Promised | At::Dated | At::Resting => {}
        }
        None
    }

    fn tell(
        &mut self,
        executor: usize,
        tick: u64,
        task: Option<Task>,
        kind: usize,
        moment: Moment,
    ) {
        self.timeline.instants.push(Instant {
            executor,
            tick,
            task,
            kind,
            moment,
        });
    }
}

/// Chooses the tracks. The slices of a worker lie in each other or side by side anyway. A slice of
/// another thread goes to the first track where it lies within what is open there.
fn with_tracks(mut begun: Vec<Begun>) -> Vec<Slice> {
    begun.sort_by_key(|(order, _, slice)| (slice.begin, *order));
    // The ends of what is open on each track of each executor.
    let mut others = BTreeMap::<usize, Vec<Vec<u64>>>::new();
    let mut slices: Vec<_> = { begun.into_iter() }
        .map(|(_, worker, mut slice)| {
            slice.track = match worker {
                Some(worker) => Track::Worker(worker),
                None => Track::Other(lane(others.entry(slice.executor).or_default(), &slice)),
            };
            slice
        })
        .collect();
    // Stable: the order of their starts stays.
    slices.sort_by_key(|slice| (slice.executor, slice.track));
    slices
}

fn lane(lanes: &mut Vec<Vec<u64>>, slice: &Slice) -> u16 {
    for open in &mut *lanes {
        open.retain(|&end| end > slice.begin);
    }
    let fits = |open: &Vec<u64>| open.last().is_none_or(|&end| slice.end <= end);
    let lane = lanes.iter().position(fits).unwrap_or_else(|| {
        lanes.push(Vec::new());
        lanes.len() - 1
    });
    lanes[lane].push(slice.end);
    u16::try_from(lane).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread may be preempted before it tells of a wake: the slot may have another task then.
    #[test]
    fn a_wake_that_comes_late_changes_nothing() {
        let kind = 1;
        let awaits = Awaits::Worker;
        let mut number = 0;
        let mut event = |tick, generation, action| {
            number += 1;
            Event {
                number,
                tick,
                executor: 1,
                task: Some(Task {
                    slot: 0,
                    generation,
                }),
                action,
            }
        };
        let started = Action::Started { kind, worker: None };
        let ended = Action::Ended(Outcome::Value);
        let before = [
            event(1, 0, Action::Submitted { kind, awaits }),
            event(2, 0, started),
            event(3, 0, Action::Rested),
            event(4, 0, Action::Woken),
            event(5, 0, started),
            event(6, 0, ended),
            event(10, 1, Action::Submitted { kind, awaits }),
            event(11, 1, started),
            event(12, 1, Action::Rested),
        ];
        let late = event(13, 0, Action::Woken);
        let after = [event(14, 1, Action::Woken), event(16, 1, started)];
        let with = Timeline::of(before.into_iter().chain([late]).chain(after));
        let without = Timeline::of(before.into_iter().chain(after));
        assert_eq!(with, without);
        let waits: Vec<_> = with.slices.iter().map(|slice| slice.queued).collect();
        assert_eq!(waits, [Some(1), Some(1), Some(1), Some(2)]);
        assert!(with.instants.is_empty(), "none of them had a date");
    }
}
