//! Tasks of an owner at a level.
#![forbid(unsafe_code)]

use super::{Owned, OwnedSubmitter};
use crate::host::{Park, level};
use crate::order::{LevelStats, Levels};

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, H: Park> Owned<L, QUEUE, SLOT_BYTES, H> {
    /// Takes tasks for the level `LEVEL`: 0, the lowest, is that of the owner's own calls. The
    /// owner runs strictly the highest level first. A level too high does not compile. See
    /// [`Executor::level`](crate::Executor::level).
    ///
    /// ```
    /// use slotted::{Levels, Ordered, Owned, StdHost};
    ///
    /// let log: Owned<Vec<u8>, 4, 64, Ordered<StdHost, Levels<2>>> = Owned::new();
    /// log.submit(|bytes| bytes.push(1)).unwrap().detach();
    /// log.level::<1>().submit(|bytes| bytes.push(2)).unwrap().detach(); // urgent
    /// let (mut worker, mut bytes) = (log.worker().unwrap(), vec![]);
    /// let _ = (worker.run_one(&mut bytes), worker.run_one(&mut bytes));
    /// assert_eq!(bytes, [2, 1]);
    /// ```
    pub const fn level<const LEVEL: usize>(&self) -> OwnedSubmitter<'_, L, SLOT_BYTES, H> {
        self.submitter().level::<LEVEL>()
    }
}

impl<L, const QUEUE: usize, const SLOT_BYTES: usize, const N: usize, H: Park<Order = Levels<N>>>
    Owned<L, QUEUE, SLOT_BYTES, H>
{
    /// What each level has done, the lowest first. See
    /// [`Executor::level_stats`](crate::Executor::level_stats).
    ///
    /// ```
    /// # use slotted::{Levels, Ordered, Owned, StdHost};
    /// let log: Owned<Vec<u8>, 4, 64, Ordered<StdHost, Levels<2>>> = Owned::new();
    /// log.submit(|bytes| bytes.push(1)).unwrap().detach();
    /// log.level::<1>().submit(|bytes| bytes.push(2)).unwrap().detach();
    /// let (mut worker, mut bytes) = (log.worker().unwrap(), vec![]);
    /// let _ = (worker.run_one(&mut bytes), worker.run_one(&mut bytes));
    /// assert_eq!(log.level_stats().map(|level| level.longest_wait), [1, 0]);
    /// ```
    #[must_use]
    pub fn level_stats(&self) -> [LevelStats; N] {
        self.registry().level_stats()
    }
}

impl<'e, L, const SLOT_BYTES: usize, H: Park> OwnedSubmitter<'e, L, SLOT_BYTES, H> {
    /// Takes tasks for the level `LEVEL`. What a permit or a promise of it holds is of that level
    /// too. A level too high does not compile. See [`Owned::level`].
    ///
    /// ```
    /// # use slotted::{Levels, Ordered, Owned, StdHost};
    /// let log: Owned<Vec<u8>, 4, 64, Ordered<StdHost, Levels<2>>> = Owned::new();
    /// let urgent = log.submitter().level::<1>();
    /// assert!(urgent.submit(|bytes| bytes.push(2)).is_ok());
    /// ```
    pub const fn level<const LEVEL: usize>(self) -> Self {
        Self::new(self.submitter.with_level(level::<LEVEL, H>()))
    }
}
