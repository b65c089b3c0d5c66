//! In which order ready tasks start.
//!
//! A host names an [`Order`] for its executors. What the order keeps lies in the executor: the
//! lists of the ready queue, and which workers are tied to which level. [`Fifo`] keeps one list and
//! nothing else, and its code is what it would be if there were no other order.
//!
//! Invariants:
//!
//! - **Level Stays.** A submitter writes a task's level into the link of the slot that it claimed.
//!   The link keeps it while the slot is in no list, and the tag of its list keeps it there. So a
//!   future that is woken comes back to its level.
//! - **Bit Means Task.** A level's bit is set if and only if its list holds a task. Both change in
//!   one section.
#![forbid(unsafe_code)]

use core::cell::Cell;
use core::fmt;

use crate::list::{Index, Link, Links, List, READY, Seat};

/// In which order the executors of a host start tasks: [`Fifo`], or [`Levels`]. The host names it
/// in [`Park::Order`](crate::Park::Order).
///
/// Sealed: an order is part of the engine.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an order in which tasks start",
    note = "an order is `slotted::Fifo` or `slotted::Levels<N>`"
)]
#[expect(private_bounds, reason = "sealed: the engine's own lists")]
pub trait Order: Parts {}

/// First in, first out: tasks start in the order in which they became ready.
///
/// ```
/// use slotted::{Fifo, Park, SpinHost};
///
/// struct Board;
///
/// impl Park for Board {
///     type Thread = ();
///     type Order = Fifo;
///     # fn current() {}
///     # fn current_id() -> usize { 1 }
///     # fn park() {}
///     # fn unpark((): &()) {}
///     // …
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

impl Order for Fifo {}

/// `N` priority levels, at most 32: strictly the highest first, first in, first out inside each.
///
/// A ready task of a higher level starts before all ready tasks of lower ones, whenever they became
/// ready. A task keeps its level: a future comes back to it each time it is woken. Which task is
/// next is found in constant time, however many wait.
///
/// **Levels alone do not preempt.** A task that runs is never interrupted by the executor. An
/// urgent task waits for what its worker runs. Workers that
/// [serve the urgent levels only](crate::Worker::serve), in interrupts or in more urgent threads of
/// the host, make it preempt.
///
/// There is no ageing: tasks of low levels wait as long as there are others.
/// [`Executor::level_stats`](crate::Executor::level_stats) tells how long they did.
///
/// Slots are shared by all levels. So tasks of low levels can take all of them. An urgent submitter
/// holds a [`Permit`](crate::Permit) beforehand.
///
/// # Cost
///
/// Memory: 12 bytes a level and 8, in the executor, and a word a level for tied workers. No byte in
/// a slot.
///
/// # Python
///
/// None: `concurrent.futures` is first in, first out.
///
/// ```
/// use slotted::{Executor, Levels, Ordered, StdHost};
///
/// let executor: Executor<0, 8, 64, Ordered<StdHost, Levels<3>>> = Executor::new();
/// let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
/// let note = |name| {
///     let order = order.clone();
///     move || order.lock().unwrap().push(name)
/// };
/// executor.submit(note("log")).unwrap().detach(); // level 0
/// executor.level::<1>().submit(note("report")).unwrap().detach();
/// executor.level::<2>().submit(note("control")).unwrap().detach();
/// assert_eq!(executor.run_until_idle(), 3);
/// assert_eq!(*order.lock().unwrap(), ["control", "report", "log"]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels<const N: usize>;

impl<const N: usize> Order for Levels<N> {}

/// What the levels of an executor have done: see
/// [`Executor::level_stats`](crate::Executor::level_stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LevelStats {
    /// The most tasks, of other levels, that were started between two of this one, or since it had
    /// a task again. Polls of futures count. What a waiting thread ran in place does not.
    ///
    /// In tasks, not in time, so that it needs no clock and no memory in a slot. 0 if no task
    /// overtook any of the level.
    pub longest_wait: u32,
}

/// The most levels: one bit each.
const MOST: usize = 32;

/// The types that an order puts into the executor and into what submits to it.
pub(crate) trait Parts: Copy + fmt::Debug + 'static {
    /// How many levels there are.
    const LEVELS: usize;
    /// A level's number. Of no size if there is one level.
    type Level: Level;
    /// Each level, by its number.
    const EACH: &'static [Self::Level];
    /// The ready tasks.
    type Lists: Lists<Level = Self::Level>;
    /// No task.
    const EMPTY: Self::Lists;
    /// Which workers are tied to which level.
    type Ties: Ties<Level = Self::Level>;
    /// No worker is.
    const UNTIED: Self::Ties;
}

impl Parts for Fifo {
    const LEVELS: usize = 1;
    type Level = ();
    const EACH: &'static [()] = &[()];
    type Lists = List<READY>;
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "a value to start with"
    )]
    const EMPTY: Self::Lists = List::new();
    type Ties = NoTies;
    const UNTIED: NoTies = NoTies;
}

impl<const N: usize> Parts for Levels<N> {
    const LEVELS: usize = {
        assert!(
            N > 0,
            "slotted: an order needs a level: raise N of `Levels<N>`"
        );
        assert!(
            N <= MOST,
            "slotted: levels are bits of 32: lower N of `Levels<N>`"
        );
        N
    };
    type Level = u8;
    const EACH: &'static [u8] = &{
        let mut each = [0; N];
        let mut level = 0;
        while level < Self::LEVELS {
            each[level] = level as u8; // below 32
            level += 1;
        }
        each
    };
    type Lists = LevelLists<N>;
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "a value to start with"
    )]
    const EMPTY: Self::Lists = LevelLists {
        nonempty: Cell::new(0),
        starts: Cell::new(0),
        levels: [const { OneLevel::new() }; N],
    };
    type Ties = LevelTies<N>;
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "a value to start with"
    )]
    const UNTIED: Self::Ties = LevelTies([const { Cell::new(0) }; N]);
}

/// A level's number.
pub(crate) trait Level: Copy + Send + Sync + fmt::Debug + 'static {
    /// The lowest level.
    const BASE: Self;

    /// The level of a task whose slot is in no list.
    fn of(link: &Link) -> Self;

    /// Sets the level of a task whose slot is in no list.
    fn note(self, link: &Link);

    fn number(self) -> usize;
}

impl Level for () {
    const BASE: () = ();

    #[inline(always)]
    fn of(_link: &Link) {}

    #[inline(always)]
    fn note(self, _link: &Link) {}

    #[inline(always)]
    fn number(self) -> usize {
        0
    }
}

impl Level for u8 {
    const BASE: u8 = 0;

    #[inline]
    fn of(link: &Link) -> u8 {
        link.level()
    }

    #[inline]
    fn note(self, link: &Link) {
        link.set_level(self);
    }

    #[inline(always)]
    fn number(self) -> usize {
        usize::from(self)
    }
}

/// The ready tasks in their order. Lives inside the lock of the ready queue.
pub(crate) trait Lists: Send {
    type Level: Level;

    /// The list of the lowest level, for what comes from the inbox.
    fn base(&self) -> &List<READY>;

    /// The list of the lowest level got a task.
    fn base_grew(&self);

    fn is_empty(&self) -> bool;

    /// Appends a task to the list of its level. Returns true if that was empty.
    fn push(&self, links: &impl Links, link: &Link, index: Index) -> bool;

    /// Takes the first task of the highest level that is not below `floor`, and notes which worker
    /// is to run it.
    fn pop(&self, links: &impl Links, runner: Option<Seat>, floor: Self::Level) -> Option<Index>;

    /// Takes a task out wherever it stands. Returns false if it is in no list.
    fn unlink(&self, links: &impl Links, link: &Link, index: Index) -> bool;

    /// Moves a task to the end of a higher level. Returns false if it is in no list, or its level
    /// is as high.
    fn raise(&self, links: &impl Links, link: &Link, index: Index, level: Self::Level) -> bool;

    /// The next task of the highest level.
    fn first(&self) -> Option<Index>;

    /// The highest level that has a task.
    fn top(&self) -> Option<Self::Level>;

    /// What threads may see without the lock: a bit for each level that has a task. The caller
    /// knows whether there is one.
    fn summary(&self, has_task: bool) -> usize;
}

impl Lists for List<READY> {
    type Level = ();

    #[inline(always)]
    fn base(&self) -> &List<READY> {
        self
    }

    #[inline(always)]
    fn base_grew(&self) {}

    #[inline(always)]
    fn is_empty(&self) -> bool {
        List::is_empty(self)
    }

    #[inline(always)]
    fn push(&self, links: &impl Links, link: &Link, index: Index) -> bool {
        List::push(self, links, link, index)
    }

    #[inline(always)]
    fn pop(&self, links: &impl Links, runner: Option<Seat>, (): ()) -> Option<Index> {
        List::pop(self, links, runner)
    }

    #[inline(always)]
    fn unlink(&self, links: &impl Links, link: &Link, index: Index) -> bool {
        List::unlink(self, links, link, index)
    }

    #[inline(always)]
    fn raise(&self, _links: &impl Links, _link: &Link, _index: Index, (): ()) -> bool {
        false
    }

    #[inline(always)]
    fn first(&self) -> Option<Index> {
        List::first(self)
    }

    #[inline(always)]
    fn top(&self) -> Option<()> {
        (!List::is_empty(self)).then_some(())
    }

    #[inline(always)]
    fn summary(&self, has_task: bool) -> usize {
        usize::from(has_task)
    }
}

/// A level: its tasks, and how it was served.
struct OneLevel {
    list: List<READY>,
    /// The number of starts when the level got its first task, or was last served.
    since: Cell<u32>,
    longest_wait: Cell<u32>,
}

impl OneLevel {
    const fn new() -> Self {
        Self {
            list: List::new(),
            since: Cell::new(0),
            longest_wait: Cell::new(0),
        }
    }
}

/// A list for each level.
pub(crate) struct LevelLists<const N: usize> {
    /// The levels that have a task, one bit each.
    nonempty: Cell<u32>,
    /// Tasks of all levels that were started. Wraps.
    starts: Cell<u32>,
    levels: [OneLevel; N],
}

impl<const N: usize> LevelLists<N> {
    /// What each level has done.
    pub(crate) fn stats(&self) -> [LevelStats; N] {
        core::array::from_fn(|level| LevelStats {
            longest_wait: self.levels[level].longest_wait.get(),
        })
    }

    /// A level got its first task: it waits from now on.
    #[inline]
    fn began(&self, level: u8, one: &OneLevel) {
        self.nonempty.set(self.nonempty.get() | 1 << level);
        one.since.set(self.starts.get());
    }

    /// A task left a level.
    #[inline]
    fn shrank(&self, level: u8, one: &OneLevel) {
        if one.list.is_empty() {
            self.nonempty.set(self.nonempty.get() & !(1 << level));
        }
    }
}

impl<const N: usize> Lists for LevelLists<N> {
    type Level = u8;

    #[inline]
    fn base(&self) -> &List<READY> {
        &self.levels[0].list
    }

    fn base_grew(&self) {
        if self.nonempty.get() & 1 == 0 {
            self.began(0, &self.levels[0]);
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.nonempty.get() == 0
    }

    #[inline]
    fn push(&self, links: &impl Links, link: &Link, index: Index) -> bool {
        let level = link.level();
        let one = &self.levels[usize::from(level)];
        let is_first = one.list.push_at(links, link, index, level);
        if is_first {
            self.began(level, one);
        }
        is_first
    }

    #[inline]
    fn pop(&self, links: &impl Links, runner: Option<Seat>, floor: u8) -> Option<Index> {
        let level = (self.nonempty.get() >> floor << floor).checked_ilog2()?;
        let level = level as u8; // below 32
        let one = &self.levels[usize::from(level)];
        let index = one.list.pop_at(links, runner, level)?;
        self.shrank(level, one);
        let starts = self.starts.get();
        let wait = starts.wrapping_sub(one.since.get());
        if wait > one.longest_wait.get() {
            one.longest_wait.set(wait);
        }
        self.starts.set(starts.wrapping_add(1));
        one.since.set(starts.wrapping_add(1));
        Some(index)
    }

    fn unlink(&self, links: &impl Links, link: &Link, index: Index) -> bool {
        let Some(level) = link.level_of_list() else {
            return false;
        };
        let one = &self.levels[usize::from(level)];
        one.list.unlink_at(links, link, index);
        link.set_level(level);
        self.shrank(level, one);
        true
    }

    fn raise(&self, links: &impl Links, link: &Link, index: Index, level: u8) -> bool {
        let is_lower = link.level_of_list().is_some_and(|now| now < level);
        if is_lower {
            self.unlink(links, link, index);
            link.set_level(level);
            self.push(links, link, index);
        }
        is_lower
    }

    fn first(&self) -> Option<Index> {
        let top = self.top()?;
        self.levels[usize::from(top)].list.first()
    }

    #[inline]
    fn top(&self) -> Option<u8> {
        self.nonempty.get().checked_ilog2().map(|level| level as u8) // below 32
    }

    #[inline]
    fn summary(&self, _has_task: bool) -> usize {
        self.nonempty.get() as usize // the crate needs words of 32 bits
    }
}

/// Which workers are tied to which level, one bit each. A worker that is tied to a level serves it
/// and all above. Lives inside the lock of the ready queue.
pub(crate) trait Ties: Send {
    type Level: Level;

    /// A worker serves tasks from a level on.
    fn tie(&self, worker: usize, floor: Self::Level);

    /// Those of some threads that take any task.
    fn general(&self, threads: usize) -> usize;

    /// Those of some threads that are to run a task of a level: the ones tied highest of all that
    /// serve it. So urgent tasks go to urgent threads, and leave the others to the rest.
    fn candidates(&self, threads: usize, level: Self::Level) -> usize;
}

/// There is one level: each thread serves it.
pub(crate) struct NoTies;

impl Ties for NoTies {
    type Level = ();

    #[inline(always)]
    fn tie(&self, _worker: usize, (): ()) {}

    #[inline(always)]
    fn general(&self, threads: usize) -> usize {
        threads
    }

    #[inline(always)]
    fn candidates(&self, threads: usize, (): ()) -> usize {
        threads
    }
}

/// The workers that are tied to each level above the lowest. All other threads serve every level.
pub(crate) struct LevelTies<const N: usize>([Cell<usize>; N]);

impl<const N: usize> Ties for LevelTies<N> {
    type Level = u8;

    /// Bound: the number of levels.
    fn tie(&self, worker: usize, floor: u8) {
        for (level, tied) in self.0.iter().enumerate() {
            let others = tied.get() & !worker;
            let is_here = level == usize::from(floor) && level > 0;
            tied.set(if is_here { others | worker } else { others });
        }
    }

    /// Bound: the number of levels.
    fn general(&self, threads: usize) -> usize {
        self.0
            .iter()
            .fold(threads, |general, tied| general & !tied.get())
    }

    /// Bound: the number of levels.
    fn candidates(&self, threads: usize, level: u8) -> usize {
        let tied = self.0[1..=usize::from(level)].iter().rev();
        tied.map(|tied| tied.get() & threads)
            .find(|&candidates| candidates != 0)
            .unwrap_or_else(|| self.general(threads))
    }
}
