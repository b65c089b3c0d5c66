//! Priorities: submitting at a level, raising, and figures. And a host with another order.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use crate::executor::Executor;
use crate::handle::JoinHandle;
use crate::host::{Clock, Park, level};
use crate::order::{LevelStats, Levels, Order};
use crate::registry::Submitter;
use crate::step::Step;
use crate::timetable::TimedSubmitter;

/// The host `H`, with another order `O` in which tasks start. For hosts that are not yours, and for
/// a program whose executors start tasks in different orders.
///
/// Everything else is as with `H`: its threads, its clock. `StdThreads` and `Simulation` start
/// workers of it.
///
/// ```
/// use slotted::{Executor, Levels, Ordered, Shutdown, StdHost, StdThreads};
///
/// static POOL: Executor<2, 16, 64, Ordered<StdHost, Levels<4>>> = Executor::new();
/// POOL.start(&StdThreads::new()).unwrap();
/// let urgent = POOL.level::<3>().submit(|| 6 * 7).unwrap();
/// assert_eq!(urgent.result(), Ok(42));
/// POOL.shutdown(Shutdown::Drain).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ordered<H, O>(PhantomData<fn() -> (H, O)>);

impl<H: Park, O: Order> Park for Ordered<H, O> {
    type Thread = H::Thread;
    type Order = O;
    const FAIR: bool = H::FAIR;
    const KEEPS_TIME: bool = H::KEEPS_TIME;

    #[inline(always)]
    fn current() -> H::Thread {
        H::current()
    }

    #[inline(always)]
    fn current_id() -> usize {
        H::current_id()
    }

    #[inline(always)]
    fn park() {
        H::park();
    }

    #[inline(always)]
    fn unpark(thread: &H::Thread) {
        H::unpark(thread);
    }

    #[inline(always)]
    fn ready() {
        H::ready();
    }

    #[inline(always)]
    fn ready_at(level: usize) {
        H::ready_at(level);
    }

    #[inline(always)]
    fn note(step: impl FnOnce() -> Step) {
        H::note(step);
    }

    #[inline(always)]
    fn spin(round: u32) -> bool {
        H::spin(round)
    }

    #[inline(always)]
    fn yield_now(round: u32) -> bool {
        H::yield_now(round)
    }
}

impl<H: Clock, O: Order> Clock for Ordered<H, O> {
    const TICKS_PER_SECOND: u64 = H::TICKS_PER_SECOND;

    #[inline(always)]
    fn now() -> u64 {
        H::now()
    }

    #[inline(always)]
    fn park_until(deadline: u64) {
        H::park_until(deadline);
    }

    #[inline(always)]
    fn set_alarm(date: Option<u64>) {
        H::set_alarm(date);
    }
}

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Takes tasks for the level `LEVEL`: 0, the lowest, is that of the executor's own calls. A
    /// level too high does not compile.
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// let later = executor.submit(|| ()).unwrap();
    /// let urgent = executor.level::<1>().submit(|| ()).unwrap();
    /// assert!(executor.run_one());
    /// assert!(urgent.done() && !later.done());
    /// ```
    ///
    /// ```compile_fail
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// executor.level::<2>(); // 0 or 1
    /// ```
    pub const fn level<const LEVEL: usize>(&self) -> Submitter<'_, SLOT_BYTES, H> {
        self.submitter().level::<LEVEL>()
    }
}

impl<
    const WORKERS: usize,
    const QUEUE: usize,
    const SLOT_BYTES: usize,
    const N: usize,
    H: Park<Order = Levels<N>>,
> Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// What each level has done, the lowest first.
    ///
    /// # Context
    ///
    /// Any, interrupts included. One lock-bounded operation, with a step for each level.
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// executor.level::<1>().submit(|| ()).unwrap().detach();
    /// executor.level::<1>().submit(|| ()).unwrap().detach();
    /// executor.run_until_idle();
    /// let [low, high] = executor.level_stats();
    /// assert_eq!(low.longest_wait, 2, "two others overtook it");
    /// assert_eq!(high.longest_wait, 0);
    /// ```
    #[must_use]
    pub fn level_stats(&self) -> [LevelStats; N] {
        self.registry().level_stats()
    }
}

impl<'e, const SLOT_BYTES: usize, H: Park> Submitter<'e, SLOT_BYTES, H> {
    /// Takes tasks for the level `LEVEL`. What a permit or a promise of it holds is of that level
    /// too. A level too high does not compile. See [`Executor::level`].
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// let urgent = executor.submitter().level::<1>().reserve().unwrap();
    /// executor.submit(|| ()).unwrap().detach();
    /// let urgent = urgent.submit(|| ()).unwrap();
    /// assert!(executor.run_one());
    /// assert!(urgent.done());
    /// ```
    pub const fn level<const LEVEL: usize>(self) -> Self {
        self.with_level(level::<LEVEL, H>())
    }
}

impl<const SLOT_BYTES: usize, H: Clock> TimedSubmitter<SLOT_BYTES, H> {
    /// Takes tasks for the level `LEVEL`: a task that is due stands at the end of that level. A
    /// level too high does not compile. See [`Executor::level`].
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost, Timetable};
    /// type Host = Ordered<StdHost, Levels<2>>;
    /// static POOL: Executor<0, 4, 64, Host> = Executor::new();
    /// static TIMES: Timetable<4, Host> = Timetable::new();
    /// let later = TIMES.on(&POOL).submit_at(0, || ()).unwrap();
    /// let urgent = TIMES.on(&POOL).level::<1>().submit_at(0, || ()).unwrap();
    /// TIMES.advance();
    /// assert!(POOL.run_one());
    /// assert!(urgent.done() && !later.done());
    /// ```
    #[must_use]
    pub const fn level<const LEVEL: usize>(self) -> Self {
        self.with_level(level::<LEVEL, H>())
    }
}

impl<T, H: Park> JoinHandle<'_, T, H> {
    /// Moves the task to the end of level `LEVEL`, if it waits for a worker and its level is lower.
    /// Returns true if it moved. It keeps the level from then on. A level too high does not
    /// compile.
    ///
    /// A worker that waits for a task of its own executor raises it by itself, to the highest level
    /// of the tasks on the worker's stack: in a blocking wait, or by awaiting the handle in a task.
    /// So an urgent task is not held up by the tasks between it and what it waits for. It does not
    /// raise what that task waits for in turn.
    ///
    /// # Context
    ///
    /// Any, interrupts included. Does not block.
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// let first = executor.submit(|| ()).unwrap();
    /// let second = executor.submit(|| ()).unwrap();
    /// assert!(second.raise::<1>());
    /// assert!(!second.raise::<1>(), "it is there");
    /// assert!(executor.run_one());
    /// assert!(second.done() && !first.done());
    /// ```
    pub fn raise<const LEVEL: usize>(&self) -> bool {
        self.raise_to(level::<LEVEL, H>())
    }
}
