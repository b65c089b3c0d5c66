//! Running ready tasks in the calling thread.
#![forbid(unsafe_code)]

use super::Executor;
use crate::completion::execute;
use crate::host::{LevelOf, Park, level};
use crate::order::Level;

impl<const WORKERS: usize, const QUEUE: usize, const SLOT_BYTES: usize, H: Park>
    Executor<WORKERS, QUEUE, SLOT_BYTES, H>
{
    /// Runs the next ready task in the calling thread: the oldest, of the highest level if there
    /// are several. Returns false if there was none.
    ///
    /// # Blocking
    ///
    /// As long as the task takes.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert_eq!([executor.run_one(), executor.run_one()], [true, false]);
    /// ```
    pub fn run_one(&self) -> bool {
        self.run_one_from(Level::BASE)
    }

    /// Runs the next ready task from a level on.
    fn run_one_from(&self, floor: LevelOf<H>) -> bool {
        let registry = self.registry();
        let seat = registry.current_seat();
        match registry.take_next(seat, floor) {
            Some(running) => {
                execute(registry, running, seat);
                true
            }
            None => false,
        }
    }

    /// Runs ready tasks in the calling thread until there is none, those they submit included.
    /// Returns how many it ran.
    ///
    /// # Blocking
    ///
    /// As long as the tasks take; for ever if each submits another.
    ///
    /// ```
    /// # use slotted::Executor;
    /// let executor: Executor<0, 4> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert_eq!(executor.run_until_idle(), 2);
    /// ```
    pub fn run_until_idle(&self) -> usize {
        let mut ran = 0;
        while self.run_one() {
            ran += 1;
        }
        ran
    }

    /// As [`run_one`](Self::run_one), for tasks of level `LEVEL` and above only.
    ///
    /// ```
    /// # use slotted::{Executor, Levels, Ordered, StdHost};
    /// let executor: Executor<0, 4, 64, Ordered<StdHost, Levels<2>>> = Executor::new();
    /// executor.submit(|| ()).unwrap().detach();
    /// assert!(!executor.run_one_at::<1>());
    /// assert!(executor.run_one_at::<0>());
    /// ```
    pub fn run_one_at<const LEVEL: usize>(&self) -> bool {
        self.run_one_from(level::<LEVEL, H>())
    }
}
